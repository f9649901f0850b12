//! The start of 100,000 children, and their end in reverse order, one after the other.

use std::cell::RefCell;
use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use landfall_lifecycle::Terminate;
use landfall_supervise::{ChildSpec, Supervisor, SupervisorBuilder};
use tokio::task::JoinSet;

use super::children::Children;
use super::peers::{self, Life, RACTOR, Ractor, TASK_SUPERVISOR};
use super::{CHILDREN, JOIN_SET, OURS, in_peace, runtime};
use crate::{Bound, Cell, Contender, Options, Plant, Series, contest};

/// OTP 25, measured on the same machine: half of what it takes to start static specs, and its ordered stop.
const START_MS: f64 = 1_230.0 / 2.0;
const STOP_MS: f64 = 720.0;

/// These take seconds.
const ROUNDS_MAX: usize = 9;

/// What one tree took.
#[derive(Clone, Copy)]
struct Took {
    start: f64,
    stop: f64,
    left: f64,
}

pub(super) fn cells(options: &Options) -> Vec<Cell> {
    let (runtime, plant) = (runtime(), options.plant());
    let kept =
        [OURS, "Supervisor, by calls", JOIN_SET, TASK_SUPERVISOR, RACTOR].map(|of| (of, RefCell::new(Vec::new())));
    let keep = |at: usize, took: Took| {
        kept[at].1.borrow_mut().push(took);
        took.start
    };
    let mut contenders = [
        Contender::new(OURS, || keep(0, runtime.block_on(statically(plant)))),
        Contender::new("Supervisor, by calls", || keep(1, runtime.block_on(by_calls(plant)))),
        Contender::new(JOIN_SET, || keep(2, runtime.block_on(join_set()))),
        Contender::new(TASK_SUPERVISOR, || keep(3, runtime.block_on(task_supervisor()))),
        Contender::new(RACTOR, || keep(4, runtime.block_on(ractor()))),
    ];
    let rounds = options.rounds.min(ROUNDS_MAX);
    contest(rounds, &mut contenders);
    drop(contenders);
    let series = |at: usize, of: fn(&Took) -> f64| {
        let took = kept[at].1.borrow();
        Series { of: kept[at].0, samples: took[took.len() - rounds..].iter().map(of).collect() }
    };
    let cell = |name: &str, unit, ours: Series, peer, max: Option<f64>| Cell {
        name: name.to_owned(),
        unit,
        ours,
        peer,
        bound: max.map(Bound::Max),
    };
    let peers = |name: &str, unit, of: fn(&Took) -> f64| {
        [3, 4].map(|at| cell(name, unit, series(0, of), Some(series(at, of)), None))
    };
    let [start, stop, left]: [fn(&Took) -> f64; 3] = [|took| took.start, |took| took.stop, |took| took.left];
    let cells = vec![
        cell("start of 100,000 children", "ms", series(0, start), Some(series(2, start)), Some(START_MS)),
        cell("start of 100,000 children", "ms", series(1, start), Some(series(2, start)), None),
        cell("ordered stop of 100,000 children", "ms", series(0, stop), Some(series(2, stop)), Some(STOP_MS)),
        cell("children alive when stop returns", "", series(0, left), None, Some(0.0)),
    ];
    let starts = peers("start of 100,000 children", "ms", start);
    let stops = peers("ordered stop of 100,000 children", "ms", stop);
    let left = peers("children alive when stop returns", "", left);
    cells.into_iter().chain(starts).chain(stops).chain(left).collect()
}

fn worker(children: &Arc<Children>, number: usize, plant: Plant) -> ChildSpec {
    let children = Arc::clone(children);
    ChildSpec::worker(number.to_string(), move |cx| {
        plant.act();
        let stop = cx.token();
        Arc::clone(&children).exist(number, stop.cancelled_owned())
    })
}

/// From the first spec until all have been polled.
async fn statically(plant: Plant) -> Took {
    let children = Children::new(CHILDREN);
    let began = Instant::now();
    let specs = (0..CHILDREN).map(|number| worker(&children, number, plant));
    let tree = specs.fold(Supervisor::builder("bench"), SupervisorBuilder::child).start().await;
    let tree = tree.expect("the children start");
    children.all_alive().await;
    stopped(&tree, &children, began).await
}

/// The same, each by a call of its own that is waited for.
async fn by_calls(plant: Plant) -> Took {
    let children = Children::new(CHILDREN);
    let began = Instant::now();
    let tree = Supervisor::builder("bench").start().await.expect("there is nothing to start");
    for number in 0..CHILDREN {
        tree.start_child(worker(&children, number, plant)).await.expect("it starts");
    }
    children.all_alive().await;
    stopped(&tree, &children, began).await
}

async fn stopped(tree: &Supervisor, children: &Children, began: Instant) -> Took {
    let start = milliseconds(began);
    let began = Instant::now();
    let report = tree.terminate(&in_peace()).await.expect("no child waits for the tree");
    let (stop, left) = (milliseconds(began), children.alive() as f64);
    assert!(report.is_clean(), "{report}");
    Took { start, stop, left }
}

/// It has no order: all are aborted, and waited for.
async fn join_set() -> Took {
    let children = Children::new(CHILDREN);
    let began = Instant::now();
    let mut set = JoinSet::new();
    for number in 0..CHILDREN {
        set.spawn(Arc::clone(&children).exist(number, pending()));
    }
    children.all_alive().await;
    let start = milliseconds(began);
    let began = Instant::now();
    set.shutdown().await;
    Took { start, stop: milliseconds(began), left: children.alive() as f64 }
}

/// It has no order: all are cancelled, and waited for.
async fn task_supervisor() -> Took {
    let children = Children::new(CHILDREN);
    let began = Instant::now();
    let tasks = peers::task_supervisor(&children, Life::Wait);
    children.all_alive().await;
    let start = milliseconds(began);
    let began = Instant::now();
    tasks.shutdown().await.expect("its children stop");
    left_after(&children, start, began).await
}

/// It has no order and does not wait: all are killed.
async fn ractor() -> Took {
    let children = Children::new(CHILDREN);
    let began = Instant::now();
    let actors = Ractor::start(&children, Life::Wait).await;
    children.all_alive().await;
    let start = milliseconds(began);
    let began = Instant::now();
    actors.stop().await;
    left_after(&children, start, began).await
}

/// What a stop that has returned took and left; the next round begins when that has gone too.
async fn left_after(children: &Children, start: f64, began: Instant) -> Took {
    let took = Took { start, stop: milliseconds(began), left: children.alive() as f64 };
    children.all_gone().await;
    took
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}
