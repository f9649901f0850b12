//! One round of an observed scenario, from outside: start the target, count it where it is held, let it go, judge.

use std::env;
use std::io;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use landfall_lifecycle::leak_check::{Footprint, HoldPoint};
use serde_json::Value;

use super::Observed;
use super::hold::{Held, Hold, NotHeld, Said};
use super::judge::{self, Sight};
use crate::deadline::Deadline;
use crate::findings::{Finding, Findings, Kind};
use crate::process::{Process, Signal};
use crate::random::Random;
use crate::scenario::{Failure, Setting};
use crate::stop::{Stop, shortened};
use crate::twin::Planted;
use crate::verdict::Outcome;
use crate::witness::{self, Scene};
use crate::workplace::Workplace;

/// How long the kernel, and what ends beside the termination, may take before something new counts as left.
const SETTLE: Duration = Duration::from_secs(2);
/// The same in the run of a planted leak, which is there from the beginning.
const SETTLE_PLANTED: Duration = Duration::from_millis(200);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long the process may take to exit once it is let go for the last time.
const EXIT_MAX: Duration = Duration::from_secs(10);
/// How long the target may take to say that it is ready.
const LINE_MAX: Duration = Duration::from_secs(20);
/// A signal from outside comes within this.
const SIGNAL_WITHIN: Duration = Duration::from_millis(60);

/// What drives a target from outside.
#[derive(Debug)]
pub struct Drive<'a> {
    /// The target.
    pub process: &'a mut Process,
    /// The moments.
    pub random: Random,
    /// When the round has to be over.
    pub deadline: Deadline,
    /// What is wrong.
    pub findings: Findings,
    /// What was done and counted, with its name.
    pub counts: Vec<(&'static str, u64)>,
}

impl Drive<'_> {
    /// Waits for a line that the target prints, and gives what follows the words in it.
    ///
    /// # Errors
    ///
    /// When it does not come.
    pub fn line_with(&mut self, words: &str) -> Result<String, Failure> {
        let said = self.process.line_with(words, self.deadline.within(LINE_MAX));
        said.ok_or_else(|| Failure::TimedOut(format!("the line `{words}`: {}", shortened(&self.process.stderr()))))
    }

    /// Sends SIGTERM at a random moment.
    pub fn signal_soon(&mut self) {
        thread::sleep(self.random.time_below(SIGNAL_WITHIN));
        self.process.signal(Signal::TERM);
    }
}

/// A target under observation.
struct Round {
    process: Process,
    workplace: Workplace,
    settle: Duration,
    findings: Findings,
    counts: Vec<(&'static str, u64)>,
}

/// Runs one round.
///
/// # Errors
///
/// When it cannot be run; what is wrong with the target is a finding.
pub(super) fn run(scenario: &Observed, setting: &Setting) -> Result<Outcome, Failure> {
    let workplace = Workplace::new()?;
    let hold = Hold::new(&workplace)?;
    let process = start(setting, &workplace, &hold)?;
    let is_planted = setting.fault.is_some_and(|twin| twin.planted == Planted::InScenario);
    let settle = if is_planted { SETTLE_PLANTED } else { SETTLE };
    let mut round = Round { process, workplace, settle, findings: Findings::default(), counts: Vec::new() };
    let report = match round.observe(scenario, setting, &hold) {
        Ok(report) => report,
        Err(Stopped::NotHeld(not_held)) => {
            let text = format!("{not_held}: {}", shortened(&round.process.stderr()));
            round.findings.add(Kind::WrongExit, text);
            None
        }
        Err(Stopped::Failed(failure)) => return Err(failure),
    };
    round.exit();
    let took = report.as_ref().and_then(|report| report["took_ms"].as_u64()).map(Duration::from_millis);
    round.counts.push(("terminations", u64::from(took.is_some())));
    Ok(Outcome {
        findings: round.findings,
        counts: round.counts,
        took: took.into_iter().collect(),
        report,
        ..Outcome::default()
    })
}

/// The program that this is, as the target.
fn start(setting: &Setting, workplace: &Workplace, hold: &Hold) -> io::Result<Process> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--target", "--seed", &setting.seed.to_string()]).env(HoldPoint::VARIABLE, hold.path());
    match setting.fault {
        Some(twin) if twin.planted == Planted::InProduct => command.env("LANDFALL_FAULT", twin.fault),
        Some(twin) => command.args(["--planted", twin.fault]),
        None => &mut command,
    };
    Process::spawn(&mut command, workplace)
}

