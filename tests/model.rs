//! The channel against a simple sequential model of it, under random programs.
//!
//! A program is a list of sends, receives, tries, timeouts, alternations over several channels, polls that nobody was
//! woken for, cancels, answers for what is in custody, grants of credit, drains, poisonings and closes. It runs on one thread, each poll where the program
//! says; beside it runs the reference, which says of each outcome whether it is allowed, and at the end where each
//! message must be. See `tests/model/`.
//!
//! A failing program is made as short as possible and printed with the seed of its batch.
//!
//! - `PROPTEST_CASES=N` tries N programs instead of 2,000;
//! - `HANDOVER_SEED=S` replays a batch; as a fair alternation chooses by itself, each program then runs 20 times;
//! - `scripts/model MINUTES` tries batch after batch in one process until the time is up.

#![allow(
    clippy::unwrap_used,
    clippy::similar_names,
    reason = "all of it is tests; `send`, `sent` and `sending` are the words for what they name"
)]

#[path = "model/crowd.rs"]
mod crowd;
#[path = "model/program.rs"]
mod program;
#[path = "model/reference.rs"]
mod reference;
#[path = "script/mod.rs"]
mod script;
#[path = "model/world.rs"]
mod world;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt::Debug,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use reference::Outcome;
use world::World;

/// Programs in a batch, where nothing else is said: seconds.
const CASES: u32 = 2_000;

/// How often a program runs when its batch is replayed.
const REPLAYS: usize = 20;

fn number_in(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} must be a number, not {value:?}")))
}

/// The seed that was asked for, or one of this moment.
pub(crate) fn seed() -> u64 {
    number_in("HANDOVER_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(1, |now| {
            u64::from(now.subsec_nanos()) ^ (now.as_secs() << 20)
        })
    })
}

/// What kind of outcome it is, without its numbers.
fn name(outcome: Option<Outcome>) -> String {
    match outcome {
        None => "pending".to_owned(),
        Some(Outcome::Failed(_, why, _)) => format!("Failed({})", without_numbers(&why)),
        Some(Outcome::Ended(_, why)) => format!("Ended({})", without_numbers(&why)),
        Some(Outcome::NoDemand(why)) => format!("NoDemand({})", without_numbers(&why)),
        Some(outcome) => without_numbers(&outcome),
    }
}

fn without_numbers(word: &impl Debug) -> String {
    let text = format!("{word:?}");
    text.split('(').next().unwrap_or_default().to_owned()
}

/// Runs a batch of random programs; returns how often each kind of outcome was seen, and each place of a message.
fn try_batch(seed: u64, cases: u32, runs: usize) -> BTreeMap<String, u64> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 50_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let counts = RefCell::new(BTreeMap::new());
    let result = TestRunner::new_with_rng(config, rng).run(&program::program(), |steps| {
        for _ in 0..runs {
            let mut world = World::new();
            for step in &steps {
                world.perform(step);
            }
            let (outcomes, places) = world.balance();
            let places = places.iter().map(without_numbers);
            for what in outcomes.into_iter().map(name).chain(places) {
                *counts.borrow_mut().entry(what).or_insert(0) += 1;
            }
        }
        Ok(())
    });
    match result {
        Ok(()) => counts.into_inner(),
        Err(TestError::Fail(reason, steps)) => {
            panic!("{reason}\nreplay with HANDOVER_SEED={seed}; the shortest program:\n{steps:#?}")
        }
        Err(TestError::Abort(reason)) => panic!("{reason}\nreplay with HANDOVER_SEED={seed}"),
    }
}

#[test]
fn random_programs_come_to_what_the_model_allows() {
    let (seed, replayed) = (seed(), number_in("HANDOVER_SEED").is_some());
    let cases = number_in("PROPTEST_CASES").map_or(CASES, |cases| u32::try_from(cases).unwrap());
    let runs = if replayed { REPLAYS } else { 1 };
    let minutes = number_in("HANDOVER_MODEL_MINUTES");
    let end = Instant::now() + Duration::from_secs(60 * minutes.unwrap_or(0));
    let mut counts = BTreeMap::<String, u64>::new();
    let mut batches = 0;
    loop {
        for (outcome, count) in try_batch(seed.wrapping_add(batches), cases, runs) {
            *counts.entry(outcome).or_insert(0) += count;
        }
        batches += 1;
        if Instant::now() >= end {
            break;
        }
    }
    println!("{batches} batches of {cases} programs from HANDOVER_SEED={seed}: {counts:?}");
    // A model of nothing would be met by everything.
    if cases >= CASES {
        let expected = [
            "pending",
            "Sent",
            "Failed(Disconnected)",
            "Failed(Returned)",
            "Failed(InDoubt)",
            "Received",
            "Failed(Poisoned)",
            "Failed(TimedOut)",
            "Ended(Disconnected)",
            "Ended(Poisoned)",
            "Over",
            "TimedOut",
            "Rang",
            "Held",
            "Accepted",
            "Demand",
            "NoDemand(Disconnected)",
            "NoDemand(Poisoned)",
            "Closed",
            "Home",
            "Kept",
            "Lost",
            "Drained",
            "Taken",
        ];
        for outcome in expected {
            let count = counts.get(outcome).copied().unwrap_or(0);
            assert!(count >= 5, "{outcome} was seen {count} times");
        }
    }
}
