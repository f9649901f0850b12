//! The observer's end of the hold protocol: a program that is held at a stage says how it stands, and waits to be let go.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::deadline::Deadline;
use crate::process::Process;
use crate::workplace::Workplace;

/// The longest line that is read.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How long a program that has connected may take to say its line.
const SAY_MAX: Duration = Duration::from_secs(10);

/// Where programs come to be held.
#[derive(Debug)]
pub struct Hold {
    listener: UnixListener,
    path: PathBuf,
}

/// A program that is held. It goes on when this is dropped.
#[derive(Debug)]
pub struct Held {
    /// What it said.
    pub said: Said,
    _stream: UnixStream,
}

/// What a program says where it is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// `began`, `ended` or `over`.
    pub stage: String,
    /// Its process, as it sees itself; `None` if it does not say.
    pub pid: Option<u32>,
    /// Tasks that its runtime counts; `None` once there is no runtime.
    pub alive: Option<u64>,
    /// How many of them its own sets know.
    pub registered: u64,
    /// The live entries of its own sets.
    pub tasks: Vec<TaskSaid>,
    /// Tasks that none of its sets has; `None` where tokio does not tell.
    pub foreign: Option<Vec<TaskSaid>>,
    /// The threads that were there before its runtime; `None` if it does not say.
    pub threads_before: Option<Vec<u32>>,
    /// The inode of its end of this connection.
    pub connection: Option<u64>,
    /// The report, once there is one.
    pub report: Option<Value>,
}

/// A task that lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskSaid {
    /// Its name; empty if it has none.
    pub name: String,
    /// What it is: a task, a blocking job, a thread.
    pub kind: String,
    /// What spawned it, as `file:line`.
    pub place: String,
}

/// Why a program is not held where it should be.
#[derive(Debug, thiserror::Error)]
pub enum NotHeld {
    /// It ended before.
    #[error("the program ended before it was held at `{stage}`")]
    Ended {
        /// Where it should have been.
        stage: &'static str,
    },
    /// It did not come in time.
    #[error("the program was not held at `{stage}` in time")]
    TimedOut {
        /// Where it should have been.
        stage: &'static str,
    },
    /// It is held elsewhere.
    #[error("the program is held at `{at}` instead of `{stage}`")]
    Elsewhere {
        /// Where it should have been.
        stage: &'static str,
        /// Where it is.
        at: String,
    },
    /// What it says is not in the protocol.
    #[error("the program says at `{stage}` what cannot be read: {source}")]
    Unreadable {
        /// Where it should have been.
        stage: &'static str,
        /// What is wrong with it.
        source: io::Error,
    },
}

impl Hold {
    /// A socket in the workplace.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new(workplace: &Workplace) -> io::Result<Self> {
        let path = workplace.root().join("hold");
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path })
    }

    /// What `LANDFALL_HOLD` has to name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the program is held at this stage.
    ///
    /// # Errors
    ///
    /// When it is not.
    pub fn wait(&self, stage: &'static str, process: &mut Process, deadline: Deadline) -> Result<Held, NotHeld> {
        let accepted = deadline.poll(|| {
            // Asked before the look: one that came and was killed is found here by its end.
            let has_ended = process.ended().is_some();
            match self.listener.accept() {
                Ok((stream, _)) => Some(Ok(stream)),
                Err(_) if has_ended => Some(Err(NotHeld::Ended { stage })),
                Err(_) => None,
            }
        });
        let stream = accepted.unwrap_or(Err(NotHeld::TimedOut { stage }))?;
        let said = read(&stream).map_err(|source| NotHeld::Unreadable { stage, source })?;
        if said.stage == stage {
            Ok(Held { said, _stream: stream })
        } else {
            Err(NotHeld::Elsewhere { stage, at: said.stage })
        }
    }
}

fn read(stream: &UnixStream) -> io::Result<Said> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(SAY_MAX))?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line)?;
    let value: Value = serde_json::from_str(&line)?;
    Said::of(&value).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, line))
}

