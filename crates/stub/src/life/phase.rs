//! The phases of a stub, as an enum that owns the connection.

use std::sync::Arc;

use landfall_lifecycle::Report;

use super::closed::{CloseCause, Closed};
use super::generation::Generation;
use crate::update_queue::Updates;

/// Where a stub is.
///
/// | from       | event     | to         |                                                        |
/// |------------|-----------|------------|--------------------------------------------------------|
/// | `Idle`, `Delayed` | `Start` | `Starting` |                                                   |
/// | `Idle`     | others    | `Idle`     | there is nothing to end                                |
/// | `Starting` | `Serve`   | `Serving`  | registered and configured                              |
/// | `Starting`, `Serving` | `End` | `Ending` | the first cause stays                              |
/// | `Starting`, `Serving`, `Ending`, `Stuck` | `Start` | as it was | the caller waits in `Ending`, and is refused in the others |
/// | `Ending`   | `Overdue` | `Stuck`    | a handler outlived its limit                           |
/// | `Starting`, `Serving`, `Ending`, `Stuck` | `Gone` | `Idle` | nothing of the generation runs        |
/// | `Ending`, `Stuck` | `Gone`, and it is to start again | `Delayed` |                              |
/// | `Delayed`  | `End`     | `Idle`     | somebody stops it, or its task has gone                |
/// | `Ending`, `Stuck` | `Serve`, `End` | as it was | it ends already                             |
/// | `Starting`, `Serving`, `Stuck` | `Overdue` | as it was | it is not being ended, or known to be overdue |
/// | `Serving`  | `Serve`   | as it was  | the runtime configured it once more                    |
/// | `Delayed`  | others    | as it was  | the generation before has ended                        |
pub(crate) enum Life {
    /// Nothing runs and nothing is connected. What came before, if anything did.
    Idle(Option<Arc<Ended>>),
    Starting(Arc<Generation>),
    Serving(Arc<Generation>, Updates),
    Ending(Arc<Generation>, CloseCause),
    /// It should have ended, and something of it still runs.
    Stuck(Arc<Generation>, Arc<Ended>),
    /// As `Idle`, and a task waits until it is time to start again after that generation.
    Delayed(Arc<Generation>, Arc<Ended>),
}

/// What happens to a stub.
pub(crate) enum Event {
    Start(Arc<Generation>),
    Serve(Updates),
    End(CloseCause),
    Overdue(Report),
    Gone(Report, Then),
}

/// What follows the end of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Again,
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
    /// Waiting to start again, by [`Reconnect`](crate::Reconnect): nothing is connected, and a stop ends the wait.
    Delayed,
}

impl Life {
    /// Moves on; false if the event changes nothing here. But for a start it is an event of the generation `of`: what
    /// happens to an older one, which somebody stops who has looked too long ago, is nothing to the one that is there.
    pub(crate) fn on(&mut self, of: u64, event: Event) -> bool {
        let is_start = matches!(event, Event::Start(_));
        if !is_start && self.generation().is_some_and(|generation| generation.number != of) {
            return false;
        }
        let next = match (&*self, event) {
            (Self::Idle(_), Event::Start(generation)) => Self::Starting(generation),
            (Self::Delayed(before, ended), Event::Start(generation)) => {
                if !Arc::ptr_eq(&before.series, &generation.series) {
                    over(before, ended);
                }
                Self::Starting(generation)
            }
            (Self::Starting(generation), Event::Serve(updates)) => Self::Serving(Arc::clone(generation), updates),
            (Self::Starting(generation) | Self::Serving(generation, _), Event::End(cause)) => {
                Self::Ending(Arc::clone(generation), cause)
            }
            (Self::Ending(generation, cause), Event::Overdue(report)) => {
                Self::Stuck(Arc::clone(generation), ended(generation, cause.clone(), report))
            }
            // Without an end only when the task of the generation was dropped: the stub is being terminated.
            (Self::Starting(generation) | Self::Serving(generation, _), Event::Gone(report, _)) => {
                gone(generation, CloseCause::Stopped, report, Then::Nothing)
            }
            (Self::Ending(generation, cause), Event::Gone(report, then)) => {
                gone(generation, cause.clone(), report, then)
            }
            (Self::Stuck(generation, before), Event::Gone(report, then)) => {
                gone(generation, before.closed.cause.clone(), report, then)
            }
            (Self::Delayed(before, ended), Event::End(_)) => over(before, ended),
            (Self::Idle(_), Event::Serve(_) | Event::End(_) | Event::Overdue(_) | Event::Gone(..))
            | (Self::Starting(_), Event::Start(_) | Event::Overdue(_))
            | (Self::Serving(..), Event::Start(_) | Event::Serve(_) | Event::Overdue(_))
            | (Self::Ending(..), Event::Start(_) | Event::Serve(_) | Event::End(_))
            | (Self::Stuck(..), Event::Start(_) | Event::Serve(_) | Event::End(_) | Event::Overdue(_))
            | (Self::Delayed(..), Event::Serve(_) | Event::Overdue(_) | Event::Gone(..)) => return false,
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
            Self::Delayed(..) => Phase::Delayed,
        }
    }

