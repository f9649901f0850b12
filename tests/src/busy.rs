//! A service whose workers are held by tasks that never yield: the program that the scenario of busy workers starts.

use std::borrow::Cow;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use clap::Parser;
use landfall_lifecycle::{Report, SelfJoin, Shutdown, Stack, TaskSet, Terminate, service};

/// Threads of the runtime.
const WORKERS: usize = 2;

/// A service whose workers are held by tasks that never yield
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Tasks that never yield
    #[arg(long, value_name = "N", default_value_t = WORKERS)]
    pub busy: usize,

    /// Time before what runs is aborted
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub grace_ms: u64,

    /// Time after that before everything left is aborted
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub abort_after_ms: u64,
}

/// Tells of the termination, from outside of the runtime, whose workers are held. It owns nothing that has to be ended.
struct Herald {
    tasks: TaskSet,
    begun: Sender<Shutdown>,
}

impl Terminate for Herald {
    fn name(&self) -> Cow<'_, str> {
        self.tasks.name().into()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        // Nobody listens any more once it was told.
        _ = self.begun.send(how.clone());
        self.tasks.begin_terminate(how);
    }

    fn terminate<'a>(
        &'a self,
        how: &'a Shutdown,
    ) -> Pin<Box<dyn Future<Output = Result<Report, SelfJoin>> + Send + 'a>> {
        self.begin_terminate(how);
        self.tasks.terminate(how)
    }

    fn ended(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.tasks.ended()
    }
}

/// Runs it until a signal.
pub fn main(options: &Options) -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(WORKERS).enable_all();
    let busy = options.busy;
    service("busy service")
        .grace(Duration::from_millis(options.grace_ms))
        .abort_after(Duration::from_millis(options.abort_after_ms))
        .runtime(runtime)
        .hold_for_leak_check()
        .run(move |cx| async move { start(cx.stack(), busy) })
}

fn start(stack: &Stack, busy: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (held, holding) = mpsc::channel();
    let (begun, begins) = mpsc::channel();
    // Pushed first, so ended last.
    let watch = TaskSet::new("watch");
    drop(watch.spawn_thread("herald", move |_| tell(busy, &holding, &begins))?);
    stack.push(watch)?;
    let workers = TaskSet::new("workers");
    for worker in 0..busy {
        let held = held.clone();
        let hold = async move {
            _ = held.send(());
            loop {
                thread::sleep(Duration::from_millis(1));
            }
        };
        // On one line, so that the place is the one that the report has.
        let (spawned, place) = (workers.spawn(format!("worker {worker}"), hold), concat!(file!(), ":", line!()));
        eprintln!("holding: worker {worker} spawned at {place}");
        spawned?;
    }
    stack.push(workers)?;
    stack.push(Herald { tasks: TaskSet::new("herald"), begun })?;
    Ok(())
}

/// Says when all workers are held, when the termination begins, and when its grace was cut.
fn tell(busy: usize, holding: &Receiver<()>, begins: &Receiver<Shutdown>) {
    if (0..busy).any(|_| holding.recv().is_err()) {
        return;
    }
    eprintln!("all workers are held");
    let Ok(how) = begins.recv() else { return };
    eprintln!("begun");
    // A runtime of its own: the service's is held.
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() {
        runtime.block_on(how.grace_over());
    }
    if how.is_forced() {
        eprintln!("forced");
    }
}
