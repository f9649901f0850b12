//! One round: started, ready, driven, signalled, ended, looked after.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::deadline::Deadline;
use crate::findings::{Finding, Findings, Kind};
use crate::process::Signal;
use crate::random::Random;
use crate::workplace::Workplace;

use super::interrupt::Interrupt;
use super::left::{self, Files, Listener};
use super::options::Options;
use super::problem::{Problem, last_lines};
use super::sessions::Sessions;
use super::stages::Stages;
use super::subject::{Subject, ended};

/// The signal comes at a random moment, at most so long after the program was ready.
const SIGNAL_WITHIN: Duration = Duration::from_secs(2);

/// What a round is given.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) options: &'a Options,
    pub(super) number: u64,
    pub(super) seed: u64,
    pub(super) sessions: Option<&'a Sessions>,
    pub(super) interrupt: &'a Interrupt,
}

/// What was seen in it.
#[derive(Debug)]
pub(super) struct Round {
    number: u64,
    seed: u64,
    ready_after: Duration,
    signalled_after: Duration,
    ended_after: Duration,
    /// Whether it did; else it was killed.
    has_ended: bool,
    /// How it ended, in words.
    ended: String,
    /// How many server sessions it had when it was signalled; `None` if they are not counted.
    pub(super) sessions: Option<u64>,
    /// The stages at which it was held.
    pub(super) stages: Vec<&'static str>,
    pub(super) findings: Findings,
    report: Option<Value>,
}

/// A round that runs.
struct Running<'a> {
    setting: &'a Setting<'a>,
    application: String,
    subject: Subject,
    stages: Stages,
}

/// Runs a round to its end.
pub(super) fn run(setting: &Setting<'_>) -> Result<Round, Problem> {
    let options = setting.options;
    let workplace = Workplace::new().map_err(Problem::machine("make a folder"))?;
    let folder = folder(options, &workplace)?;
    let folders = [(folder.clone(), "its working folder"), (workplace.temporary(), "its folder for temporary files")];
    let files = Files::of(folders.into())?;
    let application = format!("landfall-{}-{}", std::process::id(), setting.number);
    let line = options.command.replace("{app}", &application);
    let began = Instant::now();
    let stages = Stages::new(&workplace)?;
    let settings = [("PGAPPNAME", application.as_ref()), stages.setting()];
    let subject = Subject::start(&line, &folder, &settings, &workplace)?;
    let mut running = Running { setting, application, subject, stages };
    running.wait_until_ready()?;
    let ready_after = began.elapsed();
    let drive = match &options.drive {
        Some(drive) => Some(Subject::start(drive, &folder, &[], &workplace)?),
        None => None,
    };
    let mut round = running.signal_and_wait(drive)?;
    round.ready_after = ready_after;
    if round.has_ended {
        round.findings.extend("afterwards", files.new_ones()?);
    }
    Ok(round)
}

fn folder(options: &Options, workplace: &Workplace) -> Result<PathBuf, Problem> {
    if let Some(folder) = &options.folder {
        let problem = Problem::machine(format!("use the folder {}", folder.display()));
        return fs::canonicalize(folder).map_err(problem);
    }
    let folder = workplace.root().join("work");
    fs::create_dir(&folder).map_err(Problem::machine("make a folder"))?;
    Ok(folder)
}

