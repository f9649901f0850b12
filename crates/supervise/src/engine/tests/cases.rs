//! Supervisors at random, and what happens to them.

use proptest::prelude::*;

use super::super::Settings;
use super::world::*;
use crate::backoff::Backoff;
use crate::exit::Exit;
use crate::policy::{
    AutoShutdown, Restart, RestartType, ShutdownPolicy, SpecInfo, Strategy as Restarts, StuckPolicy, WindowClock,
};

pub(super) const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

#[derive(Clone, Debug)]
pub(super) enum Op {
    Exit(usize, Exit),
    Ready(usize),
    Lingers(usize),
    Stuck(usize),
    Stale(u64),
    Start(usize, SpecInfo),
    Restart(usize),
    Delete(usize),
    Terminate(usize),
    Fail(usize, usize, Exit),
    Advance(u64),
    End(u64, u64),
}

fn any_exit() -> impl Strategy<Value = Exit> {
    prop_oneof![
        1 => Just(Exit::Normal),
        1 => Just(Exit::Shutdown),
        1 => Just(Exit::ShutdownWith("x".into())),
        1 => Just(Exit::Restart),
        4 => Just(Exit::failed("x")),
        1 => Just(Exit::Aborted),
    ]
}

fn any_spec(id: &'static str, auto_shutdown: AutoShutdown) -> impl Strategy<Value = SpecInfo> {
    let kind = prop_oneof![
        3 => Just(RestartType::Permanent),
        2 => Just(RestartType::Transient),
        2 => Just(RestartType::Temporary),
        1 => Just(RestartType::Intrinsic),
    ];
    (kind, proptest::option::weighted(0.3, 1..4_u64), any::<bool>(), 0..4_u64).prop_map(
        move |(kind, delay, significant, stop)| {
            let backoff = delay.map(|delay| Backoff::constant(secs(delay))).filter(|_| kind != RestartType::Temporary);
            let may_be = matches!(kind, RestartType::Transient | RestartType::Temporary);
            let shutdown = match stop {
                0 => ShutdownPolicy::BrutalKill,
                1 => ShutdownPolicy::Infinity,
                limit => ShutdownPolicy::Timeout(secs(limit)),
            };
            SpecInfo {
                significant: significant && may_be && auto_shutdown != AutoShutdown::Never,
                shutdown,
                start_limit: Some(secs(3)),
                ..spec(id, Restart { kind, backoff })
            }
        },
    )
}

fn any_tree() -> impl Strategy<Value = (Settings, Vec<SpecInfo>)> {
    let strategy = prop_oneof![
        Just(Restarts::OneForOne),
        Just(Restarts::OneForAll),
        Just(Restarts::RestForOne),
        Just(Restarts::SimpleOneForOne),
        Just(Restarts::Dynamic),
    ];
    let auto =
        prop_oneof![Just(AutoShutdown::Never), Just(AutoShutdown::AnySignificant), Just(AutoShutdown::AllSignificant)];
    (strategy, auto, 0..4_u32, 1..5_u64, any::<bool>(), any::<bool>(), 2..8_usize).prop_flat_map(
        |(strategy, auto, intensity, period, whole, leave, children_max)| {
            let mut settings = settings(strategy, intensity, secs(period));
            settings.auto_shutdown = if strategy.is_by_instance() { AutoShutdown::Never } else { auto };
            settings.clock = if whole { WindowClock::WholeSeconds } else { WindowClock::Precise };
            settings.stuck = if leave { StuckPolicy::Leave } else { StuckPolicy::Escalate };
            settings.children_max = children_max;
            settings.calls_max = 3;
            let auto = settings.auto_shutdown;
            let count = match strategy {
                Restarts::SimpleOneForOne => 1..2,
                Restarts::Dynamic => 0..1,
                _ => 0..children_max.min(4),
            };
            let specs =
                count.prop_flat_map(move |count| IDS[..count].iter().map(|id| any_spec(id, auto)).collect::<Vec<_>>());
            (Just(settings), specs)
        },
    )
}

fn any_op() -> impl Strategy<Value = Op> {
    let at = 0..IDS.len();
    prop_oneof![
        6 => (at.clone(), any_exit()).prop_map(|(at, exit)| Op::Exit(at, exit)),
        6 => at.clone().prop_map(Op::Ready),
        1 => at.clone().prop_map(Op::Lingers),
        1 => at.clone().prop_map(Op::Stuck),
        1 => (0..40_u64).prop_map(Op::Stale),
        2 => at.clone().prop_flat_map(|at| (Just(at), any_spec(IDS[at], AutoShutdown::Never)))
            .prop_map(|(at, spec)| Op::Start(at, spec)),
        2 => at.clone().prop_map(Op::Restart),
        1 => at.clone().prop_map(Op::Delete),
        2 => at.clone().prop_map(Op::Terminate),
        2 => (at, 1..4_usize, prop_oneof![3 => Just(Exit::failed("no")), 1 => Just(Exit::Declined)])
            .prop_map(|(at, times, exit)| Op::Fail(at, times, exit)),
        3 => (0..3_000_u64).prop_map(Op::Advance),
        1 => (0..5_000_u64, 0..3_000_u64).prop_map(|(grace, after)| Op::End(grace, after)),
    ]
}

/// What is run: a tree and what happens to it.
pub(super) type Case = ((Settings, Vec<SpecInfo>), Vec<Op>);

pub(super) fn any_case() -> impl Strategy<Value = Case> {
    (any_tree(), proptest::collection::vec(any_op(), 0..30))
}
