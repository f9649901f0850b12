//! Listens until SIGTERM; with `--leave` it leaves the listener to a child that lives on.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::Command;

use clap::Parser;
use landfall_lifecycle::Signals;

/// Listens until SIGTERM
#[derive(Debug, Parser)]
struct Options {
    /// The planted fault: leave the listener to a child that lives on
    #[arg(long)]
    leave: bool,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { Signals::new() })?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("ready at {}", listener.local_addr()?);
    runtime.block_on(signals.recv());
    if options.leave {
        // A child has the descriptors it is given for its streams, and no others.
        Command::new("sleep").arg("600").stdin(OwnedFd::from(listener)).spawn()?;
    }
    Ok(())
}
