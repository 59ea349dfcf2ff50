//! How one end of a channel goes.

use super::{
    frame::{Denial, End, Frame},
    reason::Reason,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Close,
    /// Something went wrong, of which all at the other end are to hear.
    Poison(Reason),
    /// A receiver refuses the channel.
    Deny(Denial, Reason),
}

impl Ending {
    /// The frame that says it. A sender denies nothing.
    pub(super) fn frame(&self, channel: u16, end: End) -> Frame<'static> {
        match self.clone() {
            Self::Close => Frame::Close { channel, end },
            Self::Poison(reason) => Frame::Poison {
                channel,
                end,
                reason,
            },
            Self::Deny(denial, reason) => Frame::Deny {
                channel,
                denial,
                reason,
            },
        }
    }
}
