//! Something that is read of every file: footers, mostly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio_util::sync::CancellationToken;

use super::LoadFailure;
use crate::infer::InferError;

/// Files read at a time: the wait is for the store.
const READERS: usize = 16;

/// What can end the reading of all files beside an error of one.
pub trait ReadAllError: Send {
    /// It was stopped from outside.
    fn cancelled() -> Self;

    /// A reader panicked.
    fn panicked() -> Self;
}

impl ReadAllError for LoadFailure {
    fn cancelled() -> Self {
        Self::Cancelled
    }

    fn panicked() -> Self {
        Self::Internal { message: "a reader of footers panicked".to_owned() }
    }
}

impl ReadAllError for InferError {
    fn cancelled() -> Self {
        Self::Cancelled
    }

    fn panicked() -> Self {
        Self::Internal("a reader of footers panicked".to_owned())
    }
}

/// Applies `read` to every file, several at a time; the results are in the files' order. Blocks.
///
/// # Errors
/// The first error of `read`; the files behind it may not have been read.
pub fn read_all<F: Sync, T: Send, E: ReadAllError>(
    files: &[F],
    cancel: &CancellationToken,
    read: impl Fn(&F) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(files.len()));
    let work = || -> Result<(), E> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(index) else { return Ok(()) };
            if cancel.is_cancelled() {
                return Err(E::cancelled());
            }
            // After an error the others need not go on.
            let result = read(file).inspect_err(|_| next.store(files.len(), Ordering::Relaxed))?;
            results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS.min(files.len())).map(|_| scope.spawn(work)).collect();
        readers.into_iter().try_for_each(|reader| match reader.join() {
            Ok(result) => result,
            Err(_) => Err(E::panicked()),
        })
    })?;
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}
