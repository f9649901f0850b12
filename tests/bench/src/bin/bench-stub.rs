//! `landfall-stub` beside the Go stub, on NRI's own adaptation.

use clap::Parser;
use landfall_bench::{Options, stub};

fn main() {
    let options = Options::parse();
    stub::beside_go(&options).print(&options);
}
