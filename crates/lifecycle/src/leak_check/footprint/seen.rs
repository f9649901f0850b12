//! The items of a footprint.

use std::time::Duration;

/// A thread of the process. Its identity is the id with the start time: ids are used again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadSeen {
    /// The thread's id; that of the main thread is the process's.
    pub id: u32,
    /// When it was started, in clock ticks since the system's start.
    pub start: u64,
    /// Its name, of which the kernel keeps 15 bytes. A thread that has only just started may still have the name of the one that
    /// started it.
    pub name: String,
    /// The letter of its state, as in `/proc/PID/stat`.
    pub state: char,
    /// How long ago it was started, in steps of 10 ms.
    pub age: Duration,
}

/// An open descriptor that is no socket. Its identity is the number with what it points to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DescriptorSeen {
    /// The descriptor's number.
    pub number: u32,
    /// What it points to: a path, `pipe:[inode]`, `anon_inode:[eventpoll]`, ….
    pub target: String,
}

/// A socket with an open descriptor. Its identity is the inode.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SocketSeen {
    /// The socket's inode.
    pub inode: u64,
    /// The numbers of the descriptors that refer to it, smallest first.
    pub numbers: Vec<u32>,
    /// `tcp`, `tcp6`, `udp`, `udp6`, `unix`; `socket` for one that is in none of these tables: of another family, or
    /// neither bound nor connected.
    pub family: &'static str,
    /// Its state in the words of the kernel, such as `LISTEN` or `CLOSE_WAIT`; empty if it has none.
    pub state: &'static str,
    /// Its own address, or the path of a socket of the file system; empty if it has none.
    pub local: String,
    /// The other end's address; empty if it is not connected, and for `unix`.
    pub peer: String,
}

/// A child process. Its identity is the id with the start time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProcessSeen {
    /// The process's id.
    pub id: u32,
    /// When it was started, in clock ticks since the system's start.
    pub start: u64,
    /// Its command's name, of which the kernel keeps 15 bytes.
    pub name: String,
    /// The letter of its state, as in `/proc/PID/stat`.
    pub state: char,
    /// How long ago it was started, in steps of 10 ms.
    pub age: Duration,
}

impl ProcessSeen {
    /// Whether it has ended and nobody has waited for it.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        self.state == 'Z'
    }
}
