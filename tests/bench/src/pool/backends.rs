//! Eight backends, of which one dies, one becomes slow, one flaps and one accepts and never answers: what users see of
//! it, what part of all uses each has, and how soon it is left out and comes back.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use landfall_lifecycle::{Shutdown, Terminate};
use landfall_pool::{
    Backend as Target, BackendChange, BoxError, ConnectCx, Connected, Connector, Events, FixedResolver, Policy, Pool,
    PoolEvent,
};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::flavour::Flavour;
use crate::{Bound, Cell, Findings, Options, Series};

const BACKENDS: usize = 8;
const SLOTS: usize = 64;
const TASKS: usize = 16;
/// How long a use takes, and one of the slow backend.
const USE: Duration = Duration::from_millis(1);
const SLOW_USE: Duration = Duration::from_millis(20);
/// For how long a user waits for an answer.
const USE_MAX: Duration = Duration::from_millis(50);
/// For how long all is well, then not, then well again.
const BEFORE: Duration = Duration::from_millis(500);
const FAULTS: Duration = Duration::from_secs(3);
const AFTER: Duration = Duration::from_secs(8);
/// One that flaps is away for so long, and back for as long.
const FLAP: Duration = Duration::from_millis(200);
/// From the faults on a slow one may have had its share for so long.
const SETTLED: Duration = Duration::from_millis(100);
/// In which shares are taken to see when a backend has half of its share again.
const WINDOW: Duration = Duration::from_millis(100);
const ROUNDS_MAX: usize = 3;

const NAMES: [&str; 4] = ["dead", "slow", "flapping", "silent"];
const FAILED: &str = "failed uses";

/// How a backend behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Mode {
    Well,
    /// It refuses, and its connections are of no use.
    Dead,
    Slow,
    /// It accepts, and answers nothing.
    Silent,
}

/// The backends; the number is the port.
#[derive(Debug, Default)]
struct Net([AtomicU8; BACKENDS]);

/// One use: when it began, where, and how it went.
#[derive(Clone, Copy, Debug)]
struct Use {
    at: Instant,
    backend: usize,
    is_well: bool,
}

/// What the tasks share.
#[derive(Debug)]
struct Scene {
    pool: Pool<Connecting>,
    net: Arc<Net>,
    uses: Mutex<Vec<Use>>,
    is_over: AtomicBool,
}

#[derive(Debug)]
struct Connecting(Arc<Net>);

impl Net {
    fn mode(&self, backend: usize) -> Mode {
        let modes = [Mode::Well, Mode::Dead, Mode::Slow, Mode::Silent];
        modes[usize::from(self.0[backend].load(Ordering::Relaxed))]
    }

    fn set(&self, backend: usize, mode: Mode) {
        self.0[backend].store(mode as u8, Ordering::Relaxed);
    }

    /// Uses a connection; whether it went well.
    async fn serve(&self, backend: usize) -> bool {
        match self.mode(backend) {
            Mode::Well => sleep(USE).await,
            Mode::Slow => sleep(SLOW_USE).await,
            Mode::Dead => return false,
            Mode::Silent => sleep(Duration::MAX).await,
        }
        self.mode(backend) != Mode::Dead
    }
}

impl Connector for Connecting {
    type Connection = usize;

    async fn connect(&self, backend: &Target, _: &ConnectCx) -> Result<Connected<usize>, BoxError> {
        let number = number(backend);
        sleep(USE).await;
        if self.0.mode(number) == Mode::Dead { Err("refused".into()) } else { Ok(number.into()) }
    }
}

fn number(backend: &Target) -> usize {
    usize::from(backend.address.port()) - 1
}

/// Measures it.
pub(super) fn findings(options: &Options) -> Findings {
    let runtime = Flavour::TwoWorkers.build_with_time();
    let rounds: Vec<_> = (0..options.rounds.min(ROUNDS_MAX)).map(|_| run(&runtime, options.plant)).collect();
    let mut findings = Findings { must_catch: vec![FAILED], ..Findings::default() };
    let mut cell = |name: String, unit, bound: Option<f64>, figure: &dyn Fn(&Round) -> f64| {
        let ours = Series { of: "Pool", samples: rounds.iter().map(figure).collect() };
        findings.cells.push(Cell { name, unit, ours, peer: None, bound: bound.map(Bound::Max) });
    };
    for (which, name) in NAMES.into_iter().enumerate() {
        let failed_max = [Some(16.0), Some(0.0), None, Some(32.0)][which];
        cell(format!("{FAILED}, {name}"), "", failed_max, &|it| it.backends[which].failed);
        let share_max = (name == "slow").then_some(1.0);
        cell(format!("share of uses, {name}"), "%", share_max, &|it| it.backends[which].share);
        cell(format!("left out after, {name}"), "ms", None, &|it| it.backends[which].out);
        let back_max = (name == "slow").then_some(1_000.0);
        cell(format!("half its share again after, {name}"), "ms", back_max, &|it| it.backends[which].back);
    }
    cell("uses a second, before".to_owned(), "", None, &|it| it.rates[0]);
    cell("uses a second, with faults".to_owned(), "", None, &|it| it.rates[1]);
    findings
}

