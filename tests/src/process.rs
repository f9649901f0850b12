//! A program as a child process: its streams go to files, and it does not outlive its handle.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::deadline::Deadline;
use crate::witness::MARK;
use crate::workplace::Workplace;

/// Tells the processes of this program apart, in the names of their streams and in their marks.
static STARTED: AtomicU64 = AtomicU64::new(0);

/// What was started, and has to end before this is dropped, else it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    mark: String,
    stdout: PathBuf,
    stderr: PathBuf,
    began: Instant,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts it, with its temporary folder and its streams in the workplace.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn start<S: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = S>,
        workplace: &Workplace,
    ) -> io::Result<Self> {
        Self::spawn(Command::new(program).args(args), workplace)
    }

    /// As [`start`](Self::start), from a command with further settings.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn spawn(command: &mut Command, workplace: &Workplace) -> io::Result<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}-{number}", std::process::id());
        let stream = |name: &str| workplace.streams().join(format!("{number}.{name}"));
        let (stdout, stderr) = (stream("stdout"), stream("stderr"));
        let began = Instant::now();
        let child = command
            // What decides the verdict must not depend on who runs the scenario.
            .env_remove("RUST_LOG")
            .env("TMPDIR", workplace.temporary())
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()?;
        Ok(Self { child, mark, stdout, stderr, began, status: None })
    }

    /// Sends it a signal. Nothing happens once its end was seen.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            // It may have ended meanwhile; until it is waited for its id is nobody else's.
            _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// Its status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            // An error cannot be told from a process that runs on; the wait's deadline tells.
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Waits for its end.
    pub fn wait(&mut self, deadline: Deadline) -> Option<ExitStatus> {
        deadline.poll(|| self.ended())
    }

    /// What it printed so far.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it complained of so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Waits for a line on either stream that has `words` in it, and gives what follows them in it.
    pub fn line_with(&mut self, words: &str, deadline: Deadline) -> Option<String> {
        deadline.poll(|| {
            let has_ended = self.ended().is_some();
            let found = [&self.stderr, &self.stdout].into_iter().find_map(|stream| rest_after(&read(stream), words));
            // What has ended will print nothing more.
            if has_ended { Some(found) } else { found.map(Some) }
        })?
    }

    /// Waits for nothing: `Ok` if it catches this signal by now, so that the default action is not taken any more.
    ///
    /// # Errors
    ///
    /// When it does not, or when there is no `/proc` to see it in.
    pub fn hears(&self, signal: Signal) -> io::Result<()> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.unwrap_or_default().trim(), 16).unwrap_or(0);
        let bit = 1_u64 << (signal.as_raw() - 1);
        if caught & bit == 0 { Err(io::ErrorKind::NotFound.into()) } else { Ok(()) }
    }

    /// Its id; another process may have it once its end was seen.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What stands in its environment, and in that of every process it started.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// The time since it was started.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            _ = self.child.kill();
            _ = self.child.wait();
        }
    }
}

fn read(stream: &PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(stream).unwrap_or_default()).into_owned()
}

/// What follows the words in a line that is complete.
fn rest_after(text: &str, words: &str) -> Option<String> {
    let line = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).find(|line| line.contains(words))?;
    line.split_once(words).map(|(_, rest)| rest.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str, workplace: &Workplace) -> Process {
        Process::start("sh", ["-c", script], workplace).expect("there is a shell")
    }

    #[test]
    fn a_line_is_waited_for_and_given_from_the_words_on() {
        let workplace = Workplace::new().expect("a folder");
        let mut process = shell("echo ready at 7 >&2; exec sleep 600", &workplace);
        assert_eq!(process.line_with("ready at", Deadline::after(LONG)).as_deref(), Some("7"));
        process.signal(Signal::TERM);
        let status = process.wait(Deadline::after(LONG)).expect("it ends by the signal");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    }

    #[test]
    fn a_line_of_a_program_that_has_ended_is_not_waited_for() {
        let workplace = Workplace::new().expect("a folder");
        assert_eq!(shell("echo other", &workplace).line_with("ready", Deadline::after(LONG)), None);
    }

    #[test]
    fn half_a_line_is_none() {
        assert_eq!(rest_after("listening on http://127.0.0.1:1", "listening on "), None);
        assert_eq!(rest_after("a\nlistening on x\n", "listening on ").as_deref(), Some("x"));
    }

    #[test]
    fn it_does_not_outlive_its_handle() {
        let workplace = Workplace::new().expect("a folder");
        let process = shell("exec sleep 600", &workplace);
        let mark = process.mark().to_owned();
        drop(process);
        assert_eq!(crate::witness::processes(&mark).unwrap_or_default(), Vec::<String>::new());
    }
}
