//! An owner of child processes, terminated at a random moment: it kills them and waits for them.

use std::process::ExitCode;

use landfall_tests::loads::child_process;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends an owner of child processes at a random moment";
    Observed::new("child-process", about, |target| target.run(child_process::load)).finding(child_process::TWINS).main()
}
