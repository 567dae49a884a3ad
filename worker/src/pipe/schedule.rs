//! How long a pipe waits for a store that does not answer: pure.

use std::time::Duration;

/// First and longest wait for a store or a volume.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Waits between attempts: each about twice the one before, up to five minutes, with jitter; an answer resets it.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure. `random` is uniform over
    /// its type: the wait is between half and the whole of its ceiling.
    pub fn failed(&mut self, random: u64) -> Duration {
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(16)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        wait.mul_f64(0.5 + random as f64 / u64::MAX as f64 / 2.0)
    }

    /// The other side answered.
    pub fn answered(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_five_minutes_and_an_answer_resets_them() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..11).map(|_| backoff.failed(u64::MAX).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        backoff.answered();
        assert_eq!(backoff.failed(0), Duration::from_millis(500));
    }
}
