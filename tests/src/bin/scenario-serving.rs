//! An HTTP server that is asked by clients while it is told to end.

use std::process::ExitCode;

use landfall_tests::loads::serving;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Sends an HTTP server SIGTERM while clients ask it";
    Observed::new("serving", about, serving::target).finding(serving::TWINS).driven(serving::drive).main()
}
