//! Pools of many connections are terminated while these are idle, claimed, and being opened; right after it the server is
//! asked how many sessions there are.

use std::cell::OnceCell;
use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use clap::Args;
use landfall_lifecycle::{Report, Shutdown, TaskSet, Terminate};
use landfall_pool::{FixedResolver, Policy, Pool};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::cluster::{Cluster, NoCluster, SESSIONS_MAX};
use super::connector::{Manners, Postgres};
use super::witness::Witness;
use crate::deadline::Deadline;
use crate::findings::{Finding, Findings, Kind};
use crate::random::Random;
use crate::scenario::{Failure, Setting};
use crate::verdict::Outcome;

/// What the name of a twin begins with whose attempts to connect are left half open when they are given up; the others
/// say goodbye and do not wait.
const FORGOTTEN: &str = "forgotten-";

/// How often a twin is tried: which sessions are left, if any, is a race.
const TRIES_MAX: usize = 60;

/// How long all may take that has to go well before a termination.
const READY_MAX: Duration = Duration::from_secs(60);
/// The grace of those terminations in which somebody does not give his connection back.
const GRACE: Duration = Duration::from_millis(200);
/// Long enough for each close on a busy machine.
const ABORT: Duration = Duration::from_secs(30);
/// P2.
const REPORT_WITHIN: Duration = Duration::from_secs(1);

/// How much is done.
#[derive(Clone, Copy, Debug, Args)]
pub struct Sizes {
    /// Connections of each pool
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=(SESSIONS_MAX as i64 - 50)))]
    pub connections: u16,
}

/// What the connections of a pool are doing when it is terminated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Idle,
    Claimed,
    Connecting,
}

impl Doing {
    const ALL: [Self; 3] = [Self::Idle, Self::Claimed, Self::Connecting];

    fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Claimed => "claimed",
            Self::Connecting => "connecting",
        }
    }
}

/// The server of all rounds, made for the first one.
#[derive(Debug, Default)]
pub struct Server(OnceCell<Result<Cluster, NoCluster>>);

impl Server {
    fn cluster(&self) -> Result<&Cluster, &NoCluster> {
        self.0.get_or_init(Cluster::start).as_ref()
    }
}

/// Runs it.
///
/// # Errors
///
/// When it cannot be run to its end.
pub fn run(server: &Server, setting: &Setting, sizes: Sizes) -> Result<Outcome, Failure> {
    let cluster = match server.cluster() {
        Ok(cluster) => cluster,
        Err(missing @ NoCluster::Missing { .. }) => {
            return Ok(Outcome { skipped: vec![missing.to_string()], ..Outcome::default() });
        }
        Err(error) => return Err(io::Error::other(error.to_string()).into()),
    };
    let manners = match setting.fault {
        None => Manners::Waits,
        Some(twin) if twin.fault.starts_with(FORGOTTEN) => Manners::Forgets,
        Some(_) => Manners::DoesNotWait,
    };
    let mut round = Round {
        cluster,
        witness: cluster.witness()?,
        connections: usize::from(sizes.connections),
        manners,
        random: setting.random(),
        outcome: Outcome::default(),
    };
    let Some(twin) = setting.fault else {
        for doing in Doing::ALL {
            round.run(doing)?;
        }
        return Ok(round.outcome);
    };
    for doing in Doing::ALL.into_iter().filter(|doing| twin.fault.ends_with(doing.word())) {
        for _ in 0..TRIES_MAX {
            round.run(doing)?;
            if round.outcome.findings.includes(&twin.finds) {
                break;
            }
        }
    }
    Ok(round.outcome)
}

struct Round<'a> {
    cluster: &'a Cluster,
    witness: Witness,
    connections: usize,
    manners: Manners,
    random: Random,
    outcome: Outcome,
}

