//! Pools of PostgreSQL connections are terminated: when that has returned, the server has none of their sessions.

use std::process::ExitCode;

use clap::Parser;
use landfall_tests::findings::Kind;
use landfall_tests::postgres::rounds::{self, Server, Sizes};
use landfall_tests::scenario::{self, Common};
use landfall_tests::twin::Twin;

/// What pools of others do, and what a dropped attempt to connect would leave by itself.
const TWINS: &[Twin] = &[
    Twin::planted("no-wait-idle", Kind::Session).named("idle"),
    Twin::planted("no-wait-claimed", Kind::Session).named("claimed"),
    Twin::planted("forgotten-connecting", Kind::Session).named("connecting"),
];

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
