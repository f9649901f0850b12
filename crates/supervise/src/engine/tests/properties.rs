//! The engine against the model, and against what must always hold; and engines with planted faults, which both must
//! catch.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use super::super::{Action, Budget, Call, Engine, Event, Reply, Settings, Up};
use super::audit::Audit;
use super::model::Model;
use super::world::*;
use crate::backoff::Backoff;
use crate::call_error::{DeleteChildError, Refused, RestartChildError, StartChildError, TerminateChildError};
use crate::child_id::InstanceId;
use crate::exit::Exit;
use crate::policy::{
    AutoShutdown, Restart, RestartType, ShutdownPolicy, SpecInfo, Strategy as Restarts, StuckPolicy, WindowClock,
};

/// Sequences that each property is tried with.
const CASES: u32 = 10_000;
const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

#[derive(Clone, Debug)]
enum Op {
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
    ];
    let auto =
        prop_oneof![Just(AutoShutdown::Never), Just(AutoShutdown::AnySignificant), Just(AutoShutdown::AllSignificant)];
    (strategy, auto, 0..4_u32, 1..5_u64, any::<bool>(), any::<bool>(), 2..8_usize).prop_flat_map(
        |(strategy, auto, intensity, period, whole, leave, children_max)| {
            let is_simple = strategy == Restarts::SimpleOneForOne;
            let mut settings = settings(strategy, intensity, secs(period));
            settings.auto_shutdown = if is_simple { AutoShutdown::Never } else { auto };
            settings.clock = if whole { WindowClock::WholeSeconds } else { WindowClock::Precise };
            settings.stuck = if leave { StuckPolicy::Leave } else { StuckPolicy::Escalate };
            settings.children_max = children_max;
            settings.calls_max = 3;
            let auto = settings.auto_shutdown;
            let count = if is_simple { 1..2 } else { 0..children_max.min(4) };
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
type Case = ((Settings, Vec<SpecInfo>), Vec<Op>);

fn any_case() -> impl Strategy<Value = Case> {
    (any_tree(), proptest::collection::vec(any_op(), 0..30))
}

fn word(reply: &Reply) -> &'static str {
    use {
        DeleteChildError as Delete, RestartChildError as Restart, StartChildError as Start,
        TerminateChildError as Terminate,
    };
    match reply {
        Reply::Start(Ok(Up::Instance(_))) | Reply::Restart(Ok(Up::Instance(_))) => "ok",
        Reply::Delete(Ok(())) | Reply::Terminate(Ok(())) => "ok",
        Reply::Start(Ok(Up::Declined)) | Reply::Restart(Ok(Up::Declined)) => "declined",
        Reply::Start(Err(Start::AlreadyStarted { .. })) => "already_started",
        Reply::Start(Err(Start::AlreadyPresent { .. })) => "already_present",
        Reply::Start(Err(Start::ChildrenMax { .. })) => "max_children",
        Reply::Start(Err(Start::Failed { .. })) | Reply::Restart(Err(Restart::Failed { .. })) => "failed",
        Reply::Restart(Err(Restart::Running { .. })) | Reply::Delete(Err(Delete::Running { .. })) => "running",
        Reply::Restart(Err(Restart::Restarting { .. })) | Reply::Delete(Err(Delete::Restarting { .. })) => "restarting",
        Reply::Restart(Err(Restart::NotFound { .. }))
        | Reply::Delete(Err(Delete::NotFound { .. }))
        | Reply::Terminate(Err(Terminate::NotFound { .. })) => "not_found",
        Reply::Start(Err(Start::SimpleOneForOne))
        | Reply::Restart(Err(Restart::SimpleOneForOne))
        | Reply::Delete(Err(Delete::SimpleOneForOne))
        | Reply::Terminate(Err(Terminate::SimpleOneForOne)) => "simple_one_for_one",
        Reply::Start(Err(Start::Refused(Refused::Terminating)))
        | Reply::Restart(Err(Restart::Refused(Refused::Terminating)))
        | Reply::Delete(Err(Delete::Refused(Refused::Terminating)))
        | Reply::Terminate(Err(Terminate::Refused(Refused::Terminating))) => "terminating",
        _ => "something else",
    }
}

/// Does one thing to both; the answers to a call, in a word each.
fn do_to_both<E: Machine>(world: &mut World<E>, model: &mut Model, op: &Op, is_simple: bool) -> Option<[String; 2]> {
    let id = |at: &usize| if is_simple { IDS[0] } else { IDS[*at] };
    // An instance of a template, or a child, by its place in the list.
    let instance = |world: &World<E>, place: usize| world.machine.engine().rows().iter().rev().nth(place)?.instance;
    let answers = match op {
        Op::Exit(at, exit) => {
            let place = if is_simple { Some(*at).filter(|at| *at < model.len()) } else { model.place_of(id(at)) };
            if let Some(place) = place.filter(|place| model.is_up(*place))
                && let Some(instance) = instance(world, place)
            {
                world.tell(Event::Exited(instance, exit.clone()));
                model.exit(place, exit);
            }
            return None;
        }
        Op::Start(..) if is_simple => {
            let reply = world.call(Call::StartInstance { make: "" });
            (reply, model.start_child(None))
        }
        Op::Start(_, spec) => {
            let call = Call::Start { spec: Arc::new(spec.clone()), make: "" };
            (world.call(call), model.start_child(Some(spec.clone())))
        }
        Op::Restart(at) => (world.restart_child(id(at)), model.restart_child(id(at))),
        Op::Delete(at) => (world.delete_child(id(at)), model.delete_child(id(at))),
        Op::Terminate(at) if is_simple => {
            let rows = world.machine.engine().rows();
            let place = at % model.len().max(1);
            // A waiting one is found by the instance before, which a user would have kept.
            let handle = rows.iter().rev().nth(place)?.instance?;
            (world.terminate_child(handle), model.terminate_child(Some(place)))
        }
        Op::Terminate(at) => (world.terminate_child(id(at)), model.terminate_child(model.place_of(id(at)))),
        Op::Fail(at, times, exit) => {
            world.starting(id(at), vec![OnStart::Ends(exit.clone()); *times]);
            model.starts.entry(id(at).to_owned()).or_default().extend(vec![Some(exit.clone()); *times]);
            return None;
        }
        Op::Advance(by) => {
            world.advance(millis(*by));
            model.advance(millis(*by));
            return None;
        }
        Op::End(..) => {
            world.terminate(secs(3_600), secs(3_600));
            model.end("terminated".to_owned());
            return None;
        }
        Op::Ready(_) | Op::Lingers(_) | Op::Stuck(_) | Op::Stale(_) => return None,
    };
    Some([word(&answers.0).to_owned(), answers.1.to_owned()])
}

/// The same things done to a machine and to the model show the same.
fn agrees_with_the_model<E: Machine>(case: &Case, make: impl Fn(&Case) -> E) -> Result<(), TestCaseError> {
    let ((settings, specs), ops) = case;
    let specs: Vec<SpecInfo> = specs.iter().map(obedient).collect();
    let case = &((settings.clone(), specs), ops.clone());
    let mut world = World::of(make(case));
    for id in IDS {
        world.stopping(id, OnStop::Ends(Exit::Shutdown));
    }
    let mut model = Model::new(settings.clone(), &case.0.1);
    world.tell(Event::Begin);
    model.begin();
    let is_simple = settings.strategy == Restarts::SimpleOneForOne;
    for op in ops {
        // So that no two delays of one child spec pass together.
        world.advance(millis(1));
        model.advance(millis(1));
        let op = match op {
            Op::Start(at, spec) => &Op::Start(*at, obedient(spec)),
            op => op,
        };
        if let Some([ours, expected]) = do_to_both(&mut world, &mut model, op, is_simple) {
            prop_assert_eq!(ours, expected, "{:?}", op);
        }
        let mut logs = [std::mem::take(&mut world.log), std::mem::take(&mut model.log)];
        if let Op::Advance(_) = op {
            // Delays that pass together start together; the model does one thing at a time.
            logs.iter_mut().for_each(|log| log.sort());
        }
        prop_assert_eq!(&logs[0], &logs[1], "{:?}", op);
        prop_assert_eq!(world.states(), model.states(), "{:?}", op);
        prop_assert_eq!(world.ended.as_ref().map(ToString::to_string), model.ended.clone(), "{:?}", op);
    }
    Ok(())
}

/// The model's children stop when they are asked.
fn obedient(spec: &SpecInfo) -> SpecInfo {
    SpecInfo { shutdown: ShutdownPolicy::Infinity, ..spec.clone() }
}

/// Whatever happens in whatever order, what must hold holds.
fn holds_in_any_order<E: Machine>(case: &Case, make: impl Fn(&Case) -> E) -> Result<(), TestCaseError> {
    let ((settings, specs), ops) = case;
    let is_delayed = |spec: &SpecInfo| spec.restart.backoff.is_some();
    let any_delayed =
        specs.iter().any(is_delayed) || ops.iter().any(|op| matches!(op, Op::Start(_, spec) if is_delayed(spec)));
    let is_plain = settings.strategy == Restarts::OneForOne
        && settings.clock == WindowClock::Precise
        && settings.stuck == StuckPolicy::Escalate
        && !any_delayed;
    let mut audit = Audit::new(make(case), is_plain);
    let is_simple = settings.strategy == Restarts::SimpleOneForOne;
    let run = |audit: &mut Audit<E>| {
        audit.tell(Event::Begin)?;
        for op in ops {
            random_step(audit, op, is_simple)?;
        }
        audit.finish()?;
        // Nothing is done after the end.
        audit.tell(Event::Begin)?;
        audit.tell(Event::Tick)?;
        audit.call(Call::Restart("a".into()))
    };
    run(&mut audit).map_err(TestCaseError::fail)
}

fn random_step<E: Machine>(audit: &mut Audit<E>, op: &Op, is_simple: bool) -> Result<(), String> {
    let nth = |at: usize| audit.live.keys().nth(at % audit.live.len().max(1)).copied();
    let reference = |at: usize| match nth(at) {
        Some(instance) if is_simple => instance.into(),
        _ => IDS[at].into(),
    };
    match op.clone() {
        Op::Exit(at, exit) => nth(at).map_or(Ok(()), |instance| audit.tell(Event::Exited(instance, exit))),
        Op::Ready(at) => nth(at).map_or(Ok(()), |instance| audit.tell(Event::Ready(instance))),
        Op::Lingers(at) => nth(at).map_or(Ok(()), |instance| audit.tell(Event::Lingers(instance))),
        Op::Stuck(at) => nth(at).map_or(Ok(()), |instance| audit.tell(Event::Stuck(instance))),
        Op::Stale(number) => {
            let instance = InstanceId { supervisor: 1, number };
            if audit.live.contains_key(&instance) {
                return Ok(());
            }
            audit.tell(Event::Ready(instance))?;
            audit.tell(Event::Lingers(instance))?;
            audit.tell(Event::Exited(instance, Exit::Aborted))
        }
        Op::Start(..) if is_simple => audit.call(Call::StartInstance { make: "" }),
        Op::Start(_, spec) => audit.call(Call::Start { spec: Arc::new(spec), make: "" }),
        Op::Restart(at) => audit.call(Call::Restart(reference(at))),
        Op::Delete(at) => audit.call(Call::Delete(reference(at))),
        Op::Terminate(at) => audit.call(Call::Terminate(reference(at))),
        Op::Fail(at, _, exit) => nth(at).map_or(Ok(()), |instance| audit.tell(Event::Exited(instance, exit))),
        Op::Advance(by) => {
            audit.now += millis(by);
            audit.tell(Event::Tick)
        }
        Op::End(grace, after) => {
            let budget = Budget { grace: audit.now + millis(grace), abort: audit.now + millis(grace + after) };
            audit.tell(Event::Terminate(budget))
        }
    }
}

fn make(case: &Case) -> Engine<&'static str> {
    engine(case.0.0.clone(), &case.0.1)
}

