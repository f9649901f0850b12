//! Stops: their order, their limits, and what is reported of them.

use super::super::{Event, Reply};
use super::world::*;
use crate::exit::Exit;
use crate::policy::{ChildKind, RestartType, ShutdownPolicy, SpecInfo, Strategy};
use crate::report::EndCause;

fn with_shutdown(id: &str, shutdown: ShutdownPolicy) -> SpecInfo {
    SpecInfo { shutdown, ..permanent(id) }
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

/// OTP: sup_start_normal.
#[test]
fn an_empty_supervisor_ends_at_once() {
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(3_600)), &[]);
    world.terminate(HOUR, HOUR);
    world.assert_ended(&EndCause::Terminated);
    assert_eq!(EndCause::Terminated.exit(), Exit::Shutdown);
}

#[test]
fn a_supervisor_that_was_not_started_ends_at_once() {
    let mut world = World::new(settings(Strategy::OneForOne, 2, secs(3_600)), &[permanent("a")]);
    world.terminate(HOUR, HOUR);
    world.assert_ended(&EndCause::Terminated);
    world.tell(Event::Begin);
    world.assert_story("");
}

/// OTP: sup_stop_infinity.
#[test]
fn infinity_is_legal_for_workers_and_waits_as_long_as_nobody_terminates_the_tree() {
    let mut supervisor = with_shutdown("a", ShutdownPolicy::Infinity);
    supervisor.kind = ChildKind::Supervisor;
    let specs = [supervisor, with_shutdown("b", ShutdownPolicy::Infinity)];
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(3_600)), &specs);
    world.stopping("b", OnStop::Ignores);
    let call = world.begin_call(super::super::Call::Terminate("b".into()));
    world.advance(HOUR);
    world.assert_states(&["a running", "b stopping"]);
    assert!(!world.replies.contains_key(&call));
    world.terminate(secs(10), secs(12));
    world.assert_story("stop b");
    world.advance(secs(10));
    world.assert_story("abort b, gone b, abort a, gone a");
    assert_eq!(world.replies[&call], Reply::Terminate(Ok(())));
    world.assert_ended(&EndCause::Terminated);
}

/// OTP: sup_stop_timeout.
#[test]
fn a_child_that_does_not_listen_is_aborted_at_its_limit() {
    let limit = ShutdownPolicy::Timeout(secs(1));
    let specs = [with_shutdown("a", limit), with_shutdown("b", limit)];
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(3_600)), &specs);
    world.stopping("b", OnStop::Ignores);
    world.terminate(HOUR, HOUR);
    world.advance(millis(999));
    world.assert_story("stop b");
    world.advance(millis(1));
    world.assert_story("abort b, gone b, stop a, gone a");
    assert_eq!(world.take_reports(), ["shutdown_error b: aborted"]);
}

/// OTP: sup_stop_timeout_dynamic, simple_one_for_one_shutdown.
#[test]
fn instances_of_a_template_stop_in_parallel_with_one_limit() {
    let template = SpecInfo { shutdown: ShutdownPolicy::Timeout(secs(2)), ..permanent("t") };
    let mut world = World::started(settings(Strategy::SimpleOneForOne, 2, secs(3_600)), &[template]);
    let instances: Vec<_> = (0..3).map(|_| world.start_instance().unwrap().unwrap()).collect();
    world.story();
    world.stopping("t", OnStop::Ignores);
    world.terminate(HOUR, HOUR);
    world.assert_story("stop t, stop t, stop t");
    world.advance(secs(1));
    for instance in &instances[..2] {
        world.tell(Event::Exited(*instance, Exit::Shutdown));
    }
    assert_eq!(world.ended, None);
    world.story();
    world.advance(secs(1));
    world.assert_story("abort t, gone t");
    world.assert_ended(&EndCause::Terminated);
    assert_eq!(world.take_reports(), ["shutdown_error t x1: aborted"]);
}

/// OTP: sup_stop_brutal_kill, and dynamic.
#[test]
fn brutal_kill_aborts_without_asking() {
    let specs = [permanent("a"), with_shutdown("b", ShutdownPolicy::BrutalKill)];
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(3_600)), &specs);
    world.terminate(HOUR, HOUR);
    world.assert_story("abort b, gone b, stop a, gone a");
    assert_eq!(world.take_reports(), [""; 0]);

    let template = with_shutdown("t", ShutdownPolicy::BrutalKill);
    let mut world = World::started(settings(Strategy::SimpleOneForOne, 2, secs(3_600)), &[template]);
    for _ in 0..10 {
        world.start_instance().unwrap();
    }
    world.story();
    world.terminate(HOUR, HOUR);
    assert_eq!(world.story().matches("abort t").count(), 10);
    world.assert_ended(&EndCause::Terminated);
    assert_eq!(world.take_reports(), [""; 0]);
}

