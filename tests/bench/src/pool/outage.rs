//! The only backend goes away for two seconds while tasks claim: how hard it is tried, and how soon all is well again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::backend::{Backend, Outage};
use super::candidates::{self, Bb8, Candidate, Deadpool, FastPool, Mobc, Ours, PlantedStorm, Qorb};
use crate::flavour::Flavour;
use crate::{Bound, Cell, Findings, Options, Series};

const SLOTS: usize = 16;
const TASKS: usize = 64;
const BEFORE: Duration = Duration::from_millis(300);
const AWAY: Duration = Duration::from_secs(2);
/// Each round it is away for so much longer, lest it always comes back at the same moment of the pool's second.
const LONGER: Duration = Duration::from_millis(300);
/// What has not come back by then counts as this long.
const BACK_MAX: Duration = Duration::from_secs(5);
/// How long a task claims before it tries again, and holds what it gets.
const CLAIM: Duration = Duration::from_secs(1);
const HELD: Duration = Duration::from_millis(1);
/// How often it is looked whether all is well.
const LOOK: Duration = Duration::from_millis(5);
const ROUNDS_MAX: usize = 3;

const FIRST: &str = "first claim after";
const FULL: &str = "full capacity after";
const ATTEMPTS: &str = "attempts during";

/// Measures it, ours and the peers; only ours is asked for anything.
pub(super) fn findings(options: &Options) -> Findings {
    let mut findings = Findings { must_catch: vec![FIRST, FULL, ATTEMPTS], ..Findings::default() };
    let runtime = Flavour::TwoWorkers.build_with_time();
    for (how, name, first_max) in
        [(Outage::Refusing, "an outage, refusing", 100.0), (Outage::BlackHole, "an outage, black hole", 1_200.0)]
    {
        let rounds = options.rounds.min(ROUNDS_MAX) as u32;
        let of = |run: Run| (0..rounds).map(|round| run(&runtime, how, AWAY + LONGER * round)).collect::<Vec<_>>();
        let ours = of(if options.plant { run::<PlantedStorm> } else { run::<Ours> });
        let bounds = [first_max, first_max + 1_000.0, 100.0];
        findings.cells.extend(cells(name, Ours::NAME, &ours, bounds.map(Some)));
        let peers: [(_, Run); 5] = [
            (Deadpool::NAME, run::<Deadpool>),
            (Qorb::NAME, run::<Qorb>),
            (Bb8::NAME, run::<Bb8>),
            (FastPool::NAME, run::<FastPool>),
            (Mobc::NAME, run::<Mobc>),
        ];
        for (peer, run) in peers.into_iter().filter(|_| !options.plant) {
            findings.others.extend(cells(name, peer, &of(run), [None; 3]));
        }
    }
    findings
}

/// One outage of one pool.
type Run = fn(&Runtime, Outage, Duration) -> Recovery;

/// What is read of it.
type Figure = fn(&Recovery) -> f64;

fn cells(name: &str, of: &'static str, rounds: &[Recovery], bounds: [Option<f64>; 3]) -> [Cell; 3] {
    let kinds: [(_, _, Figure); 3] =
        [(FIRST, "ms", |it| it.first), (FULL, "ms", |it| it.full), (ATTEMPTS, "", |it| it.attempts)];
    let mut bounds = bounds.into_iter();
    kinds.map(|(what, unit, figure)| {
        let ours = Series { of, samples: rounds.iter().map(figure).collect() };
        let bound = bounds.next().flatten().map(Bound::Max);
        Cell { name: format!("{what} {name}"), unit, ours, peer: None, bound }
    })
}

/// What came of an outage, in milliseconds from the backend's return.
#[derive(Debug)]
struct Recovery {
    /// Until a task had a connection that worked.
    first: f64,
    /// Until as many connections were open as the pool may have.
    full: f64,
    /// Attempts to connect while it was away.
    attempts: f64,
}

fn run<P: Candidate>(runtime: &Runtime, how: Outage, away: Duration) -> Recovery {
    runtime.block_on(runtime.spawn(outage::<P>(how, away))).expect("no pool panics")
}

/// What the tasks share.
#[derive(Default)]
struct Scene {
    /// When the backend came back.
    back: OnceLock<Instant>,
    /// When the first task had a connection that worked, after that.
    first: OnceLock<Instant>,
    is_over: AtomicBool,
}

async fn outage<P: Candidate>(how: Outage, away: Duration) -> Recovery {
    let backend = Arc::new(Backend::default());
    let pool = Arc::new(candidates::warm::<P>(&backend, SLOTS).await);
    let scene = Arc::new(Scene::default());
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        tasks.spawn(claims(Arc::clone(&pool), Arc::clone(&scene)));
    }
    sleep(BEFORE).await;
    backend.leave(how);
    sleep(away).await;
    let attempts = backend.attempts() as f64;
    let back = *scene.back.get_or_init(|| {
        backend.come_back();
        Instant::now()
    });
    while back.elapsed() < BACK_MAX && (backend.opened(SLOTS).is_none() || scene.first.get().is_none()) {
        sleep(LOOK).await;
    }
    scene.is_over.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    let since = |then: Option<Instant>| {
        then.map_or(BACK_MAX, |then| then.duration_since(back).min(BACK_MAX)).as_secs_f64() * 1e3
    };
    Recovery { first: since(scene.first.get().copied()), full: since(backend.opened(SLOTS)), attempts }
}

async fn claims<P: Candidate>(pool: Arc<P>, scene: Arc<Scene>) {
    while !scene.is_over.load(Ordering::Relaxed) {
        let Ok(Some(mut handle)) = timeout(CLAIM, pool.claim()).await else {
            // Some pools pass a refusal on at once: whoever claims does not spin.
            sleep(HELD).await;
            continue;
        };
        if handle.ask().is_ok() && scene.back.get().is_some() {
            scene.first.get_or_init(Instant::now);
        }
        sleep(HELD).await;
    }
}
