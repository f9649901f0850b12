//! A pool of connections to SQLite, terminated at a random moment under users that finish, give up, and never end.

use std::process::ExitCode;

use landfall_tests::loads::diesel;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends a pool of Diesel's connections to SQLite at a random moment, with queries that never end";
    Observed::new("diesel", about, |target| target.run(diesel::load)).finding(diesel::TWINS).main()
}
