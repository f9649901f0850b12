//! Pools on loopback, in real time, beside servers that are killed, reset, silent, slow, or not there yet. What is asserted
//! are the limits that the policy and `terminate` promise, never finer figures.

mod line;
mod server;

use std::error::Error;
use std::future::Future;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_pool::{Backend, ClaimError, ConnectError, FixedResolver, Handle, Policy, Pool};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use self::line::Lines;
use self::server::{Conduct, Server};

const SECOND: Duration = Duration::from_secs(1);
/// No test takes so long.
const LONG: Duration = Duration::from_secs(60);
/// How late a busy machine may be with what is told in time. The same as P2's.
const LATE_MAX: Duration = SECOND;
/// After a fault all capacity is there again within this.
const RECOVERED_WITHIN: Duration = Duration::from_secs(15);
/// For how long a fault lasts, longer than a connect may take.
const OUTAGE: Duration = Duration::from_secs(2);
/// How long a user waits for an answer.
const ANSWER_MAX: Duration = Duration::from_millis(300);

/// How many attempts may fail in an outage, however many claim.
const ATTEMPTS_MAX: u64 = 100;

const SLOTS: usize = 16;
const SPARES: usize = 8;
const TASKS: usize = 64;

/// How a server may fail.
const FAULTS: &[Conduct] = &[
    Conduct::Refuses,
    Conduct::Resets,
    Conduct::BlackHole,
    // Longer than a connect may take.
    Conduct::SlowAccept(Duration::from_secs(3)),
    Conduct::Dribbles(SECOND),
];

/// Runs a test with each fault, at the same time, each on a runtime of its own.
fn with_each<F: Future<Output = ()>>(body: impl Fn(Conduct) -> F + Sync) {
    thread::scope(|scope| {
        for fault in FAULTS {
            let body = &body;
            let run = move || {
                let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
                runtime
                    .block_on(async { timeout(LONG, body(*fault)).await })
                    .unwrap_or_else(|_| panic!("{fault:?} hangs"));
            };
            thread::Builder::new().name(format!("{fault:?}")).spawn_scoped(scope, run).expect("a thread");
        }
    });
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.slots_max = SLOTS;
    policy.spares_wanted = SPARES;
    policy.claim_timeout = 2 * SECOND;
    policy.connect_timeout = SECOND;
    policy.check_timeout = SECOND;
    policy.close_timeout = SECOND;
    policy
}

fn pool(backends: impl IntoIterator<Item = Backend>) -> Pool<Lines> {
    let resolver = FixedResolver::new(backends);
    Pool::builder("faults").resolver(resolver).connector(Lines).policy(policy()).build().expect("it is fine")
}

/// Uses what a claim gave; what gives no answer is not given back as if it worked.
async fn used(mut line: Handle<Lines>) -> bool {
    timeout(ANSWER_MAX, line.ask()).await.is_ok_and(|answer| answer.is_ok())
}

/// Claims so many lines at once that all of them answer; a broken one is claimed again.
async fn all_working(pool: &Pool<Lines>) -> Vec<Handle<Lines>> {
    let mut held = Vec::new();
    while held.len() < SLOTS {
        if let Ok(mut line) = pool.claim().await
            && timeout(ANSWER_MAX, line.ask()).await.is_ok_and(|answer| answer.is_ok())
        {
            held.push(line);
        }
    }
    held
}

async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        sleep(Duration::from_millis(1)).await;
    }
}

/// What is planted is there: how a new client fares, and one that was served before.
#[test]
fn each_server_fails_as_it_says() {
    with_each(async |fault| {
        let server = Server::start(Conduct::Well);
        let pool = pool([server.backend()]);
        let mut before = pool.claim().await.expect("it is well");
        before.ask().await.expect("it is well");
        server.set(fault);
        let connect = || timeout(SECOND / 2, TcpStream::connect(server.backend().address));
        // Its listener has to go first, or to be filled; meanwhile it takes clients, and ends them.
        loop {
            let is_there = match (fault, connect().await) {
                (Conduct::Refuses, connected) => {
                    matches!(connected, Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused)
                }
                (Conduct::BlackHole, connected) => connected.is_err(),
                _ => true,
            };
            if is_there {
                break;
            }
        }
        let asked = timeout(SECOND / 2, before.ask()).await.map(|answer| answer.map_err(|error| error.kind()));
        let connected = connect().await.map(|stream| stream.map(drop).map_err(|error| error.kind()));
        match fault {
            Conduct::Refuses => assert_eq!(connected, Ok(Err(ErrorKind::ConnectionRefused))),
            Conduct::BlackHole => assert!(connected.is_err(), "no answer to a SYN: {connected:?}"),
            // The reset may be there before the client looks.
            Conduct::Resets => assert!(matches!(connected, Ok(Ok(()) | Err(ErrorKind::ConnectionReset)))),
            _ => assert_eq!(connected, Ok(Ok(()))),
        }
        match fault {
            Conduct::Refuses => assert!(matches!(asked, Ok(Err(_))), "it was ended: {asked:?}"),
            Conduct::Resets => assert_eq!(asked, Ok(Err(ErrorKind::ConnectionReset))),
            Conduct::BlackHole | Conduct::Dribbles(_) => assert!(asked.is_err(), "no answer in time: {asked:?}"),
            _ => assert_eq!(asked, Ok(Ok(()))),
        }
        let opened = timeout(SECOND, Lines.connect_to(&server.backend())).await;
        assert!(!matches!(opened, Ok(Ok(_))), "{fault:?}: nobody new is served");
        drop(before);
        drop(pool.terminate(&Shutdown::now()).await.expect("no task of it calls"));
        server.end().await;
    });
}

