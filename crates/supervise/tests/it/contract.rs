//! All that is a supervisor keeps the rules of everything that is `Terminate`.

use std::sync::Mutex;

use futures_util::future::FutureExt;
use landfall_lifecycle::testing::{Contract, Work};
use landfall_supervise::{
    ChildSpec, Partitions, RestartType, ShutdownPolicy, SimpleSupervisor, Strategy, Supervisor, Template,
};

use crate::harness::guarded_on;

type Job = std::sync::Arc<Mutex<Option<Work>>>;

fn made(strategy: Strategy) -> Supervisor {
    let start = Supervisor::builder("app").strategy(strategy).answers_early().start();
    start.now_or_never().expect("it answers early").expect("it is set up right")
}

/// A temporary child that does the work; the call is posted by its first poll, whoever waits for the answer.
fn start(supervisor: &Supervisor, work: Work) {
    let spec = ChildSpec::task("work", |_cx| work).shutdown(ShutdownPolicy::Infinity);
    drop(supervisor.start_child(spec).now_or_never());
}

#[test]
fn a_supervisor_keeps_the_contract() {
    guarded_on(2, async {
        Contract::of(|| made(Strategy::OneForOne)).work(start).check().await.assert_kept();
    });
}

/// Its children are stopped at once.
#[test]
fn a_dynamic_supervisor_keeps_the_contract() {
    guarded_on(2, async {
        Contract::of(|| made(Strategy::Dynamic)).work(start).check().await.assert_kept();
    });
}

#[test]
fn a_simple_supervisor_keeps_the_contract() {
    let made = || {
        let template = Template::worker("work", |_cx, work: Job| async move {
            let work = work.lock().expect("nothing panics there").take();
            if let Some(work) = work {
                work.await;
            }
        });
        let template = template.restart(RestartType::Temporary).shutdown(ShutdownPolicy::Infinity);
        let start = Supervisor::builder("app").answers_early().template(template).start();
        start.now_or_never().expect("it answers early").expect("it is set up right")
    };
    let start = |simple: &SimpleSupervisor<Job>, work| {
        drop(simple.start_child(Job::new(Mutex::new(Some(work)))).now_or_never());
    };
    guarded_on(2, async move { Contract::of(made).work(start).check().await.assert_kept() });
}

#[test]
fn partitions_keep_the_contract() {
    let made = || {
        let worker = |_number| ChildSpec::worker("waits", |cx| async move { cx.token().cancelled().await });
        let start = Supervisor::builder("app").answers_early().partitions(2, worker).start();
        start.now_or_never().expect("it answers early").expect("it is set up right")
    };
    let start = |partitions: &Partitions, work| start(partitions.supervisor(), work);
    guarded_on(2, async move { Contract::of(made).work(start).check().await.assert_kept() });
}
