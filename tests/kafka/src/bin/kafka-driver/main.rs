//! What `cargo xtask interop kafka` runs: the client against a real broker, which is killed, stopped and started again.
//!
//! `--list` names the scenarios; otherwise `--jars DIR` says where the broker's jars are. For each scenario a line
//! `ok NAME: WHAT` or `failed NAME: WHY`.
#![forbid(unsafe_code)]

mod admin;
mod broker;
mod program;
mod scenarios;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use self::scenarios::SCENARIOS;

/// The client against a real broker
#[derive(Debug, Parser)]
struct Options {
    /// List the scenarios
    #[arg(long)]
    list: bool,
    /// Where the broker's jars are
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    jars: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let Some(jars) = options.jars.filter(|_| !options.list) else {
        for (name, _) in SCENARIOS {
            println!("scenario {name}");
        }
        return ExitCode::SUCCESS;
    };
    let mut broker = match broker::Broker::new(&jars) {
        Ok(broker) => broker,
        Err(error) => {
            eprintln!("no broker: {error}");
            return ExitCode::FAILURE;
        }
    };
    for (name, run) in SCENARIOS {
        match run(&mut broker).await {
            Ok(what) => println!("ok {name}: {what}"),
            Err(why) => println!("failed {name}: {}", why.to_string().replace('\n', " | ")),
        }
    }
    ExitCode::SUCCESS
}
