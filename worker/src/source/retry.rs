//! How long to try again, by the class of the error.

use std::time::{Duration, Instant};

use super::metrics::Outcome;

/// How often and how long requests are made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Requests at most when the store or the network fails, the first included.
    pub attempts: u32,
    /// Requests at most when the store asks to slow down, the first included.
    pub throttled_attempts: u32,
    /// The first wait is between nothing and this; each further one may be twice as long.
    pub base_delay: Duration,
    /// No wait is longer.
    pub max_delay: Duration,
    /// No attempt begins later than this after the first.
    pub total: Duration,
    /// One request, connection and body included, takes at most this.
    pub attempt: Duration,
    /// A body may pause at most this long.
    pub stall: Duration,
    /// How long a mounted Secret is waited for after the store refused its key, which it had taken before: the
    /// kubelet brings a new version a minute or two after it was written.
    pub rotation: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            throttled_attempts: 12,
            base_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(20),
            total: Duration::from_secs(300),
            attempt: Duration::from_secs(90),
            stall: Duration::from_secs(20),
            rotation: Duration::from_secs(150),
        }
    }
}

/// The tries of one request so far.
#[derive(Debug)]
pub(super) struct Tries {
    policy: RetryPolicy,
    started: Instant,
    failed: u32,
    throttled: u32,
}

impl Tries {
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self { policy, started: Instant::now(), failed: 0, throttled: 0 }
    }

    /// How long to wait before the next try after one that ended so; `None`: no next try. `random` is
    /// uniform over its type (full jitter, so that many clients do not come back at once).
    pub(super) fn next_delay(&mut self, outcome: Outcome, random: u64) -> Option<Duration> {
        let (tries, limit) = match outcome {
            Outcome::Throttled => (&mut self.throttled, self.policy.throttled_attempts),
            Outcome::Transient | Outcome::Timeout => (&mut self.failed, self.policy.attempts),
            _ => return None,
        };
        *tries += 1;
        if *tries >= limit {
            return None;
        }
        // One class doubles by its own tries: a 500 among throttled answers does not count for them.
        let ceiling =
            self.policy.base_delay.saturating_mul(1 << (*tries - 1).min(20)).min(self.policy.max_delay);
        let delay = ceiling.mul_f64(random as f64 / u64::MAX as f64);
        (self.started.elapsed() + delay < self.policy.total).then_some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_own_patience() {
        let policy = RetryPolicy::default();
        let count = |outcome| {
            let mut tries = Tries::new(policy);
            std::iter::from_fn(|| tries.next_delay(outcome, 0)).count() as u32 + 1
        };
        assert_eq!(count(Outcome::Transient), policy.attempts);
        assert_eq!(count(Outcome::Timeout), policy.attempts);
        assert_eq!(count(Outcome::Throttled), policy.throttled_attempts);
        for outcome in [Outcome::Unauthorised, Outcome::NotFound, Outcome::Changed, Outcome::Other] {
            assert_eq!(count(outcome), 1);
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut tries = Tries::new(RetryPolicy::default());
        let waits: Vec<u128> = std::iter::from_fn(|| tries.next_delay(Outcome::Throttled, u64::MAX))
            .map(|delay| delay.as_millis())
            .collect();
        assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000, 20000, 20000]);
    }

    #[test]
    fn no_try_begins_after_the_total() {
        let policy = RetryPolicy { total: Duration::from_millis(300), ..RetryPolicy::default() };
        let mut tries = Tries::new(policy);
        assert!(tries.next_delay(Outcome::Throttled, u64::MAX).is_some());
        assert!(tries.next_delay(Outcome::Throttled, u64::MAX).is_none());
    }
}
