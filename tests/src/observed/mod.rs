//! Scenarios that are observer and observed in one program.
//!
//! Run by hand or by `cargo xtask leak-check` the program is the observer: it starts itself again as the *target*, which
//! makes a load, terminates, and is held at the stages of the hold protocol, where it is counted from outside. So all that
//! a scenario has to say is what the target does: see [`Observed`].

pub mod hold;
pub mod judge;
pub mod planted;
mod round;
mod target;
pub mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};

pub use self::round::Drive;
pub use self::target::{BodyError, Course, Target, Unpolled};
use crate::scenario::{self, Common, Failure};
use crate::twin::Twin;

/// A scenario: what it is called, what the target does, and which faults of the product it has to find.
///
/// Besides these it has the faults of [`planted::TWINS`], one for each kind of thing that can be left behind.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// The name, without `scenario-`.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Further faults that it has to find.
    pub twins: &'static [Twin],
    /// What the target does, usually [`Target::run`] with a load.
    pub target: fn(&Target) -> ExitCode,
    /// What the observer does from outside between the stages `began` and `ended`: load, signals.
    pub drive: fn(&mut Drive<'_>) -> Result<(), Failure>,
}

impl Observed {
    /// A scenario whose target needs nobody to drive it.
    pub const fn new(name: &'static str, about: &'static str, target: fn(&Target) -> ExitCode) -> Self {
        Self { name, about, twins: &[], target, drive: |_| Ok(()) }
    }

    /// Has to find these faults too.
    #[must_use]
    pub const fn finding(self, twins: &'static [Twin]) -> Self {
        Self { twins, ..self }
    }

    /// Is driven from outside.
    #[must_use]
    pub const fn driven(self, drive: fn(&mut Drive<'_>) -> Result<(), Failure>) -> Self {
        Self { drive, ..self }
    }

    /// Runs it: the whole of the program's `main`.
    pub fn main(&self) -> ExitCode {
        let options = Options::command().about(self.about).get_matches();
        let options = match Options::from_arg_matches(&options) {
            Ok(options) => options,
            Err(error) => error.exit(),
        };
        if options.target {
            return (self.target)(&Target::new(options.common.seed.unwrap_or_default(), options.planted, self.twins));
        }
        let twins: Vec<Twin> = planted::TWINS.iter().chain(self.twins).copied().collect();
        scenario::run(self.name, &options.common, &twins, |setting| round::run(self, setting))
    }
}

#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    common: Common,

    /// Be the observed program: for the observer
    #[arg(long, hide = true)]
    target: bool,

    /// The fault that is planted in the target: for the observer
    #[arg(long, hide = true, requires = "target")]
    planted: Option<String>,
}
