//! What the fuzzer tries (`scripts/fuzz`), with the inputs that are kept, as an ordinary test.
//!
//! `HANDOVER_CORPUS=1 cargo test --features net --test fuzzed` writes those inputs that are made here anew.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used)]

#[path = "fuzzed/decode.rs"]
mod decode;
#[path = "fuzzed/link/mod.rs"]
mod link;
#[path = "fuzzed/seeds.rs"]
mod seeds;

use std::{fs, path::PathBuf};

fn corpus(target: &str) -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    tests.join("fuzzed/corpus").join(target)
}

/// The inputs that are kept, in the order of their names.
fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut inputs: Vec<_> = fs::read_dir(corpus(target))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

/// Checks that the seeds are among the inputs that are kept, or writes them there.
fn check_seeds(target: &str, seeds: Vec<(&str, Vec<u8>)>) {
    if std::env::var_os("HANDOVER_CORPUS").is_some() {
        fs::create_dir_all(corpus(target)).unwrap();
        for (name, bytes) in &seeds {
            fs::write(corpus(target).join(name), bytes).unwrap();
        }
    }
    let kept = kept(target);
    for (name, bytes) in seeds {
        let there = kept
            .iter()
            .any(|(file, content)| file == name && *content == bytes);
        assert!(
            there,
            "{target}/{name} is not what it was: HANDOVER_CORPUS=1 writes it anew"
        );
    }
}

#[test]
fn bytes_that_are_kept_decode_to_what_they_say() {
    check_seeds("decode", seeds::conversations());
    for (name, bytes) in kept("decode") {
        println!("{name}: {} bytes", bytes.len());
        decode::run(&bytes);
        // And cut anywhere, or with a bit turned.
        for at in 0..bytes.len().min(400) {
            decode::run(&bytes[at..]);
            let mut bent = bytes.clone();
            bent[at] ^= 1 << (at % 8);
            decode::run(&bent);
        }
    }
}

#[test]
fn worlds_that_are_kept_keep_their_bounds() {
    check_seeds("link", seeds::worlds());
    let mut all = link::Deeds::default();
    for (name, bytes) in kept("link") {
        let deeds = link::run(&bytes);
        println!("{name}: {deeds:?}");
        all.events += deeds.events;
        all.messages += deeds.messages;
        all.resumed += deeds.resumed;
        all.violations += deeds.violations;
        // The same in a world where anything may be said.
        let mut bent = bytes.clone();
        for at in 0..bytes.len().min(300) {
            bent[0] |= 1;
            bent[at] ^= 1 << (at % 8);
            link::run(&bent);
            bent[at] = bytes[at];
        }
    }
    assert!(
        all.messages > 20 && all.resumed > 3 && all.violations > 2,
        "the inputs get somewhere: {all:?}"
    );
}
