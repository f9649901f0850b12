//! `landfall-pool` beside the pools that others offer: a claim and its release.

use clap::Parser;
use landfall_bench::{Options, pool};

fn main() {
    let options = Options::parse();
    options.print(&pool::warm(&options));
}
