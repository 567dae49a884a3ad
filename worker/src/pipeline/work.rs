//! The parts of files that wait to be decoded: filled by the threads that open and cut files, drained by those
//! that decode.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A list of units of work that grows while it is being worked off.
#[derive(Debug)]
pub struct WorkList<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// Units that may wait before the openers pause: what is opened ahead costs memory.
    ahead: usize,
    /// Bytes that they may hold; one unit may wait whatever its size.
    ahead_bytes: usize,
}

#[derive(Debug)]
struct State<T> {
    files: std::ops::Range<usize>,
    opening: usize,
    ready: VecDeque<(T, usize)>,
    /// Bytes of what is ready.
    bytes: usize,
    closed: bool,
}

impl<T> State<T> {
    fn take(&mut self) -> Option<T> {
        let (unit, bytes) = self.ready.pop_front()?;
        self.bytes -= bytes;
        Some(unit)
    }
}

impl<T> WorkList<T> {
    /// A list for so many files, with so many units and bytes ready ahead.
    pub fn new(files: usize, ahead: usize, ahead_bytes: usize) -> Self {
        let ready = VecDeque::new();
        let state = State { files: 0..files, opening: 0, ready, bytes: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), ahead, ahead_bytes }
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

    /// Adds a unit that holds so many bytes; waits while enough are ready. `false`: the list was closed.
    pub fn offer(&self, unit: T, bytes: usize) -> bool {
        let mut state = self.lock();
        let full = |state: &State<T>| {
            state.ready.len() >= self.ahead
                || (!state.ready.is_empty() && state.bytes + bytes > self.ahead_bytes)
        };
        while !state.closed && full(&state) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        state.bytes += bytes;
        state.ready.push_back((unit, bytes));
        self.changed.notify_all();
        true
    }

    /// A file gives no more units. Once for each [`WorkList::next_file`], also when it failed.
    pub fn file_cut(&self) {
        self.lock().opening -= 1;
        self.changed.notify_all();
    }

    /// The next unit, if one is ready now.
    pub fn try_next(&self) -> Option<T> {
        let unit = self.lock().take();
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
            if let Some(unit) = state.take() {
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
        state.bytes = 0;
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
        let work = WorkList::new(50, 4, 10);
        let done = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while let Some(file) = work.next_file() {
                        // Every third file is empty; some units are larger than the bound.
                        for group in 0..file % 3 {
                            assert!(work.offer((file, group), file));
                        }
                        work.file_cut();
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
        let work = WorkList::<u32>::new(10, 1, 1);
        assert_eq!(work.next_file(), Some(0));
        work.close();
        assert!(!work.offer(7, 1));
        assert_eq!(work.next_file(), None);
        assert_eq!(work.next(), None);
    }
}