impl Running<'_> {
    fn wait_until_ready(&mut self) -> Result<(), Problem> {
        let Options { command, ready_when, ready_max, folder, .. } = self.setting.options;
        let deadline = Deadline::after(self.setting.options.ready_limit());
        let process = &mut self.subject.process;
        let is_ready = self.setting.interrupt.poll(deadline, || {
            self.stages.look(process);
            // Asked before the look: what has ended prints nothing more.
            let has_ended = process.ended().is_some();
            let is_ready = process.line_with(ready_when, Deadline::after(Duration::ZERO)).is_some();
            (is_ready || has_ended).then_some(is_ready)
        })?;
        if is_ready == Some(true) {
            return Ok(());
        }
        let said = last_lines(&process.stdout(), &process.stderr());
        let command = command.clone();
        Err(match process.ended() {
            Some(status) => {
                let hint = Problem::hint(status, folder.is_none());
                Problem::EndedEarly { command, status, hint, said }
            }
            None => Problem::NeverReady { command, ready_when: ready_when.clone(), limit_seconds: *ready_max, said },
        })
    }

    /// Ends the program at its random moment, and looks at what is left.
    fn signal_and_wait(&mut self, drive: Option<Subject>) -> Result<Round, Problem> {
        let moment = Random::new(self.setting.seed).time_below(SIGNAL_WITHIN);
        let ready = Instant::now();
        let mut drive = drive;
        self.until(ready + moment, drive.as_mut())?;
        let sessions = self.sessions()?;
        let listened = left::listeners(&self.subject);
        let behind_a_shell = self.subject.is_behind_a_shell();
        let ended_before = self.subject.process.ended().is_some();
        let signalled = Instant::now();
        self.subject.process.signal(Signal::TERM);
        let deadline = Deadline::after(self.setting.options.grace_limit());
        let held_before = self.stages.held_for;
        let status = self.setting.interrupt.poll(deadline, || {
            self.stages.look(&mut self.subject.process);
            self.subject.process.ended()
        })?;
        let ended_after = signalled.elapsed().saturating_sub(self.stages.held_for - held_before);
        // It may have been given work until now; that it fails from here on is no wonder.
        drop(drive);
        let mut findings = self.judge(status, ended_before, behind_a_shell);
        findings.extend("held", std::mem::take(&mut self.stages.findings));
        if status.is_some() {
            findings.extend("afterwards", self.look_around(&listened)?);
        }
        self.subject.kill();
        Ok(Round {
            number: self.setting.number,
            seed: self.setting.seed,
            ready_after: Duration::ZERO,
            signalled_after: signalled - ready,
            ended_after,
            has_ended: status.is_some(),
            ended: status.map_or_else(|| "killed".to_owned(), |status| format!("ended with {}", ended(status))),
            sessions,
            stages: std::mem::take(&mut self.stages.seen),
            findings,
            report: self.stages.report.take(),
        })
    }

    /// Lets the program run until the moment comes, it ends, or its drive fails.
    fn until(&mut self, moment: Instant, mut drive: Option<&mut Subject>) -> Result<(), Problem> {
        let deadline = Deadline::after(moment.saturating_duration_since(Instant::now()));
        let process = &mut self.subject.process;
        let failed = self.setting.interrupt.poll(deadline, || {
            self.stages.look(process);
            let failed = drive.as_mut().and_then(|drive| drive.process.ended()).filter(|status| !status.success());
            // Looked at after the drive: one that fails because the program has gone is not at fault.
            match (process.ended(), failed) {
                (Some(_), _) => Some(None),
                (None, Some(status)) => Some(Some(status)),
                (None, None) => None,
            }
        })?;
        let (Some(Some(status)), Some(drive)) = (failed, drive) else { return Ok(()) };
        let said = last_lines(&drive.process.stdout(), &drive.process.stderr());
        let command = self.setting.options.drive.clone().unwrap_or_default();
        Err(Problem::DriveFailed { command, status, said })
    }

    fn sessions(&self) -> Result<Option<u64>, Problem> {
        self.setting.sessions.map(|sessions| sessions.count(&self.application)).transpose()
    }

    fn judge(&self, status: Option<ExitStatus>, ended_before: bool, behind_a_shell: bool) -> Findings {
        let mut findings = Findings::default();
        let process = &self.subject.process;
        let said = || last_lines(&process.stdout(), &process.stderr()).replace('\n', " |");
        let limit = self.setting.options.grace_max;
        match status {
            None => findings.add(Kind::Late, format!("had not ended {limit} s after SIGTERM, and was killed")),
            Some(status) if ended_before => {
                findings.add(Kind::WrongExit, format!("ended with {} before the signal:{}", ended(status), said()));
            }
            Some(status) if status.success() => {}
            Some(status) if behind_a_shell && status.code().is_none() => {
                let hint = "the signal went to the shell that waits for the program: put `exec` before it";
                findings.add(Kind::WrongExit, format!("ended with {}; {hint}", ended(status)));
            }
            Some(status) if status.code().is_none() => {
                let text = format!("ended with {}: it does not handle SIGTERM", ended(status));
                findings.add(Kind::WrongExit, text);
            }
            Some(status) => findings.add(Kind::WrongExit, format!("ended with {}:{}", ended(status), said())),
        }
        findings
    }

    fn look_around(&self, listened: &[Listener]) -> Result<Findings, Problem> {
        let mut findings = left::inspect(&self.subject, listened);
        let Some(sessions) = self.setting.sessions else { return Ok(findings) };
        let deadline = Deadline::after(left::SETTLE);
        let mut count = sessions.count(&self.application)?;
        while count > 0 && !deadline.is_over() {
            count = sessions.count(&self.application)?;
        }
        if count > 0 {
            let plural = if count == 1 { " of" } else { "s of" };
            let text = format!("{count} session{plural} `{}` still on the server", self.application);
            findings.push(Finding::new(Kind::Session, text).named(&*self.application));
        }
        Ok(findings)
    }
}

impl Round {
    pub(super) fn to_json(&self) -> Value {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        json!({
            "round": self.number,
            "seed": self.seed,
            "ready_after_ms": millis(self.ready_after),
            "signalled_after_ms": millis(self.signalled_after),
            "ended_after_ms": millis(self.ended_after),
            "ended": self.ended,
            "sessions": self.sessions,
            "stages": self.stages,
            "clean": self.findings.is_empty(),
            "leaks": self.findings.to_json(),
            "report": self.report,
        })
    }
}

impl Display for Round {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { number, ready_after, signalled_after, ended_after, ended, findings, .. } = self;
        write!(
            f,
            "round {number}: ready after {ready_after:.1?}, signalled {signalled_after:.1?} later, {ended} \
             {ended_after:.1?} after that"
        )?;
        if findings.is_empty() { write!(f, ": clean") } else { write!(f, ": {findings}") }
    }
}
