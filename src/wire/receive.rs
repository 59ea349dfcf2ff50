//! The receiving end of one channel.
//!
//! # Invariants
//!
//! - At most one message is being put together, and its buffer holds only bytes that arrived.
//! - At most `CREDIT_MESSAGES_MAX` messages are granted and not confirmed; so neither list below is longer.
//! - Each whole message is in `delivered` until it is settled, then in `outcomes` until its sender has confirmed
//!   that.
//! - On a resumed connection nothing is said before the peer has opened the channel again; then RESUME is first.

use bytes::Bytes;

use super::{
    assembly::Assembly,
    codec::DataHead,
    ending::Ending,
    error::Violation,
    event::{MessageType, Settlement},
    frame::{End, Frame},
    limits::CREDIT_MESSAGES_MAX,
    traffic::Traffic,
};

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one frame that was said or heard, in any order"
)]
pub(super) struct ReceiveChannel {
    name: String,
    message_type: MessageType,
    opening: u64,
    /// OPEN came on this connection.
    open_here: bool,
    /// It is over, and known no more, but for the answer to a peer that does not know that.
    stub: bool,
    resume_unsaid: bool,
    /// The number of the last message granted.
    messages_granted: u64,
    /// The sum of message bytes granted.
    bytes_granted: u64,
    grant_unsaid: bool,
    revoke: Revoke,
    /// The number of the last message of which something arrived.
    messages_begun: u64,
    /// The sum of message bytes that arrived.
    bytes_arrived: u64,
    /// The same, of messages that arrived in whole.
    bytes_whole: u64,
    assembly: Option<Assembly>,
    /// The length of the last message that arrived in whole: the next one may be as long.
    usual: u64,
    /// The messages that arrived and are not settled, with their lengths.
    delivered: Vec<(u64, u64)>,
    /// The sum of those lengths.
    bytes_delivered: u64,
    outcomes: Vec<(u64, Settlement)>,
    /// So many of the outcomes, from the first on, were said on this connection, and on any.
    said_here: usize,
    said: usize,
    /// How many messages' outcomes the peer has confirmed.
    confirmed: u64,
    ending: Option<Ending>,
    /// CLOSE, POISON or DENY was said on this connection, and on any.
    closed_here: bool,
    closed: bool,
    /// The peer has said its CLOSE or POISON on this connection, and on any.
    peer_closed_here: bool,
    peer_closed: bool,
    pub(super) traffic: Traffic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Revoke {
    No,
    Unsaid,
    Said,
}

/// What WITHDRAW finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Withdrawn {
    /// The message is here, and its owner decides.
    Here,
    /// It was not here in whole, and is returned.
    Dropped,
    /// Its outcome is known.
    Settled,
}

impl ReceiveChannel {
    pub(super) fn new(name: String, message_type: MessageType, opening: u64) -> Self {
        Self {
            name,
            message_type,
            opening,
            open_here: true,
            stub: false,
            resume_unsaid: false,
            messages_granted: 0,
            bytes_granted: 0,
            grant_unsaid: false,
            revoke: Revoke::No,
            messages_begun: 0,
            bytes_arrived: 0,
            bytes_whole: 0,
            assembly: None,
            usual: 0,
            delivered: Vec::new(),
            bytes_delivered: 0,
            outcomes: Vec::new(),
            said_here: 0,
            said: 0,
            confirmed: 0,
            ending: None,
            closed_here: false,
            closed: false,
            peer_closed_here: false,
            peer_closed: false,
            traffic: Traffic::default(),
        }
    }

