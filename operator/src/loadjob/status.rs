//! Fifth step: when a status is worth a write.

use std::time::Duration;

use longshore_crds::LoadJobStatus;

/// [`crate::writes::is_due`] of a LoadJob's status.
pub fn is_due(
    before: Option<&LoadJobStatus>,
    after: &LoadJobStatus,
    last: Option<Duration>,
    interval: Duration,
) -> bool {
    crate::writes::is_due(before, after, without_numbers, last, interval)
}

/// What is left if progress is not looked at.
fn without_numbers(status: &LoadJobStatus) -> LoadJobStatus {
    let mut status = status.clone();
    status.progress = None;
    status.scan_rows = None;
    status.scan_bytes = None;
    status.filtered_rows = None;
    status.unselected_rows = None;
    status.sink_rows = None;
    status.file_number = None;
    status.file_size = None;
    status.active_seconds = None;
    if let Some(execution) = &mut status.execution {
        // Whether it counts is news; up to when is not.
        execution.active_since = execution.active_since.take().map(|_| String::new());
    }
    status
}

#[cfg(test)]
mod tests {
    use longshore_crds::{LoadExecution, LoadState};

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    #[test]
    fn news_is_written_at_once_and_numbers_now_and_then() {
        let before = LoadJobStatus { state: Some(LoadState::Loading), ..LoadJobStatus::default() };
        let numbers = LoadJobStatus { scan_rows: Some(7), active_seconds: Some(3), ..before.clone() };
        let news = LoadJobStatus { state: Some(LoadState::Committed), ..numbers.clone() };
        let soon = Some(Duration::from_secs(1));
        assert!(is_due(None, &before, None, INTERVAL));
        assert!(!is_due(Some(&before), &before, None, INTERVAL));
        assert!(!is_due(Some(&before), &numbers, soon, INTERVAL));
        assert!(is_due(Some(&before), &numbers, Some(INTERVAL), INTERVAL));
        assert!(is_due(Some(&before), &numbers, None, INTERVAL));
        assert!(is_due(Some(&numbers), &news, soon, INTERVAL));
    }

    #[test]
    fn counting_time_is_no_news_but_that_it_stops() {
        let counting = |since: Option<&str>| LoadJobStatus {
            execution: Some(LoadExecution {
                active_since: since.map(str::to_owned),
                ..LoadExecution::default()
            }),
            ..LoadJobStatus::default()
        };
        let soon = Some(Duration::from_secs(1));
        assert!(!is_due(Some(&counting(Some("1"))), &counting(Some("2")), soon, INTERVAL));
        assert!(is_due(Some(&counting(Some("1"))), &counting(None), soon, INTERVAL));
    }
}
