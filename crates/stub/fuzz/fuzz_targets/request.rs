//! Any bytes as the argument of a method.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_stub::fuzzing::request(data));
