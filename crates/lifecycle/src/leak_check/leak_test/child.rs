//! The process of one test: it runs the body, and looks at what is left of itself.

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::record::Record;
use super::{LeakCx, LeakTest};
use crate::leak_check::ignore::Parted;
use crate::leak_check::{Footprint, Kind, Leak, LeakCheck, Leaks};
use crate::panics::contain;
use crate::shutdown::Shutdown;
use crate::task_set::TaskSet;
use crate::terminate::Terminate;

/// Says for which call of the test, counted from one, and by which process this one was started.
pub(super) const VARIABLE: &str = "LANDFALL_LEAK_TEST";
/// The name of the runtime's threads; the kernel keeps 15 bytes.
pub(super) const RUNTIME_THREAD: &str = "leak-test-rt";
/// The longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// Whose turn it is when a test calls.
pub(super) enum Turn {
    /// This process is the harness's: another one is to be started.
    NoChild,
    /// This process was started for a later call.
    NotYet,
    /// This process was started for this call.
    Ours,
}

/// What the variable is set to for a process that is started here.
pub(super) fn mark(call: u32) -> String {
    format!("{call} {}", std::process::id())
}

pub(super) fn turn() -> Turn {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let Some(wanted) = env::var(VARIABLE).ok().and_then(|mark| wanted(&mark, parent()?)) else {
        return Turn::NoChild;
    };
    if CALLS.fetch_add(1, Ordering::Relaxed) + 1 < wanted { Turn::NotYet } else { Turn::Ours }
}

/// The call that this process was started for. What a test starts in turn inherits the variable, and is none of ours.
fn wanted(mark: &str, parent: u32) -> Option<u32> {
    let (call, starter) = mark.split_once(' ')?;
    (starter.parse() == Ok(parent)).then(|| call.parse().ok()).flatten()
}

#[cfg(unix)]
fn parent() -> Option<u32> {
    Some(std::os::unix::process::parent_id())
}

#[cfg(not(unix))]
fn parent() -> Option<u32> {
    None
}

pub(super) fn run<F, Fut>(test: &LeakTest, body: F) -> !
where
    F: FnOnce(LeakCx) -> Fut,
    Fut: Future<Output = ()>,
{
    let written = Record::Started.write().and_then(|()| {
        let verdict = verdict(test, body).unwrap_or_else(Record::SetUp);
        verdict.write()
    });
    // Whatever still runs ends with the process. Without a record the other side sees that it ended too early.
    std::process::exit(i32::from(written.is_err()))
}

fn verdict<F, Fut>(test: &LeakTest, body: F) -> Result<Record, String>
where
    F: FnOnce(LeakCx) -> Fut,
    Fut: Future<Output = ()>,
{
    warm_up(test)?;
    let before = footprint()?;
    let (runtime, foreigners) = test.build()?;
    let check = LeakCheck::on(runtime.handle())
        .with_foreigners(foreigners)
        .with_ignores(test.ignores.clone())
        .settle(test.settle);
    let (mut left, mut settled) = match contain(|| runtime.block_on(in_runtime(test, check, body))) {
        Ok(found) => found,
        // The body's destructors have run, but the runtime may wait for what the body left: nobody waits for that.
        Err(message) => {
            runtime.shutdown_background();
            return Ok(Record::Panicked(message));
        }
    };
    runtime.shutdown_timeout(test.settle);
    let (outside, settled_outside) = settle(test, &before)?;
    left.leaks.extend(outside.leaks);
    left.ignored.extend(outside.ignored);
    settled += settled_outside;
    Ok(Leaks::check(left, settled).map_or_else(Record::Leaked, |()| Record::Clean))
}

async fn in_runtime<F, Fut>(test: &LeakTest, check: LeakCheck, body: F) -> (Parted, Duration)
where
    F: FnOnce(LeakCx) -> Fut,
    Fut: Future<Output = ()>,
{
    let cx = LeakCx::default();
    body(cx.clone()).await;
    let how = Shutdown::within(test.grace, test.grace.saturating_add(test.abort_after));
    let check = cx.end(&how, check).await;
    check.settled().await
}

/// Has everything opened that tokio and this crate open once and keep.
fn warm_up(test: &LeakTest) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("a trivial runtime fails: {error}");
    let (runtime, _) = test.build()?;
    let set = TaskSet::new("warm-up");
    runtime.block_on(async {
        set.spawn("task", async {}).map_err(|error| failed(&error))?;
        set.spawn_blocking("job", |_: &CancellationToken| ()).map_err(|error| failed(&error))?;
        let how = Shutdown::within(test.grace, test.grace.saturating_add(test.abort_after));
        set.terminate(&how).await.map(drop).map_err(|error| failed(&error))
    })
}

fn footprint() -> Result<Footprint, String> {
    Footprint::of_self().map_err(|error| match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}

/// What is left when the budget ends, at once if nothing is.
fn settle(test: &LeakTest, before: &Footprint) -> Result<(Parted, Duration), String> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        let found = footprint()?.since(before).into_iter().map(explained).collect();
        let parted = test.ignores.part(found);
        if parted.leaks.is_empty() || began.elapsed() >= test.settle {
            return Ok((parted, began.elapsed()));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn explained(mut leak: Leak) -> Leak {
    if leak.kind == Kind::Thread && leak.name == RUNTIME_THREAD {
        leak.detail.push_str("; a blocking job goes on, or a task that does not yield");
    }
    leak
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_started_it_tells_a_process_what_to_run() {
        assert_eq!(wanted("3 17", 17), Some(3));
        for mark in ["3 17", "3", "", "x 18", "3 18 1"] {
            assert_eq!(wanted(mark, 18), None, "{mark}");
        }
    }
}
