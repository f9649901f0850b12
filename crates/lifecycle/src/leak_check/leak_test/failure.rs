//! Why a leak test failed.

use std::io;
use std::time::Duration;

use crate::leak_check::Leaks;

/// Why a leak test failed, or could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeakTestFailure {
    /// Something was left.
    #[error("{leaks}{output}")]
    Leaked {
        /// What was left.
        leaks: Leaks,
        /// What the test printed.
        output: TestOutput,
    },
    /// The body panicked.
    #[error("the test panicked: {message}{output}")]
    Panicked {
        /// The panic's text.
        message: String,
        /// What the test printed.
        output: TestOutput,
    },
    /// The process ended before the test did: it exited, or a signal killed it.
    #[error("the test's process ended before the test did: {status}{output}")]
    Died {
        /// How it ended.
        status: std::process::ExitStatus,
        /// What the test printed.
        output: TestOutput,
    },
    /// The test was not over when its time was.
    #[error("the test was not over within {limit:?} (LeakTest::limit), and its process was killed{output}")]
    TimedOut {
        /// The time it had.
        limit: Duration,
        /// What the test printed.
        output: TestOutput,
    },
    /// The test program, started again, has no test of that name.
    #[error(
        "this test cannot be found: its program has none called {}; say what it is called with LeakTest::named",
        names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" or "),
    )]
    NotFound {
        /// The names that were tried: that of the thread, and that of the function in which the body was written.
        names: Vec<String>,
    },
    /// It was called inside of a runtime: each test builds its own.
    #[error("a leak test builds its own runtime: call it in a plain #[test], not inside of a runtime")]
    InRuntime,
    /// The process could not be started or followed.
    #[error("the test's process cannot be started")]
    NoProcess {
        /// What the system said.
        source: io::Error,
    },
    /// The process could not do what it was started for: see what it holds, or build a runtime.
    #[error("the test cannot be run: {message}")]
    SetUp {
        /// What was in the way.
        message: String,
    },
}

/// What a leak test's process printed, in the order in which it did, its end if there is much.
///
/// The lines with which the harness announces the test are none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestOutput(String);

impl TestOutput {
    /// What a process printed that was started for the test of this name.
    pub(super) fn of(printed: &str, name: &str) -> Self {
        Self(without_preamble(printed, name).unwrap_or(printed).to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for TestOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.trim() {
            "" => Ok(()),
            text => write!(f, "\n--- what the test printed ---\n{text}"),
        }
    }
}

/// What follows `running 1 test` and `test NAME ... `; the latter is on the line on which the test begins to print.
fn without_preamble<'a>(printed: &'a str, name: &str) -> Option<&'a str> {
    let line = printed.strip_prefix("\nrunning 1 test\n")?.strip_prefix("test ")?.strip_prefix(name)?;
    line.strip_prefix(" - should panic").unwrap_or(line).strip_prefix(" ... ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_harness_says_first_is_not_the_tests() {
        let own = |printed| TestOutput::of(printed, "a::test").0;
        assert_eq!(own("\nrunning 1 test\ntest a::test ... printed\nmore\n"), "printed\nmore\n");
        assert_eq!(own("\nrunning 1 test\ntest a::test - should panic ... "), "");
        // Its beginning is gone if there was much, and another harness may say other things.
        for other in ["", "the end of much\n", "\nrunning 1 test\ntest another ... printed\n"] {
            assert_eq!(own(other), other);
        }
    }

    #[test]
    fn nothing_is_shown_where_nothing_was_printed() {
        let none = TestOutput::of("\nrunning 1 test\ntest a::test ... ", "a::test");
        assert_eq!(none.to_string(), "");
    }
}
