//! A plugin through two hundred generations on a real socket, terminated at a random moment.

use std::alloc::System;
use std::process::ExitCode;

use landfall_tests::loads::stub;
use landfall_tests::observed::Observed;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let about =
        "Loses, cuts and stops a plugin in two hundred generations, then ends it: nothing is left, nothing grows";
    Observed::new("stub", about, |target| target.run(async |course| stub::load(course, live).await))
        .finding(stub::TWINS)
        .driven(stub::drive)
        .main()
}

fn live() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}
