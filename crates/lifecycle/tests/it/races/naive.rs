//! What people build by hand, and what is wrong with each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::{join_all, select};
use landfall_lifecycle::{Report, Shutdown};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pings::Pings;
use super::{Job, Subject, Work};

/// Counts the futures: tokio drops an output that nobody takes, or a panic's payload, after the future has gone.
#[derive(Clone, Default)]
pub(super) struct CountsOnly(TaskTracker);

impl Subject for CountsOnly {
    fn task(&self, work: Work) {
        drop(self.0.spawn(work));
    }

    fn job(&self, job: Job) {
        drop(self.0.spawn_blocking(job));
    }

    async fn end(&self, _how: &Shutdown) -> Option<Report> {
        self.0.close();
        self.0.wait().await;
        None
    }
}

/// Aborts and does not join: an abort is a mark until the task's next poll.
#[derive(Clone, Default)]
pub(super) struct AbortsUnjoined(Arc<Mutex<Vec<AbortHandle>>>);

impl Subject for AbortsUnjoined {
    fn task(&self, work: Work) {
        self.0.lock().unwrap().push(tokio::spawn(work).abort_handle());
    }

    fn job(&self, job: Job) {
        self.0.lock().unwrap().push(tokio::task::spawn_blocking(job).abort_handle());
    }

    async fn end(&self, _how: &Shutdown) -> Option<Report> {
        self.0.lock().unwrap().drain(..).for_each(|handle| handle.abort());
        None
    }
}

/// Aborts and joins the handles that it finds at that moment: a spawn that comes later is missed.
#[derive(Clone, Default)]
pub(super) struct Snapshot(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Subject for Snapshot {
    fn task(&self, work: Work) {
        self.0.lock().unwrap().push(tokio::spawn(work.map(drop)));
    }

    fn job(&self, job: Job) {
        self.0.lock().unwrap().push(tokio::task::spawn_blocking(move || drop(job())));
    }

    async fn end(&self, _how: &Shutdown) -> Option<Report> {
        let handles = std::mem::take(&mut *self.0.lock().unwrap());
        handles.iter().for_each(JoinHandle::abort);
        join_all(handles).await;
        None
    }
}

/// Gives each task a child token and cancels them all: nobody waits for those that were told.
#[derive(Clone, Default)]
pub(super) struct ChildTokens(CancellationToken);

impl Subject for ChildTokens {
    fn task(&self, work: Work) {
        let told = self.0.child_token();
        drop(tokio::spawn(async move { drop(select(Box::pin(work), Box::pin(told.cancelled())).await) }));
    }

    fn job(&self, job: Job) {
        drop(tokio::task::spawn_blocking(job));
    }

    async fn end(&self, _how: &Shutdown) -> Option<Report> {
        self.0.cancel();
        None
    }
}

/// Joins, but only for the first who asks: whoever comes second returns at once.
#[derive(Clone, Default)]
pub(super) struct FirstCallerWaits {
    inner: Snapshot,
    is_ending: Arc<AtomicBool>,
}

impl Subject for FirstCallerWaits {
    fn task(&self, work: Work) {
        self.inner.task(work);
    }

    fn job(&self, job: Job) {
        self.inner.job(job);
    }

    async fn end(&self, how: &Shutdown) -> Option<Report> {
        if !self.is_ending.swap(true, Ordering::SeqCst) {
            self.inner.end(how).await;
        }
        None
    }
}

/// Waits for the end of grace inside of the caller's future: when that is dropped nobody aborts.
#[derive(Clone, Default)]
pub(super) struct CallerDrives(Snapshot);

impl Subject for CallerDrives {
    fn task(&self, work: Work) {
        self.0.task(work);
    }

    fn job(&self, job: Job) {
        self.0.job(job);
    }

    async fn end(&self, how: &Shutdown) -> Option<Report> {
        how.grace_over().await;
        self.0.end(how).await;
        None
    }
}

/// Takes it that a job which does not panic gives its output: not so when its runtime goes away.
#[derive(Clone, Default)]
pub(super) struct PingsUnwrapped;

impl Pings for PingsUnwrapped {
    async fn ping(&self) -> bool {
        tokio::task::spawn_blocking(|| ()).await.expect("planned: no job of mine panics");
        true
    }
}
