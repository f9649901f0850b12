//! The Go program: a line to it, a line from it.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long an answer may take: the adaptation gives a plugin two seconds for a request.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Why a scenario could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The program could not be started, written to or read.
    #[error("the Go program cannot be talked to")]
    Io {
        /// What the system says.
        #[from]
        source: io::Error,
    },
    /// The program ended, or wrote what is no answer.
    #[error("the Go program answered `{line}` to {asked}")]
    Answer {
        /// What it was asked.
        asked: String,
        /// What it wrote.
        line: String,
    },
    /// The program did not answer in time.
    #[error("the Go program did not answer within {ANSWER_MAX:?}: {asked}")]
    Silent {
        /// What it was asked.
        asked: String,
    },
    /// The program could not do what it was asked.
    #[error("the Go program could not do {asked}: {error}")]
    Refused {
        /// What it was asked.
        asked: String,
        /// What it says.
        error: String,
    },
    /// Our own plugin failed.
    #[error("the plugin on our stub: {0}")]
    Ours(String),
}

impl Trouble {
    /// An error of ours with all that it comes from.
    pub(super) fn of(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source());
        Self::Ours(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
    }
}

/// The Go program.
pub(super) struct Peer {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Peer {
    pub(super) fn start(program: &Path) -> Result<Self, Trouble> {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a pipe is missing").into());
        };
        Ok(Self { input, output: BufReader::new(output).lines(), _child: child })
    }

    /// Has something done, and gives the lines that it answers with.
    pub(super) async fn ask(&mut self, what: &str, mut with: Value) -> Result<Vec<String>, Trouble> {
        with["do"] = json!(what);
        let asked = with.to_string();
        self.input.write_all(format!("{asked}\n").as_bytes()).await?;
        let line = match timeout(ANSWER_MAX, self.output.next_line()).await {
            Err(_) => return Err(Trouble::Silent { asked }),
            Ok(line) => line?.unwrap_or_default(),
        };
        let Ok(answer) = line.parse::<Value>() else {
            return Err(Trouble::Answer { asked, line });
        };
        if let Some(error) = answer["error"].as_str() {
            return Err(Trouble::Refused { asked, error: error.to_owned() });
        }
        let lines = answer["lines"].as_array().cloned().unwrap_or_default();
        Ok(lines.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }
}