/// OTP: sup_stop_race.
#[test]
fn children_that_end_by_themselves_during_the_end_are_not_restarted() {
    let mut specs = vec![permanent("first")];
    let exits = [Exit::Normal, Exit::Shutdown, Exit::ShutdownWith("x".into()), Exit::failed("other")];
    for kind in [RestartType::Temporary, RestartType::Transient, RestartType::Permanent] {
        specs.extend((0..exits.len()).map(|number| spec(&format!("{kind} {number}"), kind)));
    }
    specs.push(permanent("last"));
    let mut world = World::started(settings(Strategy::OneForOne, 0, secs(3_600)), &specs);
    world.stopping("last", OnStop::Ignores);
    world.terminate(HOUR, HOUR);
    world.assert_story("stop last");
    for kind in [RestartType::Temporary, RestartType::Transient, RestartType::Permanent] {
        for (number, exit) in exits.iter().enumerate() {
            world.exit(&format!("{kind} {number}"), exit.clone());
        }
    }
    assert!(!world.story().contains("start"));
    world.exit("last", Exit::Shutdown);
    world.assert_story("gone last, stop first, gone first");
    world.assert_ended(&EndCause::Terminated);
    assert_eq!(
        world.take_reports(),
        [
            "shutdown_error temporary 3: failed: other",
            "shutdown_error transient 3: failed: other",
            "shutdown_error permanent 0: normal",
            "shutdown_error permanent 2: shutdown: x",
            "shutdown_error permanent 3: failed: other",
        ]
    );
}

/// OTP: sup_stop_non_shutdown_exit_dynamic.
#[test]
fn a_template_ends_in_order_whatever_its_instances_answer() {
    for kind in [RestartType::Permanent, RestartType::Transient, RestartType::Temporary] {
        let mut world = World::started(settings(Strategy::SimpleOneForOne, 2, secs(5)), &[spec("t", kind)]);
        let instances: Vec<_> = (0..4).map(|_| world.start_instance().unwrap().unwrap()).collect();
        world.stopping("t", OnStop::Ignores);
        world.terminate(HOUR, HOUR);
        let answers = [Exit::Normal, Exit::Shutdown, Exit::ShutdownWith("x".into()), Exit::failed("x")];
        for (instance, exit) in instances.into_iter().zip(answers) {
            world.tell(Event::Exited(instance, exit));
        }
        world.assert_ended(&EndCause::Terminated);
    }
}

/// OTP: shutdown_error_report.
#[test]
fn a_permanent_child_that_answers_normal_is_reported_and_others_are_not() {
    for (spec, expected) in [(permanent("a"), vec!["shutdown_error a: normal"]), (transient("a"), vec![])] {
        let mut world = World::started(settings(Strategy::OneForOne, 2, secs(5)), &[spec]);
        world.stopping("a", OnStop::Ends(Exit::Normal));
        world.terminate_child("a");
        assert_eq!(world.take_reports(), expected);
    }
}

/// OTP: max_restart_report.
#[test]
fn reaching_the_intensity_makes_two_reports() {
    let mut world = World::started(settings(Strategy::OneForOne, 0, secs(5)), &[permanent("a")]);
    world.crash("a");
    let expected = ["child_terminated a: failed: crash", "shutdown a: reached_max_restart_intensity"];
    assert_eq!(world.take_reports(), expected);
    assert_eq!(gave_up("a").exit(), Exit::Shutdown);
}

/// OTP: foreign_exit_ignored.
#[test]
fn ends_of_instances_that_are_not_there_change_nothing() {
    let mut world = World::started(settings(Strategy::OneForOne, 0, secs(5)), &[permanent("a")]);
    let old = world.instance("a");
    world.terminate_child("a");
    world.restart_child("a");
    world.story();
    for number in [old.number, 99] {
        let instance = crate::child_id::InstanceId { number, ..old };
        world.tell(Event::Exited(instance, Exit::Aborted));
        world.tell(Event::Ready(instance));
        world.tell(Event::Lingers(instance));
        world.tell(Event::Stuck(instance));
    }
    world.assert_states(&["a running"]);
    world.assert_story("");
}

#[test]
fn what_an_ended_instance_left_running_is_stopped_before_the_restart() {
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(5)), &[permanent("a")]);
    world.stopping("a", OnStop::Ignores);
    let instance = world.instance("a");
    world.tell(Event::Lingers(instance));
    world.assert_story("stop a");
    world.assert_states(&["a stopping"]);
    world.tell(Event::Exited(instance, Exit::failed("crash")));
    world.assert_story("gone a, start a, up a");
    assert_eq!(world.take_reports(), ["child_terminated a: failed: crash"]);
}
