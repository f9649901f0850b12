//! Children that write down what they do, on the paused clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall_lifecycle::leak_check::LeakCheck;
use landfall_lifecycle::{Clock, Report, Shutdown, Terminate};
use landfall_supervise::{ChildSpec, Exit, Supervisor, SupervisorBuilder};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

/// Runs a test on the paused clock, which must leave no task behind.
pub(crate) fn guarded(test: impl Future<Output = ()>) {
    guard(Builder::new_current_thread().start_paused(true), test);
}

/// The same in real time with so many workers, for what blocks a thread.
pub(crate) fn guarded_on(workers: usize, test: impl Future<Output = ()>) {
    guard(Builder::new_multi_thread().worker_threads(workers), test);
}

fn guard(runtime: &mut Builder, test: impl Future<Output = ()>) {
    runtime.enable_time().build().unwrap().block_on(async {
        let check = LeakCheck::on(&Handle::current());
        test.await;
        if let Err(leaks) = check.finish().await {
            panic!("{leaks}");
        }
    });
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn clock() -> Clock {
    Clock::tokio(&Handle::current())
}

pub(crate) fn builder(name: &str) -> SupervisorBuilder {
    Supervisor::builder(name).clock(clock())
}

pub(crate) fn within(grace: u64, abort: u64) -> Shutdown {
    Shutdown::within_on(clock(), secs(grace), secs(abort))
}

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Inner>);

#[derive(Default)]
struct Inner {
    lines: Mutex<Vec<String>>,
    written: Notify,
}

impl Diary {
    pub(crate) fn write(&self, line: impl Into<String>) {
        self.0.lines.lock().unwrap().push(line.into());
        self.0.written.notify_waiters();
    }

    pub(crate) fn read(&self) -> Vec<String> {
        self.0.lines.lock().unwrap().clone()
    }

    /// Waits until a line was written `times` times.
    pub(crate) async fn has(&self, line: &str, times: usize) {
        loop {
            let written = self.0.written.notified();
            if self.read().iter().filter(|known| *known == line).count() >= times {
                return;
            }
            written.await;
        }
    }

    /// A worker that runs until it is asked to stop.
    pub(crate) fn worker(&self, id: &'static str) -> ChildSpec {
        let diary = self.clone();
        ChildSpec::worker(id, move |cx| {
            let diary = diary.clone();
            async move {
                diary.write(format!("start {id}"));
                let _gone = Line(diary.clone(), format!("gone {id}"));
                cx.token().cancelled().await;
                diary.write(format!("stop {id}"));
            }
        })
    }

    /// A worker that ends with the given exit whenever it is kicked.
    pub(crate) fn kicked(&self, id: &'static str, kick: &Arc<Notify>, exit: Exit) -> ChildSpec {
        let (diary, kick) = (self.clone(), Arc::clone(kick));
        ChildSpec::worker(id, move |cx| {
            let (diary, kick, exit) = (diary.clone(), Arc::clone(&kick), exit.clone());
            async move {
                diary.write(format!("start {id}"));
                let _gone = Line(diary.clone(), format!("gone {id}"));
                tokio::select! {
                    () = kick.notified() => exit,
                    () = cx.token().cancelled_owned() => Exit::Shutdown,
                }
            }
        })
    }
}

/// Writes its line when it is dropped.
pub(crate) struct Line(pub(crate) Diary, pub(crate) String);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.write(std::mem::take(&mut self.1));
    }
}

/// Ends a tree, which must be clean then.
pub(crate) async fn end(tree: &impl Terminate) {
    drop(reported_end(tree).await);
}

/// Ends a tree, and gives the report, which must be clean.
pub(crate) async fn reported_end(tree: &impl Terminate) -> Report {
    let report = tree.terminate(&within(60, 61)).await.unwrap();
    assert!(report.is_clean(), "{report}");
    report
}

pub(crate) fn crash() -> Exit {
    Exit::failed("crash")
}
