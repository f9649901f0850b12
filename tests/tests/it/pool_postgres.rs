//! The pool on a real PostgreSQL server: sessions that are killed, queries that are given up, holders that are
//! interrupted, a server that goes and comes back. What is left after a termination is `scenario-postgres`'s to count.

use std::time::{Duration, Instant};

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_pool::{FixedResolver, Handle, Policy, Pool};
use landfall_tests::postgres::{Cluster, Postgres, Witness};
use rustix::process::{Pid, Signal, kill_process};

use crate::server::{LONG, cluster, on_server, until};

/// P2.
const REPORT_WITHIN: Duration = Duration::from_secs(1);

fn pool(cluster: &Cluster, slots_max: usize) -> Pool<Postgres> {
    let mut policy = Policy::default();
    policy.slots_max = slots_max;
    policy.slots_min = slots_max;
    policy.spares_wanted = 0;
    policy.offline_wait = LONG;
    let resolver = FixedResolver::new([cluster.address()]);
    Pool::builder("postgres")
        .resolver(resolver)
        .connector(Postgres::default())
        .policy(policy)
        .build()
        .expect("it is fine")
}

async fn end(pool: &Pool<Postgres>, witness: &mut Witness) {
    let report = pool.terminate(&Shutdown::within(LONG, LONG)).await.expect("no task of the pool calls");
    assert!(report.is_clean(), "{report}");
    assert_eq!(witness.others().expect("it answers"), 0);
}

/// What the server ends is not handed out, also if that comes between two uses; others take its place.
#[test]
fn sessions_that_the_server_kills_are_replaced() {
    on_server(async |cluster, witness| {
        let pool = pool(cluster, 8);
        pool.warm_up().await.expect("the server answers");
        let mut held = pool.claim().await.expect("one is idle");
        for _ in 0..5 {
            let killed = witness
                .query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'landfall'");
            assert!(!killed.expect("it may").is_empty());
            assert!(held.query("select 1").await.is_err(), "the server has ended it");
            drop(held);
            held = working(&pool).await;
        }
        let mut all = vec![held];
        while all.len() < 8 {
            all.push(working(&pool).await);
        }
        assert_eq!(witness.others().expect("it answers"), 8);
        drop(all);
        end(&pool, witness).await;
    });
}

/// A session that answers. One that is handed out may have been looked at before its end was read.
async fn working(pool: &Pool<Postgres>) -> Handle<Postgres> {
    loop {
        let mut session = pool.claim().await.expect("there are others");
        if session.query("select 1").await.is_ok() {
            return session;
        }
    }
}

/// djc/bb8#246 on a real server: the next holder would wait behind what the one before began.
#[test]
fn a_query_that_is_given_up_is_not_left_to_the_next_holder() {
    on_server(async |cluster, witness| {
        let pool = pool(cluster, 1);
        let mut first = pool.claim().await.expect("the server answers");
        let sleeps = tokio::time::timeout(Duration::from_millis(50), first.query("select pg_sleep(600)"));
        assert!(sleeps.await.is_err(), "it was given up");
        drop(first);
        let mut second = pool.claim().await.expect("another one is opened");
        second.query("select 1").await.expect("and it is idle");
        drop(second);
        // The one session there may be was ended before the other began.
        assert_eq!(witness.others().expect("it answers"), 1);
        end(&pool, witness).await;
    });
}

#[test]
fn a_holder_that_waits_for_the_server_is_interrupted_when_grace_ends() {
    on_server(async |cluster, witness| {
        let pool = pool(cluster, 2);
        let holders = TaskSet::new("holders");
        let holder = {
            let pool = pool.clone();
            async move {
                let mut session = pool.claim().await.expect("the server answers");
                let error = session.query("select pg_sleep(600)").await.expect_err("it is interrupted");
                error.code().map(|code| code.code().to_owned())
            }
        };
        let holder = holders.spawn_with_handle("holder", holder).expect("it is new");
        until("it sleeps", || {
            let sleeping = witness.query("select pid from pg_stat_activity where query like '%pg_sleep(600)%' and state = 'active' and pid <> pg_backend_pid()");
            sleeping.expect("it answers").len() == 1
        });
        let (grace, abort) = (Duration::from_millis(200), LONG);
        let began = Instant::now();
        let report = pool.terminate(&Shutdown::within(grace, abort)).await.expect("no task of the pool calls");
        assert_eq!(witness.others().expect("it answers"), 0);
        assert!(report.is_clean(), "{report}");
        assert!(began.elapsed() >= grace && began.elapsed() < abort + REPORT_WITHIN);
        // What the server says of a query that somebody else had cancelled.
        assert_eq!(holder.await.expect("it does not panic").as_deref(), Some("57014"));
        assert!(holders.terminate(&Shutdown::within(LONG, LONG)).await.expect("not from within").is_clean());
    });
}

/// Its goodbye cannot be confirmed, and what is left is said.
#[test]
fn a_server_that_stands_still_delays_no_end_and_what_was_not_seen_is_named() {
    on_server(async |cluster, witness| {
        let pool = pool(cluster, 4);
        pool.warm_up().await.expect("the server answers");
        let pids = witness.query("select pid from pg_stat_activity where application_name = 'landfall'");
        let pids: Vec<i32> = pids.expect("it answers").iter().map(|pid| pid.parse().expect("a number")).collect();
        assert_eq!(pids.len(), 4);
        let stopped = Stopped::all(pids);
        let abort = Duration::from_millis(500);
        let began = Instant::now();
        let report = pool.terminate(&Shutdown::within(Duration::ZERO, abort)).await.expect("no task of the pool calls");
        assert!(began.elapsed() < abort + REPORT_WITHIN, "{:?}", began.elapsed());
        let remnants: Vec<_> = report.remnants_all().map(|found| &*found.item.kind).collect();
        assert_eq!(remnants, ["session"; 4], "nobody saw them end: {report}");
        drop(stopped);
        until("they end", || witness.others().expect("it answers") == 0);
    });
}

/// Processes that stand still until this is dropped.
struct Stopped(Vec<i32>);

impl Stopped {
    fn all(pids: Vec<i32>) -> Self {
        let stopped = Self(pids);
        stopped.signal(Signal::STOP);
        stopped
    }

    fn signal(&self, signal: Signal) {
        for pid in self.0.iter().copied().filter_map(Pid::from_raw) {
            // It fails if the process is gone, and then there is nothing to go on.
            _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
    }
}

/// Ended, and nothing of it left: neither its folder nor a process.
#[test]
fn a_cluster_leaves_nothing() {
    let Some(cluster) = cluster() else { return };
    let (folder, address) = (cluster.folder().to_owned(), cluster.address());
    assert!(folder.is_dir());
    let mut witness = cluster.witness().expect("it answers");
    drop(cluster);
    assert!(!folder.exists());
    assert!(witness.others().is_err() && Witness::on(address).is_err());
}
