//! The remaining budget: what a termination from above does to the children's own limits.

use super::super::{Budget, Event};
use super::world::*;
use crate::policy::{ShutdownPolicy, SpecInfo, Strategy};
use crate::report::EndCause;

fn three(shutdown: ShutdownPolicy) -> World {
    let specs = ["a", "b", "c"].map(|id| SpecInfo { shutdown, ..permanent(id) });
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(5)), &specs);
    for id in ["a", "b", "c"] {
        world.stopping(id, OnStop::Ignores);
    }
    world
}

#[test]
fn a_limit_ends_with_the_grace_and_those_after_it_are_aborted_in_order() {
    let mut world = three(ShutdownPolicy::Timeout(secs(5)));
    world.terminate(secs(7), secs(9));
    world.advance(secs(5));
    world.assert_story("stop c, abort c, gone c, stop b");
    world.advance(secs(2));
    world.assert_story("abort b, gone b, abort a, gone a");
    world.assert_ended(&EndCause::Terminated);
}

#[test]
fn infinity_is_the_remaining_budget() {
    let mut world = three(ShutdownPolicy::Infinity);
    world.terminate(secs(7), secs(9));
    world.advance(millis(6_999));
    world.assert_story("stop c");
    world.advance(millis(1));
    world.assert_story("abort c, gone c, abort b, gone b, abort a, gone a");
}

#[test]
fn after_grace_each_has_its_share_and_at_the_abort_instant_all_that_is_left_is_aborted() {
    let mut world = three(ShutdownPolicy::Infinity);
    for id in ["a", "b", "c"] {
        world.stopping(id, OnStop::Immortal);
    }
    world.terminate(secs(1), secs(4));
    world.advance(secs(1));
    world.assert_story("stop c, abort c");
    world.advance(secs(1));
    world.assert_story("abort b");
    // The rest of the time is shared by those that are left.
    world.advance(millis(999));
    world.assert_story("");
    world.advance(millis(1));
    world.assert_story("abort a");
    world.advance(secs(10));
    assert!(world.ended.is_none());
    for id in ["a", "b", "c"] {
        world.exit(id, crate::exit::Exit::Aborted);
    }
    world.assert_ended(&EndCause::Terminated);
}

#[test]
fn a_shutdown_that_is_over_already_aborts_all_at_once() {
    let mut world = three(ShutdownPolicy::Infinity);
    for id in ["a", "b", "c"] {
        world.stopping(id, OnStop::Immortal);
    }
    world.terminate(secs(0), secs(0));
    assert_eq!(world.story().matches("abort").count(), 3);
    // They had no time in which they could have become stuck; whoever aborted the supervisor waits for it.
    assert!(!world.is_straggling);
    assert_eq!(world.states(), ["a stopping", "b stopping", "c stopping"]);
}

#[test]
fn instants_are_tightened_and_never_loosened() {
    let mut world = three(ShutdownPolicy::Infinity);
    world.terminate(secs(10), secs(12));
    world.terminate(secs(100), secs(120));
    world.terminate(secs(3), secs(4));
    world.advance(secs(3));
    assert!(world.story().starts_with("stop c, abort c"));
}

#[test]
fn a_termination_during_an_end_for_another_cause_cuts_it_short() {
    let mut world = three(ShutdownPolicy::Infinity);
    for _ in 0..3 {
        world.crash("a");
    }
    world.advance(secs(100));
    assert!(world.story().ends_with("stop c"));
    let budget = Budget { grace: world.now, abort: world.now + secs(1) };
    world.tell(Event::Terminate(budget));
    world.assert_story("abort c, gone c, abort b, gone b");
    world.assert_ended(&gave_up("a"));
}
