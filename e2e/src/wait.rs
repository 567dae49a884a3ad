//! Waiting with a deadline: never a fixed sleep, and the last thing that was seen stands in the error.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often is looked.
const INTERVAL: Duration = Duration::from_millis(100);

/// What a look finds.
#[derive(Debug)]
pub enum Look<T> {
    /// It is there.
    Found(T),
    /// Not yet; what is seen instead.
    NotYet(String),
}

impl<T> Look<T> {
    /// Found, if the condition holds; else what is seen.
    pub fn when(condition: bool, value: T, seen: impl std::fmt::Debug) -> Self {
        if condition { Self::Found(value) } else { Self::NotYet(format!("{seen:?}")) }
    }
}

/// Looks until something is found or the deadline has passed. A look that fails counts as "not yet": the API may be
/// away while a test restarts it.
pub async fn until<T>(
    what: &str,
    deadline: Duration,
    mut look: impl AsyncFnMut() -> Result<Look<T>>,
) -> Result<T> {
    let begin = Instant::now();
    loop {
        let seen = match look().await {
            Ok(Look::Found(value)) => return Ok(value),
            Ok(Look::NotYet(seen)) => seen,
            Err(error) => format!("{error:#}"),
        };
        if begin.elapsed() > deadline {
            bail!("waited {deadline:?} for {what}; last seen: {seen}");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
