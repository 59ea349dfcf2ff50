//! The sending end of one channel.
//!
//! # Invariants
//!
//! - No message begins beyond the peer's grant, and no byte leaves beyond it.
//! - `messages` holds all whose outcome is open, in the order of their numbers, and at most `CREDIT_MESSAGES_MAX` of
//!   them. They are said in that order, so those of which something is unsaid are the last; beyond what the peer
//!   allows, only one of them is here.
//! - On a resumed connection no DATA is said before RESUME was heard; then a message is said from its beginning
//!   exactly if it had not arrived.

mod ahead;
mod resuming;

pub(super) use ahead::{Heads, Slices};

use std::collections::VecDeque;

use bytes::Bytes;

use super::{
    codec::data_head,
    ending::Ending,
    error::Violation,
    event::{MessageType, Outcome, Settlement},
    frame::{End, Frame},
    limits::{CHUNK_BYTES_MAX, CREDIT_MESSAGES_MAX, SETTLED_OWED_MAX, SETTLED_OWED_MIN},
    message::{Message, Stage, Withdraw},
    output::Output,
    traffic::Traffic,
};

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one frame that was said or heard, in any order"
)]
pub(super) struct SendChannel {
    name: String,
    message_type: MessageType,
    /// 0 until it is opened for the first time.
    opening: u64,
    /// OPEN was said on this connection.
    open_said: bool,
    /// The peer knows on this connection how far the channel has come, and said so unless it is new.
    resumed: bool,
    /// The number of the last message that the peer allows.
    messages_granted: u64,
    /// The sum of message bytes that the peer allows.
    bytes_granted: u64,
    /// The number of the last message begun.
    messages_begun: u64,
    /// The sum of message bytes generated, as the peer counts them.
    bytes_sent: u64,
    /// The sum of the bytes of all messages begun: the peer cannot have had more.
    bytes_begun: u64,
    /// How many bytes of the messages here are unsaid.
    bytes_unsaid: u64,
    messages: VecDeque<Message>,
    /// How many of them are wholly said; those of which something is unsaid come after.
    said: usize,
    /// A message may be wanted back.
    withdraws: bool,
    /// The last message whose outcome is known.
    heard: u64,
    /// How many outcomes were heard and not confirmed.
    owed: u32,
    /// The peer wants back what it granted.
    revoked: bool,
    ending: Option<Ending>,
    /// Our CLOSE or POISON was said on this connection.
    closed: bool,
    /// The peer's end is gone: its CLOSE, POISON or DENY came.
    peer_closed: bool,
    pub(super) traffic: Traffic,
}

