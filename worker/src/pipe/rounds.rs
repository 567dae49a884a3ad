//! When the source is listed, how much of it, and where a listing goes on that did not come to its end: pure.
//!
//! A listing of everything finds whatever there is, however it is called and whenever it came. Where that is more
//! than the budget of list requests allows at each poll, polls between two such look only at what comes after the
//! greatest key of each pattern: a request or two, and enough for writers whose names ascend. The greatest key says
//! where to look first and never what is known: that is the ledger's alone.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

/// What the pipe asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundLimits {
    /// Between the beginnings of two rounds, at least.
    pub poll_interval: Duration,
    /// List requests an hour, on the average.
    pub requests_per_hour: u32,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Everything.
    Full,
    /// What comes after the greatest keys.
    Tail,
}

/// The rounds of a worker. Instants are counted from when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rounds {
    /// The greatest key that was listed for each pattern.
    greatest: Vec<Option<String>>,
    /// The last listing of everything that came to its end: when it began, and its requests.
    full: Option<(Duration, u64)>,
    /// Requests of the last listing of tails.
    tail_requests: u64,
    /// When the last round began that came to its end.
    began: Duration,
    current: Option<Current>,
}

/// The round that was begun and did not end yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Current {
    round: Round,
    began: Duration,
    requests: u64,
    pattern: usize,
    /// What was listed of the pattern.
    after: Option<String>,
    /// When it goes on.
    due: Duration,
    /// It waits for batches, and not for the store.
    yields: bool,
}

impl Rounds {
    /// Of a source with so many patterns, of which nothing was listed yet.
    pub fn new(patterns: usize) -> Self {
        Self {
            greatest: vec![None; patterns],
            full: None,
            tail_requests: 0,
            began: Duration::ZERO,
            current: None,
        }
    }

    /// When the next round begins, or the one that did not end goes on, and what it lists.
    pub fn next(&self, limits: RoundLimits) -> (Duration, Round) {
        if let Some(current) = &self.current {
            return (current.due, current.round);
        }
        let Some((full_began, full_requests)) = self.full else { return (Duration::ZERO, Round::Full) };
        let every_poll = share(full_requests, limits.requests_per_hour);
        // Where nothing was found there is nothing to come after.
        let has_tail = self.greatest.iter().any(Option::is_some);
        if every_poll <= limits.poll_interval || !has_tail {
            return (self.began + limits.poll_interval.max(every_poll), Round::Full);
        }
        // Half of the budget for each kind.
        let half = (limits.requests_per_hour / 2).max(1);
        let full = (full_began + share(full_requests, half)).max(self.began + limits.poll_interval);
        let tail = self.began + limits.poll_interval.max(share(self.tail_requests.max(1), half));
        if full <= tail { (full, Round::Full) } else { (tail, Round::Tail) }
    }

    /// The round begins now, or goes on.
    pub fn begin(&mut self, round: Round, now: Duration) {
        if self.current.is_some() {
            return;
        }
        let mut current =
            Current { round, began: now, requests: 0, pattern: 0, after: None, due: now, yields: false };
        current.after = self.first_after(&current);
        self.current = Some(current);
    }

    /// What is listed next: the number of a pattern, and the key after which. `None`: the round is at its end.
    pub fn place(&self) -> Option<(usize, Option<String>)> {
        let current = self.current.as_ref()?;
        (current.pattern < self.greatest.len()).then(|| (current.pattern, current.after.clone()))
    }

    /// Everything of the pattern up to this key was listed.
    pub fn listed(&mut self, key: &str) {
        let Some(current) = &mut self.current else { return };
        current.after = Some(key.to_owned());
        if let Some(greatest) = self.greatest.get_mut(current.pattern)
            && greatest.as_deref() < Some(key)
        {
            *greatest = Some(key.to_owned());
        }
    }

    /// Everything of the pattern was listed.
    pub fn end_pattern(&mut self) {
        let Some(mut current) = self.current.take() else { return };
        current.pattern += 1;
        current.after = self.first_after(&current);
        self.current = Some(current);
    }

    /// The round stops before its end after so many more requests, and goes on at `due`; `yields`: for batches that
    /// wait, so earlier if there are none.
    pub fn pause(&mut self, requests: u64, due: Duration, yields: bool) {
        if let Some(current) = &mut self.current {
            current.requests += requests;
            (current.due, current.yields) = (due, yields);
        }
    }

    /// No batch waits: a round that stopped for one goes on now. Answers whether there is such a round.
    pub fn go_on(&mut self) -> bool {
        let Some(current) = self.current.as_mut().filter(|current| current.yields) else { return false };
        (current.due, current.yields) = (Duration::ZERO, false);
        true
    }

    /// The round came to its end after so many more requests; answers what it was, and when it began.
    pub fn end(&mut self, requests: u64) -> Option<(Round, Duration)> {
        let current = self.current.take()?;
        let requests = current.requests + requests;
        self.began = current.began;
        match current.round {
            Round::Full => self.full = Some((current.began, requests)),
            Round::Tail => self.tail_requests = requests,
        }
        Some((current.round, current.began))
    }

    /// Whether everything was listed once.
    pub fn was_full(&self) -> bool {
        self.full.is_some()
    }

    fn first_after(&self, current: &Current) -> Option<String> {
        match current.round {
            Round::Full => None,
            Round::Tail => self.greatest.get(current.pattern).cloned().flatten(),
        }
    }
}

/// Between two listings of so many requests, so that they keep to a budget.
fn share(requests: u64, per_hour: u32) -> Duration {
    HOUR.mul_f64(requests as f64 / f64::from(per_hour.max(1)))
}

#[cfg(test)]
#[path = "rounds_tests.rs"]
mod tests;
