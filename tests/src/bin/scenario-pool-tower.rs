//! A pool inside of tower, with calls in every stage, terminated at a random moment.

use std::process::ExitCode;

use landfall_tests::loads::pool;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends a pool that is called through tower, calls under way, cut and given up: nothing is left";
    Observed::new("pool-tower", about, |target| target.run(pool::tower)).finding(pool::TOWER_TWINS).main()
}
