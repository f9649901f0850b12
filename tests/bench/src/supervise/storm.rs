//! A thousand crashes a second under a delayed policy: what they cost, and whether anything grows.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use landfall_lifecycle::Terminate;
use landfall_supervise::{Backoff, ChildSpec, RestartType, Supervisor, SupervisorBuilder};

use super::{OURS, in_peace, runtime};
use crate::{Bound, Cell, Options, Series};

/// Children that crash at once, each again after the delay: together a thousand times a second.
const CHILDREN: usize = 100;
const DELAY: Duration = Duration::from_millis(100);
/// Before this nothing is measured.
const WARM_UP: Duration = Duration::from_secs(2);
const STORM: Duration = Duration::from_secs(10);
const ROUNDS_MAX: usize = 3;

/// Per cent of a core at a thousand crashes a second.
const CPU: f64 = 20.0;
/// What a thousand timers and tasks in flight may differ by from one moment to the next.
const GROWTH: f64 = 64.0 * 1_024.0;
/// A planted crash loses so much.
const LOST: usize = 128;

/// Measures it; `live` asks the program's allocator.
///
/// # Panics
///
/// When the machine is so busy that there is no storm.
#[must_use]
pub fn storm(options: &Options, live: fn() -> usize) -> Vec<Cell> {
    let runtime = runtime();
    let rounds: Vec<_> =
        (0..options.rounds.min(ROUNDS_MAX)).map(|_| runtime.block_on(round(live, options.plant))).collect();
    let cell = |name: &str, unit, of: fn(&Round) -> f64, max: Option<f64>| {
        let ours = Series { of: OURS, samples: rounds.iter().map(of).collect() };
        Cell { name: name.to_owned(), unit, ours, peer: None, bound: max.map(Bound::Max) }
    };
    vec![
        cell("processor time at 1,000 delayed crashes a second", "% of a core", |it| it.cpu, Some(CPU)),
        cell("growth of live bytes in 10 s of that", "bytes", |it| it.growth, Some(GROWTH)),
        cell("crashes a second", "", |it| it.rate, None),
    ]
}

struct Round {
    cpu: f64,
    growth: f64,
    rate: f64,
}

async fn round(live: fn() -> usize, plant: bool) -> Round {
    let crashes = Arc::new(AtomicU64::new(0));
    let specs = (0..CHILDREN).map(|number| worker(&crashes, number, plant));
    // One restart is not delayed; all others are more than the window allows.
    let builder = Supervisor::builder("bench").intensity(1, Duration::from_secs(3_600));
    let tree = specs.fold(builder, SupervisorBuilder::child).start().await.expect("the children start");
    tokio::time::sleep(WARM_UP).await;
    let (cpu, bytes, before) = (cpu_seconds(), live(), crashes.load(Ordering::Relaxed));
    tokio::time::sleep(STORM).await;
    let (cpu, bytes) = (cpu_seconds() - cpu, live() as f64 - bytes as f64);
    let crashes = (crashes.load(Ordering::Relaxed) - before) as f64;
    let report = tree.terminate(&in_peace()).await.expect("no child waits for the tree");
    assert!(report.is_clean(), "{report}");
    assert!(crashes > 1_000.0, "there were only {crashes} crashes");
    // A busy machine delays the delays: what is counted is what a thousand crashes cost.
    Round { cpu: cpu / crashes * 1_000.0 * 100.0, growth: bytes, rate: crashes / STORM.as_secs_f64() }
}

fn worker(crashes: &Arc<AtomicU64>, number: usize, plant: bool) -> ChildSpec {
    let crashes = Arc::clone(crashes);
    let spec = ChildSpec::worker(number.to_string(), move |_cx| {
        crashes.fetch_add(1, Ordering::Relaxed);
        if plant {
            black_box(Box::leak(Box::new([1_u8; LOST])));
        }
        async { Err::<(), _>("a storm") }
    });
    spec.restart(RestartType::Permanent.delayed(Backoff::constant(DELAY)))
}

/// The processor time that this process has taken, of all its threads, as Linux counts it: in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("this is Linux");
    // The name before may have spaces in it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}
