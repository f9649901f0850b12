//! Which children an end concerns, and what happens when a restart fails.

use super::super::Reply;
use super::world::*;
use crate::call_error::{DeleteChildError, RestartChildError, StartChildError};
use crate::exit::Exit;
use crate::policy::{SpecInfo, Strategy};

fn tree(strategy: Strategy, intensity: u32, ids: &[&str]) -> World {
    let specs: Vec<SpecInfo> = ids.iter().map(|id| permanent(id)).collect();
    World::started(settings(strategy, intensity, secs(3_600)), &specs)
}

fn fails() -> OnStart {
    OnStart::Ends(Exit::failed("no start"))
}

#[test]
fn one_for_one_restarts_the_one_that_ended_until_the_intensity_is_reached() {
    let mut world = tree(Strategy::OneForOne, 2, &["a", "b"]);
    let sibling = world.instance("b");
    world.crash("a");
    world.crash("a");
    assert_eq!(world.instance("b"), sibling);
    world.story();
    world.crash("a");
    world.assert_story("gone a, stop b, gone b");
    world.assert_ended(&gave_up("a"));
}

#[test]
fn one_for_one_counts_restarts_that_fail() {
    let mut world = tree(Strategy::OneForOne, 4, &["a", "b"]);
    world.starting("a", vec![fails(); 10]);
    world.crash("a");
    // The crash and each failed attempt count: four attempts, and the fifth restart is one too many.
    world.assert_story("gone a, start a, gone a, start a, gone a, start a, gone a, start a, gone a, stop b, gone b");
    world.assert_ended(&gave_up("a"));
    assert_eq!(
        world.take_reports(),
        [
            "child_terminated a: failed: crash",
            "start_error a: failed: no start",
            "start_error a: failed: no start",
            "start_error a: failed: no start",
            "start_error a: failed: no start",
            "shutdown a: reached_max_restart_intensity",
        ]
    );
}

#[test]
fn one_for_all_replaces_all_and_counts_once() {
    let mut world = tree(Strategy::OneForAll, 2, &["a", "b", "c"]);
    world.crash("b");
    world.assert_story("gone b, stop c, gone c, stop a, gone a, start a, up a, start b, up b, start c, up c");
    world.crash("a");
    world.assert_states(&["a running", "b running", "c running"]);
    world.story();
    world.crash("a");
    world.assert_story("gone a, stop c, gone c, stop b, gone b");
    world.assert_ended(&gave_up("a"));
}

#[test]
fn one_for_all_starts_over_when_a_sibling_fails_to_start() {
    let mut world = tree(Strategy::OneForAll, 4, &["a", "b"]);
    world.starting("b", [fails()]);
    world.crash("a");
    world.assert_story(
        "gone a, stop b, gone b, start a, up a, start b, gone b, stop a, gone a, start a, up a, start b, up b",
    );
}

#[test]
fn rest_for_one_replaces_those_after_the_one_that_ended() {
    let mut world = tree(Strategy::RestForOne, 2, &["a", "b", "c"]);
    let first = world.instance("a");
    world.crash("b");
    world.assert_story("gone b, stop c, gone c, start b, up b, start c, up c");
    world.crash("c");
    world.assert_story("gone c, start c, up c");
    assert_eq!(world.instance("a"), first);
    world.crash("b");
    world.assert_story("gone b, stop c, gone c, stop a, gone a");
    world.assert_ended(&gave_up("b"));
}

#[test]
fn rest_for_one_gives_up_when_a_later_child_cannot_start() {
    let mut world = tree(Strategy::RestForOne, 4, &["a", "b"]);
    world.starting("b", vec![fails(); 10]);
    world.crash("a");
    world.assert_ended(&gave_up("b"));
}

#[test]
fn rest_for_one_tries_again_from_the_one_that_failed() {
    let mut world = tree(Strategy::RestForOne, 4, &["a", "b", "c"]);
    world.starting("b", [fails()]);
    world.crash("a");
    world.assert_story(
        "gone a, stop c, gone c, stop b, gone b, start a, up a, start b, gone b, start b, up b, start c, up c",
    );
}