impl SendChannel {
    pub(super) fn new(name: String, message_type: MessageType) -> Self {
        Self {
            name,
            message_type,
            opening: 0,
            open_said: false,
            resumed: false,
            messages_granted: 0,
            bytes_granted: 0,
            messages_begun: 0,
            bytes_sent: 0,
            bytes_begun: 0,
            bytes_unsaid: 0,
            messages: VecDeque::new(),
            said: 0,
            withdraws: false,
            heard: 0,
            owed: 0,
            revoked: false,
            ending: None,
            closed: false,
            peer_closed: false,
            traffic: Traffic::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its opening number; 0 if it was never opened.
    pub(super) fn opening(&self) -> u64 {
        self.opening
    }

    /// Whether a message may begin now.
    pub(super) fn has_credit(&self) -> bool {
        self.resumed
            && self.ending.is_none()
            && !self.peer_closed
            && self.messages_begun < self.messages_granted
            && self.messages.len() < CREDIT_MESSAGES_MAX
            && self.has_room()
    }

    /// Whether the bytes of one more message may be kept here: not if they would only wait for bytes that the peer has
    /// to grant to those before.
    fn has_room(&self) -> bool {
        self.said == self.messages.len() || self.bytes_sent + self.bytes_unsaid < self.bytes_granted
    }

    /// Begins a message; returns its number.
    pub(super) fn begin(&mut self, bytes: Bytes) -> u64 {
        debug_assert!(
            self.has_credit(),
            "no message begins beyond the peer's grant"
        );
        self.messages_begun += 1;
        self.bytes_begun += bytes.len() as u64;
        self.bytes_unsaid += bytes.len() as u64;
        self.messages
            .push_back(Message::new(self.messages_begun, bytes));
        self.messages_begun
    }

    /// Takes the peer's absolute limits. A lower one is older, and changes nothing.
    pub(super) fn granted(&mut self, messages: u64, bytes: u64) {
        self.messages_granted = self.messages_granted.max(messages);
        self.bytes_granted = self.bytes_granted.max(bytes);
    }

    /// Nothing begins any more within what was granted. One that is closed does not answer: nothing can begin.
    pub(super) fn revoke(&mut self) {
        self.revoked = !self.closed && !self.peer_closed;
        self.messages_granted = self.messages_begun;
    }

    /// Asks for a message back.
    pub(super) fn withdraw(&mut self, sequence: u64) {
        let mut messages = self.messages.iter_mut();
        if let Some(message) = messages.find(|message| message.sequence == sequence)
            && message.withdraw == Withdraw::No
        {
            message.withdraw = Withdraw::Asked;
            self.withdraws = true;
        }
    }

    /// Notes an outcome; returns whether it was not known before. `again`: the peer may repeat what it said on an
    /// earlier connection.
    pub(super) fn settled(
        &mut self,
        channel: u16,
        sequence: u64,
        settlement: Settlement,
        again: bool,
    ) -> Result<bool, Violation> {
        let not_under_way = Violation::NotUnderWay { channel, sequence };
        let mut messages = self.messages.iter();
        let position = messages.position(|message| message.sequence == sequence);
        let Some(position) = position else {
            if !again || sequence == 0 || sequence > self.heard {
                return Err(not_under_way);
            }
            self.owed = self.owed.saturating_add(1);
            return Ok(false);
        };
        match self.messages[position].stage {
            Stage::Waiting { .. } => return Err(not_under_way),
            Stage::Cut if settlement != Settlement::Returned => return Err(not_under_way),
            Stage::Sent { .. } | Stage::Arrived | Stage::Cut => {}
        }
        self.messages.remove(position);
        self.said -= 1;
        self.heard = self.heard.max(sequence);
        self.owed = self.owed.saturating_add(1);
        Ok(true)
    }

    /// No message will begin any more. The first ending counts. One that poisons asks for all messages back that
    /// are not wholly said.
    pub(super) fn close(&mut self, ending: Ending) {
        if self.ending.is_some() {
            return;
        }
        if matches!(ending, Ending::Poison(_)) {
            for message in &mut self.messages {
                if message.is_waiting() {
                    message.withdraw = Withdraw::Asked;
                    self.withdraws = true;
                }
            }
        }
        self.ending = Some(ending);
    }

    /// The peer's end is gone: it has not taken, and will not take, what is under way.
    pub(super) fn peer_closed(&mut self, channel: u16) -> Result<(), Violation> {
        if self.peer_closed || !self.open_said {
            return Err(Violation::BadClose(channel));
        }
        self.peer_closed = true;
        self.revoked = false;
        self.ending.get_or_insert(Ending::Close);
        self.messages.clear();
        self.count_said();
        Ok(())
    }

    pub(super) fn is_peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// How many messages have begun and have no outcome.
    pub(super) fn open_messages(&self) -> usize {
        self.messages.len()
    }

    /// Whether the channel is in use at both ends, and both know how far it has come.
    pub(super) fn is_calm(&self) -> bool {
        self.open_said && self.resumed && self.ending.is_none() && !self.peer_closed
    }

    /// Whether both ends have said CLOSE, and this one has confirmed what it heard, so that the channel's number is
    /// free.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.peer_closed && self.owed == 0
    }

    /// What can be said of a message if the session ends without the peer's last word.
    pub(super) fn outcome(&self, sequence: u64, written: u64) -> Outcome {
        let mut messages = self.messages.iter();
        match messages.find(|message| message.sequence == sequence) {
            Some(message) if message.has_left(written) => Outcome::InDoubt,
            _ => Outcome::NotTaken,
        }
    }

    /// Whether the message left in whole, or is about to.
    pub(super) fn is_on_its_way(&self, sequence: u64) -> bool {
        let mut messages = self.messages.iter();
        let message = messages.find(|message| message.sequence == sequence);
        message.is_some_and(|message| message.left || matches!(message.stage, Stage::Sent { .. }))
    }

    // ---- Saying ----

    /// The message of which a chunk, or the withdrawal, is to be said next.
    fn waiting(&self) -> Option<&Message> {
        let next = self.messages.get(self.said);
        debug_assert!(
            next.is_none_or(Message::is_waiting),
            "messages are said in their order"
        );
        next
    }

    fn count_said(&mut self) {
        let said = self.messages.iter().take_while(|it| !it.is_waiting());
        self.said = said.count();
        let unsaid = self.messages.iter().map(Message::unsaid);
        self.bytes_unsaid = unsaid.sum();
    }

    /// A message that was wholly said and is wanted back.
    fn to_withdraw(&self) -> Option<usize> {
        if !self.withdraws {
            return None;
        }
        let wanted =
            |message: &Message| message.withdraw == Withdraw::Asked && !message.is_waiting();
        self.messages.iter().position(wanted)
    }

    /// Whether outcomes are to be confirmed, though there is nothing else to say.
    fn is_settled_due(&self) -> bool {
        let last = self.ending.is_some() && self.messages.is_empty();
        self.owed >= SETTLED_OWED_MAX || (self.owed > 0 && last)
    }

    /// Whether they are to be confirmed, since something is said anyway.
    fn is_settled_of_use(&self) -> bool {
        self.owed >= SETTLED_OWED_MIN || self.is_settled_due()
    }

    fn is_close_due(&self) -> bool {
        let may = self.peer_closed || (self.resumed && self.waiting().is_none());
        self.ending.is_some() && !self.closed && may
    }

    fn is_chunk_due(&self) -> bool {
        self.waiting().is_some_and(|message| match message.stage {
            Stage::Waiting { offset, begun } => {
                message.withdraw != Withdraw::No
                    || !begun
                    || message.bytes.len() == offset
                    || self.bytes_sent < self.bytes_granted
            }
            _ => false,
        })
    }

    /// Whether [`generate`](Self::generate) has something to say.
    pub(super) fn is_ready(&self) -> bool {
        !self.open_said
            || self.is_settled_due()
            || self.is_close_due()
            || (self.resumed
                && (self.revoked || self.to_withdraw().is_some() || self.is_chunk_due()))
    }

    /// Whether [`generate`](Self::generate) would say something.
    pub(super) fn would_say(&self) -> bool {
        self.is_ready() || self.is_settled_of_use()
    }

    /// Says OPEN: with the number `opening` if it is the first time.
    pub(super) fn open(&mut self, channel: u16, opening: u64, out: &mut Vec<u8>) {
        self.open_said = true;
        if self.opening == 0 {
            self.opening = opening;
        }
        Frame::Open {
            channel,
            opening: self.opening,
            name: &self.name,
            type_name: &self.message_type.name,
            type_version: self.message_type.version,
        }
        .encode(out);
    }

    pub(super) fn is_open_said(&self) -> bool {
        self.open_said
    }

    /// A channel that the peer never saw needs no RESUME.
    pub(super) fn is_new(&mut self) {
        self.resumed = true;
    }

    /// Appends the next frame of this channel, if there is one. OPEN was said.
    pub(super) fn generate(&mut self, channel: u16, output: &mut Output) {
        if self.resumed && self.revoked {
            self.say_revoked(channel, output.buffer());
        } else if self.is_settled_of_use() {
            self.say_settled(channel, output.buffer());
        } else if let (true, Some(position)) = (self.resumed, self.to_withdraw()) {
            let message = &mut self.messages[position];
            message.withdraw = Withdraw::Said;
            let sequence = message.sequence;
            Frame::Withdraw { channel, sequence }.encode(output.buffer());
        } else if self.resumed && self.is_chunk_due() {
            self.generate_chunk(channel, output);
        } else if self.is_close_due()
            && let Some(ending) = &self.ending
        {
            ending.frame(channel, End::Sender).encode(output.buffer());
            self.closed = true;
        }
    }

    fn say_revoked(&mut self, channel: u16, out: &mut Vec<u8>) {
        self.revoked = false;
        let bytes = self.bytes_sent + self.bytes_unsaid;
        self.bytes_granted = self.bytes_granted.min(bytes);
        let sequence = self.messages_begun;
        Frame::Revoked {
            channel,
            sequence,
            bytes,
        }
        .encode(out);
    }

    fn say_settled(&mut self, channel: u16, out: &mut Vec<u8>) {
        self.owed = 0;
        let mut open = [[0; 8]; CREDIT_MESSAGES_MAX];
        let mut count = 0;
        let unheard = self.messages.iter();
        for message in unheard.take_while(|message| message.sequence < self.heard) {
            open[count] = message.sequence.to_be_bytes();
            count += 1;
        }
        Frame::Settled {
            channel,
            sequence: self.heard,
            open: &open[..count],
        }
        .encode(out);
    }

    fn generate_chunk(&mut self, channel: u16, output: &mut Output) {
        let credit = self.bytes_granted.saturating_sub(self.bytes_sent);
        let credit = usize::try_from(credit).unwrap_or(usize::MAX);
        let Some(message) = self.messages.get_mut(self.said) else {
            return;
        };
        let Stage::Waiting { offset, begun } = message.stage else {
            return;
        };
        let sequence = message.sequence;
        let left = message.bytes.len() - offset;
        if message.withdraw != Withdraw::No {
            message.withdraw = Withdraw::Said;
            message.stage = Stage::Cut;
            self.said += 1;
            self.bytes_unsaid -= left as u64;
            if begun {
                // It counts as though all of it had been sent, so that both sides count alike.
                self.bytes_sent += left as u64;
            }
            Frame::Withdraw { channel, sequence }.encode(output.buffer());
            return;
        }
        let length = left.min(CHUNK_BYTES_MAX).min(credit);
        let head = data_head(channel, sequence, message.bytes.len(), length);
        output.say_data(&head, &message.bytes, offset, length);
        self.bytes_sent += length as u64;
        self.bytes_unsaid -= length as u64;
        message.stage = if length == left {
            self.said += 1;
            Stage::Sent {
                end: output.generated(),
            }
        } else {
            Stage::Waiting {
                offset: offset + length,
                begun: true,
            }
        };
        debug_assert!(
            length == 0 || self.bytes_sent <= self.bytes_granted,
            "no byte leaves beyond the grant"
        );
    }
}
