//! Children that outlive their limit and the abort.

use super::super::{Call, Event, Reply, Settings};
use super::world::*;
use crate::call_error::{DeleteChildError, RestartChildError, StartChildError, TerminateChildError};
use crate::exit::Exit;
use crate::policy::{Strategy, StuckPolicy};
use crate::report::EndCause;

fn leaving(strategy: Strategy) -> Settings {
    Settings { stuck: StuckPolicy::Leave, ..settings(strategy, 9, secs(3_600)) }
}

fn stuck(child: &str) -> EndCause {
    EndCause::Stuck { child: child.into() }
}

#[test]
fn a_stuck_child_escalates_the_others_are_stopped_and_the_end_waits_for_it() {
    let specs = ["a", "b", "c"].map(permanent);
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(5)), &specs);
    world.stopping("b", OnStop::Immortal);
    let call = world.begin_call(Call::Terminate("b".into()));
    world.advance(secs(5));
    world.assert_story("stop b, abort b");
    world.advance(secs(1));
    let error = TerminateChildError::Stuck { child: "b".into(), instance: world.instance("b") };
    assert_eq!(world.replies[&call], Reply::Terminate(Err(error)));
    world.assert_story("stop c, gone c, stop a, gone a");
    world.assert_states(&["a down", "b stuck", "c down"]);
    assert!(world.is_straggling && world.ended.is_none());
    assert_eq!(world.take_reports(), ["shutdown_error b: straggler"]);
    world.exit("b", Exit::Aborted);
    world.assert_ended(&stuck("b"));
    assert_eq!(stuck("b").exit(), Exit::Straggler);
}

#[test]
fn left_alone_a_stuck_child_keeps_its_place_and_no_second_instance_starts() {
    let mut world = World::started(leaving(Strategy::OneForOne), &[permanent("a"), permanent("b")]);
    world.stopping("b", OnStop::Immortal);
    world.begin_call(Call::Terminate("b".into()));
    world.advance(secs(6));
    world.assert_states(&["a running", "b stuck"]);
    let (child, instance) = (|| "b".into(), world.instance("b"));
    assert_eq!(world.restart_child("b"), Reply::Restart(Err(RestartChildError::Stuck { child: child(), instance })));
    assert_eq!(world.delete_child("b"), Reply::Delete(Err(DeleteChildError::Stuck { child: child(), instance })));
    assert_eq!(
        world.terminate_child("b"),
        Reply::Terminate(Err(TerminateChildError::Stuck { child: child(), instance }))
    );
    assert_eq!(world.start_child(permanent("b")), Err(StartChildError::AlreadyStarted { id: "b".into(), instance }));
    world.crash("a");
    world.assert_states(&["a running", "b stuck"]);
    world.exit("b", Exit::Aborted);
    world.assert_states(&["a running", "b down"]);
}

#[test]
fn a_group_restart_leaves_out_the_stuck_one_until_it_has_gone() {
    let mut world = World::started(leaving(Strategy::OneForAll), &["a", "b", "c"].map(permanent));
    world.stopping("b", OnStop::Immortal);
    world.crash("a");
    world.advance(secs(6));
    world.assert_states(&["a running", "b stuck", "c running"]);
    world.story();
    world.stopping("b", OnStop::Ends(Exit::Shutdown));
    world.exit("b", Exit::Aborted);
    // It was wanted: now all are restarted with it, by the strategy.
    assert!(world.story().ends_with("start a, up a, start b, up b, start c, up c"));
}

#[test]
fn a_start_that_does_not_end_is_stuck_too() {
    let mut world = World::started(leaving(Strategy::OneForOne), &[]);
    world.starting("a", [OnStart::Hangs]);
    world.stopping("a", OnStop::Immortal);
    let call = world.begin_call(Call::Start { spec: permanent("a").into(), make: "by call" });
    world.advance(secs(31));
    let failed = StartChildError::Failed { id: "a".into(), cause: Exit::Straggler };
    assert_eq!(world.replies[&call], Reply::Start(Err(failed)));
    world.assert_states(&["a stuck"]);
    world.exit("a", Exit::Aborted);
    world.assert_states(&[]);
}

#[test]
fn what_is_stuck_below_is_stuck_here() {
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(5)), &["a", "b"].map(permanent));
    let below = world.instance("b");
    world.tell(Event::Stuck(below));
    world.assert_states(&["a down", "b stuck"]);
    assert!(world.is_straggling);
    world.tell(Event::Exited(below, Exit::Straggler));
    world.assert_ended(&stuck("b"));
}

#[test]
fn a_stuck_child_does_not_hold_up_a_termination() {
    let mut world = World::started(leaving(Strategy::OneForOne), &["a", "b", "c"].map(permanent));
    world.stopping("b", OnStop::Immortal);
    world.terminate(secs(2), secs(4));
    world.advance(secs(2));
    world.assert_story("stop c, gone c, stop b, abort b");
    world.advance(secs(1));
    world.assert_story("abort a, gone a");
    assert!(world.ended.is_none());
    world.exit("b", Exit::Aborted);
    world.assert_ended(&EndCause::Terminated);
}
