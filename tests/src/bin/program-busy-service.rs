//! A service whose workers are held by tasks that never yield.

use std::process::ExitCode;

use clap::Parser;
use landfall_tests::busy::{self, Options};

fn main() -> ExitCode {
    busy::main(&Options::parse())
}
