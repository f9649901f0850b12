//! Futures dropped after each of their polls.

mod run;
mod session;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Formatter};
use std::panic::Location;
use std::time::Duration;

use self::session::Fault;
#[cfg(test)]
use self::session::FaultKind;
use self::session::{Options, Session};

/// Runs the future that `make` gives again and again, dropping it after its n-th poll for n = 0, 1, 2 … until a run
/// completes. [`check`](EveryPoll::check) starts it and checks the invariant after each drop.
///
/// Between two polls the future is waited for until it is woken, so what it waits for must come by itself. It is run on
/// the task that calls, on any runtime. Every poll has a waker of its own: one that kept an earlier one hangs.
#[track_caller]
pub fn cancel_at_every_poll<F: AsyncFnMut() -> T, T>(make: F) -> EveryPoll<(), F> {
    EveryPoll { set_up: (), run: make, options: Options::at(Location::caller()) }
}

/// As [`cancel_at_every_poll`], with a state of its own for each run: `set_up` makes it, `run` gives the future, the
/// check gets the state back.
///
/// The set-up is not cut. With what `run` borrows from the state it gives the future best as an async closure:
/// `async |pool| pool.claim().await`.
#[track_caller]
pub fn cancel_at_every_poll_on<A, S, F, T>(set_up: A, run: F) -> EveryPoll<SetUp<A>, F>
where
    A: AsyncFnMut() -> S,
    F: AsyncFnMut(&mut S) -> T,
{
    EveryPoll { set_up: SetUp(set_up), run, options: Options::at(Location::caller()) }
}

/// A future about to be dropped at every poll. Made by [`cancel_at_every_poll`] and [`cancel_at_every_poll_on`].
#[must_use = "nothing runs until `check` is awaited"]
pub struct EveryPoll<A, F> {
    set_up: A,
    run: F,
    options: Options,
}

/// What makes the state of each run of [`cancel_at_every_poll_on`].
#[derive(Debug)]
pub struct SetUp<A>(A);

/// Where a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// After how many polls. None means that the future was made and dropped.
    pub polls: usize,
    /// Whether it was ready by then, as it is in the last run; else it was dropped.
    pub completed: bool,
}

/// How often a future was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CutPoints {
    /// After how many different polls it was dropped, the drop before the first poll not counted.
    pub polls: usize,
    /// How many runs there were: those that were cut, the one that was never polled, and the last.
    pub runs: usize,
}

impl<A, F> EveryPoll<A, F> {
    /// Lets the future be ready at its first poll, which else fails because nothing was cut.
    pub fn ready_at_once(mut self) -> Self {
        self.options.ready_at_once = true;
        self
    }

    /// Polls once more after each poll that was pending, without a wake: every `join!` and `select!` does that to the
    /// futures in it. Each of these polls is a cut point too.
    pub fn spurious(mut self) -> Self {
        self.options.spurious = true;
        self
    }

    /// How many polls a run may take: 1,000 unless said otherwise.
    pub fn polls_max(mut self, polls_max: usize) -> Self {
        self.options.polls_max = polls_max;
        self
    }

    /// How long each run, each set-up and each check may take on the wall clock, before it is said to hang: 10 s unless
    /// said otherwise.
    pub fn run_max(mut self, run_max: Duration) -> Self {
        self.options.run_max = run_max;
        self
    }
}

impl<F> EveryPoll<(), F> {
    /// Goes through the cut points, and checks after each run, the completed one too.
    ///
    /// # Panics
    ///
    /// With the place of [`cancel_at_every_poll`] and the poll: if the invariant does, if the future is ready at its
    /// first poll and was not [declared so](Self::ready_at_once), if it hangs, and if it takes too many polls.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it drops the run under way.
    pub async fn check<T>(self, mut invariant: impl FnMut(Cut)) -> CutPoints
    where
        F: AsyncFnMut() -> T,
    {
        self.check_async(async |cut| invariant(cut)).await
    }

    /// As [`check`](Self::check), with an invariant that has to wait.
    ///
    /// # Panics
    ///
    /// As [`check`](Self::check), and if the invariant hangs.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it drops the run or the check under way.
    pub async fn check_async<T>(self, invariant: impl AsyncFnMut(Cut)) -> CutPoints
    where
        F: AsyncFnMut() -> T,
    {
        self.try_check(invariant).await.unwrap_or_else(|fault| panic!("{fault}"))
    }

    async fn try_check<T>(mut self, mut invariant: impl AsyncFnMut(Cut)) -> Result<CutPoints, Fault>
    where
        F: AsyncFnMut() -> T,
    {
        let mut session = Session::new(self.options);
        loop {
            let cut = session.run((self.run)()).await?;
            session.step("the check", invariant(cut)).await?;
            if let Some(result) = session.next().await {
                return result;
            }
        }
    }
}

impl<A, F> EveryPoll<SetUp<A>, F> {
    /// Goes through the cut points, and gives the state of each run to the check, of the completed one too.
    ///
    /// # Panics
    ///
    /// With the place of [`cancel_at_every_poll_on`] and the poll: if the invariant does, if the future is ready at its
    /// first poll and was not [declared so](Self::ready_at_once), if the future, the set-up or the check hangs, and if
    /// it takes too many polls.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it drops the run or the check under way.
    pub async fn check<S, T>(self, invariant: impl AsyncFnMut(S, Cut)) -> CutPoints
    where
        A: AsyncFnMut() -> S,
        F: AsyncFnMut(&mut S) -> T,
    {
        self.try_check(invariant).await.unwrap_or_else(|fault| panic!("{fault}"))
    }

    pub(in crate::testing) async fn try_check<S, T>(
        mut self,
        mut invariant: impl AsyncFnMut(S, Cut),
    ) -> Result<CutPoints, Fault>
    where
        A: AsyncFnMut() -> S,
        F: AsyncFnMut(&mut S) -> T,
    {
        let mut session = Session::new(self.options);
        loop {
            let mut state = session.step("the set-up", (self.set_up.0)()).await?;
            let cut = session.run((self.run)(&mut state)).await?;
            session.step("the check", invariant(state, cut)).await?;
            if let Some(result) = session.next().await {
                return result;
            }
        }
    }
}

impl<A, F> fmt::Debug for EveryPoll<A, F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("EveryPoll").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Display for Cut {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let how = if self.completed { "when the future was ready" } else { "when the future was dropped" };
        match self.polls {
            0 => f.write_str("when the future was dropped unpolled"),
            polls => write!(f, "{how} after poll {polls}"),
        }
    }
}

impl Display for CutPoints {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "cut points: {}, runs: {}", self.polls, self.runs)
    }
}
