//! A whole service, signalled at random moments.

use std::process::ExitCode;

use landfall_tests::loads::service;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Sends a service SIGTERM at a random moment, and again once only the heedless are left";
    Observed::new("service", about, service::target).finding(service::TWINS).driven(service::drive).main()
}
