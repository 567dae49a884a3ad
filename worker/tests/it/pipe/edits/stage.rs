//! A pipe that runs while its spec is edited.

use std::collections::BTreeSet;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use longshore_crds::PipeProgress;
use longshore_storage::history::HistoryOutcome;
use longshore_storage::ledger::FileState;
use longshore_worker::pipe::PipeEnd;
use serde_json::{Value, json};

use super::super::{Running, batches, file, ledger, numbers, request, start};
use crate::world::{World, batch, column, definition, parquet_bytes};

/// Files that are there before the edit, `in/old-0.parquet` and so on: the row of each is its number.
pub const OLD: i64 = 4;

/// A table `(n, m, at)`, a bucket and the pipe between them.
pub struct Stage {
    pub world: World,
    spec: Value,
    running: Option<Running>,
}

impl Stage {
    /// A pipe that begins with four files, a batch each; `edit` says what is other in its spec.
    pub fn begin(edit: impl FnOnce(&World, &mut Value)) -> Self {
        Self::with(Vec::new(), edit)
    }

    /// The same with more files.
    pub fn with(more: Vec<(&str, Vec<u8>)>, edit: impl FnOnce(&World, &mut Value)) -> Self {
        let columns = [("n", "BIGINT"), ("m", "BIGINT"), ("at", "DATETIME")];
        let world = World::with_table(&definition(columns.map(|(name, kind)| column(name, kind)).into()));
        for number in 0..OLD {
            world.put(&format!("in/old-{number}.parquet"), file([number]));
        }
        let spec = json!({
            "table": "table",
            "source": world.source("in/*.parquet"),
            "pollIntervalSeconds": 1,
            "batchFiles": 1,
            "retry": {"maxAttempts": 1},
            "load": {"onMissingColumn": "UseDefault"},
        });
        let mut stage = Self { world, spec, running: None };
        stage.edit(more, edit);
        stage
    }

    /// As the operator does it: the worker stops, also in the middle of a batch, and another one begins with the request
    /// of the edited spec. The new files are there when it begins.
    pub fn edit(&mut self, new: Vec<(&str, Vec<u8>)>, change: impl FnOnce(&World, &mut Value)) {
        self.stop();
        change(&self.world, &mut self.spec);
        for (key, bytes) in new {
            self.world.put(key, bytes);
        }
        let request = request(&self.world, "in/*.parquet", |spec| *spec = self.spec.clone());
        self.running = Some(start(&self.world, &request));
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            let end = running.stop();
            assert!(matches!(end, PipeEnd::Stopped), "{end:?}");
        }
    }

    pub fn until(&self, what: &str, is: impl Fn(&PipeProgress) -> bool) -> PipeProgress {
        self.running.as_ref().unwrap().until(what, is)
    }

    /// Waits until so many files are loaded.
    pub fn loaded(&self, files: i64) {
        self.until(&format!("{files} files loaded"), |progress| progress.loaded_files as i64 >= files);
    }

    /// Waits until the worker has listed everything.
    pub fn listed(&self) {
        self.until("listed", |progress| progress.last_full_list_time.is_some());
    }

    /// Waits until the worker ends by itself.
    pub fn end(&mut self) -> PipeEnd {
        self.running.take().unwrap().end().0
    }

    /// Stops the pipe. The table has the rows of the old files and these, each once, and the ledger and the history
    /// say so.
    pub fn exact(mut self, new: &[i64]) {
        self.stop();
        let expected: Vec<i64> = (0..OLD).chain(new.iter().copied()).collect();
        self.exactly(&expected);
    }

    /// The same, without the old files.
    pub fn exact_without_old(mut self, rows: &[i64]) {
        self.stop();
        self.exactly(rows);
    }

    fn exactly(&self, rows: &[i64]) {
        assert_eq!(numbers(&self.world), rows);
        let files = ledger(&self.world);
        let loaded = files.iter().filter(|(_, entry)| entry.state == FileState::Finished);
        assert_eq!(loaded.clone().map(|(_, entry)| entry.rows).sum::<u64>(), rows.len() as u64, "{files:?}");
        let mut committed = BTreeSet::new();
        let batches = batches(&self.world);
        let loaded_batches = batches.iter().filter(|batch| batch.outcome == HistoryOutcome::Loaded);
        for counted in loaded_batches.flat_map(|batch| &batch.files) {
            let is_new = committed.insert((counted.key.clone(), counted.etag.clone()));
            assert!(is_new || counted.skipped.is_some(), "{counted:?} is in two batches");
        }
        assert!(loaded.count() <= committed.len(), "{files:?} {committed:?}");
        assert!(files.iter().all(|(_, entry)| entry.state != FileState::Unloaded), "{files:?}");
    }
}

/// A file with these rows `(n, m)`.
pub fn texts(rows: &[(i64, &str)]) -> Vec<u8> {
    let n: ArrayRef = std::sync::Arc::new(Int64Array::from_iter_values(rows.iter().map(|(n, _)| *n)));
    let m: ArrayRef = std::sync::Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, m)| *m)));
    parquet_bytes(&batch(vec![("n", n), ("m", m)]))
}

/// Whether the store does not answer as it must.
pub fn is_refused(progress: &PipeProgress) -> bool {
    progress.source.as_ref().is_some_and(|source| !source.reachable)
}
