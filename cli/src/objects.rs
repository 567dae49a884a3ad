//! The objects of local mode: `<data-dir>/objects/<kind>/<name>.yaml`, spec and status.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::core::object::HasSpec;
use kube::{CustomResourceExt, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind that is kept: the plural names its folder.
pub trait Kind: CustomResourceExt + ResourceExt + HasSpec + Serialize + DeserializeOwned + Clone {
    /// `table.longshore.dev/name`, as `kubectl` prints it.
    fn title(&self) -> String {
        let resource = Self::api_resource();
        format!("{}.{}/{}", resource.kind.to_lowercase(), resource.group, self.name_any())
    }
}

impl<K> Kind for K where K: CustomResourceExt + ResourceExt + HasSpec + Serialize + DeserializeOwned + Clone {}

/// Why an object cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The file system.
    #[error("{path}: {error}")]
    File {
        /// File or folder.
        path: String,
        /// The system's answer.
        error: io::Error,
    },
    /// The file is none of ours.
    #[error(
        "{path} cannot be read as an object: {error}; remove the file, or use the longshore that wrote it"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        error: serde_yaml::Error,
    },
}

/// The folder of objects.
#[derive(Debug, Clone)]
pub struct Objects {
    root: PathBuf,
}

impl Objects {
    /// The objects under a data directory.
    pub fn new(data_dir: &Path) -> Self {
        Self { root: data_dir.join("objects") }
    }

    fn folder<K: Kind>(&self) -> PathBuf {
        self.root.join(K::api_resource().plural)
    }

    /// The object of that name.
    pub fn get<K: Kind>(&self, name: &str) -> Result<Option<K>, ObjectError> {
        read(&self.folder::<K>().join(format!("{name}.yaml")))
    }

    /// All objects of a kind, by name.
    pub fn list<K: Kind>(&self) -> Result<Vec<K>, ObjectError> {
        let folder = self.folder::<K>();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(file_error(&folder, error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| file_error(&folder, error))?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                paths.push(path);
            }
        }
        paths.sort();
        let mut objects = Vec::with_capacity(paths.len());
        for path in paths {
            objects.extend(read::<K>(&path)?);
        }
        Ok(objects)
    }

    /// Keeps an object; whoever reads sees the old one or the new one, never a part.
    pub fn put<K: Kind>(&self, object: &K) -> Result<(), ObjectError> {
        let folder = self.folder::<K>();
        fs::create_dir_all(&folder).map_err(|error| file_error(&folder, error))?;
        let name = object.name_any();
        let path = folder.join(format!("{name}.yaml"));
        let text = serde_yaml::to_string(object)
            .map_err(|error| ObjectError::Damaged { path: path.display().to_string(), error })?;
        let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
        fs::write(&temporary, text).map_err(|error| file_error(&temporary, error))?;
        fs::rename(&temporary, &path).map_err(|error| file_error(&path, error))
    }
}

fn file_error(path: &Path, error: io::Error) -> ObjectError {
    ObjectError::File { path: path.display().to_string(), error }
}

fn read<K: Kind>(path: &Path) -> Result<Option<K>, ObjectError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(path, error)),
    };
    serde_yaml::from_str(&text)
        .map(Some)
        .map_err(|error| ObjectError::Damaged { path: path.display().to_string(), error })
}

/// What became of an object, in `kubectl`'s words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Created,
    /// Its spec is another one.
    Configured,
    /// Its spec is the same.
    Unchanged,
}

impl Change {
    /// `created`, `configured` or `unchanged`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Gives a new object what an apiserver would: time of creation, and a generation that counts its specs.
pub fn admit<K>(new: &mut K, old: Option<&K>) -> Change
where
    K: Kind + Resource,
    K::Spec: PartialEq,
{
    let change = match old {
        None => Change::Created,
        Some(old) if old.spec() == new.spec() => Change::Unchanged,
        Some(_) => Change::Configured,
    };
    let generation = old.and_then(|old| old.meta().generation).unwrap_or(0);
    let created = old.and_then(|old| old.meta().creation_timestamp.clone());
    let metadata = new.meta_mut();
    metadata.generation = Some(if change == Change::Unchanged { generation } else { generation + 1 });
    metadata.creation_timestamp = Some(created.unwrap_or_else(now));
    change
}

/// This instant, to the second, as in Kubernetes' metadata.
pub fn now() -> Time {
    let now = Timestamp::now();
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use longshore_crds::LoadJob;

    use super::*;

    fn job(ratio: &str) -> LoadJob {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "longshore.dev/v1alpha1", "kind": "LoadJob", "metadata": {"name": "j"},
            "spec": {"table": "t", "sources": [{"paths": ["s3://b/k"]}], "maxFilterRatio": ratio}
        }))
        .unwrap()
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::new(folder.path());
        assert_eq!(objects.get::<LoadJob>("j").unwrap(), None);
        assert_eq!(objects.list::<LoadJob>().unwrap(), []);
        let mut job = job("0");
        assert_eq!(admit(&mut job, None), Change::Created);
        objects.put(&job).unwrap();
        assert_eq!(objects.get::<LoadJob>("j").unwrap().as_ref(), Some(&job));
        assert_eq!(objects.list::<LoadJob>().unwrap(), [job]);
        let path = folder.path().join("objects/loadjobs/j.yaml");
        fs::write(&path, "nonsense").unwrap();
        assert!(matches!(objects.get::<LoadJob>("j"), Err(ObjectError::Damaged { .. })));
    }

    #[test]
    fn the_generation_counts_specs() {
        let mut first = job("0");
        admit(&mut first, None);
        let mut same = job("0");
        assert_eq!(admit(&mut same, Some(&first)), Change::Unchanged);
        assert_eq!(same.metadata.generation, Some(1));
        assert_eq!(same.metadata.creation_timestamp, first.metadata.creation_timestamp);
        let mut other = job("1");
        assert_eq!(admit(&mut other, Some(&first)), Change::Configured);
        assert_eq!(other.metadata.generation, Some(2));
        assert_eq!(other.title(), "loadjob.longshore.dev/j");
    }
}