impl Said {
    /// Reads a line; `None` if something is missing that each has.
    fn of(value: &Value) -> Option<Self> {
        let tasks = |value: &Value| value.as_array().map(|tasks| tasks.iter().map(TaskSaid::of).collect::<Vec<_>>());
        Some(Self {
            stage: value["stage"].as_str()?.to_owned(),
            pid: value["pid"].as_u64().and_then(|id| u32::try_from(id).ok()),
            alive: value["alive"].as_u64(),
            registered: value["registered"].as_u64()?,
            tasks: tasks(&value["tasks"])?,
            foreign: tasks(&value["foreign"]),
            threads_before: value["threads_before"]
                .as_array()
                .map(|ids| ids.iter().filter_map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()),
            connection: value["connection"].as_u64(),
            report: Some(value["report"].clone()).filter(|report| !report.is_null()),
        })
    }
}

impl TaskSaid {
    fn of(value: &Value) -> Self {
        let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        Self { name: text("name"), kind: text("kind"), place: text("place") }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LINE: &str = r#"{"stage":"ended","pid":7,"alive":2,"registered":1,
        "tasks":[{"name":"late","kind":"task","place":"src/x.rs:9","age_ms":3}],
        "foreign":[{"place":"src/y.rs:5","age_ms":1}],"threads_before":[7,8],
        "connection":12,"report":{"clean":true}}"#;

    #[test]
    fn a_line_is_read_with_all_it_says() {
        let said = Said::of(&serde_json::from_str(LINE).expect("it is JSON")).expect("it is complete");
        assert_eq!((said.stage.as_str(), said.pid, said.alive, said.registered), ("ended", Some(7), Some(2), 1));
        let late = TaskSaid { name: "late".to_owned(), kind: "task".to_owned(), place: "src/x.rs:9".to_owned() };
        assert_eq!(said.tasks, [late]);
        assert_eq!((said.threads_before, said.connection), (Some(vec![7, 8]), Some(12)));
        assert_eq!(said.foreign.expect("it is told")[0].place, "src/y.rs:5");
        assert_eq!(said.report.expect("there is one")["clean"], true);
    }

    #[test]
    fn a_line_that_lacks_something_is_refused() {
        for line in ["{}", r#"{"stage":"ended","registered":1}"#, r#"{"stage":1,"registered":1,"tasks":[]}"#, "7"] {
            assert_eq!(Said::of(&serde_json::from_str(line).expect("it is JSON")), None, "{line}");
        }
    }

    fn held(said: &str, stage: &'static str) -> Result<Held, NotHeld> {
        let workplace = Workplace::new().expect("a folder");
        let hold = Hold::new(&workplace).expect("a socket");
        let mut process = Process::start("sleep", ["600"], &workplace).expect("it is there");
        let mut stream = UnixStream::connect(hold.path()).expect("it listens");
        stream
            .write_all(said.replace('\n', " ").as_bytes())
            .and_then(|()| stream.write_all(b"\n"))
            .expect("it listens");
        hold.wait(stage, &mut process, Deadline::after(Duration::from_secs(60)))
    }

    #[test]
    fn who_is_held_elsewhere_or_says_nothing_readable_is_found_out() {
        assert!(held(LINE, "ended").is_ok());
        assert!(matches!(held(LINE, "began"), Err(NotHeld::Elsewhere { .. })));
        assert!(matches!(held("what?", "began"), Err(NotHeld::Unreadable { .. })));
    }

    #[test]
    fn who_ends_instead_is_not_waited_for() {
        let workplace = Workplace::new().expect("a folder");
        let hold = Hold::new(&workplace).expect("a socket");
        let mut process = Process::start("true", [""; 0], &workplace).expect("it is there");
        let held = hold.wait("began", &mut process, Deadline::after(Duration::from_secs(60)));
        assert!(matches!(held, Err(NotHeld::Ended { stage: "began" })));
    }
}
