//! What the rules are tried with: instances, work in them, instants.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt, join};
use tokio::runtime::Handle;

use super::work::{Moment, Seen, Work};
use super::{Contract, Rule, RuleReport, Verdict};
use crate::panics::contain;
use crate::report::Report;
use crate::shutdown::Shutdown;
use crate::sync::Arc;
use crate::task_set::{Task, TaskSet};
use crate::terminate::{SelfJoin, Terminate};
use crate::testing::wall::Wall;

/// P2: how late after the abort instant a report may be.
pub(super) const LATE_MAX: Duration = Duration::from_secs(1);
/// How long is waited for what has no reason to take any time.
pub(super) const PROMPT: Duration = Duration::from_secs(3);

pub(super) struct Bench<T> {
    pub(super) contract: Contract<T>,
    pub(super) wall: Wall,
    /// For what must not hold up the check.
    threads: TaskSet,
    /// The instances of the rule that is being tried.
    made: Vec<Subject<T>>,
    owner: String,
    pub(super) begin_blocks: bool,
    pub(super) is_late: bool,
    pub(super) begin_suffices: bool,
}

/// One instance, with the work in it.
pub(super) struct Subject<T> {
    pub(super) owner: Arc<T>,
    pub(super) work: Option<Arc<Seen>>,
}

impl<T> Clone for Subject<T> {
    fn clone(&self) -> Self {
        Self { owner: Arc::clone(&self.owner), work: self.work.clone() }
    }
}

/// Instants that no rule sees come by themselves.
pub(super) fn long() -> Shutdown {
    Shutdown::within(Duration::from_secs(3_600), Duration::from_secs(7_200))
}

pub(super) fn soon() -> Shutdown {
    Shutdown::within(Duration::from_millis(50), Duration::from_millis(100))
}

pub(super) fn broken(how: impl Into<String>) -> Verdict {
    Verdict::Broken(how.into())
}

pub(super) fn not_applicable(why: &str) -> Verdict {
    Verdict::NotApplicable(why.to_owned())
}

