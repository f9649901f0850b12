//! The descriptor that a runtime leaves to a plugin it launches: the one place with unsafe code.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::FileType;
use rustix::io::FdFlags;
use tokio::net::UnixStream;

use crate::build_error::BuildError;
use crate::endpoint::ConnectError;

/// A descriptor that this process was started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inherited(RawFd);

/// Whether it was taken. One for the process: it has one set of descriptors, and its number may long stand for something
/// else when a second stub asks for it.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

impl Inherited {
    /// Reads the number that NRI_PLUGIN_SOCKET gives. The three standard streams are no sockets of a runtime's.
    pub(crate) fn parse(value: &str) -> Result<Self, BuildError> {
        match value.parse() {
            Ok(descriptor) if descriptor > 2 => Ok(Self(descriptor)),
            _ => Err(BuildError::Descriptor { value: value.to_owned() }),
        }
    }
}

/// Takes the descriptor, once.
pub(crate) fn take(Inherited(descriptor): Inherited) -> Result<UnixStream, ConnectError> {
    if IS_TAKEN.swap(true, Ordering::AcqRel) {
        return Err(ConnectError::NotRestartable { descriptor });
    }
    let no_descriptor = |source| ConnectError::NoDescriptor { descriptor, source };
    let socket = StdStream::from(own(descriptor).map_err(no_descriptor)?);
    socket.set_nonblocking(true).map_err(no_descriptor)?;
    UnixStream::from_std(socket).map_err(no_descriptor)
}

/// Becomes the owner of a descriptor if it is an open socket, and keeps it from programs that are started later.
#[expect(unsafe_code, reason = "a descriptor that was inherited is only a number")]
fn own(descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the number is not negative (`Inherited::parse`), and the borrow ends below, before anybody could close what
    // it stands for. If it is not open, the calls fail with EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    if FileType::from_raw_mode(rustix::fs::fstat(borrowed)?.st_mode) != FileType::Socket {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no socket"));
    }
    rustix::io::fcntl_setfd(borrowed.as_fd(), FdFlags::CLOEXEC)?;
    // SAFETY: it is open, as was just seen. The runtime that launched this process left it to the plugin, which said so
    // by asking for it; `take` gets here once in the life of the process, so nobody else owns it by this way.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
