//! Which finished tasks of earlier attempts a new attempt need not do again.

use std::collections::HashMap;

use super::{EarlierAttempt, Plan, PlannedFile, TaskReport};

/// A finished task of an earlier attempt that equals a task of the new plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoptable {
    /// The report, with the task's number in the new plan. Its segments must still be looked at
    /// ([`LoadFolder::segments_stand`](super::LoadFolder::segments_stand)).
    pub report: TaskReport,
    /// The attempt that did it.
    pub attempt: u32,
}

/// Finds, for each task of a plan, a finished one of an earlier attempt of the same run: request digest,
/// table, schema, the instant of CURRENT_TIMESTAMP (so a new plan takes over the earlier one's) and the frozen
/// list of files must be equal, not the task's number. By number of the task in `plan`.
pub fn adoptable(plan: &Plan, earlier: &[EarlierAttempt]) -> HashMap<u32, Adoptable> {
    let mut finished: HashMap<&[PlannedFile], (&TaskReport, u32)> = HashMap::new();
    let same = |other: &Plan| {
        other.request_digest == plan.request_digest
            && other.table_id == plan.table_id
            // Rows that were written for other columns would be committed as rows for these.
            && other.schema_digest == plan.schema_digest
            && other.now_micros == plan.now_micros
    };
    for attempt in earlier.iter().filter(|attempt| same(&attempt.plan)) {
        for (number, task) in attempt.plan.tasks.iter().enumerate() {
            let Ok(number) = u32::try_from(number) else { continue };
            if let Some(report) = attempt.reports.get(&number)
                && report.files.len() == task.files.len()
            {
                finished.entry(&task.files).or_insert((report, attempt.attempt));
            }
        }
    }
    let mut adoptable = HashMap::new();
    for (number, task) in plan.tasks.iter().enumerate() {
        let Ok(number) = u32::try_from(number) else { continue };
        // Each is taken once, should two tasks have equal lists.
        if let Some((report, attempt)) = finished.remove(task.files.as_slice()) {
            let report = TaskReport { task: number, ..report.clone() };
            adoptable.insert(number, Adoptable { report, attempt });
        }
    }
    adoptable
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::load::{FileReport, PlannedTask};

    fn plan(tasks: &[&[&str]]) -> Plan {
        let file = |key: &&str| PlannedFile {
            source: 0,
            bucket: "b".to_owned(),
            key: (*key).to_owned(),
            size: 1,
            etag: "e".to_owned(),
            modified_ms: 0,
        };
        let task = |keys: &&[&str]| PlannedTask { files: keys.iter().map(file).collect() };
        Plan {
            request_digest: "d".to_owned(),
            table_id: "t".to_owned(),
            schema_version: 0,
            schema_digest: "s".to_owned(),
            now_micros: 7,
            manifests: Vec::new(),
            tasks: tasks.iter().map(task).collect(),
        }
    }

    fn attempt(plan: Plan, finished: &[u32]) -> EarlierAttempt {
        let report = |task: u32| TaskReport {
            task,
            files: vec![FileReport::default(); plan.tasks[task as usize].files.len()],
            segments: Vec::new(),
            rejected: None,
            rejected_rows: 0,
            first_errors: Vec::new(),
            skipped: Vec::new(),
        };
        let reports: BTreeMap<_, _> = finished.iter().map(|task| (*task, report(*task))).collect();
        EarlierAttempt { attempt: 1, plan, reports }
    }

    #[test]
    fn a_task_is_adopted_by_its_frozen_list_not_by_its_number() {
        let earlier = [attempt(plan(&[&["a", "b"], &["c"], &["d"]]), &[0, 2])];
        let now = plan(&[&["d"], &["a", "b"], &["c"]]);
        let adopted = adoptable(&now, &earlier);
        assert_eq!(adopted.len(), 2);
        assert_eq!(adopted[&0].report.task, 0);
        assert_eq!(adopted[&1].report.files.len(), 2);
    }

    #[test]
    fn a_list_that_has_grown_is_not_adopted() {
        let earlier = [attempt(plan(&[&["a"]]), &[0])];
        assert!(adoptable(&plan(&[&["a", "b"]]), &earlier).is_empty());
    }

    #[test]
    fn another_etag_request_table_schema_or_instant_is_not_adopted() {
        let earlier = [attempt(plan(&[&["a"]]), &[0])];
        let changes: [fn(&mut Plan); 5] = [
            |plan| plan.tasks[0].files[0].etag = "f".to_owned(),
            |plan| plan.request_digest = "x".to_owned(),
            |plan| plan.table_id = "x".to_owned(),
            |plan| plan.schema_digest = "x".to_owned(),
            |plan| plan.now_micros = 8,
        ];
        for change in changes {
            let mut now = plan(&[&["a"]]);
            change(&mut now);
            assert!(adoptable(&now, &earlier).is_empty(), "{now:?}");
        }
    }
}