/// The check of claims that are told late sees those of a pool that lets them wait longer.
#[test]
fn claims_that_are_told_late_are_seen() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = Server::start(Conduct::BlackHole);
        let resolver = FixedResolver::new([server.backend()]);
        let mut patient = policy();
        patient.claim_timeout = LONG;
        patient.offline_wait = policy().claim_timeout + LATE_MAX + SECOND;
        let pool =
            Pool::builder("late").resolver(resolver).connector(Lines).policy(patient).build().expect("it is fine");
        let (told, is_over) = (Arc::new(Told::default()), Arc::new(AtomicBool::new(false)));
        let claims = Arc::clone(&told).claim(pool.clone(), Arc::clone(&is_over));
        let stops = async {
            until(|| told.failed.load(Ordering::SeqCst) > 0).await;
            is_over.store(true, Ordering::SeqCst);
        };
        tokio::join!(claims, stops);
        assert!(told.late.load(Ordering::SeqCst) > 0);
        drop(pool.terminate(&Shutdown::now()).await.expect("no task of it calls"));
        server.end().await;
    });
}

/// One healthy backend among more dead ones than there are spares, with which qorb's healthy one is left without
/// connections.
#[test]
fn dead_backends_cost_a_healthy_one_none_of_its_connections() {
    with_each(async |fault| {
        let healthy = Server::start(Conduct::Well);
        let dead: Vec<Server> = (0..=SPARES).map(|_| Server::start(fault)).collect();
        let pool = pool(dead.iter().chain([&healthy]).map(Server::backend));
        pool.warm_up().await.expect("one is healthy");
        // Those that have been greeted: all of them the healthy one's, but for a slow one's first client.
        let usable = || {
            let slots = pool.stats().slots;
            slots.idle + slots.claimed + slots.checking
        };
        let began = Instant::now();
        while began.elapsed() < OUTAGE {
            let mut line = pool.claim().await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            line.ask().await.unwrap_or_else(|error| panic!("{fault:?}: {} {error}", line.backend()));
            assert!(usable() >= SPARES, "{fault:?}: {:?}", pool.stats());
            drop(line);
            sleep(Duration::from_millis(1)).await;
        }
        // All the room there is can be had.
        let mut held = Vec::new();
        while held.len() < SLOTS {
            held.push(pool.claim().await.unwrap_or_else(|error| panic!("{fault:?}, after {}: {error}", held.len())));
        }
        for line in &mut held {
            line.ask().await.unwrap_or_else(|error| panic!("{fault:?}: {} {error}", line.backend()));
        }
        drop(held);
        drop(pool.terminate(&Shutdown::within(Duration::ZERO, SECOND)).await.expect("no task of it calls"));
        for server in dead.into_iter().chain([healthy]) {
            server.end().await;
        }
    });
}

/// What the claims of all tasks came to.
#[derive(Default)]
struct Told {
    served: AtomicUsize,
    failed: AtomicUsize,
    late: AtomicUsize,
    unexplained: AtomicUsize,
}

