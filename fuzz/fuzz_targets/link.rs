//! Any orders, bytes, cuts and time for two links. The same inputs run as an ordinary test: `tests/fuzzed.rs`.
#![no_main]

#[path = "../../tests/fuzzed/link/mod.rs"]
mod link;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    link::run(data);
});
