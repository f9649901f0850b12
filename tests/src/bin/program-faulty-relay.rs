//! A relay with a planted fault, for scenarios to find.

use std::process::ExitCode;

fn main() -> ExitCode {
    landfall_tests::faulty::main(std::env::args().skip(1).collect())
}
