//! The row groups that wait to be decoded: filled by the threads that open files, drained by those that decode.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A list of units of work that grows while it is being worked off.
#[derive(Debug)]
pub struct WorkList<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// Units that may wait before the openers pause: what is opened ahead costs memory.
    ahead: usize,
}

#[derive(Debug)]
struct State<T> {
    files: std::ops::Range<usize>,
    opening: usize,
    ready: VecDeque<T>,
    closed: bool,
}

impl<T> WorkList<T> {
    /// A list for so many files, with so many units opened ahead.
    pub fn new(files: usize, ahead: usize) -> Self {
        let state = State { files: 0..files, opening: 0, ready: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), ahead }
    }

    /// The next file to open; waits while enough units are ready. `None`: no file is left.
    pub fn next_file(&self) -> Option<usize> {
        let mut state = self.lock();
        while !state.closed && !state.files.is_empty() && state.ready.len() >= self.ahead {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return None;
        }
        let file = state.files.next()?;
        state.opening += 1;
        Some(file)
    }

    /// Adds what an opened file gave. Once for each [`WorkList::next_file`], also when that failed.
    pub fn opened(&self, units: impl IntoIterator<Item = T>) {
        let mut state = self.lock();
        state.opening -= 1;
        state.ready.extend(units);
        self.changed.notify_all();
    }

    /// The next unit, if one is ready now.
    pub fn try_next(&self) -> Option<T> {
        let unit = self.lock().ready.pop_front();
        self.changed.notify_all();
        unit
    }

    /// The next unit; waits for files that are being opened. `None`: all is done, or the list was closed.
    pub fn next(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(unit) = state.ready.pop_front() {
                self.changed.notify_all();
                return Some(unit);
            }
            if state.files.is_empty() && state.opening == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the work at once.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.ready.clear();
        self.changed.notify_all();
    }

    /// A panic of another thread leaves the state consistent: each section changes it at its end.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn every_unit_is_worked_once_and_all_threads_end() {
        let work = WorkList::new(50, 4);
        let done = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while let Some(file) = work.next_file() {
                        // Every third file is empty.
                        work.opened((0..file % 3).map(|group| (file, group)));
                    }
                });
                scope.spawn(|| {
                    while let Some(unit) = work.try_next().or_else(|| work.next()) {
                        done.lock().unwrap().push(unit);
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap();
        done.sort_unstable();
        let expected: Vec<_> = (0..50).flat_map(|f| (0..f % 3).map(move |g| (f, g))).collect();
        assert_eq!(done, expected);
    }

    #[test]
    fn closing_ends_openers_and_decoders() {
        let work = WorkList::<u32>::new(10, 1);
        assert_eq!(work.next_file(), Some(0));
        work.close();
        assert_eq!(work.next_file(), None);
        assert_eq!(work.next(), None);
    }
}
