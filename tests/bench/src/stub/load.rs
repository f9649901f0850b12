//! Many events at once for some seconds: how many are answered, and whether anything grows.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use landfall_stub::Stub;
use landfall_stub::messages::{Container, Event, PodSandbox};
use landfall_stub::testing::{TestPlugin, TestRuntime};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::{OURS, again};
use crate::{Bound, Cell, Findings, Options, Series};

const AT_A_TIME: usize = 64;
/// Before this nothing is measured.
const WARM_UP: Duration = Duration::from_secs(1);
const LOAD: Duration = Duration::from_secs(10);
const ROUNDS_MAX: usize = 3;

/// Events a second.
const RATE: f64 = 10_000.0;
/// What requests under way may differ by from one moment to the next.
const GROWTH: f64 = 128.0 * 1_024.0;
/// A planted event loses so much.
const LOST: usize = 128;

/// Measures it on the runtime of the tests; `live` asks the program's allocator.
///
/// # Panics
///
/// When the plugin does not serve.
#[must_use]
pub fn load(options: &Options, live: fn() -> usize) -> Findings {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("the machine has threads for a runtime");
    let rounds = 0..options.rounds.min(ROUNDS_MAX);
    let rounds: Vec<Round> = rounds.map(|_| runtime.block_on(round(live, options.plant))).collect();
    let cell = |name: &str, unit, of: fn(&Round) -> f64, bound| Cell {
        name: name.to_owned(),
        unit,
        ours: Series { of: OURS, samples: rounds.iter().map(of).collect() },
        peer: None,
        bound,
    };
    let mut cells = vec![
        cell("events a second, 64 at a time", "", |it| it.rate, Some(Bound::Min(RATE))),
        cell("of these refused", "", |it| it.refused, Some(Bound::Max(0.0))),
        cell("growth of live bytes in 10 s of that", "bytes", |it| it.growth, Some(Bound::Max(GROWTH))),
    ];
    cells.extend(again::cells(options));
    Findings { cells, must_catch: vec!["growth", "lost"], others: Vec::new() }
}

struct Round {
    rate: f64,
    refused: f64,
    growth: f64,
}

async fn round(live: fn() -> usize, plant: bool) -> Round {
    let runtime = TestRuntime::new();
    let stub = Stub::builder("logger", 10).dialer(runtime.dialer()).on_start_container(move |_, _, _| async move {
        if plant {
            black_box(Box::leak(Box::new([1_u8; LOST])));
        }
        Ok(())
    });
    let stub = stub.build().expect("it is sound");
    stub.start().await.expect("the runtime behaves well");
    let plugin = runtime.next_plugin().await.expect("the runtime behaves well");
    let counts = Arc::new(Counts::default());
    let until = Instant::now() + WARM_UP + LOAD;
    let mut callers = JoinSet::new();
    for _ in 0..AT_A_TIME {
        callers.spawn(call(plugin.clone(), Arc::clone(&counts), until));
    }
    sleep(WARM_UP).await;
    let (bytes, answered, refused) = (live(), counts.answered(), counts.refused());
    // Still under load: what is compared is alike.
    sleep_until(until - Duration::from_millis(100)).await;
    let took = (LOAD - Duration::from_millis(100)).as_secs_f64();
    let growth = live() as f64 - bytes as f64;
    let (answered, refused) = (counts.answered() - answered, counts.refused() - refused);
    callers.join_all().await;
    drop(stub);
    Round { rate: answered as f64 / took, refused: refused as f64, growth }
}

async fn call(plugin: TestPlugin, counts: Arc<Counts>, until: Instant) {
    let (pod, container) = (PodSandbox::default(), Container::default());
    while Instant::now() < until {
        let asked = plugin.container_event(Event::StartContainer, pod.clone(), container.clone());
        let count = if asked.await.is_ok() { &counts.answered } else { &counts.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
