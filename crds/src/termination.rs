//! Cutting a report until it fits a pod's termination message, or what a poll reads.

use serde::Serialize;

/// The report as JSON in at most `limit` bytes. One that is too long goes to `shorten`
/// once, to say that it was cut, and then to `cut` with the bytes in excess until it fits or `cut` says that
/// nothing is left to cut.
pub(crate) fn fit<T: Serialize + Clone>(
    report: &T,
    limit: usize,
    shorten: impl FnOnce(&mut T),
    mut cut: impl FnMut(&mut T, usize) -> bool,
) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string(report)?;
    if text.len() <= limit {
        return Ok(text);
    }
    let mut report = report.clone();
    shorten(&mut report);
    loop {
        let text = serde_json::to_string(&report)?;
        let excess = text.len().saturating_sub(limit);
        if excess == 0 || !cut(&mut report, excess) {
            return Ok(text);
        }
    }
}

/// Takes bytes off the end of a text; false: nothing is left. Escapes make text longer in JSON, never
/// shorter: the cut may have to be repeated.
pub(crate) fn cut_text(text: &mut String, excess: usize) -> bool {
    let before = text.len();
    cut_to(text, before.saturating_sub(excess));
    text.len() < before
}

/// Takes bytes off the end of a text that is longer than `bytes`, whole characters at a time.
pub fn cut_to(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
}
