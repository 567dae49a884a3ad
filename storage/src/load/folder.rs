//! The folder of one attempt: its plan and what its tasks reported, each put in place once.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Plan, Segment, TaskReport};
use crate::durable::{
    FileSystem, PutSites, SyncSite, VolumeError, discard, make_dirs_below, put_new, read_all, writer_id,
};
use crate::log::TableError;
use crate::log::folder::{LOOK_AGAIN, NAME_WAIT};
use crate::table::Claim;

/// What is there, durable, since the table was made.
const OWN_FOLDER: &str = "_longshore";
/// Folder of all loads, below the own folder.
const LOADS_FOLDER: &str = "loads";
const PLAN: &str = "plan.json";

/// `_longshore/loads/<label>/<run>-<attempt>/`.
#[derive(Debug, Clone)]
pub struct LoadFolder {
    files: Arc<dyn FileSystem>,
    root: PathBuf,
    claim: Claim,
}

/// What an earlier attempt of the same run left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierAttempt {
    /// Its number.
    pub attempt: u32,
    /// What it planned.
    pub plan: Plan,
    /// The reports of its finished tasks, by task.
    pub reports: BTreeMap<u32, TaskReport>,
}

impl LoadFolder {
    /// Makes the folder of a claim, its name durable.
    pub(crate) fn make(files: Arc<dyn FileSystem>, root: &Path, claim: &Claim) -> Result<Self, TableError> {
        let folder = Self { files, root: root.to_owned(), claim: claim.clone() };
        let own = root.join(OWN_FOLDER);
        let site = SyncSite::LoadFolderNames;
        make_dirs_below(folder.files.as_ref(), &own, &claim_folder(claim), site)?;
        Ok(folder)
    }

    /// Whose it is.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The folder.
    pub fn path(&self) -> PathBuf {
        self.root.join(self.relative())
    }

    /// Where a process may put rejected rows of a task, relative to the table's folder. `writer` is
    /// [`writer_id`](crate::durable::writer_id): two processes never share a file.
    pub fn rejected_path(&self, task: u32, writer: &str) -> String {
        format!("{}/rejected-{task:04}-{writer}.parquet", self.relative())
    }

    /// Where this process leaves its report, relative to the table's folder.
    pub fn report_path(&self) -> String {
        format!("{}/report-{}.json", self.relative(), writer_id())
    }

    /// Leaves the report of this process for whoever looks after the load: nothing follows from it, so it is
    /// not made durable, and vacuum takes it after the retention time.
    pub fn write_report(&self, report: &[u8]) -> Result<(), TableError> {
        let path = self.root.join(self.report_path());
        // The folder of a load that is over may be gone already.
        for folder in [self.label_path(), self.path()] {
            self.files.create_dir(&folder).map_err(|e| TableError::volume("make the folder", &folder, e))?;
        }
        let mut file = self.files.create(&path).map_err(|e| TableError::volume("create", &path, e))?;
        file.write_all(report).and_then(|()| file.flush()).map_err(|e| TableError::volume("write", &path, e))
    }

    /// Puts the plan in place, durable. The first one wins: the answer is the plan that stands.
    pub fn put_plan(&self, plan: &Plan) -> Result<Plan, TableError> {
        let sites = PutSites { contents: SyncSite::PlanContents, name: SyncSite::PlanName };
        self.put(PLAN, plan, sites)
    }

    /// Puts a task's report in place, durable. The first one wins: the answer is the report that stands, and
    /// the segments of a loser are in no one's way.
    pub fn put_task_report(&self, report: &TaskReport) -> Result<TaskReport, TableError> {
        let sites = PutSites { contents: SyncSite::ReportContents, name: SyncSite::ReportName };
        self.put(&report_name(report.task), report, sites)
    }

    /// The plan, if one is in place.
    pub fn plan(&self) -> Result<Option<Plan>, TableError> {
        read_document(self.files.as_ref(), &self.path().join(PLAN))
    }

    /// The reports of the tasks that are finished, by task.
    pub fn task_reports(&self) -> Result<BTreeMap<u32, TaskReport>, TableError> {
        self.reports_in(&self.path())
    }

    /// What earlier attempts of the same run left, the newest first. Attempts of other runs are not seen:
    /// their request may be another, and their files may go at any time.
    pub fn earlier(&self) -> Result<Vec<EarlierAttempt>, TableError> {
        let mut earlier = Vec::new();
        for (attempt, path) in self.attempts_of_run()? {
            if attempt >= self.claim.attempt() {
                continue;
            }
            if let Some(plan) = read_document(self.files.as_ref(), &path.join(PLAN))? {
                earlier.push(EarlierAttempt { attempt, plan, reports: self.reports_in(&path)? });
            }
        }
        earlier.sort_by_key(|attempt| std::cmp::Reverse(attempt.attempt));
        Ok(earlier)
    }

    /// Whether all these segments are there, with the bytes that were reported.
    pub fn segments_stand(&self, segments: &[Segment]) -> Result<bool, TableError> {
        for segment in segments {
            let path = self.root.join(&segment.path);
            match self.files.open(&path).and_then(|file| file.len()) {
                Ok(bytes) if bytes == segment.bytes => {}
                Ok(_) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(TableError::volume("open", &path, error)),
            }
        }
        Ok(true)
    }

