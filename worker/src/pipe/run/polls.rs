//! When the source is listed, and what follows from how a round of listing ended.

use std::time::Duration;

use tokio::time::Instant;

use super::super::listing::{self, ListError};
use super::super::progress::instant;
use super::super::rounds::{Round, RoundLimits};
use super::{BATCHES_FIRST, Pipe, PipeFailure, now_ms, random};
use crate::source::SourceError;

impl Pipe<'_> {
    /// Whether there is another round: it looks for ever, or not everything was listed yet.
    pub(super) fn lists_again(&self) -> bool {
        self.request.auto_ingest || !self.rounds.was_full()
    }

    fn limits(&self) -> RoundLimits {
        RoundLimits {
            poll_interval: Duration::from_secs(self.request.poll_interval_seconds.into()),
            requests_per_hour: self.request.max_list_requests_per_hour,
        }
    }

    pub(super) fn next_listing(&self) -> Instant {
        self.began + self.rounds.next(self.limits()).0
    }

    pub(super) fn is_listing_due(&self) -> bool {
        self.lists_again() && Instant::now() >= self.next_listing()
    }

    /// Lists, until the round is at its end, the store fails, or batches wait for long.
    pub(super) async fn list(&mut self) -> Result<(), PipeFailure> {
        let before = self.answered_list_requests();
        self.rounds.begin(self.rounds.next(self.limits()).1, self.began.elapsed());
        let place = self.rounds.place();
        let store = match self.connect().await {
            Ok(store) => store,
            Err(error) => {
                self.after_failed_listing(&error, 0);
                return Ok(());
            }
        };
        let listed =
            listing::list(&store, &self.patterns, &self.rules, &mut self.ledger, &mut self.rounds, now_ms());
        let listed = listed.await;
        let requests = self.answered_list_requests() - before;
        match listed {
            Ok(found) => {
                let whole = !found.yields;
                tracing::info!(listed = found.listed, new = found.staged, requests, whole, "listed");
                self.list_backoff.answered();
                self.context.progress.source(None, None);
                if found.yields {
                    self.rounds.pause(requests, self.began.elapsed() + BATCHES_FIRST, true);
                } else {
                    self.end_round(requests);
                }
                Ok(())
            }
            Err(ListError::Ledger(error)) => Err(error.into()),
            Err(ListError::Source(error)) => {
                if self.rounds.place() != place {
                    self.list_backoff.answered();
                }
                self.after_failed_listing(&error, requests);
                Ok(())
            }
        }
    }

    fn end_round(&mut self, requests: u64) {
        let Some((round, began)) = self.rounds.end(requests) else { return };
        let now = now_ms();
        let age = self.began.elapsed().saturating_sub(began);
        let began = now.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        self.context.progress.change(|document| {
            document.last_list_time = Some(instant(now));
            if round == Round::Full {
                // What was there by then is known.
                document.last_full_list_time = Some(instant(began));
            }
        });
    }

    /// The round goes on later where it stood. What waits for its batch does not wait for it.
    fn after_failed_listing(&mut self, error: &SourceError, requests: u64) {
        if matches!(error, SourceError::Cancelled) {
            return;
        }
        let wait = self.list_backoff.failed(random());
        self.rounds.pause(requests, self.began.elapsed() + wait, false);
        self.tell_unreachable(error.category(), error.to_string(), wait);
    }
}
