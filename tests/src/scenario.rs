//! What every scenario program does: options, seed, the run, the twins, the verdict.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::deadline::Deadline;
use crate::observed::hold::NotHeld;
use crate::program::{self, Missing};
use crate::random::Random;
use crate::relay::{Program, StartError};
use crate::twin::{Caught, FaultError, Planted, Twin};
use crate::verdict::{Outcome, Verdict};

/// In so many rounds a planted fault has to show: when exactly the end comes is a matter of luck, and there are few
/// rounds in which it does not.
const TWIN_ROUNDS_MAX: u64 = 3;

/// The options that all scenarios have.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Seed of all that is random; another one each time unless it is given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Print the verdict as one line of JSON
    #[arg(long)]
    pub json: bool,

    /// Rounds of the run, each with processes and a seed of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub rounds: u64,

    /// Run only the twin with this fault, which the scenario has to find
    #[arg(long, value_name = "FAULT", conflicts_with_all = ["twin", "no_twin"])]
    pub fault: Option<String>,

    /// List the faults, each with the build that has it: `planted`, any; `product`, one with `--cfg landfall_faults`
    #[arg(long)]
    pub list_faults: bool,

    /// Run only the twins whose fault is planted in the scenario
    #[arg(long)]
    pub twin: bool,

    /// Leave the twins out
    #[arg(long, conflicts_with = "twin")]
    pub no_twin: bool,

    /// Seconds each round may take, and each twin
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
    pub fault: Option<Twin>,
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
    /// The program was not held where it should have been.
    #[error(transparent)]
    NotHeld(#[from] NotHeld),
    /// Something did not happen by the deadline.
    #[error("waited in vain for {0}")]
    TimedOut(String),
}

impl Setting {
    /// The relay to be judged: the real one, perhaps with a fault point armed, or a twin.
    ///
    /// # Errors
    ///
    /// When it was not built.
    pub fn relay(&self) -> Result<Program, Missing> {
        match self.fault {
            Some(twin) if twin.planted == Planted::InScenario => {
                let first = vec!["--fault".to_owned(), twin.fault.to_owned()];
                Ok(Program { path: program::own("program-faulty-relay")?, first, armed: None })
            }
            armed => Ok(Program { path: program::relay()?, first: Vec::new(), armed }),
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
    if common.list_faults {
        twins.iter().for_each(|twin| println!("{twin}"));
        return ExitCode::SUCCESS;
    }
    let twins = match selected(common, twins) {
        Ok(twins) => twins,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let seed = common.seed.unwrap_or_else(Random::draw_seed);
    eprintln!("scenario {name}, seed {seed}");
    let run = |seed, fault| {
        let deadline = Deadline::after(Duration::from_secs(common.seconds_max));
        scenario(&Setting { seed, deadline, fault }).map_err(|failure| failure.to_string())
    };
    let rounds = if common.twin || common.fault.is_some() { 0 } else { common.rounds };
    let own = (rounds > 0).then(|| all_rounds(rounds, seed, |seed| run(seed, None)));
    let twins = twins.into_iter().map(|twin| until_shown(twin, seed, |seed| run(seed, Some(twin)))).collect();
    let verdict = Verdict { scenario: name, seed, rounds, run: own, twins, replay: replay(name, seed) };
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

/// The twins to be run: the one that was asked for, else those that any build has.
fn selected(common: &Common, twins: &[Twin]) -> Result<Vec<Twin>, FaultError> {
    match &common.fault {
        Some(asked) => Ok(vec![Twin::select(twins, asked)?]),
        None if common.no_twin => Ok(Vec::new()),
        None => Ok(twins.iter().filter(|twin| twin.planted == Planted::InScenario).copied().collect()),
    }
}

/// Runs the rounds with consecutive seeds, so that the first one is the run with the seed alone.
fn all_rounds(rounds: u64, seed: u64, run: impl Fn(u64) -> Result<Outcome, String>) -> Result<Outcome, String> {
    let mut all = run(seed)?;
    for number in 2..=rounds {
        let seed = seed.wrapping_add(number - 1);
        all.add_round(number, run(seed).map_err(|failure| format!("round {number}, seed {seed}: {failure}"))?);
    }
    Ok(all)
}

/// Runs a twin with consecutive seeds until its fault shows. One that shows as something else is not caught, at once.
fn until_shown(twin: Twin, seed: u64, run: impl Fn(u64) -> Result<Outcome, String>) -> Caught {
    let mut round = 1;
    loop {
        let outcome = run(seed.wrapping_add(round - 1));
        let shows_nothing = outcome.as_ref().is_ok_and(|it| it.findings.is_empty() && !it.is_skipped());
        if !shows_nothing || round == TWIN_ROUNDS_MAX {
            return Caught::judge(twin, round, outcome);
        }
        round += 1;
    }
}

/// What makes a build like this one, beside the ordinary one.
fn build_flags() -> String {
    // Where `cargo xtask leak-check` makes them, so that nothing is built twice.
    let (flags, folder) = match (cfg!(landfall_faults), cfg!(tokio_unstable)) {
        (false, false) => return String::new(),
        (true, false) => ("--cfg landfall_faults", "faults"),
        (true, true) => ("--cfg landfall_faults --cfg tokio_unstable", "unstable"),
        (false, true) => ("--cfg tokio_unstable", "tokio-unstable"),
    };
    format!("RUSTFLAGS=\"{flags}\" CARGO_TARGET_DIR=target/{folder} ")
}

/// The command line of this process with its seed. A scenario starts programs that `cargo run` alone would not build.
fn replay(name: &str, seed: u64) -> String {
    let profile = if cfg!(debug_assertions) { "" } else { " --release" };
    let build = build_flags();
    let mut command = format!(
        "{build}cargo build{profile} -p landfall-demo -p landfall-tests && \
         {build}cargo run{profile} -p landfall-tests --bin scenario-{name} -- --seed {seed}"
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::findings::Kind;

    /// A twin whose rounds find these things, its verdict, and the seeds of the rounds that were run.
    fn twin_of(found: &[Option<Kind>]) -> (Caught, Vec<u64>) {
        let seeds = RefCell::new(Vec::new());
        let run = |seed| {
            let mut outcome = Outcome { counts: vec![("rounds", 1)], ..Outcome::default() };
            if let Some(kind) = found[seeds.borrow().len()] {
                outcome.findings.add(kind, "planted".to_owned());
            }
            seeds.borrow_mut().push(seed);
            Ok(outcome)
        };
        (until_shown(Twin::planted("lossy", Kind::Lost), u64::MAX, run), seeds.into_inner())
    }

    #[test]
    fn a_twin_whose_fault_does_not_show_gets_another_round() {
        let (caught, seeds) = twin_of(&[None, Some(Kind::Lost)]);
        assert!(caught.caught && caught.detail.starts_with("in round 2: lost"), "{}", caught.detail);
        assert_eq!(seeds, [u64::MAX, 0]);
    }

    #[test]
    fn a_twin_whose_fault_never_shows_is_not_caught() {
        let (caught, seeds) = twin_of(&[None; 3]);
        assert!(!caught.caught && caught.detail == "in round 3: nothing was found", "{}", caught.detail);
        assert_eq!(seeds.len(), 3);
    }

    #[test]
    fn a_twin_whose_fault_shows_as_something_else_is_not_caught() {
        let (caught, seeds) = twin_of(&[Some(Kind::Late), Some(Kind::Lost)]);
        assert!(!caught.caught, "{}", caught.detail);
        assert_eq!(seeds, [u64::MAX]);
    }
}
