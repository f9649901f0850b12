//! The start of the static children, and starts by a call.

use super::super::Event;
use super::world::*;
use crate::call_error::StartChildError;
use crate::exit::Exit;
use crate::policy::{ChildKind, RestartType, Strategy};
use crate::report::EndCause;

fn declines() -> OnStart {
    OnStart::Ends(Exit::Declined)
}

#[test]
fn static_children_start_in_order_each_when_the_one_before_is_ready() {
    let mut world = World::new(settings(Strategy::OneForOne, 1, secs(5)), &[permanent("a"), permanent("b")]);
    world.starting("a", [OnStart::Hangs]);
    world.tell(Event::Begin);
    world.assert_story("start a");
    world.tell(Event::Ready(world.instance("a")));
    world.assert_story("up a, start b, up b");
    assert!(world.is_up);
}

/// OTP: start_rollback, faulty_application_shutdown.
#[test]
fn a_failed_start_stops_those_before_it_in_reverse_order() {
    let specs = ["a", "b", "c", "d", "e"].map(permanent);
    let mut world = World::new(settings(Strategy::OneForOne, 1, secs(5)), &specs);
    world.starting("d", [OnStart::Ends(Exit::failed("no port"))]);
    world.stopping("b", OnStop::Ignores);
    world.tell(Event::Begin);
    assert!(world.story().ends_with("start d, gone d, stop c, gone c, stop b"));
    world.advance(secs(5));
    world.assert_story("abort b, gone b, stop a, gone a");
    assert!(!world.is_up);
    let cause = EndCause::StartFailed { child: "d".into(), cause: Exit::failed("no port") };
    world.assert_ended(&cause);
    assert_eq!(cause.to_string(), "failed to start child d: failed: no port");
    assert_eq!(world.take_reports(), ["start_error d: failed: no port", "shutdown_error b: aborted"]);
}

#[test]
fn a_start_that_is_not_ready_in_time_is_aborted_and_has_failed() {
    let mut world = World::new(settings(Strategy::OneForOne, 1, secs(5)), &[permanent("a"), permanent("b")]);
    world.starting("b", [OnStart::Hangs]);
    world.tell(Event::Begin);
    world.story();
    world.advance(secs(30));
    world.assert_story("abort b, gone b, stop a, gone a");
    world.assert_ended(&EndCause::StartFailed { child: "b".into(), cause: Exit::StartTimedOut { limit: secs(30) } });
}

/// OTP: sup_start_ignore_child.
#[test]
fn a_permanent_child_that_declines_keeps_its_spec() {
    let mut world = World::started(settings(Strategy::OneForOne, 1, secs(5)), &[]);
    world.starting("a", [declines()]);
    assert_eq!(world.start_child(permanent("a")), Ok(None));
    assert!(world.start_child(permanent("b")).unwrap().is_some());
    let rows = world.machine.rows();
    let shown: Vec<_> = rows.iter().map(|row| (row.spec.id.as_str(), row.instance.is_some())).collect();
    assert_eq!(shown, [("b", true), ("a", false)]);
    assert_eq!(world.counts(), [2, 1, 0, 2]);
}

/// OTP: sup_start_ignore_temporary_child, and one by one.
#[test]
fn a_temporary_child_that_declines_is_forgotten() {
    let mut world = World::new(settings(Strategy::OneForOne, 1, secs(5)), &[temporary("a"), temporary("b")]);
    world.starting("a", [declines()]);
    world.tell(Event::Begin);
    world.assert_states(&["b running"]);
    world.starting("c", [declines()]);
    assert_eq!(world.start_child(temporary("c")), Ok(None));
    world.assert_states(&["b running"]);
    assert_eq!(world.counts(), [1, 1, 0, 1]);
}

