//! What the tests share: both runtime flavours under a watchdog, files that go with their test, ends that must be clean.

use std::future::Future;
use std::io::Write;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use landfall_diesel_adapter::{DieselPool, SyncBuilder, SyncConnector};
use landfall_lifecycle::{Report, Shutdown, Terminate};
use landfall_pool::Policy;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// A test that takes this long hangs.
const TEST_MAX: Duration = Duration::from_secs(120);

pub(crate) type SqlitePool = DieselPool<SyncConnector<SqliteConnection>>;

pub(crate) fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs a test on a current_thread runtime, then on one with two workers.
#[track_caller]
pub(crate) fn on_both<F: Future<Output = ()>>(body: impl Fn() -> F) {
    let _watched = Watchdog::new();
    current_thread().block_on(body());
    multi_thread().block_on(body());
}

/// Grace and abort instant so far away that no test sees them come by themselves.
pub(crate) fn long() -> Shutdown {
    Shutdown::within(Duration::from_secs(3_600), Duration::from_secs(7_200))
}

/// No grace, and time enough to close.
pub(crate) fn at_once() -> Shutdown {
    Shutdown::within(Duration::ZERO, Duration::from_secs(3_600))
}

/// Keeps nothing ready and nothing timed, so that a test sees only what it asks for.
pub(crate) fn plain(slots_max: usize) -> Policy {
    let mut policy = Policy::default();
    policy.slots_max = slots_max;
    policy.spares_wanted = 0;
    policy.validate_after = None;
    policy.keepalive = None;
    policy.idle_timeout = None;
    policy.lifetime_max = None;
    policy.held_report_after = None;
    // A busy machine is no outage.
    policy.connect_timeout = TEST_MAX;
    policy.close_timeout = TEST_MAX;
    policy.claim_timeout = TEST_MAX;
    policy
}

/// A file with a name of its own, in a directory that goes with it.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("landfall-diesel-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.join("orders.db")
    }

    pub(crate) fn address(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    pub(crate) fn pool(&self, slots_max: usize) -> SyncBuilder<SqliteConnection> {
        DieselPool::sqlite(self.address()).policy(plain(slots_max))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A query that never ends by itself. It says when it begins.
pub(crate) fn endless(begun: oneshot::Sender<()>) -> impl FnOnce(&mut SqliteConnection) -> QueryResult<i64> + Send {
    move |connection| {
        begun.send(()).unwrap();
        count_for_ever(connection)
    }
}

pub(crate) fn count_for_ever(connection: &mut SqliteConnection) -> QueryResult<i64> {
    let query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    diesel::dsl::sql::<BigInt>(query).get_result(connection)
}

pub(crate) fn one(connection: &mut SqliteConnection) -> QueryResult<i64> {
    diesel::select(diesel::dsl::sql::<BigInt>("1")).get_result(connection)
}

/// Terminates a pool that nobody holds anything of, and sees that nothing is left.
pub(crate) async fn end(pool: &SqlitePool) {
    assert_clean(&pool.terminate(&long()).await.unwrap());
}

#[track_caller]
pub(crate) fn assert_clean(report: &Report) {
    assert!(report.is_clean(), "\n{report}");
}

/// Lets the runtime run what is ready until `is_done`.
pub(crate) async fn until(mut is_done: impl FnMut() -> bool) {
    while !is_done() {
        tokio::task::yield_now().await;
    }
}

/// Ends the process when a test hangs, because nothing else would say which one it was.
pub(crate) struct Watchdog {
    _alive: mpsc::Sender<()>,
}

impl Watchdog {
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "it ends with its test, and must not rest on what is tested")]
    pub(crate) fn new() -> Self {
        let place = Location::caller();
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let (alive, gone) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if gone.recv_timeout(TEST_MAX) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Not through `eprintln`, which the test harness captures and an abort loses.
                let _unheard = writeln!(std::io::stderr(), "the test {test} at {place} hangs");
                std::process::abort();
            }
        });
        Self { _alive: alive }
    }
}
