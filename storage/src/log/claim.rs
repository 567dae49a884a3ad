//! Claims: who may commit a load. A claim is the number of `txn claim/<label>`: run · 2^20 + attempt.

use super::error::TableError;

/// Bits of the attempt.
const ATTEMPT_BITS: u32 = 20;

/// The attempt that closes a run: no claim of that run can follow.
pub(crate) const CLOSED: u32 = (1 << ATTEMPT_BITS) - 1;

/// The right to commit the load of a label, for as long as it is the newest claim of that label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    label: String,
    run: u32,
    attempt: u32,
}

impl Claim {
    pub(crate) fn new(label: &str, run: u32, attempt: u32) -> Self {
        Self { label: label.to_owned(), run, attempt }
    }

    /// Reads the number of a claim.
    pub(crate) fn from_number(label: &str, number: i64) -> Self {
        let number = number.cast_unsigned();
        let attempt = (number & u64::from(CLOSED)) as u32;
        // A higher run than the operator can make reads as the highest one: it shuts out every other.
        let run = u32::try_from(number >> ATTEMPT_BITS).unwrap_or(u32::MAX);
        Self::new(label, run, attempt)
    }

    /// The number that stands in the log.
    pub(crate) fn number(&self) -> i64 {
        (i64::from(self.run) << ATTEMPT_BITS) + i64::from(self.attempt)
    }

    /// Label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Run, as the request said.
    pub fn run(&self) -> u32 {
        self.run
    }

    /// Attempt within the run, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether this claim closes its run.
    pub(crate) fn is_closing(&self) -> bool {
        self.attempt == CLOSED
    }
}

/// Name of the number of a label's newest claim.
pub(crate) fn claim_id(label: &str) -> String {
    format!("claim/{label}")
}

/// Name of the number that a loaded label leaves.
pub(crate) fn load_id(label: &str) -> String {
    format!("load/{label}")
}

/// Refuses a label that could not be a folder's name.
pub(crate) fn check_label(label: &str) -> Result<(), TableError> {
    let mut bytes = label.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if first && rest && label.len() <= 128 && !label.contains("..") {
        Ok(())
    } else {
        Err(TableError::InvalidLabel { label: label.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_label_is_a_name_that_stays_in_its_folder() {
        for good in ["a", "_x", "user_behavior-2024.01", &"l".repeat(128)] {
            check_label(good).unwrap();
        }
        for bad in ["", ".", "-a", "a..b", "a/b", "ä", "a b", &"l".repeat(129)] {
            assert_eq!(check_label(bad).unwrap_err().category(), "InvalidLabel", "{bad}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_ordered_by_run_then_attempt(
            a in (any::<u32>(), 0..=CLOSED), b in (any::<u32>(), 0..=CLOSED)
        ) {
            let first = Claim::new("l", a.0, a.1);
            let second = Claim::new("l", b.0, b.1);
            prop_assert_eq!(first.number().cmp(&second.number()), a.cmp(&b));
            prop_assert_eq!(Claim::from_number("l", first.number()), first);
        }
    }
}
