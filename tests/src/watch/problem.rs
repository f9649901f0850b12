//! Why a program could not be watched. What is wrong with how it ends is a finding; this is what stands in the way.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// How much of what a program printed is told: its last lines.
const LINES_TOLD: usize = 8;

/// What stands in the way, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The shell could not be started, or the system refuses a folder.
    #[error("the machine refuses to {what}: {source}")]
    Machine {
        /// What was tried.
        what: String,
        /// What it says.
        source: io::Error,
    },
    /// The program has ended before it was ready.
    #[error("`{command}` ended before it was ready, with {status}{hint}; its last lines:{said}")]
    EndedEarly {
        /// Its command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What may be the reason.
        hint: &'static str,
        /// What it printed last.
        said: String,
    },
    /// The line never came.
    #[error(
        "`{command}` was not ready within {limit_seconds} s: no line with `{ready_when}` in it; is `--ready-when` \
         right? `--ready-max` gives it longer. Its last lines:{said}"
    )]
    NeverReady {
        /// Its command line.
        command: String,
        /// What was waited for.
        ready_when: String,
        /// For how long.
        limit_seconds: u64,
        /// What it printed last.
        said: String,
    },
    /// What should give it work has failed.
    #[error("the drive `{command}` failed while the program ran, with {status}; its last lines:{said}")]
    DriveFailed {
        /// The drive's command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed last.
        said: String,
    },
    /// The folder cannot be compared with itself afterwards.
    #[error("{} holds more than {max} files: give the program a smaller folder with `--folder`", folder.display())]
    TooManyFiles {
        /// Which one.
        folder: PathBuf,
        /// How many are looked at.
        max: usize,
    },
    /// The server does not answer.
    #[error("psql cannot count sessions on the server that `--postgres` names: {said}")]
    Server {
        /// What psql says.
        said: String,
    },
    /// Somebody does not want to wait any longer.
    #[error("interrupted; the program was ended")]
    Interrupted,
}

impl Problem {
    pub(super) fn machine(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Machine { what, source }
    }

    /// What a shell's exit code may mean.
    pub(super) fn hint(status: ExitStatus, in_temporary_folder: bool) -> &'static str {
        match (status.code(), in_temporary_folder) {
            (Some(126 | 127), true) => {
                " (the shell cannot run it; its working folder is a temporary one: give an absolute path, or `--folder`)"
            }
            (Some(126 | 127), false) => " (the shell cannot run it)",
            _ => "",
        }
    }
}

/// The last lines of both streams, each on a line of its own.
pub(super) fn last_lines(stdout: &str, stderr: &str) -> String {
    let mut told = String::new();
    for stream in [stdout, stderr] {
        let lines: Vec<&str> = stream.lines().filter(|line| !line.trim().is_empty()).collect();
        for line in &lines[lines.len().saturating_sub(LINES_TOLD)..] {
            told.push_str("\n  ");
            told.extend(line.chars().take(300).map(|letter| if letter.is_control() { ' ' } else { letter }));
        }
    }
    if told.is_empty() { " none".to_owned() } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_told() {
        let many: String = (0..30).map(|number| format!("line {number}\n")).collect();
        let told = last_lines(&many, "oops\u{1b}[0m\n");
        assert!(!told.contains("line 21\n") && told.contains("\n  line 22\n"), "{told}");
        assert!(told.ends_with("\n  oops [0m"), "{told}");
        assert_eq!(last_lines("\n", ""), " none");
    }
}
