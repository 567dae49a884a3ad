//! Checkpoints against a replay of the commits that are still there.

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::{Run, Severity};
use crate::log::TableError;
use crate::log::actions::Add;
use crate::log::checkpoint;
use crate::log::folder::{CheckpointFile, LOG_FOLDER, LogFolder};
use crate::log::head::Head;
use crate::table::Table;

/// What a state holds of one kind: how many, and a sum over them that does not depend on their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Kind {
    count: u64,
    sum: u128,
}

impl Kind {
    fn add(&mut self, action: &impl serde::Serialize) -> Result<(), TableError> {
        let text = serde_json::to_vec(action).map_err(|e| TableError::damaged("".as_ref(), e.to_string()))?;
        let digest = Sha256::digest(text);
        let part = digest.iter().take(16).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        self.count += 1;
        self.sum = self.sum.wrapping_add(part);
        Ok(())
    }
}

fn digest(path: &str) -> u64 {
    let digest = Sha256::digest(path);
    digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// What a state holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Holds {
    table: Kind,
    numbers: Kind,
    files: Kind,
    /// Digests of the paths of removed files, in order.
    removed: Vec<u64>,
    /// Those among them that no checkpoint may leave out yet.
    unexpired: Vec<u64>,
}

impl Holds {
    fn of(head: &Head) -> Result<Self, TableError> {
        let mut holds = Self::default();
        holds.table.add(&(head.protocol(), head.metadata()))?;
        head.visit_txns(|txn| holds.numbers.add(&txn))?;
        let touched = head.touched()?;
        head.visit_files(&touched, |add| holds.files.add(&Add { data_change: false, ..add }))?;
        // A checkpoint leaves out what was expired when it was made; all of that is expired now. It may keep
        // more: it counts from the instant at which a remove was visible.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let until = now.saturating_sub(head.removed_file_retention());
        let until = i64::try_from(until.as_millis()).unwrap_or(i64::MAX);
        head.visit_removed_as_written(&touched, |remove, _| {
            let path = digest(&remove.path);
            holds.removed.push(path);
            if remove.deletion_timestamp.unwrap_or(0) >= until {
                holds.unexpired.push(path);
            }
            Ok(())
        })?;
        holds.removed.sort_unstable();
        Ok(holds)
    }

    /// Whether the removed files are those that a replay of the commits finds.
    fn has_removed_of(&self, replayed: &Self) -> bool {
        let has = |paths: &[u64], path: &u64| paths.binary_search(path).is_ok();
        self.removed.iter().all(|path| has(&replayed.removed, path))
            && replayed.unexpired.iter().all(|path| has(&self.removed, path))
    }

    fn difference(&self, other: &Self) -> Option<String> {
        let kinds = [
            ("schema and protocol", &self.table, &other.table),
            ("numbers", &self.numbers, &other.numbers),
            ("files", &self.files, &other.files),
        ];
        let differs = kinds.into_iter().find(|(_, own, replayed)| own != replayed);
        let (name, own, replayed) = match differs {
            Some((name, own, replayed)) => (name, own.count, replayed.count),
            None if self.has_removed_of(other) => return None,
            None => ("removed files", self.removed.len() as u64, other.removed.len() as u64),
        };
        Some(format!("its {name} ({own}) are not those of the commits before it ({replayed})"))
    }
}

pub(super) fn check(table: &Table, run: &mut Run<'_>) -> Result<(), TableError> {
    let log = table.head().log();
    let listing = log.list()?;
    if let Some(hint) = log.last_checkpoint()?
        && !listing.checkpoints.contains(&hint.version)
    {
        let what = format!("it names the checkpoint of version {}, which is not there", hint.version);
        run.find(
            Severity::Warning,
            "_delta_log/_last_checkpoint",
            what,
            "delete the file: it is only a hint",
        );
    }
    let mut base: Option<CheckpointFile> = None;
    for &version in &listing.checkpoints {
        let file = CheckpointFile { version, bytes: 0 };
        check_checkpoint(table, run, log, base, file)?;
        base = Some(file);
    }
    Ok(())
}

fn check_checkpoint(
    table: &Table,
    run: &mut Run<'_>,
    log: &LogFolder,
    base: Option<CheckpointFile>,
    file: CheckpointFile,
) -> Result<(), TableError> {
    let name = format!("{LOG_FOLDER}/{:020}.checkpoint.parquet", file.version);
    let read = checkpoint::read_through(log, file.version)
        .and_then(|()| Head::replay(log.clone(), table.root(), Some(file), file.version));
    let held = match read.and_then(|head| head.as_ref().map(Holds::of).transpose()) {
        Ok(Some(held)) => held,
        Ok(None) => return Ok(()),
        Err(error @ TableError::SnapshotExpired { .. }) => return Err(error),
        Err(error) => {
            let advice = "if every commit since the checkpoint before it is there, delete this one; \
                          else restore it from a backup";
            run.find(Severity::Error, &name, error.to_string(), advice);
            return Ok(());
        }
    };
    // A base that cannot be read was told in its turn.
    let replayed = Head::replay(log.clone(), table.root(), base, file.version);
    let replayed = match replayed.and_then(|head| head.as_ref().map(Holds::of).transpose()) {
        Ok(Some(replayed)) => replayed,
        Ok(None) if base.is_none() => return Ok(()),
        Ok(None) => {
            let what = "it cannot be compared: commits since the checkpoint before it are gone";
            run.find(Severity::Info, &name, what, "nothing");
            return Ok(());
        }
        Err(error @ TableError::DamagedLog { .. }) => return run.take::<()>(Err(error)).map(|_| ()),
        Err(_) => return Ok(()),
    };
    run.outcome.checkpoints += 1;
    if let Some(what) = held.difference(&replayed) {
        let advice = "delete the checkpoint, and make a new one: the commits tell what is right";
        run.find(Severity::Error, &name, what, advice);
    }
    Ok(())
}
