//! The changes of a pool, as a stream: bounded, and lossy for who reads too slowly.

use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, Stream};
use landfall_lifecycle::internal::dispose;

use crate::change::PoolEvent;
use crate::sync::Notify;

/// How many events a reader may be behind before it loses the oldest.
const EVENTS_MAX: usize = 1_024;

/// The changes of a pool, from the moment they were asked for on, in the order in which they happened. Made by
/// [`Pool::events`](crate::Pool::events).
pub struct Events {
    journal: Arc<Journal>,
    next: u64,
}

/// A reader was too slow: that many events are lost to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missed} events were missed")]
pub struct Lagged {
    /// How many.
    pub missed: u64,
}

impl Events {
    /// Waits for the next event; none when the pool has been terminated and its last connection is gone, those of
    /// handles that were left included.
    ///
    /// # Errors
    ///
    /// [`Lagged`], once, when this reader is more than 1,024 events behind; it goes on with the oldest there is.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait loses no event.
    pub async fn recv(&mut self) -> Option<Result<PoolEvent, Lagged>> {
        loop {
            // Before the look: what is told in between would be missed.
            let news = self.journal.news.notified();
            if let Some(read) = self.journal.read(&mut self.next) {
                return read;
            }
            news.await;
        }
    }

    /// The same as a `Stream`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait for the next item loses no event.
    pub fn into_stream(self) -> impl Stream<Item = Result<PoolEvent, Lagged>> + Send {
        stream::unfold(self, |mut events| async move { events.recv().await.map(|event| (event, events)) })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.journal.leave();
    }
}

impl Debug for Events {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("next", &self.next).finish_non_exhaustive()
    }
}

/// The last events of a pool. It holds nothing while nobody listens.
///
/// It is written under the core's lock, so that the order is that of the changes; read under its own.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// Somebody has news: a reader, or who waits until the pool is warm. Told once the core's lock is free.
    pub(crate) news: Notify,
    readers: AtomicUsize,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    last: VecDeque<PoolEvent>,
    /// How many there have been.
    told: u64,
    /// There will be no more.
    is_over: bool,
}

impl Journal {
    pub(crate) fn listen(self: &Arc<Self>) -> Events {
        let ring = self.ring();
        // Under the lock, as it is taken back.
        self.readers.fetch_add(1, Ordering::SeqCst);
        Events { journal: Arc::clone(self), next: ring.told }
    }

    pub(crate) fn is_heard(&self) -> bool {
        self.readers.load(Ordering::SeqCst) > 0
    }

    /// Writes an event, and gives the one that it takes the place of, or the event itself where nobody is left to read
    /// it: there may be a user's error in it, which is not dropped under a lock.
    pub(crate) fn tell(&self, event: PoolEvent) -> Option<PoolEvent> {
        let mut ring = self.ring();
        // The last reader may have left since it was asked whether there is one.
        if ring.is_over || !self.is_heard() {
            return Some(event);
        }
        let lost = if ring.last.len() == EVENTS_MAX { ring.last.pop_front() } else { None };
        ring.last.push_back(event);
        ring.told += 1;
        lost
    }

    /// Ends the stream.
    pub(crate) fn finish(&self) {
        self.ring().is_over = true;
    }

    /// What a reader who has come so far finds.
    fn read(&self, next: &mut u64) -> Option<Option<Result<PoolEvent, Lagged>>> {
        let ring = self.ring();
        let first = ring.told - ring.last.len() as u64;
        if *next < first {
            let missed = first - std::mem::replace(next, first);
            return Some(Some(Err(Lagged { missed })));
        }
        match ring.last.get((*next - first) as usize) {
            Some(event) => {
                *next += 1;
                Some(Some(Ok(event.clone())))
            }
            None => ring.is_over.then_some(None),
        }
    }

    fn leave(&self) {
        let unread = {
            let mut ring = self.ring();
            // Under the lock, so that nothing is taken from a reader that comes now.
            let was_last = self.readers.fetch_sub(1, Ordering::SeqCst) == 1;
            if was_last { std::mem::take(&mut ring.last) } else { VecDeque::new() }
        };
        // One by one: a panic while another one unwinds would end the process.
        unread.into_iter().for_each(dispose);
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::change::{PoolChange, SlotChange, SlotId};
    use crate::claim::ConnectError;

    fn resized(slots_max: usize) -> PoolEvent {
        PoolEvent::Pool(PoolChange::Resized { slots_max })
    }

    /// The number that the next event carries, or how many were missed.
    fn next(events: &mut Events) -> Option<Result<usize, u64>> {
        events.recv().now_or_never().flatten().map(|read| match read {
            Ok(PoolEvent::Pool(PoolChange::Resized { slots_max })) => Ok(slots_max),
            Ok(other) => panic!("{other:?}"),
            Err(Lagged { missed }) => Err(missed),
        })
    }

    #[test]
    fn a_reader_that_is_too_slow_is_told_how_many_it_missed_and_goes_on_with_the_oldest() {
        let journal = Arc::new(Journal::default());
        let (mut slow, mut quick) = (journal.listen(), journal.listen());
        for number in 0..EVENTS_MAX + 7 {
            let lost = journal.tell(resized(number));
            assert_eq!(lost.is_some(), number >= EVENTS_MAX, "the ring is bounded");
            assert_eq!(next(&mut quick), Some(Ok(number)));
        }
        assert_eq!(next(&mut slow), Some(Err(7)));
        for number in 7..EVENTS_MAX + 7 {
            assert_eq!(next(&mut slow), Some(Ok(number)));
        }
        assert_eq!((next(&mut slow), next(&mut quick)), (None, None));
    }

    #[test]
    fn what_nobody_listens_to_is_not_kept() {
        let journal = Arc::new(Journal::default());
        assert!(!journal.is_heard());
        let (first, second) = (journal.listen(), journal.listen());
        journal.tell(resized(1));
        drop(first);
        assert_eq!((journal.is_heard(), journal.ring().last.len()), (true, 1));
        drop(second);
        assert_eq!((journal.is_heard(), journal.ring().last.capacity()), (false, 0));
        assert!(journal.tell(resized(3)).is_some(), "it left while this was about to be told");
        assert_eq!(journal.ring().last.len(), 0);
        let mut late = journal.listen();
        assert_eq!(next(&mut late), None);
        journal.tell(resized(2));
        assert_eq!(next(&mut late), Some(Ok(2)));
    }

    #[test]
    fn the_end_comes_after_the_last_event() {
        let journal = Arc::new(Journal::default());
        let mut events = journal.listen();
        journal.tell(resized(1));
        journal.finish();
        assert!(journal.tell(resized(2)).is_some(), "nothing is told after the end");
        assert_eq!(next(&mut events), Some(Ok(1)));
        assert!(matches!(events.recv().now_or_never(), Some(None)));
        assert!(matches!(journal.listen().recv().now_or_never(), Some(None)));
    }

    #[test]
    fn unread_errors_whose_destructors_panic_are_dropped_one_by_one() {
        #[derive(Debug, thiserror::Error)]
        #[error("planned")]
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("planned");
            }
        }
        let journal = Arc::new(Journal::default());
        let events = journal.listen();
        let backend = Arc::new(crate::Backend::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1))));
        for index in 0..2 {
            let error = ConnectError::Failed { backend: (*backend).clone(), source: Arc::new(Panics) };
            let (slot, change) = (SlotId { index, generation: 0 }, SlotChange::ConnectFailed(error));
            journal.tell(PoolEvent::Slot { slot, backend: Arc::clone(&backend), change });
        }
        drop(events);
    }
}
