//! Any sequence of records, merges, crashes and epochs, against a plain map.

use longshore_storage::ledger::{FileEntry, FileEvent, FileState, Ledger, LedgerReader};
use longshore_storage::table::{Batch, Table};
use proptest::prelude::*;

use super::support::*;
use crate::log::support::{Place, segment};

const FILES: usize = 40;

#[derive(Debug, Clone)]
enum Step {
    Stage(usize, usize),
    Ignore(usize),
    /// A batch of these files, and how it ends.
    Batch(Vec<usize>, End),
    GiveUp(usize),
    Retry(usize),
    Fold,
    /// The worker is killed; a new one begins.
    Crash,
    /// The power goes in the middle of the last append.
    Tear(u8),
    Rebuild,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Told,
    /// The worker is killed between the commit and the entry.
    Untold,
    Failed,
    Abandoned,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let file = 0..FILES;
    let end = prop_oneof![
        4 => Just(End::Told), 2 => Just(End::Untold), 2 => Just(End::Failed), 1 => Just(End::Abandoned)
    ];
    let step = prop_oneof![
        5 => (file.clone(), 1_usize..9).prop_map(|(from, count)| Step::Stage(from, count)),
        1 => file.clone().prop_map(Step::Ignore),
        6 => (prop::collection::btree_set(file.clone(), 1..6), end)
            .prop_map(|(files, end)| Step::Batch(files.into_iter().collect(), end)),
        2 => file.clone().prop_map(Step::GiveUp),
        1 => file.prop_map(Step::Retry),
        2 => Just(Step::Fold),
        2 => Just(Step::Crash),
        2 => any::<u8>().prop_map(Step::Tear),
        1 => Just(Step::Rebuild),
    ];
    prop::collection::vec(step, 1..30)
}

/// The ledger and what it must know.
struct Run {
    place: Place,
    table: Table,
    ledger: Ledger,
    known: Known,
    /// What was known before the last append, if that can be torn: the bytes of the log then.
    before: Option<(Known, u64)>,
    /// Files of every batch that was committed.
    committed: Vec<(Batch, u64, Vec<usize>)>,
}

impl Run {
    fn new() -> Self {
        let (place, mut table) = Place::with_table();
        let ledger = begin(&mut table);
        Self { place, table, ledger, known: Known::new(), before: None, committed: Vec::new() }
    }

    fn log_bytes(&self) -> u64 {
        std::fs::metadata(log(&self.place.root)).unwrap().len()
    }

    fn apply(&mut self, key: longshore_storage::ledger::FileKey, event: &FileEvent) {
        if let Some(after) = FileEntry::after(self.known.get(&key), event) {
            self.known.insert(key, after);
        }
    }

    fn record(&mut self, events: Vec<(longshore_storage::ledger::FileKey, FileEvent)>) {
        let (before, bytes) = (self.known.clone(), self.log_bytes());
        self.ledger.record(events.clone()).unwrap();
        events.into_iter().for_each(|(key, event)| self.apply(key, &event));
        // What changes nothing is not appended.
        if self.log_bytes() > bytes {
            self.before = Some((before, bytes));
        }
    }

    fn batch(&mut self, numbers: &[usize], end: End) {
        let waiting = |number: &&usize| {
            self.known.get(&key(**number)).is_some_and(|entry| entry.state == FileState::Unloaded)
        };
        let numbers: Vec<usize> = numbers.iter().filter(waiting).copied().collect();
        if numbers.is_empty() {
            return;
        }
        let (before, bytes) = (self.known.clone(), self.log_bytes());
        let batch = start(&mut self.ledger, &self.table, &numbers).unwrap();
        let id = longshore_storage::ledger::BatchId { number: batch.number(), epoch: batch.epoch().number() };
        for number in &numbers {
            self.apply(key(*number), &FileEvent::Started { batch: id, now_ms: 1_700_000_200_000 });
        }
        self.before = Some((before, bytes));
        match end {
            End::Told | End::Untold => {
                let name = format!("{}-{}", id.number, id.epoch);
                let segments = vec![segment(&name, 1)];
                let version = commit(&mut self.table, &batch, segments, &numbers).unwrap();
                self.committed.push((batch.clone(), version, numbers.clone()));
                if matches!(end, End::Untold) {
                    return self.crash();
                }
                let (before, bytes) = (self.known.clone(), self.log_bytes());
                tell(&mut self.ledger, &batch, version, &numbers).unwrap();
                self.take_committed();
                self.before = Some((before, bytes));
            }
            End::Failed => {
                let failed = FileEvent::Failed { files: numbers.len() as u32, fault: fault() };
                self.record(numbers.iter().map(|number| (key(*number), failed.clone())).collect());
                self.ledger.forget(&batch);
            }
            End::Abandoned => {
                self.record(numbers.iter().map(|number| (key(*number), FileEvent::Abandoned)).collect());
                self.ledger.forget(&batch);
            }
        }
    }

