//! Events are posted while the relay gets `kill -9` at random moments and is started again: none lost.

use std::process::ExitCode;

use clap::Parser;
use landfall_tests::findings::Kind;
use landfall_tests::scenario::{self, Common};
use landfall_tests::scenarios::restarts::{self, By, Sizes};
use landfall_tests::twin::Twin;

/// Posts events while the relay gets `kill -9` at random moments and is started again
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    sizes: Sizes,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let twins = [Twin::planted("lossy", Kind::Lost)];
    scenario::run("relay-kill9", &options.common, &twins, |setting| restarts::run(setting, &options.sizes, By::Sigkill))
}
