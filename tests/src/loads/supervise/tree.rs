//! The tree: workers, a component and supervisors of each strategy, whose workers crash at random moments.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landfall_lifecycle::{SpawnError, TaskId, TaskSet};
use landfall_supervise::{Backoff, ChildCx, ChildSpec, RestartType, Strategy, Supervisor, SupervisorBuilder, Template};

use super::ledger::{Child, Instance, Ledger};
use crate::random::Random;

/// A child of the tree, on one line with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) at: &'static [u32],
    pub(super) name: &'static str,
    pub(super) place: &'static str,
}

/// Ends last, and takes its time for it.
pub(super) const KEEPER: Row = Row { at: &[0], name: "keeper", place: concat!(file!(), ":", line!()) };
const FIRST: Row = Row { at: &[1, 0], name: "first", place: concat!(file!(), ":", line!()) };
pub(super) const SECOND: Row = Row { at: &[1, 1], name: "second", place: concat!(file!(), ":", line!()) };
const THIRD: Row = Row { at: &[1, 2], name: "third", place: concat!(file!(), ":", line!()) };
const MIDDLE: Row = Row { at: &[2], name: "middle", place: concat!(file!(), ":", line!()) };
const SOURCE: Row = Row { at: &[3, 0], name: "source", place: concat!(file!(), ":", line!()) };
const POOL: Row = Row { at: &[3, 1], name: "pool", place: concat!(file!(), ":", line!()) };
const SINK: Row = Row { at: &[3, 2], name: "sink", place: concat!(file!(), ":", line!()) };
pub(super) const DELAYED: Row = Row { at: &[4, 0], name: "delayed", place: concat!(file!(), ":", line!()) };
const CROWD: Row = Row { at: &[5], name: "one of many", place: concat!(file!(), ":", line!()) };
const LAST: Row = Row { at: &[6], name: "last", place: concat!(file!(), ":", line!()) };
const ADDED: Row = Row { at: &[], name: "added", place: concat!(file!(), ":", line!()) };

type SideWork = (fn(&TaskSet, Instance) -> Result<TaskId, SpawnError>, &'static str);

/// What a worker does beside its future.
pub(super) const SIDE_WORK: SideWork =
    (|set, it| set.spawn("side work", side_work(set.token().cancelled_owned(), it)), concat!(file!(), ":", line!()));

/// A start, a stop, and the time until a crash take a random time below these; the keeper's stop takes its own.
const START: Duration = Duration::from_millis(2);
const STOP: Duration = Duration::from_millis(3);
const CRASH: Duration = Duration::from_millis(8);
const KEEPER_STOP: Duration = Duration::from_millis(25);
/// Long beside an end, so that what is left of it outlasts that on a busy machine too.
pub(super) const DELAY: Duration = Duration::from_millis(200);
/// For a start that nobody holds up.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Restarts that a supervisor allows: none of a tree's crashes is to end it.
const RESTARTS: (u32, Duration) = (100_000, Duration::from_secs(1));

/// Where trees grow, one after the other. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Grove(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    random: Mutex<Random>,
    /// The journal of the tree that grows now; all have their findings in the same list.
    ledger: Ledger,
    crashes_left: AtomicU64,
}

impl Grove {
    pub(super) fn new(seed: u64) -> Self {
        let inner =
            Inner { random: Mutex::new(Random::new(seed)), ledger: Ledger::default(), crashes_left: AtomicU64::new(0) };
        Self(Arc::new(inner))
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.0.ledger.clone()
    }

    /// Makes room for the next tree.
    pub(super) fn replant(&self) {
        self.0.ledger.anew();
    }

    /// The whole tree.
    pub(super) fn root(&self) -> SupervisorBuilder {
        self.0.crashes_left.store(self.draw().within(20..80), Ordering::Relaxed);
        for row in [KEEPER, FIRST, SECOND, THIRD, MIDDLE, SOURCE, POOL, SINK, DELAYED, LAST] {
            self.0.ledger.know(&row.child());
        }
        let [group, rest, patient, crowd] = [(); 4].map(|()| self.clone());
        let [first, second, third] = [FIRST, SECOND, THIRD].map(|row| move |it: &Self| it.worker(row));
        let builder = |name: &'static str| Supervisor::builder(name).intensity(RESTARTS.0, RESTARTS.1);
        let group = move || {
            let them = [first(&group), second(&group), third(&group)];
            them.into_iter().fold(builder("group").strategy(Strategy::OneForAll), SupervisorBuilder::child)
        };
        let rest = move || {
            let them = [rest.worker(SOURCE), rest.pool(), rest.worker(SINK)];
            them.into_iter().fold(builder("rest").strategy(Strategy::RestForOne), SupervisorBuilder::child)
        };
        let patient = move || {
            let delayed = patient.worker(DELAYED).restart(RestartType::Permanent.delayed(Backoff::constant(DELAY)));
            Supervisor::builder("patient").intensity(0, RESTARTS.1).child(delayed)
        };
        let crowd = move || {
            let it = crowd.clone();
            let template =
                Template::worker(CROWD.name, move |cx, number: u64| it.clone().live(cx, one_of_many(number)));
            builder("crowd").template(template.restart(RestartType::Transient))
        };
        builder("tree")
            .child(self.worker(KEEPER))
            .child(ChildSpec::supervisor("group", group))
            .child(self.worker(MIDDLE))
            .child(ChildSpec::supervisor("rest", rest))
            .child(ChildSpec::supervisor("patient", patient))
            .child(ChildSpec::supervisor("crowd", crowd))
            .child(self.worker(LAST))
    }

