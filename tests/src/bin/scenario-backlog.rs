//! A backlog in front of a child that is restarted, terminated at a random moment.

use std::process::ExitCode;

use landfall_tests::loads::backlog;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends a backlog with callers in front of it and a child behind it that is restarted: all are told";
    Observed::new("backlog", about, |target| target.run(backlog::load)).finding(backlog::TWINS).main()
}