    /// Whether a start may begin a generation now.
    pub(crate) fn is_free(&self) -> bool {
        matches!(self, Self::Idle(_) | Self::Delayed(..))
    }

    /// Whether a start after that generation is what comes next.
    pub(crate) fn is_delayed_after(&self, number: u64) -> bool {
        matches!(self, Self::Delayed(before, _) if before.number == number)
    }

    /// The generation that is there, or that another is to follow.
    pub(crate) fn generation(&self) -> Option<&Arc<Generation>> {
        match self {
            Self::Idle(_) => None,
            Self::Starting(generation)
            | Self::Serving(generation, _)
            | Self::Ending(generation, _)
            | Self::Stuck(generation, _)
            | Self::Delayed(generation, _) => Some(generation),
        }
    }
}

fn gone(generation: &Arc<Generation>, cause: CloseCause, report: Report, then: Then) -> Life {
    // A generation goes once.
    let ended = generation.ended.get_or_init(|| ended(generation, cause, report));
    match then {
        Then::Nothing => over(generation, ended),
        Then::Again => Life::Delayed(Arc::clone(generation), Arc::clone(ended)),
    }
}

/// No generation follows that one by itself.
fn over(generation: &Generation, ended: &Arc<Ended>) -> Life {
    generation.series.over.get_or_init(|| ended.closed.clone());
    Life::Idle(Some(Arc::clone(ended)))
}

fn ended(generation: &Generation, cause: CloseCause, report: Report) -> Arc<Ended> {
    Arc::new(Ended { closed: Closed { generation: generation.number, cause }, report })
}

#[cfg(test)]
mod tests {
    use landfall_lifecycle::{Reason, TaskSet};

    use super::*;
    use crate::options::StubOptions;
    use crate::wire::Loss;

    const PHASES: [Phase; 6] =
        [Phase::Idle, Phase::Starting, Phase::Serving, Phase::Ending, Phase::Stuck, Phase::Delayed];

    fn generation(number: u64) -> Arc<Generation> {
        Arc::new(Generation::new(&TaskSet::new("stub"), number, Arc::default()).expect("open"))
    }

    fn updates() -> Updates {
        Updates::new("logger", TaskSet::new("handlers"), &StubOptions::default()).0
    }

    fn report() -> Report {
        Report::new("generation", Reason::Requested)
    }

    /// The events in the order of the table's columns.
    fn events() -> [Event; 5] {
        let lost = CloseCause::Lost(Loss::CutShort);
        [
            Event::Start(generation(2)),
            Event::Serve(updates()),
            Event::End(lost),
            Event::Overdue(report()),
            Event::Gone(report(), Then::Nothing),
        ]
    }

