//! Any bytes as a stream of NRI's multiplexer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_stub::fuzzing::mux_frame(data));
