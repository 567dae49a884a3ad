//! Faults on request: which requests go wrong, how, and how often.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::operation::{Operation, Target};

/// How a request goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// 503 with code `SlowDown`.
    SlowDown,
    /// 500 with code `InternalError`.
    InternalError,
    /// 403 with code `AccessDenied`.
    AccessDenied,
    /// 400 with code `ExpiredToken`, as S3 answers to a session token that ran out.
    ExpiredToken,
    /// 404 with code `NoSuchKey`.
    NotFound,
    /// The TCP connection is reset after this many bytes of the body.
    Reset {
        /// Bytes of the body that are still sent.
        after_bytes: u64,
    },
    /// Content-Length is right, but the connection closes after this many bytes of the body.
    Truncated {
        /// Bytes of the body that are still sent.
        after_bytes: u64,
    },
    /// The body comes at this speed.
    Slow {
        /// Speed, in bytes a second; at least 1.
        bytes_per_second: u64,
    },
    /// The answer begins this much later.
    Delay {
        /// Time before the request is looked at, in milliseconds.
        milliseconds: u64,
    },
    /// Another content of the same size under another ETag, on GetObject and HeadObject.
    Changed {
        /// True: answer 412 when If-Match names the old ETag. False: ignore If-Match, as some stores do.
        honour_if_match: bool,
    },
    /// Only this many bytes of the body come, and Content-Length says so.
    Short {
        /// Bytes of the body that are sent.
        bytes: u64,
    },
    /// A listing that names the page just answered as the next one.
    RepeatedPage,
    /// A small page of a listing, as of a store that lists beside changes of what it lists.
    OddPage {
        /// Names of the page, at most.
        max_keys: u32,
        /// Its first objects are the last of the page before, if there is one: it goes back by this many.
        repeats: u32,
        /// Its last objects are left out.
        skips: u32,
    },
    /// A conditional DeleteObject is done without its condition, as by stores that do not know it.
    IgnoreIfMatch,
}

/// A fault: its kind and the requests it hits. By default it hits every request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    kind: FaultKind,
    #[serde(default)]
    operation: Option<Operation>,
    #[serde(default)]
    bucket: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    after: u64,
    #[serde(default)]
    times: Option<u64>,
    #[serde(default = "always")]
    rate: f64,
}

fn always() -> f64 {
    1.0
}

impl Fault {
    /// A fault that hits every request, always.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, operation: None, bucket: None, key: None, after: 0, times: None, rate: always() }
    }

    /// Only requests of this operation.
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only requests to this bucket.
    pub fn bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = Some(bucket.into());
        self
    }

    /// Only requests whose key fits the pattern; `*` stands for any characters, also `/`.
    pub fn key(mut self, pattern: impl Into<String>) -> Self {
        self.key = Some(pattern.into());
        self
    }

    /// Lets the first `requests` fitting requests pass.
    pub fn after(mut self, requests: u64) -> Self {
        self.after = requests;
        self
    }

    /// Ends after it has hit this many requests.
    pub fn times(mut self, requests: u64) -> Self {
        self.times = Some(requests);
        self
    }

    /// Hits each fitting request with this probability, 0 to 1.
    pub fn rate(mut self, probability: f64) -> Self {
        self.rate = probability;
        self
    }

    fn fits(&self, target: &Target) -> bool {
        self.operation.is_none_or(|operation| operation == target.operation)
            && self.bucket.as_deref().is_none_or(|bucket| bucket == target.bucket)
            && self.key.as_deref().is_none_or(|pattern| star_match(pattern.as_bytes(), target.key.as_bytes()))
    }
}

/// Names a fault that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultId(usize);

