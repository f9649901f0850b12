//! Blocking jobs and threads on one set, terminated at a random moment.

use std::process::ExitCode;

use landfall_tests::loads::blocking;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends blocking jobs and threads at a random moment";
    Observed::new("blocking", about, |target| target.run(blocking::load)).finding(blocking::TWINS).main()
}
