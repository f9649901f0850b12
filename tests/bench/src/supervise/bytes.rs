//! What a child that waits costs in memory.

use std::future::pending;
use std::hint::black_box;
use std::sync::Arc;

use landfall_lifecycle::Terminate;
use landfall_supervise::{ChildSpec, Supervisor, SupervisorBuilder};
use tokio::task::JoinSet;

use super::children::Children;
use super::peers::{self, Life, RACTOR, Ractor, TASK_SUPERVISOR};
use super::{CHILDREN, JOIN_SET, OURS, in_peace, runtime};
use crate::contest::cells as pair;
use crate::{Bound, Cell, Contender, Options, contest};

/// These figures hardly vary.
const ROUNDS_MAX: usize = 3;
/// 1.2 KiB.
const BYTES: f64 = 1_228.8;
/// What a planted child carries with it.
const BALLAST: usize = 2_048;

/// Gives the live bytes of the program.
type Live = fn() -> usize;

/// Measures the live bytes of children with their specs, which wait for their stop; `live` asks the program's allocator.
#[must_use]
pub fn bytes(options: &Options, live: fn() -> usize) -> Vec<Cell> {
    let (runtime, plant) = (runtime(), options.plant);
    let mut contenders = [
        Contender::new(OURS, || runtime.block_on(ours(live, plant))),
        Contender::new(JOIN_SET, || runtime.block_on(join_set(live))),
        Contender::new(TASK_SUPERVISOR, || runtime.block_on(task_supervisor(live))),
        Contender::new(RACTOR, || runtime.block_on(ractor(live))),
    ];
    let series = contest(options.rounds.min(ROUNDS_MAX), &mut contenders);
    let mut cells = pair("memory of a child", "bytes", series, &[None; 3]);
    if let Some(first) = cells.first().cloned() {
        cells.push(Cell { peer: None, bound: Some(Bound::Max(BYTES)), ..first });
    }
    cells
}

async fn ours(live: Live, plant: bool) -> f64 {
    let children = Children::new(CHILDREN);
    let before = live();
    let specs = (0..CHILDREN).map(|number| worker(&children, number, plant));
    let tree = specs.fold(Supervisor::builder("bench"), SupervisorBuilder::child).start().await;
    let tree = tree.expect("the children start");
    let bytes = a_child(live, before, &children).await;
    let report = tree.terminate(&in_peace()).await.expect("no child waits for the tree");
    assert!(report.is_clean(), "{report}");
    bytes
}

fn worker(children: &Arc<Children>, number: usize, plant: bool) -> ChildSpec {
    let children = Arc::clone(children);
    ChildSpec::worker(number.to_string(), move |cx| {
        let stop = cx.token();
        let exist = Arc::clone(&children).exist(number, stop.cancelled_owned());
        let ballast = plant.then(|| vec![1_u8; BALLAST]);
        async move {
            exist.await;
            black_box(&ballast);
        }
    })
}

async fn join_set(live: Live) -> f64 {
    let children = Children::new(CHILDREN);
    let before = live();
    let mut set = JoinSet::new();
    for number in 0..CHILDREN {
        set.spawn(Arc::clone(&children).exist(number, pending()));
    }
    let bytes = a_child(live, before, &children).await;
    set.shutdown().await;
    bytes
}

async fn task_supervisor(live: Live) -> f64 {
    let children = Children::new(CHILDREN);
    let before = live();
    let tasks = peers::task_supervisor(&children, Life::Wait);
    let bytes = a_child(live, before, &children).await;
    tasks.shutdown().await.expect("its children stop");
    bytes
}

async fn ractor(live: Live) -> f64 {
    let children = Children::new(CHILDREN);
    let before = live();
    let actors = Ractor::start(&children, Life::Wait).await;
    let bytes = a_child(live, before, &children).await;
    actors.stop().await;
    children.all_gone().await;
    bytes
}

/// What a child has taken since `before`, once all of them wait.
async fn a_child(live: Live, before: usize, children: &Children) -> f64 {
    children.all_alive().await;
    live().saturating_sub(before) as f64 / CHILDREN as f64
}
