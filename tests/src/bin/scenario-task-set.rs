//! Tasks of every kind on one set and its children, terminated at a random moment.

use std::process::ExitCode;

use landfall_tests::loads::task_set;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends a set with tasks of every kind, and sets below it, at a random moment";
    Observed::new("task-set", about, |target| target.run(task_set::load)).finding(task_set::TWINS).main()
}
