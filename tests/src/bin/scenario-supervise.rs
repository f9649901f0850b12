//! A nested tree of supervisors whose workers crash, terminated at chosen and at random moments.

use std::process::ExitCode;

use landfall_tests::loads::supervise;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends trees of crashing workers in a group restart, a delayed restart, a start, and at a random moment";
    Observed::new("supervise", about, |target| target.run(supervise::load))
        .finding(supervise::TWINS)
        .driven(supervise::drive)
        .main()
}
