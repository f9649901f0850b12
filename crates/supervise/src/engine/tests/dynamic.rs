//! Children that calls bring, each with a spec of its own, named by instance (Elixir: `DynamicSupervisor`).

use super::super::{Event, Reply};
use super::world::*;
use crate::call_error::{DeleteChildError, RestartChildError, StartChildError, TerminateChildError};
use crate::exit::Exit;
use crate::policy::{ShutdownPolicy, SpecInfo, Strategy};

fn tree(intensity: u32) -> World {
    World::started(settings(Strategy::Dynamic, intensity, secs(5)), &[])
}

#[test]
fn ids_may_repeat_and_calls_name_instances() {
    let mut world = tree(3);
    let first = world.start_child(permanent("a")).unwrap().unwrap();
    let second = world.start_child(transient("a")).unwrap().unwrap();
    assert_eq!(world.counts(), [2, 2, 0, 2]);
    assert!(world.machine.rows().iter().all(|row| !row.has_id));
    assert_eq!(world.restart_child(first), Reply::Restart(Err(RestartChildError::SimpleOneForOne)));
    assert_eq!(world.delete_child(first), Reply::Delete(Err(DeleteChildError::SimpleOneForOne)));
    assert_eq!(world.terminate_child("a"), Reply::Terminate(Err(TerminateChildError::SimpleOneForOne)));
    assert_eq!(
        world.call(super::super::Call::StartInstance { make: "" }),
        Reply::Start(Err(StartChildError::NoTemplate))
    );
    assert_eq!(world.terminate_child(first), Reply::Terminate(Ok(())));
    assert_eq!(world.machine.find(&second.into()).map(|row| row.spec.info()), Some(transient("a")));
    assert_eq!(world.counts(), [1, 1, 0, 1]);
}

/// Each is judged by its own restart type, and forgotten when it is not restarted.
#[test]
fn each_child_has_its_own_restart_type() {
    let mut world = tree(3);
    for spec in [permanent("p"), transient("t"), temporary("x")] {
        world.start_child(spec).unwrap();
    }
    for (instance, id) in world.live.clone() {
        world.tell(Event::Exited(instance, Exit::Normal));
        assert_eq!(world.live.values().any(|living| *living == id), id == "p");
    }
    world.assert_states(&["p running"]);
}

/// All are asked at once; each has its own limit, and the one that ends last is waited for.
#[test]
fn children_stop_at_once_each_by_its_own_limit() {
    let mut world = tree(3);
    for (id, limit) in [("a", 1), ("b", 3)] {
        world.start_child(SpecInfo { shutdown: ShutdownPolicy::Timeout(secs(limit)), ..permanent(id) }).unwrap();
        world.stopping(id, OnStop::Ignores);
    }
    world.story();
    world.terminate(secs(60), secs(61));
    world.assert_story("stop a, stop b");
    world.advance(secs(1));
    world.assert_story("abort a, gone a");
    world.advance(secs(2));
    world.assert_story("abort b, gone b");
    assert!(world.ended.is_some());
    let killed = |id: &str| format!("shutdown_error {id}: aborted");
    assert_eq!(world.take_reports(), [killed("a"), killed("b")]);
}

/// A restart that declines drops the child; one that fails is tried again and counted.
#[test]
fn a_restart_that_declines_drops_the_child() {
    let mut world = tree(3);
    world.starting("a", [OnStart::Ready, OnStart::Ends(Exit::failed("no")), OnStart::Ends(Exit::Declined)]);
    let first = world.start_child(permanent("a")).unwrap().unwrap();
    world.tell(Event::Exited(first, Exit::failed("crash")));
    world.assert_states(&[]);
    assert_eq!(world.ended, None);
}
