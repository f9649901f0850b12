//! The inputs that the fuzz targets found and that were kept, in `tests/corpus`, once more.

use std::fs;
use std::path::Path;

use landfall_lifecycle::Clock;
use landfall_stub::fuzzing;
use tokio::runtime::Builder;

/// Gives each kept input of a target to `run`, with its name said, so that a failure tells which it was.
fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let mut inputs: Vec<_> =
        fs::read_dir(&folder).expect("it is checked in").map(|it| it.expect("it is read").path()).collect();
    inputs.sort();
    assert!(inputs.len() >= 10, "{} inputs are left of {target}", inputs.len());
    for path in inputs {
        println!("{}", path.display());
        run(&fs::read(&path).expect("it can be read"));
    }
}

#[test]
fn frames_are_read_as_the_slow_decoder_reads_them() {
    replay("mux_frame", fuzzing::mux_frame);
}

#[test]
fn headers_come_back_as_they_went() {
    replay("ttrpc_header", fuzzing::ttrpc_header);
}

#[test]
fn requests_reach_the_handler_that_they_are_for() {
    replay("request", fuzzing::request);
}

#[test]
fn a_plugin_outlives_whatever_a_runtime_does() {
    replay("stub", |input| {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("the machine has room");
        runtime.block_on(fuzzing::stub(input, &Clock::tokio(runtime.handle())));
    });
}
