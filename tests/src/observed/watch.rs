//! Whoever watches one program from outside: what it held where it began, and what is new at each later stage.

use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use landfall_lifecycle::leak_check::HoldPoint;
use serde_json::Value;

use super::hold::{Held, Hold, Said};
use super::judge::{self, Sight};
use crate::deadline::Deadline;
use crate::findings::{Finding, Findings};
use crate::process::Process;
use crate::scenario::Failure;
use crate::witness;
use crate::workplace::Workplace;

/// How long the kernel, and what ends beside the termination, may take before something new counts as left.
pub const SETTLE: Duration = Duration::from_secs(2);

/// The watch over one program, from its start to its end.
#[derive(Debug)]
pub struct Watch {
    hold: Hold,
    /// What the program has for temporary files.
    folder: PathBuf,
    settle: Duration,
    began: Option<Sight>,
    findings: Findings,
}

impl Watch {
    /// A watch over a program that is to be started in the workplace; what is new may take so long to go.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new(workplace: &Workplace, settle: Duration) -> io::Result<Self> {
        let (hold, folder) = (Hold::new(workplace)?, workplace.temporary());
        Ok(Self { hold, folder, settle, began: None, findings: Findings::default() })
    }

    /// Asks the program to be held.
    pub fn ask(&self, command: &mut Command) {
        command.env(HoldPoint::VARIABLE, self.hold.path());
    }

    /// Takes what it holds where it begins, and lets it go.
    ///
    /// # Errors
    ///
    /// When it is not held, or cannot be looked at.
    pub fn began(&mut self, process: &mut Process, deadline: Deadline) -> Result<(), Failure> {
        let held = self.hold.wait("began", process, deadline)?;
        self.began = Some(self.sight(process, &held.said)?);
        Ok(())
    }

    /// Judges its tasks and what it holds where its termination has ended, lets it go, and gives the report.
    ///
    /// # Errors
    ///
    /// When it is not held, or cannot be looked at.
    pub fn ended(&mut self, process: &mut Process, deadline: Deadline) -> Result<Option<Value>, Failure> {
        let held = self.hold.wait("ended", process, deadline)?;
        if let Some(began) = &self.began {
            self.findings.extend("ended", judge::tasks(&began.said, &held.said));
        }
        self.count(process, &held)?;
        Ok(held.said.report)
    }

    /// Judges what it holds where its runtime has gone, and lets it go.
    ///
    /// # Errors
    ///
    /// When it is not held, or cannot be looked at.
    pub fn over(&mut self, process: &mut Process, deadline: Deadline) -> Result<(), Failure> {
        let held = self.hold.wait("over", process, deadline)?;
        self.count(process, &held)
    }

    /// What was found so far.
    pub fn take_findings(&mut self) -> Findings {
        std::mem::take(&mut self.findings)
    }

    /// What can be seen of the program at this moment.
    fn sight(&self, process: &Process, said: &Said) -> Result<Sight, Failure> {
        let files = witness::files(&self.folder, &[])?;
        Ok(Sight::of(said, process.id(), files).map_err(io::Error::other)?)
    }

    /// Judges what is new, under the name of the stage.
    fn count(&mut self, process: &Process, held: &Held) -> Result<(), Failure> {
        let Some(began) = &self.began else { return Ok(()) };
        let look = || self.sight(process, &held.said).map(|now| judge::new_items(began, &now));
        for finding in judge::settled(&self.findings, self.settle, look)? {
            self.findings.push(Finding { text: format!("{}: {}", held.said.stage, finding.text), ..finding });
        }
        Ok(())
    }
}
