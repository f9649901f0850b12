//! The relay as a process: logs, signals, deadlines, report, exit code.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use landfall_lifecycle::{Report, service};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::chain::Chain;
use crate::config::Config;
use crate::relay::{Relay, StartError};
use crate::status::say;

/// Runs the relay until a signal, or until the time of `--until` is over, and gives the exit code of the process.
///
/// Installs a tracing subscriber and hears the signals of the whole process: to be called once, from `main`.
pub fn run(config: Config) -> ExitCode {
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    if let Err(error) = tracing_subscriber::registry().with(config.log.clone()).with(logs).try_init() {
        say(&format!("no logs: {error}"));
    }
    let (termination, json) = (config.termination.clone(), config.json);
    let relay = match Relay::new(config) {
        Ok(relay) => relay,
        Err(error) => {
            say(&format!("error: {}", Chain(&error)));
            return ExitCode::FAILURE;
        }
    };
    service("relay")
        .grace(termination.grace)
        .abort_after(termination.abort_after)
        .hold_for_leak_check()
        .on_report(move |report| print(report, json))
        .run(move |cx| async move {
            let (stack, stop) = (cx.stack().clone(), cx.token());
            relay.start(&stack, stop, move |reason| cx.terminate(reason)).await.map(|_| ()).map_err(Failure)
        })
}

fn print(report: &Report, json: bool) {
    if !json {
        return say(&report.to_string());
    }
    let text = match serde_json::to_string_pretty(report) {
        Ok(text) => text,
        Err(error) => return say(&format!("error: the report is no JSON: {error}")),
    };
    // A reader that has gone is no reason to fail.
    _ = std::io::stdout().write_all(format!("{text}\n").as_bytes());
}

/// Shows a failed start with its causes.
struct Failure(StartError);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Chain(&self.0).fmt(f)
    }
}
