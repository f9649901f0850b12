//! The children that are started, crashed and stopped: the same for every contender.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// What the children of one tree share with whoever measures.
pub(super) struct Children {
    epoch: Instant,
    crash: Vec<Notify>,
    /// The child whose restart is measured.
    awaited: AtomicUsize,
    crashed_at: AtomicU64,
    up_at: AtomicU64,
    is_up: Notify,
    alive: AtomicUsize,
}

/// Counts the living.
struct Alive(Arc<Children>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Children {
    pub(super) fn new(count: usize) -> Arc<Self> {
        let crash = (0..count).map(|_| Notify::new()).collect();
        let [crashed_at, up_at] = [(); 2].map(|()| AtomicU64::new(0));
        let (awaited, alive) = (AtomicUsize::new(usize::MAX), AtomicUsize::new(0));
        Arc::new(Self { epoch: Instant::now(), crash, awaited, crashed_at, up_at, is_up: Notify::new(), alive })
    }

    pub(super) fn len(&self) -> usize {
        self.crash.len()
    }

    /// How many have been polled and have not ended.
    pub(super) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    pub(super) async fn all_alive(&self) {
        while self.alive() < self.len() {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until none lives any more.
    pub(super) async fn all_gone(&self) {
        while self.alive() > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Works until it is told to crash.
    pub(super) async fn work(self: Arc<Self>, number: usize) -> Result<(), &'static str> {
        let _alive = self.came_up(number);
        self.crash[number].notified().await;
        self.crashed_at.store(self.now(), Ordering::Relaxed);
        Err("it was told to")
    }

    /// Is there, and counts as long.
    pub(super) async fn exist(self: Arc<Self>, number: usize, until: impl Future<Output = ()>) {
        let _alive = self.came_up(number);
        until.await;
    }

    fn came_up(self: &Arc<Self>, number: usize) -> Alive {
        self.alive.fetch_add(1, Ordering::Relaxed);
        if self.awaited.load(Ordering::Relaxed) == number {
            self.up_at.store(self.now(), Ordering::Relaxed);
            self.is_up.notify_one();
        }
        Alive(Arc::clone(self))
    }

    /// The time from the end of a child's work to the first poll of the next instance.
    pub(super) async fn crash(&self, number: usize) -> Duration {
        self.awaited.store(number, Ordering::Relaxed);
        self.crash[number].notify_one();
        self.is_up.notified().await;
        Duration::from_nanos(self.up_at.load(Ordering::Relaxed) - self.crashed_at.load(Ordering::Relaxed))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
