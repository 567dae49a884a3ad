//! From a report to a status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use longshore_crds::{LoadError, LoadJobStatus, LoadReport, LoadState, Outcome, exit, reasons};

/// What a report says of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The rows are in the table.
    Loaded,
    /// They are not, and this run will not bring them.
    Cancelled,
    /// They are not; the same run goes on when it is started again.
    Pending,
    /// Everything was checked, nothing was loaded.
    Looked,
    /// It is not known.
    Unknown,
}

/// What follows from a report.
pub fn verdict(report: &LoadReport) -> Verdict {
    match report.outcome {
        Outcome::Loaded | Outcome::AlreadyLoaded => Verdict::Loaded,
        Outcome::Unknown => Verdict::Unknown,
        Outcome::DryRun => Verdict::Looked,
        Outcome::Failed => match report.exit_code {
            exit::REQUEST | exit::QUALITY | exit::SOURCE | exit::DEADLINE => Verdict::Cancelled,
            _ => Verdict::Pending,
        },
    }
}

/// The status while a load runs.
pub fn started(
    old: Option<LoadJobStatus>,
    label: String,
    run: u32,
    generation: Option<i64>,
    now: &Time,
) -> LoadJobStatus {
    let old = old.unwrap_or_default();
    let mut status = LoadJobStatus {
        observed_generation: generation,
        conditions: old.conditions,
        state: Some(LoadState::Loading),
        progress: Some("LOAD:0%".to_owned()),
        label: Some(label),
        run: Some(run),
        create_time: old.create_time.or_else(|| Some(now.0.to_string())),
        load_start_time: Some(now.0.to_string()),
        ..LoadJobStatus::default()
    };
    let holding = LoadJobStatus::holding(LoadState::Loading, false);
    status.set_conditions(holding, reasons::LOADING, "", generation, now);
    status
}

/// The status after a load.
pub fn ended(status: &mut LoadJobStatus, report: &LoadReport, generation: Option<i64>, now: &Time) {
    status.take_figures(report);
    status.observed_generation = generation;
    status.run = Some(report.run.max(status.run.unwrap_or(0)));
    let (state, progress, reason): (_, _, &str) = match verdict(report) {
        Verdict::Loaded => (LoadState::Finished, Some("LOAD:100%"), report.loaded_reason()),
        Verdict::Looked => (LoadState::Finished, Some("LOAD:N/A"), reasons::DRY_RUN),
        Verdict::Cancelled => (LoadState::Cancelled, Some("LOAD:N/A"), &report.reason),
        Verdict::Pending => {
            let interrupted = report.exit_code == exit::TERMINATED;
            (LoadState::Pending, None, if interrupted { reasons::INTERRUPTED } else { &report.reason })
        }
        Verdict::Unknown => (LoadState::Loading, None, reasons::OUTCOME_UNKNOWN),
    };
    status.state = Some(state);
    status.progress = progress.map(str::to_owned);
    if state == LoadState::Pending {
        status.load_finish_time = None;
    }
    status.error = (state != LoadState::Finished && reason != reasons::INTERRUPTED)
        .then(|| LoadError { error_type: report.reason.clone(), message: report.message.clone() });
    if let Some(verdict) = report.dry_run.as_ref().filter(|verdict| verdict.exit_code != exit::LOADED) {
        let (error_type, message) = (verdict.reason.clone(), verdict.message.clone());
        status.error = Some(LoadError { error_type, message });
    }
    let holding = LoadJobStatus::holding(state, false);
    status.set_conditions(holding, reason, &report.message, generation, now);
}

#[cfg(test)]
mod tests {
    use longshore_crds::{LOAD_REPORT_VERSION, LoadCounts, LoadTimes};

    use super::*;
    use crate::objects::now;

    fn report(outcome: Outcome, exit_code: u8, reason: &str) -> LoadReport {
        LoadReport {
            version: LOAD_REPORT_VERSION,
            label: "l".to_owned(),
            run: 2,
            attempt: 1,
            outcome,
            exit_code,
            reason: reason.to_owned(),
            message: "why".to_owned(),
            closed: false,
            newest_run: None,
            counts: LoadCounts { scan_rows: 10, filtered_rows: 1, sink_rows: 9, ..LoadCounts::default() },
            table_version: None,
            rejected_record_path: None,
            first_errors: Vec::new(),
            skipped_files: Vec::new(),
            dry_run: None,
            times: LoadTimes::default(),
            report_path: None,
            truncated: false,
        }
    }

    /// State, error and the conditions that hold after a report.
    fn after(report: &LoadReport) -> (LoadState, Option<String>, Vec<String>) {
        let mut status = started(None, "l".to_owned(), 2, Some(1), &now());
        assert_eq!(status.conditions.len(), 5);
        ended(&mut status, report, Some(1), &now());
        assert_eq!(status.sink_rows, Some(9));
        let holding = status.conditions.iter().filter(|condition| condition.status == "True");
        let holding = holding.map(|condition| format!("{}={}", condition.type_, condition.reason));
        (status.state.unwrap(), status.error.map(|error| error.error_type), holding.collect())
    }

    #[test]
    fn each_end_has_its_state_and_conditions() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            after(&report(Outcome::Loaded, exit::LOADED, "Loaded")),
            (
                LoadState::Finished,
                None,
                texts(&["Complete=LoadedWithFilteredRows", "Finished=LoadedWithFilteredRows"])
            )
        );
        assert_eq!(
            after(&report(Outcome::Failed, exit::QUALITY, "DataQuality")),
            (
                LoadState::Cancelled,
                Some("DataQuality".to_owned()),
                texts(&["Failed=DataQuality", "Finished=DataQuality", "Stalled=DataQuality"])
            )
        );
        assert_eq!(
            after(&report(Outcome::Failed, exit::TERMINATED, "Terminated")),
            (LoadState::Pending, None, texts(&["Reconciling=Interrupted"]))
        );
        assert_eq!(
            after(&report(Outcome::Failed, exit::TRANSIENT, "DiskFull")),
            (LoadState::Pending, Some("DiskFull".to_owned()), texts(&["Reconciling=DiskFull"]))
        );
        assert_eq!(
            after(&report(Outcome::Unknown, exit::OUTCOME_UNKNOWN, "OutcomeUnknown")),
            (LoadState::Loading, Some("OutcomeUnknown".to_owned()), texts(&["Reconciling=OutcomeUnknown"]))
        );
    }
}
