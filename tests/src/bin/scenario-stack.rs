//! Owners in an order, terminated at a random moment: each level drains while the one below it runs.

use std::process::ExitCode;

use landfall_tests::loads::stack;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends a stack of sets in order at a random moment";
    Observed::new("stack", about, |target| target.run(stack::load)).finding(stack::TWINS).main()
}
