//! All runs of one future, one cut point after the other.

use std::fmt::{self, Display, Formatter};
use std::panic::{AssertUnwindSafe, Location};
use std::time::Duration;

use futures_util::future::FutureExt;

use super::run::{Signal, run};
use super::{Cut, CutPoints};
use crate::panics::into_message;
use crate::sync::Arc;
use crate::testing::wall::Wall;

#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) place: &'static Location<'static>,
    pub(super) polls_max: usize,
    pub(super) run_max: Duration,
    pub(super) spurious: bool,
    pub(super) ready_at_once: bool,
}

impl Options {
    pub(super) fn at(place: &'static Location<'static>) -> Self {
        Self { place, polls_max: 1_000, run_max: Duration::from_secs(10), spurious: false, ready_at_once: false }
    }
}

/// Why a future did not pass.
#[derive(Debug)]
pub(in crate::testing) struct Fault {
    place: &'static Location<'static>,
    pub(in crate::testing) kind: FaultKind,
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::testing) enum FaultKind {
    /// There is no poll to drop it after.
    ReadyAtOnce,
    /// More polls than the bound.
    TooManyPolls {
        polls_max: usize,
    },
    NotWoken {
        polls: usize,
        stale: usize,
        run_max: Duration,
    },
    StepHangs {
        step: &'static str,
        cut: Cut,
        run_max: Duration,
    },
    /// The check of the invariant, or the future or its set-up, panicked.
    Panicked {
        step: &'static str,
        cut: Cut,
        message: String,
    },
}

/// Goes through the cut points.
pub(super) struct Session {
    options: Options,
    wall: Wall,
    /// After which poll the run under way is cut.
    next: usize,
    cut: Cut,
}

impl Session {
    pub(super) fn new(options: Options) -> Self {
        Self { options, wall: Wall::new(), next: 0, cut: Cut { polls: 0, completed: false } }
    }

    fn fault(&self, kind: FaultKind) -> Fault {
        Fault { place: self.options.place, kind }
    }

    /// Waits for a part of the test that is not cut.
    pub(super) async fn step<T>(&self, step: &'static str, future: impl Future<Output = T>) -> Result<T, Fault> {
        let (run_max, cut) = (self.options.run_max, self.cut);
        let what = self.fault(FaultKind::StepHangs { step, cut, run_max });
        let caught = AssertUnwindSafe(future).catch_unwind();
        match self.wall.within(run_max, what.to_string(), caught).await {
            None => Err(what),
            Some(Ok(value)) => Ok(value),
            Some(Err(payload)) => Err(self.fault(FaultKind::Panicked { step, cut, message: into_message(payload) })),
        }
    }

    /// Runs the future up to its cut and drops it.
    pub(super) async fn run<F: Future>(&mut self, future: F) -> Result<Cut, Fault> {
        let (signal, run_max) = (Arc::<Signal>::default(), self.options.run_max);
        self.cut = Cut { polls: self.next, completed: false };
        let what = self.fault(FaultKind::StepHangs { step: "the future", cut: self.cut, run_max });
        let ran = AssertUnwindSafe(run(future, self.next, self.options.spurious, &signal)).catch_unwind();
        let ended = self.wall.within(run_max, what.to_string(), ran).await;
        let (polls, stale) = signal.seen();
        let kind = match ended {
            None => FaultKind::NotWoken { polls, stale, run_max },
            Some(Err(payload)) => {
                FaultKind::Panicked { step: "the future", cut: self.cut, message: into_message(payload) }
            }
            Some(Ok(completed)) => {
                self.cut = Cut { polls, completed };
                return Ok(self.cut);
            }
        };
        Err(self.fault(kind))
    }

    /// After the check of a run: the result if it was the last one.
    pub(super) async fn next(&mut self) -> Option<Result<CutPoints, Fault>> {
        let result = match self.cut {
            Cut { completed: true, polls: 1, .. } if self.next == 1 && !self.options.ready_at_once => {
                Err(self.fault(FaultKind::ReadyAtOnce))
            }
            Cut { completed: true, .. } => Ok(CutPoints { polls: self.next - 1, runs: self.next + 1 }),
            Cut { polls, .. } if polls >= self.options.polls_max => {
                Err(self.fault(FaultKind::TooManyPolls { polls_max: self.options.polls_max }))
            }
            Cut { .. } => {
                self.next += 1;
                return None;
            }
        };
        self.wall.settle().await;
        Some(result)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "cancel_at_every_poll at {}: ", self.place)?;
        match &self.kind {
            FaultKind::ReadyAtOnce => {
                f.write_str("the future is ready at its first poll, which proves nothing: let it wait, or declare it")?;
                f.write_str(" with ready_at_once()")
            }
            FaultKind::TooManyPolls { polls_max } => {
                write!(f, "the future was not ready after {polls_max} polls: raise polls_max() if that is right")
            }
            FaultKind::NotWoken { polls, stale, run_max } => {
                write!(f, "the future hangs: not ready within {run_max:?}, after {polls} polls")?;
                if *stale == 0 { Ok(()) } else { write!(f, ", {stale} wakes came by the waker of an earlier poll") }
            }
            FaultKind::StepHangs { step, cut, run_max } => write!(f, "{step} hangs for {run_max:?}, {cut}"),
            FaultKind::Panicked { step, cut, message } => write!(f, "{step} panicked, {cut}: {message}"),
        }
    }
}
