//! Calls and OTP's answers to them.

use std::time::{Duration, Instant};

use super::super::{Call, Event, Reply};
use super::world::*;
use crate::call_error::{DeleteChildError, Refused, RestartChildError, StartChildError, TerminateChildError};
use crate::child_id::InstanceId;
use crate::exit::Exit;
use crate::policy::{RestartType, Strategy};

/// OTP: child_adm, step by step, with the counts after each.
#[test]
fn the_life_of_one_child_under_calls() {
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(3_600)), &[permanent("a")]);
    let first = world.instance("a");
    let started = StartChildError::AlreadyStarted { id: "a".into(), instance: first };
    assert_eq!(world.start_child(permanent("a")), Err(started));
    assert_eq!(world.counts(), [1, 1, 0, 1]);
    for _ in 0..2 {
        assert_eq!(world.terminate_child("a"), Reply::Terminate(Ok(())));
        assert_eq!(world.counts(), [1, 0, 0, 1]);
    }
    let present = StartChildError::AlreadyPresent { id: "a".into() };
    assert_eq!(world.start_child(permanent("a")), Err(present));
    assert!(matches!(world.restart_child("a"), Reply::Restart(Ok(_))));
    let second = world.instance("a");
    assert_ne!(first, second);
    let running = RestartChildError::Running { child: "a".into(), instance: second };
    assert_eq!(world.restart_child("a"), Reply::Restart(Err(running)));
    let running = DeleteChildError::Running { child: "a".into(), instance: second };
    assert_eq!(world.delete_child("a"), Reply::Delete(Err(running)));
    assert_eq!(world.terminate_child("a"), Reply::Terminate(Ok(())));
    assert_eq!(world.delete_child("a"), Reply::Delete(Ok(())));
    assert_eq!(world.counts(), [0, 0, 0, 0]);
    let third = world.start_child(permanent("a")).unwrap().unwrap();
    // A handle is no id here.
    let not_found = TerminateChildError::NotFound { child: third.into() };
    assert_eq!(world.terminate_child(third), Reply::Terminate(Err(not_found)));
    assert_eq!(world.counts(), [1, 1, 0, 1]);
}

#[test]
fn unknown_ids_are_not_found() {
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(3_600)), &[]);
    let child = || "x".into();
    assert_eq!(world.terminate_child("x"), Reply::Terminate(Err(TerminateChildError::NotFound { child: child() })));
    assert_eq!(world.restart_child("x"), Reply::Restart(Err(RestartChildError::NotFound { child: child() })));
    assert_eq!(world.delete_child("x"), Reply::Delete(Err(DeleteChildError::NotFound { child: child() })));
    assert_eq!(world.machine.find(&"x".into()), None);
}

/// OTP: child_adm_simple.
#[test]
fn instances_of_a_template_under_calls() {
    let mut world = World::started(settings(Strategy::SimpleOneForOne, 2, secs(3_600)), &[permanent("t")]);
    assert_eq!(world.counts(), [1, 0, 0, 0]);
    let first = world.start_instance().unwrap().unwrap();
    let second = world.start_instance().unwrap().unwrap();
    assert_eq!(world.counts(), [1, 2, 0, 2]);
    assert!(world.machine.rows().iter().all(|row| !row.has_id));
    let simple = Reply::Terminate(Err(TerminateChildError::SimpleOneForOne));
    assert_eq!(world.terminate_child("t"), simple);
    assert_eq!(world.terminate_child(first), Reply::Terminate(Ok(())));
    assert!(!world.live.contains_key(&first));
    // It has gone; that it is gone is what was asked for.
    assert_eq!(world.terminate_child(first), Reply::Terminate(Ok(())));
    let foreign = InstanceId { supervisor: 2, number: 1, place: 0 };
    let not_found = TerminateChildError::NotFound { child: foreign.into() };
    assert_eq!(world.terminate_child(foreign), Reply::Terminate(Err(not_found)));
    assert_eq!(world.restart_child(second), Reply::Restart(Err(RestartChildError::SimpleOneForOne)));
    assert_eq!(world.delete_child(second), Reply::Delete(Err(DeleteChildError::SimpleOneForOne)));
    let start = Call::Start { spec: permanent("a").into(), make: "spec" };
    assert_eq!(world.call(start), Reply::Start(Err(StartChildError::SimpleOneForOne)));
}

/// OTP: sup_start_map_simple, which_children_simple_one_for_one.
#[test]
fn an_instance_has_the_spec_of_its_template() {
    let mut world = World::started(settings(Strategy::SimpleOneForOne, 2, secs(5)), &[temporary("t")]);
    let instances: Vec<_> = (0..3).map(|_| world.start_instance().unwrap().unwrap()).collect();
    for instance in &instances {
        assert_eq!(world.machine.find(&(*instance).into()).unwrap().spec.info(), temporary("t"));
    }
    assert_eq!(world.machine.find(&InstanceId { supervisor: 2, number: 1, place: 0 }.into()), None);
    world.terminate_child(instances[0]);
    assert_eq!(world.machine.find(&instances[0].into()), None);
}

