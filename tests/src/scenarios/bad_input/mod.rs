//! What the relay has to refuse: requests, options, files and ports. Each in words, and none with a panic.

mod databases;
mod options;
mod requests;
mod starts;

use crate::findings::Findings;
use crate::scenario::{Failure, Setting};
use crate::verdict::Outcome;

/// What a part of the scenario found, and how much it tried.
#[derive(Debug, Default)]
struct Part {
    findings: Findings,
    tried: u64,
    skipped: Vec<String>,
}

/// Runs it. The twin is judged by its answers to requests alone.
///
/// # Errors
///
/// When it cannot be run to its end.
pub fn run(setting: &Setting) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let mut take = |name: &'static str, part: Part| {
        outcome.findings.extend(name, part.findings);
        outcome.counts.push((name, part.tried));
        outcome.skipped.extend(part.skipped);
    };
    take("requests", requests::run(setting)?);
    if setting.fault.is_none() {
        take("command lines", options::run(setting)?);
        take("databases", databases::run(setting)?);
        take("ports", starts::port_taken(setting)?);
    }
    Ok(outcome)
}
