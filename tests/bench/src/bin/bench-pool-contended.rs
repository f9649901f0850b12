//! `landfall-pool` beside the pools that others offer: many tasks at few connections.

use clap::Parser;
use landfall_bench::{Options, pool};

fn main() {
    let options = Options::parse();
    pool::contended(&options).print(&options);
}
