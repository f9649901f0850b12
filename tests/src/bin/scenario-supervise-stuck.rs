//! A tree with a child that ignores its stop and one that blocks, terminated at a random moment.

use std::process::ExitCode;

use landfall_tests::loads::supervise;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends a tree with a child that ignores its stop and one that blocks: in time, and both are named";
    Observed::new("supervise-stuck", about, |target| target.run(supervise::stuck))
        .finding(supervise::STUCK_TWINS)
        .driven(supervise::drive)
        .main()
}
