//! Cutting a listing into tasks, keeping the cuts of an earlier plan of the same run. Pure.

use std::collections::HashSet;

use longshore_storage::load::{PlannedFile, PlannedTask};

/// Files that one task may hold, so that its report stays small.
const MAX_FILES_PER_TASK: usize = 10_000;

/// Cuts files into tasks of about `task_bytes` source bytes each.
///
/// A task of an earlier plan whose files are all still listed, unchanged, stays as it was: what was
/// finished of it can be adopted. The other files are cut anew, behind.
pub fn cut(listed: Vec<PlannedFile>, earlier: &[PlannedTask], task_bytes: u64) -> Vec<PlannedTask> {
    let mut left: HashSet<PlannedFile> = listed.iter().cloned().collect();
    let mut tasks = Vec::new();
    for task in earlier {
        if !task.files.is_empty() && task.files.iter().all(|file| left.contains(file)) {
            for file in &task.files {
                left.remove(file);
            }
            tasks.push(task.clone());
        }
    }
    let mut open = PlannedTask::default();
    let mut bytes = 0;
    for file in listed.into_iter().filter(|file| left.contains(file)) {
        let full = bytes >= task_bytes || open.files.len() >= MAX_FILES_PER_TASK;
        if full && !open.files.is_empty() {
            tasks.push(std::mem::take(&mut open));
            bytes = 0;
        }
        bytes += file.size;
        open.files.push(file);
    }
    if !open.files.is_empty() {
        tasks.push(open);
    }
    tasks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(number: u64, size: u64) -> PlannedFile {
        PlannedFile {
            source: 0,
            bucket: "b".to_owned(),
            key: format!("k{number}"),
            size,
            etag: format!("e{number}"),
            modified_ms: 0,
        }
    }

    fn files_of(tasks: &[PlannedTask]) -> Vec<PlannedFile> {
        let mut files: Vec<_> = tasks.iter().flat_map(|t| t.files.clone()).collect();
        files.sort_by(|a, b| a.key.cmp(&b.key));
        files
    }

    #[test]
    fn a_task_ends_when_its_bytes_are_reached() {
        let tasks = cut((0..10).map(|n| file(n, 30)).collect(), &[], 60);
        assert_eq!(tasks.iter().map(|t| t.files.len()).collect::<Vec<_>>(), [2, 2, 2, 2, 2]);
    }

    #[test]
    fn a_changed_file_dissolves_only_its_own_task() {
        let first = cut((0..6).map(|n| file(n, 30)).collect(), &[], 60);
        let mut listed: Vec<_> = (0..6).map(|n| file(n, 30)).collect();
        listed[2].etag = "new".to_owned();
        let second = cut(listed, &first, 60);
        assert_eq!(second[0], first[0]);
        assert_eq!(second[1], first[2]);
        assert_eq!(second.len(), 3);
    }

    proptest! {
        #[test]
        fn every_listed_file_is_in_exactly_one_task(
            sizes in prop::collection::vec(0_u64..100, 0..60),
            gone in prop::collection::vec(any::<bool>(), 60),
            late in 0_u64..10,
            task_bytes in 1_u64..200,
        ) {
            let first: Vec<_> = sizes.iter().enumerate().map(|(n, size)| file(n as u64, *size)).collect();
            let earlier = cut(first.clone(), &[], task_bytes);
            let mut listed: Vec<_> =
                first.into_iter().zip(&gone).filter(|(_, gone)| !**gone).map(|(f, _)| f).collect();
            listed.extend((100..100 + late).map(|n| file(n, 7)));
            let tasks = cut(listed.clone(), &earlier, task_bytes);
            listed.sort_by(|a, b| a.key.cmp(&b.key));
            prop_assert_eq!(files_of(&tasks), listed);
        }
    }
}
