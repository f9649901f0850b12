//! Runs scenarios against NRI's own adaptation, with plugins on Go's stub or on ours, and prints the history of each:
//! `cargo xtask interop nri` compares the two. Launched by the adaptation, it is such a plugin itself.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use landfall_tests::nri::{self, Known, Side};

/// Runs scenarios against NRI's own adaptation and prints the history of each
#[derive(Debug, Parser)]
struct Options {
    /// The Go program, as built from `tests/interop/nri`
    #[arg(long)]
    program: PathBuf,
    /// Leave out what the Go program does not know: it is of an older version of NRI
    #[arg(long)]
    older: bool,
    /// Put the plugins on Go's stub in place of ours
    #[arg(long)]
    go: bool,
    /// Print the names of the scenarios and run none
    #[arg(long)]
    list: bool,
    /// Run this scenario only
    #[arg(long)]
    scenario: Option<String>,
}

fn main() -> ExitCode {
    let done = if nri::is_launched() { nri::serve() } else { histories(&Options::parse()) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("program-nri-driver: {error}");
            ExitCode::FAILURE
        }
    }
}

fn histories(options: &Options) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let known = if options.older { runtime.block_on(Known::ask(&options.program))? } else { Known::ALL };
    let is_asked_for = |name: &String| options.scenario.as_ref().is_none_or(|only| only == name);
    let names = nri::names(&known).into_iter().filter(is_asked_for);
    if options.list {
        names.for_each(|name| println!("scenario {name}"));
        return Ok(());
    }
    let side = if options.go { Side::Go } else { Side::Ours };
    let driver = std::env::current_exe()?;
    for name in names {
        match runtime.block_on(nri::run(&name, side, &known, &options.program, &driver)) {
            Ok(lines) => lines.iter().for_each(|line| println!("{line}")),
            Err(trouble) => println!("scenario {name}\ntrouble: {trouble}"),
        }
    }
    Ok(())
}
