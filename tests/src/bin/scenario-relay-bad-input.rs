//! Wrong requests, wrong options, files and ports that cannot be used: each is refused in words, and nothing panics.

use std::process::ExitCode;

use clap::Parser;
use landfall_tests::findings::Kind;
use landfall_tests::scenario::{self, Common};
use landfall_tests::scenarios::bad_input;
use landfall_tests::twin::Twin;

/// Gives the relay what it has to refuse
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let twins = [Twin::planted("panicky", Kind::Panicked)];
    scenario::run("relay-bad-input", &options.common, &twins, bad_input::run)
}
