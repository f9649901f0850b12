//! The side that the harness called: it starts the test's process, waits for it, and tells what became of it.

use std::collections::HashMap;
use std::env;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::TestOutput;
use super::record::{Record, Shared};
use super::{LeakTest, LeakTestFailure, child};

/// How often each test has come here: which of its calls this is.
static CALLS: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);

/// The longest pause between two looks whether the process has ended.
const PAUSE_MAX: Duration = Duration::from_millis(20);

pub(super) fn run(test: &LeakTest, names: &[String]) -> Result<(), LeakTestFailure> {
    let call = names.first().map(|name| next_call(name)).unwrap_or_default();
    for name in names {
        match attempt(test, name, call) {
            Err(LeakTestFailure::NotFound { .. }) => {}
            result => return result,
        }
    }
    Err(LeakTestFailure::NotFound { names: names.to_vec() })
}

fn next_call(name: &str) -> u32 {
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let calls = calls.get_or_insert_default().entry(name.to_owned()).or_default();
    *calls += 1;
    *calls
}

fn attempt(test: &LeakTest, name: &str, call: u32) -> Result<(), LeakTestFailure> {
    let no_process = |source| LeakTestFailure::NoProcess { source };
    let records = Shared::new().map_err(no_process)?;
    let printed = Shared::new().map_err(no_process)?;
    let status = start(name, call, &records, &printed)
        .and_then(|process| Process(process).wait(test.limit))
        .map_err(no_process)?;
    let output = TestOutput::of(&printed.read().map_err(no_process)?, name);
    let records = Record::all(&records.read().map_err(no_process)?);
    let has_started = !records.is_empty();
    match (records.into_iter().next_back(), status) {
        (Some(Record::Clean), _) => Ok(()),
        (Some(Record::Leaked(leaks)), _) => Err(LeakTestFailure::Leaked { leaks, output }),
        (Some(Record::Panicked(message)), _) => Err(LeakTestFailure::Panicked { message, output }),
        (Some(Record::SetUp(message)), _) => Err(LeakTestFailure::SetUp { message }),
        (_, None) => Err(LeakTestFailure::TimedOut { limit: test.limit, output }),
        // The harness is content when no test has that name.
        (_, Some(status)) if status.success() && !has_started => {
            Err(LeakTestFailure::NotFound { names: vec![name.to_owned()] })
        }
        (_, Some(status)) => Err(LeakTestFailure::Died { status, output }),
    }
}

fn start(name: &str, call: u32, records: &Shared, printed: &Shared) -> io::Result<Child> {
    Command::new(env::current_exe()?)
        .args([name, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"])
        .env(child::VARIABLE, child::mark(call))
        .stdin(records.writer()?)
        .stdout(printed.writer()?)
        .stderr(printed.writer()?)
        .spawn()
}

/// Killed and waited for, whatever happens here.
struct Process(Child);

impl Process {
    /// None if its time was over; then it has been killed.
    fn wait(mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            if began.elapsed() >= limit {
                return Ok(None);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended, unless its time was over.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
