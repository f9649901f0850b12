//! `landfall-pool` with several backends, some of which fail, each in a way of its own.

use clap::Parser;
use landfall_bench::{Options, pool};

fn main() {
    let options = Options::parse();
    pool::backends(&options).print(&options);
}