impl Told {
    /// Claims and uses lines, again and again.
    async fn claim(self: Arc<Self>, pool: Pool<Lines>, is_over: Arc<AtomicBool>) {
        let limit = policy().claim_timeout;
        while !is_over.load(Ordering::SeqCst) {
            let began = Instant::now();
            let claimed = pool.claim().await;
            if began.elapsed() > limit + LATE_MAX {
                self.late.fetch_add(1, Ordering::SeqCst);
            }
            match claimed {
                Ok(line) => {
                    used(line).await;
                    self.served.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) => {
                    self.failed.fetch_add(1, Ordering::SeqCst);
                    if !explains(&error) {
                        self.unexplained.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
            // A user who has no connection has something else to do.
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Whether an error of an outage says what the last attempt to connect came to, or what was waited for.
fn explains(error: &ClaimError) -> bool {
    match error {
        ClaimError::NoneOnline { last: Some(ConnectError::TimedOut { .. }), .. } | ClaimError::TimedOut { .. } => true,
        ClaimError::NoneOnline { last: Some(failed @ ConnectError::Failed { .. }), .. } => failed.source().is_some(),
        _ => false,
    }
}

/// The only backend fails under load, and comes back.
#[test]
fn claims_are_told_in_time_in_an_outage_and_all_capacity_is_there_after_it() {
    with_each(async |fault| {
        let server = Server::start(Conduct::Well);
        let pool = pool([server.backend()]);
        drop(all_working(&pool).await);
        let (told, is_over) = (Arc::new(Told::default()), Arc::new(AtomicBool::new(false)));
        let claimers = TaskSet::new("claimers");
        for _ in 0..TASKS {
            claimers.spawn("claims", Arc::clone(&told).claim(pool.clone(), Arc::clone(&is_over))).expect("it is new");
        }
        until(|| told.served.load(Ordering::SeqCst) > TASKS).await;
        server.set(fault);
        sleep(OUTAGE).await;
        server.set(Conduct::Well);
        let back = Instant::now();
        is_over.store(true, Ordering::SeqCst);
        drop(all_working(&pool).await);
        let recovered = back.elapsed();
        let attempts = pool.stats().backends[0].connects_failed;
        assert!(attempts <= ATTEMPTS_MAX, "{fault:?}: {attempts} attempts failed");
        assert!(recovered < RECOVERED_WITHIN, "{fault:?}: all capacity after {recovered:?}");
        assert!(claimers.terminate(&Shutdown::within(LONG, LONG)).await.expect("no task of it calls").is_clean());
        let (failed, late) = (told.failed.load(Ordering::SeqCst), told.late.load(Ordering::SeqCst));
        assert_eq!(late, 0, "{fault:?}: claims that were told late, of {failed} that failed");
        assert_eq!(told.unexplained.load(Ordering::SeqCst), 0, "{fault:?}: errors that do not say why");
        // Those that are there already go on being used, where only new ones are slow.
        assert!(failed > 0 || matches!(fault, Conduct::SlowAccept(_)), "{fault:?}: it was no outage");
        assert!(pool.slots().claimed == 0 && server.open() <= SLOTS, "{fault:?}: {} are open", server.open());
        end(&pool, server, fault).await;
    });
}

/// Nobody listens yet when the pool is made.
#[test]
fn a_server_that_comes_later_is_found() {
    with_each(async |fault| {
        let server = Server::start(fault);
        let pool = pool([server.backend()]);
        let error = pool.claim().await.expect_err("there is none to be had");
        assert!(explains(&error), "{fault:?}: {error:?}");
        server.set(Conduct::Well);
        let back = Instant::now();
        drop(all_working(&pool).await);
        assert!(back.elapsed() < RECOVERED_WITHIN, "{fault:?}: {:?}", back.elapsed());
        end(&pool, server, fault).await;
    });
}

/// Handles out, claims in line, connects and checks under way.
#[test]
fn terminate_in_the_midst_of_a_fault_is_in_time_and_leaves_no_connection() {
    with_each(async |fault| {
        let server = Server::start(Conduct::Well);
        let pool = pool([server.backend()]);
        drop(all_working(&pool).await);
        let (told, is_over) = (Arc::new(Told::default()), Arc::new(AtomicBool::new(false)));
        let claimers = TaskSet::new("claimers");
        for _ in 0..TASKS {
            claimers.spawn("claims", Arc::clone(&told).claim(pool.clone(), Arc::clone(&is_over))).expect("it is new");
        }
        until(|| told.served.load(Ordering::SeqCst) > TASKS).await;
        server.set(fault);
        sleep(OUTAGE / 2).await;
        let (grace, abort) = (Duration::from_millis(500), Duration::from_millis(1_500));
        is_over.store(true, Ordering::SeqCst);
        let began = Instant::now();
        let report = pool.terminate(&Shutdown::within(grace, abort)).await.expect("no task of it calls");
        assert!(began.elapsed() < abort + LATE_MAX, "{fault:?}: {:?}\n{report}", began.elapsed());
        assert_eq!(report.stragglers().count(), 0, "{fault:?}:\n{report}");
        // Users have given up by now, and their handles came back.
        assert!(report.is_clean(), "{fault:?}:\n{report}");
        assert!(matches!(pool.claim().await, Err(ClaimError::Terminating { .. })));
        drop(claimers.terminate(&Shutdown::within(LONG, LONG)).await.expect("no task of it calls"));
        // A server that did not look sees it now.
        server.set(Conduct::Well);
        until(|| server.open() == 0).await;
        server.end().await;
    });
}

async fn end(pool: &Pool<Lines>, server: Server, fault: Conduct) {
    let report = pool.terminate(&Shutdown::within(LONG, LONG)).await.expect("no task of it calls");
    assert!(report.is_clean(), "{fault:?}:\n{report}");
    until(|| server.open() == 0).await;
    server.end().await;
}
