//! Runs scenarios on our supervisor and prints the history of each: `cargo xtask interop otp` compares them with those
//! of OTP's own.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use landfall_tests::otp;

/// Runs scenarios on our supervisor and prints the history of each
#[derive(Debug, Parser)]
struct Options {
    /// Files of scenarios, as `tests/interop/README.md` tells
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    match histories(&Options::parse().files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("program-otp-driver: {error}");
            ExitCode::FAILURE
        }
    }
}

fn histories(files: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    for file in files {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let scenarios = otp::read(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        for scenario in scenarios {
            for line in otp::run(scenario)? {
                println!("{line}");
            }
        }
    }
    Ok(())
}
