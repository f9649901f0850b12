//! Services that do not get to the end of their start.

use std::process::ExitCode;
use std::time::Duration;

use landfall_lifecycle::{PushError, Reason, service};
use tokio::runtime::Builder;

use crate::child::{Child, Program, say};
use crate::parts::{self, SaysDropped};

pub(crate) const PROGRAMS: &[Program] = &[
    ("start is deaf", start_is_deaf),
    ("start heeds its token", start_heeds_its_token),
    ("start is busy", start_is_busy),
    ("start fails", start_fails),
    ("start panics", start_panics),
    ("start asks for the end", start_asks_for_the_end),
    ("inside of a runtime", inside_of_a_runtime),
    ("broken runtime", broken_runtime),
];

fn start_is_deaf() -> ExitCode {
    parts::patient().start_grace(Duration::ZERO).run(|cx| async move {
        cx.stack().push(parts::drains("storage"))?;
        let _dropped = SaysDropped("start");
        say("starting");
        std::future::pending::<Result<(), PushError>>().await
    })
}

#[test]
fn a_signal_during_the_start_drops_it_and_then_ends_what_it_had_pushed() {
    let mut child = Child::start("start is deaf");
    child.expect("starting").signal("TERM").expect("start dropped").expect("storage drained");
    child.end().check(0, &["SIGTERM", "├─ start", "task aborted", "└─ storage", "clean: nothing is left (1 aborted)"]);
}

fn start_heeds_its_token() -> ExitCode {
    parts::patient().start_grace(Duration::from_secs(3_600)).run(|cx| async move {
        cx.stack().push(parts::drains("storage"))?;
        say("starting");
        cx.token().cancelled().await;
        say("start cancelled");
        // A start that gives up because it was told to has not failed.
        Err::<(), Box<dyn std::error::Error + Send + Sync>>("cancelled".into())
    })
}

#[test]
fn a_start_may_heed_its_token() {
    let mut child = Child::start("start heeds its token");
    child.expect("starting").signal("INT").expect("start cancelled").expect("storage drained");
    child.end().check(0, &["SIGINT", "clean: nothing is left\n"]);
}

fn start_is_busy() -> ExitCode {
    // Grace is what the component has left when the start has been given up.
    let service = parts::patient().grace(Duration::from_secs(1)).start_grace(Duration::ZERO);
    service.run(|cx| async move {
        cx.stack().push(parts::drains("storage"))?;
        // What was spawned here waits in this worker's own slot, from which no other worker would take it.
        tokio::task::yield_now().await;
        parts::spin();
        Ok::<_, PushError>(())
    })
}

#[test]
fn a_start_that_is_stuck_does_not_hold_up_the_components() {
    let mut child = Child::start("start is busy");
    child.expect("busy").signal("TERM").expect("storage drained");
    child.end().check(1, &["├─ start", "STRAGGLER task: busy", "start.rs:", "NOT clean: 1 straggler is left"]);
}

fn start_fails() -> ExitCode {
    parts::patient().run(|cx| async move {
        cx.stack().push(parts::drains("storage")).unwrap();
        Err("no database at orders.db")
    })
}

#[test]
fn a_failed_start_is_printed_and_ends_what_it_had_pushed() {
    let mut child = Child::start("start fails");
    child.expect("storage drained");
    let error = "relay: start failed: no database at orders.db\n";
    child.end().check(1, &[error, "failed: start failed: no database", "└─ storage", "clean: nothing is left"]);
}

fn start_panics() -> ExitCode {
    parts::patient().run(|cx| {
        cx.stack().push(parts::drains("storage")).unwrap();
        if cx.token().is_cancelled() {
            return std::future::ready(Ok::<_, PushError>(()));
        }
        panic!("no database")
    })
}

#[test]
fn a_start_that_panics_is_a_failed_start() {
    let mut child = Child::start("start panics");
    child.expect("storage drained");
    child.end().check(1, &["relay: start ended: the task panicked: no database", "panicked \"no database\"", "clean:"]);
}

fn start_asks_for_the_end() -> ExitCode {
    parts::patient().start_grace(Duration::ZERO).run(|cx| async move {
        cx.terminate(Reason::Requested);
        cx.terminate(Reason::Dropped);
        std::future::pending::<Result<(), PushError>>().await
    })
}

#[test]
fn a_start_may_ask_for_the_end() {
    Child::start("start asks for the end").end().check(0, &["requested", "clean: nothing is left (1 aborted)"]);
}

fn inside_of_a_runtime() -> ExitCode {
    let runtime = Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    service("relay").run(|_| std::future::ready(Ok::<_, PushError>(())))
}

#[test]
fn a_service_inside_of_a_runtime_is_refused() {
    Child::start("inside of a runtime").end().check(1, &["relay: a service builds its own runtime"]);
}

fn broken_runtime() -> ExitCode {
    let mut builder = Builder::new_multi_thread();
    builder.thread_name("\0");
    service("relay").runtime(builder).run(|_| std::future::ready(Ok::<_, PushError>(())))
}

#[test]
fn a_runtime_that_cannot_be_built_is_told() {
    Child::start("broken runtime").end().check(1, &["relay: the runtime cannot be built: "]);
}
