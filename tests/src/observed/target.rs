//! The observed side: the runtime around a scenario's load, and the hold points.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Pending, pending};
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landfall_lifecycle::leak_check::{Foreigners, HoldPoint, Stage, Standing};
use landfall_lifecycle::{Phase, Report, Service, Shutdown, TaskInfo, TaskSet, Terminate, Tracked, service};
use tokio::runtime::{Builder, Runtime};

use super::judge::HEEDLESS;
use super::planted;
use crate::deadline::Deadline;
use crate::random::Random;
use crate::twin::Twin;

/// Threads of the runtime.
const WORKERS: usize = 2;
/// Grace of a termination, and what follows it. Grace is cut once nothing is left that heeds it.
pub(super) const GRACE: Duration = Duration::from_secs(3);
pub(super) const ABORT_AFTER: Duration = Duration::from_millis(500);
/// How long the runtime may take to go. What belongs to nobody is dropped by it.
const RUNTIME_END_MAX: Duration = Duration::from_secs(5);
/// How long tokio's count of tasks may lag behind: tens of milliseconds were seen under load.
const COUNT_LAG_MAX: Duration = Duration::from_secs(2);
/// Time between two looks at what lives while it terminates.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// A load lasts for a random time below this.
const LOAD_MAX: Duration = Duration::from_millis(30);

/// The program in its role as the target.
#[derive(Clone, Debug)]
pub struct Target {
    seed: u64,
    planted: Option<String>,
    /// The scenario's own faults, which it plants itself.
    own: &'static [Twin],
}

/// What a load is given: its moments, and how it terminates.
#[derive(Clone, Debug)]
pub struct Course {
    seed: u64,
    planted: Option<String>,
    /// Told where the program is held.
    told: Arc<Mutex<Vec<TaskSet>>>,
    /// Looked at for whether anything is left that heeds the termination.
    awaited: Arc<Mutex<Vec<TaskSet>>>,
    /// Kept where the program is held at `ended`.
    kept: Arc<Mutex<Vec<Unpolled>>>,
}

/// A tracked future that lives for as long as it is kept, since nobody polls it.
pub type Unpolled = Tracked<Pending<()>>;

/// Why a load did not come to its end.
pub type BodyError = Box<dyn Error + Send + Sync>;

impl Target {
    pub(super) fn new(seed: u64, planted: Option<String>, own: &'static [Twin]) -> Self {
        Self { seed, planted, own }
    }

    /// What the load is given. It plants the fault that was asked for, so a runtime has to be entered.
    ///
    /// # Errors
    ///
    /// What the system says to the planted fault.
    pub fn course(&self) -> io::Result<Course> {
        if let Some(fault) = self.planted.as_deref().filter(|fault| !self.own.iter().any(|own| own.fault == *fault)) {
            planted::plant(fault)?;
        }
        let planted = self.planted.clone();
        Ok(Course { seed: self.seed, planted, told: Arc::default(), awaited: Arc::default(), kept: Arc::default() })
    }

    /// A service that is held and has the times of all targets.
    pub fn service(&self, name: &'static str) -> Service {
        service(name).grace(GRACE).abort_after(ABORT_AFTER).runtime(runtime()).hold_for_leak_check()
    }

    /// Runs a load on a runtime of its own, from `began` to `over`. The load gives the report of its termination.
    pub fn run(&self, load: impl AsyncFnOnce(Course) -> Result<Report, BodyError>) -> ExitCode {
        match self.try_run(load) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn try_run(&self, load: impl AsyncFnOnce(Course) -> Result<Report, BodyError>) -> Result<(), BodyError> {
        let point = HoldPoint::from_env();
        let hold = |stage, standing: &Standing| point.as_ref().map_or(Ok(()), |point| point.hold(stage, standing));
        let mut builder = runtime();
        let foreigners = Foreigners::of(&mut builder);
        let runtime = builder.build()?;
        let mut began = Standing::of(runtime.handle());
        // Only the main thread, whose id is the process's.
        began.threads_before = Some(vec![std::process::id()]);
        hold(Stage::Began, &began)?;
        let (course, report) = runtime.block_on(async {
            let course = self.course()?;
            let report = load(course.clone()).await?;
            Ok::<_, BodyError>((course, report))
        })?;
        // Its stragglers are told by their sets: with the report they would count twice.
        let mut ended = course.settled(&runtime, &began).with_foreign(&foreigners);
        ended.report = Some(report);
        hold(Stage::Ended, &ended)?;
        drop(course);
        runtime.shutdown_timeout(RUNTIME_END_MAX);
        Ok(hold(Stage::Over, &Standing::default())?)
    }
}

impl Course {
    /// The load's moments.
    pub fn random(&self) -> Random {
        Random::new(self.seed)
    }

    /// Whether this fault of the scenario's own is planted.
    pub fn has_fault(&self, fault: &str) -> bool {
        self.planted.as_deref() == Some(fault)
    }

    /// A set whose live entries, and those of the sets below it, are told where the program is held.
    pub fn told(&self, set: TaskSet) -> TaskSet {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(set.clone());
        self.awaited(set)
    }

    /// A set that is waited for when it ends, until nothing is left in it that heeds the termination.
    pub fn awaited(&self, set: TaskSet) -> TaskSet {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).push(set.clone());
        set
    }

    /// Keeps a future until the program has been looked at where its termination has reported.
    pub fn keep(&self, unpolled: Unpolled) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(unpolled);
    }

    /// Lets what was started run for a random moment.
    pub async fn while_it_runs(&self, random: &mut Random) {
        tokio::time::sleep(random.time_below(LOAD_MAX)).await;
    }

    /// All the time that a termination may have, for what heeds it.
    pub fn in_peace(&self) -> Shutdown {
        Shutdown::within(GRACE, GRACE + ABORT_AFTER)
    }

    /// Terminates. Grace is cut as soon as all awaited sets have begun to end and nothing lives in them but what heeds
    /// nothing, so that no round depends on how fast the machine is.
    ///
    /// # Errors
    ///
    /// When it is called by a task of the owner.
    pub async fn end(&self, owner: &impl Terminate) -> Result<Report, BodyError> {
        let how = self.in_peace();
        let ending = owner.terminate(&how);
        let force = async {
            self.until_drained().await;
            how.force();
            pending::<Infallible>().await
        };
        tokio::select! {
            report = ending => Ok(report?),
            never = force => match never {},
        }
    }

    /// Whether all awaited sets have begun to end and nothing lives in them but what heeds nothing.
    pub fn is_drained(&self) -> bool {
        let awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let is_heedless = |task: TaskInfo| task.name.as_str().starts_with(HEEDLESS);
        awaited.iter().all(|set| set.phase() != Phase::Running && set.live().into_iter().all(is_heedless))
    }

    /// Waits until that is so.
    pub async fn until_drained(&self) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        while !self.is_drained() {
            looks.tick().await;
        }
    }

    /// How the program stands, once tokio's count has come back to what it was before, or cannot be waited for.
    fn settled(&self, runtime: &Runtime, began: &Standing) -> Standing {
        let unknown = |standing: &Standing| standing.alive.unwrap_or_default().saturating_sub(standing.registered);
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let look = || told.iter().fold(Standing::of(runtime.handle()), |standing, set| standing.with_set(set));
        let settled = Deadline::after(COUNT_LAG_MAX).poll(|| Some(look()).filter(|now| unknown(now) <= unknown(began)));
        settled.unwrap_or_else(look)
    }
}

fn runtime() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(WORKERS).enable_all();
    builder
}
