//! What the services of these tests are made of.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfall_lifecycle::{Report, SelfJoin, Service, Shutdown, TaskSet, Terminate, service};
use tokio::runtime::Builder;

use crate::child::say;

/// A service that would wait for an hour, so that only what a test does can end it.
pub(crate) fn patient() -> Service {
    service("relay").grace(Duration::from_secs(3_600)).abort_after(Duration::from_millis(100)).runtime(two_workers())
}

/// A service that ends within P2's bound of this.
pub(crate) fn impatient() -> Service {
    patient().grace(Duration::from_millis(100))
}

pub(crate) fn two_workers() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    builder
}

/// A component that says when it is asked to drain.
pub(crate) fn drains(name: &'static str) -> TaskSet {
    let set = TaskSet::new(name);
    let token = set.token();
    set.spawn("waits", async move {
        token.cancelled().await;
        say(&format!("{name} drained"));
    })
    .unwrap();
    set
}

/// A component that does not heed its token, and says when it is dropped.
pub(crate) fn ignores_its_token(name: &'static str) -> TaskSet {
    let set = TaskSet::new(name);
    set.spawn("pends", async move {
        let _dropped = SaysDropped(name);
        std::future::pending::<()>().await;
    })
    .unwrap();
    set
}

/// Holds both workers for ever, from when it has said so twice: one of them runs the start until then.
pub(crate) fn holds_both_workers() -> TaskSet {
    let set = TaskSet::new("busy");
    for name in ["busy 1", "busy 2"] {
        set.spawn(name, async { spin() }).unwrap();
    }
    set
}

/// One poll without an end.
pub(crate) fn spin() {
    say("busy");
    loop {
        std::thread::yield_now();
    }
}

/// Says `NAME dropped` when it is.
pub(crate) struct SaysDropped(pub(crate) &'static str);

impl Drop for SaysDropped {
    fn drop(&mut self) {
        say(&format!("{} dropped", self.0));
    }
}

/// A component that says how far the termination is, from a thread of its own; it needs no worker.
pub(crate) struct Herald {
    threads: TaskSet,
    began: std::sync::mpsc::SyncSender<Shutdown>,
}

/// Push it last or beside what is looked at, so that it is told in time.
pub(crate) fn herald() -> Herald {
    let threads = TaskSet::new("herald");
    let (began, begun) = std::sync::mpsc::sync_channel::<Shutdown>(1);
    let herald = move |_: &_| {
        let Ok(how) = begun.recv() else { return };
        say("begun");
        Builder::new_current_thread().build().unwrap().block_on(how.grace_over());
        say("grace over");
    };
    drop(threads.spawn_thread("herald", herald).unwrap());
    Herald { threads, began }
}

impl Terminate for Herald {
    fn name(&self) -> Cow<'_, str> {
        self.threads.name().into()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        drop(self.began.try_send(how.clone()));
        self.threads.begin_terminate(how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        self.begin_terminate(how);
        self.threads.terminate(how)
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.threads.ended()
    }

    fn report(&self) -> Option<Report> {
        Some(self.threads.report())
    }
}

/// Its `begin_terminate` breaks the rule that it must not block.
pub(crate) struct BeginHangs;

impl Terminate for BeginHangs {
    fn name(&self) -> Cow<'_, str> {
        "hangs".into()
    }

    fn begin_terminate(&self, _: &Shutdown) {
        say("begin hangs");
        spin();
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        Box::pin(async {
            self.begin_terminate(how);
            Ok(Report::new("hangs", how.reason().clone()))
        })
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
