//! Delayed restarts, as supervisor3 has them, with growth and reset.

use super::super::{Call, Event, Reply};
use super::world::*;
use crate::backoff::Backoff;
use crate::call_error::{DeleteChildError, RestartChildError};
use crate::exit::Exit;
use crate::policy::{Restart, RestartType, SpecInfo, Strategy};

fn delayed(id: &str, backoff: Backoff) -> SpecInfo {
    spec(id, RestartType::Permanent.delayed(backoff))
}

fn constant(secs_: u64) -> Backoff {
    Backoff::constant(secs(secs_))
}

/// RabbitMQ: delayed_restart.
#[test]
fn over_the_intensity_a_restart_waits_and_the_supervisor_lives() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let mut world = World::started(settings(strategy, 1, secs(10)), &[delayed("a", constant(3))]);
        world.crash("a");
        world.assert_story("gone a, start a, up a");
        world.crash("a");
        world.assert_story("gone a");
        world.assert_states(&["a waiting to restart"]);
        assert_eq!(world.row("a").retry_in, Some(secs(3)));
        world.advance(millis(2_999));
        world.assert_story("");
        world.advance(millis(1));
        world.assert_story("start a, up a");
        assert_eq!(world.ended, None);
    }
}

/// RabbitMQ: delayed_restart with simple_one_for_one.
#[test]
fn an_instance_of_a_template_waits_too_and_is_found_by_the_one_before() {
    let mut world = World::started(settings(Strategy::SimpleOneForOne, 0, secs(10)), &[delayed("t", constant(3))]);
    let first = world.start_instance().unwrap().unwrap();
    world.tell(Event::Exited(first, Exit::failed("crash")));
    assert!(world.machine.find(&first.into()).unwrap().state.is_restarting());
    world.advance(secs(3));
    assert_eq!(world.counts(), [1, 1, 0, 1]);
    let second = *world.live.keys().next().unwrap();
    world.tell(Event::Exited(second, Exit::failed("crash")));
    assert_eq!(world.terminate_child(second), Reply::Terminate(Ok(())));
    assert_eq!(world.counts(), [1, 0, 0, 0]);
    world.advance(secs(10));
    assert_eq!(world.live.len(), 0);
}

/// supervisor3: delay_ignores_old_handle.
#[test]
fn a_waiting_child_is_listed_as_restarting_and_can_be_cancelled() {
    let mut world = World::started(settings(Strategy::OneForOne, 0, secs(10)), &[delayed("a", constant(3))]);
    world.crash("a");
    assert!(world.state("a").unwrap().is_restarting());
    let child = || "a".into();
    assert_eq!(world.restart_child("a"), Reply::Restart(Err(RestartChildError::Restarting { child: child() })));
    assert_eq!(world.delete_child("a"), Reply::Delete(Err(DeleteChildError::Restarting { child: child() })));
    assert_eq!(world.terminate_child("a"), Reply::Terminate(Ok(())));
    world.advance(secs(10));
    world.assert_states(&["a down"]);
    assert_eq!(world.delete_child("a"), Reply::Delete(Ok(())));
}

/// supervisor3: delay_resets_window.
#[test]
fn a_delayed_attempt_empties_the_window_and_is_not_counted() {
    let mut world = World::started(settings(Strategy::OneForOne, 1, secs(3_600)), &[delayed("a", constant(3))]);
    world.crash("a");
    world.crash("a");
    world.advance(secs(3));
    world.story();
    // The window holds nothing: one restart is immediate again, though the period is an hour.
    world.crash("a");
    world.assert_story("gone a, start a, up a");
    world.crash("a");
    world.assert_story("gone a");
}

/// supervisor3: delay_start_fails.
#[test]
fn a_delayed_attempt_that_fails_waits_again() {
    let mut world = World::started(settings(Strategy::OneForOne, 0, secs(3_600)), &[delayed("a", constant(3))]);
    world.starting("a", vec![OnStart::Ends(Exit::failed("no start")); 3]);
    world.crash("a");
    for _ in 0..3 {
        world.story();
        world.advance(secs(3));
        world.assert_story("start a, gone a");
        world.assert_states(&["a waiting to restart"]);
    }
    world.advance(secs(3));
    world.assert_states(&["a running"]);
}

