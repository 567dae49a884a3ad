use std::collections::{BTreeMap, BTreeSet};

use longshore_crds::{OnObjectChange, PipeRequest};
use longshore_storage::ledger::{BatchId, FileEntry, FileEvent, FileKey, FileState};
use proptest::prelude::*;

use super::*;
use crate::pipe::listing::decide;
use crate::pipe::rules::Rules;
use crate::source::ListedObject;

fn after_a_full_round(requests: u64, limits: RoundLimits) -> Rounds {
    let mut rounds = Rounds::new(1);
    assert_eq!(rounds.next(limits), (Duration::ZERO, Round::Full));
    rounds.begin(Round::Full, Duration::ZERO);
    rounds.listed("m");
    rounds.end(requests);
    rounds
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn everything_is_listed_at_each_poll_while_that_fits_the_budget() {
    let limits = RoundLimits { poll_interval: seconds(10), requests_per_hour: 3_600 };
    assert_eq!(after_a_full_round(10, limits).next(limits), (seconds(10), Round::Full));
    let mut rounds = after_a_full_round(1_000, limits);
    let mut tail = |began: u64, listed: &str| {
        rounds.begin(Round::Tail, seconds(began));
        let place = rounds.place();
        rounds.listed(listed);
        rounds.end(1);
        (place, rounds.next(limits))
    };
    let key = |key: &str| Some((0, Some(key.to_owned())));
    assert_eq!(tail(10, "n"), (key("m"), (seconds(20), Round::Tail)));
    // A smaller key never takes the place of a greater one, and everything comes round.
    assert_eq!(tail(1_995, "a"), (key("n"), (seconds(2_005), Round::Full)));
}

#[test]
fn a_round_goes_on_where_it_stopped() {
    let limits = RoundLimits { poll_interval: seconds(10), requests_per_hour: 3_600 };
    let mut rounds = Rounds::new(2);
    rounds.begin(Round::Full, seconds(1));
    assert_eq!(rounds.place(), Some((0, None)));
    rounds.listed("k");
    rounds.pause(7, seconds(60), false);
    assert!(!rounds.go_on(), "it waits for the store");
    assert_eq!(rounds.next(limits), (seconds(60), Round::Full));
    rounds.begin(Round::Full, seconds(60));
    assert_eq!(rounds.place(), Some((0, Some("k".to_owned()))));
    rounds.end_pattern();
    assert_eq!(rounds.place(), Some((1, None)));
    rounds.pause(1, seconds(90), true);
    assert!(rounds.go_on());
    assert_eq!(rounds.next(limits).0, Duration::ZERO);
    rounds.end_pattern();
    assert_eq!(rounds.place(), None);
    assert_eq!(rounds.end(3), Some((Round::Full, seconds(1))));
    assert!(rounds.was_full());
    // 11 requests do not fit each poll.
    assert_eq!(rounds.next(limits), (seconds(11), Round::Tail));
    rounds.begin(Round::Tail, seconds(11));
    assert_eq!(rounds.place(), Some((0, Some("k".to_owned()))));
    rounds.end_pattern();
    assert_eq!(rounds.place(), Some((1, None)), "nothing was found by the second pattern");
}

/// What happens to the objects of a bucket.
#[derive(Debug, Clone)]
struct Write {
    /// The second in which it is there.
    at: u64,
    key: String,
    /// What the store says of its age, whatever it is.
    modified_ms: i64,
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let write = (0_u64..3_000, "[ab]/[a-d/]{1,3}", -5_000_i64..5_000_000)
        .prop_map(|(at, key, modified_ms)| Write { at, key, modified_ms });
    prop::collection::vec(write, 0..60)
}

/// A bucket and a pipe over it: two patterns that overlap, pages of any size, a store that changes between two
/// pages and fails now and then, batches of any size.
struct Simulation {
    writes: Vec<Write>,
    pages: Vec<usize>,
    page_seconds: u64,
    /// Each so many pages one fails; 0: none does.
    fails_each: u64,
    rounds: Rounds,
    rules: Rules,
    ledger: BTreeMap<FileKey, FileEntry>,
    loads: BTreeMap<FileKey, u32>,
    now: u64,
    requests: u64,
}

const PATTERNS: [&str; 2] = ["", "b/"];

impl Simulation {
    /// The object of a key now: the last write wins, and its number is its ETag.
    fn object(&self, key: &str, now: u64) -> Option<ListedObject> {
        let there = self.writes.iter().zip(0_u32..).filter(|(write, _)| write.key == key && write.at <= now);
        there.max_by_key(|(write, number)| (write.at, *number)).map(|(write, number)| ListedObject {
            bucket: "b".to_owned(),
            key: key.to_owned(),
            size: 1,
            etag: number.to_string(),
            modified_ms: write.modified_ms,
        })
    }

    fn page(&mut self, prefix: &str, after: Option<&str>) -> Option<(Vec<ListedObject>, bool)> {
        self.requests += 1;
        self.now += self.page_seconds;
        if self.fails_each > 0 && self.requests.is_multiple_of(self.fails_each) {
            return None;
        }
        let size = self.pages[self.requests as usize % self.pages.len()];
        let keys: BTreeSet<&str> = self.writes.iter().map(|write| &*write.key).collect();
        let keys =
            keys.into_iter().filter(|key| key.starts_with(prefix) && after.is_none_or(|after| *key > after));
        let mut page: Vec<ListedObject> = keys.filter_map(|key| self.object(key, self.now)).collect();
        let is_last = page.len() <= size;
        page.truncate(size);
        Some((page, is_last))
    }

    fn take(&mut self, page: &[ListedObject]) {
        for object in page {
            let key = FileKey::new(&object.bucket, &object.key, &object.etag);
            let known = self.ledger.get(&key).map(|entry| entry.state);
            let versions =
                self.ledger.iter().filter(|(other, _)| other.key == key.key && other.etag != key.etag);
            let verdict = self.rules.judge(object, versions.map(|(_, entry)| entry));
            for (key, event) in decide(object, known, verdict, self.now) {
                self.record(&key, &event);
            }
        }
    }

    fn record(&mut self, key: &FileKey, event: &FileEvent) {
        if let Some(entry) = FileEntry::after(self.ledger.get(key), event) {
            self.ledger.insert(key.clone(), entry);
        }
    }

    /// Loads some of what waits.
    fn load(&mut self, files: usize) {
        let waiting = self.ledger.iter().filter(|(_, entry)| entry.state == FileState::Unloaded);
        let batch: Vec<FileKey> = waiting.map(|(key, _)| key.clone()).take(files).collect();
        let id = BatchId { number: 1, epoch: 1 };
        for key in batch {
            self.record(&key, &FileEvent::Started { batch: id, now_ms: self.now });
            self.record(
                &key,
                &FileEvent::Finished { batch: id, version: 1, size: 1, rows: 1, now_ms: self.now },
            );
            *self.loads.entry(key).or_default() += 1;
        }
    }

    /// One round as the loop of a pipe makes it, until it ends or the store fails; what ended, and when it began.
    fn round(&mut self, limits: RoundLimits) -> Option<(Round, Duration)> {
        let (due, round) = self.rounds.next(limits);
        self.now = self.now.max(due.as_secs_f64().ceil() as u64);
        self.rounds.begin(round, seconds(self.now));
        let before = self.requests;
        while let Some((pattern, after)) = self.rounds.place() {
            let Some((page, is_last)) = self.page(PATTERNS[pattern], after.as_deref()) else {
                self.rounds.pause(self.requests - before, seconds(self.now + 5), false);
                return None;
            };
            self.take(&page);
            if let Some(last) = page.last() {
                self.rounds.listed(&last.key);
            }
            if is_last {
                self.rounds.end_pattern();
            } else if self.now.is_multiple_of(3) {
                self.rounds.pause(self.requests - before, seconds(self.now + 30), true);
                return None;
            }
        }
        self.rounds.end(self.requests - before)
    }
}

proptest! {
    /// Whatever the order of names, times and arrivals, wherever pages end, and whatever fails: every object that was
    /// there when a listing of everything began is known after it, each is loaded once, and requests keep to the budget.
    #[test]
    fn any_arrival_order_loads_the_same_set(
        writes in writes(),
        pages in prop::collection::vec(1_usize..9, 1..4),
        page_seconds in 0_u64..3,
        fails_each in prop_oneof![Just(0_u64), 3_u64..20],
        interval in 1_u64..600,
        per_hour in 12_u32..400,
        batch in 1_usize..9,
        policy in prop_oneof![Just(OnObjectChange::Append), Just(OnObjectChange::Ignore), Just(OnObjectChange::Fail)],
    ) {
        let limits = RoundLimits { poll_interval: seconds(interval), requests_per_hour: per_hour };
        let last = writes.iter().map(|write| write.at).max().unwrap_or(0);
        let mut simulation = Simulation {
            writes, pages, page_seconds, fails_each,
            rounds: Rounds::new(PATTERNS.len()),
            rules: rules(policy),
            ledger: BTreeMap::new(), loads: BTreeMap::new(), now: 0, requests: 0,
        };
        let (mut most, mut spent) = (0, 0);
        // Until everything was listed once after the last write.
        for turn in 0.. {
            prop_assert!(turn < 20_000, "no listing of everything comes round");
            let ended = simulation.round(limits);
            simulation.load(batch);
            let Some((round, began)) = ended else { continue };
            let cost = simulation.requests - spent;
            (spent, most) = (simulation.requests, most.max(cost));
            // Costs that were not known before the first rounds may be beyond the budget; none after them.
            let hours = simulation.now as f64 / 3_600.0;
            let budget = f64::from(per_hour) * hours + 3.0 * most as f64 + 3.0;
            prop_assert!(simulation.requests as f64 <= budget, "{} of {budget}", simulation.requests);
            if round == Round::Tail {
                continue;
            }
            // What was there by then, and still is, is known.
            for write in &simulation.writes {
                let object = simulation.object(&write.key, simulation.now);
                let Some(object) = object.filter(|_| write.at <= began.as_secs()) else { continue };
                let written_since = simulation.object(&write.key, began.as_secs()).is_none_or(|o| o.etag != object.etag);
                let key = FileKey::new("b", &object.key, &object.etag);
                prop_assert!(written_since || simulation.ledger.contains_key(&key), "{key:?}");
            }
            if began.as_secs() >= last {
                break;
            }
        }
        while simulation.ledger.values().any(|entry| entry.state == FileState::Unloaded) {
            simulation.load(batch);
        }
        prop_assert!(simulation.loads.values().all(|loads| *loads == 1));
        let loaded: BTreeSet<(&str, &str)> =
            simulation.loads.keys().map(|key| (&*key.key, &*key.etag)).collect();
        let keys: BTreeSet<&str> = simulation.writes.iter().map(|write| &*write.key).collect();
        for key in keys {
            let object = simulation.object(key, simulation.now).expect("it was written");
            let some = loaded.iter().any(|(loaded, _)| *loaded == key);
            let newest = loaded.contains(&(key, &*object.etag));
            prop_assert!(if policy == OnObjectChange::Append { newest } else { some }, "{key} {loaded:?}");
        }
    }
}

fn rules(policy: OnObjectChange) -> Rules {
    let pipe = serde_json::json!({
        "apiVersion": "longshore.dev/v1alpha1",
        "kind": "Pipe",
        "metadata": {"name": "p"},
        "spec": {"table": "t", "source": {"paths": ["s3://b/*"]}, "onObjectChange": format!("{policy:?}")},
    });
    let request = PipeRequest::from_pipe(&serde_json::from_value(pipe).unwrap()).unwrap();
    Rules::new(&request, 0).unwrap()
}
