//! Which of the listed files are loaded: pure.

use chrono::DateTime;
use longshore_crds::{OnObjectChange, PipeRequest};
use longshore_storage::ledger::{FileEntry, FileFault, FileState};

use crate::source::ListedObject;

/// Category of a file that `startFrom` leaves alone.
pub const BEFORE_START: &str = "BeforeStart";
/// Category of a file that was there before the pipe, with `includeExisting: false`.
pub const EXISTED_BEFORE: &str = "ExistedBefore";
/// Category of a file that no path of the source matches any more.
pub const NOT_IN_SOURCE: &str = "NotInSource";
/// Category of an object that was written again.
pub const OBJECT_CHANGED: &str = "ObjectRewritten";
/// Category of a file that was gone, or another one, when its batch came to it.
pub const GONE: &str = "ObjectGone";

/// What becomes of a listed file that the ledger does not know, or left alone by a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is loaded.
    Stage,
    /// It is left alone.
    Ignore(FileFault),
    /// It ends in ERROR.
    Refuse(FileFault),
}

/// The rules of a pipe.
#[derive(Debug, Clone)]
pub struct Rules {
    start_key: Option<String>,
    start_ms: Option<i64>,
    existing_until_ms: Option<i64>,
    on_change: OnObjectChange,
}

/// `startFrom.time` that is no instant.
#[derive(Debug, thiserror::Error)]
#[error("startFrom.time {text:?} is not an RFC 3339 instant: {error}")]
pub struct InvalidStart {
    text: String,
    error: chrono::ParseError,
}

impl Rules {
    /// The rules of a request. `begun_ms`: when the ledger was begun, milliseconds since the epoch.
    ///
    /// # Errors
    /// `startFrom.time` is no instant.
    pub fn new(request: &PipeRequest, begun_ms: i64) -> Result<Self, InvalidStart> {
        let start = request.start_from.as_ref();
        let start_ms = start.and_then(|start| start.time.as_ref()).map(|text| {
            let parsed = DateTime::parse_from_rfc3339(text);
            parsed
                .map(|instant| instant.timestamp_millis())
                .map_err(|error| InvalidStart { text: text.clone(), error })
        });
        Ok(Self {
            start_key: start.and_then(|start| start.key.clone()),
            start_ms: start_ms.transpose()?,
            existing_until_ms: (!request.include_existing).then_some(begun_ms),
            on_change: request.on_object_change,
        })
    }

    /// Whether the other versions of a file's key decide about it.
    pub fn asks_for_versions(&self) -> bool {
        self.on_change != OnObjectChange::Append
    }

    /// What becomes of a file. `versions`: what is known under its key, other ETags among them; may be empty if
    /// [`asks_for_versions`](Self::asks_for_versions) says so.
    pub fn judge<'a>(
        &self,
        object: &ListedObject,
        versions: impl IntoIterator<Item = &'a FileEntry>,
    ) -> Verdict {
        if let Some(start) = self.start_key.as_ref().filter(|start| object.key <= **start) {
            return Verdict::Ignore(fault(
                BEFORE_START,
                format!("its key is not after startFrom.key {start:?}"),
            ));
        }
        if self.start_ms.is_some_and(|start| object.modified_ms < start) {
            return Verdict::Ignore(fault(BEFORE_START, "it is older than startFrom.time".to_owned()));
        }
        if self.existing_until_ms.is_some_and(|until| object.modified_ms < until) {
            let message = "it was there before the pipe, and includeExisting is false".to_owned();
            return Verdict::Ignore(fault(EXISTED_BEFORE, message));
        }
        // One that waits or was given up has left no row: the new object takes its place.
        let is_loaded =
            versions.into_iter().any(|entry| matches!(entry.state, FileState::Finished | FileState::Loading));
        match self.on_change {
            OnObjectChange::Ignore if is_loaded => {
                let message = "an object of this key is loaded, and onObjectChange is Ignore".to_owned();
                Verdict::Ignore(fault(OBJECT_CHANGED, message))
            }
            OnObjectChange::Fail if is_loaded => {
                let message =
                    "the object was written again after it was loaded, and onObjectChange is Fail; \
                               write new rows under a new key"
                        .to_owned();
                Verdict::Refuse(fault(OBJECT_CHANGED, message))
            }
            _ => Verdict::Stage,
        }
    }
}

fn fault(category: &str, message: String) -> FileFault {
    FileFault { category: category.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> PipeRequest {
        let pipe = format!(
            "{{\"apiVersion\":\"longshore.dev/v1alpha1\",\"kind\":\"Pipe\",\"metadata\":{{\"name\":\"p\"}},\
             \"spec\":{{\"table\":\"t\",\"source\":{{\"paths\":[\"s3://b/*\"]}}{json}}}}}"
        );
        PipeRequest::from_pipe(&serde_json::from_str(&pipe).unwrap()).unwrap()
    }

    fn object(key: &str, modified_ms: i64) -> ListedObject {
        ListedObject { bucket: "b".into(), key: key.into(), size: 1, etag: "e".into(), modified_ms }
    }

    fn category(verdict: &Verdict) -> &str {
        match verdict {
            Verdict::Stage => "",
            Verdict::Ignore(fault) | Verdict::Refuse(fault) => &fault.category,
        }
    }

    #[test]
    fn start_and_existing_files_leave_files_alone() {
        let request = request(",\"startFrom\":{\"key\":\"b/2\",\"time\":\"1970-01-01T00:00:01Z\"}");
        let rules = Rules::new(&request, 0).unwrap();
        for (key, modified, expected) in [
            ("b/2", 2_000, BEFORE_START),
            ("b/3", 999, BEFORE_START),
            ("b/3", 1_000, ""),
            ("b/20", 2_000, ""),
        ] {
            assert_eq!(category(&rules.judge(&object(key, modified), [])), expected, "{key} {modified}");
        }
        let rules = Rules::new(&self::request(",\"includeExisting\":false"), 5_000).unwrap();
        assert_eq!(category(&rules.judge(&object("k", 4_999), [])), EXISTED_BEFORE);
        assert_eq!(rules.judge(&object("k", 5_000), []), Verdict::Stage);
        let mut bad = request;
        bad.start_from.as_mut().unwrap().time = Some("yesterday".to_owned());
        assert!(Rules::new(&bad, 0).unwrap_err().to_string().contains("yesterday"));
    }

    #[test]
    fn a53_a_rewritten_object_follows_the_policy() {
        let mut loaded = FileEntry::staged(1, 0, 0);
        loaded.state = FileState::Finished;
        let waiting = FileEntry::staged(1, 0, 0);
        for (policy, expected) in [("Append", ""), ("Ignore", OBJECT_CHANGED), ("Fail", OBJECT_CHANGED)] {
            let request = request(&format!(",\"onObjectChange\":\"{policy}\""));
            let rules = Rules::new(&request, 0).unwrap();
            assert_eq!(category(&rules.judge(&object("k", 1), [&loaded])), expected, "{policy}");
            assert_eq!(rules.judge(&object("k", 1), [&waiting]), Verdict::Stage, "{policy}");
        }
    }
}
