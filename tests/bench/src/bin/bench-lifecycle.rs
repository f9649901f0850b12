//! `landfall-lifecycle` beside tokio's own tools: time.

use clap::Parser;
use landfall_bench::{Options, lifecycle};

fn main() {
    let options = Options::parse();
    options.print(&lifecycle::times(&options));
}
