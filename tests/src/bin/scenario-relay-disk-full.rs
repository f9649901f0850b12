//! A database file that cannot grow any more: posts are refused, and what was accepted before is not lost.

use std::process::ExitCode;

use clap::Parser;
use landfall_tests::findings::Kind;
use landfall_tests::scenario::{self, Common};
use landfall_tests::scenarios::disk_full::{self, Sizes};
use landfall_tests::twin::Twin;

/// Posts events until the database cannot grow any more
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
    scenario::run("relay-disk-full", &options.common, &twins, |setting| disk_full::run(setting, options.sizes))
}
