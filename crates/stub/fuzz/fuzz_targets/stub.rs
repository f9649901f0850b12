//! Any bytes as what a runtime does to a plugin, and when.
#![no_main]

use landfall_lifecycle::Clock;
use landfall_stub::fuzzing;
use tokio::runtime::Builder;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("the machine has room");
    runtime.block_on(fuzzing::stub(data, &Clock::tokio(runtime.handle())));
});