/// OTP: tree.
#[test]
fn a_group_restart_starts_siblings_that_were_down() {
    let mut world = tree(Strategy::OneForAll, 4, &["a", "b", "c"]);
    assert_eq!(world.terminate_child("b"), Reply::Terminate(Ok(())));
    world.assert_states(&["a running", "b down", "c running"]);
    world.crash("a");
    world.assert_states(&["a running", "b running", "c running"]);
}

#[test]
fn a_child_that_ends_during_a_group_restart_has_its_turn_after_it() {
    let mut world = tree(Strategy::RestForOne, 4, &["a", "b", "c"]);
    world.starting("c", [OnStart::Hangs]);
    world.crash("b");
    world.assert_story("gone b, stop c, gone c, start b, up b, start c");
    world.crash("a");
    world.assert_states(&["a restarting", "b running", "c restarting"]);
    world.assert_story("gone a");
    let starting = world.instance("c");
    world.tell(super::super::Event::Ready(starting));
    world.assert_story("up c, stop c, gone c, stop b, gone b, start a, up a, start b, up b, start c, up c");
}

#[test]
fn a_child_that_ends_before_its_turn_to_stop_is_not_stopped() {
    let mut world = tree(Strategy::OneForAll, 4, &["a", "b", "c"]);
    world.stopping("c", OnStop::Ignores);
    world.crash("a");
    world.crash("b");
    world.assert_story("gone a, stop c, gone b");
    world.exit("c", Exit::Shutdown);
    world.assert_story("gone c, start a, up a, start b, up b, start c, up c");
    assert_eq!(world.take_reports(), ["child_terminated a: failed: crash", "shutdown_error b: failed: crash"]);
}

/// OTP: hanging_restart_loop.
#[test]
fn calls_get_in_between_the_attempts_of_a_restart() {
    let mut world = tree(Strategy::OneForOne, 8, &["a"]);
    world.starting("a", [fails(), fails(), OnStart::Hangs]);
    world.crash("a");
    let present = StartChildError::AlreadyPresent { id: "a".into() };
    assert_eq!(world.start_child(permanent("a")), Err(present));
    let restarting = RestartChildError::Restarting { child: "a".into() };
    assert_eq!(world.restart_child("a"), Reply::Restart(Err(restarting)));
    let restarting = DeleteChildError::Restarting { child: "a".into() };
    assert_eq!(world.delete_child("a"), Reply::Delete(Err(restarting)));
    world.assert_states(&["a restarting"]);
    assert_eq!(world.counts(), [1, 0, 0, 1]);
    assert_eq!(world.terminate_child("a"), Reply::Terminate(Ok(())));
    world.assert_states(&["a down"]);
    world.story();
    world.advance(secs(60));
    world.assert_story("");
}

#[test]
fn an_end_in_the_midst_of_a_restart_does_not_hang() {
    let mut world = tree(Strategy::OneForOne, 8, &["a", "b"]);
    world.starting("b", [fails(), OnStart::Hangs]);
    world.crash("b");
    world.story();
    world.terminate(secs(5), secs(6));
    world.assert_story("stop b, gone b, stop a, gone a");
    world.assert_ended(&crate::report::EndCause::Terminated);
}

/// OTP: hanging_restart_loop_rest_for_one.
#[test]
fn terminating_the_child_that_a_group_restart_is_at_leaves_those_after_it_down() {
    let mut world = tree(Strategy::RestForOne, 8, &["a", "b", "c"]);
    let first = world.instance("a");
    world.starting("b", [fails(), OnStart::Hangs]);
    world.crash("b");
    world.assert_states(&["a running", "b restarting", "c down"]);
    assert_eq!(world.instance("a"), first);
    assert_eq!(world.terminate_child("b"), Reply::Terminate(Ok(())));
    world.assert_states(&["a running", "b down", "c down"]);
    assert!(matches!(world.restart_child("c"), Reply::Restart(Ok(_))));
    world.assert_states(&["a running", "b down", "c running"]);
}

#[test]
fn a_call_that_waited_for_a_group_restart_is_answered_before_the_next_attempt() {
    let mut world = tree(Strategy::RestForOne, 8, &["a", "b", "c"]);
    world.starting("b", [OnStart::Hangs, OnStart::Hangs]);
    world.crash("b");
    let waiting = world.begin_call(super::super::Call::Restart("b".into()));
    assert!(!world.replies.contains_key(&waiting));
    let failing = world.instance("b");
    world.tell(super::super::Event::Exited(failing, Exit::failed("no start")));
    let restarting = RestartChildError::Restarting { child: "b".into() };
    assert_eq!(world.replies[&waiting], Reply::Restart(Err(restarting)));
    world.assert_states(&["a running", "b restarting", "c down"]);
}