/// Why a round did not come to `over`.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    /// The target's fault.
    #[error(transparent)]
    NotHeld(#[from] NotHeld),
    /// The machine's.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Round {
    fn observe(&mut self, scenario: &Observed, setting: &Setting, hold: &Hold) -> Result<Option<Value>, Stopped> {
        let held = hold.wait("began", &mut self.process, setting.deadline)?;
        let began = self.sight(&held.said)?;
        drop(held);
        self.drive(scenario, setting)?;

        let held = hold.wait("ended", &mut self.process, setting.deadline)?;
        self.findings.extend("ended", judge::tasks(&began.said, &held.said));
        self.findings.extend("ended", judge::report(held.said.report.as_ref()));
        self.count(&began, &held)?;
        let report = held.said.report.clone();
        drop(held);

        let held = hold.wait("over", &mut self.process, setting.deadline)?;
        self.count(&began, &held)?;
        Ok(report)
    }

    fn drive(&mut self, scenario: &Observed, setting: &Setting) -> Result<(), Failure> {
        let mut drive = Drive {
            process: &mut self.process,
            random: setting.random(),
            deadline: setting.deadline,
            findings: Findings::default(),
            counts: Vec::new(),
        };
        (scenario.drive)(&mut drive)?;
        let Drive { findings, counts, .. } = drive;
        self.findings.extend("from outside", findings);
        self.counts.extend(counts);
        Ok(())
    }

    /// What can be seen of the target at this moment.
    fn sight(&self, said: &Said) -> Result<Sight, Failure> {
        let footprint = Footprint::of(self.process.id()).map_err(io::Error::other)?;
        // Its end of the connection over which it is held is no concern of its own.
        let footprint = match said.connection {
            Some(inode) => footprint.without_socket(inode),
            None => footprint,
        };
        let files = witness::files(&self.workplace.temporary(), &[])?;
        Ok(Sight { footprint, files, said: said.clone() })
    }

    /// Looks until nothing new is left, or for long enough. What was found where it ended is not found again.
    fn count(&mut self, began: &Sight, held: &Held) -> Result<(), Failure> {
        let deadline = Deadline::after(self.settle);
        let new = loop {
            let now = self.sight(&held.said)?;
            let mut new: Vec<Finding> = judge::new_items(began, &now).into_iter().map(Finding::from).collect();
            new.retain(|finding| !self.findings.knows(finding));
            if new.is_empty() || deadline.is_over() {
                break new;
            }
            thread::sleep(LOOK_EVERY);
        };
        for finding in new {
            self.findings.push(Finding { text: format!("{}: {}", held.said.stage, finding.text), ..finding });
        }
        Ok(())
    }

    /// Sees the target out: its exit, and which processes of it are left in the system.
    fn exit(&mut self) {
        let is_held = self.findings.has(Kind::WrongExit);
        let stop = Stop::of(&mut self.process, Instant::now(), if is_held { Duration::ZERO } else { EXIT_MAX });
        if !is_held {
            self.findings.extend("exit", stop.in_time(EXIT_MAX));
            self.findings.extend("exit", stop.with_code(0));
        }
        self.findings.extend("exit", stop.without_panic());
        if self.findings.has(Kind::ChildProcess) {
            witness::kill(self.process.mark());
        }
        let scene = Scene { mark: self.process.mark(), address: None, folders: &[] };
        self.findings.extend("exit", scene.inspect());
    }
}
