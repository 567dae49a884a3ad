//! When a status is worth a write.

use std::time::Duration;

/// Whether a status is to be written now: at once if it says something else, at most once in `interval` if
/// only numbers moved (what `without_numbers` leaves is the same), never if nothing did. `last`: how long ago it was
/// written; `None`: not by us.
pub fn is_due<S: PartialEq>(
    before: Option<&S>,
    after: &S,
    without_numbers: impl Fn(&S) -> S,
    last: Option<Duration>,
    interval: Duration,
) -> bool {
    let Some(before) = before else { return true };
    if before == after {
        return false;
    }
    let only_numbers = without_numbers(before) == without_numbers(after);
    !only_numbers || last.is_none_or(|last| last >= interval)
}
