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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestOutput(pub(super) String);

impl TestOutput {
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
