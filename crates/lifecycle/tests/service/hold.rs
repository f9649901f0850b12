//! Services held for an observer, who counts from outside what they hold.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use landfall_lifecycle::leak_check::{Footprint, HoldPoint, Leak};
use landfall_lifecycle::{PushError, Reason};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::child::{Child, Program};
use crate::parts;

pub(crate) const PROGRAMS: &[Program] =
    &[("held", held), ("held on one thread", held_on_one_thread), ("held with leaks", held_with_leaks)];

fn held() -> ExitCode {
    run(Builder::new_multi_thread())
}

fn held_on_one_thread() -> ExitCode {
    run(Builder::new_current_thread())
}

fn run(mut builder: Builder) -> ExitCode {
    builder.enable_all();
    parts::impatient().runtime(builder).hold_for_leak_check().run(|cx| async move {
        cx.stack().push(parts::drains("tasks"))?;
        cx.terminate(Reason::Requested);
        Ok::<_, PushError>(())
    })
}

const FOREIGN_LINE: u32 = line!() + 5;

fn held_with_leaks() -> ExitCode {
    parts::impatient().hold_for_leak_check().run(|cx| async move {
        #[expect(clippy::disallowed_methods, reason = "it is what is to be found; the runtime's end drops it")]
        drop(tokio::spawn(std::future::pending::<()>()));
        #[expect(clippy::disallowed_methods, reason = "it is what is to be found; it ends with the process")]
        let spawned = std::thread::Builder::new().name("left".to_owned()).spawn(std::thread::park);
        spawned.unwrap();
        cx.stack().push(parts::holds_both_workers())?;
        cx.terminate(Reason::Requested);
        Ok::<_, PushError>(())
    })
}

/// Listens for a program that is to be held.
struct Observer {
    path: PathBuf,
    listener: UnixListener,
}

/// A program that is held, until this is dropped.
struct Stage {
    said: Value,
    footprint: Footprint,
    connection: UnixStream,
}

impl Observer {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("landfall-hold-{}-{name}", std::process::id()));
        Self { listener: UnixListener::bind(&path).unwrap(), path }
    }

    fn start(&self, program: &str) -> Child {
        Child::start_with(program, &[(HoldPoint::VARIABLE, self.path.to_str().unwrap())])
    }

    #[track_caller]
    fn expect(&self, stage: &str) -> Stage {
        let (connection, _) = self.listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&connection).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(said["stage"], stage, "{said}");
        let id = said["pid"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap();
        let footprint = Footprint::of(id).unwrap().without_socket(said["connection"].as_u64().unwrap());
        Stage { said, footprint, connection }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).unwrap();
    }
}

impl Stage {
    /// What is new and is no thread of a runtime that lives.
    fn items_since(&self, before: &Stage) -> Vec<Leak> {
        let new = self.footprint.since(&before.footprint).into_iter();
        new.filter(|leak| leak.kind != landfall_lifecycle::leak_check::Kind::Thread).collect()
    }

    /// The threads that were not there before the runtime.
    fn threads_left(&self) -> Vec<&str> {
        let before = self.said["threads_before"].as_array().unwrap();
        let threads = self.footprint.threads().iter();
        threads.filter(|thread| !before.contains(&json!(thread.id))).map(|thread| thread.name.as_str()).collect()
    }
}

