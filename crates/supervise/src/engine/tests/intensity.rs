//! The restart window as the supervisor uses it; its arithmetic is tested where it is.

use super::world::*;
use crate::policy::{Strategy, WindowClock};

#[track_caller]
fn check(clock: WindowClock, intensity: u32, period: u64, crashes: &[u64], lives: bool) {
    let mut settings = settings(Strategy::OneForOne, intensity, secs(period));
    settings.clock = clock;
    let mut world = World::started(settings, &[permanent("a")]);
    for at in crashes {
        world.advance(millis(*at) - world.now);
        world.crash("a");
    }
    assert_eq!(world.ended.is_none(), lives);
}

/// OTP: window_arithmetic.
#[test]
fn the_window_in_true_time_and_in_whole_seconds() {
    check(WindowClock::Precise, 0, 1, &[0], false);
    check(WindowClock::Precise, 1, 1, &[100, 1_100], false);
    check(WindowClock::Precise, 1, 1, &[100, 1_101], true);
    check(WindowClock::WholeSeconds, 1, 1, &[100, 1_999], false);
    check(WindowClock::WholeSeconds, 1, 1, &[100, 2_000], true);
    check(WindowClock::WholeSeconds, 1, 1, &[999, 2_000], true);
}

/// Elixir: child triggers maximum restarts, intensity when trying again.
#[test]
fn restarts_that_always_fail_end_the_supervisor_at_once() {
    for intensity in [1, 10] {
        let mut world = World::started(settings(Strategy::OneForOne, intensity, secs(5)), &[permanent("a")]);
        let fails = OnStart::Ends(crate::exit::Exit::failed("no start"));
        world.starting("a", vec![fails; 20]);
        world.crash("a");
        assert_eq!(world.story().matches("start a").count(), intensity as usize);
        world.assert_ended(&gave_up("a"));
    }
}

/// The window is the supervisor's: children share it.
#[test]
fn restarts_of_different_children_add_up() {
    let mut world =
        World::started(settings(Strategy::OneForOne, 2, secs(5)), &[permanent("a"), permanent("b"), permanent("c")]);
    for id in ["a", "b", "c"] {
        world.crash(id);
    }
    world.assert_ended(&gave_up("c"));
}
