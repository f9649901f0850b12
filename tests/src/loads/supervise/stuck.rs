//! A child that ignores its stop, and one that blocks a worker of the runtime: the termination aborts the first by its
//! own limit, names the second, and comes in time; once the second is let go, nothing is left.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use landfall_lifecycle::{Report, Shutdown, Terminate};
use landfall_supervise::{ChildSpec, StuckPolicy, Supervisor, SupervisorBuilder};

use super::super::told;
use super::ledger::Ledger;
use super::tree::Row;
use crate::findings::{Finding, Kind};
use crate::observed::{BodyError, Course};
use crate::twin::Twin;

/// The faults of the product that show here.
pub const TWINS: &[Twin] = &[
    Twin::product("supervise/name-no-stuck", Kind::Unnamed).named(BLOCKS.name).at(BLOCKS.place),
    Twin::product("supervise/swallow-abort", Kind::Late).named(HEEDLESS.name).at(HEEDLESS.place),
];

const HEEDS: Row = Row { at: &[0], name: "heeds", place: concat!(file!(), ":", line!()) };
const HEEDLESS: Row = Row { at: &[1], name: "heedless", place: concat!(file!(), ":", line!()) };
const BLOCKS: Row = Row { at: &[2, 0], name: "heedless, blocking", place: concat!(file!(), ":", line!()) };
const LAST: Row = Row { at: &[3], name: "last", place: concat!(file!(), ":", line!()) };

/// What both get to stop, and to be gone after the abort.
const LIMIT: Duration = Duration::from_millis(20);
/// The time of the whole termination: enough for every limit, so that order is kept.
const GRACE: Duration = Duration::from_millis(400);
const ABORT: Duration = Duration::from_millis(500);
/// What follows the abort instant at most, and what a busy machine may take to run whoever waits.
const BOUND: Duration = Duration::from_secs(1);
const WAKE_MAX: Duration = Duration::from_millis(250);
/// Time between two looks of who blocks.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Runs it.
///
/// # Errors
///
/// When the tree does not start, or terminates one of its own tasks.
pub async fn load(course: Course) -> Result<Report, BodyError> {
    let mut random = course.random();
    let (ledger, blocked, released) = (Ledger::default(), flag(), flag());
    ledger.excuse(BLOCKS.name);
    let tree = root(&ledger, &blocked, &released).start().await?;
    while !blocked.load(Ordering::SeqCst) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    course.while_it_runs(&mut random).await;
    let began = Instant::now();
    let report = tree.terminate(&Shutdown::within(GRACE, ABORT)).await?;
    let took = began.elapsed();
    if took > ABORT + BOUND + WAKE_MAX {
        ledger.find(Finding::new(Kind::Late, format!("the report came after {took:?}")).named("report"));
    }
    if !report.stragglers().any(|found| found.item.name == BLOCKS.name) {
        let text = "what blocks is not named in the report";
        ledger.find(Finding::new(Kind::Unnamed, text).named(BLOCKS.name).at(Some(BLOCKS.place.to_owned())));
    }
    released.store(true, Ordering::SeqCst);
    tree.ended().await;
    ledger.over();
    let (findings, begun) = ledger.close();
    told::tell(&findings, begun);
    Ok(tree.terminate(&course.in_peace()).await?)
}

fn flag() -> Arc<AtomicBool> {
    Arc::default()
}

fn root(ledger: &Ledger, blocked: &Arc<AtomicBool>, released: &Arc<AtomicBool>) -> SupervisorBuilder {
    let (journal, blocked, released) = (ledger.clone(), Arc::clone(blocked), Arc::clone(released));
    let blocks = move || {
        let (journal, blocked, released) = (journal.clone(), Arc::clone(&blocked), Arc::clone(&released));
        let blocks = ChildSpec::worker(BLOCKS.name, move |_cx| {
            let (instance, blocked) = (journal.begin(&BLOCKS.child()), Arc::clone(&blocked));
            let released = Arc::clone(&released);
            async move {
                blocked.store(true, Ordering::SeqCst);
                // The fault that the scenario is about: a poll that does not come back.
                while !released.load(Ordering::SeqCst) {
                    thread::sleep(LOOK_EVERY);
                }
                drop(instance);
            }
        });
        patient("below").child(blocks.shutdown(LIMIT))
    };
    patient("tree")
        .child(heeds(ledger, HEEDS))
        .child(heedless(ledger))
        .child(ChildSpec::supervisor("below", blocks))
        .child(heeds(ledger, LAST))
}

fn patient(name: &str) -> SupervisorBuilder {
    Supervisor::builder(name).stuck(StuckPolicy::Escalate, LIMIT)
}

fn heeds(ledger: &Ledger, row: Row) -> ChildSpec {
    let ledger = ledger.clone();
    ChildSpec::worker(row.name, move |cx| {
        let instance = ledger.begin(&row.child());
        async move {
            cx.token().cancelled().await;
            instance.asked();
        }
    })
}

/// Tells the journal if its end comes only with everybody's.
fn heedless(ledger: &Ledger) -> ChildSpec {
    let ledger = ledger.clone();
    ChildSpec::worker(HEEDLESS.name, move |cx| {
        let (instance, ledger) = (ledger.begin(&HEEDLESS.child()), ledger.clone());
        async move {
            cx.token().cancelled().await;
            let _late = LateEnd { ledger, asked: Instant::now() };
            instance.asked();
            pending::<()>().await;
            drop(instance);
        }
    })
    .shutdown(LIMIT)
}

struct LateEnd {
    ledger: Ledger,
    asked: Instant,
}

impl Drop for LateEnd {
    /// The abort of everybody comes at the end of `ABORT`; its own was due long before.
    fn drop(&mut self) {
        let took = self.asked.elapsed();
        if took > ABORT / 2 {
            let text = format!("it ignored its stop for {took:?}, and was to be aborted after {LIMIT:?}");
            let finding = Finding::new(Kind::Late, text).named(HEEDLESS.name);
            self.ledger.find(finding.at(Some(HEEDLESS.place.to_owned())));
        }
    }
}
