//! `landfall-stub` on the runtime of the tests: many events at once, and starts after losses.
//!
//! A program of its own, because its allocator counts.

use std::alloc::System;

use clap::Parser;
use landfall_bench::{Options, live_bytes, stub};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let options = Options::parse();
    stub::load(&options, || live_bytes(ALLOCATOR)).print(&options);
}
