//! `Stub` beside the Go stub, on NRI's own adaptation; and alone, on the runtime of the tests.

mod adaptation;
mod again;
mod events;
mod load;
mod process;
mod synchronize;

use std::path::PathBuf;

pub use self::load::load;
use crate::{Findings, Options};

const OURS: &str = "Stub";
const GO: &str = "Go stub";

/// Measures what needs the Go program, which `LANDFALL_NRI_PROGRAM` names, and our plugin, which lies beside this program.
///
/// # Panics
///
/// When one of the two cannot be run.
#[must_use]
pub fn beside_go(options: &Options) -> Findings {
    let go =
        PathBuf::from(std::env::var_os("LANDFALL_NRI_PROGRAM").expect("`cargo xtask bench` builds the Go program"));
    let ours = std::env::current_exe().expect("it was started").with_file_name("program-stub-logger");
    let programs = Programs { go, ours };
    let mut findings = events::cells(options, &programs);
    findings.cells.extend(synchronize::cells(options, &programs));
    findings.cells.push(process::size_of(&programs.ours));
    findings
}

/// The programs that are measured.
struct Programs {
    /// The adaptation, and the plugin on its stub.
    go: PathBuf,
    /// The same plugin on ours.
    ours: PathBuf,
}