impl<T: Terminate + 'static> Bench<T> {
    pub(super) fn new(contract: Contract<T>) -> Self {
        Self {
            contract,
            wall: Wall::new(),
            threads: TaskSet::new("contract check"),
            made: Vec::new(),
            owner: String::new(),
            begin_blocks: false,
            is_late: false,
            begin_suffices: true,
        }
    }

    /// Later rules leave out what a broken one would break for them too.
    pub(super) fn learn(&mut self, report: &RuleReport) {
        let is_broken = matches!(report.verdict, Verdict::Broken(_));
        match report.rule {
            Rule::OnTime => self.is_late = is_broken,
            Rule::BeginSuffices => self.begin_suffices = !is_broken,
            _ => {}
        }
    }

    pub(super) fn plain(&mut self) -> Subject<T> {
        let owner = Arc::new((self.contract.make)());
        if self.owner.is_empty() {
            self.owner = owner.name().into_owned();
        }
        let subject = Subject { owner, work: None };
        self.made.push(subject.clone());
        subject
    }

    /// An instance whose work runs and does not end, if there is a way to start some.
    pub(super) async fn loaded(&mut self) -> Subject<T> {
        self.loaded_with(|_| None).await
    }

    pub(super) async fn loaded_with<A>(&mut self, act: A) -> Subject<T>
    where
        A: FnOnce(&Arc<T>) -> Option<Box<dyn FnMut(Moment) + Send>>,
    {
        let Subject { owner, .. } = self.plain();
        let Some(start) = &mut self.contract.work else { return Subject { owner, work: None } };
        let (work, seen) = Work::new(act(&owner));
        start(&owner, work);
        let seen = Arc::new(seen);
        self.made.push(Subject { owner: Arc::clone(&owner), work: Some(Arc::clone(&seen)) });
        let started = self.wall.within(PROMPT, "the work".to_owned(), seen.started()).await;
        assert_eq!(started, Some(true), "the work that was given to a new instance was not run");
        Subject { owner, work: Some(seen) }
    }

    /// An instance whose work does not end, for rules about time.
    pub(super) async fn hung(&mut self) -> Result<Subject<T>, Verdict> {
        if self.contract.work.is_none() {
            return Err(not_applicable("needs work() to start work that does not end"));
        }
        if self.is_late {
            return Err(not_applicable("its report comes too late in any case"));
        }
        Ok(self.loaded().await)
    }

    /// An instance with work if that does not keep it from ending in time.
    pub(super) async fn busy(&mut self) -> Subject<T> {
        if self.is_late { self.plain() } else { self.loaded().await }
    }

    /// Waits for the report of a call, which must be there within a second of the abort instant.
    pub(super) async fn on_time<R>(
        &self,
        call: impl Future<Output = R>,
        abort: Instant,
        what: &str,
    ) -> Result<R, Verdict> {
        let ended = self.wall.until(abort + LATE_MAX, what.to_owned(), call).await;
        ended.ok_or_else(|| broken(format!("{what}: no report {LATE_MAX:?} after the abort instant")))
    }

    /// Waits for what has no reason to take any time.
    pub(super) async fn promptly<R>(&self, what: &str, future: impl Future<Output = R>) -> Result<R, Verdict> {
        let ended = self.wall.within(PROMPT, what.to_owned(), future).await;
        ended.ok_or_else(|| broken(format!("{what}: not within {PROMPT:?}")))
    }

    /// Runs a closure on a thread of its own, with the runtime of the check entered.
    pub(super) fn on_thread<R: Send + 'static>(&self, body: impl FnOnce() -> R + Send + 'static) -> Task<R> {
        let runtime = Handle::try_current().ok();
        self.on_plain_thread(move || {
            let _context = runtime.as_ref().map(Handle::enter);
            body()
        })
    }

    /// Runs a closure on a thread of its own.
    pub(super) fn on_plain_thread<R: Send + 'static>(&self, body: impl FnOnce() -> R + Send + 'static) -> Task<R> {
        self.threads.spawn_thread("trial", |_| body()).expect("the system has a thread for a test")
    }

    /// Ends what a rule left behind, however it ended.
    pub(super) async fn clean_up(&mut self) {
        for Subject { owner, work } in std::mem::take(&mut self.made) {
            if let Some(work) = work {
                work.release();
            }
            if self.begin_blocks {
                continue;
            }
            let how = Shutdown::now();
            let Ok(call) = contain(|| owner.terminate(&how)) else { continue };
            let call = AssertUnwindSafe(call).catch_unwind();
            // What cannot be ended has been found by a rule.
            drop(self.wall.within(LATE_MAX, "the end of a trial".to_owned(), call).await);
        }
    }

    /// Ends the bench, and gives the owners' name.
    pub(super) async fn close(self) -> String {
        // A thread that an instance holds is a straggler, which a rule has found.
        drop(self.threads.terminate(&Shutdown::within(PROMPT, PROMPT)).await);
        self.wall.settle().await;
        self.owner
    }
}

/// Awaits two calls of one owner.
pub(super) async fn both_came<'a>(
    first: BoxFuture<'a, Result<Report, SelfJoin>>,
    second: BoxFuture<'a, Result<Report, SelfJoin>>,
) -> Result<(), Verdict> {
    let (first, second) = join(first, second).await;
    came(first).and(came(second))
}

/// The report, or what is wrong with an error.
pub(super) fn reported(result: Result<Report, SelfJoin>) -> Result<Report, Verdict> {
    result.map_err(|error| broken(format!("a caller that is no task of the owner got an error: {error}")))
}

/// Whether there is a report, whatever it says.
pub(super) fn came(result: Result<Report, SelfJoin>) -> Result<(), Verdict> {
    reported(result).map(drop)
}
