//! `landfall-pool` beside the pools that others offer: many connections that nobody uses, and the end.

use clap::Parser;
use landfall_bench::{Options, pool};

fn main() {
    let options = Options::parse();
    pool::quiet(&options).print(&options);
}
