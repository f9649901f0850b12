//! The engine against the model, and against what must always hold.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::super::{Budget, Call, Engine, Event, Reply, Up};
use super::audit::Audit;
use super::cases::{Case, IDS, Op, any_case};
use super::model::Model;
use super::world::*;
use crate::call_error::{DeleteChildError, Refused, RestartChildError, StartChildError, TerminateChildError};
use crate::child_id::InstanceId;
use crate::exit::Exit;
use crate::policy::{ShutdownPolicy, SpecInfo, Strategy as Restarts, StuckPolicy, WindowClock};

/// Sequences that each property is tried with.
const CASES: u32 = 10_000;

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
fn do_to_both<E: Machine>(world: &mut World<E>, model: &mut Model, op: &Op, strategy: Restarts) -> Option<[String; 2]> {
    let is_simple = strategy == Restarts::SimpleOneForOne;
    let id = |at: &usize| if is_simple { IDS[0] } else { IDS[*at] };
    // A child that is named by instance, or any, by its place in the list.
    let instance = |world: &World<E>, place: usize| world.machine.engine().rows().iter().rev().nth(place)?.instance;
    let answers = match op {
        Op::Exit(at, exit) => {
            let is_by_place = strategy.is_by_instance();
            let place = if is_by_place { Some(*at).filter(|at| *at < model.len()) } else { model.place_of(id(at)) };
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
            let call = Call::Start { spec: spec.clone().into(), make: "" };
            (world.call(call), model.start_child(Some(spec.clone())))
        }
        Op::Restart(at) => (world.restart_child(id(at)), model.restart_child(id(at))),
        Op::Delete(at) => (world.delete_child(id(at)), model.delete_child(id(at))),
        Op::Terminate(at) if strategy.is_by_instance() => {
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
pub(super) fn agrees_with_the_model<E: Machine>(case: &Case, make: impl Fn(&Case) -> E) -> Result<(), TestCaseError> {
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
    for op in ops {
        // So that no two delays of one child spec pass together.
        world.advance(millis(1));
        model.advance(millis(1));
        let op = match op {
            Op::Start(at, spec) => &Op::Start(*at, obedient(spec)),
            op => op,
        };
        if let Some([ours, expected]) = do_to_both(&mut world, &mut model, op, settings.strategy) {
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
pub(super) fn holds_in_any_order<E: Machine>(case: &Case, make: impl Fn(&Case) -> E) -> Result<(), TestCaseError> {
    let ((settings, specs), ops) = case;
    let is_delayed = |spec: &SpecInfo| spec.restart.backoff.is_some();
    let any_delayed =
        specs.iter().any(is_delayed) || ops.iter().any(|op| matches!(op, Op::Start(_, spec) if is_delayed(spec)));
    let is_plain = settings.strategy == Restarts::OneForOne
        && settings.clock == WindowClock::Precise
        && settings.stuck == StuckPolicy::Escalate
        && !any_delayed;
    let mut audit = Audit::new(make(case), is_plain);
    let run = |audit: &mut Audit<E>| {
        audit.tell(Event::Begin)?;
        for op in ops {
            random_step(audit, op, settings.strategy)?;
        }
        audit.finish()?;
        // Nothing is done after the end.
        audit.tell(Event::Begin)?;
        audit.tell(Event::Tick)?;
        audit.call(Call::Restart("a".into()))
    };
    run(&mut audit).map_err(TestCaseError::fail)
}

fn random_step<E: Machine>(audit: &mut Audit<E>, op: &Op, strategy: Restarts) -> Result<(), String> {
    let nth = |at: usize| audit.live.keys().nth(at % audit.live.len().max(1)).copied();
    let reference = |at: usize| match nth(at) {
        Some(instance) if strategy.is_by_instance() => instance.into(),
        _ => IDS[at].into(),
    };
    match op.clone() {
        Op::Exit(at, exit) => nth(at).map_or(Ok(()), |instance| audit.tell(Event::Exited(instance, exit))),
        Op::Ready(at) => nth(at).map_or(Ok(()), |instance| audit.tell(Event::Ready(instance))),
        Op::Lingers(at) => nth(at).map_or(Ok(()), |instance| audit.tell(Event::Lingers(instance))),
        Op::Stuck(at) => nth(at).map_or(Ok(()), |instance| audit.tell(Event::Stuck(instance))),
        Op::Stale(number) => {
            let instance = InstanceId { supervisor: 1, number, place: (number % 5) as u32 };
            if audit.live.contains_key(&instance) {
                return Ok(());
            }
            audit.tell(Event::Ready(instance))?;
            audit.tell(Event::Lingers(instance))?;
            audit.tell(Event::Exited(instance, Exit::Aborted))
        }
        Op::Start(..) if strategy == Restarts::SimpleOneForOne => audit.call(Call::StartInstance { make: "" }),
        Op::Start(_, spec) => audit.call(Call::Start { spec: spec.into(), make: "" }),
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

pub(super) fn runner(max_shrink_iters: u32) -> TestRunner {
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
