//! One planted leak of each kind, to show that the observer sees it.

use std::fs::File;
use std::future::pending;
use std::io;
use std::net::TcpListener;
use std::os::fd::IntoRawFd;
use std::process::Command;
use std::thread;

use crate::findings::Kind;
use crate::twin::Twin;

/// What the planted thread and the planted file are called.
const NAME: &str = "planted";

/// The faults that every observed scenario has to find.
pub const TWINS: &[Twin] = &[
    Twin::planted("foreign-task", Kind::ForeignTask).at_if_told(FOREIGN_TASK.1),
    Twin::planted("thread", Kind::Thread).named(NAME),
    Twin::planted("descriptor", Kind::Descriptor).named("/temporary"),
    Twin::planted("socket", Kind::Socket).named("tcp 127.0.0.1:"),
    Twin::planted("child-process", Kind::ChildProcess).named("sleep"),
    Twin::planted("file", Kind::File).named(NAME),
];

/// On one line with its place, which is what tokio tells of it.
#[expect(clippy::disallowed_methods, reason = "the planted leak: nobody ends it but the process's end")]
const FOREIGN_TASK: (fn(), &str) = (|| drop(tokio::spawn(pending::<()>())), concat!(file!(), ":", line!()));

/// Plants it, from inside of a runtime.
///
/// # Errors
///
/// When it is none of these, or the system refuses.
pub(super) fn plant(fault: &str) -> io::Result<()> {
    match fault {
        "foreign-task" => FOREIGN_TASK.0(),
        "thread" => drop(spawn_thread()?),
        "descriptor" => leak(File::open(std::env::temp_dir())?),
        "socket" => leak(TcpListener::bind("127.0.0.1:0")?),
        "child-process" => drop(Command::new("sleep").arg("600").spawn()?),
        "file" => std::fs::write(std::env::temp_dir().join(NAME), "")?,
        other => return Err(io::Error::other(format!("there is no `{other}` to plant"))),
    }
    Ok(())
}

/// A number alone closes nothing when it goes.
fn leak(descriptor: impl IntoRawFd) {
    _ = descriptor.into_raw_fd();
}

#[expect(clippy::disallowed_methods, reason = "the planted leak: nobody ends it but the process's end")]
fn spawn_thread() -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(NAME.to_owned()).spawn(|| {
        loop {
            thread::park();
        }
    })
}