#[test]
fn a_service_that_leaves_nothing_is_held_at_three_stages() {
    for program in ["held", "held on one thread"] {
        let observer = Observer::new(&program.replace(' ', "-"));
        let child = observer.start(program);
        let began = observer.expect("began");
        assert_eq!((&began.said["alive"], &began.said["report"]), (&json!(0), &Value::Null));
        began.connection.shutdown(std::net::Shutdown::Both).unwrap();

        let ended = observer.expect("ended");
        assert_eq!(ended.items_since(&began), []);
        let said = &ended.said;
        assert_eq!((&said["alive"], &said["registered"], &said["tasks"]), (&json!(0), &json!(0), &json!([])));
        assert_eq!(said["foreign"], if cfg!(tokio_unstable) { json!([]) } else { Value::Null });
        assert_eq!((&said["report"]["name"], &said["report"]["clean"]), (&json!("relay"), &json!(true)));
        (&ended.connection).write_all(b"x").unwrap();

        let over = observer.expect("over");
        assert_eq!(over.items_since(&began), []);
        assert_eq!(over.threads_left(), [""; 0]);
        assert_eq!((&over.said["alive"], &over.said["foreign"]), (&Value::Null, &Value::Null));
        drop(over);
        child.end().check(0, &["clean: nothing is left"]);
    }
}

/// The planted faults: a straggler of ours, a task of others, a thread of nobody.
#[test]
fn what_a_service_leaves_is_seen_from_outside() {
    let observer = Observer::new("leaks");
    let mut child = observer.start("held with leaks");
    drop(observer.expect("began"));
    child.expect("busy").expect("busy");
    let ended = observer.expect("ended");
    let said = &ended.said;
    assert_eq!((&said["alive"], &said["registered"]), (&json!(3), &json!(2)), "{said}");
    let names: Vec<_> = said["tasks"].as_array().unwrap().iter().map(|task| &task["name"]).collect();
    assert_eq!(names, ["busy 1", "busy 2"]);
    assert_eq!(said["tasks"][0]["kind"], "task");
    assert!(said["tasks"][0]["place"].as_str().unwrap().contains("parts.rs:"), "{said}");
    if cfg!(tokio_unstable) {
        let places: Vec<_> = said["foreign"].as_array().unwrap().iter().map(|task| &task["place"]).collect();
        assert_eq!(places, [&json!(format!("{}:{FOREIGN_LINE}", file!()))]);
    }
    drop(ended);
    let over = observer.expect("over");
    // The stragglers' workers are there too; both are busy for ever.
    let left = over.threads_left();
    assert!(left.contains(&"left"), "{left:?}");
    drop(over);
    child.end().check(1, &["NOT clean: 2 stragglers"]);
}

/// The last deadline of this service is one second after its abort instant, which the observer holds it beyond.
#[test]
fn the_time_for_which_a_service_is_held_does_not_count() {
    let observer = Observer::new("long");
    let child = observer.start("held");
    drop(observer.expect("began"));
    let ended = observer.expect("ended");
    let window = Duration::from_millis(100 + 100 + 1_000 + 500);
    ended.connection.set_read_timeout(Some(window)).unwrap();
    let early = (&ended.connection).read(&mut [0; 1]);
    assert!(matches!(&early, Err(error) if error.kind() == ErrorKind::WouldBlock), "it went on: {early:?}");
    drop(ended);
    drop(observer.expect("over"));
    child.end().check(0, &["clean: nothing is left"]);
}

#[test]
fn a_held_service_heeds_the_third_signal() {
    for stage in ["ended", "over"] {
        let observer = Observer::new(&format!("signals-{stage}"));
        let mut child = observer.start("held");
        drop(observer.expect("began"));
        let mut held = observer.expect("ended");
        if stage == "over" {
            drop(held);
            held = observer.expect("over");
        }
        let began = Instant::now();
        // Signals that come at once count once, so each is sent until the next one of the three has been seen.
        while child.is_running() {
            child.signal("TERM");
            assert!(began.elapsed() < HoldPoint::LIMIT / 2, "it does not hear them");
        }
        assert_eq!(child.end_unread(), Some(128 + 15), "at {stage}");
        drop(held);
    }
}

#[test]
fn a_service_that_nobody_holds_says_so_and_goes_on() {
    let child = Child::start_with("held", &[(HoldPoint::VARIABLE, "/nowhere/landfall")]);
    child.end().check(0, &["LANDFALL_HOLD names /nowhere/landfall, where nobody holds the program: No such file"]);
    Child::start("held").end().check(0, &["clean: nothing is left"]);
}
