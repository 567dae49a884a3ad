//! The plan: what is listed is frozen and cut into tasks before any row is read.

use std::collections::HashSet;
use std::sync::Arc;

use longshore_crds::LoadRequest;
use longshore_storage::load::{EarlierAttempt, LoadFolder, Plan, PlannedFile};
use longshore_storage::schema::TableSchema;
use longshore_storage::table::Table;

use super::{LoadFailure, cut};
use crate::progress::Progress;
use crate::source::{PathPattern, SourceError, Store};

/// Source bytes of a task where the request does not say. Large, so that few segments come out; small
/// enough that a load of many files loses little to a kill.
const DEFAULT_TASK_BYTES: u64 = 1 << 30;

/// Lists every source. Files are in order of source, then of listing; a file that two patterns of one
/// source match is one file.
pub async fn list(
    request: &LoadRequest,
    stores: &[Store],
    progress: &Arc<Progress>,
) -> Result<Vec<PlannedFile>, LoadFailure> {
    let mut listed = Vec::new();
    for (index, (source, store)) in (0_u32..).zip(request.sources.iter().zip(stores)) {
        let before = listed.len();
        let mut seen = HashSet::new();
        for path in &source.paths {
            let pattern = PathPattern::parse(path)?;
            store
                .list(&pattern, &mut |page| {
                    Progress::add(&progress.files_listed, page.len() as u64);
                    let new = page.iter().map(|object| object.planned(index));
                    listed.extend(new.filter(|file| seen.insert((file.bucket.clone(), file.key.clone()))));
                })
                .await?;
        }
        // A source without a file is a wrong path far more often than an empty folder (A5, A11).
        if listed.len() == before && !request.allow_empty {
            return Err(SourceError::no_matching_files(&source.paths).into());
        }
    }
    Ok(listed)
}

/// What a plan is made of.
pub struct Frozen<'a> {
    /// The schema that the tasks write.
    pub schema: &'a TableSchema,
    /// The files.
    pub listed: Vec<PlannedFile>,
    /// The instant of CURRENT_TIMESTAMP, unless an earlier attempt froze one.
    pub now_micros: i64,
}

/// Writes the plan down, keeping the cuts and the frozen instant of an earlier attempt of this run.
pub fn freeze(
    request: &LoadRequest,
    table: &Table,
    folder: &LoadFolder,
    frozen: Frozen<'_>,
) -> Result<(Plan, Vec<EarlierAttempt>), LoadFailure> {
    let Frozen { schema, listed, now_micros } = frozen;
    let digest = request.digest()?;
    let mut earlier = folder.earlier()?;
    earlier.retain(|attempt| attempt.plan.request_digest == digest && attempt.plan.table_id == table.id());
    let last = earlier.iter().max_by_key(|attempt| attempt.attempt);
    let task_bytes = request.execution.task_bytes.unwrap_or(DEFAULT_TASK_BYTES).max(1);
    let plan = Plan {
        request_digest: digest,
        table_id: table.id().to_owned(),
        schema_version: table.version(),
        schema_digest: schema.digest(),
        now_micros: last.map_or(now_micros, |attempt| attempt.plan.now_micros),
        tasks: cut(listed, last.map_or(&[], |attempt| &attempt.plan.tasks), task_bytes),
    };
    Ok((folder.put_plan(&plan)?, earlier))
}
