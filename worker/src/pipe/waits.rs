//! How long to wait before another try.

use std::time::Duration;

/// The longest wait.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// The wait before another try, after so many that failed in a row (from 1): `first`, then twice as long each time, up
/// to [`LONGEST_WAIT`]. `jitter`, from 0 to 1, takes up to half of it away, so that those who failed together do not
/// come back together.
pub fn wait(failures: u32, first: Duration, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(32);
    let longest = LONGEST_WAIT.as_secs_f64();
    let whole = (first.as_secs_f64() * f64::from(2_u32.pow(doublings.min(31)))).min(longest);
    Duration::from_secs_f64(whole * (1.0 - 0.5 * jitter.clamp(0.0, 1.0)))
}

/// Tries of the store: a success forgets all failures, and no number of failures ends anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    failures: u32,
}

impl Tries {
    /// The store answered.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// It did not; how long to wait.
    pub fn failed(&mut self, first: Duration, jitter: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        wait(self.failures, first, jitter)
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_double_up_to_an_hour(
            failures in any::<u32>(), first in 1_u64..3_601, jitter in 0.0_f64..=1.0
        ) {
            let first = Duration::from_secs(first);
            let (short, long) = (wait(failures, first, 1.0), wait(failures, first, 0.0));
            let waits = wait(failures, first, jitter);
            prop_assert!(short <= waits && waits <= long && long <= LONGEST_WAIT);
            prop_assert!(long >= first.min(LONGEST_WAIT) && short.as_secs_f64() >= long.as_secs_f64() / 2.0 - 1e-6);
            let next = wait(failures.saturating_add(1), first, 0.0);
            prop_assert!(next == LONGEST_WAIT || failures == 0 || failures == u32::MAX || next == long * 2);
        }
    }

    #[test]
    fn a57_failures_between_successes_do_not_add_up() {
        let mut tries = Tries::default();
        let first = Duration::from_secs(10);
        for _ in 0..10 {
            assert_eq!(tries.failed(first, 0.0), first);
            tries.succeeded();
        }
        for _ in 0..1_000 {
            assert!(tries.failed(first, 0.5) <= LONGEST_WAIT);
        }
        assert_eq!(tries.failures(), 1_000);
    }
}
