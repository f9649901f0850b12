//! The phases of a stub, as an enum that owns the connection.

use std::sync::Arc;

use landfall_lifecycle::Report;

use super::closed::{CloseCause, Closed};
use super::generation::Generation;
use crate::wire::Wire;

/// Where a stub is.
///
/// | from       | event     | to         |                                                        |
/// |------------|-----------|------------|--------------------------------------------------------|
/// | `Idle`     | `Start`   | `Starting` |                                                        |
/// | `Idle`     | others    | `Idle`     | there is nothing to end                                |
/// | `Starting` | `Serve`   | `Serving`  | registered and configured                              |
/// | `Starting`, `Serving` | `End` | `Ending` | the first cause stays                              |
/// | `Starting`, `Serving`, `Ending`, `Stuck` | `Start` | as it was | the caller waits in `Ending`, and is refused in the others |
/// | `Ending`   | `Overdue` | `Stuck`    | a handler outlived its limit                           |
/// | `Starting`, `Serving`, `Ending`, `Stuck` | `Gone` | `Idle` | nothing of the generation runs        |
/// | `Ending`, `Stuck` | `Serve`, `End` | as it was | it ends already                             |
/// | `Starting`, `Serving`, `Stuck` | `Overdue` | as it was | it is not being ended, or known to be overdue |
/// | `Serving`  | `Serve`   | as it was  | the runtime configured it once more                    |
pub(crate) enum Life {
    /// Nothing runs and nothing is connected. What came before, if anything did.
    Idle(Option<Arc<Ended>>),
    Starting(Arc<Generation>),
    Serving(Arc<Generation>, Wire),
    Ending(Arc<Generation>, CloseCause),
    /// It should have ended, and something of it still runs.
    Stuck(Arc<Generation>, Arc<Ended>),
}

/// What happens to a stub.
pub(crate) enum Event {
    Start(Arc<Generation>),
    Serve(Wire),
    End(CloseCause),
    Overdue(Report),
    Gone(Report),
}

/// The end of a generation, as its stop reports it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) closed: Closed,
    pub(crate) report: Report,
}

/// Where a stub is, as [`Stub::phase`](crate::Stub::phase) shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Not started, or ended: nothing runs, and nothing is connected.
    Idle,
    /// Connecting, registering or being configured.
    Starting,
    /// Registered and configured.
    Serving,
    /// Ending: handlers finish, then the socket is closed.
    Ending,
    /// Something outlived its end, a handler mostly: no start until it has gone.
    Stuck,
}

impl Life {
    /// Moves on; false if the event changes nothing here.
    pub(crate) fn on(&mut self, event: Event) -> bool {
        let next = match (&*self, event) {
            (Self::Idle(_), Event::Start(generation)) => Self::Starting(generation),
            (Self::Starting(generation), Event::Serve(wire)) => Self::Serving(Arc::clone(generation), wire),
            (Self::Starting(generation) | Self::Serving(generation, _), Event::End(cause)) => {
                Self::Ending(Arc::clone(generation), cause)
            }
            (Self::Ending(generation, cause), Event::Overdue(report)) => {
                Self::Stuck(Arc::clone(generation), ended(generation, cause.clone(), report))
            }
            // Without an end only when the task of the generation was dropped: the stub is being terminated.
            (Self::Starting(generation) | Self::Serving(generation, _), Event::Gone(report)) => {
                gone(generation, CloseCause::Stopped, report)
            }
            (Self::Ending(generation, cause), Event::Gone(report)) => gone(generation, cause.clone(), report),
            (Self::Stuck(generation, before), Event::Gone(report)) => {
                gone(generation, before.closed.cause.clone(), report)
            }
            (Self::Idle(_), Event::Serve(_) | Event::End(_) | Event::Overdue(_) | Event::Gone(_))
            | (Self::Starting(_), Event::Start(_) | Event::Overdue(_))
            | (Self::Serving(..), Event::Start(_) | Event::Serve(_) | Event::Overdue(_))
            | (Self::Ending(..), Event::Start(_) | Event::Serve(_) | Event::End(_))
            | (Self::Stuck(..), Event::Start(_) | Event::Serve(_) | Event::End(_) | Event::Overdue(_)) => return false,
        };
        *self = next;
        true
    }

    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::Idle(_) => Phase::Idle,
            Self::Starting(_) => Phase::Starting,
            Self::Serving(..) => Phase::Serving,
            Self::Ending(..) => Phase::Ending,
            Self::Stuck(..) => Phase::Stuck,
        }
    }

    /// The generation that is there, if one is.
    pub(crate) fn generation(&self) -> Option<&Arc<Generation>> {
        match self {
            Self::Idle(_) => None,
            Self::Starting(generation)
            | Self::Serving(generation, _)
            | Self::Ending(generation, _)
            | Self::Stuck(generation, _) => Some(generation),
        }
    }
}

fn gone(generation: &Generation, cause: CloseCause, report: Report) -> Life {
    let ended = ended(generation, cause, report);
    // A generation goes once.
    Life::Idle(Some(Arc::clone(generation.ended.get_or_init(|| ended))))
}

fn ended(generation: &Generation, cause: CloseCause, report: Report) -> Arc<Ended> {
    Arc::new(Ended { closed: Closed { generation: generation.number, cause }, report })
}
