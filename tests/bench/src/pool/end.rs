//! The end of a pool while others want something of it: when those that wait are told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_lifecycle::{Shutdown, Terminate};
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, yield_now};

use super::backend::Backend;
use super::candidates::{self, Candidate, Deadpool, Ours, Qorb};
use crate::contest::cells as pair;
use crate::flavour::Flavour;
use crate::{Bound, Cell, Contender, Findings, Options, Plant, contest};

const SLOTS: usize = 64;
/// Of those that are out so many are given back as soon as the waiting ones have been told.
const GIVEN_BACK: usize = 48;
const WAITERS: usize = 100;
const TOLD: &str = "told of the end";

/// Measures it, beside the peers that can be closed at all.
pub(super) fn findings(options: &Options) -> Findings {
    let mut findings = Findings { must_catch: vec![TOLD], ..Findings::default() };
    let plant = options.plant();
    for flavour in [Flavour::CurrentThread, Flavour::TwoWorkers] {
        let runtime = flavour.build_with_time();
        let mut contenders = [
            contender::<Ours>(&runtime, plant),
            contender::<Deadpool>(&runtime, Plant::default()),
            contender::<Qorb>(&runtime, Plant::default()),
        ];
        let mut series = contest(options.rounds, &mut contenders);
        let name = format!("{TOLD}, 100 waiters, {}", flavour.name());
        let ours = series.first().cloned();
        findings.cells.extend(ours.map(|ours| Cell {
            name: name.clone(),
            unit: "ms",
            ours,
            peer: None,
            bound: Some(Bound::Max(1.0)),
        }));
        findings.others.extend(pair(&name, "ms", std::mem::take(&mut series), &[None, None]));
    }
    findings
}

/// A pool that can be told to end.
trait Ends: Candidate {
    /// Refuses claims from now on, and fails those that wait; what else it does it may do later.
    fn end(pool: Arc<Self>) -> impl Future<Output = ()> + Send;
}

impl Ends for Ours {
    async fn end(pool: Arc<Self>) {
        let how = Shutdown::within(Duration::from_secs(60), Duration::from_secs(61));
        let report = pool.0.terminate(&how).await.expect("no task of the pool waits for it");
        assert!(report.is_clean(), "{report}");
    }
}

impl Ends for Deadpool {
    async fn end(pool: Arc<Self>) {
        pool.0.close();
    }
}

impl Ends for Qorb {
    async fn end(pool: Arc<Self>) {
        // It fails if it was called before.
        drop(pool.0.terminate().await);
    }
}

fn contender<P: Ends>(runtime: &Runtime, plant: Plant) -> Contender<'_> {
    Contender::new(P::NAME, move || {
        runtime.block_on(runtime.spawn(told::<P>(plant))).expect("no pool panics").as_secs_f64() * 1e3
    })
}

/// How long it takes from the call until the last of those that wait has its answer.
async fn told<P: Ends>(plant: Plant) -> Duration {
    let pool = Arc::new(P::build(Arc::<Backend>::default(), SLOTS).await);
    let mut handles = candidates::hold_all(&*pool, SLOTS).await;
    let mut waiters = JoinSet::new();
    for _ in 0..WAITERS {
        let pool = Arc::clone(&pool);
        waiters.spawn(async move {
            let refused = pool.claim().await.is_none();
            plant.act();
            assert!(refused, "{} has served a claim after its end", P::NAME);
            Instant::now()
        });
    }
    // Until all of them wait.
    for _ in 0..1_000 {
        yield_now().await;
    }
    let began = Instant::now();
    let ending = tokio::spawn(P::end(Arc::clone(&pool)));
    let told = waiters.join_all().await.into_iter().max().unwrap_or(began);
    handles.truncate(SLOTS - GIVEN_BACK);
    yield_now().await;
    drop(handles);
    ending.await.expect("no pool panics");
    told.duration_since(began)
}
