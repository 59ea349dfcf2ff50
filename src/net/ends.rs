//! What two sides say to each other about ends of shared channels: one asks for an end, the other answers.
//!
//! `docs/protocol.md` says it for other languages. Each end has a wire channel of its own, whose name is that of the
//! shared channel, a `$`, and the number of the request: so one that is given up and one that is asked for next cannot
//! be taken for each other, whatever order their frames come in.

use serde::{Deserialize, Serialize};

use super::message::Message;
use crate::wire::MessageType;

/// The channels on which ends are asked for and given, one in each direction.
pub(super) const ENDS: &str = "$ends";

/// What the name of a shared channel has at most, so that there is room for a number behind it.
pub(super) const SHARED_NAME_BYTES_MAX: usize = 100;

/// What whoever asks does with the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Use {
    Send,
    Receive,
}

/// A request for an end.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EndRequest {
    /// Counts the requests of the link, from 1.
    pub(super) number: u64,
    pub(super) channel: String,
    pub(super) to: Use,
    pub(super) type_name: String,
    pub(super) type_version: u32,
}

impl Message for EndRequest {
    const NAME: &'static str = "handover.EndRequest";
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EndAnswer {
    pub(super) number: u64,
    pub(super) outcome: Outcome,
}

impl Message for EndAnswer {
    const NAME: &'static str = "handover.EndAnswer";
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// The wire channel stands open for it.
    Given,
    NotShared,
    NotAllowed,
    /// The messages are of another type: this one.
    Mismatch {
        type_name: String,
        type_version: u32,
    },
    /// For another reason, in words.
    NotGiven(String),
}

impl EndRequest {
    pub(super) fn message_type(&self) -> MessageType {
        MessageType {
            name: self.type_name.clone(),
            version: self.type_version,
        }
    }

    /// The name of the end's wire channel.
    pub(super) fn wire_name(&self) -> String {
        wire_name(&self.channel, self.number)
    }
}

pub(super) fn wire_name(channel: &str, number: u64) -> String {
    format!("{channel}${number}")
}

/// The name of the shared channel that a wire channel is an end of; any other name is itself.
pub(super) fn shared_name(wire: &str) -> &str {
    match wire.rsplit_once('$') {
        Some((name, number))
            if !name.is_empty()
                && !number.is_empty()
                && number.bytes().all(|letter| letter.is_ascii_digit()) =>
        {
            name
        }
        _ => wire,
    }
}

/// Whether a shared channel may be called so.
pub(super) fn is_shared_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= SHARED_NAME_BYTES_MAX
        && !name.contains('$')
        && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_has_a_name_of_its_own_by_which_its_channel_is_known() {
        assert_eq!(wire_name("orders", 12), "orders$12");
        for (wire, name) in [
            ("orders$12", "orders"),
            ("orders", "orders"),
            ("orders$", "orders$"),
            ("orders$1a", "orders$1a"),
            ("$ends", "$ends"),
            ("$5", "$5"),
            ("a$b$7", "a$b"),
        ] {
            assert_eq!(shared_name(wire), name);
        }
        let longest = "x".repeat(SHARED_NAME_BYTES_MAX);
        assert!(wire_name(&longest, u64::MAX).len() <= crate::wire::CHANNEL_NAME_BYTES_MAX);
        assert!(is_shared_name(&longest));
        for bad in ["", "a$b", "a\nb", &"x".repeat(SHARED_NAME_BYTES_MAX + 1)] {
            assert!(!is_shared_name(bad), "{bad:?}");
        }
    }
}
