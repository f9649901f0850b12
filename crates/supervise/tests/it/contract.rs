//! A supervisor keeps the rules of everything that is `Terminate`.

use std::sync::Mutex;

use futures_util::future::FutureExt;
use landfall_lifecycle::testing::{Contract, Work};
use landfall_supervise::{ChildSpec, RestartType, ShutdownPolicy, Supervisor};

use crate::harness::guarded_on;

fn made() -> Supervisor {
    let start = Supervisor::builder("app").answers_early().start();
    start.now_or_never().expect("it answers early").expect("it is set up right")
}

/// A temporary child that does the work; the call is posted by its first poll, whoever waits for the answer.
fn start(supervisor: &Supervisor, work: Work) {
    let work = Mutex::new(Some(work));
    let spec = ChildSpec::worker("work", move |_cx| {
        let work = work.lock().expect("nothing panics there").take();
        async move {
            if let Some(work) = work {
                work.await;
            }
        }
    });
    let spec = spec.restart(RestartType::Temporary).shutdown(ShutdownPolicy::Infinity);
    drop(supervisor.start_child(spec).now_or_never());
}

#[test]
fn a_supervisor_keeps_the_contract() {
    guarded_on(2, async {
        Contract::of(made).work(start).check().await.assert_kept();
    });
}
