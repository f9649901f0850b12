//! A service both of whose workers are held by tasks that never yield: it ends by its bound, and names them.

use std::time::{Duration, Instant};

use clap::Args;

use crate::findings::{Findings, Kind};
use crate::process::{Process, Signal};
use crate::program;
use crate::relay::Times;
use crate::scenario::{Failure, Setting};
use crate::stop::{Stop, shortened};
use crate::verdict::Outcome;
use crate::witness::Scene;
use crate::workplace::Workplace;

const TIMES: Times = Times { grace: Duration::from_millis(500), abort_after: Duration::from_millis(500) };

/// Workers of the service's runtime, and tasks that hold them.
const WORKERS: usize = 2;

/// How much is done.
#[derive(Clone, Copy, Debug, Args)]
pub struct Sizes {
    /// Services that end at once: what they name may be decided by a race
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub services: u64,
}

/// Runs it. The twin is the same service with workers that yield, where there is nothing to name.
///
/// # Errors
///
/// When it cannot be run to its end.
pub fn run(setting: &Setting, sizes: Sizes) -> Result<Outcome, Failure> {
    let busy = if setting.fault.is_some() { 0 } else { WORKERS };
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let (grace, abort_after) = (milliseconds(TIMES.grace), milliseconds(TIMES.abort_after));
    let args = ["--busy", &busy.to_string(), "--grace-ms", &grace, "--abort-after-ms", &abort_after].map(str::to_owned);
    let workplace = Workplace::new()?;
    let mut services = Vec::new();
    for _ in 0..sizes.services {
        services.push(Process::start(program::own("program-busy-service")?, &args, &workplace)?);
    }
    for process in &mut services {
        let ready = process.line_with("all workers are held", setting.deadline.within(Duration::from_secs(10)));
        ready.ok_or_else(|| Failure::TimedOut(format!("busy workers: {}", shortened(&process.stderr()))))?;
    }
    let signalled: Vec<Instant> = services.iter().map(signal).collect();
    let mut findings = Findings::default();
    let mut slowest = Duration::ZERO;
    for (number, (process, began)) in services.iter_mut().zip(signalled).enumerate() {
        let stop = Stop::of(process, began, TIMES.limit());
        slowest = slowest.max(stop.took);
        findings.extend(&format!("service {number}"), judge(&stop));
    }
    for process in &services {
        let scene = Scene { mark: process.mark(), address: None, folders: &[(&workplace.temporary(), &[])] };
        findings.extend("afterwards", scene.inspect());
    }
    let slowest = u64::try_from(slowest.as_millis()).unwrap_or(u64::MAX);
    let counts = vec![("services", sizes.services), ("ms the slowest stop", slowest)];
    Ok(Outcome { findings, counts, ..Outcome::default() })
}

fn signal(process: &Process) -> Instant {
    process.signal(Signal::TERM);
    Instant::now()
}

fn judge(stop: &Stop) -> Findings {
    let mut findings = Findings::default();
    for found in [stop.in_time(TIMES.limit()), stop.with_code(1), stop.without_panic(), named(&stop.stderr)] {
        findings.extend("stop", found);
    }
    findings
}

/// Whether every worker is named in the report, with the place it announced.
pub(super) fn named(stderr: &str) -> Findings {
    let mut findings = Findings::default();
    let places = announced(stderr);
    for worker in 0..WORKERS {
        let place = places.get(worker).map_or("a place", String::as_str);
        let is_named = is_named(stderr, &format!("worker {worker}"), place);
        findings.check(is_named, Kind::Unnamed, || {
            format!("no straggler `worker {worker}` spawned at {place}: {}", shortened(stderr))
        });
    }
    findings
}

/// The places that the tasks themselves told, by worker.
fn announced(stderr: &str) -> Vec<String> {
    let mut lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with("holding: ")).collect();
    lines.sort_unstable();
    lines.iter().filter_map(|line| line.split_once(" spawned at ").map(|(_, place)| place.to_owned())).collect()
}

/// Whether the report has a line with the name and the place. Announcements are no report.
fn is_named(stderr: &str, name: &str, place: &str) -> bool {
    let mut report = stderr.lines().filter(|line| !line.starts_with("holding: "));
    report.any(|line| line.contains(name) && line.contains(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "holding: worker 1 spawned at src/x.rs:9\nholding: worker 0 spawned at src/x.rs:9\n";

    #[test]
    fn announcements_are_no_report() {
        assert_eq!(announced(SAID), ["src/x.rs:9", "src/x.rs:9"]);
        assert!(!is_named(SAID, "worker 1", "src/x.rs:9"));
        assert!(is_named(&format!("{SAID}└─ worker 1  for 1 s  straggler, src/x.rs:9:5"), "worker 1", "src/x.rs:9"));
        assert!(named(SAID).has(Kind::Unnamed));
    }

    #[test]
    fn a_name_without_its_place_is_not_enough() {
        assert!(!is_named("└─ worker 1  for 1 s  straggler", "worker 1", "src/x.rs:9"));
    }
}
