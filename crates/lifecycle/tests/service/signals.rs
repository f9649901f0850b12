//! The first, the second and the third signal.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use landfall_lifecycle::{Level, PushError, Signal, Signals, SpawnError, TaskSet};
use tokio::runtime::Builder;

use crate::child::{Child, Program, say};
use crate::parts;

pub(crate) const PROGRAMS: &[Program] = &[
    ("two components", two_components),
    ("ignores its token", ignores_its_token),
    ("both workers busy", both_workers_busy),
    ("begin hangs", begin_hangs),
    ("nobody reads", nobody_reads),
    ("absurd times", absurd_times),
    ("plain signals", plain_signals),
    ("signals one by one", signals_one_by_one),
    #[cfg(feature = "testing")]
    ("cut signals", cut_signals),
];

fn two_components() -> ExitCode {
    parts::patient().run(|cx| async move {
        cx.stack().push(parts::drains("storage"))?;
        cx.stack().push(parts::drains("listener"))?;
        say("started");
        Ok::<_, PushError>(())
    })
}

#[test]
fn the_first_signal_ends_the_last_pushed_first_and_exits_with_0() {
    for (signal, name) in [("TERM", "SIGTERM"), ("INT", "SIGINT")] {
        let mut child = Child::start("two components");
        child.expect("started").signal(signal).expect("listener drained").expect("storage drained");
        child.end().check(0, &["relay", name, "├─ listener", "└─ storage", "clean: nothing is left"]);
    }
}

fn ignores_its_token() -> ExitCode {
    parts::patient().run(|cx| async move {
        cx.stack().push_level(Level::of(parts::ignores_its_token("deaf")).and(parts::herald()))?;
        say("started");
        Ok::<_, PushError>(())
    })
}

/// Case 28: a second signal while it drains.
#[test]
fn the_second_signal_ends_grace() {
    let mut child = Child::start("ignores its token");
    child.expect("started").signal("TERM").expect("begun").signal("TERM").expect_both("grace over", "deaf dropped");
    child
        .end()
        .check(0, &["SIGTERM", "grace cut short (forced)", "task aborted", "clean: nothing is left (1 aborted)"]);
}

fn both_workers_busy() -> ExitCode {
    parts::patient().abort_after(Duration::from_secs(3_600)).run(|cx| async move {
        cx.stack().push_level(Level::of(parts::holds_both_workers()).and(parts::herald()))?;
        Ok::<_, PushError>(())
    })
}

#[test]
fn the_third_signal_exits_with_its_number_though_both_workers_are_busy() {
    for (third, name, code) in [("TERM", "SIGTERM", 143), ("INT", "SIGINT", 130)] {
        let mut child = Child::start("both workers busy");
        child
            .expect("busy")
            .expect("busy")
            .signal("TERM")
            .expect("begun")
            .signal("INT")
            .expect("grace over")
            .signal(third);
        let last_words = format!("relay exits before its end ({name})");
        child.end().check(code, &[&last_words, "STRAGGLER task", "parts.rs:", "NOT clean: 2 stragglers are left"]);
    }
}

fn begin_hangs() -> ExitCode {
    parts::patient().run(|cx| async move {
        cx.stack().push(parts::BeginHangs)?;
        say("started");
        Ok::<_, PushError>(())
    })
}

#[test]
fn the_third_signal_is_honoured_though_a_component_holds_up_everything() {
    let mut child = Child::start("begin hangs");
    child.expect("started").signal("TERM").expect("begin hangs").expect("busy").signal("INT").signal("TERM");
    let ended = child.end();
    // Nothing tells when the second is received, and of two that are pending SIGTERM comes first.
    assert!(matches!(ended.code, Some(130 | 143)), "{:?}\n{}", ended.code, ended.err);
}

fn nobody_reads() -> ExitCode {
    parts::patient().run(|cx| async move {
        let threads = TaskSet::new("chatter");
        drop(threads.spawn_thread("chatter", |_| {
            let mut err = std::io::stderr().lock();
            say("chatters");
            while err.write_all(&[b'x'; 4096]).is_ok() {}
        })?);
        cx.stack().push(threads).expect("it has only begun");
        Ok::<_, SpawnError>(())
    })
}

