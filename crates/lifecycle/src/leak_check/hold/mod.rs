//! The hold point: where a program stops so that somebody outside can count what it holds.

mod standing;

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

pub(super) use self::standing::is_counted_by_runtime;
pub use self::standing::{HeldTask, Standing};

/// How often a held program looks up from its wait.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Stops a program at up to three stages of its end, so that an observer counts from outside what it holds.
///
/// The variable [`VARIABLE`](Self::VARIABLE) names a Unix stream socket on which the observer listens. At each stage
/// the program connects to it, writes one line of JSON, and waits until it can read a byte or the end of the stream,
/// at most for [`LIMIT`](Self::LIMIT). Without the variable nothing happens.
///
/// `Service::hold_for_leak_check` (feature `service`) holds a service at all three; a program with a runtime of its
/// own calls [`hold`](Self::hold) where each stage is reached.
///
/// The line has the fields of [`Standing`], and these:
///
/// | field        | what it is                                                                                  |
/// |--------------|---------------------------------------------------------------------------------------------|
/// | `stage`      | `began`, `ended`, `over`                                                                    |
/// | `pid`        | the program's process, as it sees itself                                                    |
/// | `connection` | the inode of the program's end of this connection, to leave out; null if it is not known    |
///
/// # Examples
///
/// ```
/// use landfall_lifecycle::leak_check::{HoldPoint, Stage, Standing};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // The runtime is up, and nothing has been started on it.
/// if let Some(point) = HoldPoint::from_env() {
///     point.hold(Stage::Began, &Standing::of(&tokio::runtime::Handle::current()))?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct HoldPoint {
    path: PathBuf,
}

/// Where a held program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The runtime is up, and nothing of the program's own has started on it.
    Began,
    /// The termination has reported, and the runtime still lives.
    Ended,
    /// The runtime has gone, and the process is about to exit.
    Over,
}

/// Why a program was not held.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HoldError {
    /// Nobody listens there, or not any more.
    #[error("{} names {}, where nobody holds the program", HoldPoint::VARIABLE, path.display())]
    Unheard {
        /// What the variable says.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no Unix sockets.
    #[error("{} is set, but {os} has no Unix sockets that a program could be held at", HoldPoint::VARIABLE)]
    Unsupported {
        /// The system's name.
        os: &'static str,
    },
}

#[derive(Serialize)]
struct Line<'a> {
    stage: Stage,
    pid: u32,
    #[serde(flatten)]
    standing: &'a Standing,
    connection: Option<u64>,
}

impl HoldPoint {
    /// The variable that names the observer's socket.
    pub const VARIABLE: &'static str = "LANDFALL_HOLD";
    /// How long a program is held at one stage if the observer does not let it go.
    pub const LIMIT: Duration = Duration::from_secs(60);

    /// The hold point that the environment asks for, if it does.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        env::var_os(Self::VARIABLE).map(Self::at)
    }

    /// The hold point of an observer that listens on this path.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the observer listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Holds the calling thread at this stage, until the observer lets it go. Everything else goes on.
    ///
    /// # Errors
    ///
    /// [`HoldError`]. A program goes on then: it was asked to be counted, not to fail.
    pub fn hold(&self, stage: Stage, standing: &Standing) -> Result<(), HoldError> {
        self.hold_while(stage, standing, || ())
    }

    /// As [`hold`](Self::hold), with something done every [`LOOK_EVERY`].
    pub(crate) fn hold_while(
        &self,
        stage: Stage,
        standing: &Standing,
        mut meanwhile: impl FnMut(),
    ) -> Result<(), HoldError> {
        let unheard = |source| HoldError::Unheard { path: self.path.clone(), source };
        let mut held = sys::Connection::open(&self.path)?;
        let line = Line { stage, pid: std::process::id(), standing, connection: held.inode() };
        let mut text = serde_json::to_vec(&line).map_err(|error| unheard(error.into()))?;
        text.push(b'\n');
        held.write_all(&text).map_err(unheard)?;
        let until = Instant::now() + Self::LIMIT;
        while Instant::now() < until && !held.is_released(LOOK_EVERY).map_err(unheard)? {
            meanwhile();
        }
        Ok(())
    }
}

#[cfg(unix)]
mod sys {
    //! The connection to the observer.

    use std::io::{self, ErrorKind, Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::time::Duration;

    use super::{HoldError, HoldPoint};

    pub(super) struct Connection(UnixStream);

    impl Connection {
        pub(super) fn open(path: &Path) -> Result<Self, HoldError> {
            let connect = || {
                let stream = UnixStream::connect(path)?;
                // An observer that does not read must not hold the program for ever.
                stream.set_write_timeout(Some(HoldPoint::LIMIT))?;
                Ok(stream)
            };
            connect().map(Self).map_err(|source| HoldError::Unheard { path: path.to_owned(), source })
        }

        /// By the system's name for the descriptor, since std asks for the state of files only.
        pub(super) fn inode(&self) -> Option<u64> {
            let descriptor = format!("/proc/self/fd/{}", self.0.as_raw_fd());
            std::fs::metadata(descriptor).ok().map(|socket| socket.ino())
        }

        pub(super) fn is_released(&mut self, within: Duration) -> io::Result<bool> {
            self.0.set_read_timeout(Some(within))?;
            match self.0.read(&mut [0; 1]) {
                // The end of the stream counts too: an observer that died holds nobody.
                Ok(_) => Ok(true),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
                {
                    Ok(false)
                }
                Err(error) => Err(error),
            }
        }
    }

    impl Write for Connection {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }
}

#[cfg(not(unix))]
mod sys {
    //! Without Unix sockets nobody can hold a program.

    use std::io::{self, Write};
    use std::path::Path;
    use std::time::Duration;

    use super::HoldError;

    pub(super) enum Connection {}

    impl Connection {
        pub(super) fn open(_: &Path) -> Result<Self, HoldError> {
            Err(HoldError::Unsupported { os: std::env::consts::OS })
        }

        pub(super) fn inode(&self) -> Option<u64> {
            match *self {}
        }

        pub(super) fn is_released(&mut self, _: Duration) -> io::Result<bool> {
            match *self {}
        }
    }

    impl Write for Connection {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            match *self {}
        }

        fn flush(&mut self) -> io::Result<()> {
            match *self {}
        }
    }
}
