//! The stages at which a program with a hold point stops, and what is new there.

use std::time::{Duration, Instant};

use landfall_lifecycle::leak_check;
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

    /// What is new; nothing more of one that has gone meanwhile.
    fn new_items(&self, began: &Sight, held: &Held, process: &Process) -> Vec<Finding> {
        // Whoever does not say which threads were there before the runtime cannot be judged by them.
        let knows_threads = began.said.threads_before.is_some();
        let look = || {
            let mut new = judge::new_items(began, &sight(&held.said, process).ok_or(())?);
            new.retain(|leak| knows_threads || leak.kind != leak_check::Kind::Thread);
            Ok::<_, ()>(new)
        };
        judge::settled(&self.findings, SETTLE, look).unwrap_or_default()
    }
}

/// What can be seen of the program; `None` if it has gone. The one that was started may be a shell that waits for it.
fn sight(said: &Said, process: &Process) -> Option<Sight> {
    // New files are looked for when it has ended.
    Sight::of(said, process.id(), Vec::new()).ok()
}
