//! The stages at which a program with a hold point stops, and what is new there.

use std::thread;
use std::time::{Duration, Instant};

use landfall_lifecycle::leak_check::{self, Footprint};
use serde_json::Value;

use crate::deadline::Deadline;
use crate::findings::{Finding, Findings, Kind};
use crate::observed::hold::{Held, Hold, NotHeld, Said};
use crate::observed::judge::{self, Sight};
use crate::process::Process;
use crate::workplace::Workplace;

use super::left::SETTLE;
use super::problem::Problem;

/// The stages in their order.
const STAGES: [&str; 3] = ["began", "ended", "over"];

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What was seen of a program where it was held; of one without a hold point, nothing.
#[derive(Debug)]
pub(super) struct Stages {
    hold: Hold,
    began: Option<Sight>,
    /// The stages so far.
    pub(super) seen: Vec<&'static str>,
    pub(super) findings: Findings,
    pub(super) report: Option<Value>,
    /// How long it was held: that is no time of its own.
    pub(super) held_for: Duration,
}

impl Stages {
    pub(super) fn new(workplace: &Workplace) -> Result<Self, Problem> {
        let hold = Hold::new(workplace).map_err(Problem::machine("listen on a socket"))?;
        let (findings, held_for) = (Findings::default(), Duration::ZERO);
        Ok(Self { hold, began: None, seen: Vec::new(), findings, report: None, held_for })
    }

    /// The setting that a program with a hold point looks for.
    pub(super) fn setting(&self) -> (&str, &std::path::Path) {
        (leak_check::HoldPoint::VARIABLE, self.hold.path())
    }

    /// Looks whether the program is held, counts what it holds, and lets it go.
    pub(super) fn look(&mut self, process: &mut Process) {
        let Some(stage) = STAGES.get(self.seen.len()) else { return };
        let began = Instant::now();
        match self.hold.wait(stage, process, Deadline::after(Duration::ZERO)) {
            Ok(held) => {
                self.seen.push(stage);
                self.see(stage, &held, process);
                drop(held);
                self.held_for += began.elapsed();
            }
            Err(NotHeld::Ended { .. } | NotHeld::TimedOut { .. }) => {}
            Err(other) => self.findings.add(Kind::WrongAnswer, other.to_string()),
        }
    }

    fn see(&mut self, stage: &str, held: &Held, process: &Process) {
        let Some(began) = self.began.take() else {
            self.began = sight(&held.said, process);
            return;
        };
        let mut findings = judge::tasks(&began.said, &held.said);
        if let Some(report) = &held.said.report {
            let text = || format!("the report is not clean: {report}");
            findings.check(report["clean"] == true, Kind::Unclean, text);
            self.report = Some(report.clone());
        }
        for finding in self.new_items(&began, held, process) {
            findings.push(finding);
        }
        self.findings.extend(stage, findings);
        self.began = Some(began);
    }

    /// Looks until nothing new is left, or for long enough; what was found at an earlier stage is not found again.
    fn new_items(&self, began: &Sight, held: &Held, process: &Process) -> Vec<Finding> {
        let deadline = Deadline::after(SETTLE);
        loop {
            let Some(now) = sight(&held.said, process) else { return Vec::new() };
            let mut new = judge::new_items(began, &now);
            // Whoever does not say which threads were there before the runtime cannot be judged by them.
            let knows_threads = began.said.threads_before.is_some();
            new.retain(|leak| knows_threads || leak.kind != leak_check::Kind::Thread);
            let mut new: Vec<Finding> = new.into_iter().map(Finding::from).collect();
            new.retain(|finding| !self.findings.knows(finding));
            if new.is_empty() || deadline.is_over() {
                return new;
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// What can be seen of the program; `None` if it has gone.
fn sight(said: &Said, process: &Process) -> Option<Sight> {
    // The one that is signalled may be a shell that waits for the program.
    let footprint = Footprint::of(said.pid.unwrap_or(process.id())).ok()?;
    let footprint = match said.connection {
        Some(inode) => footprint.without_socket(inode),
        None => footprint,
    };
    // New files are looked for when it has ended.
    Some(Sight { footprint, files: Vec::new(), said: said.clone() })
}
