//! Any bytes as the two headers, and as the body of a message.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_stub::fuzzing::ttrpc_header(data));
