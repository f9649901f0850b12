//! A set one of whose tasks may panic: the program that `tests/it/panic_abort.rs` builds with either panic strategy.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use landfall_lifecycle::{Shutdown, TaskSet};
use tokio::runtime::Builder;

/// A set one of whose tasks may panic
#[derive(Debug, Parser)]
struct Options {
    /// Let it panic
    #[arg(long)]
    panic: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    let tasks = TaskSet::new("set");
    let runtime = Builder::new_multi_thread().worker_threads(2).build()?;
    let (stop, other) = (tasks.token(), tasks.token());
    drop(tasks.spawn_on(runtime.handle(), "drains", async move { other.cancelled().await })?);
    let may_panic = async move {
        stop.cancelled().await;
        assert!(!options.panic, "on purpose");
    };
    drop(tasks.spawn_on(runtime.handle(), "may panic", may_panic)?);
    let minute = Duration::from_secs(60);
    let report = tasks.terminate_blocking(&Shutdown::within(minute, minute))?;
    println!("{} drained, {} panicked", report.counts.drained, report.counts.panicked);
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
