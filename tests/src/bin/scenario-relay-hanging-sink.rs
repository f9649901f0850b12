//! A sink that never answers cannot hold up the end of the relay; the report names the deliveries and no secret, and none is lost.

use std::process::ExitCode;

use clap::Parser;
use landfall_tests::findings::Kind;
use landfall_tests::scenario::{self, Common};
use landfall_tests::scenarios::hanging_sink::{self, Sizes};
use landfall_tests::twin::Twin;

/// Starts deliveries that hang, and stops the relay
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    sizes: Sizes,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let twins = [
        Twin::planted("lossy", Kind::Unnamed),
        Twin::planted("deaf", Kind::Late),
        Twin::planted("chatty", Kind::Secret),
    ];
    scenario::run("relay-hanging-sink", &options.common, &twins, |setting| hanging_sink::run(setting, options.sizes))
}
