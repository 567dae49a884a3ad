//! `information_schema.pipes`: where each pipe stands, by its ledger.

use arrow::array::RecordBatch;
use longshore_crds::{Pipe, PipeState};
use longshore_storage::ledger::{FileState, LedgerTotals};
use serde_json::json;

use crate::error::SqlError;
use crate::ledgers::KnownLedger;
use crate::views::Columns;

/// A row for each pipe, and for each ledger that no Pipe has now (its STATE is NULL).
pub(crate) fn pipes(known: &[KnownLedger]) -> Result<RecordBatch, SqlError> {
    let totals = known
        .iter()
        .map(|ledger| Ok(*ledger.open()?.totals()))
        .collect::<Result<Vec<LedgerTotals>, SqlError>>()?;
    let objects = || known.iter().map(|ledger| ledger.object.as_ref());
    let statuses = || objects().map(|pipe| pipe.and_then(|pipe| pipe.status.as_ref()));
    let told: Vec<String> = objects().zip(&totals).map(|(pipe, totals)| load_status(pipe, totals)).collect();
    let properties: Vec<Option<String>> = objects().map(|pipe| pipe.map(properties)).collect();
    let errors = statuses().map(|status| status.and_then(|status| status.last_error.as_ref()));
    let count = |state: FileState| totals.iter().map(move |totals| Some(totals.of(state).files));
    Columns::new()
        .text("PIPE_NAME", known.iter().map(|ledger| Some(ledger.pipe.as_str())))
        .text("TABLE_NAME", known.iter().map(|ledger| Some(ledger.table.as_str())))
        .text("LEDGER", known.iter().map(|ledger| Some(ledger.ledger.as_str())))
        .text("STATE", objects().map(|pipe| pipe.map(|pipe| state(pipe).name())))
        .text("PROPERTIES", properties.iter().map(Option::as_deref))
        .text("LOAD_STATUS", told.iter().map(|told| Some(told.as_str())))
        .text("LAST_ERROR", errors.map(|error| error.map(|error| error.message.as_str())))
        .instant("CREATED_TIME", objects().map(|pipe| created(pipe?)))
        .number("LOADED_FILES", count(FileState::Finished))
        .number("UNLOADED_FILES", count(FileState::Unloaded))
        .number("ERROR_FILES", count(FileState::Error))
        .number("IGNORED_FILES", count(FileState::Ignored))
        .batch()
}

/// A pipe runs until it is suspended, or finished.
fn state(pipe: &Pipe) -> PipeState {
    match pipe.status.as_ref().and_then(|status| status.state) {
        _ if pipe.spec.suspend => PipeState::Suspended,
        state => state.unwrap_or(PipeState::Running),
    }
}

/// The fields that StarRocks keeps as properties, under its names.
fn properties(pipe: &Pipe) -> String {
    let spec = &pipe.spec;
    json!({
        "auto_ingest": spec.auto_ingest,
        "poll_interval": spec.poll_interval_seconds,
        "batch_size": spec.batch_size,
        "batch_files": spec.batch_files,
    })
    .to_string()
}

fn load_status(pipe: Option<&Pipe>, totals: &LedgerTotals) -> String {
    let loaded = totals.of(FileState::Finished);
    let last = pipe.and_then(|pipe| pipe.status.as_ref()?.last_loaded_time.as_deref());
    json!({
        "loadedFiles": loaded.files,
        "loadedBytes": loaded.bytes,
        "loadingFiles": totals.of(FileState::Loading).files,
        "lastLoadedTime": last,
    })
    .to_string()
}

/// Microseconds since the epoch.
fn created(pipe: &Pipe) -> Option<i64> {
    Some(pipe.metadata.creation_timestamp.as_ref()?.0.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_runs_until_it_is_suspended_or_finished() {
        let text = json!({
            "apiVersion": "longshore.dev/v1alpha1", "kind": "Pipe", "metadata": {"name": "p"},
            "spec": {"table": "t", "source": {"paths": ["s3://b/*"]}},
        });
        let mut pipe: Pipe = serde_json::from_value(text).unwrap();
        assert_eq!(state(&pipe), PipeState::Running);
        assert_eq!(
            properties(&pipe),
            "{\"auto_ingest\":true,\"batch_files\":256,\"batch_size\":\"1Gi\",\"poll_interval\":300}"
        );
        pipe.spec.suspend = true;
        assert_eq!(state(&pipe), PipeState::Suspended);
    }
}
