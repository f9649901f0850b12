//! `landfall-pool` beside the pools that others offer: backends that fail.

use clap::Parser;
use landfall_bench::{Options, pool};

fn main() {
    let options = Options::parse();
    pool::faults(&options).print(&options);
}
