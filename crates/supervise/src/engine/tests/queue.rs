//! Calls that wait: for a group restart, or for what another call does to the same child.

use super::super::{Call, CallId, Event, Reply, Up};
use super::world::*;
use crate::call_error::{Refused, RestartChildError, StartChildError};
use crate::exit::Exit;
use crate::policy::Strategy;

fn start(id: &str) -> Call<&'static str> {
    Call::Start { spec: permanent(id).into(), make: "by call" }
}

#[test]
fn calls_wait_in_order_until_a_group_restart_is_through() {
    let mut world = World::started(settings(Strategy::OneForAll, 2, secs(5)), &[permanent("a"), permanent("b")]);
    world.starting("b", [OnStart::Hangs]);
    world.crash("a");
    let calls = [
        world.begin_call(start("c")),
        world.begin_call(Call::Terminate("c".into())),
        world.begin_call(Call::Delete("c".into())),
    ];
    assert!(calls.iter().all(|call| !world.replies.contains_key(call)));
    // Reading never waits.
    world.assert_states(&["a running", "b restarting"]);
    world.story();
    world.tell(Event::Ready(world.instance("b")));
    world.assert_story("up b, start c, up c, stop c, gone c");
    assert!(matches!(world.replies[&calls[0]], Reply::Start(Ok(Up::Instance(_)))));
    assert_eq!(world.replies[&calls[2]], Reply::Delete(Ok(())));
}

#[test]
fn the_queue_is_bounded() {
    let mut world = World::started(settings(Strategy::RestForOne, 2, secs(5)), &[permanent("a")]);
    world.starting("a", [OnStart::Hangs]);
    world.crash("a");
    let calls: Vec<CallId> = (0..9).map(|number| world.begin_call(start(&format!("n{number}")))).collect();
    let busy = StartChildError::Refused(Refused::Busy { calls_max: 8 });
    assert_eq!(world.replies[&calls[8]], Reply::Start(Err(busy)));
    assert_eq!(world.replies.len(), 1);
    world.tell(Event::Ready(world.instance("a")));
    assert_eq!(world.replies.len(), 9);
    assert!(world.start_child(permanent("later")).is_ok());
}

#[test]
fn waiting_calls_are_refused_when_the_supervisor_ends() {
    let mut world = World::started(settings(Strategy::OneForAll, 2, secs(5)), &[permanent("a")]);
    world.starting("a", [OnStart::Hangs]);
    world.crash("a");
    let call = world.begin_call(start("b"));
    world.terminate(secs(1), secs(2));
    assert_eq!(world.replies[&call], Reply::Start(Err(Refused::Terminating.into())));
}

#[test]
fn a_start_does_not_hold_up_other_children() {
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(5)), &[permanent("a")]);
    world.starting("slow", [OnStart::Hangs]);
    let slow = world.begin_call(start("slow"));
    world.crash("a");
    world.assert_states(&["a running", "slow starting"]);
    assert!(world.start_child(permanent("fast")).is_ok());
    // A second start of the same child waits for the first, as in OTP.
    let again = world.begin_call(start("slow"));
    assert!(!world.replies.contains_key(&again));
    let instance = world.instance("slow");
    world.tell(Event::Ready(instance));
    assert_eq!(world.replies[&slow], Reply::Start(Ok(Up::Instance(instance))));
    let started = StartChildError::AlreadyStarted { id: "slow".into(), instance };
    assert_eq!(world.replies[&again], Reply::Start(Err(started)));
}

#[test]
fn terminating_or_deleting_a_starting_child_cancels_its_start() {
    for (call, strategy) in [
        (Call::Terminate("a".into()), Strategy::OneForOne),
        (Call::Delete("a".into()), Strategy::OneForOne),
        (Call::Terminate("a".into()), Strategy::OneForAll),
        (Call::Delete("a".into()), Strategy::OneForAll),
    ] {
        let mut world = World::started(settings(strategy, 2, secs(5)), &[]);
        world.starting("a", [OnStart::Hangs]);
        let starting = world.begin_call(start("a"));
        assert!(matches!(world.call(call), Reply::Terminate(Ok(())) | Reply::Delete(Ok(()))));
        let cancelled = StartChildError::Cancelled { id: "a".into() };
        assert_eq!(world.replies[&starting], Reply::Start(Err(cancelled)));
        world.assert_states(&[]);
        assert!(world.start_child(permanent("b")).is_ok());
    }
}

#[test]
fn a_cancelled_restart_by_a_call_keeps_the_spec_unless_it_is_deleted() {
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(5)), &[permanent("a")]);
    world.terminate_child("a");
    world.starting("a", [OnStart::Hangs, OnStart::Hangs]);
    let restart = world.begin_call(Call::Restart("a".into()));
    world.terminate_child("a");
    let cancelled = RestartChildError::Cancelled { child: "a".into() };
    assert_eq!(world.replies[&restart], Reply::Restart(Err(cancelled)));
    world.assert_states(&["a down"]);
    world.begin_call(Call::Restart("a".into()));
    assert_eq!(world.delete_child("a"), Reply::Delete(Ok(())));
    world.assert_states(&[]);
}

#[test]
fn a_call_about_a_child_that_is_being_stopped_waits_for_that() {
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(5)), &[permanent("a")]);
    world.stopping("a", OnStop::Ignores);
    let first = world.begin_call(Call::Terminate("a".into()));
    let second = world.begin_call(Call::Terminate("a".into()));
    let restart = world.begin_call(Call::Restart("a".into()));
    assert_eq!(world.replies.len(), 0);
    world.exit("a", Exit::Shutdown);
    assert_eq!(world.replies[&first], Reply::Terminate(Ok(())));
    assert_eq!(world.replies[&second], Reply::Terminate(Ok(())));
    assert!(matches!(world.replies[&restart], Reply::Restart(Ok(_))));
}

/// In a group strategy a crash waits until a start by a call is through, as in OTP.
#[test]
fn a_group_restart_does_not_cut_into_a_start_by_a_call() {
    let mut world = World::started(settings(Strategy::OneForAll, 2, secs(5)), &[permanent("a")]);
    world.starting("b", [OnStart::Hangs]);
    let call = world.begin_call(start("b"));
    world.crash("a");
    world.assert_states(&["a restarting", "b starting"]);
    let instance = world.instance("b");
    world.tell(Event::Ready(instance));
    assert_eq!(world.replies[&call], Reply::Start(Ok(Up::Instance(instance))));
    world.assert_states(&["a running", "b running"]);
    assert_ne!(world.instance("b"), instance);
}
