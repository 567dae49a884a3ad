//! What must hold of every state that a cut leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use longshore_storage::durable::FileSystem;
use longshore_storage::history::{HistoryEntry, HistoryFilter, HistoryOutcome};
use longshore_storage::load::adoptable;
use longshore_storage::table::{CleanOptions, CommitOutcome, LabelState, LoadCommit, LoadMode, Table};
use longshore_storage::vacuum::VacuumOptions;
use serde_json::Value;

use super::promise::{Invariant, Violation};
use super::recording::{Expected, PathId, ROOT, Recording};
use super::replay::Observer;
use super::support::{definition, plan, record, report, write_segments};
use super::volume::Volume;

/// The version that was promised, or a later one.
pub fn promised(recording: &Recording, promised: Option<u64>, found: Option<u64>) -> Result<(), Violation> {
    if promised <= found {
        return Ok(());
    }
    let what = format!("version {promised:?} was acknowledged in {}, found is {found:?}", recording.name);
    Err(Violation::new(Invariant::Acknowledged, what))
}

/// A file that was promised is there, whole.
pub fn promised_file(recording: &Recording, path: PathId, bytes: Option<&Vec<u8>>) -> Result<(), Violation> {
    let path = &recording.paths[path];
    let whole = recording.whole(path).map(Arc::as_ref);
    if bytes.is_some() && bytes == whole {
        return Ok(());
    }
    let what = match bytes {
        None => format!("{path} is not there"),
        Some(bytes) => format!("{path} has {} bytes, not those that were written", bytes.len()),
    };
    Err(Violation::new(Invariant::AcknowledgedFile, what))
}

/// Looks at the states of one recording as a process would that starts after the cut.
pub struct Checker<'a> {
    recording: &'a Recording,
    looked: usize,
}

impl<'a> Checker<'a> {
    pub fn new(recording: &'a Recording) -> Self {
        Self::nth(recording, 0)
    }

    /// One that comes after so many others.
    pub fn nth(recording: &'a Recording, looked: usize) -> Self {
        Self { recording, looked }
    }
}

impl Observer for Checker<'_> {
    fn observe(&mut self, volume: Volume) -> Result<Option<u64>, Violation> {
        self.looked += 1;
        let with_cleaning = self.looked % CLEANING_EACH == 1;
        Check { recording: self.recording, volume, with_cleaning }.run()
    }
}

/// One state in so many is also cleaned and read through a new checkpoint, which costs more than all the rest.
const CLEANING_EACH: usize = 16;

struct Check<'a> {
    recording: &'a Recording,
    volume: Volume,
    with_cleaning: bool,
}

fn broken<E: std::fmt::Display>(
    invariant: Invariant,
    doing: impl std::fmt::Display,
) -> impl FnOnce(E) -> Violation {
    move |error| Violation::new(invariant, format!("{doing}: {error}"))
}

