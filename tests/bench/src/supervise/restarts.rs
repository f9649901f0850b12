//! How long a restart takes, with crashes that are paced: one at a time, so that no queue is measured.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::Terminate;
use landfall_supervise::{ChildSpec, Supervisor, SupervisorBuilder};
use task_supervisor::SupervisorHandle;
use tokio::runtime::Runtime;
use tokio::task::{AbortHandle, JoinSet};

use super::children::Children;
use super::peers::{self, Life, RACTOR, Ractor, TASK_SUPERVISOR};
use super::{CHILDREN, JOIN_SET, OURS, in_peace, runtime};
use crate::contest::cells as pair;
use crate::{Bound, Cell, Contender, Options, Plant, Series, contest};

/// Crashes a round, and the time between two of them.
const CRASHES: usize = 1_000;
const PACE: Duration = Duration::from_millis(2);
/// The next child to crash is so many further on: no prime factor in common with a count of children.
const STEP: usize = 7_919;

/// Crashes a round of the peers whose restarts wait for a timer.
const FEW_CRASHES: usize = 100;

/// Children of the small trees.
const FEW: usize = 100;

/// A window that holds the restarts of a tenth of a second, and one that holds all that there ever are.
const NARROW: (u32, Duration) = (10_000, Duration::from_millis(100));
const WIDE: (u32, Duration) = (1_000_000, Duration::from_secs(24 * 60 * 60));

/// What is flat may be so much above.
const FLAT: f64 = 1.5;

pub(super) fn cells(options: &Options) -> Vec<Cell> {
    let runtime = runtime();
    let tree = |count, window| ours(&runtime, count, window, options.plant());
    let subjects = [
        (OURS, tree(CHILDREN, NARROW)),
        (JOIN_SET, join_set(&runtime, CHILDREN)),
        ("the same at 100", tree(FEW, NARROW)),
        ("wide window at 100", tree(FEW, WIDE)),
        ("JoinSet loop at 100", join_set(&runtime, FEW)),
        (TASK_SUPERVISOR, task_supervisor(&runtime, CHILDREN)),
        (RACTOR, ractor(&runtime, CHILDREN)),
    ];
    // 11,000 crashes in all, besides those of the rounds that warm up.
    let rounds = options.rounds.div_ceil(10);
    let mut tails: Vec<Vec<f64>> = vec![Vec::new(); subjects.len()];
    let mut contenders: Vec<Contender<'_>> = subjects
        .iter()
        .zip(&mut tails)
        .map(|((name, subject), tails)| {
            Contender::new(name, || {
                let [median, tail] = runtime.block_on(round(&subject.children, subject.crashes));
                tails.push(tail);
                median
            })
        })
        .collect();
    let medians = contest(rounds, &mut contenders);
    drop(contenders);
    // The first rounds were not kept.
    let tails = medians.iter().zip(tails).map(|(series, tails)| {
        let kept = tails.len() - series.samples.len();
        Series { of: series.of, samples: tails[kept..].to_vec() }
    });
    let tails: Vec<Series> = tails.collect();
    for (_, subject) in subjects {
        subject.end(&runtime);
    }
    judged(medians, "restart, p50", 2.0).chain(judged(tails, "restart, p99", 3.0)).collect()
}

/// Our large tree beside the loop and beside the small one; the small one beside that with the wide window.
fn judged(series: Vec<Series>, name: &'static str, ratio: f64) -> impl Iterator<Item = Cell> {
    let [ours, loops, few, wide, few_loops, tasks, ractor] =
        <[Series; 7]>::try_from(series).expect("there are seven subjects");
    let is_median = name.ends_with("p50");
    let flat = is_median.then_some(Bound::RatioMax(FLAT));
    let large = pair(
        &format!("{name}, 100,000 children"),
        "us",
        vec![ours, loops, few.clone(), tasks, ractor],
        &[Some(Bound::RatioMax(ratio)), flat, None, None],
    );
    let windows = pair(&format!("{name}, all restarts in the window"), "us", vec![wide, few.clone()], &[flat]);
    let small = pair(&format!("{name}, 100 children"), "us", vec![few, few_loops], &[None]);
    large.into_iter().chain(windows).chain(small)
}

