//! The contract of [`Terminate`], checked on a type from outside.

mod bench;
mod report;
mod rules;
mod work;

use std::fmt::{self, Formatter};
use std::panic::{AssertUnwindSafe, Location};

use futures_util::future::FutureExt;

use self::bench::Bench;
pub use self::report::{ContractReport, Rule, RuleReport, Verdict};
pub use self::work::Work;
use crate::panics::into_message;
use crate::terminate::Terminate;

/// Checks whether a type keeps the rules of [`Terminate`], see [`Rule`].
///
/// Each rule is tried on instances of its own. Times are those of the wall clock, because what is promised is: a check
/// takes a few seconds. A type whose `terminate` blocks the thread that polls it holds up the check too; standard error
/// then says so.
///
/// Without [`work`](Self::work) half of the rules do not apply, those about an owner whose work does not end.
pub struct Contract<T> {
    make: Box<dyn FnMut() -> T + Send>,
    work: Option<StartWork<T>>,
    refuses: Option<TryLate<T>>,
    without_runtime: bool,
    place: &'static Location<'static>,
}

type StartWork<T> = Box<dyn FnMut(&T, Work) + Send>;
type TryLate<T> = Box<dyn FnMut(&T) -> bool + Send>;

impl<T: Terminate + 'static> Contract<T> {
    /// Checks the instances that `make` gives.
    #[track_caller]
    #[must_use = "nothing is checked until `check` is awaited"]
    pub fn of(make: impl FnMut() -> T + Send + 'static) -> Self {
        let place = Location::caller();
        Self { make: Box::new(make), work: None, refuses: None, without_runtime: false, place }
    }

    /// Says how work gets into an instance: as a future that it runs, or through [`Work::block`].
    ///
    /// The check calls it before a termination, and once more after it began: then the instance must not run it, unless
    /// [`refuses`](Self::refuses) says that something else is its late work.
    #[must_use = "nothing is checked until `check` is awaited"]
    pub fn work(mut self, start: impl FnMut(&T, Work) + Send + 'static) -> Self {
        self.work = Some(Box::new(start));
        self
    }

    /// Says how late work is tried, instead of by [`work`](Self::work); the closure tells whether it was refused.
    #[must_use = "nothing is checked until `check` is awaited"]
    pub fn refuses(mut self, try_late: impl FnMut(&T) -> bool + Send + 'static) -> Self {
        self.refuses = Some(Box::new(try_late));
        self
    }

    /// Declares that an instance can be made and terminated on a plain thread, outside of any runtime.
    #[must_use = "nothing is checked until `check` is awaited"]
    pub fn without_runtime(mut self) -> Self {
        self.without_runtime = true;
        self
    }

    /// Tries every rule.
    ///
    /// Call it on the runtime that the instances need. A panic of an instance breaks the rule that was tried.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the check. An instance that was being terminated goes on as it does when its callers leave.
    pub async fn check(self) -> ContractReport {
        let place = self.place.into();
        let mut bench = Bench::new(self);
        let mut found = Vec::new();
        found.push(tried(Rule::BeginReturns, rules::begin_returns(&mut bench)).await);
        bench.clean_up().await;
        bench.begin_blocks = matches!(found[0].verdict, Verdict::Broken(_));
        if bench.begin_blocks {
            let why = || Verdict::NotApplicable("begin_terminate blocks".to_owned());
            found.extend(rules::AFTER_BEGIN.map(|rule| RuleReport { rule, verdict: why() }));
        } else {
            for rule in rules::AFTER_BEGIN {
                let report = tried(rule, rules::one(&mut bench, rule)).await;
                bench.clean_up().await;
                bench.learn(&report);
                found.push(report);
            }
        }
        ContractReport { owner: bench.close().await, place, rules: found }
    }
}

/// Tries a rule; a panic breaks it.
async fn tried(rule: Rule, trial: impl Future<Output = Result<(), Verdict>>) -> RuleReport {
    let verdict = match AssertUnwindSafe(trial).catch_unwind().await {
        Ok(Ok(())) => Verdict::Kept,
        Ok(Err(verdict)) => verdict,
        Err(payload) => Verdict::Broken(format!("panicked: {}", into_message(payload))),
    };
    RuleReport { rule, verdict }
}

impl<T> fmt::Debug for Contract<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contract").field("place", &self.place).finish_non_exhaustive()
    }
}
