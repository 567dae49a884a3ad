//! A source that names a manifest: its entries are compared with the store and frozen with the manifest.

use futures::{StreamExt as _, TryStreamExt as _};
use longshore_storage::load::{AbsentEntry, Plan, PlannedFile, PlannedManifest};
use tokio::task::block_in_place;

use super::LoadFailure;
use crate::source::{
    ListedObject, MAX_MANIFEST_BYTES, ManifestEntry, ManifestError, Store, parse_manifest, split_path,
};

/// Objects that are looked at side by side.
const LOOKUPS: usize = 32;

/// What a manifest names, frozen.
#[derive(Debug)]
pub struct Manifested {
    /// The manifest, with the optional entries that name nothing.
    pub manifest: PlannedManifest,
    /// The files, in the manifest's order.
    pub files: Vec<PlannedFile>,
}

/// Checks the path of a manifest, before any request to a store.
pub fn check_path(manifest: &str) -> Result<(), ManifestError> {
    split_path(manifest)
        .map(|_| ())
        .map_err(|reason| ManifestError::InvalidPath { manifest: manifest.to_owned(), reason })
}

/// Reads the manifest of a source and looks for each of its files.
///
/// # Errors
/// [`ManifestError`]: no such manifest, not readable, a mandatory file that is not there, a file of another
/// size or ETag; else what the store says.
pub async fn read(store: &Store, source: u32, manifest: &str) -> Result<Manifested, LoadFailure> {
    let (bucket, key) = split_path(manifest)
        .map_err(|reason| ManifestError::InvalidPath { manifest: manifest.to_owned(), reason })?;
    let Some(found) = store.find(&bucket, &key).await? else {
        return Err(ManifestError::NotFound { manifest: manifest.to_owned() }.into());
    };
    if found.size > MAX_MANIFEST_BYTES {
        let (manifest, size) = (manifest.to_owned(), found.size);
        return Err(ManifestError::TooLarge { manifest, size, limit: MAX_MANIFEST_BYTES }.into());
    }
    let file = found.planned(source);
    let object = store.object(&file);
    let text = block_in_place(|| object.fetch(0..found.size).wait())?;
    let entries = parse_manifest(manifest, &bucket, &text)?;
    drop(text);
    let mut frozen = Manifested { manifest: PlannedManifest { file, absent: Vec::new() }, files: Vec::new() };
    let looked_up = futures::stream::iter((1_u64..).zip(entries))
        .map(|(number, entry)| async move {
            let found = store.find(&entry.bucket, &entry.key).await?;
            Ok::<_, LoadFailure>((number, entry, found))
        })
        .buffered(LOOKUPS);
    let mut looked_up = std::pin::pin!(looked_up);
    while let Some((number, entry, found)) = looked_up.try_next().await? {
        frozen.take(manifest, number, entry, found)?;
    }
    Ok(frozen)
}

impl Manifested {
    /// What an earlier attempt of this run froze, whatever the manifest says by now; `None`: it did not.
    pub fn of_earlier(source: u32, plan: &Plan) -> Option<Self> {
        let manifest = plan.manifests.iter().find(|manifest| manifest.file.source == source)?.clone();
        let files = plan.tasks.iter().flat_map(|task| &task.files);
        let files = files.filter(|file| file.source == source).cloned().collect();
        Some(Self { manifest, files })
    }

    /// Takes an entry with what the store has under its name.
    fn take(
        &mut self,
        manifest: &str,
        number: u64,
        entry: ManifestEntry,
        found: Option<ListedObject>,
    ) -> Result<(), ManifestError> {
        let file = || format!("s3://{}/{}", entry.bucket, entry.key);
        let Some(found) = found else {
            if entry.mandatory {
                let manifest = manifest.to_owned();
                return Err(ManifestError::FileMissing { manifest, entry: number, file: file() });
            }
            let ManifestEntry { bucket, key, .. } = entry;
            self.manifest.absent.push(AbsentEntry { entry: number, bucket, key });
            return Ok(());
        };
        if let Some(difference) = difference(&entry, &found) {
            let (manifest, file) = (manifest.to_owned(), file());
            return Err(ManifestError::FileDiffers { manifest, entry: number, file, difference });
        }
        self.files.push(found.planned(self.manifest.file.source));
        Ok(())
    }
}

fn difference(entry: &ManifestEntry, found: &ListedObject) -> Option<String> {
    if let Some(size) = entry.size.filter(|size| *size != found.size) {
        return Some(format!("has {} bytes, the manifest says {size}", found.size));
    }
    let etag = entry.etag.as_ref().filter(|etag| **etag != found.etag)?;
    Some(format!("has the ETag {}, the manifest says {etag}", found.etag))
}