/// OTP: sup_start_ignore_permanent_child_start_child_simple.
#[test]
fn an_instance_that_declines_is_not_kept_even_when_permanent() {
    let mut world = World::started(settings(Strategy::SimpleOneForOne, 1, secs(5)), &[permanent("t")]);
    world.starting("t", [declines()]);
    assert_eq!(world.start_instance(), Ok(None));
    assert!(world.start_instance().unwrap().is_some());
    assert_eq!(world.counts(), [1, 1, 0, 1]);
    world.terminate(secs(5), secs(6));
    world.assert_ended(&EndCause::Terminated);
    assert_eq!(world.take_reports(), [""; 0]);
}

/// OTP: sup_start_child_returns_error, and simple.
#[test]
fn a_start_by_a_call_that_fails_leaves_nothing() {
    for (strategy, specs) in [
        (Strategy::OneForOne, vec![]),
        (Strategy::RestForOne, vec![]),
        (Strategy::SimpleOneForOne, vec![permanent("a")]),
    ] {
        let mut world = World::started(settings(strategy, 1, secs(5)), &specs);
        world.starting("a", [OnStart::Ends(Exit::failed("no")), OnStart::Ends(Exit::Panicked("ouch".into()))]);
        for cause in [Exit::failed("no"), Exit::Panicked("ouch".into())] {
            let result = match strategy {
                Strategy::SimpleOneForOne => world.start_instance(),
                _ => world.start_child(permanent("a")),
            };
            assert_eq!(result, Err(StartChildError::Failed { id: "a".into(), cause }));
            world.assert_states(&[]);
        }
        assert_eq!(world.ended, None);
    }
}

#[test]
fn a_restart_by_a_call_that_fails_keeps_the_spec() {
    let mut world = World::started(settings(Strategy::OneForOne, 1, secs(5)), &[permanent("a")]);
    world.terminate_child("a");
    world.starting("a", [OnStart::Ends(Exit::failed("no"))]);
    let failed = crate::call_error::RestartChildError::Failed { child: "a".into(), cause: Exit::failed("no") };
    assert_eq!(world.restart_child("a"), super::super::Reply::Restart(Err(failed)));
    world.assert_states(&["a down"]);
}

/// OTP: external_start_no_progress_log.
#[test]
fn progress_says_whether_a_call_asked_for_the_start() {
    let mut world = World::new(settings(Strategy::OneForOne, 1, secs(5)), &[permanent("a")]);
    world.tell(Event::Begin);
    world.start_child(permanent("b")).unwrap();
    world.crash("b");
    let progress: Vec<_> = world.progress.iter().map(|(id, by_call)| (id.as_str(), *by_call)).collect();
    assert_eq!(progress, [("a", false), ("b", true), ("b", false)]);
}

/// OTP: count_children.
#[test]
fn counts_match_the_listing() {
    let mut specs = vec![permanent("a"), temporary("b")];
    specs[0].kind = ChildKind::Supervisor;
    let mut world = World::started(settings(Strategy::OneForOne, 1, secs(5)), &specs);
    assert_eq!(world.counts(), [2, 2, 1, 1]);
    world.terminate_child("a");
    assert_eq!(world.counts(), [2, 1, 1, 1]);
    for number in 0..1_000 {
        world.start_child(spec(&format!("w{number}"), RestartType::Temporary)).unwrap();
    }
    assert_eq!(world.counts(), [1_002, 1_001, 1, 1_001]);
    assert_eq!(world.machine.rows().len(), 1_002);
    for number in 0..1_000 {
        world.exit(&format!("w{number}"), Exit::Aborted);
    }
    assert_eq!(world.counts(), [2, 1, 1, 1]);
}

/// supervisor3: post_init. That the start is answered earlier is the driver's; the engine ends for its reason.
#[test]
fn children_may_come_up_long_after_the_begin() {
    let mut world = World::new(settings(Strategy::OneForOne, 1, secs(5)), &[permanent("a")]);
    world.starting("a", [OnStart::Hangs]);
    world.tell(Event::Begin);
    world.advance(secs(20));
    let instance = world.instance("a");
    world.tell(Event::Exited(instance, Exit::failed("late")));
    world.assert_ended(&EndCause::StartFailed { child: "a".into(), cause: Exit::failed("late") });
}