/// OTP: which_children.
#[test]
fn children_are_listed_newest_first() {
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(5)), &[permanent("a"), permanent("b")]);
    let ids = |world: &World| world.machine.rows().iter().map(|row| row.spec.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&world), ["b", "a"]);
    assert_eq!(world.machine.rows()[1], world.row("a"));
    world.terminate_child("a");
    assert_eq!(world.row("a").instance, None);
    world.delete_child("a");
    assert_eq!(ids(&world), ["b"]);
    // OTP: get_childspec takes an instance, too.
    assert_eq!(world.machine.find(&world.instance("b").into()).unwrap().spec.info(), permanent("b"));
}

/// OTP: extra_return, but for the extra information, which passes by the engine.
#[test]
fn a_child_stopped_and_deleted_can_be_started_anew_and_is_restarted_after_a_crash() {
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(5)), &[permanent("a")]);
    world.terminate_child("a");
    world.delete_child("a");
    world.start_child(permanent("a")).unwrap();
    world.crash("a");
    world.assert_states(&["a running"]);
}

#[test]
fn no_more_children_than_allowed_and_a_restarting_one_holds_its_place() {
    let mut none = settings(Strategy::SimpleOneForOne, 9, secs(5));
    none.children_max = 0;
    let mut world = World::started(none, &[permanent("t")]);
    assert_eq!(world.start_instance(), Err(StartChildError::ChildrenMax { children_max: 0 }));

    for strategy in [Strategy::SimpleOneForOne, Strategy::OneForOne] {
        let mut one = settings(strategy, 9, secs(5));
        one.children_max = 1;
        let specs = if strategy == Strategy::OneForOne { vec![] } else { vec![permanent("t")] };
        let mut world = World::started(one, &specs);
        let start = |world: &mut World, id: &str| match strategy {
            Strategy::OneForOne => world.start_child(permanent(id)),
            _ => world.start_instance(),
        };
        let first = start(&mut world, "t").unwrap().unwrap();
        world.starting("t", [OnStart::Ready, OnStart::Hangs]);
        world.tell(Event::Exited(first, Exit::failed("crash")));
        // It was just restarted.
        assert_eq!(start(&mut world, "u"), Err(StartChildError::ChildrenMax { children_max: 1 }));
        let second = *world.live.keys().next().unwrap();
        world.tell(Event::Exited(second, Exit::failed("crash")));
        // It is being restarted.
        assert_eq!(start(&mut world, "u"), Err(StartChildError::ChildrenMax { children_max: 1 }));
    }
}

#[test]
fn calls_to_a_supervisor_that_ends_are_refused() {
    let mut world = World::started(settings(Strategy::OneForOne, 2, secs(5)), &[permanent("a")]);
    world.stopping("a", OnStop::Ignores);
    world.terminate(secs(1), secs(2));
    let terminating = Refused::Terminating;
    for _ in 0..2 {
        assert_eq!(world.start_child(permanent("b")), Err(terminating.into()));
        assert_eq!(world.restart_child("a"), Reply::Restart(Err(terminating.into())));
        assert_eq!(world.delete_child("a"), Reply::Delete(Err(terminating.into())));
        assert_eq!(world.terminate_child("a"), Reply::Terminate(Err(terminating.into())));
        world.advance(secs(2));
    }
    assert!(world.ended.is_some());
}

/// How long it takes to start, and then to terminate, so many children, as often as that; what is compared is alike in
/// all, so that other work on the machine slows both down.
fn time_of(count: u64, rounds: u32, strategy: Strategy, restart: RestartType) -> [Duration; 2] {
    let specs = if strategy == Strategy::SimpleOneForOne { vec![spec("t", restart)] } else { vec![] };
    let once = |_: u32| {
        let mut world = World::started(settings(strategy, 2, secs(5)), &specs);
        let before = Instant::now();
        let instances: Vec<_> = (0..count)
            .map(|number| match strategy {
                Strategy::SimpleOneForOne => world.start_instance().unwrap().unwrap(),
                _ => world.start_child(spec(&number.to_string(), restart)).unwrap().unwrap(),
            })
            .collect();
        let started = before.elapsed();
        assert_eq!(world.counts()[1], instances.len());
        let before = Instant::now();
        for (number, instance) in instances.into_iter().enumerate() {
            match strategy {
                Strategy::SimpleOneForOne => world.terminate_child(instance),
                _ => world.terminate_child(number.to_string()),
            };
        }
        assert_eq!(world.counts()[1], 0);
        [started, before.elapsed()]
    };
    let times: Vec<_> = (0..rounds).map(once).collect();
    [0, 1].map(|part| times.iter().map(|time| time[part]).sum())
}

/// OTP: simple_one_for_one_scale_many_temporary_children, with its bound of 50 times as long for ten times as many.
#[test]
fn instances_cost_the_same_among_many() {
    let few = time_of(1_000, 10, Strategy::SimpleOneForOne, RestartType::Temporary);
    let many = time_of(10_000, 1, Strategy::SimpleOneForOne, RestartType::Temporary);
    assert!(many[1] < few[1] * 5, "{few:?} {many:?}");
}

/// OTP: scale_start_stop_many_children, with its bound of 1,000 times as long for a hundred times as many.
#[test]
fn a_hundred_thousand_children_cost_no_more_each_than_a_thousand() {
    let few = time_of(1_000, 100, Strategy::OneForOne, RestartType::Permanent);
    let many = time_of(100_000, 1, Strategy::OneForOne, RestartType::Permanent);
    assert!(many[0] < few[0] * 10 && many[1] < few[1] * 10, "{few:?} {many:?}");
}
