//! A pool whose backends come from DNS, terminated at a random moment with questions under way.

use std::process::ExitCode;

use landfall_tests::loads::pool::dns;
use landfall_tests::observed::Observed;

fn main() -> ExitCode {
    let about = "Ends a pool whose resolver asks name servers, one of them silent: no task and no socket is left";
    Observed::new("pool-dns", about, |target| target.run(dns::load)).finding(dns::TWINS).main()
}