/// The median and the 99th percentile of a round, in microseconds.
async fn round(children: &Arc<Children>, crashes: usize) -> [f64; 2] {
    let children = Arc::clone(children);
    // On a worker, as the children are: the main thread would have to be woken each time.
    let crashing = tokio::spawn(async move {
        let mut took = Vec::with_capacity(crashes);
        for crash in 0..crashes {
            tokio::time::sleep(PACE).await;
            took.push(children.crash(crash * STEP % children.len()).await);
        }
        took.sort_unstable();
        [took[crashes / 2], took[crashes * 99 / 100]].map(|took| took.as_secs_f64() * 1e6)
    });
    crashing.await.expect("who crashes others does not panic")
}

struct Subject {
    children: Arc<Children>,
    crashes: usize,
    kept: Kept,
}

enum Kept {
    Tree(Supervisor),
    Loop(AbortHandle),
    Tasks(SupervisorHandle),
    Actors(Ractor),
}

impl Subject {
    fn end(self, runtime: &Runtime) {
        match self.kept {
            Kept::Tree(tree) => {
                let report = runtime.block_on(tree.terminate(&in_peace())).expect("no child waits for the tree");
                assert!(report.is_clean(), "{report}");
                assert_eq!(self.children.alive(), 0);
            }
            Kept::Loop(driver) => driver.abort(),
            Kept::Tasks(tasks) => runtime.block_on(tasks.shutdown()).expect("its children stop"),
            Kept::Actors(actors) => runtime.block_on(actors.stop()),
        }
    }
}

fn ours(runtime: &Runtime, count: usize, window: (u32, Duration), plant: Plant) -> Subject {
    let children = Children::new(count);
    let builder = Supervisor::builder("bench").intensity(window.0, window.1);
    let builder = (0..count).map(|number| worker(&children, number, plant)).fold(builder, SupervisorBuilder::child);
    let tree = runtime.block_on(builder.start()).expect("the children start");
    runtime.block_on(children.all_alive());
    Subject { children, crashes: CRASHES, kept: Kept::Tree(tree) }
}

fn worker(children: &Arc<Children>, number: usize, plant: Plant) -> ChildSpec {
    let children = Arc::clone(children);
    // Nobody is asked to stop before the end, where the token is looked at.
    ChildSpec::worker(number.to_string(), move |cx| {
        plant.act();
        let work = Arc::clone(&children).work(number);
        async move {
            let stop = cx.token();
            tokio::select! {
                crash = work => crash,
                () = stop.cancelled() => Ok(()),
            }
        }
    })
}

fn join_set(runtime: &Runtime, count: usize) -> Subject {
    let children = Children::new(count);
    let all = Arc::clone(&children);
    let driver = runtime.spawn(async move {
        let (mut set, mut numbers) = (JoinSet::new(), HashMap::with_capacity(count));
        for number in 0..count {
            numbers.insert(set.spawn(Arc::clone(&all).work(number)).id(), number);
        }
        while let Some(ended) = set.join_next_with_id().await {
            let id = ended.map_or_else(|error| error.id(), |(id, _)| id);
            let number = numbers.remove(&id).expect("it was spawned here");
            numbers.insert(set.spawn(Arc::clone(&all).work(number)).id(), number);
        }
    });
    runtime.block_on(children.all_alive());
    Subject { children, crashes: CRASHES, kept: Kept::Loop(driver.abort_handle()) }
}

fn task_supervisor(runtime: &Runtime, count: usize) -> Subject {
    let children = Children::new(count);
    let tasks = {
        let _entered = runtime.enter();
        peers::task_supervisor(&children, Life::Work)
    };
    runtime.block_on(children.all_alive());
    Subject { children, crashes: FEW_CRASHES, kept: Kept::Tasks(tasks) }
}

fn ractor(runtime: &Runtime, count: usize) -> Subject {
    let children = Children::new(count);
    let actors = runtime.block_on(Ractor::start(&children, Life::Work));
    runtime.block_on(children.all_alive());
    Subject { children, crashes: FEW_CRASHES, kept: Kept::Actors(actors) }
}