    /// A channel that is over on this side: it says so, and no more.
    pub(super) fn stub(name: String, opening: u64) -> Self {
        Self {
            stub: true,
            ending: Some(Ending::Close),
            ..Self::new(name, MessageType::default(), opening)
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn message_type(&self) -> &MessageType {
        &self.message_type
    }

    pub(super) fn opening(&self) -> u64 {
        self.opening
    }

    pub(super) fn is_open_here(&self) -> bool {
        self.open_here
    }

    /// Whether nobody receives on it any more.
    pub(super) fn is_closing(&self) -> bool {
        self.ending.is_some()
    }

    /// Whether this side forgot the channel before, so that its owner knows nothing of it.
    pub(super) fn is_stub(&self) -> bool {
        self.stub
    }

    /// How many granted messages have not begun to arrive.
    fn credit_standing(&self) -> u64 {
        self.messages_granted.saturating_sub(self.messages_begun)
    }

    /// How much of the link's budget the channel takes up.
    pub(super) fn reserved(&self) -> u64 {
        if self.ending.is_some() {
            return 0;
        }
        let arrived = self.assembly.as_ref().map_or(0, Assembly::arrived);
        self.bytes_granted.saturating_sub(self.bytes_arrived) + arrived + self.bytes_delivered
    }

    /// How many messages are granted that did not arrive in whole.
    pub(super) fn standing(&self) -> u64 {
        self.credit_standing() + u64::from(self.assembly.is_some())
    }

    /// The number of the last message of which something arrived.
    pub(super) fn messages_begun(&self) -> u64 {
        self.messages_begun
    }

    /// Whether the message, or a part of it, is here and not settled.
    pub(super) fn holds(&self, sequence: u64) -> bool {
        let arriving = self.assembly.is_some() && sequence == self.messages_begun;
        let here = arriving || self.delivered.iter().any(|(open, _)| *open == sequence);
        here && self.ending.is_none()
    }

    /// How many messages have begun to arrive and have no outcome.
    pub(super) fn open_messages(&self) -> usize {
        self.delivered.len() + usize::from(self.assembly.is_some())
    }

    /// Whether the channel is in use at both ends, and both know how far it has come.
    pub(super) fn is_calm(&self) -> bool {
        self.open_here
            && !self.stub
            && !self.resume_unsaid
            && self.ending.is_none()
            && !self.peer_closed
    }

    /// How many bytes of the message that is arriving are not granted yet.
    pub(super) fn missing(&self) -> u64 {
        let Some(assembly) = &self.assembly else {
            return 0;
        };
        if self.ending.is_some() || self.revoke != Revoke::No {
            return 0;
        }
        (self.bytes_arrived + assembly.missing()).saturating_sub(self.bytes_allowed())
    }

    /// What was granted, or more if a withdrawn message counts for more.
    fn bytes_allowed(&self) -> u64 {
        self.bytes_granted.max(self.bytes_arrived)
    }

    /// Grants `messages` more, as far as the limit of open outcomes allows; returns how many.
    pub(super) fn grant(&mut self, messages: u64) -> u64 {
        if self.ending.is_some() || self.peer_closed || self.revoke != Revoke::No {
            return 0;
        }
        let open = self.messages_granted.saturating_sub(self.confirmed);
        let messages = messages.min((CREDIT_MESSAGES_MAX as u64).saturating_sub(open));
        if messages > 0 {
            self.messages_granted += messages;
            self.grant_unsaid = true;
        }
        messages
    }

    /// How long the next message may be, as far as one can know.
    pub(super) fn usual(&self) -> u64 {
        self.usual
    }

    /// How many bytes the messages that did not begin would have to be granted to have `share` each.
    pub(super) fn wanted(&self, share: u64) -> u64 {
        if self.ending.is_some() || self.peer_closed {
            return 0;
        }
        let rest = self.assembly.as_ref().map_or(0, Assembly::missing);
        let target = self.bytes_arrived + rest + self.credit_standing() * share;
        target.saturating_sub(self.bytes_allowed())
    }

    pub(super) fn grant_bytes(&mut self, bytes: u64) {
        self.bytes_granted = self.bytes_allowed() + bytes;
        self.grant_unsaid = true;
    }

    /// Asks for what is granted and not used.
    pub(super) fn revoke(&mut self) {
        if self.ending.is_none() && !self.peer_closed && self.revoke == Revoke::No {
            self.revoke = Revoke::Unsaid;
        }
    }

    /// The peer says what it has begun.
    pub(super) fn revoked(
        &mut self,
        channel: u16,
        sequence: u64,
        bytes: u64,
    ) -> Result<(), Violation> {
        let fits = self.revoke == Revoke::Said
            && (self.messages_begun..=self.messages_granted).contains(&sequence)
            && bytes >= self.bytes_arrived;
        if !fits {
            return Err(Violation::BadRevoked(channel));
        }
        self.revoke = Revoke::No;
        self.messages_granted = sequence;
        self.bytes_granted = self.bytes_granted.min(bytes);
        Ok(())
    }

    /// Takes the head of a DATA frame.
    pub(super) fn begin_chunk(&mut self, head: DataHead, limit: u32) -> Result<(), Violation> {
        let DataHead {
            channel,
            sequence,
            total,
            length,
        } = head;
        let bad_chunk = Violation::BadChunk { channel, sequence };
        if self.peer_closed || self.stub || self.resume_unsaid {
            return Err(bad_chunk);
        }
        let first = self.assembly.is_none();
        if first {
            if sequence != self.messages_begun + 1 {
                return Err(bad_chunk);
            }
            if total > limit {
                return Err(Violation::TooLong {
                    channel,
                    sequence,
                    bytes: total,
                    limit,
                });
            }
            if sequence > self.messages_granted {
                return Err(Violation::NoCredit { channel, sequence });
            }
            self.messages_begun = sequence;
        }
        let assembly = self
            .assembly
            .get_or_insert_with(|| Assembly::new(u64::from(total)));
        // Without bytes a chunk announces the message, and only the first can.
        if sequence != self.messages_begun
            || !assembly.takes(u64::from(total), length)
            || (length == 0 && total > 0 && !first)
        {
            return Err(bad_chunk);
        }
        let arrived = self.bytes_arrived + length as u64;
        if length > 0 && arrived > self.bytes_granted {
            return Err(Violation::NoCredit { channel, sequence });
        }
        if self.ending.is_none() {
            assembly.expect(length, self.bytes_granted.saturating_sub(arrived));
        }
        Ok(())
    }

    /// Takes bytes of the chunk that has begun.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.bytes_arrived += bytes.len() as u64;
        if let Some(assembly) = &mut self.assembly {
            assembly.append(bytes, self.ending.is_none());
        }
    }

    /// Where the rest of the chunk that has begun may be read to, if somebody is left to receive it. Say with
    /// [`read`](Self::read) how much was.
    pub(super) fn room(&mut self) -> Option<&mut Vec<u8>> {
        let assembly = self.assembly.as_mut()?;
        self.ending.is_none().then(|| assembly.room())
    }

    pub(super) fn read(&mut self, count: usize) {
        self.bytes_arrived += count as u64;
        if let Some(assembly) = &mut self.assembly {
            assembly.read(count);
        }
    }

    /// All of the chunk is here. Returns the message if this was its last one and somebody is left to receive it.
    pub(super) fn end_chunk(&mut self) -> Option<Bytes> {
        let message = self.assembly.as_mut()?.whole()?;
        let total = self.assembly.take()?.arrived();
        self.usual = total;
        self.bytes_whole = self.bytes_arrived;
        if self.ending.is_some() {
            return None;
        }
        self.delivered.push((self.messages_begun, total));
        self.bytes_delivered += total;
        debug_assert!(
            self.delivered.len() <= CREDIT_MESSAGES_MAX,
            "open outcomes are bounded"
        );
        Some(message)
    }

    /// The sender wants a message back.
    pub(super) fn withdraw(&mut self, channel: u16, sequence: u64) -> Result<Withdrawn, Violation> {
        let bad = Violation::BadWithdraw { channel, sequence };
        if sequence == 0 || self.stub {
            return Err(bad);
        }
        if self.assembly.is_some() && sequence == self.messages_begun {
            let rest = self
                .assembly
                .take()
                .map_or(0, |assembly| assembly.missing());
            self.bytes_arrived += rest;
        } else if self.assembly.is_none()
            && sequence == self.messages_begun + 1
            && sequence <= self.messages_granted
            && !self.peer_closed
        {
            self.messages_begun = sequence;
        } else if sequence > self.messages_begun {
            return Err(bad);
        } else if self.delivered.iter().any(|(open, _)| *open == sequence) {
            return Ok(Withdrawn::Here);
        } else {
            return Ok(Withdrawn::Settled);
        }
        self.bytes_whole = self.bytes_arrived;
        if self.ending.is_none() {
            self.outcomes.push((sequence, Settlement::Returned));
        }
        Ok(Withdrawn::Dropped)
    }

    /// It is known what became of message `sequence`. Returns whether that was open.
    pub(super) fn settle(&mut self, sequence: u64, settlement: Settlement) -> bool {
        let mut delivered = self.delivered.iter();
        let Some(position) = delivered.position(|(open, _)| *open == sequence) else {
            return false;
        };
        let (_, bytes) = self.delivered.remove(position);
        self.bytes_delivered -= bytes;
        self.outcomes.push((sequence, settlement));
        true
    }

    /// The sender knows all outcomes up to `sequence` but those in `open`.
    pub(super) fn confirmed(
        &mut self,
        channel: u16,
        sequence: u64,
        open: &[[u8; 8]],
    ) -> Result<(), Violation> {
        let known = |number: u64| number <= sequence && !open.contains(&number.to_be_bytes());
        let never_said = self.outcomes[self.said..].iter().map(|(number, _)| *number);
        let undecided = self.delivered.iter().map(|(number, _)| *number);
        let false_claim = never_said.chain(undecided).any(known);
        if !self.stub && (sequence > self.messages_begun || false_claim) {
            return Err(Violation::BadSettled { channel, sequence });
        }
        let (mut index, mut here, mut ever) = (0, 0, 0);
        let (said_here, said, before) = (self.said_here, self.said, self.outcomes.len());
        self.outcomes.retain(|(number, _)| {
            let keep = !known(*number);
            here += usize::from(keep && index < said_here);
            ever += usize::from(keep && index < said);
            index += 1;
            keep
        });
        (self.said_here, self.said) = (here, ever);
        self.confirmed += (before - self.outcomes.len()) as u64;
        Ok(())
    }

    /// Nobody will take any more: what is under way is thrown away. The first ending counts.
    pub(super) fn close(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
        self.delivered = Vec::new();
        self.bytes_delivered = 0;
        if let Some(assembly) = &mut self.assembly {
            assembly.forget();
        }
    }

    /// Returns whether that is news. A sender that poisons may do so in the middle of a message.
    pub(super) fn peer_closed(&mut self, channel: u16, poisoned: bool) -> Result<bool, Violation> {
        let early = self.assembly.is_some() && self.ending.is_none() && !poisoned;
        if self.peer_closed_here || early {
            return Err(Violation::BadClose(channel));
        }
        self.peer_closed_here = true;
        self.revoke = Revoke::No;
        self.assembly = None;
        self.bytes_granted = self.bytes_arrived;
        Ok(!std::mem::replace(&mut self.peer_closed, true))
    }

    pub(super) fn is_peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Whether both ends have said CLOSE and all outcomes are confirmed, so that nothing needs to be known of the
    /// channel any more.
    pub(super) fn is_over(&self) -> bool {
        self.closed_here && self.peer_closed_here && self.outcomes.is_empty()
    }

    /// Whether the peer may have heard that this end is gone, and so may have forgotten the channel.
    pub(super) fn may_be_forgotten(&self) -> bool {
        self.closed
    }

    // ---- Connections ----

    /// The connection is gone, and with it the message that was arriving and all credit for bytes.
    pub(super) fn disconnected(&mut self) {
        if self.assembly.take().is_some() {
            self.messages_begun -= 1;
        }
        self.bytes_arrived = self.bytes_whole;
        self.bytes_granted = self.bytes_whole;
        self.traffic = Traffic::default();
        self.open_here = false;
        self.resume_unsaid = false;
        self.said_here = 0;
        self.closed_here = false;
        self.peer_closed_here = false;
        if self.revoke == Revoke::Said {
            self.revoke = Revoke::Unsaid;
        }
    }

    /// The peer has opened the channel again, or it is new on a connection that is resumed.
    pub(super) fn reopen(&mut self) {
        self.open_here = true;
        self.resume_unsaid = true;
    }

    // ---- Saying ----

    /// Appends all that this end has to say: how far it has come, outcomes, then the newest grant, or CLOSE.
    pub(super) fn generate(&mut self, channel: u16, out: &mut Vec<u8>) {
        if !self.open_here {
            return;
        }
        if std::mem::take(&mut self.resume_unsaid) {
            self.grant_unsaid = false;
            Frame::Resume {
                channel,
                arrived: self.messages_begun - u64::from(self.assembly.is_some()),
                arrived_bytes: self.bytes_whole,
                messages: self.messages_granted,
                bytes: self.bytes_granted,
            }
            .encode(out);
        }
        for (sequence, settlement) in &self.outcomes[self.said_here..] {
            settlement.frame(channel, *sequence).encode(out);
        }
        self.said_here = self.outcomes.len();
        self.said = self.said.max(self.said_here);
        if let Some(ending) = &self.ending {
            if !self.closed_here {
                self.closed_here = true;
                self.closed = true;
                ending.frame(channel, End::Receiver).encode(out);
            }
        } else if self.revoke == Revoke::Unsaid {
            self.revoke = Revoke::Said;
            Frame::Revoke { channel }.encode(out);
        } else if self.grant_unsaid && self.revoke == Revoke::No {
            self.grant_unsaid = false;
            Frame::Grant {
                channel,
                messages: self.messages_granted,
                bytes: self.bytes_granted,
            }
            .encode(out);
        }
    }

    /// How many bytes of an unfinished message the channel holds.
    pub(super) fn bytes_held(&self) -> usize {
        self.assembly.as_ref().map_or(0, Assembly::bytes_held)
    }
}
