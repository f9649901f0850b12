//! What every scenario program does: options, seed, the run, the twins, the verdict.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::deadline::Deadline;
use crate::program::{self, Missing};
use crate::random::Random;
use crate::relay::{Program, StartError};
use crate::verdict::{Caught, Outcome, Twin, Verdict};

/// The options that all scenarios have.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Seed of all that is random; another one each time unless it is given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Print the verdict as one line of JSON
    #[arg(long)]
    pub json: bool,

    /// Run only the twins: programs with a planted fault, which the scenario has to find
    #[arg(long)]
    pub twin: bool,

    /// Leave the twins out
    #[arg(long, conflicts_with = "twin")]
    pub no_twin: bool,

    /// Seconds the run may take, and each twin
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds_max: u64,
}

/// What a run is given.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The seed.
    pub seed: u64,
    /// When it has to be over.
    pub deadline: Deadline,
    /// The planted fault, if this is a twin.
    pub fault: Option<&'static str>,
}

/// Why a run did not come to its end. What is wrong with the program is a finding; this is what stands in the way.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no program to run it with.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The relay did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The machine refuses something, or the relay an ordinary request.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something did not happen by the deadline.
    #[error("waited in vain for {0}")]
    TimedOut(String),
}

impl Setting {
    /// The relay to be judged: the real one, or a twin.
    ///
    /// # Errors
    ///
    /// When it was not built.
    pub fn relay(&self) -> Result<Program, Missing> {
        match self.fault {
            None => Ok(Program { path: program::relay()?, first: Vec::new() }),
            Some(fault) => {
                let first = vec!["--fault".to_owned(), fault.to_owned()];
                Ok(Program { path: program::own("program-faulty-relay")?, first })
            }
        }
    }

    /// A stream of random numbers.
    pub fn random(&self) -> Random {
        Random::new(self.seed)
    }
}

/// Runs a scenario and its twins, prints the verdict, and gives the exit code.
pub fn run(
    name: &'static str,
    common: &Common,
    twins: &[Twin],
    scenario: impl Fn(&Setting) -> Result<Outcome, Failure>,
) -> ExitCode {
    let seed = common.seed.unwrap_or_else(Random::draw_seed);
    eprintln!("scenario {name}, seed {seed}");
    let run = |fault| {
        let deadline = Deadline::after(Duration::from_secs(common.seconds_max));
        scenario(&Setting { seed, deadline, fault }).map_err(|failure| failure.to_string())
    };
    let own = (!common.twin).then(|| run(None));
    let twins = if common.no_twin { &[] } else { twins };
    let twins = twins.iter().map(|twin| Caught::judge(*twin, &run(Some(twin.fault)))).collect();
    let verdict = Verdict { scenario: name, seed, run: own, twins, replay: replay(name, seed) };
    if common.json {
        println!("{}", verdict.to_json());
    } else {
        let word = if verdict.passed() { "passed" } else { "FAILED" };
        println!("{name} (seed {seed}) {word}: {}", verdict.detail());
        if let Some(reason) = verdict.skipped() {
            println!("SKIPPED: {reason}");
        }
    }
    if verdict.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The command line of this process with its seed. A scenario starts programs that `cargo run` alone would not build.
fn replay(name: &str, seed: u64) -> String {
    let profile = if cfg!(debug_assertions) { "" } else { " --release" };
    let mut command = format!(
        "cargo build{profile} -p landfall-demo -p landfall-tests && \
         cargo run{profile} -p landfall-tests --bin scenario-{name} -- --seed {seed}"
    );
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => {}
            "--seed" => drop(args.next()),
            _ if arg.starts_with("--seed=") => {}
            _ => {
                command.push(' ');
                command.push_str(&arg);
            }
        }
    }
    command
}