/// What came of one round.
#[derive(Debug)]
struct Round {
    backends: [Seen; NAMES.len()],
    rates: [f64; 2],
}

/// What was seen of one backend; a time that never came is the longest that it could have been.
#[derive(Clone, Copy, Debug)]
struct Seen {
    failed: f64,
    share: f64,
    out: f64,
    back: f64,
}

fn run(runtime: &Runtime, plant: bool) -> Round {
    runtime.block_on(runtime.spawn(round(plant))).expect("nothing here panics")
}

async fn round(plant: bool) -> Round {
    let scene = Arc::new(build(plant).await);
    let mut events = scene.pool.events();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        tasks.spawn(user(Arc::clone(&scene)));
    }
    let began = Instant::now();
    sleep(BEFORE).await;
    let faults = Instant::now();
    let left_out = tokio::spawn(async move { left_out(&mut events, faults).await });
    for (number, mode) in [(0, Mode::Dead), (1, Mode::Slow), (3, Mode::Silent)] {
        scene.net.set(number, mode);
    }
    for flap in 0..(FAULTS.as_millis() / FLAP.as_millis()) {
        scene.net.set(2, if flap % 2 == 0 { Mode::Dead } else { Mode::Well });
        sleep(FLAP).await;
    }
    let well = Instant::now();
    (0..BACKENDS).for_each(|number| scene.net.set(number, Mode::Well));
    sleep(AFTER).await;
    scene.is_over.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    let ended = scene.pool.terminate(&Shutdown::within(AFTER, AFTER)).await.expect("no task of the pool calls");
    assert!(ended.is_clean(), "{ended}");
    let out = left_out.await.expect("it does not panic");
    let uses = std::mem::take(&mut *scene.uses.lock().unwrap_or_else(PoisonError::into_inner));
    let of = |from: Instant, to: Instant| uses.iter().filter(move |it| (from..to).contains(&it.at));
    let backends = std::array::from_fn(|which| {
        let its = |from, to| of(from, to).filter(|it| it.backend == which);
        let failed = its(faults, well).filter(|it| !it.is_well).count() as f64;
        let from = faults + SETTLED;
        let share = 100.0 * its(from, well).count() as f64 / of(from, well).count().max(1) as f64;
        let has_half = |from: &Instant| {
            let all = of(*from, *from + WINDOW).count();
            its(*from, *from + WINDOW).count() * BACKENDS * 2 >= all && all > 0
        };
        let windows = (0..AFTER.as_millis() / WINDOW.as_millis()).map(|nth| well + WINDOW * nth as u32);
        let back = windows.into_iter().find(has_half).map_or(AFTER, |from| from + WINDOW - well);
        Seen { failed, share, out: millis(out[which].unwrap_or(FAULTS)), back: millis(back) }
    });
    let rate = |from: Instant, to: Instant| of(from, to).count() as f64 / (to - from).as_secs_f64();
    Round { backends, rates: [rate(began, faults), rate(faults, well)] }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

async fn build(plant: bool) -> Scene {
    let net = Arc::new(Net::default());
    let mut policy = Policy::default();
    policy.slots_max = SLOTS;
    policy.slots_min = SLOTS;
    if plant {
        policy.ejected_percent_max = 0;
    }
    let targets = (1..=BACKENDS as u16).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let builder = Pool::builder("bench").resolver(FixedResolver::new(targets)).policy(policy);
    let pool = builder.connector(Connecting(Arc::clone(&net))).build().expect("the policy is sound");
    pool.warm_up().await.expect("all of them answer");
    Scene { pool, net, uses: Mutex::default(), is_over: AtomicBool::new(false) }
}

/// When each backend was left out first, because it failed to answer or was ejected.
async fn left_out(events: &mut Events, since: Instant) -> [Option<Duration>; NAMES.len()] {
    let mut out = [None; NAMES.len()];
    while let Some(event) = events.recv().await {
        if let Ok(PoolEvent::Backend { backend, change: BackendChange::Ejected { .. } | BackendChange::Failing }) =
            event
            && let Some(first) = out.get_mut(number(&backend))
        {
            first.get_or_insert(since.elapsed());
        }
    }
    out
}

async fn user(scene: Arc<Scene>) {
    while !scene.is_over.load(Ordering::Relaxed) {
        let Ok(handle) = scene.pool.claim().await else {
            // Nothing is online: whoever claims does not spin.
            sleep(USE).await;
            continue;
        };
        let (at, backend) = (Instant::now(), *handle);
        let is_well = timeout(USE_MAX, scene.net.serve(backend)).await.unwrap_or(false);
        if !is_well {
            handle.discard();
        }
        scene.uses.lock().unwrap_or_else(PoisonError::into_inner).push(Use { at, backend, is_well });
    }
}
