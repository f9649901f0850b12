//! What a consumer has read and its reader has not taken: bounded in records and in bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::ConsumeError;
use crate::message::Fetched;
use crate::settings::ConsumerSettings;

#[derive(Debug)]
pub(super) struct Store {
    state: Mutex<State>,
    records_max: usize,
    bytes_max: usize,
    /// For the reader: there is something, or nothing comes any more.
    filled: Notify,
    /// For the worker, which waits for both at once: there is room, or the reader has gone.
    emptied: Notify,
}

#[derive(Debug)]
struct State {
    records: VecDeque<Fetched>,
    bytes: usize,
    next: Next,
    end: End,
}

/// Where reading goes on.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// Where it is told to begin.
    Begin,
    At(i64),
    /// The offset was out of range.
    Anew,
}

/// | from     | event                                | to       |
/// |----------|--------------------------------------|----------|
/// | `Open`   | the consumer fails                   | `Failed` |
/// | `Open`   | the consumer is over                 | `Over`   |
/// | any      | the reader goes                      | `Left`   |
/// | `Failed` | the reader is told                   | `Over`   |
#[derive(Debug)]
enum End {
    Open,
    Failed(ConsumeError),
    Over,
    Left,
}

impl Store {
    pub(super) fn new(settings: &ConsumerSettings) -> Self {
        Self {
            state: Mutex::new(State { records: VecDeque::new(), bytes: 0, next: Next::Begin, end: End::Open }),
            records_max: settings.prefetch_records,
            bytes_max: settings.prefetch_bytes,
            filled: Notify::new(),
            emptied: Notify::new(),
        }
    }

    /// It is changed by this file's code alone, which does not panic half way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_offset(&self) -> Option<i64> {
        match self.lock().next {
            Next::At(offset) => Some(offset),
            Next::Begin | Next::Anew => None,
        }
    }

    pub(super) fn was_out_of_range(&self) -> bool {
        matches!(self.lock().next, Next::Anew)
    }

    /// Takes in what was read, and where to go on.
    pub(super) fn fill(&self, records: Vec<Fetched>, next: i64) {
        let mut state = self.lock();
        state.next = Next::At(next);
        if matches!(state.end, End::Open) {
            state.bytes += records.iter().map(Fetched::bytes).sum::<usize>();
            state.records.extend(records);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// The offset at which it was is out of range.
    pub(super) fn lose_offset(&self) {
        self.lock().next = Next::Anew;
    }

    pub(super) fn fail(&self, error: ConsumeError) {
        let mut state = self.lock();
        if matches!(state.end, End::Open) {
            state.end = End::Failed(error);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Nothing comes any more.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        if matches!(state.end, End::Open) {
            state.end = End::Over;
        }
        drop(state);
        self.filled.notify_one();
    }

    /// The reader has gone.
    pub(super) fn leave(&self) {
        let mut state = self.lock();
        state.end = End::Left;
        state.bytes = 0;
        let records = std::mem::take(&mut state.records);
        drop(state);
        drop(records);
        self.emptied.notify_waiters();
    }

    /// Waits until there is room; false if the reader has gone. Cancel safe.
    pub(super) async fn has_room(&self) -> bool {
        loop {
            let emptied = self.emptied.notified();
            {
                let state = self.lock();
                match state.end {
                    End::Open if state.records.len() < self.records_max && state.bytes < self.bytes_max => return true,
                    End::Open => {}
                    End::Failed(_) | End::Over | End::Left => return false,
                }
            }
            emptied.await;
        }
    }

    /// Waits until the reader has gone. Cancel safe.
    pub(super) async fn left(&self) {
        loop {
            let emptied = self.emptied.notified();
            if matches!(self.lock().end, End::Left) {
                return;
            }
            emptied.await;
        }
    }

    pub(super) async fn next(&self) -> Option<Result<Fetched, ConsumeError>> {
        loop {
            {
                let mut state = self.lock();
                if let Some(record) = state.records.pop_front() {
                    state.bytes -= record.bytes();
                    drop(state);
                    self.emptied.notify_waiters();
                    return Some(Ok(record));
                }
                match std::mem::replace(&mut state.end, End::Over) {
                    End::Open => state.end = End::Open,
                    End::Failed(error) => return Some(Err(error)),
                    End::Over | End::Left => return None,
                }
            }
            self.filled.notified().await;
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().records.len()
    }
}

/// Tells the reader that nothing comes any more, when the child's factory goes: with its spec, when it has ended for good.
#[derive(Debug)]
pub(super) struct EndOnDrop(pub(super) Arc<Store>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.finish();
    }
}
