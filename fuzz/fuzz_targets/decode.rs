//! Any bytes as frames. The same inputs run as an ordinary test: `tests/fuzzed.rs`.
#![no_main]

#[path = "../../tests/fuzzed/decode.rs"]
mod decode;

libfuzzer_sys::fuzz_target!(|data: &[u8]| decode::run(data));
