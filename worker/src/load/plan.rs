//! The plan: what is listed is frozen and cut into tasks before any row is read.

use std::collections::HashSet;
use std::sync::Arc;

use longshore_crds::LoadRequest;
use longshore_storage::load::{EarlierAttempt, LoadFolder, Plan, PlannedFile, PlannedManifest};
use longshore_storage::schema::TableSchema;
use longshore_storage::table::Table;

use super::manifest::{self, Manifested};
use super::{LoadFailure, cut};
use crate::progress::Progress;
use crate::source::{PathPattern, SourceError, Store};

/// Source bytes of a task where the request does not say. Large, so that few segments come out; small
/// enough that a load of many files loses little to a kill.
const DEFAULT_TASK_BYTES: u64 = 1 << 30;

/// What the sources name: files in order of source, then of listing or manifest.
#[derive(Debug, Default)]
pub struct Listed {
    /// The files.
    pub files: Vec<PlannedFile>,
    /// The manifests that were read.
    pub manifests: Vec<PlannedManifest>,
}

/// Lists every source. A file that two patterns of one source match is one file. What an earlier attempt of
/// this run took from a manifest is taken again, whatever the manifest says by now.
pub async fn list(
    request: &LoadRequest,
    stores: &[Store],
    earlier: Option<&Plan>,
    progress: &Arc<Progress>,
) -> Result<Listed, LoadFailure> {
    let mut listed = Listed::default();
    for (index, (source, store)) in (0_u32..).zip(request.sources.iter().zip(stores)) {
        let before = listed.files.len();
        match &source.manifest {
            Some(path) => {
                let Manifested { manifest, files } =
                    match earlier.and_then(|plan| Manifested::of_earlier(index, plan)) {
                        Some(frozen) => frozen,
                        None => manifest::read(store, index, path).await?,
                    };
                Progress::add(&progress.files_listed, files.len() as u64);
                listed.files.extend(files);
                listed.manifests.push(manifest);
            }
            None => list_paths(&source.paths, index, store, &mut listed.files, progress).await?,
        }
        // A source without a file is a wrong path far more often than an empty folder (A5, A11).
        if listed.files.len() == before && !request.allow_empty {
            let named = source.manifest.iter().chain(&source.paths);
            return Err(SourceError::no_matching_files(named).into());
        }
    }
    Ok(listed)
}

async fn list_paths(
    paths: &[String],
    source: u32,
    store: &Store,
    listed: &mut Vec<PlannedFile>,
    progress: &Progress,
) -> Result<(), LoadFailure> {
    let mut seen = HashSet::new();
    for path in paths {
        let pattern = PathPattern::parse(path)?;
        store
            .list(&pattern, &mut |page| {
                Progress::add(&progress.files_listed, page.len() as u64);
                let new = page.iter().map(|object| object.planned(source));
                listed.extend(new.filter(|file| seen.insert((file.bucket.clone(), file.key.clone()))));
            })
            .await?;
    }
    Ok(())
}

/// What a plan is made of.
pub struct Frozen<'a> {
    /// The schema that the tasks write.
    pub schema: &'a TableSchema,
    /// The files.
    pub listed: Listed,
    /// What earlier attempts of this run left ([`earlier`]).
    pub earlier: &'a [EarlierAttempt],
    /// The instant of CURRENT_TIMESTAMP, unless an earlier attempt froze one.
    pub now_micros: i64,
}

/// What earlier attempts of this run left that may be used: those with the same request and table.
pub fn earlier(
    request: &LoadRequest,
    table: &Table,
    folder: &LoadFolder,
) -> Result<Vec<EarlierAttempt>, LoadFailure> {
    let digest = request.digest()?;
    let mut earlier = folder.earlier()?;
    earlier.retain(|attempt| attempt.plan.request_digest == digest && attempt.plan.table_id == table.id());
    Ok(earlier)
}

/// The plan of the newest of these attempts.
pub fn newest(earlier: &[EarlierAttempt]) -> Option<&Plan> {
    earlier.iter().max_by_key(|attempt| attempt.attempt).map(|attempt| &attempt.plan)
}

/// Makes the plan, keeping the cuts and the frozen instant of an earlier attempt of this run.
pub fn make(
    request: &LoadRequest,
    table_id: &str,
    version: u64,
    frozen: Frozen<'_>,
) -> Result<Plan, LoadFailure> {
    let Frozen { schema, listed, earlier, now_micros } = frozen;
    let last = newest(earlier);
    let task_bytes = request.execution.task_bytes.unwrap_or(DEFAULT_TASK_BYTES).max(1);
    Ok(Plan {
        request_digest: request.digest()?,
        table_id: table_id.to_owned(),
        schema_version: version,
        schema_digest: schema.digest(),
        now_micros: last.map_or(now_micros, |plan| plan.now_micros),
        manifests: listed.manifests,
        tasks: cut(listed.files, last.map_or(&[], |plan| &plan.tasks), task_bytes),
    })
}
