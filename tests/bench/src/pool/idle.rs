//! Ten thousand connections: how long they take to open, and what they cost while nobody uses them.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::backend::{Backend, Connection};
use super::candidates::{self, Bb8, Candidate, Deadpool, FastPool, Mobc, Ours, Qorb};
use super::pools::median;
use crate::contest::cells as pair;
use crate::flavour::Flavour;
use crate::{Bound, Cell, Contender, Findings, Options, Plant, Series, contest};

const CONNECTIONS: usize = 10_000;
/// They take a second or more to open in one of the pools.
const OPENINGS_MAX: usize = 11;
const BYTES_MAX: usize = 3;
/// How long a connect takes, and how many tasks claim.
const CONNECT: Duration = Duration::from_millis(1);
const CLAIMING: usize = 64;
/// How many times as long a planted connect takes: processor time would pass while others wait.
const PLANTED_TIMES: u32 = 4;
/// After this the tasks of all pools have done what an opening and an end leave them to do.
const SETTLE: Duration = Duration::from_millis(500);
const REST: Duration = Duration::from_secs(5);
const RESTS_MAX: usize = 3;

const OPENED: &str = "opening";
const CPU: &str = "processor time";
const EACH: &str = "memory of an idle connection";
/// What a planted connection has besides.
const BALLAST: usize = 256;

/// Measures the time to open them, and the processor's time while they are idle.
pub(super) fn findings(options: &Options) -> Findings {
    let runtime = Flavour::TwoWorkers.build_with_time();
    let (cells, others) = openings(options, &runtime);
    let mut findings = Findings { cells, must_catch: vec![OPENED, CPU], others };
    findings.cells.push(rest(options, &runtime));
    findings
}

/// Ours beside the fastest peer, for connects that take as long as one over a network, and then for such as take no time
/// at all.
fn openings(options: &Options, runtime: &Runtime) -> (Vec<Cell>, Vec<Cell>) {
    let (mut cells, mut others) = (Vec::new(), Vec::new());
    for (delay, name, bound) in
        [(CONNECT, "1 ms each", Some(Bound::RatioMax(1.5))), (Duration::ZERO, "no time each", None)]
    {
        let mut contenders = [
            opening::<Ours>(runtime, if options.plant { delay * PLANTED_TIMES } else { delay }),
            opening::<Deadpool>(runtime, delay),
            opening::<Qorb>(runtime, delay),
            opening::<Bb8>(runtime, delay),
            opening::<FastPool>(runtime, delay),
            opening::<Mobc>(runtime, delay),
        ];
        let mut series = contest(options.rounds.min(OPENINGS_MAX), &mut contenders);
        let name = format!("{OPENED} 10,000 connections, {name}");
        let kept = series.iter().skip(1).cloned();
        others.extend(kept.map(|ours| Cell { name: name.clone(), unit: "ms", ours, peer: None, bound: None }));
        let ours = series.remove(0);
        series.sort_by(|one, other| median(one).total_cmp(&median(other)));
        series.insert(0, ours);
        cells.extend(pair(&name, "ms", series, &[bound]));
    }
    (cells, others)
}

/// Some tasks claim them, until all are out.
fn opening<P: Candidate>(runtime: &Runtime, delay: Duration) -> Contender<'_> {
    Contender::new(P::NAME, move || {
        let took = runtime.block_on(runtime.spawn(async move {
            let pool = Arc::new(P::build(Arc::new(Backend::slow(delay)), CONNECTIONS).await);
            let all_out = Arc::new(Barrier::new(CLAIMING + 1));
            let mut tasks = JoinSet::new();
            let began = Instant::now();
            for task in 0..CLAIMING {
                let (pool, all_out) = (Arc::clone(&pool), Arc::clone(&all_out));
                let share = CONNECTIONS / CLAIMING + usize::from(task < CONNECTIONS % CLAIMING);
                tasks.spawn(async move {
                    let handles = candidates::hold_all(&*pool, share).await;
                    all_out.wait().await;
                    drop(handles);
                });
            }
            all_out.wait().await;
            let took = began.elapsed();
            tasks.join_all().await;
            took
        }));
        took.expect("no pool panics").as_secs_f64() * 1e3
    })
}

/// What ours takes of the processor while all are idle, beside the same runtime alone. Nothing is due meanwhile: what is
/// due first is their check after 30 s.
fn rest(options: &Options, runtime: &Runtime) -> Cell {
    let (mut ours, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds.min(RESTS_MAX) {
        let resting = async |plant: bool| {
            sleep(SETTLE).await;
            let before = cpu();
            let began = Instant::now();
            while began.elapsed() < REST {
                if plant {
                    Plant::planted().act();
                    sleep(Duration::from_millis(1)).await;
                } else {
                    sleep(REST).await;
                }
            }
            (cpu() - before).as_secs_f64() * 1e3
        };
        alone.push(runtime.block_on(resting(false)));
        ours.push(runtime.block_on(async {
            let pool = candidates::warm::<Ours>(&Arc::<Backend>::default(), CONNECTIONS).await;
            let took = resting(options.plant).await;
            drop(pool);
            took
        }));
    }
    Cell {
        name: format!("{CPU} of 10,000 idle connections in 5 s"),
        unit: "ms",
        ours: Series { of: Ours::NAME, samples: ours },
        peer: Some(Series { of: "the runtime alone", samples: alone }),
        bound: Some(Bound::ExcessMax(2.0)),
    }
}

/// The processor time that all threads of this process have taken, as the scheduler counts it.
fn cpu() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("this is Linux");
    let nanos = threads.flatten().filter_map(|thread| {
        let spent = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        spent.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// Measures the live bytes of each connection beyond the connection itself; `live` asks the program's allocator.
#[must_use]
pub fn bytes(options: &Options, live: fn() -> usize) -> Findings {
    let runtime = Flavour::TwoWorkers.build_with_time();
    let ballast = if options.plant { BALLAST } else { 0 };
    let mut contenders = [
        idle::<Ours>(&runtime, live, ballast),
        idle::<Deadpool>(&runtime, live, 0),
        idle::<Qorb>(&runtime, live, 0),
        idle::<Bb8>(&runtime, live, 0),
        idle::<FastPool>(&runtime, live, 0),
        idle::<Mobc>(&runtime, live, 0),
    ];
    let mut series = contest(options.rounds.min(BYTES_MAX), &mut contenders).into_iter();
    let cell = |ours, bound| Cell { name: EACH.to_owned(), unit: "bytes", ours, peer: None, bound };
    let cells = series.next().map(|ours| cell(ours, Some(Bound::Max(150.0)))).into_iter().collect();
    Findings { cells, must_catch: vec![EACH], others: series.map(|peer| cell(peer, None)).collect() }
}

fn idle<P: Candidate>(runtime: &Runtime, live: fn() -> usize, ballast: usize) -> Contender<'_> {
    Contender::new(P::NAME, move || {
        let bytes = runtime.block_on(runtime.spawn(async move {
            let before = live();
            let pool = candidates::warm::<P>(&Arc::<Backend>::default(), CONNECTIONS).await;
            let ballast = vec![1_u8; ballast * CONNECTIONS];
            sleep(SETTLE).await;
            let bytes = live().saturating_sub(before);
            drop((pool, ballast));
            // What it has freed is not taken for what the next one frees.
            sleep(SETTLE).await;
            bytes
        }));
        bytes.expect("no pool panics") as f64 / CONNECTIONS as f64 - size_of::<Connection>() as f64
    })
}