/// supervisor3: max_zero, which is how brod sets it.
#[test]
fn with_intensity_zero_every_restart_is_delayed_and_the_supervisor_never_ends() {
    let mut world = World::started(settings(Strategy::OneForOne, 0, secs(1)), &[delayed("a", constant(10))]);
    for _ in 0..50 {
        world.crash("a");
        world.assert_states(&["a waiting to restart"]);
        world.advance(secs(10));
        world.assert_states(&["a running"]);
    }
    assert_eq!(world.ended, None);
}

#[test]
fn delays_grow_to_the_cap_and_begin_anew_after_a_healthy_time() {
    let backoff = Backoff::exponential(secs(1), secs(8)).jitter(0.0).reset_after(secs(60));
    let mut world = World::started(settings(Strategy::OneForOne, 0, secs(1)), &[delayed("a", backoff)]);
    let mut delays = Vec::new();
    for ran in [0, 0, 0, 0, 0, 59, 60, 0] {
        world.advance(secs(ran));
        world.crash("a");
        let delay = world.row("a").retry_in.unwrap();
        delays.push(delay.as_secs());
        world.advance(delay);
    }
    assert_eq!(delays, [1, 2, 4, 8, 8, 8, 1, 2]);
}

#[test]
fn jitter_only_shortens_and_differs() {
    let backoff = Backoff { jitter: 0.5, ..Backoff::constant(secs(10)) };
    let ids: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let specs: Vec<_> = ids.iter().map(|id| delayed(id, backoff)).collect();
    let mut world = World::started(settings(Strategy::OneForOne, 0, secs(1)), &specs);
    let mut delays: Vec<_> = ids
        .iter()
        .map(|id| {
            world.crash(id);
            world.row(id).retry_in.unwrap()
        })
        .collect();
    assert!(delays.iter().all(|delay| (secs(5)..=secs(10)).contains(delay)), "{delays:?}");
    delays.sort();
    delays.dedup();
    assert!(delays.len() > 15);
}

#[test]
fn a_child_without_a_delay_ends_the_supervisor_beside_one_that_waits() {
    let mut world =
        World::started(settings(Strategy::OneForOne, 0, secs(1)), &[delayed("a", constant(3)), permanent("b")]);
    world.crash("a");
    world.crash("b");
    world.assert_ended(&gave_up("b"));
    world.story();
    world.advance(secs(10));
    world.assert_story("");
}

#[test]
fn a_delay_that_passes_during_a_group_restart_has_its_turn_after_it() {
    let mut world = World::started(
        settings(Strategy::RestForOne, 0, secs(1)),
        &[delayed("a", constant(3)), delayed("b", constant(5)), permanent("c")],
    );
    world.crash("a");
    world.advance(secs(1));
    world.crash("b");
    world.story();
    world.stopping("c", OnStop::Ignores);
    world.advance(secs(5));
    // At 3 s the restart of a stops c, for which it has 5 s; b's delay is void, because b is started with them.
    world.assert_story("stop c");
    world.advance(secs(2));
    world.assert_story("abort c, gone c, start a, up a, start b, up b, start c, up c");
    world.advance(secs(60));
    world.assert_story("");
}

#[test]
fn an_intrinsic_child_can_be_delayed() {
    let restart: Restart = RestartType::Intrinsic.delayed(constant(3));
    let mut world = World::started(settings(Strategy::OneForOne, 0, secs(1)), &[spec("a", restart)]);
    world.crash("a");
    world.assert_states(&["a waiting to restart"]);
    world.advance(secs(3));
    world.exit("a", Exit::Normal);
    assert!(world.ended.is_some());
}

#[test]
fn an_end_in_the_midst_of_a_delay_does_not_wait_for_it() {
    let mut world = World::started(settings(Strategy::OneForOne, 0, secs(1)), &[delayed("a", constant(3_600))]);
    world.crash("a");
    world.terminate(secs(1), secs(2));
    world.assert_ended(&crate::report::EndCause::Terminated);
    assert!(matches!(world.call(Call::Restart("a".into())), Reply::Restart(Err(_))));
}