#[test]
fn a_child_that_declines_at_its_restart_keeps_its_spec() {
    let mut world = tree(Strategy::OneForOne, 2, &["a"]);
    world.starting("a", [OnStart::Ends(Exit::Declined)]);
    world.crash("a");
    world.assert_states(&["a down"]);
    assert_eq!(world.ended, None);
}

fn simple(intensity: u32, template: SpecInfo) -> World {
    World::started(settings(Strategy::SimpleOneForOne, intensity, secs(3_600)), &[template])
}

#[test]
fn simple_one_for_one_replaces_the_one_that_ended() {
    let mut world = simple(2, permanent("t"));
    let first = world.start_instance().unwrap().unwrap();
    let second = world.start_instance().unwrap().unwrap();
    for _ in 0..2 {
        let crashing = *world.live.keys().find(|instance| **instance != second).unwrap();
        world.tell(super::super::Event::Exited(crashing, Exit::failed("crash")));
        assert!(world.live.contains_key(&second));
        assert_eq!(world.counts(), [1, 2, 0, 2]);
    }
    assert!(!world.live.contains_key(&first));
    world.tell(super::super::Event::Exited(second, Exit::failed("crash")));
    world.assert_ended(&gave_up("t"));
}

#[test]
fn simple_one_for_one_gives_up_when_a_child_cannot_start_again() {
    let mut world = simple(4, permanent("t"));
    let first = world.start_instance().unwrap().unwrap();
    world.start_instance().unwrap();
    world.starting("t", vec![fails(); 10]);
    world.tell(super::super::Event::Exited(first, Exit::failed("crash")));
    world.assert_ended(&gave_up("t"));
}

/// OTP: simple_one_for_one_restart_ignore.
#[test]
fn an_instance_that_declines_at_its_restart_is_dropped() {
    for template in [permanent("t"), transient("t")] {
        let mut world = simple(9, template);
        let first = world.start_instance().unwrap().unwrap();
        world.tell(super::super::Event::Exited(first, Exit::Aborted));
        let second = *world.live.keys().next().unwrap();
        world.starting("t", [OnStart::Ends(Exit::Declined)]);
        world.tell(super::super::Event::Exited(second, Exit::Aborted));
        world.assert_states(&[]);
        assert_eq!(world.ended, None);
        world.terminate(secs(1), secs(2));
        world.assert_ended(&crate::report::EndCause::Terminated);
    }
}

/// OTP: hanging_restart_loop_simple, count_restarting_children.
#[test]
fn a_restarting_instance_is_found_by_the_one_before() {
    let mut world = simple(20, permanent("t"));
    let instances: Vec<_> = (0..3).map(|_| world.start_instance().unwrap().unwrap()).collect();
    world.starting("t", [OnStart::Hangs, OnStart::Hangs]);
    for instance in &instances[..2] {
        world.tell(super::super::Event::Exited(*instance, Exit::failed("crash")));
    }
    assert_eq!(world.counts(), [1, 1, 0, 3]);
    let restart = world.restart_child(instances[0]);
    assert_eq!(restart, Reply::Restart(Err(RestartChildError::SimpleOneForOne)));
    let delete = world.delete_child(instances[0]);
    assert_eq!(delete, Reply::Delete(Err(DeleteChildError::SimpleOneForOne)));
    assert_eq!(world.terminate_child(instances[0]), Reply::Terminate(Ok(())));
    assert_eq!(world.counts(), [1, 1, 0, 2]);
    let starting = *world.live.keys().find(|instance| **instance != instances[2]).unwrap();
    world.tell(super::super::Event::Ready(starting));
    assert_eq!(world.counts(), [1, 2, 0, 2]);
    assert!(world.machine.engine().find(&instances[1].into()).is_none());
    assert_eq!(world.terminate_child(starting), Reply::Terminate(Ok(())));
    assert_eq!(world.terminate_child(instances[2]), Reply::Terminate(Ok(())));
    assert_eq!(world.counts(), [1, 0, 0, 0]);
}
