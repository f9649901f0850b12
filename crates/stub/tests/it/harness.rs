//! What the tests share: a plugin that notes what it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall_lifecycle::{Clock, Shutdown, Terminate};
use landfall_stub::messages::{Container, PodSandbox};
use landfall_stub::testing::TestRuntime;
use landfall_stub::{Adjustment, Closed, Stub, StubBuilder};
use tokio::runtime::Handle;

/// Above every timeout of a stub: on the paused clock it is reached only when something hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// What was told, in order.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().expect("no panic").push(what.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().expect("no panic").is_empty()
    }

    /// Takes what was noted so far.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

/// The ends of generations, as `on_close` told of them.
#[derive(Clone, Default)]
pub(crate) struct Ends(Arc<Mutex<Vec<Closed>>>);

impl Ends {
    pub(crate) fn take(&self) -> Vec<Closed> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    pub(crate) fn noted_by(&self, builder: StubBuilder) -> StubBuilder {
        let ends = self.clone();
        builder.on_close(move |_, closed| {
            ends.0.lock().expect("no panic").push(closed);
            async {}
        })
    }
}

/// A plugin with the one handler that each needs.
pub(crate) fn plugin(runtime: &TestRuntime) -> StubBuilder {
    Stub::builder("logger", 10)
        .on_create_container(async |_, _, _| Ok(Adjustment::new().env("SEEN", "1")))
        .dialer(runtime.dialer())
        .clock(clock())
}

/// The paused clock of a test, where it is paused.
pub(crate) fn clock() -> Clock {
    Clock::tokio(&Handle::current())
}

pub(crate) fn pod(id: &str) -> PodSandbox {
    PodSandbox { id: id.to_owned(), ..Default::default() }
}

pub(crate) fn container(id: &str) -> Container {
    Container { id: id.to_owned(), ..Default::default() }
}

/// Fails instead of hanging.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} hangs"),
    }
}

/// Ends both, and looks whether anything was left.
pub(crate) async fn end(stub: Stub, runtime: TestRuntime) {
    let how = Shutdown::within_on(clock(), Duration::from_secs(5), Duration::from_secs(6));
    let report = soon("the end of the stub", stub.terminate(&how)).await.expect("not its own task");
    assert_eq!(report.stragglers().count() + report.remnants_all().count(), 0, "{report}");
    let report = soon(
        "the end of the runtime",
        runtime.terminate(&Shutdown::within_on(clock(), Duration::ZERO, Duration::ZERO)),
    )
    .await
    .expect("not its own task");
    assert_eq!(report.stragglers().count(), 0, "{report}");
}
