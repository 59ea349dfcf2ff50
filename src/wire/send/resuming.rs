//! What becomes of a channel on which this side sends when its connection goes, and when the next one comes.
//!
//! # Invariants
//!
//! - What the peer says that it has is no less than it confirmed, and no more than had left.

use super::{Ending, SETTLED_OWED_MAX, SendChannel, Stage, Traffic, Violation, Withdraw};

impl SendChannel {
    /// Notes which messages left in whole on a connection of which the socket has taken `written` bytes.
    pub(in crate::wire) fn note_left(&mut self, written: u64) {
        for message in &mut self.messages {
            message.left = message.has_left(written);
        }
    }

    /// The connection is gone, of which the socket had taken `written` bytes.
    pub(in crate::wire) fn disconnected(&mut self, written: u64) {
        self.note_left(written);
        for message in &mut self.messages {
            if message.stage != Stage::Arrived {
                message.stage = Stage::UNSAID;
            }
            if message.withdraw == Withdraw::Said {
                message.withdraw = Withdraw::Asked;
                self.withdraws = true;
            }
        }
        self.traffic = Traffic::default();
        self.count_said();
        self.open_said = false;
        self.resumed = false;
        self.revoked = false;
        self.closed = false;
        if self.heard > 0 {
            // What was confirmed may be lost, so it is confirmed again.
            self.owed = self.owed.max(SETTLED_OWED_MAX);
        }
    }

    /// The peer says how far the channel had come.
    pub(in crate::wire) fn resume(
        &mut self,
        channel: u16,
        arrived: u64,
        arrived_bytes: u64,
        messages: u64,
        bytes: u64,
    ) -> Result<(), Violation> {
        let fits = self.open_said
            && !self.resumed
            && !self.peer_closed
            && (self.heard..=self.messages_begun).contains(&arrived)
            && messages >= self.messages_begun
            && bytes >= arrived_bytes
            && arrived_bytes <= self.bytes_begun;
        // What never left cannot have arrived, and what had arrived has not gone again.
        let credible = self.messages.iter().all(|message| {
            if message.sequence <= arrived {
                message.left || message.withdraw != Withdraw::No
            } else {
                message.stage != Stage::Arrived
            }
        });
        if !fits || !credible {
            return Err(Violation::BadResume(channel));
        }
        for message in &mut self.messages {
            if message.sequence <= arrived {
                message.stage = if message.left {
                    Stage::Arrived
                } else {
                    Stage::Cut
                };
            } else {
                message.left = false;
                if matches!(self.ending, Some(Ending::Poison(_))) {
                    message.withdraw = Withdraw::Asked;
                    self.withdraws = true;
                }
            }
        }
        self.count_said();
        self.resumed = true;
        self.messages_granted = messages;
        self.bytes_granted = bytes;
        self.bytes_sent = arrived_bytes;
        Ok(())
    }

    /// Whether the peer's last word on this connection tells of what is under way here, too.
    pub(in crate::wire) fn is_resumed(&self) -> bool {
        self.resumed
    }
}
