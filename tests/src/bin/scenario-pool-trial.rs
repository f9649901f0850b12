//! A pool with a backend on trial, terminated at a random moment.

use std::process::ExitCode;

use landfall_tests::loads::pool;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends a pool that tries out a backend which it had ejected: nothing of the trial is left";
    Observed::new("pool-trial", about, |target| target.run(pool::trial)).finding(pool::TRIAL_TWINS).main()
}
