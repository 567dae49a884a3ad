//! What is done with the object of a loaded file.

use longshore_crds::{AfterLoad, AfterLoadAction, ObjectTag};
use longshore_storage::ledger::FileKey;

use crate::source::{Change, PathPattern, SourceError, Store};

/// What is done, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// It is deleted.
    Delete,
    /// It gets a tag beside those that it has.
    Tag(ObjectTag),
    /// It is copied below a place, and deleted.
    Move { bucket: String, prefix: String },
}

/// `afterLoad` that cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAfterLoad {
    /// No place.
    #[error("afterLoad.moveTo is {0:?}; with action Move it names s3://bucket/prefix/, where the objects go")]
    MoveTo(String),
    /// A place from which the pipe would load what it has moved there.
    #[error(
        "afterLoad.moveTo {move_to:?} lies where the path {path:?} of the source looks for files: what is moved there \
         could be loaded again; move to another prefix or bucket, or narrow the path"
    )]
    InsideSource {
        /// As written.
        move_to: String,
        /// The path of the source.
        path: String,
    },
    /// No tag.
    #[error("afterLoad.tag is missing; action Tag says with it which tag an object gets")]
    Tag,
}

impl Action {
    /// What a request asks for; `None`: nothing.
    pub(super) fn of(
        settings: &AfterLoad,
        patterns: &[PathPattern],
    ) -> Result<Option<Self>, InvalidAfterLoad> {
        match settings.action {
            AfterLoadAction::None => Ok(None),
            AfterLoadAction::Delete => Ok(Some(Self::Delete)),
            AfterLoadAction::Tag => {
                settings.tag.clone().map(Self::Tag).map(Some).ok_or(InvalidAfterLoad::Tag)
            }
            AfterLoadAction::Move => {
                let move_to = settings.move_to.clone().unwrap_or_default();
                let place = move_to.strip_prefix("s3://").and_then(|place| place.split_once('/'));
                let Some((bucket, prefix)) = place.filter(|(bucket, _)| !bucket.is_empty()) else {
                    return Err(InvalidAfterLoad::MoveTo(move_to));
                };
                let inside =
                    patterns.iter().find(|pattern| pattern.bucket() == bucket && pattern.reaches(prefix));
                if let Some(pattern) = inside {
                    let path = pattern.to_string();
                    return Err(InvalidAfterLoad::InsideSource { move_to, path });
                }
                Ok(Some(Self::Move { bucket: bucket.to_owned(), prefix: prefix.to_owned() }))
            }
        }
    }

    /// As the API names it.
    pub(super) fn name(&self) -> AfterLoadAction {
        match self {
            Self::Delete => AfterLoadAction::Delete,
            Self::Tag(_) => AfterLoadAction::Tag,
            Self::Move { .. } => AfterLoadAction::Move,
        }
    }

    /// Whether it relies on the store to delete under a condition.
    pub(super) fn deletes(&self) -> bool {
        !matches!(self, Self::Tag(_))
    }

    /// Does it with one file. It may be done any number of times, and stopped at any point.
    pub(super) async fn apply(&self, store: &Store, file: &FileKey) -> Result<Change, SourceError> {
        let (bucket, key, etag) = (&*file.bucket, &*file.key, &*file.etag);
        match self {
            Self::Delete => store.delete(bucket, key, Some(etag)).await,
            Self::Move { bucket: to, prefix } => {
                let target = format!("{prefix}{key}");
                match store.copy((bucket, key), etag, (to, &target)).await? {
                    // One that was deleted meanwhile is where it was to go.
                    Change::Done => match store.delete(bucket, key, Some(etag)).await? {
                        Change::Done | Change::Gone => Ok(Change::Done),
                        Change::Other => Ok(Change::Other),
                    },
                    other => Ok(other),
                }
            }
            Self::Tag(tag) => Self::tag(store, file, tag).await,
        }
    }

    /// A store has no condition for tags: the object is looked at first.
    async fn tag(store: &Store, file: &FileKey, tag: &ObjectTag) -> Result<Change, SourceError> {
        let (bucket, key) = (&*file.bucket, &*file.key);
        let Some(object) = store.find(bucket, key).await? else { return Ok(Change::Gone) };
        if object.etag != *file.etag {
            return Ok(Change::Other);
        }
        let Some(mut tags) = store.tags(bucket, key).await? else { return Ok(Change::Gone) };
        let wanted = (tag.key.clone(), tag.value.clone());
        if tags.contains(&wanted) {
            return Ok(Change::Done);
        }
        tags.retain(|(key, _)| *key != tag.key);
        tags.push(wanted);
        store.set_tags(bucket, key, &tags).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: serde_json::Value, path: &str) -> Result<Option<Action>, InvalidAfterLoad> {
        let settings = serde_json::from_value(json).unwrap_or_default();
        let patterns: Vec<PathPattern> = PathPattern::parse(path).into_iter().collect();
        Action::of(&settings, &patterns)
    }

    #[test]
    fn a_place_inside_the_source_is_refused() {
        let to = |place: &str| serde_json::json!({"action": "Move", "moveTo": place});
        for (place, path, is_inside) in [
            ("s3://b/done/", "s3://b/in/*.parquet", false),
            ("s3://other/", "s3://b/*.parquet", false),
            ("s3://b/done/", "s3://b/*.parquet", false),
            ("s3://b/", "s3://b/in/*.parquet", true),
            ("s3://b/in/", "s3://b/in/*.parquet", true),
            ("s3://b/in/done/", "s3://b/in/*/*.parquet", true),
            ("s3://b/done/", "s3://b/*/*.parquet", true),
        ] {
            let found = of(to(place), path);
            assert_eq!(found.is_err(), is_inside, "{place} {path}: {found:?}");
        }
        let error = of(to("s3://b/"), "s3://b/*").unwrap_err().to_string();
        assert!(error.contains("s3://b/*") && error.contains("loaded again"), "{error}");
    }

    #[test]
    fn what_an_action_needs_is_there() {
        let path = "s3://b/*";
        assert_eq!(of(serde_json::json!({}), path).unwrap(), None);
        assert!(of(serde_json::json!({"action": "Move"}), path).is_err());
        assert!(of(serde_json::json!({"action": "Tag"}), path).is_err());
        assert_eq!(of(serde_json::json!({"action": "Delete"}), path).unwrap(), Some(Action::Delete));
    }
}
