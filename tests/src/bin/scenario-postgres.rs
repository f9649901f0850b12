//! Pools of PostgreSQL connections are terminated: when that has returned, the server has none of their sessions.

use std::process::ExitCode;

use clap::Parser;
use landfall_tests::postgres::rounds::{self, Server, Sizes, TWINS};
use landfall_tests::scenario::{self, Common};

/// Terminates pools of connections to a real server: idle, claimed, and being opened
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    sizes: Sizes,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let server = Server::default();
    scenario::run("postgres", &options.common, TWINS, |setting| rounds::run(&server, setting, options.sizes))
}
