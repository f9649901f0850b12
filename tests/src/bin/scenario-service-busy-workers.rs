//! A service whose workers are all held by tasks that never yield ends by its bound, and names them.

use std::process::ExitCode;

use clap::Parser;
use landfall_tests::findings::Kind;
use landfall_tests::scenario::{self, Common};
use landfall_tests::scenarios::busy_service::{self, Sizes};
use landfall_tests::twin::Twin;

/// Ends a service whose workers are all held by tasks that never yield
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    sizes: Sizes,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let twins = [Twin::planted("idle", Kind::Unnamed)];
    scenario::run("service-busy-workers", &options.common, &twins, |setting| busy_service::run(setting, options.sizes))
}