#[test]
fn the_third_signal_is_honoured_though_nobody_reads_standard_error() {
    let mut child = Child::start("nobody reads");
    child.expect("chatters").signal("TERM").signal("INT");
    // The two above may be received in any order, so only a burst of one kind has to be told apart here.
    let began = Instant::now();
    while child.is_running() {
        child.signal("TERM");
        assert!(began.elapsed() < Duration::from_secs(30), "signals are not honoured");
    }
    assert!(matches!(child.end_unread(), Some(130 | 143)));
}

fn absurd_times() -> ExitCode {
    parts::patient().grace(Duration::MAX).abort_after(Duration::MAX).start_grace(Duration::MAX).run(|cx| async move {
        cx.stack().push(parts::drains("storage"))?;
        say("started");
        Ok::<_, PushError>(())
    })
}

#[test]
fn absurd_times_are_cut() {
    let mut child = Child::start("absurd times");
    child.expect("started").signal("TERM").expect("storage drained");
    child.end().check(0, &["clean: nothing is left"]);
}

fn plain_signals() -> ExitCode {
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let (mut one, mut other) = (Signals::new().unwrap(), Signals::new().unwrap());
        say("listening");
        assert_eq!(one.recv().await, Signal::TERMINATE);
        // A wait that is dropped loses nothing.
        assert!(futures_util::FutureExt::now_or_never(one.recv()).is_none());
        say("received");
        assert_eq!((one.recv().await, other.recv().await), (Signal::INTERRUPT, Signal::TERMINATE));
        assert_eq!(other.recv().await, Signal::INTERRUPT);
        drop((one, other));
        // The handlers stay: this does not kill the process.
        say("dropped");
    });
    let mut line = String::new();
    drop(std::io::stdin().read_line(&mut line));
    ExitCode::SUCCESS
}

#[test]
fn every_value_receives_every_signal() {
    let mut child = Child::start("plain signals");
    child.expect("listening").signal("TERM").expect("received").signal("INT").expect("dropped");
    child.end().check(0, &[]);
}

#[cfg(feature = "testing")]
fn cut_signals() -> ExitCode {
    use landfall_lifecycle::testing::cancel_at_every_poll_on;

    let waits = async |signals: &mut Signals| {
        say("waits");
        signals.recv().await
    };
    let received_by_the_next_call = async |mut signals: Signals, cut: landfall_lifecycle::testing::Cut| {
        if cut.polls == 0 {
            say("waits");
        }
        if !cut.completed {
            assert_eq!(signals.recv().await, Signal::TERMINATE);
        }
    };
    let cuts = cancel_at_every_poll_on(async || Signals::new().unwrap(), waits).check(received_by_the_next_call);
    let cuts = Builder::new_current_thread().enable_all().build().unwrap().block_on(cuts);
    say(&cuts.to_string());
    ExitCode::SUCCESS
}

#[cfg(feature = "testing")]
#[test]
fn a_signal_is_received_though_the_wait_was_dropped_at_any_poll() {
    let mut child = Child::start("cut signals");
    for _ in 0..3 {
        child.expect("waits").signal("TERM");
    }
    child.expect("cut points: 1, runs: 3");
    assert_eq!(child.end().code, Some(0));
}

fn signals_one_by_one() -> ExitCode {
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let mut signals = Signals::new().unwrap();
        say("listening");
        loop {
            match signals.recv().await {
                Signal::INTERRUPT => say("interrupt"),
                _ => return say("terminate"),
            }
        }
    });
    ExitCode::SUCCESS
}

/// Case 28: two of a kind that come before the first of them was received are one.
#[test]
fn a_burst_of_one_signal_counts_once() {
    let mut child = Child::start("signals one by one");
    // It is stopped meanwhile, so that it can receive neither before both are there.
    child.expect("listening").signal("STOP").signal("INT").signal("INT").signal("CONT");
    child.expect("interrupt").signal("TERM").expect("terminate");
    child.end().check(0, &[]);
}
