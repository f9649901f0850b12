//! Ends sets, stacks and a service in a process that can make no thread any more: the program that
//! `tests/it/no_threads.rs` starts and judges.

use std::collections::HashSet;
use std::error::Error;
use std::future::pending;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use landfall_lifecycle::{GraceCut, Report, Shutdown, SpawnError, Stack, TaskSet, Terminate, service};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::task::yield_now;

const WORKERS: usize = 2;
/// What the process may still take: enough for all it does, and less than the stack of one thread.
const LEFT_BYTES: u64 = 1_024 * 1_024;
const GRACE: Duration = Duration::from_millis(300);
const ABORT: Duration = Duration::from_millis(600);
/// How long after the abort instant the report must be there.
const REPORT_WITHIN: Duration = Duration::from_secs(1);

type Failure = Box<dyn Error + Send + Sync>;

/// Ends sets, stacks and a service in a process that can make no thread any more
#[derive(Debug, Parser)]
struct Options {
    /// How it ends
    way: Way,

    /// Leave the limit alone: what must hold without threads must not hold with them
    #[arg(long)]
    unlimited: bool,
}

/// A way to terminate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    CurrentThread,
    TwoWorkers,
    Blocking,
    BlockingOnAWorker,
    Stack,
    StackBlocking,
    Service,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.way == Way::Service {
        return in_service(options.unlimited);
    }
    match end(options.way, options.unlimited) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Takes away the room for a thread's stack, and sees that no thread can be made.
fn limit(is_unlimited: bool) -> Result<(), Failure> {
    if !is_unlimited {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.strip_suffix("kB"));
        let bytes = size.ok_or("no VmSize in /proc/self/status")?.trim().parse::<u64>()? * 1_024;
        let Rlimit { maximum, .. } = getrlimit(Resource::As);
        setrlimit(Resource::As, Rlimit { current: Some(bytes + LEFT_BYTES), maximum })?;
    }
    let control = TaskSet::new("control");
    match control.spawn_thread("control", |_| ()) {
        Err(SpawnError::NoThread { source }) => println!("no thread: {source}"),
        Err(error) => return Err(error.into()),
        // It is joined before anything else is done, so that nobody gets its stack.
        Ok(_) => println!("a thread: {}", control.terminate_blocking(&Shutdown::now())?.is_clean()),
    }
    Ok(())
}

fn runtime(way: Way) -> std::io::Result<Runtime> {
    match way {
        Way::CurrentThread => Builder::new_current_thread().build(),
        _ => Builder::new_multi_thread().worker_threads(WORKERS).build(),
    }
}

/// Returns once each worker runs: a thread that is still starting when the limit comes has no room for its signal
/// stack, and std aborts the process. It terminates nothing, for that would make the thread that there must not be.
async fn until_all_workers_run(handle: &Handle) -> Result<(), Failure> {
    if handle.runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Ok(());
    }
    // None holds its worker: one that does keeps what waits behind it from the others, if they sleep.
    let (arrivals, arrived) = (TaskSet::new("arrivals"), Arc::new(Mutex::new(HashSet::new())));
    let arrive = || {
        let arrived = Arc::clone(&arrived);
        arrivals.spawn_on(handle, "arrives", async move {
            while !has_all(&arrived) {
                yield_now().await;
            }
        })
    };
    let arriving = (0..WORKERS).map(|_| arrive()).collect::<Result<Vec<_>, _>>()?;
    for worker in arriving {
        worker.await?;
    }
    Ok(())
}

/// Notes the thread that it is called on; whether each worker has been here.
fn has_all(arrived: &Mutex<HashSet<ThreadId>>) -> bool {
    let mut arrived = arrived.lock().expect("nobody panics with it");
    arrived.insert(thread::current().id());
    arrived.len() == WORKERS
}

/// Ends a set with a task that is to be aborted and a future that nobody drops.
fn end(way: Way, is_unlimited: bool) -> Result<(), Failure> {
    let (runtime, tasks, stack) = (runtime(way)?, TaskSet::new("set"), Stack::new("stack"));
    drop(tasks.spawn_on(runtime.handle(), "deaf", pending::<()>())?);
    let held = tasks.track("held", pending::<()>())?;
    stack.push(tasks.clone())?;
    runtime.block_on(until_all_workers_run(runtime.handle()))?;
    limit(is_unlimited)?;
    let how = Shutdown::within(GRACE, ABORT);
    let report = match way {
        Way::CurrentThread | Way::TwoWorkers | Way::Service => runtime.block_on(tasks.terminate(&how))?,
        Way::Blocking => tasks.terminate_blocking(&how)?,
        Way::BlockingOnAWorker => {
            let (helpers, tasks, how) = (TaskSet::new("helpers"), tasks.clone(), how.clone());
            let call = helpers.spawn_on(runtime.handle(), "calls", async move { tasks.terminate_blocking(&how) })?;
            runtime.block_on(call)??
        }
        Way::Stack => runtime.block_on(stack.terminate(&how))?,
        Way::StackBlocking => stack.terminate_blocking(&how)?,
    };
    tell(&report, &how);
    drop(held);
    runtime.block_on(tasks.ended());
    println!("afterwards clean: {}", runtime.block_on(tasks.terminate(&how))?.is_clean());
    Ok(())
}

fn tell(report: &Report, how: &Shutdown) {
    println!("in time: {}", Instant::now() <= how.abort() + REPORT_WITHIN);
    tell_of_set(report.children.first().unwrap_or(report), report);
    let left: Vec<_> = report.stragglers().map(|found| found.item.name.as_ref()).collect();
    println!("left: {left:?}");
}

fn tell_of_set(set: &Report, whole: &Report) {
    // Who notices first that there is no clock says so: the set, or what is above it, which then hands down instants
    // that have passed, so that the set has nothing to cut.
    println!("grace cut: {:?}", grace_cut(whole));
    println!("aborted: {}", set.counts.aborted);
}

/// Why grace was cut, as the outermost owner that had it cut says.
fn grace_cut(report: &Report) -> Option<GraceCut> {
    report.grace_cut.or_else(|| report.children.iter().find_map(grace_cut))
}

fn in_service(is_unlimited: bool) -> ExitCode {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(WORKERS).enable_all();
    let tell_all = |report: &Report| tell_of_set(report.children.last().unwrap_or(report), report);
    service("service").grace(GRACE).abort_after(ABORT).runtime(builder).on_report(tell_all).run(move |cx| async move {
        let tasks = TaskSet::new("set");
        tasks.spawn("deaf", pending::<()>())?;
        cx.stack().push(tasks)?;
        until_all_workers_run(&Handle::current()).await?;
        limit(is_unlimited)?;
        cx.terminate(landfall_lifecycle::Reason::Requested);
        Ok::<_, Failure>(())
    })
}
