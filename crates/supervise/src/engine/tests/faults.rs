//! Engines with planted faults, which the model and the invariants must catch.

use std::time::Duration;

use proptest::test_runner::TestError;

use super::super::{Action, Engine, Event};
use super::cases::{Case, Op, any_case};
use super::properties::{agrees_with_the_model, holds_in_any_order, runner};
use super::world::{Machine, engine, permanent, secs, settings};
use crate::child_id::InstanceId;
use crate::exit::Exit;
use crate::policy::Strategy;

/// An engine with a planted fault.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Starts each child twice.
    SecondInstance,
    /// Does not hear of every fifth end.
    LosesEnds,
    /// Its clock runs thrice as fast, so its window is too narrow.
    FastClock,
    /// Does something after its end.
    ActsAfterTheEnd,
    /// Does not answer every third call.
    LosesReplies,
    /// Starts, and stops, in the wrong order.
    WrongOrder,
    /// Never aborts anybody.
    NeverAborts,
}

struct Faulty {
    engine: Engine<&'static str>,
    fault: Fault,
    count: u64,
    has_ended: bool,
}

impl Faulty {
    fn new(case: &Case, fault: Fault) -> Self {
        let ((settings, specs), _) = case;
        let mut specs = specs.clone();
        if let Fault::WrongOrder = fault {
            specs.reverse();
        }
        Self { engine: engine(settings.clone(), &specs), fault, count: 0, has_ended: false }
    }

    fn every(&mut self, times: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(times)
    }
}

impl Machine for Faulty {
    fn on(&mut self, event: Event<&'static str>, now: Duration) -> Vec<Action<&'static str>> {
        let now = if let Fault::FastClock = self.fault { now * 3 } else { now };
        if matches!((self.fault, &event), (Fault::LosesEnds, Event::Exited(..))) && self.every(5) {
            return Vec::new();
        }
        let mut actions = Machine::on(&mut self.engine, event, now);
        match self.fault {
            Fault::SecondInstance => {
                let second = actions.iter().find_map(|action| match action {
                    Action::Start { instance, spec, make } => {
                        let instance = InstanceId { number: instance.number + 1_000_000, ..*instance };
                        Some(Action::Start { instance, spec: spec.clone(), make: *make })
                    }
                    _ => None,
                });
                actions.extend(second);
            }
            Fault::ActsAfterTheEnd if self.has_ended => actions.push(Action::Straggling),
            Fault::LosesReplies => {
                actions.retain(|action| !matches!(action, Action::Reply(..)) || !self.every(3));
            }
            Fault::NeverAborts => actions.retain(|action| !matches!(action, Action::Abort { .. })),
            _ => {}
        }
        self.has_ended |= actions.iter().any(|action| matches!(action, Action::Ended(_)));
        actions
    }

    fn engine(&self) -> &Engine<&'static str> {
        &self.engine
    }
}

fn is_caught(result: Result<(), TestError<Case>>) -> bool {
    matches!(result, Err(TestError::Fail(..)))
}

/// A run of it may end in a panic of the world, which is how it finds a second answer or an action on who is gone; the
/// runner takes that for the failure it is.
#[test]
fn the_model_catches_planted_faults() {
    for fault in [Fault::WrongOrder, Fault::FastClock, Fault::LosesEnds, Fault::LosesReplies, Fault::SecondInstance] {
        let result = runner(0).run(&any_case(), |case| agrees_with_the_model(&case, |case| Faulty::new(case, fault)));
        assert!(is_caught(result), "{fault:?} was not caught");
    }
}

#[test]
fn the_invariants_catch_planted_faults() {
    for fault in
        [Fault::SecondInstance, Fault::ActsAfterTheEnd, Fault::LosesReplies, Fault::LosesEnds, Fault::NeverAborts]
    {
        let result = runner(0).run(&any_case(), |case| holds_in_any_order(&case, |case| Faulty::new(case, fault)));
        assert!(is_caught(result), "{fault:?} was not caught");
    }
}

/// Not left to chance: few random orders bring two restarts into one period and tell them apart from those of a start.
#[test]
fn the_invariants_catch_a_window_that_is_too_narrow() {
    let crash = || Op::Exit(0, Exit::failed("no"));
    let ops = vec![Op::Ready(0), crash(), Op::Ready(0), Op::Advance(5_000), crash()];
    let case = ((settings(Strategy::OneForOne, 1, secs(10)), vec![permanent("a")]), ops);
    let sound = |case: &Case| engine(case.0.0.clone(), &case.0.1);
    assert!(holds_in_any_order(&case, sound).is_ok());
    let found = holds_in_any_order(&case, |case| Faulty::new(case, Fault::FastClock)).expect_err("two within 10 s");
    assert!(found.to_string().contains("2 restarts in 10s"), "{found}");
}
