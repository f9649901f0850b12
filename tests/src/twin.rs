//! Planted faults: which there are, what has to find each, and whether it did.

use std::fmt::{self, Display, Formatter};
use std::process::Command;

use crate::findings::{Kind, Sought};
use crate::verdict::Outcome;

/// A planted fault, and what has to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The fault's name.
    pub fault: &'static str,
    /// Where it is planted.
    pub planted: Planted,
    /// What it has to be found as.
    pub finds: Sought,
}

/// Where a fault is planted, and so which build has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// In the scenario, always there.
    InScenario,
    /// In the product, built with `--cfg landfall_faults`.
    InProduct,
}

/// Why a fault cannot be armed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The scenario has none of this name.
    #[error("there is no fault `{asked}` in this scenario; there are: {known}")]
    Unknown {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// It sits in the product, and this is a build without fault points.
    #[error(
        "the fault `{fault}` sits in the product, and this build has no fault points; build with them, beside the \
         ordinary build: RUSTFLAGS=\"--cfg landfall_faults\" CARGO_TARGET_DIR=target/faults cargo build \
         -p landfall-demo -p landfall-tests"
    )]
    NoFaultPoints {
        /// Which one.
        fault: &'static str,
    },
}

impl Twin {
    /// A fault in the scenario itself.
    pub const fn planted(fault: &'static str, kind: Kind) -> Self {
        Self { fault, planted: Planted::InScenario, finds: Sought { kind, name: None, place: None } }
    }

    /// A fault point of the product.
    pub const fn product(fault: &'static str, kind: Kind) -> Self {
        Self { planted: Planted::InProduct, ..Self::planted(fault, kind) }
    }

    /// Has to be found by this name, or by one with these words in it.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.finds.name = Some(name);
        self
    }

    /// Has to be found with the place that started it.
    #[must_use]
    pub const fn at(mut self, place: &'static str) -> Self {
        self.finds.place = Some(place);
        self
    }

    /// Has to be found with its place if this build's tokio tells the places of tasks that have no owner.
    #[must_use]
    pub const fn at_if_told(self, place: &'static str) -> Self {
        if cfg!(tokio_unstable) { self.at(place) } else { self }
    }

    /// Arms the fault point in a program that is to be started.
    pub fn arm(&self, command: &mut Command) {
        command.env("LANDFALL_FAULT", self.fault);
    }

    /// The one of this name, if this build can arm it.
    ///
    /// # Errors
    ///
    /// [`FaultError`] if there is none, or not in this build.
    pub fn select(twins: &[Self], asked: &str) -> Result<Self, FaultError> {
        let Some(twin) = twins.iter().find(|twin| twin.fault == asked) else {
            let names: Vec<&str> = twins.iter().map(|twin| twin.fault).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(FaultError::Unknown { asked: asked.to_owned(), known });
        };
        if twin.planted == Planted::InProduct && !cfg!(landfall_faults) {
            return Err(FaultError::NoFaultPoints { fault: twin.fault });
        }
        Ok(*twin)
    }
}

/// As it is listed: the name, and the build it needs.
impl Display for Twin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let build = match self.planted {
            Planted::InScenario => "planted",
            Planted::InProduct => "product",
        };
        write!(f, "{} {build}", self.fault)
    }
}

/// Whether a planted fault was found.
#[derive(Clone, Debug)]
pub struct Caught {
    /// Which one.
    pub fault: &'static str,
    /// Whether it was.
    pub caught: bool,
    /// What was found, and what was not.
    pub detail: String,
    /// The run, if it came to its end.
    pub outcome: Option<Outcome>,
}

impl Caught {
    /// Whether it could not be run at all.
    pub fn is_skipped(&self) -> bool {
        self.outcome.as_ref().is_some_and(Outcome::is_skipped)
    }

    /// Judges the run of a twin in the round that counts; one that could not be run to its end has caught nothing.
    pub fn judge(twin: Twin, round: u64, outcome: Result<Outcome, String>) -> Self {
        let (caught, mut detail) = match &outcome {
            Ok(outcome) if outcome.is_skipped() => (false, format!("skipped: {}", outcome.skipped.join("; "))),
            Ok(outcome) if outcome.findings.is_empty() => (false, "nothing was found".to_owned()),
            Ok(outcome) if outcome.findings.includes(&twin.finds) => (true, outcome.findings.to_string()),
            Ok(outcome) => (false, format!("no {}, but {}", twin.finds, outcome.findings)),
            Err(failure) => (false, failure.clone()),
        };
        if round > 1 {
            detail = format!("in round {round}: {detail}");
        }
        Self { fault: twin.fault, caught, detail, outcome: outcome.ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Finding;

    const TWINS: [Twin; 2] = [Twin::planted("deaf", Kind::Late), Twin::product("skip-join", Kind::ForeignTask)];

    #[test]
    fn faults_are_listed_with_the_build_they_need() {
        assert_eq!(TWINS.map(|twin| twin.to_string()), ["deaf planted", "skip-join product"]);
    }

    #[test]
    fn an_unknown_fault_is_refused_with_the_list() {
        let refused = Twin::select(&TWINS, "dumb").expect_err("there is none").to_string();
        assert_eq!(refused, "there is no fault `dumb` in this scenario; there are: deaf, skip-join");
        assert!(Twin::select(&[], "dumb").expect_err("there is none").to_string().ends_with("there are: none"));
    }

    #[test]
    fn a_fault_of_the_product_needs_a_build_with_fault_points() {
        assert_eq!(Twin::select(&TWINS, "deaf"), Ok(TWINS[0]));
        let selected = Twin::select(&TWINS, "skip-join");
        if cfg!(landfall_faults) {
            assert_eq!(selected, Ok(TWINS[1]));
        } else {
            let refused = selected.expect_err("there are no fault points").to_string();
            assert!(refused.contains("RUSTFLAGS=\"--cfg landfall_faults\""), "{refused}");
        }
    }

    #[test]
    fn a_fault_that_is_found_as_something_else_was_not_caught() {
        let twin = Twin::planted("thread", Kind::Thread).named("planted");
        let mut outcome = Outcome::default();
        outcome.findings.push(Finding::new(Kind::Thread, "thread 7 lives on").named("other"));
        let caught = Caught::judge(twin, 1, Ok(outcome.clone()));
        assert!(!caught.caught && caught.detail.starts_with("no thread `planted`, but thread: "), "{}", caught.detail);
        outcome.findings.push(Finding::new(Kind::Thread, "thread 8 lives on").named("planted"));
        assert!(Caught::judge(twin, 1, Ok(outcome)).caught);
    }
}