    /// A worker that is added after all others.
    pub(super) fn added(&self, number: u64) -> ChildSpec {
        let position = vec![LAST.at[0] + 1 + u32::try_from(number).unwrap_or(u32::MAX)];
        let child = Child { position, name: format!("added {number}"), ..ADDED.child() };
        self.ledger().know(&child);
        self.spec(child)
    }

    fn worker(&self, row: Row) -> ChildSpec {
        self.spec(row.child())
    }

    fn spec(&self, child: Child) -> ChildSpec {
        let (it, name) = (self.clone(), child.name.clone());
        ChildSpec::worker(name, move |cx| it.clone().live(cx, child.clone())).signals_ready(START_LIMIT)
    }

    /// A component with one task. Its start is dropped if the tree ends meanwhile, which heeds nothing.
    fn pool(&self) -> ChildSpec {
        let it = self.clone();
        ChildSpec::component("heedless pool", move || {
            let instance = it.ledger().begin(&POOL.child());
            async move {
                let pool = TaskSet::new("pool");
                let stop = pool.token().cancelled_owned();
                pool.spawn("pool", async move {
                    stop.await;
                    instance.asked();
                })?;
                Ok::<_, SpawnError>(pool)
            }
        })
    }

    /// What every worker does: starts, works until it crashes or is asked to stop, and takes its time to stop.
    async fn live(self, cx: ChildCx, child: Child) -> Result<(), &'static str> {
        let instance = self.0.ledger.begin(&child);
        let mut random = self.draw();
        if random.within(0..3) == 0 || child.name == KEEPER.name {
            let name = format!("side work of {}", child.name);
            let side = Child { name, place: SIDE_WORK.1, is_one_of_many: true, ..child.clone() };
            // It is refused only where the instance has ended.
            SIDE_WORK.0(&cx.tasks(), self.0.ledger.begin(&side)).map_err(|_| "its set is closed")?;
        }
        let stop = cx.token();
        let crash = async {
            tokio::time::sleep(random.time_below(START)).await;
            cx.ready();
            // What is delayed is slow enough; the others would never come to rest.
            let crashes = child.name == DELAYED.name || child.name != KEEPER.name && self.take_crash(&mut random);
            if !crashes {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(random.time_below(CRASH)).await;
        };
        let is_asked = tokio::select! {
            () = stop.cancelled() => true,
            () = crash => false,
        };
        if !is_asked && random.within(0..2) == 0 {
            // As a panic, but for the words on stderr.
            resume_unwind(Box::new("planted"));
        }
        if !is_asked {
            return Err("planted");
        }
        instance.asked();
        let stop = if child.name == KEEPER.name { KEEPER_STOP } else { random.time_below(STOP) };
        tokio::time::sleep(stop).await;
        Ok(())
    }

    /// Whether it is one of the crashes that the tree has left.
    fn take_crash(&self, random: &mut Random) -> bool {
        let left = &self.0.crashes_left;
        random.within(0..3) > 0
            && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// Moments of its own for whoever asks.
    fn draw(&self) -> Random {
        Random::new(self.0.random.lock().unwrap_or_else(PoisonError::into_inner).number())
    }
}

async fn side_work(stop: impl Future<Output = ()>, instance: Instance) {
    stop.await;
    drop(instance);
}

fn one_of_many(number: u64) -> Child {
    let position = vec![CROWD.at[0], u32::try_from(number).unwrap_or(u32::MAX)];
    Child { position, is_one_of_many: true, ..CROWD.child() }
}

impl Row {
    pub(super) fn child(self) -> Child {
        let (position, name) = (self.at.to_vec(), self.name.to_owned());
        Child { position, name, place: self.place, is_one_of_many: false }
    }
}
