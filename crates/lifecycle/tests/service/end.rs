//! How services end: within their bounds, with the right exit code.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use landfall_lifecycle::{Level, PushError, Reason, TaskSet};
use tokio::runtime::Builder;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::child::{Child, Program, say};
use crate::parts;

pub(crate) const PROGRAMS: &[Program] = &[
    ("held up", held_up),
    ("held up on one thread", held_up_on_one_thread),
    ("held up by a callback", held_up_by_a_callback),
    ("one thread", one_thread),
    ("fails later", fails_later),
    ("foreign job", foreign_job),
    ("own hook", own_hook),
    ("hook panics", hook_panics),
    ("hook hangs", hook_hangs),
    ("subscriber panics", subscriber_panics),
];

fn held_up() -> ExitCode {
    parts::impatient().run(|cx| async move {
        cx.stack().push_level(Level::of(parts::holds_both_workers()).and(parts::herald()))?;
        Ok::<_, PushError>(())
    })
}

fn held_up_on_one_thread() -> ExitCode {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    parts::impatient().runtime(builder).run(|cx| async move {
        let set = TaskSet::new("busy");
        set.spawn("busy 1", async { parts::spin() }).unwrap();
        cx.stack().push_level(Level::of(set).and(parts::herald()))?;
        Ok::<_, PushError>(())
    })
}

/// P2: within one second of the abort instant; another one is for a noisy machine to start and end a process.
#[test]
fn a_service_whose_workers_are_held_ends_in_time_with_1() {
    for (program, busy) in [("held up", 2), ("held up on one thread", 1)] {
        let mut child = Child::start(program);
        for _ in 0..busy {
            child.expect("busy");
        }
        child.signal("TERM").expect("begun");
        let began = Instant::now();
        child.expect("grace over");
        child
            .end()
            .check(1, &["busy 1", "STRAGGLER task: busy in one poll", ".rs:", &format!("NOT clean: {busy} straggler")]);
        assert!(began.elapsed() < Duration::from_millis(200 + 1_000 + 1_000), "{:?}", began.elapsed());
    }
}

fn held_up_by_a_callback() -> ExitCode {
    parts::impatient().run(|cx| async move {
        cx.stack().push(parts::BeginHangs)?;
        say("started");
        Ok::<_, PushError>(())
    })
}

#[test]
fn a_service_whose_end_is_held_up_by_a_callback_exits_in_time_with_1() {
    let mut child = Child::start("held up by a callback");
    child.expect("started").signal("TERM").expect("begin hangs");
    let began = Instant::now();
    child.expect("busy");
    child.end().check(1, &["relay", "hangs", "NOT clean"]);
    assert!(began.elapsed() < Duration::from_millis(200 + 1_000 + 1_000), "{:?}", began.elapsed());
}

fn one_thread() -> ExitCode {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    parts::patient().runtime(builder).run(|cx| async move {
        cx.stack().push(parts::drains("storage"))?;
        say("started");
        Ok::<_, PushError>(())
    })
}

#[test]
fn a_current_thread_runtime_is_driven_and_ended() {
    let mut child = Child::start("one thread");
    child.expect("started").signal("TERM").expect("storage drained");
    child.end().check(0, &["clean: nothing is left"]);
}

fn fails_later() -> ExitCode {
    parts::patient().run(|cx| async move {
        let set = TaskSet::new("worker");
        let service = cx.clone();
        set.spawn("fails", async move { service.terminate(Reason::Failed("no space left".into())) }).unwrap();
        cx.stack().push(set)
    })
}

#[test]
fn a_service_that_fails_ends_clean_with_1() {
    Child::start("fails later").end().check(1, &["relay: no space left\n", "failed: no space left", "clean:"]);
}

fn foreign_job() -> ExitCode {
    parts::patient().run(|cx| async move {
        #[expect(clippy::disallowed_methods, reason = "it belongs to nobody: that is what is shown")]
        drop(tokio::task::spawn_blocking(parts::spin));
        cx.terminate(Reason::Requested);
        Ok::<_, PushError>(())
    })
}

#[test]
fn a_job_that_belongs_to_nobody_cannot_hold_up_the_exit() {
    Child::start("foreign job").end().check(0, &["clean: nothing is left"]);
}

fn own_hook() -> ExitCode {
    let hook = |report: &landfall_lifecycle::Report| say(&format!("{} {}", report.name, report.is_clean()));
    parts::patient().on_report(hook).run(|cx| async move {
        cx.terminate(Reason::Requested);
        Ok::<_, PushError>(())
    })
}

#[test]
fn a_hook_gets_the_report_and_nothing_is_printed() {
    let mut child = Child::start("own hook");
    child.expect("relay true");
    let ended = child.end();
    ended.check(0, &[]);
    assert_eq!(ended.err, "");
}

fn hook_panics() -> ExitCode {
    parts::patient().on_report(|_| panic!("no printer")).run(|cx| async move {
        cx.terminate(Reason::Requested);
        Ok::<_, PushError>(())
    })
}

#[test]
fn a_hook_that_panics_makes_it_1() {
    Child::start("hook panics").end().check(1, &["no printer"]);
}

fn hook_hangs() -> ExitCode {
    parts::patient().grace(Duration::ZERO).on_report(|_| parts::spin()).run(|cx| async move {
        cx.terminate(Reason::Requested);
        Ok::<_, PushError>(())
    })
}

#[test]
fn a_hook_that_hangs_is_left() {
    Child::start("hook hangs").end().check(1, &["relay exits before its end (its end is held up)", "clean:"]);
}

/// Panics at every line that it is told of.
struct Panics;

impl Subscriber for Panics {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        if event.metadata().target().starts_with("landfall") {
            say("hears");
            panic!("full disk");
        }
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn subscriber_panics() -> ExitCode {
    tracing::subscriber::set_global_default(Panics).unwrap();
    parts::patient().run(|cx| async move {
        cx.stack().push(parts::drains("storage"))?;
        cx.terminate(Reason::Requested);
        Ok::<_, PushError>(())
    })
}

#[test]
fn a_subscriber_that_panics_at_each_line_changes_nothing() {
    let child = Child::start("subscriber panics");
    let ended = child.end();
    assert!(ended.said.iter().filter(|said| *said == "hears").count() >= 2, "{:?}", ended.said);
    ended.check(0, &["requested", "storage", "clean: nothing is left"]);
}