    fn take_committed(&mut self) {
        for (batch, version, numbers) in self.committed.clone() {
            for number in numbers {
                self.apply(key(number), &finished_by(&batch, version, number));
            }
        }
    }

    /// A new worker: what the log says is known, and nothing is being loaded.
    fn crash(&mut self) {
        self.table = self.place.open();
        self.ledger = begin(&mut self.table);
        self.settled();
    }

    fn settled(&mut self) {
        self.take_committed();
        for key in self.known.keys().cloned().collect::<Vec<_>>() {
            self.apply(key, &FileEvent::Lost);
        }
        self.before = None;
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Stage(from, count) => {
                self.record((*from..(*from + *count).min(FILES)).map(staged).collect());
            }
            Step::Ignore(number) => self.record(vec![(
                key(*number),
                FileEvent::Ignored {
                    size: size(*number),
                    modified_ms: 1_700_000_000_000,
                    now_ms: 1_700_000_100_000,
                    rule: fault(),
                },
            )]),
            Step::Batch(numbers, end) => self.batch(numbers, *end),
            Step::GiveUp(number) => {
                let given_up = FileEvent::GivenUp { fault: fault(), now_ms: 1_700_000_300_000 };
                self.record(vec![(key(*number), given_up)]);
            }
            Step::Retry(number) => self.record(vec![(key(*number), FileEvent::Retried)]),
            Step::Fold => {
                self.ledger.fold(&mut self.table).unwrap();
                self.before = None;
            }
            Step::Crash => self.crash(),
            Step::Tear(share) => {
                if let Some((before, bytes)) = self.before.take() {
                    let path = log(&self.place.root);
                    let whole = std::fs::metadata(&path).unwrap().len();
                    let left = bytes + (whole - bytes - 1) * u64::from(*share) / 255;
                    std::fs::File::options().write(true).open(&path).unwrap().set_len(left).unwrap();
                    self.known = before;
                }
                self.crash();
            }
            Step::Rebuild => {
                self.ledger = Ledger::rebuild(&mut self.table, LEDGER, SMALL).unwrap();
                self.known.clear();
                self.settled();
            }
        }
        // As the loop of a pipe does between batches.
        if self.ledger.fold_if_due(&mut self.table).unwrap() {
            self.before = None;
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let Self { ledger, known: model, place, .. } = self;
        let model = &*model;
        prop_assert_eq!(&known(ledger.reader()).unwrap(), model);
        for number in 0..FILES {
            let found = ledger.reader().find(&key(number)).unwrap();
            prop_assert_eq!(found.as_ref(), model.get(&key(number)));
            let state = model.get(&key(number)).map(|entry| entry.state);
            prop_assert_eq!(ledger.reader().state(&key(number)).unwrap(), state);
        }
        for state in FileState::ALL {
            let files = model.values().filter(|entry| entry.state == state).count() as u64;
            prop_assert_eq!(ledger.totals().of(state).files, files, "{:?}", state);
            let mut told = 0;
            ledger
                .reader()
                .visit(&[state], |_, _| {
                    told += 1;
                    true
                })
                .unwrap();
            prop_assert_eq!(told, files);
        }
        let object = key(8);
        let versions = ledger.reader().versions(&object.bucket, &object.key).unwrap();
        let expected: Vec<_> = model.iter().filter(|(key, _)| key.same_object(&object)).collect();
        prop_assert!(versions.iter().map(|(key, entry)| (key, entry)).eq(expected));
        // Whoever reads beside the worker sees the same.
        let mut reader = LedgerReader::open(&longshore_storage::durable::Posix, &place.root, LEDGER).unwrap();
        prop_assert_eq!(&known(&mut reader).unwrap(), model);
        reader.verify().unwrap();
        Ok(())
    }
}

/// Each case makes and reads many files.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn a_ledger_is_a_map_whatever_happens(steps in steps()) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step);
            run.check()?;
        }
        // Nothing is left behind but what tells the ledger.
        run.crash();
        run.check()?;
        let left = files(&run.place.root).len();
        prop_assert!(left <= 10, "{left} files");
    }
}