impl Round<'_> {
    fn run(&mut self, doing: Doing) -> Result<(), Failure> {
        // What was forgotten stays.
        if self.manners != Manners::Forgets {
            self.wait_until_none_is_left()?;
        }
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let holders = TaskSet::new("holders");
        let pool = runtime.block_on(async { self.pool() })?;
        let grace = self.prepare(doing, &runtime, &pool, &holders)?;
        let how = Shutdown::within(grace, grace + ABORT);
        let began = Instant::now();
        let report = runtime.block_on(pool.terminate(&how)).map_err(io::Error::other)?;
        let left = self.witness.others()?;
        let took = began.elapsed();
        self.judge(doing, &report, left, took, grace);
        let ended = runtime.block_on(holders.terminate(&Shutdown::within(ABORT, ABORT))).map_err(io::Error::other)?;
        self.outcome.findings.check(ended.is_clean(), Kind::Unclean, || format!("the holders: {ended}"));
        Ok(())
    }

    fn pool(&self) -> Result<Pool<Postgres>, Failure> {
        let mut policy = Policy::default();
        policy.slots_max = self.connections;
        policy.slots_min = self.connections;
        policy.connect_timeout = READY_MAX;
        policy.claim_timeout = READY_MAX;
        let pool = Pool::builder("sessions").resolver(FixedResolver::new([self.cluster.address()]));
        pool.connector(Postgres { manners: self.manners })
            .policy(policy)
            .build()
            .map_err(|it| io::Error::other(it).into())
    }

    /// Gives the grace that there is to be.
    fn prepare(
        &mut self,
        doing: Doing,
        runtime: &Runtime,
        pool: &Pool<Postgres>,
        holders: &TaskSet,
    ) -> Result<Duration, Failure> {
        if doing == Doing::Connecting {
            // About as long as it takes to open all of them.
            let moment = Duration::from_millis(3) * u32::try_from(self.connections).unwrap_or(u32::MAX);
            std::thread::sleep(self.random.time_below(moment));
            return Ok(Duration::ZERO);
        }
        runtime.block_on(in_time("the connections", pool.warm_up()))?.map_err(io::Error::other)?;
        let there = self.witness.others()?;
        // Whoever counts must see them while they are there.
        if there != self.connections as u64 {
            return Err(io::Error::other(format!("{there} of {} sessions are seen", self.connections)).into());
        }
        if doing == Doing::Idle {
            return Ok(Duration::ZERO);
        }
        let all_hold = CancellationToken::new();
        for _ in 0..self.connections {
            let (pool, until) = (pool.clone(), self.random.time_below(GRACE));
            let keeps = self.random.within(0..2) == 0;
            let runtime = runtime.handle();
            drop(
                holders
                    .spawn_on(runtime, "holder", hold(pool, keeps, all_hold.clone(), until))
                    .map_err(io::Error::other)?,
            );
        }
        let all_claimed = async {
            while pool.slots().claimed < self.connections {
                tokio::task::yield_now().await;
            }
        };
        runtime.block_on(in_time("the claims", all_claimed))?;
        all_hold.cancel();
        Ok(GRACE)
    }

    fn judge(&mut self, doing: Doing, report: &Report, left: u64, took: Duration, grace: Duration) {
        let (connections, word) = (self.connections, doing.word());
        let findings = &mut self.outcome.findings;
        if left > 0 {
            let text = format!("{left} of the sessions of a pool of {connections} are left");
            findings.push(Finding::new(Kind::Session, text).named(word));
        }
        // A query that sleeps is cut when grace ends: that is what its holder is told, and not an end that is unclean.
        findings.check(report.is_clean(), Kind::Unclean, || format!("{word}: {report}"));
        findings.check(took < grace + ABORT + REPORT_WITHIN, Kind::Late, || format!("{word}: {took:?}"));
        self.outcome.took.push(took);
        self.outcome.counts.extend([("terminations", 1), ("sessions left", left)]);
        add_up(&mut self.outcome);
    }

    /// A fault before this may have left some for a moment.
    fn wait_until_none_is_left(&mut self) -> Result<(), Failure> {
        let deadline = Deadline::after(READY_MAX);
        let witness = &mut self.witness;
        let gone = deadline.poll(|| match witness.others() {
            Ok(0) => Some(Ok(())),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        gone.ok_or_else(|| Failure::TimedOut("the sessions of the round before".to_owned()))??;
        Ok(())
    }
}

/// Claims a connection; gives it back in time, or lets the server sleep on it until it is interrupted.
async fn hold(pool: Pool<Postgres>, keeps: bool, all_hold: CancellationToken, until: Duration) {
    let Ok(mut session) = pool.claim().await else { return };
    if keeps {
        // An error is what there is to come.
        drop(session.query("select pg_sleep(600)").await);
    } else {
        all_hold.cancelled().await;
        tokio::time::sleep(until).await;
    }
}

async fn in_time<T>(what: &str, done: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::time::timeout(READY_MAX, done).await.map_err(|_| Failure::TimedOut(what.to_owned()))
}

/// Makes one of counts with the same name.
fn add_up(outcome: &mut Outcome) {
    let mut all = Outcome::default();
    all.add_round(
        1,
        Outcome { counts: std::mem::take(&mut outcome.counts), findings: Findings::default(), ..Outcome::default() },
    );
    outcome.counts = all.counts;
}
