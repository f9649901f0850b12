//! A pool whose last handle is dropped without a termination, while its connections are out.

use std::process::ExitCode;

use landfall_tests::loads::pool;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Drops the last handle to a pool whose connections are out: nothing is left once they come back";
    Observed::new("pool-dropped", about, |target| target.run(pool::dropped)).finding(pool::DROPPED_TWINS).main()
}
