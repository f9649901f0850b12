//! `landfall-pool` beside the pools that others offer: memory.
//!
//! A program of its own, because an allocator that counts would take its share of every time that is measured.

use std::alloc::System;

use clap::Parser;
use landfall_bench::{Options, live_bytes, pool};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let options = Options::parse();
    pool::bytes(&options, || live_bytes(ALLOCATOR)).print(&options);
}