/// The faults of a server. Of several that fit a request, the first that strikes is taken.
#[derive(Debug)]
pub struct Faults {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    random: StdRng,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    fault: Fault,
    seen: u64,
    hits: u64,
    removed: bool,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { inner: Mutex::new(Inner { random: StdRng::seed_from_u64(seed), entries: Vec::new() }) }
    }

    /// Adds a fault; it strikes from the next request on.
    pub fn add(&self, fault: Fault) -> FaultId {
        let mut inner = self.lock();
        inner.entries.push(Entry { fault, seen: 0, hits: 0, removed: false });
        FaultId(inner.entries.len() - 1)
    }

    /// Removes one fault; its hits stay readable.
    pub fn remove(&self, id: FaultId) {
        if let Some(entry) = self.lock().entries.get_mut(id.0) {
            entry.removed = true;
        }
    }

    /// Removes all faults; their hits stay readable.
    pub fn clear(&self) {
        for entry in &mut self.lock().entries {
            entry.removed = true;
        }
    }

    /// How many requests the fault has hit.
    pub fn hits(&self, id: FaultId) -> u64 {
        self.lock().entries.get(id.0).map_or(0, |entry| entry.hits)
    }

    /// The fault that this request meets, if any; it counts as a hit.
    pub(crate) fn strike(&self, target: &Target) -> Option<FaultKind> {
        let mut guard = self.lock();
        let Inner { random, entries } = &mut *guard;
        entries.iter_mut().find_map(|entry| entry.strike(target, random))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn strike(&mut self, target: &Target, random: &mut StdRng) -> Option<FaultKind> {
        if self.removed || !self.fault.fits(target) {
            return None;
        }
        self.seen += 1;
        let spent = self.fault.times.is_some_and(|times| self.hits >= times);
        if self.seen <= self.fault.after || spent {
            return None;
        }
        // No random number is drawn for a certain fault: its requests then do not shift the others' sequence.
        if self.fault.rate < 1.0 && random.random::<f64>() >= self.fault.rate {
            return None;
        }
        self.hits += 1;
        Some(self.fault.kind.clone())
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any bytes.
fn star_match(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut text_at) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while text_at < text.len() {
        if pattern.get(at) == Some(&b'*') {
            last_star = Some((at, text_at));
            at += 1;
        } else if pattern.get(at) == Some(&text[text_at]) {
            at += 1;
            text_at += 1;
        } else if let Some((star, taken)) = last_star {
            // The star takes one byte more, and the rest of the pattern is tried again behind it.
            last_star = Some((star, taken + 1));
            at = star + 1;
            text_at = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(key: &str) -> Target {
        Target { operation: Operation::GetObject, bucket: "b".into(), key: key.into() }
    }

    #[test]
    fn star_stands_for_any_bytes() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("*.parquet", "a/b.parquet", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b", "a-b-c", false),
            ("a", "ab", false),
        ] {
            assert_eq!(star_match(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn after_and_times_bound_the_hits() {
        let faults = Faults::new(1);
        let id = faults.add(Fault::new(FaultKind::SlowDown).key("a*").after(1).times(2));
        let struck: Vec<bool> = (0..5).map(|_| faults.strike(&get("ab")).is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert!(faults.strike(&get("b")).is_none());
        assert_eq!(faults.hits(id), 2);
    }

    #[test]
    fn rate_repeats_for_a_seed() {
        let run = |seed| {
            let faults = Faults::new(seed);
            faults.add(Fault::new(FaultKind::SlowDown).rate(0.3));
            (0..1000).map(|_| faults.strike(&get("a")).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        let hits = run(7).iter().filter(|&&hit| hit).count();
        assert!((200..400).contains(&hits), "{hits}");
    }

    #[test]
    fn a_fault_reads_from_json() {
        let fault: Fault = serde_json::from_str(
            r#"{"kind": {"Reset": {"after_bytes": 100}}, "operation": "GetObject", "key": "*.parquet", "times": 1}"#,
        )
        .unwrap();
        let built = Fault::new(FaultKind::Reset { after_bytes: 100 })
            .on(Operation::GetObject)
            .key("*.parquet")
            .times(1);
        assert_eq!(fault, built);
    }
}
