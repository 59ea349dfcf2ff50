//! What became of each message, as its two owners saw it, and what must hold of that.

use handover::wire::{Outcome, Settlement};

/// What the sender was told of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Settled(Settlement),
    /// The receiver's end, or the peer's last word, or the end of the session.
    Concluded(Outcome),
    /// The sender's process is gone.
    Nobody,
}

#[derive(Debug)]
pub struct Message {
    pub size: usize,
    pub told: Option<Told>,
    /// How often a process took it.
    pub taken: u32,
    /// The last thing that its receiver's owner said of it.
    pub said: Option<Settlement>,
    /// A socket took its last byte on some connection.
    pub left: bool,
    pub withdrawn: bool,
}

/// One channel, from its opening to its end.
#[derive(Debug, Default)]
pub struct Channel {
    /// By sequence, from 1.
    pub messages: Vec<Message>,
    /// The last that the receiver was given.
    arrived: u64,
}

#[derive(Debug, Default)]
pub struct Ledger {
    channels: Vec<Channel>,
}

impl Ledger {
    /// A new channel's number.
    pub fn open(&mut self) -> u32 {
        self.channels.push(Channel::default());
        u32::try_from(self.channels.len() - 1).unwrap()
    }

    /// The number that the next channel will have.
    pub fn next_channel(&self) -> u32 {
        u32::try_from(self.channels.len()).unwrap()
    }

    /// The number that the next message of a channel will have.
    pub fn next(&self, channel: u32) -> u64 {
        self.channels[channel as usize].messages.len() as u64 + 1
    }

    pub fn message(&mut self, channel: u32, sequence: u64) -> &mut Message {
        let index = usize::try_from(sequence).unwrap() - 1;
        &mut self.channels[channel as usize].messages[index]
    }

    pub fn content(channel: u32, sequence: u64, size: usize) -> Vec<u8> {
        let salt = usize::try_from(sequence).unwrap() * 7 + channel as usize * 31;
        let byte = |at: usize| u8::try_from((at + salt) % 251).unwrap();
        (0..size).map(byte).collect()
    }

    pub fn begin(&mut self, channel: u32, sequence: u64, size: usize) {
        let messages = &mut self.channels[channel as usize].messages;
        messages.push(Message {
            size,
            told: None,
            taken: 0,
            said: None,
            left: false,
            withdrawn: false,
        });
        assert_eq!(messages.len() as u64, sequence, "messages are counted");
    }

    /// The receiver is given a message.
    pub fn arrive(&mut self, channel: u32, sequence: u64, content: &[u8]) {
        let last = std::mem::replace(&mut self.channels[channel as usize].arrived, sequence);
        assert!(last < sequence, "messages arrive once, and in order");
        for skipped in last + 1..sequence {
            let withdrawn = self.message(channel, skipped).withdrawn;
            assert!(withdrawn, "only what was withdrawn does not arrive");
        }
        let message = self.message(channel, sequence);
        assert!(message.left, "what arrives has left");
        let expected = Self::content(channel, sequence, content.len());
        assert!(
            content.len() == message.size && content == expected,
            "messages arrive whole"
        );
    }

    /// The receiver's owner says what became of a message.
    pub fn say(&mut self, channel: u32, sequence: u64, settlement: Settlement) {
        let message = self.message(channel, sequence);
        message.said = Some(settlement);
        message.taken += u32::from(settlement == Settlement::Taken);
        assert!(message.taken <= 1, "a message is taken once");
        let refused = matches!(
            message.told,
            Some(
                Told::Concluded(Outcome::NotTaken)
                    | Told::Settled(
                        Settlement::Returned | Settlement::Declined | Settlement::Taken
                    )
            )
        );
        assert!(!refused, "the sender knew the outcome before it was one");
    }

    /// The sender is told what became of a message.
    pub fn tell(&mut self, channel: u32, sequence: u64, told: Told) {
        let message = self.message(channel, sequence);
        assert_eq!(message.told, None, "an outcome is told once");
        message.told = Some(told);
        let (taken, left, said) = (message.taken == 1, message.left, message.said);
        match told {
            Told::Settled(Settlement::Taken) => assert!(taken, "told taken, and it was not"),
            Told::Settled(Settlement::Returned | Settlement::Declined)
            | Told::Concluded(Outcome::NotTaken) => {
                assert!(!taken, "told not taken, and it was: {told:?}");
            }
            Told::Settled(Settlement::InDoubt) => {
                assert_eq!(said, Some(Settlement::InDoubt), "doubt that nobody had");
            }
            Told::Concluded(Outcome::InDoubt) => {
                assert!(left, "in doubt, and its last byte never left");
            }
            Told::Nobody => {}
        }
    }

    /// How many messages have no outcome.
    pub fn open_messages(&self) -> usize {
        let messages = self.channels.iter().flat_map(|channel| &channel.messages);
        messages.filter(|message| message.told.is_none()).count()
    }

    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.channels.iter().flat_map(|channel| &channel.messages)
    }
}
