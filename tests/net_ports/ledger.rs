//! What became of each message.

use std::{collections::BTreeMap, sync::Mutex};

use handover::{channel::SendError, net::Message};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unit {
    pub sender: u32,
    pub number: u32,
}

impl Message for Unit {
    const NAME: &'static str = "test.Unit";
}

#[derive(Debug, Default)]
pub struct Ledger {
    entries: Mutex<BTreeMap<Unit, Entry>>,
}

#[derive(Debug, Default)]
struct Entry {
    taken: u32,
    /// As its sender heard it.
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Sent,
    Back,
    InDoubt,
}

/// How many messages had which outcome.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    pub sent: usize,
    pub back: usize,
    pub in_doubt: usize,
}

impl Ledger {
    pub fn take(&self, unit: Unit) {
        self.entries.lock().unwrap().entry(unit).or_default().taken += 1;
    }

    pub fn hear(&self, unit: Unit, sent: &Result<(), SendError<Unit>>) {
        let outcome = match sent {
            Ok(()) => Outcome::Sent,
            Err(SendError::InDoubt(_)) => Outcome::InDoubt,
            Err(_) => Outcome::Back,
        };
        let mut entries = self.entries.lock().unwrap();
        let before = entries.entry(unit).or_default().outcome.replace(outcome);
        assert_eq!(before, None, "{unit:?} has two outcomes");
    }

    /// How many outcomes were heard.
    pub fn heard(&self) -> usize {
        let entries = self.entries.lock().unwrap();
        entries
            .values()
            .filter(|entry| entry.outcome.is_some())
            .count()
    }

    /// What was sent was taken once, what came back never, what is in doubt at most once.
    pub fn check(&self) -> Sums {
        let mut sums = Sums::default();
        for (unit, entry) in &*self.entries.lock().unwrap() {
            let (sum, right) = match entry
                .outcome
                .unwrap_or_else(|| panic!("{unit:?}: {entry:?}"))
            {
                Outcome::Sent => (&mut sums.sent, entry.taken == 1),
                Outcome::Back => (&mut sums.back, entry.taken == 0),
                Outcome::InDoubt => (&mut sums.in_doubt, entry.taken <= 1),
            };
            assert!(right, "{unit:?}: {entry:?}");
            *sum += 1;
        }
        sums
    }
}