impl Check<'_> {
    fn run(&self) -> Result<Option<u64>, Violation> {
        let versions = self.versions()?;
        let found = match &versions {
            None => {
                let made = Table::create(self.volume.files(), Path::new(ROOT), &definition());
                let table = made.map_err(broken(Invariant::Opens, "the creation cannot be repeated"))?;
                self.next_loads(table, &Expected::default())?;
                return Ok(None);
            }
            Some(newest) => *newest,
        };
        let table = Table::open(self.volume.files(), Path::new(ROOT));
        let table = table.map_err(broken(Invariant::Opens, "the table does not open"))?;
        if table.version() != found {
            let what = format!("version {} was opened, {found} is in the log", table.version());
            return Err(Violation::new(Invariant::Opens, what));
        }
        let never = || Violation::new(Invariant::Opens, format!("version {found} was never committed"));
        let expected = self.recording.at(found).ok_or_else(never)?;
        let columns: Vec<&str> = table.schema().columns().iter().map(|column| column.name.as_str()).collect();
        if columns != expected.columns {
            let what = format!("version {found} has the columns {columns:?}, not {:?}", expected.columns);
            return Err(Violation::new(Invariant::Opens, what));
        }
        self.named_files(&table, expected)?;
        self.labels(&table, expected)?;
        self.history(&table, expected)?;
        self.next_loads(table, expected)?;
        Ok(Some(found))
    }

    /// The newest version in the log, if there is one; nothing may be missing below it.
    fn versions(&self) -> Result<Option<u64>, Violation> {
        let log = format!("{ROOT}/_delta_log");
        let entries = self.volume.list(Path::new(&log)).unwrap_or_default();
        let mut commits = BTreeSet::new();
        let mut checkpoints = BTreeSet::new();
        for entry in &entries {
            let version = || entry.name.get(..20).and_then(|digits| digits.parse::<u64>().ok());
            if entry.name.ends_with(".checkpoint.parquet") {
                checkpoints.extend(version());
            } else if entry.name.ends_with(".json") {
                commits.extend(version());
            }
        }
        for version in &checkpoints {
            self.whole(&format!("_delta_log/{version:020}.checkpoint.parquet"), Invariant::CheckpointsWhole)?;
        }
        if let Some(hint) = self.volume.read(&format!("{log}/_last_checkpoint")) {
            let named = serde_json::from_slice::<Value>(&hint).ok().and_then(|hint| hint["version"].as_u64());
            if !named.is_some_and(|version| checkpoints.contains(&version)) {
                let what = format!("_last_checkpoint names {named:?}, there are {checkpoints:?}");
                return Err(Violation::new(Invariant::CheckpointsWhole, what));
            }
        }
        let base = checkpoints.last().copied();
        let newest = commits.last().copied().max(base);
        let first = base.map_or(0, |base| base + 1);
        if let Some(missing) =
            newest.and_then(|newest| (first..=newest).find(|version| !commits.contains(version)))
        {
            return Err(Violation::new(
                Invariant::NoHole,
                format!("version {missing} of {newest:?} is missing"),
            ));
        }
        Ok(newest)
    }

    /// A file of the recording has all the bytes that were written.
    fn whole(&self, path: &str, invariant: Invariant) -> Result<(), Violation> {
        let path = format!("{ROOT}/{path}");
        let Some(bytes) = self.volume.read(&path) else {
            return Err(Violation::new(invariant, format!("{path} is not there")));
        };
        match self.recording.whole(&path) {
            Some(whole) if *whole == bytes => Ok(()),
            Some(whole) => {
                let (found, all) = (bytes.len(), whole.len());
                Err(Violation::new(invariant, format!("{path} is not whole: {found} of {all} bytes")))
            }
            // Made after the cut.
            None => Ok(()),
        }
    }

    fn named_files(&self, table: &Table, expected: &Expected) -> Result<(), Violation> {
        let segments = table.segments();
        let segments = segments.map_err(broken(Invariant::NamedFilesWhole, "the files cannot be listed"))?;
        let found: BTreeMap<String, u64> = segments.iter().map(|s| (s.path.clone(), s.rows)).collect();
        if found != expected.files || found.len() != segments.len() {
            let (version, expected) = (table.version(), &expected.files);
            let what = format!("version {version} names {found:?}, it was committed with {expected:?}");
            return Err(Violation::new(Invariant::NamedFilesWhole, what));
        }
        for segment in &segments {
            self.whole(&segment.path, Invariant::NamedFilesWhole)?;
            let bytes = self.volume.read(&format!("{ROOT}/{}", segment.path)).map(|bytes| bytes.len() as u64);
            if bytes != Some(segment.bytes) {
                let what = format!("{} has {bytes:?} bytes, named with {}", segment.path, segment.bytes);
                return Err(Violation::new(Invariant::NamedFilesWhole, what));
            }
        }
        Ok(())
    }

    fn labels(&self, table: &Table, expected: &Expected) -> Result<(), Violation> {
        // Records that are folded have no file of their own.
        for (_, record) in expected.records.values() {
            if self.volume.read(&format!("{ROOT}/{record}")).is_some() {
                self.whole(record, Invariant::LabelsAndRecords)?;
            }
        }
        for label in expected.claims.keys().chain(&expected.loaded) {
            let state = table.label(label);
            let state = state.map_err(broken(Invariant::LabelsAndRecords, format!("label {label}")))?;
            let is_loaded = matches!(state, LabelState::Loaded { .. });
            if is_loaded != expected.loaded.contains(label) || state == LabelState::Unknown {
                let what = format!("label {label} is {state:?} at version {}", table.version());
                return Err(Violation::new(Invariant::LabelsAndRecords, what));
            }
        }
        Ok(())
    }

    fn entries(&self, table: &Table) -> Result<Vec<HistoryEntry>, Violation> {
        let entries = table.history(&HistoryFilter::default());
        let entries = entries.map_err(broken(Invariant::LabelsAndRecords, "the history cannot be read"))?;
        let entries: Result<_, _> = entries.collect();
        entries.map_err(broken(Invariant::LabelsAndRecords, "the history cannot be read"))
    }

    /// The history tells what the commits say, no more and no less.
    fn history(&self, table: &Table, expected: &Expected) -> Result<(), Violation> {
        let entries = self.entries(table)?.into_iter();
        let told: BTreeMap<u64, String> = entries.map(|entry| (entry.version, entry.record.label)).collect();
        let named = expected.records.iter().map(|(version, (label, _))| (*version, label.clone()));
        if told == named.collect() {
            return Ok(());
        }
        let what = format!("the history tells {told:?}, the commits name {:?}", expected.records);
        Err(Violation::new(Invariant::LabelsAndRecords, what))
    }

    /// The history tells of each label that is loaded, once.
    fn each_loaded_once(&self, table: &Table, all: &Expected) -> Result<(), Violation> {
        let mut told = self.entries(table)?;
        told.retain(|entry| entry.record.outcome == HistoryOutcome::Loaded);
        let mut told: Vec<String> = told.into_iter().map(|entry| entry.record.label).collect();
        told.sort();
        if told.iter().eq(&all.loaded) {
            return Ok(());
        }
        let what = format!("the history tells of loads of {told:?}, loaded are {:?}", all.loaded);
        Err(Violation::new(Invariant::LabelsAndRecords, what))
    }

    /// What was interrupted is done again by its next attempt, else a new label is loaded; then all of it is
    /// there, once; now and then also after checkpoints, a cleaning of the log and a vacuum.
    fn next_loads(&self, mut table: Table, expected: &Expected) -> Result<(), Violation> {
        let mut all = expected.clone();
        for label in expected.claims.keys().filter(|label| !expected.loaded.contains(*label)) {
            if let Ok(LabelState::Claimed { run, .. }) = table.label(label) {
                self.load(&mut table, label, run, &mut all)?;
            }
        }
        if all.loaded == expected.loaded {
            self.load(&mut table, "after", 1, &mut all)?;
        }
        let table = Table::open(self.volume.files(), Path::new(ROOT));
        let mut table = table.map_err(broken(Invariant::NextLoad, "the table does not open any more"))?;
        self.named_files(&table, &all)?;
        self.labels(&table, &all)?;
        self.each_loaded_once(&table, &all)?;
        if !self.with_cleaning {
            return Ok(());
        }
        let failed = |doing: &'static str| broken(Invariant::NextLoad, doing);
        table.checkpoint().map_err(failed("no checkpoint can be made"))?;
        table.claim("between", 1).map_err(broken(Invariant::NextLoad, "no claim"))?;
        table.checkpoint().map_err(failed("no second checkpoint can be made"))?;
        let options = CleanOptions { min_age: Duration::ZERO };
        table.clean_log(&options).map_err(failed("the log cannot be cleaned"))?;
        let options =
            VacuumOptions { retention: Some(Duration::ZERO), min_age: Duration::ZERO, dry_run: false };
        let vacuumed = table.vacuum(&options, &mut |_| {});
        vacuumed.map_err(broken(Invariant::NextLoad, "vacuum fails"))?;
        let table = Table::open(self.volume.files(), Path::new(ROOT));
        let table = table.map_err(failed("the table does not open from a checkpoint"))?;
        self.named_files(&table, &all)?;
        self.labels(&table, &all)?;
        self.each_loaded_once(&table, &all)
    }

    fn load(&self, table: &mut Table, label: &str, run: u32, all: &mut Expected) -> Result<(), Violation> {
        let failed = |doing: &str| format!("{label}: {doing}");
        let claim = table.claim(label, run).map_err(broken(Invariant::NextLoad, failed("claim")))?;
        let folder = table.load_folder(&claim).map_err(broken(Invariant::NextLoad, failed("folder")))?;
        let earlier = folder.earlier().map_err(broken(Invariant::NextLoad, failed("earlier attempts")))?;
        let plan = plan(table, 2);
        folder.put_plan(&plan).map_err(broken(Invariant::NextLoad, failed("plan")))?;
        let mut adopted = adoptable(&plan, &earlier);
        let mut segments = Vec::new();
        for task in 0..2 {
            let found = adopted
                .remove(&task)
                .filter(|found| folder.segments_stand(&found.report.segments).unwrap_or(false));
            let report = match found {
                Some(found) => found.report,
                None => {
                    let made = write_segments(&self.volume, &claim, task, 1);
                    report(task, made.map_err(broken(Invariant::NextLoad, failed("segments")))?)
                }
            };
            folder.put_task_report(&report).map_err(broken(Invariant::NextLoad, failed("report")))?;
            segments.extend(report.segments);
        }
        all.files.extend(segments.iter().map(|segment| (segment.path.clone(), segment.rows)));
        all.claims.insert(label.to_owned(), 0);
        all.loaded.insert(label.to_owned());
        let rows = segments.iter().map(|segment| segment.rows).sum();
        let schema = Arc::clone(table.schema());
        let record = record(&claim, rows);
        let (mode, new_columns) = (LoadMode::Append, Vec::new());
        let load = LoadCommit { segments, schema, record, deadline: None, mode, new_columns };
        match table.commit_load(&claim, load) {
            Ok(CommitOutcome::Committed { .. }) => Ok(()),
            Ok(other) => Err(Violation::new(Invariant::NextLoad, failed(&format!("{other:?}")))),
            Err(error) => Err(broken(Invariant::NextLoad, failed("commit"))(error)),
        }
    }
}
