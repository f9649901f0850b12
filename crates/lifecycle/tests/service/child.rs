//! The test binary as a child process: starting it, following what it says, and ending it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child as Process, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

/// Names the program that a child is.
const PROGRAM: &str = "LANDFALL_TEST_PROGRAM";
/// No child outlives this, whatever it is that it shows.
const LIFE_MAX: Duration = Duration::from_secs(60);

/// A program by its name.
pub(crate) type Program = (&'static str, fn() -> ExitCode);

/// In a child: runs its program and exits. Elsewhere: nothing.
pub(crate) fn run_if_told(programs: &[&[Program]]) {
    let Ok(name) = std::env::var(PROGRAM) else { return };
    let (_, program) = programs.iter().copied().flatten().find(|(known, _)| *known == name).expect("a known program");
    #[expect(clippy::disallowed_methods, reason = "it ends with the process, and ends it if nothing else does")]
    std::thread::spawn(|| {
        std::thread::sleep(LIFE_MAX);
        std::process::abort();
    });
    std::process::exit(i32::from(program() != ExitCode::SUCCESS));
}

/// In a child: tells the parent that `what` has come to pass.
pub(crate) fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n@{what}").and_then(|()| out.flush()).expect("the parent listens");
}

/// A running child.
pub(crate) struct Child {
    process: Process,
    out: BufReader<ChildStdout>,
}

/// What a child left.
pub(crate) struct Ended {
    /// Its exit status; none if a signal killed it.
    pub(crate) code: Option<i32>,
    /// What it said and the test had not waited for.
    pub(crate) said: Vec<String>,
    /// Its standard error.
    pub(crate) err: String,
}

impl Child {
    pub(crate) fn start(program: &str) -> Self {
        Self::start_with(program, &[])
    }

    pub(crate) fn start_with(program: &str, environment: &[(&str, &str)]) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "program", "--nocapture", "--test-threads=1"])
            .env(PROGRAM, program)
            .envs(environment.iter().copied())
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        Self { process, out }
    }

    /// The next thing the child says.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> String {
        self.next_said().unwrap_or_else(|| {
            let mut err = String::new();
            self.process.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            panic!("the child ended before it said that:\n{err}");
        })
    }

    /// Waits until the child says `what`, and minds the order: it must be the next thing it says.
    #[track_caller]
    pub(crate) fn expect(&mut self, what: &str) -> &mut Self {
        assert_eq!(self.hear(), what);
        self
    }

    /// Waits until the child has said both, in any order.
    #[track_caller]
    pub(crate) fn expect_both(&mut self, one: &str, other: &str) -> &mut Self {
        let mut said = [self.hear(), self.hear()];
        said.sort_unstable();
        let mut both = [one, other];
        both.sort_unstable();
        assert_eq!(said, both);
        self
    }

    /// Sends a signal: `TERM`, `INT`.
    pub(crate) fn signal(&mut self, name: &str) -> &mut Self {
        // The shell's own `kill`, since there may be no other.
        let kill = format!("kill -{name} {}", self.process.id());
        let sent = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status().unwrap();
        assert!(sent.success() || !self.is_running(), "{kill}");
        self
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let said = std::iter::from_fn(|| self.next_said()).collect();
        let mut err = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ended { code: self.process.wait().unwrap().code(), said, err }
    }

    /// Waits for the end without reading standard error before.
    pub(crate) fn end_unread(mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }

    fn next_said(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.out.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(said) = line.strip_prefix('@') {
                return Some(said.trim_end().to_owned());
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Ended {
    /// Checks the exit code, and that standard error has all of `parts`, in this order.
    #[track_caller]
    pub(crate) fn check(&self, code: i32, parts: &[&str]) {
        let Self { err, said, .. } = self;
        let mut rest = err.as_str();
        for part in parts {
            let Some(at) = rest.find(part) else {
                panic!("{part:?} is missing or out of order; said {said:?} and\n{err}")
            };
            rest = &rest[at + part.len()..];
        }
        assert_eq!(self.code, Some(code), "said {said:?} and\n{err}");
    }
}