    /// Removes plans and reports of every attempt of this run, and, if `with_segments`, the segments that
    /// the reports name. Rejected rows stay. Only for a run that can never commit any more.
    pub(crate) fn remove(&self, with_segments: bool) -> Result<(), TableError> {
        for (_, path) in self.attempts_of_run()? {
            let reports = self.reports_in(&path)?;
            if with_segments {
                let segments = reports.values().flat_map(|report| &report.segments);
                for segment in segments.filter(|segment| stays_inside(&segment.path)) {
                    discard(self.files.as_ref(), &self.root.join(&segment.path));
                }
            }
            for task in reports.keys() {
                discard(self.files.as_ref(), &path.join(report_name(*task)));
            }
            discard(self.files.as_ref(), &path.join(PLAN));
            self.remove_if_empty(&path)?;
        }
        self.remove_if_empty(&self.label_path())
    }

    fn remove_if_empty(&self, path: &Path) -> Result<(), TableError> {
        match self.files.remove_dir(path) {
            Ok(()) => Ok(()),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) =>
            {
                Ok(())
            }
            Err(error) => Err(TableError::volume("remove the folder", path, error)),
        }
    }

    fn relative(&self) -> String {
        format!("{OWN_FOLDER}/{}", claim_folder(&self.claim).display())
    }

    fn label_path(&self) -> PathBuf {
        self.root.join(OWN_FOLDER).join(LOADS_FOLDER).join(self.claim.label())
    }

    /// Numbers and folders of the attempts of this run.
    fn attempts_of_run(&self) -> Result<Vec<(u32, PathBuf)>, TableError> {
        let path = self.label_path();
        let entries = match self.files.list(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(TableError::volume("list", &path, error)),
        };
        let attempts = entries.into_iter().filter(|entry| entry.is_dir).filter_map(|entry| {
            let (run, attempt) = entry.name.split_once('-')?;
            let (run, attempt): (u32, u32) = (run.parse().ok()?, attempt.parse().ok()?);
            (run == self.claim.run()).then(|| (attempt, path.join(entry.name)))
        });
        Ok(attempts.collect())
    }

    fn reports_in(&self, path: &Path) -> Result<BTreeMap<u32, TaskReport>, TableError> {
        let entries = match self.files.list(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(TableError::volume("list", path, error)),
        };
        let mut reports = BTreeMap::new();
        for entry in entries {
            let Some(task) = parse_report_name(&entry.name) else { continue };
            if let Some(report) = read_document(self.files.as_ref(), &path.join(&entry.name))? {
                reports.insert(task, report);
            }
        }
        Ok(reports)
    }

    fn put<T: Serialize + DeserializeOwned + Clone>(
        &self,
        name: &str,
        document: &T,
        sites: PutSites,
    ) -> Result<T, TableError> {
        let folder = self.path();
        let path = folder.join(name);
        let bytes = serde_json::to_vec(document).map_err(|e| damaged(&path, &e))?;
        if put_new(self.files.as_ref(), &folder, name, &bytes, sites)? {
            return Ok(document.clone());
        }
        // The name is taken; a network volume may go on for a while to take it for absent.
        let until = Instant::now() + NAME_WAIT;
        loop {
            if let Some(standing) = read_document(self.files.as_ref(), &path)? {
                return Ok(standing);
            }
            if Instant::now() >= until {
                return Err(damaged(&path, &"it was put in place and removed"));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

/// The folder of a claim, below the own folder.
fn claim_folder(claim: &Claim) -> PathBuf {
    [LOADS_FOLDER, claim.label(), &format!("{}-{}", claim.run(), claim.attempt())].iter().collect()
}

fn report_name(task: u32) -> String {
    format!("task-{task:04}.json")
}

fn parse_report_name(name: &str) -> Option<u32> {
    name.strip_prefix("task-")?.strip_suffix(".json")?.parse().ok()
}

fn read_document<T: DeserializeOwned>(files: &dyn FileSystem, path: &Path) -> Result<Option<T>, TableError> {
    match read_all(files, path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| damaged(path, &e)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(VolumeError::new("read", path, error).into()),
    }
}

/// Whether a path that a document names can only be a file of the table.
fn stays_inside(path: &str) -> bool {
    let mut components = Path::new(path).components().peekable();
    components.peek().is_some() && components.all(|part| matches!(part, Component::Normal(_)))
}

fn damaged(path: &Path, what: &dyn std::fmt::Display) -> TableError {
    TableError::DamagedDocument { path: path.to_owned(), what: what.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_never_reaches_out_of_the_table() {
        for inside in ["b-00001/x.parquet", "x"] {
            assert!(stays_inside(inside), "{inside}");
        }
        for outside in ["", "/etc/passwd", "../x", "a/../../x"] {
            assert!(!stays_inside(outside), "{outside}");
        }
    }

    #[test]
    fn names_of_reports_have_four_digits_or_more() {
        assert_eq!(report_name(3), "task-0003.json");
        assert_eq!(parse_report_name(&report_name(12_345)), Some(12_345));
        assert_eq!(parse_report_name(".task-0003.json.x.tmp"), None);
    }
}
