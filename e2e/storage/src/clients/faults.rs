//! Which faults a client plays, how often, and how many there were.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A fault, or a behaviour that no local file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A name is taken for absent although another client has made it.
    StaleAbsence,
    /// A folder is listed as it was a while ago, but for the client's own changes.
    StaleListing,
    /// A file's attributes are those of a while ago.
    StaleAttributes,
    /// A change was done, and its reply is lost: EIO or a time-out.
    LostReply,
    /// A change was done, its reply lost, and the repetition answered: EEXIST or ENOENT.
    RepeatedReply,
    /// A change was not done: EIO.
    Refused,
    /// A change is answered by a time-out and done later.
    LateChange,
    /// Bytes or names could not be made durable: EIO at fsync.
    FailedSync,
    /// A call took long.
    Delay,
}

/// Shares of the changes, from 0 to 1, that meet a fault.
const LOST_REPLY: f64 = 0.02;
const REPEATED_REPLY: f64 = 0.02;
const REFUSED: f64 = 0.01;
const LATE_CHANGE: f64 = 0.01;
/// Share of the fsyncs that fail.
const FAILED_SYNC: f64 = 0.003;
/// Share of the calls that take long, and how long at most.
const DELAY: f64 = 0.1;
const LONGEST_DELAY: Duration = Duration::from_millis(8);
/// Share of absent names, listings and attributes that are remembered, and how long at most.
const REMEMBERED: f64 = 0.4;
const LONGEST_MEMORY: Duration = Duration::from_millis(400);

const EIO: i32 = 5;
const ETIMEDOUT: i32 = 110;

/// What becomes of a change of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Done and answered.
    Done,
    /// Done; the answer is this error number.
    DoneBut(i32),
    /// Done; the answer is that of its repetition.
    Repeated,
    /// Not done; the answer is this error number.
    Refused(i32),
    /// The answer is this error number; done after a while.
    Late(i32, Duration),
}

/// The lots of one client, and its counts.
#[derive(Debug)]
pub struct Faults(Mutex<State>);

#[derive(Debug)]
struct State {
    rng: StdRng,
    counts: BTreeMap<Fault, u64>,
    calls: u64,
}

impl Faults {
    /// The lots of a seed.
    pub fn new(seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        Self(Mutex::new(State { rng, counts: BTreeMap::new(), calls: 0 }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a fault that was played.
    pub fn count(&self, fault: Fault) {
        *self.state().counts.entry(fault).or_default() += 1;
    }

    /// A call begins: waits now and then.
    pub fn call(&self) {
        let delay = {
            let mut state = self.state();
            state.calls += 1;
            if !state.rng.random_bool(DELAY) {
                return;
            }
            state.rng.random_range(Duration::ZERO..LONGEST_DELAY)
        };
        self.count(Fault::Delay);
        std::thread::sleep(delay);
    }

    /// Until when something that was just seen is remembered; `None`: not at all.
    pub fn remember(&self) -> Option<Instant> {
        let mut state = self.state();
        let until = state.rng.random_range(Duration::ZERO..LONGEST_MEMORY);
        state.rng.random_bool(REMEMBERED).then(|| Instant::now() + until)
    }

    /// What becomes of a change.
    pub fn fate(&self) -> Fate {
        let (fate, fault) = {
            let mut state = self.state();
            let lot: f64 = state.rng.random();
            let error = if state.rng.random_bool(0.5) { EIO } else { ETIMEDOUT };
            let late = state.rng.random_range(Duration::ZERO..LONGEST_MEMORY);
            if lot < LOST_REPLY {
                (Fate::DoneBut(error), Fault::LostReply)
            } else if lot < LOST_REPLY + REPEATED_REPLY {
                (Fate::Repeated, Fault::RepeatedReply)
            } else if lot < LOST_REPLY + REPEATED_REPLY + REFUSED {
                (Fate::Refused(EIO), Fault::Refused)
            } else if lot < LOST_REPLY + REPEATED_REPLY + REFUSED + LATE_CHANGE {
                (Fate::Late(ETIMEDOUT, late), Fault::LateChange)
            } else {
                return Fate::Done;
            }
        };
        self.count(fault);
        fate
    }

    /// Whether an fsync fails.
    pub fn fails_sync(&self) -> bool {
        let fails = self.state().rng.random_bool(FAILED_SYNC);
        if fails {
            self.count(Fault::FailedSync);
        }
        fails
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(f, "{} calls", state.calls)?;
        for (fault, count) in &state.counts {
            write!(f, ", {count} {fault:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fate_comes_and_most_changes_are_done() {
        let faults = Faults::new(1);
        let fates: Vec<Fate> = (0..5_000).map(|_| faults.fate()).collect();
        let count = |of: fn(&Fate) -> bool| fates.iter().filter(|fate| of(fate)).count();
        assert!(count(|fate| *fate == Fate::Done) > 4_000);
        assert!(count(|fate| matches!(fate, Fate::DoneBut(_))) > 0);
        assert!(count(|fate| *fate == Fate::Repeated) > 0);
        assert!(count(|fate| matches!(fate, Fate::Refused(_))) > 0);
        assert!(count(|fate| matches!(fate, Fate::Late(..))) > 0);
        assert!(faults.to_string().contains("LostReply"), "{faults}");
    }
}
