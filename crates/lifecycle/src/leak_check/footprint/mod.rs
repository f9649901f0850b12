//! What a process holds at one moment, by identity.

mod descriptors;
mod seen;
mod since;
mod sockets;
mod stat;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

pub use self::seen::{DescriptorSeen, ProcessSeen, SocketSeen, ThreadSeen};
use self::stat::Uptime;

/// What a process holds at one moment: threads, descriptors, sockets, child processes.
///
/// Read from `/proc`, hence on Linux only. Everything has an identity, so that two footprints are compared item by
/// item ([`since`](Self::since)) and not by their counts: threads and processes by id and start time, sockets by
/// inode, other descriptors by number and what they point to.
///
/// The process goes on while it is looked at: an item that came or went meanwhile may be in it or not. Whoever looks
/// for leaks looks again until nothing new is left, or for long enough.
///
/// What it cannot see: memory, files that are closed, processes whose parent has ended, and sockets in the kernel
/// that no descriptor refers to, such as those in `TIME_WAIT`; these are no leak.
///
/// # Examples
///
/// ```
/// use landfall_lifecycle::leak_check::{Footprint, Kind};
///
/// # if cfg!(target_os = "linux") {
/// let before = Footprint::of_self()?;
/// let file = std::fs::File::open("Cargo.toml")?;
/// let found = Footprint::of_self()?.since(&before);
/// let held: Vec<_> = found.iter().filter(|leak| leak.kind == Kind::Descriptor).collect();
/// assert!(held.iter().any(|leak| leak.name.ends_with("Cargo.toml")), "{held:?}");
/// drop(file);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Footprint {
    pid: u32,
    threads: Vec<ThreadSeen>,
    descriptors: Vec<DescriptorSeen>,
    sockets: Vec<SocketSeen>,
    children: Vec<ProcessSeen>,
}

/// Why there is no footprint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FootprintError {
    /// The system has no `/proc` of Linux's kind.
    #[error("what a process holds is read from /proc, which {os} does not have: leaks are checked on Linux")]
    Unsupported {
        /// The system's name.
        os: &'static str,
    },
    /// There is no such process, or it has been waited for.
    #[error("there is no process {pid}")]
    NoProcess {
        /// The id that was asked for.
        pid: u32,
    },
    /// The system refused; for a process of another user, or behind a namespace, it does.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Footprint {
    /// What this process holds. The descriptors that the look itself needs are not in it.
    ///
    /// # Errors
    ///
    /// [`FootprintError`], on other systems than Linux always.
    pub fn of_self() -> Result<Self, FootprintError> {
        // Not by our id: `/proc` may have been mounted in another namespace of processes than ours.
        Self::read(Path::new("/proc/self"))
    }

    /// What another process holds. A zombie has neither descriptors nor sockets.
    ///
    /// # Errors
    ///
    /// [`FootprintError`], on other systems than Linux always.
    pub fn of(pid: u32) -> Result<Self, FootprintError> {
        Self::read(&Path::new("/proc").join(pid.to_string())).map_err(|error| match error {
            FootprintError::Unreadable { source, .. } if is_gone(&source) => FootprintError::NoProcess { pid },
            other => other,
        })
    }

    fn read(process: &Path) -> Result<Self, FootprintError> {
        if !cfg!(target_os = "linux") {
            return Err(FootprintError::Unsupported { os: std::env::consts::OS });
        }
        let unreadable = |what: &str| {
            let path = process.join(what);
            move |source| FootprintError::Unreadable { path, source }
        };
        let own = stat::of(process).map_err(unreadable("stat"))?;
        let uptime = Uptime::now();
        let (descriptors, held) = descriptors::of(process).map_err(unreadable("fd"))?;
        // After the descriptors, so that every inode of theirs that the tables still have is found.
        let sockets = sockets::named(process, held);
        let threads = stat::threads(process, uptime).map_err(unreadable("task"))?;
        let children = stat::children(own.id, uptime)
            .map_err(|source| FootprintError::Unreadable { path: "/proc".into(), source })?;
        Ok(Self { pid: own.id, threads, descriptors, sockets, children })
    }

    /// The process's id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its threads, the main one included.
    #[must_use]
    pub fn threads(&self) -> &[ThreadSeen] {
        &self.threads
    }

    /// Its open descriptors, those of sockets excluded.
    #[must_use]
    pub fn descriptors(&self) -> &[DescriptorSeen] {
        &self.descriptors
    }

    /// Its sockets, each once, however many descriptors refer to it.
    #[must_use]
    pub fn sockets(&self) -> &[SocketSeen] {
        &self.sockets
    }

    /// The processes it started that live or that nobody has waited for; not those that they started in turn.
    #[must_use]
    pub fn children(&self) -> &[ProcessSeen] {
        &self.children
    }

    /// Leaves out the socket with this inode: the one over which an observer and the process talk.
    #[must_use]
    pub fn without_socket(mut self, inode: u64) -> Self {
        self.sockets.retain(|socket| socket.inode != inode);
        self
    }
}

/// The descriptors by the inode of the socket they refer to.
type SocketDescriptors = HashMap<u64, Vec<u32>>;

fn is_gone(error: &io::Error) -> bool {
    // No such file, or (of a process that ends while it is read) no such process.
    const ESRCH: i32 = 3;
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH)
}
