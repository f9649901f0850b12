//! The relay's program. See `--help`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use landfall_demo::Config;

fn main() -> ExitCode {
    match Config::try_from_args(std::env::args_os()) {
        Ok(config) => landfall_demo::run(config),
        // Prints help and version too, and exits with 0 for those, with 2 for what is wrong.
        Err(error) => error.exit(),
    }
}
