//! Events are posted while the relay gets SIGTERM at random moments and is started again: none lost, every stop clean.

use std::process::ExitCode;

use clap::Parser;
use landfall_tests::findings::Kind;
use landfall_tests::scenario::{self, Common};
use landfall_tests::scenarios::restarts::{self, By, Sizes};
use landfall_tests::twin::Twin;

/// Posts events while the relay gets SIGTERM at random moments and is started again
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
        Twin::planted("lossy", Kind::Lost),
        // Without a name: both ends have said that they are done, so the kernel's tables have it no more.
        Twin::product("keep-clone", Kind::Socket),
        Twin::product("leave-thread", Kind::Thread).named("landfall-clock"),
    ];
    scenario::run("relay-sigterm", &options.common, &twins, |setting| {
        restarts::run(setting, &options.sizes, By::Sigterm)
    })
}
