//! What honest sides did with each message, so that what is heard can be held against it.

use std::collections::BTreeMap;

use bytes::Bytes;
use handover::wire::Settlement;

/// A channel by the number that its type's version carries, and a message by its number on it.
pub type Name = (u32, u64);

#[derive(Debug, Default)]
struct Entry {
    length: usize,
    arrived: bool,
    withdrawn: bool,
    said: Option<Settlement>,
}

#[derive(Debug)]
pub struct Ledger {
    /// Nothing can be said of what is heard.
    hostile: bool,
    channels: u32,
    entries: BTreeMap<Name, Entry>,
}

impl Ledger {
    pub fn new(hostile: bool) -> Self {
        Self {
            hostile,
            channels: 0,
            entries: BTreeMap::new(),
        }
    }

    pub fn next_channel(&self) -> u32 {
        self.channels + 1
    }

    pub fn open(&mut self) {
        self.channels += 1;
    }

    /// The name of the message that is sent next on a channel.
    pub fn next(&self, channel: u32) -> Name {
        let last = self
            .entries
            .range((channel, 0)..=(channel, u64::MAX))
            .next_back();
        (channel, last.map_or(0, |((_, sequence), _)| *sequence) + 1)
    }

    pub fn content((channel, sequence): Name, length: usize) -> Bytes {
        let salt = u64::from(channel) * 7 + sequence;
        vec![(salt % 251) as u8; length].into()
    }

    pub fn begin(&mut self, name: Name, length: usize) {
        let entry = Entry {
            length,
            ..Entry::default()
        };
        let before = self.entries.insert(name, entry);
        assert!(before.is_none(), "a number is used once");
    }

    pub fn withdraw(&mut self, name: Name) {
        if let Some(entry) = self.entries.get_mut(&name) {
            entry.withdrawn = true;
        }
    }

    pub fn arrive(&mut self, name: Name, message: &Bytes) {
        if self.hostile {
            return;
        }
        let Some(entry) = self.entries.get_mut(&name) else {
            panic!("{name:?} was never sent");
        };
        assert!(!entry.arrived, "{name:?} arrives once");
        entry.arrived = true;
        assert!(
            *message == Self::content(name, entry.length),
            "{name:?} arrives as it was"
        );
    }

    pub fn say(&mut self, name: Name, settlement: Settlement) {
        if let Some(entry) = self.entries.get_mut(&name) {
            entry.said = Some(settlement);
        }
    }

    pub fn hear(&mut self, name: Name, settlement: Settlement) {
        if self.hostile {
            return;
        }
        let entry = &self.entries[&name];
        let cut = entry.withdrawn && entry.said.is_none() && settlement == Settlement::Returned;
        assert!(
            entry.said == Some(settlement) || cut,
            "{name:?} is settled as {settlement:?}, and {:?} was said",
            entry.said
        );
    }

    /// The session is over, and the sender concludes that nobody took it.
    pub fn not_taken(&mut self, name: Name) {
        let said = self.entries.get(&name).and_then(|entry| entry.said);
        assert!(
            self.hostile || said != Some(Settlement::Taken),
            "{name:?} was taken"
        );
    }
}
