//! The relay as a child process, and what is asked of it over HTTP.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::findings::Findings;
use crate::http::{Answer, Client};
use crate::journal::{EventId, Number, Sight};
use crate::observed::watch::Watch;
use crate::process::{Process, Signal};
use crate::scenario::Failure;
use crate::stop::{Stop, shortened};
use crate::twin::Twin;
use crate::witness::Scene;
use crate::workplace::Workplace;

/// Time for each step of a request.
const STEP: Duration = Duration::from_secs(10);

/// Time for a start: the file may have to be recovered first.
const START: Duration = Duration::from_secs(20);

/// How a relay is started: the program, with the arguments that come first.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// What a twin is told before anything else.
    pub first: Vec<String>,
    /// The fault point that is armed in it.
    pub armed: Option<Twin>,
}

/// The times a relay has to end.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// `--grace`
    pub grace: Duration,
    /// `--abort-after`
    pub abort_after: Duration,
}

impl Times {
    /// The bound: the abort instant and one second.
    pub fn limit(self) -> Duration {
        self.grace + self.abort_after + Duration::from_secs(1)
    }
}

/// A relay does not listen.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot be started.
    #[error("the relay cannot be started: {0}")]
    Spawn(#[from] io::Error),
    /// It did not say that it listens.
    #[error("the relay does not listen: {stderr}")]
    NotListening {
        /// What it complained of.
        stderr: String,
    },
}

/// A relay that listens.
#[derive(Debug)]
pub struct Relay {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Program {
    /// The command with these arguments.
    fn command(&self, args: Vec<OsString>) -> Command {
        let mut command = Command::new(&self.path);
        command.args(args);
        if let Some(twin) = self.armed {
            twin.arm(&mut command);
        }
        command
    }

    /// The arguments for the workplace's database, and further ones.
    pub fn args(&self, database: &Path, times: Times, more: &[&str]) -> Vec<OsString> {
        let mut place = OsString::from("sqlite:");
        place.push(database);
        let (grace, abort) = (milliseconds(times.grace), milliseconds(times.abort_after));
        let fixed = ["--no-sample", "--json", "--listen", "127.0.0.1:0", "--grace", &grace, "--abort-after", &abort];
        let mut args: Vec<OsString> = self.first.iter().map(OsString::from).collect();
        args.extend(fixed.iter().chain(more).map(OsString::from));
        args.extend(["--database".into(), place]);
        args
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

impl Relay {
    /// Starts one on the workplace's database, and waits until it listens.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn start(
        program: &Program,
        workplace: &Workplace,
        times: Times,
        more: &[&str],
        deadline: Deadline,
    ) -> Result<Self, StartError> {
        let args = program.args(&workplace.database(), times, more);
        Self::listening(Process::spawn(&mut program.command(args), workplace)?, deadline)
    }

    /// As [`start`](Self::start), under a watch, which has seen it begin.
    ///
    /// # Errors
    ///
    /// When it is not held, or does not listen then.
    pub fn start_watched(
        program: &Program,
        workplace: &Workplace,
        times: Times,
        more: &[&str],
        watch: &mut Watch,
        deadline: Deadline,
    ) -> Result<Self, Failure> {
        let mut command = program.command(program.args(&workplace.database(), times, more));
        watch.ask(&mut command);
        let mut process = Process::spawn(&mut command, workplace)?;
        watch.began(&mut process, deadline)?;
        Ok(Self::listening(process, deadline)?)
    }

    /// Waits until what was started listens.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn listening(mut process: Process, deadline: Deadline) -> Result<Self, StartError> {
        let said = process.line_with("listening on http://", deadline.within(START));
        match said.and_then(|said| said.split_whitespace().next()?.parse().ok()) {
            Some(address) => Ok(Self { process, address }),
            None => Err(StartError::NotListening { stderr: shortened(&process.stderr()) }),
        }
    }

    /// Sends a signal, and waits for the end.
    pub fn stop(&mut self, signal: Signal, limit: Duration) -> Stop {
        Stop::by(&mut self.process, signal, limit)
    }

    /// As [`stop`](Self::stop), under the watch, which judges it at the later stages. That time counts.
    ///
    /// # Errors
    ///
    /// When it is not held there.
    pub fn stop_watched(&mut self, signal: Signal, limit: Duration, watch: &mut Watch) -> Result<Stop, Failure> {
        let (began, deadline) = (Instant::now(), Deadline::after(limit));
        self.process.signal(signal);
        watch.ended(&mut self.process, deadline)?;
        watch.over(&mut self.process, deadline)?;
        Ok(Stop::of(&mut self.process, began, limit))
    }

    /// A connection to it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn connect(&self) -> io::Result<Client> {
        Client::connect(self.address, STEP)
    }

    /// Posts one event.
    ///
    /// # Errors
    ///
    /// When there is no answer, or another than 202.
    pub fn post(&self, target: &str, number: Number) -> io::Result<EventId> {
        let body = serde_json::json!({ "target": target, "body": { "number": number.0 } }).to_string();
        let answer = self.connect()?.post("/events", body.as_bytes())?;
        let id = answer.json()["id"].as_i64().filter(|_| answer.status == 202);
        id.map(EventId).ok_or_else(|| io::Error::other(format!("the event was answered with {}", answer.status)))
    }

    /// What it knows of an event.
    pub fn sight(&self, id: EventId) -> Sight {
        let answer = self.connect().and_then(|mut client| client.get(&format!("/events/{}", id.0)));
        answer.map_or(Sight::Unknown, |answer| sight(&answer))
    }

    /// What it left behind, now that it has ended in order.
    pub fn remains(&self, workplace: &Workplace) -> Findings {
        let folders: [(&Path, &[&str]); 2] =
            [(&workplace.database_folder(), &["relay.db"]), (&workplace.temporary(), &[])];
        Scene { mark: self.process.mark(), address: Some(self.address), folders: &folders }.inspect()
    }
}

fn sight(answer: &Answer) -> Sight {
    if answer.status != 200 {
        return Sight::Unknown;
    }
    Sight::of(answer.json()["state"].as_str().unwrap_or_default())
}
