//! A queue between threads whose bound is bytes, not entries: one wide batch weighs as much as many
//! narrow ones.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Many producers, one consumer. Ends when every producer has left, or at once when it is closed.
#[derive(Debug)]
pub struct ByteQueue<T> {
    state: Mutex<State<T>>,
    /// Signals room to the producers and entries to the consumer.
    changed: Condvar,
    limit: usize,
}

#[derive(Debug)]
struct State<T> {
    entries: VecDeque<(T, usize)>,
    bytes: usize,
    producers: usize,
    closed: bool,
}

impl<T> ByteQueue<T> {
    /// A queue that holds up to `limit` bytes (one entry always fits) and expects so many producers.
    pub fn new(limit: usize, producers: usize) -> Self {
        let state = State { entries: VecDeque::new(), bytes: 0, producers, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), limit }
    }

    /// Waits for room, then adds the entry. `false`: the queue was closed and the entry is dropped.
    pub fn push(&self, entry: T, bytes: usize) -> bool {
        let mut state = self.lock();
        while !state.closed && state.bytes > 0 && state.bytes + bytes > self.limit {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        state.bytes += bytes;
        state.entries.push_back((entry, bytes));
        self.changed.notify_all();
        true
    }

    /// Waits for an entry. `None`: closed, or every producer has left and nothing remains.
    pub fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some((entry, bytes)) = state.entries.pop_front() {
                state.bytes -= bytes;
                self.changed.notify_all();
                return Some(entry);
            }
            if state.producers == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A producer leaves.
    pub fn leave(&self) {
        let mut state = self.lock();
        state.producers = state.producers.saturating_sub(1);
        self.changed.notify_all();
    }

    /// Ends both sides at once; entries inside are dropped.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.entries.clear();
        state.bytes = 0;
        self.changed.notify_all();
    }

    /// A panic of another thread leaves counts and entries consistent: each section changes them at its end.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn everything_pushed_comes_out_once_and_the_bound_holds() {
        let queue = Arc::new(ByteQueue::new(10, 3));
        let producers: Vec<_> = (0..3_u64)
            .map(|producer| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    for entry in 0..500 {
                        assert!(queue.push(producer * 1000 + entry, 4));
                    }
                    queue.leave();
                })
            })
            .collect();
        let mut seen = Vec::new();
        while let Some(entry) = queue.pop() {
            assert!(queue.lock().bytes <= 10);
            seen.push(entry);
        }
        for producer in producers {
            producer.join().unwrap();
        }
        seen.sort_unstable();
        let expected: Vec<u64> = (0..3).flat_map(|p| (0..500).map(move |e| p * 1000 + e)).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn an_entry_larger_than_the_bound_passes_alone() {
        let queue = ByteQueue::new(10, 1);
        assert!(queue.push("large", 1_000));
        assert_eq!(queue.pop(), Some("large"));
        queue.leave();
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn closing_frees_a_waiting_producer() {
        let queue = Arc::new(ByteQueue::new(1, 1));
        assert!(queue.push(1, 1));
        let waiting = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.push(2, 1))
        };
        queue.close();
        assert!(!waiting.join().unwrap());
        assert_eq!(queue.pop(), None);
    }
}
