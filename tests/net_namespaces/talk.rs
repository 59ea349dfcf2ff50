//! A conversation between two processes in two namespaces, and the ledger of it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{programs::Part, space::Spaces};

/// Time for anything that should happen soon.
pub const SOON: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy)]
pub struct Talk {
    pub lease: Duration,
    /// So many messages each way.
    pub messages: u64,
    /// The longest has so many bytes.
    pub bytes: usize,
}

/// What one side tells.
#[derive(Debug)]
pub struct Told {
    pub sent: Vec<u64>,
    pub returned: Vec<u64>,
    pub in_doubt: Vec<u64>,
    pub taken: Vec<u64>,
}

pub struct Talkers {
    /// The listener, and the dialer.
    pub parts: [Part; 2],
    talk: Talk,
}

impl Talk {
    /// Lets two processes begin.
    pub fn begin(self, spaces: &Spaces) -> Talkers {
        let start = |end: usize| {
            let env = [
                ("TALK_END", end.to_string()),
                ("TALK_LEASE_MS", self.lease.as_millis().to_string()),
                ("TALK_COUNT", self.messages.to_string()),
                ("TALK_BYTES", self.bytes.to_string()),
            ];
            let mut part = Part::start("talker::talker", &spaces.inside(end), &env);
            assert_eq!(part.answer(), "ready");
            part
        };
        let mut parts = [start(0), start(1)];
        for part in &mut parts {
            assert_eq!(part.answer(), "linked");
        }
        Talkers { parts, talk: self }
    }
}

impl Talkers {
    /// Waits until so many messages of both ways have crossed, as the dialer sees it.
    pub fn await_progress(&mut self, messages: u64) {
        let deadline = Instant::now() + SOON;
        while self.progress() < messages {
            assert!(Instant::now() < deadline, "it does not go on");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn progress(&mut self) -> u64 {
        self.parts[1].ask("progress").parse().unwrap()
    }

    pub fn told(&mut self, end: usize) -> Told {
        self.parts[end].order("finish");
        let answer = self.parts[end].answer_within(SOON * 2);
        let mut lists = answer.split(']').map(|list| {
            list.trim_start_matches([' ', '['])
                .split(", ")
                .filter(|number| !number.is_empty())
                .map(|number| number.parse().unwrap())
                .collect()
        });
        let mut next = || lists.next().unwrap();
        Told {
            sent: next(),
            returned: next(),
            in_doubt: next(),
            taken: next(),
        }
    }

    /// Each message was taken once, in order, and its sender knows; the link ends in good order.
    pub fn all_is_well(mut self) {
        let told = [self.told(0), self.told(1)];
        let all: Vec<u64> = (1..=self.talk.messages).collect();
        for side in &told {
            assert!(side.in_doubt.is_empty(), "there is no doubt: {side:?}");
            assert!(side.returned.is_empty(), "nothing comes back: {side:?}");
            assert!(side.sent == all, "all was sent: {side:?}");
            assert!(side.taken == all, "each was taken once: {side:?}");
        }
        self.parts[1].order("close");
        self.parts[1].answer();
        let end = self.parts[0].ask("closed");
        assert!(end.contains("done"), "{end}");
        for part in self.parts {
            part.end();
        }
    }
}

/// What one side took is what the other side may have sent: nothing twice, nothing that came back, and all that was
/// sent.
pub fn agree(sender: &Told, receiver: &Told) {
    let taken: BTreeSet<u64> = receiver.taken.iter().copied().collect();
    assert_eq!(taken.len(), receiver.taken.len(), "nothing is taken twice");
    for number in &sender.sent {
        assert!(taken.contains(number), "{number} was taken");
    }
    for number in &sender.returned {
        assert!(!taken.contains(number), "{number} came back");
    }
    let known = sender.sent.len() + sender.in_doubt.len();
    assert!(taken.len() <= known, "no more was taken than was sent");
    assert!(sender.in_doubt.len() <= 1, "one is under way at a time");
}
