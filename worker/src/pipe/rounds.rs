//! When the source is listed, and from where.
//!
//! A listing of the whole source finds whatever there is, however it is called and whenever it came. Where that is
//! more than the budget of list requests allows at each poll, polls between two such list only what comes after the
//! greatest key that was seen: cheap, and enough for writers whose names ascend. The greatest key is a hint where to
//! look first, never a reason to take a file for known: that is the ledger's alone.

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Round {
    /// Everything.
    Full,
    /// What comes after this key.
    After(String),
}

/// What was learned of the source so far. Instants are counted from when the worker began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rounds {
    /// Requests of the last listing of everything.
    full_requests: u64,
    /// Requests of the last listing of what comes after a key.
    tail_requests: u64,
    /// When the last listing of everything began that came to its end.
    full_at: Option<Duration>,
    /// When the last round began.
    began: Option<Duration>,
    /// The greatest key that was listed.
    greatest: Option<String>,
}

impl Rounds {
    /// When the next round begins, and what it lists.
    pub fn next(&self, limits: RoundLimits) -> (Duration, Round) {
        let (Some(full_at), Some(began)) = (self.full_at, self.began) else {
            return (Duration::ZERO, Round::Full);
        };
        let every_poll = share(self.full_requests, limits.requests_per_hour);
        // Where nothing was found there is nothing to come after.
        let greatest = self.greatest.as_ref().filter(|_| every_poll > limits.poll_interval);
        let Some(greatest) = greatest else {
            return (began + limits.poll_interval.max(every_poll), Round::Full);
        };
        // Half of the budget for each kind.
        let half = (limits.requests_per_hour / 2).max(1);
        let full = full_at + share(self.full_requests, half);
        let tail = began + limits.poll_interval.max(share(self.tail_requests.max(1), half));
        if full <= tail {
            (full.max(began + limits.poll_interval), Round::Full)
        } else {
            (tail, Round::After(greatest.clone()))
        }
    }

    /// A round came to its end: when it began, what it cost, and the greatest key that it listed.
    pub fn ended(&mut self, round: &Round, began: Duration, requests: u64, greatest: Option<&str>) {
        self.began = Some(began);
        match round {
            Round::Full => (self.full_at, self.full_requests) = (Some(began), requests),
            Round::After(_) => self.tail_requests = requests,
        }
        if let Some(key) = greatest
            && self.greatest.as_deref() < Some(key)
        {
            self.greatest = Some(key.to_owned());
        }
    }

    /// How long ago the last listing of everything began: every file that was there by then is known. `None`: there
    /// was none.
    pub fn age(&self, now: Duration) -> Option<Duration> {
        self.full_at.map(|at| now.saturating_sub(at))
    }
}

/// Between two listings of so many requests, so that they keep to a budget.
fn share(requests: u64, per_hour: u32) -> Duration {
    HOUR.mul_f64(requests as f64 / f64::from(per_hour.max(1)))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// Objects by key, with the second in which they appear.
    type Store = BTreeMap<String, u64>;

    /// Lists page by page; the store goes on changing between two pages. Gives requests, new keys and the end.
    fn list(
        store: &Store,
        round: &Round,
        pages: &[usize],
        begin: Duration,
        page_seconds: u64,
        known: &mut BTreeSet<String>,
    ) -> (u64, Option<String>, Duration) {
        let mut after = match round {
            Round::Full => String::new(),
            Round::After(key) => key.clone(),
        };
        let (mut requests, mut greatest, mut now) = (0, None, begin);
        loop {
            let size = pages[requests as usize % pages.len()];
            requests += 1;
            let here = |appears: u64| Duration::from_secs(appears) <= now;
            let page: Vec<String> = store
                .range(after.clone()..)
                .filter(|(key, appears)| **key != after && here(**appears))
                .take(size)
                .map(|(key, _)| key.clone())
                .collect();
            now += Duration::from_secs(page_seconds);
            let is_last = page.len() < size;
            if let Some(last) = page.last() {
                after.clone_from(last);
                greatest = greatest.max(Some(last.clone()));
            }
            known.extend(page);
            if is_last {
                return (requests, greatest, now);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

        /// Whatever the order of names and times, and wherever pages end: every object is found, by the next listing
        /// of everything that begins after it appeared, and requests keep to the budget.
        #[test]
        fn every_object_is_found(
            objects in prop::collection::btree_map("[a-d/]{1,4}", 0_u64..4_000, 0..60),
            pages in prop::collection::vec(1_usize..9, 1..4),
            page_seconds in 0_u64..3,
            interval in 1_u64..600,
            per_hour in 12_u32..400,
        ) {
            let store: Store = objects;
            let limits = RoundLimits {
                poll_interval: Duration::from_secs(interval), requests_per_hour: per_hour
            };
            let (mut rounds, mut known) = (Rounds::default(), BTreeSet::new());
            let (mut now, mut requests, mut fulls) = (Duration::ZERO, 0_u64, 0);
            let mut most = 0;
            let last = store.values().max().copied().unwrap_or(0);
            // One listing of everything after the last object.
            loop {
                let (due, round) = rounds.next(limits);
                let begin = due.max(now);
                prop_assert!(rounds.began.is_none_or(|began| begin >= began + limits.poll_interval));
                let (cost, greatest, end) = list(&store, &round, &pages, begin, page_seconds, &mut known);
                rounds.ended(&round, begin, cost, greatest.as_deref());
                (now, requests, most) = (end, requests + cost, most.max(cost));
                fulls += u64::from(round == Round::Full);
                for (key, appears) in &store {
                    let was_there = round == Round::Full && Duration::from_secs(*appears) <= begin;
                    prop_assert!(!was_there || known.contains(key), "{key:?}");
                }
                if round == Round::Full && begin.as_secs() >= last {
                    break;
                }
                // Costs that were not known before the first rounds may be beyond the budget; none after them.
                let hours = now.as_secs_f64() / HOUR.as_secs_f64();
                prop_assert!(requests as f64 <= f64::from(per_hour) * hours + 3.0 * most as f64 + 3.0);
            }
            prop_assert_eq!(known, store.into_keys().collect::<BTreeSet<_>>());
            prop_assert!(fulls >= 1);
        }
    }

    fn after_a_full_round(requests: u64, limits: RoundLimits) -> Rounds {
        let mut rounds = Rounds::default();
        assert_eq!(rounds.next(limits), (Duration::ZERO, Round::Full));
        rounds.ended(&Round::Full, Duration::ZERO, requests, Some("m"));
        rounds
    }

    #[test]
    fn everything_is_listed_at_each_poll_while_that_fits_the_budget() {
        let limits = RoundLimits { poll_interval: Duration::from_secs(10), requests_per_hour: 3_600 };
        let rounds = after_a_full_round(10, limits);
        assert_eq!(rounds.next(limits), (Duration::from_secs(10), Round::Full));
        let mut rounds = after_a_full_round(1_000, limits);
        assert_eq!(rounds.next(limits), (Duration::from_secs(10), Round::After("m".to_owned())));
        rounds.ended(&Round::After("m".to_owned()), Duration::from_secs(10), 1, Some("n"));
        assert_eq!(rounds.next(limits), (Duration::from_secs(20), Round::After("n".to_owned())));
        // A smaller key never takes the place of a greater one, and everything comes round.
        rounds.ended(&Round::After("n".to_owned()), Duration::from_secs(1_995), 1, Some("a"));
        assert_eq!(rounds.next(limits), (Duration::from_secs(2_005), Round::Full));
        assert_eq!(rounds.age(Duration::from_secs(2_005)), Some(Duration::from_secs(2_005)));
    }
}
