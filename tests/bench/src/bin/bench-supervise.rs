//! `landfall-supervise` beside a loop over a `JoinSet`: time.

use clap::Parser;
use landfall_bench::{Options, supervise};

fn main() {
    let options = Options::parse();
    options.print(&supervise::times(&options));
}