    /// A life that has come to a phase, by a stop where it ends.
    fn life_in(phase: Phase) -> Life {
        let mut life = Life::Idle(None);
        let way = [
            (Phase::Starting, Event::Start(generation(1))),
            (Phase::Serving, Event::Serve(updates())),
            (Phase::Ending, Event::End(CloseCause::Stopped)),
            (Phase::Stuck, Event::Overdue(report())),
            (Phase::Delayed, Event::Gone(report(), Then::Again)),
        ];
        for (next, event) in way {
            if life.phase() == phase {
                break;
            }
            assert!(life.on(1, event));
            assert_eq!(life.phase(), next);
        }
        life
    }

    #[tokio::test]
    async fn every_pair_of_phase_and_event_is_as_the_table_says() {
        use Phase::{Delayed, Ending, Idle, Serving, Starting, Stuck};
        let table = [
            (Idle, [Some(Starting), None, None, None, None]),
            (Starting, [None, Some(Serving), Some(Ending), None, Some(Idle)]),
            (Serving, [None, None, Some(Ending), None, Some(Idle)]),
            (Ending, [None, None, None, Some(Stuck), Some(Idle)]),
            (Stuck, [None, None, None, None, Some(Idle)]),
            (Delayed, [Some(Starting), None, Some(Idle), None, None]),
        ];
        assert_eq!(table.map(|(phase, _)| phase), PHASES);
        for (from, row) in table {
            for (column, (to, event)) in row.into_iter().zip(events()).enumerate() {
                let mut life = life_in(from);
                assert_eq!(life.on(1, event), to.is_some(), "{from:?}, event {column}");
                assert_eq!(life.phase(), to.unwrap_or(from), "{from:?}, event {column}");
            }
        }
    }

    /// Somebody who stops generation 1 may have looked before it ended and generation 2 began.
    #[tokio::test]
    async fn what_happens_to_an_older_generation_is_nothing_to_the_next() {
        for event in events() {
            let mut life = Life::Idle(None);
            assert!(life.on(2, Event::Start(generation(2))));
            assert!(!life.on(1, event));
            assert_eq!(life.phase(), Phase::Starting);
        }
    }

    #[tokio::test]
    async fn the_first_cause_stays() {
        let mut life = life_in(Phase::Ending);
        assert!(!life.on(1, Event::End(CloseCause::Lost(Loss::CutShort))));
        assert!(life.on(1, Event::Overdue(report())) && life.on(1, Event::Gone(report(), Then::Nothing)));
        match life {
            Life::Idle(Some(ended)) => {
                assert_eq!(ended.closed, Closed { generation: 1, cause: CloseCause::Stopped });
            }
            _ => panic!("it has ended"),
        }
    }

    /// Whoever waits for the end of a series hears of it when no generation follows: not before, and whichever way.
    #[tokio::test]
    async fn a_series_is_over_when_it_is_stopped_or_another_takes_over() {
        let is_over = |life: &Life| life.generation().expect("it is delayed").series.over.get().is_some();
        let mut life = life_in(Phase::Delayed);
        assert!(life.is_delayed_after(1) && !is_over(&life));
        let series = Arc::clone(&life.generation().expect("it is delayed").series);
        assert!(life.on(1, Event::End(CloseCause::Stopped)));
        assert_eq!(series.over.get(), Some(&Closed { generation: 1, cause: CloseCause::Stopped }));

        let mut life = life_in(Phase::Delayed);
        let series = Arc::clone(&life.generation().expect("it is delayed").series);
        assert!(life.on(2, Event::Start(generation(2))));
        assert!(series.over.get().is_some(), "another start took over");

        let mut life = life_in(Phase::Delayed);
        let series = Arc::clone(&life.generation().expect("it is delayed").series);
        let next = Generation::new(&TaskSet::new("stub"), 2, Arc::clone(&series)).expect("open");
        assert!(life.on(2, Event::Start(Arc::new(next))));
        assert!(series.over.get().is_none(), "it goes on");
    }
}
