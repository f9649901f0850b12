//! Significant children, and supervisors that end with them.

use super::super::{Event, Settings};
use super::world::*;
use crate::exit::Exit;
use crate::policy::{AutoShutdown, SpecInfo, Strategy};
use crate::report::EndCause;

fn with(auto_shutdown: AutoShutdown, strategy: Strategy) -> Settings {
    Settings { auto_shutdown, ..settings(strategy, 9, secs(3_600)) }
}

fn significant(spec: SpecInfo) -> SpecInfo {
    SpecInfo { significant: true, ..spec }
}

fn ended_for(child: &str) -> EndCause {
    EndCause::AutoShutdown { child: child.into() }
}

#[test]
fn any_significant_end_by_itself_ends_the_supervisor() {
    for (spec, exit) in [
        (transient("b"), Exit::Normal),
        (transient("b"), Exit::Shutdown),
        (temporary("b"), Exit::Normal),
        (temporary("b"), Exit::failed("x")),
    ] {
        let specs = [permanent("a"), significant(spec), permanent("c")];
        let mut world = World::started(with(AutoShutdown::AnySignificant, Strategy::OneForOne), &specs);
        world.exit("b", exit);
        world.assert_story("gone b, stop c, gone c, stop a, gone a");
        world.assert_ended(&ended_for("b"));
        assert_eq!(ended_for("b").exit(), Exit::Shutdown);
    }
}

#[test]
fn with_all_significant_only_the_last_one_does() {
    let specs = [significant(transient("a")), significant(temporary("b")), permanent("c")];
    let mut world = World::started(with(AutoShutdown::AllSignificant, Strategy::OneForOne), &specs);
    world.exit("a", Exit::Normal);
    assert_eq!(world.ended, None);
    world.crash("b");
    world.assert_ended(&ended_for("b"));
}

#[test]
fn a_significant_child_that_restarts_counts_as_running() {
    let specs = [significant(transient("a")), significant(transient("b"))];
    let mut world = World::started(with(AutoShutdown::AllSignificant, Strategy::OneForOne), &specs);
    world.starting("a", [OnStart::Hangs]);
    world.crash("a");
    world.exit("b", Exit::Normal);
    assert_eq!(world.ended, None);
    let starting = world.instance("a");
    world.tell(Event::Ready(starting));
    world.exit("a", Exit::Normal);
    world.assert_ended(&ended_for("a"));
}

/// OTP: nonsignificant_transient and its like.
#[test]
fn children_that_are_not_significant_never_end_the_supervisor() {
    for auto_shutdown in [AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
        for spec in [transient("a"), temporary("a")] {
            for end in [Exit::Normal, Exit::Aborted, Exit::failed("x")] {
                let mut world = World::started(with(auto_shutdown, Strategy::OneForOne), std::slice::from_ref(&spec));
                world.exit("a", end);
                assert_eq!(world.ended, None);
                world.terminate_child("a");
                assert_eq!(world.ended, None);
            }
        }
    }
}

#[test]
fn an_end_that_somebody_asked_for_never_counts() {
    let specs = [permanent("a"), significant(transient("b"))];
    let mut world = World::started(with(AutoShutdown::AnySignificant, Strategy::OneForAll), &specs);
    world.terminate_child("b");
    assert_eq!(world.ended, None);
    world.restart_child("b");
    world.stopping("b", OnStop::Ends(Exit::Normal));
    world.crash("a");
    assert_eq!(world.ended, None);
    world.assert_states(&["a running", "b running"]);
}
