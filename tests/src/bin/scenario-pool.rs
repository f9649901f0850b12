//! A pool with connections in every state and claims in line, terminated at a random moment.

use std::process::ExitCode;

use landfall_tests::loads::pool;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends a pool with connections in every state, claims in line and handles out: nothing is left";
    Observed::new("pool", about, |target| target.run(pool::load)).finding(pool::TWINS).main()
}
