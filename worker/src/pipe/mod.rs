//! A pipe: a prefix becomes a table, file by file, each exactly once (design §6).
//!
//! ```text
//! begin (epoch, ledger) ─▶ list ─▶ rules ─▶ ledger ─▶ line ─▶ batch ─▶ commit ─▶ ledger
//!                           ▲                                                      │
//!                           └──────────────── poll, backoff ───────────────────────┘
//! ```
//!
//! A file is known by bucket, key and ETag. What is loaded follows from the table's log alone; the ledger says
//! what need not be looked at again. A worker may die at any instant: the next one takes a new epoch, reads from
//! the log what became of the last batch, and goes on.

mod after_load;
mod batch;
mod blame;
mod compaction;
mod end;
mod failed;
mod line;
mod listing;
mod metrics;
mod progress;
mod retry;
mod rounds;
mod rules;
mod run;
mod schedule;
mod waiting;

pub use after_load::InvalidAfterLoad;
pub use blame::{Blame, blame};
pub use end::{PipeEnd, PipeFailure};
pub use line::{BatchLimits, DEATHS, Line, Next, Waiting};
pub use listing::{Found, ListError};
pub use metrics::register as register_metrics;
pub use progress::{SharedProgress, instant};
pub use retry::{Retry, RetryError, retry};
pub use rounds::{Round, RoundLimits, Rounds};
pub use rules::{InvalidStart, Rules, Verdict};
pub use run::{PipeContext, run};
pub use schedule::Backoff;
