//! One round of an observed scenario, from outside: start the target, count it where it is held, let it go, judge.

use std::env;
use std::io;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::watch::{SETTLE, Watch};
use super::{Observed, judge};
use crate::deadline::Deadline;
use crate::findings::{Findings, Kind};
use crate::process::{Process, Signal};
use crate::random::Random;
use crate::scenario::{Failure, Setting};
use crate::stop::{Stop, shortened};
use crate::twin::Planted;
use crate::verdict::Outcome;
use crate::witness::{self, Scene};
use crate::workplace::Workplace;

/// How long something new may take to go in the run of a planted leak, which is there from the beginning.
const SETTLE_PLANTED: Duration = Duration::from_millis(200);
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
    watch: Watch,
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
    let is_planted = setting.fault.is_some_and(|twin| twin.planted == Planted::InScenario);
    let watch = Watch::new(&workplace, if is_planted { SETTLE_PLANTED } else { SETTLE })?;
    let process = start(setting, &workplace, &watch)?;
    let mut round = Round { process, watch, findings: Findings::default(), counts: Vec::new() };
    let observed = round.observe(scenario, setting);
    // What was counted has names, so it comes first.
    let judged = std::mem::replace(&mut round.findings, round.watch.take_findings());
    round.findings.append(judged);
    let report = match observed {
        Ok(report) => report,
        // The target's fault, not the machine's.
        Err(Failure::NotHeld(not_held)) => {
            let text = format!("{not_held}: {}", shortened(&round.process.stderr()));
            round.findings.add(Kind::WrongExit, text);
            None
        }
        Err(failure) => return Err(failure),
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
fn start(setting: &Setting, workplace: &Workplace, watch: &Watch) -> io::Result<Process> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--target", "--seed", &setting.seed.to_string()]);
    watch.ask(&mut command);
    match setting.fault {
        Some(twin) if twin.planted == Planted::InProduct => twin.arm(&mut command),
        Some(twin) => drop(command.args(["--planted", twin.fault])),
        None => {}
    }
    Process::spawn(&mut command, workplace)
}

impl Round {
    fn observe(&mut self, scenario: &Observed, setting: &Setting) -> Result<Option<Value>, Failure> {
        self.watch.began(&mut self.process, setting.deadline)?;
        self.drive(scenario, setting)?;
        let report = self.watch.ended(&mut self.process, setting.deadline)?;
        self.findings.extend("ended", judge::report(report.as_ref()));
        self.watch.over(&mut self.process, setting.deadline)?;
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
