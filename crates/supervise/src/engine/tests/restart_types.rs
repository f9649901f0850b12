//! Who is restarted after which end.

use super::super::{Call, Reply};
use super::world::*;
use crate::call_error::StartChildError;
use crate::exit::Exit;
use crate::policy::{RestartType, SpecInfo, Strategy};
use crate::report::EndCause;

fn one(spec: SpecInfo) -> World {
    World::started(settings(Strategy::OneForOne, 2, secs(3_600)), &[spec])
}

#[track_caller]
fn check_restarted(spec: SpecInfo, exit: Exit) {
    let mut world = one(spec);
    let (before, counts) = (world.instance("a"), world.counts());
    world.exit("a", exit);
    assert_ne!(world.instance("a"), before);
    assert_eq!(world.counts(), counts);
    world.assert_story("gone a, start a, up a");
}

#[track_caller]
fn check_kept_without_instance(exit: Exit) {
    let mut world = one(transient("a"));
    world.exit("a", exit);
    world.assert_states(&["a down"]);
    assert_eq!(world.counts(), [1, 0, 0, 1]);
    world.assert_story("gone a");
}

#[track_caller]
fn check_forgotten(exit: Exit) {
    let mut world = one(temporary("a"));
    world.exit("a", exit.clone());
    assert_eq!(world.counts(), [0, 0, 0, 0]);
    assert!(world.start_child(temporary("a")).is_ok());
    world.exit("a", exit);
    world.assert_states(&[]);
    assert_eq!(world.ended, None);
}

#[test]
fn a_permanent_child_is_restarted_after_any_end() {
    for exit in [Exit::Normal, Exit::Shutdown, Exit::ShutdownWith("done".into()), Exit::failed("x"), Exit::Aborted] {
        check_restarted(permanent("a"), exit);
    }
}

#[test]
fn a_transient_child_is_restarted_after_an_abnormal_end_only() {
    for exit in [Exit::failed("x"), Exit::Panicked("x".into()), Exit::Aborted, Exit::Restart] {
        check_restarted(transient("a"), exit);
    }
    for exit in [Exit::Normal, Exit::Shutdown, Exit::ShutdownWith("done".into())] {
        check_kept_without_instance(exit);
    }
}

/// OTP: transient_shutdown.
#[test]
fn a_transient_child_that_shut_down_can_be_restarted_by_a_call() {
    let mut world = one(transient("a"));
    world.exit("a", Exit::Shutdown);
    assert!(matches!(world.restart_child("a"), Reply::Restart(Ok(_))));
    world.assert_states(&["a running"]);
    world.exit("a", Exit::ShutdownWith("done".into()));
    world.assert_states(&["a down"]);
}

#[test]
fn a_temporary_child_is_never_restarted_and_its_id_is_free_again() {
    for exit in [Exit::Normal, Exit::Shutdown, Exit::ShutdownWith("x".into()), Exit::failed("x"), Exit::Restart] {
        check_forgotten(exit);
    }
}

/// supervisor3: intrinsic.
#[test]
fn the_normal_end_of_an_intrinsic_child_ends_the_supervisor_in_order() {
    let mut world = World::started(
        settings(Strategy::OneForOne, 2, secs(3_600)),
        &[permanent("a"), spec("b", RestartType::Intrinsic), permanent("c")],
    );
    world.crash("b");
    world.assert_story("gone b, start b, up b");
    world.exit("b", Exit::Normal);
    world.assert_story("gone b, stop c, gone c, stop a, gone a");
    world.assert_ended(&EndCause::Intrinsic { child: "b".into() });
}

/// supervisor3: `{shutdown, restart}`.
#[test]
fn a_wanted_restart_counts_but_is_no_crash() {
    let mut world = one(permanent("a"));
    world.exit("a", Exit::Restart);
    assert_eq!(world.take_reports(), [""; 0]);
    world.exit("a", Exit::Restart);
    world.exit("a", Exit::Restart);
    assert_eq!(world.take_reports(), ["shutdown a: reached_max_restart_intensity"]);
    world.assert_ended(&gave_up("a"));
}

#[test]
fn ends_that_are_no_crash_are_reported_for_permanent_children_only() {
    let mut world =
        World::started(settings(Strategy::OneForOne, 9, secs(5)), &[permanent("a"), transient("b"), temporary("c")]);
    for id in ["a", "b", "c"] {
        world.exit(id, Exit::Normal);
    }
    assert_eq!(world.take_reports(), ["child_terminated a: normal"]);
    world.start_child(temporary("d")).unwrap();
    world.crash("d");
    assert_eq!(world.take_reports(), ["child_terminated d: failed: crash"]);
}

/// OTP: do_not_save_child_specs_for_temporary_children.
#[test]
fn the_same_id_again_after_each_kind_of_end() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for end in ["kill", "normal", "crash", "terminate"] {
            for kind in [RestartType::Permanent, RestartType::Transient, RestartType::Temporary] {
                let mut world = World::started(settings(strategy, 9, secs(5)), &[]);
                world.start_child(spec("a", kind)).unwrap();
                match end {
                    "kill" => world.exit("a", Exit::Aborted),
                    "normal" => world.exit("a", Exit::Normal),
                    "crash" => world.crash("a"),
                    _ => drop(world.terminate_child("a")),
                }
                let again = world.start_child(spec("a", kind));
                let is_gone = kind == RestartType::Temporary;
                let is_down = end == "terminate" || (end == "normal" && kind == RestartType::Transient);
                let case = (strategy, end, kind);
                match again {
                    Ok(_) => assert!(is_gone, "{case:?}"),
                    Err(StartChildError::AlreadyPresent { .. }) => assert!(is_down && !is_gone, "{case:?}"),
                    Err(StartChildError::AlreadyStarted { .. }) => assert!(!is_down && !is_gone, "{case:?}"),
                    Err(other) => panic!("{other} in {case:?}"),
                }
            }
        }
    }
}

/// OTP: do_not_save_start_parameters_for_temporary_children, simple_one_for_one_corruption.
#[test]
fn what_a_temporary_child_is_made_from_is_not_kept() {
    let kept = |kind| {
        let mut world = World::started(settings(Strategy::SimpleOneForOne, 2, secs(5)), &[spec("t", kind)]);
        for _ in 0..100 {
            world.start_instance().unwrap();
        }
        world.machine.children.newest_first().filter(|(_, child)| child.make.is_some()).count()
    };
    assert_eq!(kept(RestartType::Permanent), 100);
    assert_eq!(kept(RestartType::Transient), 100);
    assert_eq!(kept(RestartType::Temporary), 0);
}

/// OTP: temporary_bystander.
#[test]
fn a_temporary_sibling_is_stopped_by_a_group_restart_and_not_started_again() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let mut world = World::started(settings(strategy, 2, secs(5)), &[permanent("a"), temporary("b")]);
        world.crash("a");
        world.assert_story("gone a, stop b, gone b, start a, up a");
        world.assert_states(&["a running"]);
        let call = Call::Start { spec: temporary("b").into(), make: "again" };
        assert!(matches!(world.call(call), Reply::Start(Ok(_))));
    }
}
