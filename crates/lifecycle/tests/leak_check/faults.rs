//! Planted faults: each is left behind by a body, and must be found in the process of its own with its kind and name.

use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use landfall_lifecycle::TaskSet;
use landfall_lifecycle::leak_check::{Kind, Leak, LeakCx, LeakTest, LeakTestFailure, Leaks};
use tokio_util::sync::CancellationToken;

/// Leaves something for as long as the process lives.
fn leave<T>(value: T) {
    Box::leak(Box::new(value));
}

fn test() -> LeakTest {
    LeakTest::new().settle(Duration::from_millis(500)).grace(Duration::ZERO, Duration::ZERO)
}

#[track_caller]
fn leaks<F, Fut>(test: LeakTest, body: F) -> Leaks
where
    F: FnOnce(LeakCx) -> Fut,
    Fut: Future<Output = ()>,
{
    leaks_in(test.try_run(body))
}

#[track_caller]
fn leaks_in(result: Result<(), LeakTestFailure>) -> Leaks {
    match result {
        Err(LeakTestFailure::Leaked { leaks, .. }) => leaks,
        other => panic!("{other:?}"),
    }
}

/// All but what the runtime opened for itself.
fn beside_the_runtime(leaks: &Leaks) -> Vec<&Leak> {
    let is_its_own = |leak: &&Leak| {
        let names = ["anon_inode:[eventpoll]", "anon_inode:[eventfd]", "socket:["];
        leak.kind == Kind::Descriptor && names.iter().any(|name| leak.name.starts_with(name))
    };
    leaks.leaks.iter().filter(|leak| !is_its_own(leak)).collect()
}

/// The one leak, of this kind and name. What a runtime has open stays open while anything of it is left.
#[track_caller]
fn check(leaks: &Leaks, kind: Kind, name: &str, detail: &str) -> Leak {
    let [leak] = &*beside_the_runtime(leaks) else { panic!("{leaks}") };
    assert_eq!(leak.kind, kind, "{leaks}");
    assert!(leak.name.contains(name) && leak.detail.contains(detail), "{leaks}");
    (*leak).clone()
}

#[test]
fn a_task_of_nobody() {
    let line = line!() + 3;
    let body = |_| async {
        #[expect(clippy::disallowed_methods, reason = "it is what is to be found; the runtime's end drops it")]
        drop(tokio::spawn(std::future::pending::<()>()));
    };
    let found = leaks(test(), body);
    if cfg!(tokio_unstable) {
        let leak = check(&found, Kind::Task, "foreign task", "of no owner");
        assert_eq!(leak.place, Some(format!("{}:{line}", file!())), "{found}");
    } else {
        check(&found, Kind::Task, "1 foreign task", "of no watched owner");
    }
}

#[test]
fn a_task_of_a_set_that_was_not_terminated() {
    let found = leaks(test().current_thread(), |cx| async move {
        let set = TaskSet::new("set");
        cx.watch(&set);
        set.spawn("pump", std::future::pending::<()>()).unwrap();
        leave(set);
    });
    let leak = check(&found, Kind::Task, "pump", "task of \"set\"");
    assert!(leak.place.is_some_and(|place| place.starts_with(file!())), "{found}");
}

#[test]
fn a_blocking_job_of_a_set() {
    let found = leaks(test(), |cx| async move {
        let set = TaskSet::new("set");
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        set.spawn_blocking("hash", move |_: &CancellationToken| {
            ready.send(()).unwrap();
            std::thread::park();
        })
        .unwrap();
        is_ready.await.unwrap();
        cx.own(set);
    });
    let [job, thread] = &*beside_the_runtime(&found) else { panic!("{found}") };
    assert_eq!((job.kind, job.name.as_str(), thread.kind), (Kind::BlockingJob, "hash", Kind::Thread), "{found}");
    assert!(job.place.as_ref().is_some_and(|place| place.starts_with(file!())), "{found}");
}

#[test]
fn a_blocking_job_of_nobody() {
    let body = |_| async {
        #[expect(clippy::disallowed_methods, reason = "it is what is to be found; it ends with the process")]
        drop(tokio::task::spawn_blocking(std::thread::park));
    };
    // Both before either is looked at: in the second one's process the first one passes.
    for result in [test().try_run(body), test().current_thread().try_run(body)] {
        check(&leaks_in(result), Kind::Thread, "leak-test-rt", "a blocking job goes on");
    }
}

#[test]
fn a_thread() {
    let found = leaks(test(), |_| async {
        let (ready, is_ready) = channel();
        let builder = std::thread::Builder::new().name("forgotten".to_owned());
        #[expect(clippy::disallowed_methods, reason = "it is what is to be found; it ends with the process")]
        let spawned = builder.spawn(move || {
            ready.send(()).unwrap();
            std::thread::park();
        });
        drop(spawned.unwrap());
        is_ready.recv().unwrap();
    });
    check(&found, Kind::Thread, "forgotten", "thread ");
}

#[test]
fn a_file() {
    let found = leaks(test(), |_| async { leave(File::open("Cargo.toml").unwrap()) });
    check(&found, Kind::Descriptor, "/Cargo.toml", "descriptor ");
}

#[test]
fn a_listener() {
    let found = leaks(test(), |_| async { leave(TcpListener::bind("127.0.0.1:0").unwrap()) });
    check(&found, Kind::Socket, "tcp 127.0.0.1:", "LISTEN");
}

#[test]
fn one_end_of_a_connection() {
    let found = leaks(test(), |_| async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        drop(client);
        assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
        leave(server);
    });
    // The other end is in TIME_WAIT by now, and is none.
    check(&found, Kind::Socket, " to 127.0.0.1:", "CLOSE_WAIT");
}

#[test]
fn a_connection_of_tokio() {
    let found = leaks(test(), |_| async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        leave(tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
        leave(listener.accept().await.unwrap());
    });
    let kinds: Vec<_> = beside_the_runtime(&found).iter().map(|leak| leak.kind).collect();
    assert_eq!(kinds, [Kind::Socket, Kind::Socket], "{found}");
}

#[test]
fn a_child_that_nobody_waits_for() {
    let found = leaks(test(), |_| async {
        #[expect(clippy::zombie_processes, reason = "it is what is to be found; it goes with its parent")]
        let mut child = Command::new("cat").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    });
    check(&found, Kind::ChildProcess, "cat", "nobody has waited for it");
}

#[test]
fn a_child_that_lives_on() {
    let found = leaks(test(), |_| async {
        // It ends when its input does, hence with the process that holds the other end.
        leave(Command::new("cat").stdin(Stdio::piped()).spawn().unwrap());
    });
    let kinds: Vec<_> = found.leaks.iter().map(|leak| leak.kind).collect();
    assert_eq!(kinds, [Kind::Descriptor, Kind::ChildProcess], "{found}");
    assert!(found.leaks[0].name.starts_with("pipe:[") && !found.leaks[1].detail.contains("waited"), "{found}");
}

#[test]
fn what_is_ignored_does_not_fail_the_test() {
    let left = || async { leave(File::open("Cargo.toml").unwrap()) };
    test().ignore(Kind::Descriptor, "/Cargo.toml", "this test holds it on purpose").run(|_| left());
    let found = leaks(test().ignore(Kind::Descriptor, "/Cargo.toml", " "), |_| left());
    check(&found, Kind::Descriptor, "/Cargo.toml", "ignored without a reason");
}

#[test]
#[should_panic(expected = "1 leak, after ")]
fn the_test_fails_with_the_table() {
    test().run(|_| async { leave(File::open("Cargo.toml").unwrap()) });
}
