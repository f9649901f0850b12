//! One program as a child process, with a limit: how it ended and the end of what it said.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How many lines of each stream are kept.
const LINES_MAX: usize = 200;

/// How long after the program's end its streams may stay open: a process it left behind may hold them.
const STREAMS_MAX: Duration = Duration::from_secs(1);

const POLL: Duration = Duration::from_millis(10);

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) how: How,
    pub(crate) took: Duration,
    /// The last lines of standard output.
    pub(crate) said: Vec<String>,
    /// The last lines of standard error.
    pub(crate) complained: Vec<String>,
}

/// What ended a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It ended by itself, well.
    Succeeded,
    /// It ended by itself, with this status.
    Failed(String),
    /// It outlived its limit and was killed.
    Killed { limit: Duration },
}

/// Starts a program and waits until it has ended; past the limit it is killed, it alone.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Ended, String> {
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", command.get_program().to_string_lossy()))?;
    let said = child.stdout.take().map(lines);
    let complained = child.stderr.take().map(lines);
    let how = wait(&mut child, began + limit, limit).map_err(|error| format!("cannot wait for a program: {error}"))?;
    let took = began.elapsed();
    let until = Instant::now() + STREAMS_MAX;
    Ok(Ended { how, took, said: tail(said, until), complained: tail(complained, until) })
}

fn wait(child: &mut Child, deadline: Instant, limit: Duration) -> std::io::Result<How> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(how(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(How::Killed { limit });
        }
        thread::sleep(POLL);
    }
}

fn how(status: ExitStatus) -> How {
    if status.success() { How::Succeeded } else { How::Failed(status.to_string()) }
}

/// Reads a stream on a thread, so that a full pipe never holds up the program. The thread ends with the stream; it is
/// not joined, since a process left behind by the program may keep the stream open for longer than we want to wait.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

fn tail(stream: Option<Receiver<String>>, until: Instant) -> Vec<String> {
    let mut kept = VecDeque::new();
    let Some(stream) = stream else { return Vec::new() };
    loop {
        match stream.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => kept.push_back(line),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return kept.into(),
        }
        if kept.len() > LINES_MAX {
            kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Ended {
        run(Command::new("sh").args(["-c", script]), limit).expect("there is a shell")
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn both_streams_and_the_status_are_kept() {
        let ended = shell("echo one; echo two; echo oops >&2; exit 3", LONG);
        assert_eq!(ended.said, ["one", "two"]);
        assert_eq!(ended.complained, ["oops"]);
        assert_eq!(ended.how, How::Failed("exit status: 3".to_owned()));
    }

    #[test]
    fn a_program_past_its_limit_is_killed() {
        let ended = shell("echo begun; exec sleep 600", Duration::from_millis(300));
        assert_eq!(ended.how, How::Killed { limit: Duration::from_millis(300) });
        assert_eq!(ended.said, ["begun"]);
        assert!(ended.took < LONG);
    }

    /// A grandchild that keeps the pipe open must not hold us up.
    #[test]
    fn a_process_left_behind_does_not_hold_up_the_end() {
        let began = Instant::now();
        let ended = shell("sleep 5 & echo done", LONG);
        assert_eq!((ended.how, ended.said), (How::Succeeded, vec!["done".to_owned()]));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let ended = shell("i=0; while [ $i -lt 500 ]; do echo $i; i=$((i+1)); done", LONG);
        assert_eq!(ended.said.len(), LINES_MAX);
        assert_eq!(ended.said.last().map(String::as_str), Some("499"));
    }
}