fn runner(max_shrink_iters: u32) -> TestRunner {
    TestRunner::new(Config { cases: CASES, max_shrink_iters, failure_persistence: None, ..Config::default() })
}

/// How often a failing sequence is tried to be made shorter.
const SHRINK: u32 = 10_000;

#[test]
fn the_engine_agrees_with_the_model() {
    let result = runner(SHRINK).run(&any_case(), |case| agrees_with_the_model(&case, make));
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn the_invariants_hold_in_any_order_of_events() {
    let result = runner(SHRINK).run(&any_case(), |case| holds_in_any_order(&case, make));
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// An engine with a planted fault.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Starts each child twice.
    SecondInstance,
    /// Does not hear of every fifth end.
    LosesEnds,
    /// Its clock runs thrice as fast, so its window is too narrow.
    FastClock,
    /// Does something after its end.
    ActsAfterTheEnd,
    /// Does not answer every third call.
    LosesReplies,
    /// Starts, and stops, in the wrong order.
    WrongOrder,
    /// Never aborts anybody.
    NeverAborts,
}

struct Faulty {
    engine: Engine<&'static str>,
    fault: Fault,
    count: u64,
    has_ended: bool,
}

impl Faulty {
    fn new(case: &Case, fault: Fault) -> Self {
        let ((settings, specs), _) = case;
        let mut specs = specs.clone();
        if let Fault::WrongOrder = fault {
            specs.reverse();
        }
        Self { engine: engine(settings.clone(), &specs), fault, count: 0, has_ended: false }
    }

    fn every(&mut self, times: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(times)
    }
}

impl Machine for Faulty {
    fn on(&mut self, event: Event<&'static str>, now: Duration) -> Vec<Action<&'static str>> {
        let now = if let Fault::FastClock = self.fault { now * 3 } else { now };
        if matches!((self.fault, &event), (Fault::LosesEnds, Event::Exited(..))) && self.every(5) {
            return Vec::new();
        }
        let mut actions = self.engine.on(event, now);
        match self.fault {
            Fault::SecondInstance => {
                let second = actions.iter().find_map(|action| match action {
                    Action::Start { instance, spec, make } => {
                        let instance = InstanceId { number: instance.number + 1_000_000, ..*instance };
                        Some(Action::Start { instance, spec: Arc::clone(spec), make: *make })
                    }
                    _ => None,
                });
                actions.extend(second);
            }
            Fault::ActsAfterTheEnd if self.has_ended => actions.push(Action::Straggling),
            Fault::LosesReplies => {
                actions.retain(|action| !matches!(action, Action::Reply(..)) || !self.every(3));
            }
            Fault::NeverAborts => actions.retain(|action| !matches!(action, Action::Abort { .. })),
            _ => {}
        }
        self.has_ended |= actions.iter().any(|action| matches!(action, Action::Ended(_)));
        actions
    }

    fn engine(&self) -> &Engine<&'static str> {
        &self.engine
    }
}

fn is_caught(result: Result<(), TestError<Case>>) -> bool {
    matches!(result, Err(TestError::Fail(..)))
}

/// A run of it may end in a panic of the world, which is how it finds a second answer or an action on who is gone; the
/// runner takes that for the failure it is.
#[test]
fn the_model_catches_planted_faults() {
    for fault in [Fault::WrongOrder, Fault::FastClock, Fault::LosesEnds, Fault::LosesReplies, Fault::SecondInstance] {
        let result = runner(0).run(&any_case(), |case| agrees_with_the_model(&case, |case| Faulty::new(case, fault)));
        assert!(is_caught(result), "{fault:?} was not caught");
    }
}

#[test]
fn the_invariants_catch_planted_faults() {
    for fault in [
        Fault::SecondInstance,
        Fault::FastClock,
        Fault::ActsAfterTheEnd,
        Fault::LosesReplies,
        Fault::LosesEnds,
        Fault::NeverAborts,
    ] {
        let result = runner(0).run(&any_case(), |case| holds_in_any_order(&case, |case| Faulty::new(case, fault)));
        assert!(is_caught(result), "{fault:?} was not caught");
    }
}
