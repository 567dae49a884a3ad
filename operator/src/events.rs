//! Events: what happened, in few lines beside the object (`events.k8s.io/v1`).
//!
//! A note that is repeated is one event with a count; a note that changed is a new event, so that the newest
//! cause is always shown. An event that cannot be published is logged and nothing more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, Resource};

use crate::apply::limited;

/// Name under which events are reported.
pub const REPORTER: &str = "longshore.dev/operator";

/// Bytes of a note that the apiserver takes.
const NOTE_LIMIT: usize = 1024;
/// A repeated note is counted at most once in this time.
const REPEAT_AFTER: Duration = Duration::from_secs(300);
/// What was not repeated for this long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(3_600);

/// Whether an event asks for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// As it should be.
    Normal,
    /// Someone should look.
    Warning,
}

impl EventType {
    /// As Kubernetes names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Publishes events of this replica.
#[derive(Clone)]
pub struct Publisher {
    client: Client,
    instance: Arc<str>,
    sent: Arc<Mutex<HashMap<Key, Sent>>>,
}

/// One line of an object's story.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    uid: String,
    type_: EventType,
    reason: String,
    action: String,
}

#[derive(Debug, Clone)]
struct Sent {
    note: String,
    name: String,
    count: i32,
    at: Instant,
}

/// What is to be done with a note.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// A new event.
    Create { name: String },
    /// The event of that name has happened so many times.
    Count { name: String, count: i32 },
    /// It was told a short while ago.
    Nothing,
}

impl Publisher {
    /// A publisher; `instance` is the name of this replica's pod.
    pub fn new(client: Client, instance: &str) -> Self {
        Self { client, instance: Arc::from(cut(instance, 128)), sent: Arc::default() }
    }

    /// Tells something of an object. `reason` is CamelCase and stable, `action` the verb of what was done,
    /// `note` a sentence; a note above 1,024 bytes is cut at the boundary of a character.
    pub async fn publish<K>(&self, object: &K, type_: EventType, reason: &str, action: &str, note: &str)
    where
        K: Resource<DynamicType = ()>,
    {
        let note = cut(note, NOTE_LIMIT);
        let key = Key {
            uid: object.meta().uid.clone().unwrap_or_default(),
            type_,
            reason: reason.to_owned(),
            action: action.to_owned(),
        };
        let plan = {
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            plan(&mut sent, key, note, object.meta().name.as_deref().unwrap_or_default(), Instant::now())
        };
        let namespace = object.meta().namespace.as_deref().unwrap_or("default");
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let ended = match plan {
            Plan::Nothing => return,
            Plan::Create { name } => {
                let event = self.event(object, type_, reason, action, note, name);
                limited("create", "an event", api.create(&PostParams::default(), &event)).await
            }
            Plan::Count { name, count } => {
                let series = EventSeries { count, last_observed_time: MicroTime(Timestamp::now()) };
                let patch = Patch::Merge(serde_json::json!({"series": series}));
                limited("count", "an event", api.patch(&name, &PatchParams::default(), &patch)).await
            }
        };
        if let Err(error) = ended {
            tracing::warn!(%error, reason, note, "an event was not published");
        }
    }

    fn event<K>(
        &self,
        object: &K,
        type_: EventType,
        reason: &str,
        action: &str,
        note: &str,
        name: String,
    ) -> Event
    where
        K: Resource<DynamicType = ()>,
    {
        let regarding: ObjectReference = object.object_ref(&());
        Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(regarding.namespace.clone().unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            action: Some(cut(action, 128).to_owned()),
            event_time: Some(MicroTime(Timestamp::now())),
            note: Some(note.to_owned()),
            reason: Some(cut(reason, 128).to_owned()),
            regarding: Some(regarding),
            reporting_controller: Some(REPORTER.to_owned()),
            reporting_instance: Some(self.instance.to_string()),
            type_: Some(type_.name().to_owned()),
            ..Event::default()
        }
    }
}

fn plan(sent: &mut HashMap<Key, Sent>, key: Key, note: &str, object: &str, now: Instant) -> Plan {
    sent.retain(|_, sent| now.duration_since(sent.at) < FORGET_AFTER);
    match sent.get_mut(&key) {
        Some(before) if before.note == note => {
            if now.duration_since(before.at) < REPEAT_AFTER {
                return Plan::Nothing;
            }
            before.count += 1;
            before.at = now;
            Plan::Count { name: before.name.clone(), count: before.count }
        }
        _ => {
            // As the kubelet names its events: unique in a namespace, and sorted by time.
            let name = format!("{object}.{:x}", Timestamp::now().as_nanosecond());
            let entry = Sent { note: note.to_owned(), name: name.clone(), count: 1, at: now };
            sent.insert(key, entry);
            Plan::Create { name }
        }
    }
}

/// The beginning of a text, of at most so many bytes, whole characters only.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_note_is_a_new_event_and_a_repeated_one_is_counted_later() {
        let mut sent = HashMap::new();
        let key = || Key {
            uid: "u".to_owned(),
            type_: EventType::Warning,
            reason: "R".to_owned(),
            action: "Load".to_owned(),
        };
        let start = Instant::now();
        let Plan::Create { name: first } = plan(&mut sent, key(), "one", "a", start) else {
            panic!("the first note is an event");
        };
        assert!(first.starts_with("a."));
        assert_eq!(plan(&mut sent, key(), "one", "a", start), Plan::Nothing);
        let later = start + REPEAT_AFTER;
        assert_eq!(plan(&mut sent, key(), "one", "a", later), Plan::Count { name: first.clone(), count: 2 });
        let Plan::Create { name: second } = plan(&mut sent, key(), "two", "a", later) else {
            panic!("a changed note is an event");
        };
        assert_ne!(first, second);
        let other = Key { uid: "v".to_owned(), ..key() };
        assert!(matches!(plan(&mut sent, other, "two", "b", later + FORGET_AFTER), Plan::Create { .. }));
        assert_eq!(sent.len(), 1, "what is old is forgotten");
    }

    #[test]
    fn a_note_is_cut_between_characters() {
        assert_eq!(cut(&"a".repeat(1_024), NOTE_LIMIT).len(), 1_024);
        assert_eq!(cut(&"a".repeat(1_025), NOTE_LIMIT).len(), 1_024);
        let wide = format!("{}é", "a".repeat(1_023));
        assert_eq!(cut(&wide, NOTE_LIMIT), "a".repeat(1_023));
    }
}
