//! What a person sees while a load runs: a bar on a terminal, else a line every few seconds.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use longshore_worker::progress::{Phase, Progress};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often the bar is drawn.
const BAR_INTERVAL: Duration = Duration::from_millis(200);
/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// Steps of the bar: bytes may be zero, its length not.
const BAR_STEPS: u64 = 1_000;

/// Shows the progress of one load until [`Watch::end`].
#[derive(Debug)]
pub struct Watch {
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Watch {
    /// Starts to show; on standard error, so that standard output holds results only.
    pub fn start(name: String, progress: Arc<Progress>) -> Self {
        let end = CancellationToken::new();
        let ended = end.clone();
        let task = tokio::spawn(async move {
            if std::io::stderr().is_terminal() {
                show_bar(&name, &progress, &ended).await;
            } else {
                write_lines(&name, &progress, &ended).await;
            }
        });
        Self { end, task }
    }

    /// Takes the bar away.
    pub async fn end(self) {
        self.end.cancel();
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the progress display failed");
        }
    }
}

async fn show_bar(name: &str, progress: &Progress, ended: &CancellationToken) {
    let bar = ProgressBar::with_draw_target(Some(BAR_STEPS), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(name.to_owned());
    let started = Instant::now();
    while wait(ended, BAR_INTERVAL).await {
        let seen = Seen::of(progress);
        bar.set_position(seen.thousandths());
        bar.set_message(seen.text(started.elapsed()));
    }
    bar.finish_and_clear();
}

async fn write_lines(name: &str, progress: &Progress, ended: &CancellationToken) {
    let started = Instant::now();
    while wait(ended, LINE_INTERVAL).await {
        eprintln!("{name}: {}", Seen::of(progress).text(started.elapsed()));
    }
}

/// Waits; false: it is over.
async fn wait(ended: &CancellationToken, interval: Duration) -> bool {
    tokio::select! {
        () = ended.cancelled() => false,
        () = tokio::time::sleep(interval) => true,
    }
}

/// The counters at one instant.
#[derive(Debug, Clone, Copy)]
struct Seen {
    phase: Phase,
    files_listed: u64,
    files_done: u64,
    files_total: u64,
    bytes_read: u64,
    bytes_total: u64,
    rows_read: u64,
    rows_filtered: u64,
}

impl Seen {
    fn of(progress: &Progress) -> Self {
        Self {
            phase: progress.phase(),
            files_listed: Progress::get(&progress.files_listed),
            files_done: Progress::get(&progress.files_done),
            files_total: Progress::get(&progress.files_total),
            bytes_read: Progress::get(&progress.bytes_read),
            bytes_total: Progress::get(&progress.bytes_total),
            rows_read: Progress::get(&progress.rows_read),
            rows_filtered: Progress::get(&progress.rows_filtered),
        }
    }

    /// Share of the bytes that is read, 0…1,000.
    fn thousandths(&self) -> u64 {
        match self.phase {
            Phase::Starting | Phase::Listing => 0,
            Phase::Committing | Phase::Done => BAR_STEPS,
            Phase::Loading => {
                let share = u128::from(self.bytes_read) * u128::from(BAR_STEPS);
                let share = share.checked_div(u128::from(self.bytes_total)).unwrap_or(0);
                u64::try_from(share).unwrap_or(BAR_STEPS).min(BAR_STEPS)
            }
        }
    }

    fn text(&self, elapsed: Duration) -> String {
        match self.phase {
            Phase::Starting => "opening the table".to_owned(),
            Phase::Listing => format!("listing: {} files", HumanCount(self.files_listed)),
            Phase::Loading => self.loading_text(elapsed),
            Phase::Committing => format!(
                "committing {} rows",
                HumanCount(self.rows_read - self.rows_filtered.min(self.rows_read))
            ),
            Phase::Done => "done".to_owned(),
        }
    }

    fn loading_text(&self, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(0.001);
        let mut text = format!(
            "{}%  {} of {}  {} of {} files  {} rows  {} rows/s",
            self.thousandths() / 10,
            HumanBytes(self.bytes_read),
            HumanBytes(self.bytes_total),
            HumanCount(self.files_done),
            HumanCount(self.files_total),
            HumanCount(self.rows_read),
            HumanCount((self.rows_read as f64 / seconds) as u64),
        );
        let filtered = if self.rows_filtered > 0 {
            write!(text, "  {} filtered", HumanCount(self.rows_filtered))
        } else {
            Ok(())
        };
        let left = match self.time_left(elapsed) {
            Some(left) => write!(text, "  {} left", HumanDuration(left)),
            None => Ok(()),
        };
        // Writing to a String cannot fail.
        debug_assert!(filtered.is_ok() && left.is_ok());
        text
    }

    fn time_left(&self, elapsed: Duration) -> Option<Duration> {
        if self.bytes_read == 0 || self.bytes_read >= self.bytes_total {
            return None;
        }
        let share = self.bytes_read as f64 / self.bytes_total as f64;
        Duration::try_from_secs_f64(elapsed.as_secs_f64() * (1.0 - share) / share).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_shown_with_share_speed_and_time_left() {
        let progress = Progress::default();
        progress.enter(Phase::Listing);
        Progress::add(&progress.files_listed, 12);
        assert_eq!(Seen::of(&progress).text(Duration::from_secs(1)), "listing: 12 files");
        progress.enter(Phase::Loading);
        Progress::add(&progress.files_total, 12);
        Progress::add(&progress.files_done, 3);
        Progress::add(&progress.bytes_total, 4 << 20);
        Progress::add(&progress.bytes_read, 1 << 20);
        Progress::add(&progress.rows_read, 50_000);
        let seen = Seen::of(&progress);
        assert_eq!(seen.thousandths(), 250);
        assert_eq!(
            seen.text(Duration::from_secs(10)),
            "25%  1.00 MiB of 4.00 MiB  3 of 12 files  50,000 rows  5,000 rows/s  30 seconds left"
        );
    }

    #[test]
    fn a_load_of_nothing_divides_by_nothing() {
        let progress = Progress::default();
        progress.enter(Phase::Loading);
        let seen = Seen::of(&progress);
        assert_eq!((seen.thousandths(), seen.time_left(Duration::ZERO)), (0, None));
    }
}
