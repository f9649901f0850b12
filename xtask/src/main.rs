//! The workspace's verbs: `cargo xtask ci`, `test`, `tidy`, `codegen`, `leak-check`, `loom`, `shuttle`, `miri`,
//! `planted`, `conformance`, `interop`, `fuzz` and `bench`.
#![forbid(unsafe_code)]

mod bench;
mod cargo;
mod child;
mod ci;
mod cli;
mod codegen;
mod conformance;
mod counts;
mod examples;
mod fuzz;
mod interop;
mod leak_check;
mod miri;
mod models;
mod planted;
mod programs;
mod roster;
mod skips;
mod table;
mod tally;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use crate::cli::Command;
use crate::models::{Effort, LOOM, SHUTTLE};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = match cli::parse(&arguments) {
        Ok(command) => command,
        Err(refusal) => {
            eprintln!("xtask: {refusal}");
            return ExitCode::from(2);
        }
    };
    let passed = match command {
        Command::Help(text) => {
            println!("{text}");
            Ok(true)
        }
        Command::Ci { steps, list } => ci::run(&steps, list),
        Command::Test => test::run(),
        Command::Codegen { check } => codegen::run(check),
        Command::Tidy { bless } => tidy::run(bless),
        Command::Loom { full } => models::run(LOOM, Effort { full, seed: None }),
        Command::Shuttle { full, seed } => models::run(SHUTTLE, Effort { full, seed: seed.as_deref() }),
        Command::Miri => miri::run(),
        Command::Planted => planted::run(),
        Command::LeakCheck(options) => leak_check::run(&options),
        Command::Conformance { name } => conformance::run(&name),
        Command::Interop { name, seed, full } => interop::run(&name, seed.as_deref(), full),
        Command::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Command::Bench { name, json, check } => bench::run(&name, json.as_deref(), check),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}
