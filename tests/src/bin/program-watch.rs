//! Watches somebody else's program; `cargo xtask leak-check --command` starts it.

use std::process::ExitCode;

use clap::Parser;
use landfall_tests::watch::{self, Options};

fn main() -> ExitCode {
    watch::main(&Options::parse())
}
