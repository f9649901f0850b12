//! The second signal cuts the grace of the relay to nothing, the third exits at once, one during the start ends the start.

use std::process::ExitCode;

use clap::Parser;
use landfall_tests::findings::Kind;
use landfall_tests::scenario::{self, Common};
use landfall_tests::scenarios::signals::{self, Sizes};
use landfall_tests::twin::Twin;

/// Sends more than one signal to the relay
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    sizes: Sizes,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let twins = [Twin::planted("deaf", Kind::Late)];
    scenario::run("relay-signals", &options.common, &twins, |setting| signals::run(setting, options.sizes))
}
