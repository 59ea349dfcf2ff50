//! How much was said and heard of one channel on its connection: so both sides together can see that nothing of it is
//! under way.

use super::{
    channels::Channels,
    event::{ReceiveId, SendId},
    frame::{End, Frame},
    link::Link,
    receive::ReceiveChannel,
    send::SendChannel,
    state::State,
};

/// The bytes of a channel's frames on the connection that carries it now. With TCP in between, what one side has said
/// and the other has heard is equal exactly if nothing is under way in that direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) said: u64,
    pub(super) heard: u64,
}

/// How a channel stands at one moment, at one of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The [epoch](Link::epoch) of the connection.
    pub epoch: u64,
    /// How many bytes of the channel's frames this side has said on it.
    pub said: u64,
    /// How many it has heard.
    pub heard: u64,
    /// How many messages have begun, or arrived, and have no outcome here.
    pub open_messages: usize,
    /// The channel is open at both ends as far as this side knows, the connection is there, and this side has nothing
    /// more to say of it.
    pub is_quiet: bool,
}

impl Link {
    /// The name under which this side opened the channel.
    #[must_use]
    pub fn send_name(&self, channel: SendId) -> Option<&str> {
        self.state.sends.get(channel.0).map(SendChannel::name)
    }

    /// How a channel stands on which this side sends.
    #[must_use]
    pub fn send_standing(&self, channel: SendId) -> Option<Standing> {
        let sends = &self.state.sends;
        let state = sends.get(channel.0)?;
        Some(Standing {
            epoch: self.state.epoch,
            said: state.traffic.said,
            heard: state.traffic.heard,
            open_messages: state.open_messages(),
            is_quiet: self.state.is_calm() && state.is_calm() && !sends.is_ready(channel.0),
        })
    }

    /// How a channel stands on which this side receives.
    #[must_use]
    pub fn receive_standing(&self, channel: ReceiveId) -> Option<Standing> {
        let receives = &self.state.receives;
        let state = receives.get(channel.0)?;
        Some(Standing {
            epoch: self.state.epoch,
            said: state.traffic.said,
            heard: state.traffic.heard,
            open_messages: state.open_messages(),
            is_quiet: self.state.is_calm() && state.is_calm() && !receives.is_ready(channel.0),
        })
    }
}

impl State {
    /// Whether a connection is there, on which the session has come as far as it was, and goes on.
    fn is_calm(&self) -> bool {
        let connection = &self.connection;
        let is_resumed =
            !connection.resuming || connection.resumed_said && !connection.awaits_resumed();
        connection.is_open() && is_resumed && self.goodbye.is_none() && !self.is_over()
    }

    /// Counts a frame that was heard, of `bytes` bytes.
    pub(super) fn note_heard(&mut self, whose: Option<(End, u16)>, bytes: usize) {
        let traffic = match whose {
            Some((End::Sender, channel)) => traffic(&mut self.receives, channel),
            Some((End::Receiver, channel)) => traffic(&mut self.sends, channel),
            None => None,
        };
        if let Some(traffic) = traffic {
            traffic.heard += bytes as u64;
        }
    }
}

pub(super) trait Counted {
    fn traffic(&mut self) -> &mut Traffic;
}

impl Counted for SendChannel {
    fn traffic(&mut self) -> &mut Traffic {
        &mut self.traffic
    }
}

impl Counted for ReceiveChannel {
    fn traffic(&mut self) -> &mut Traffic {
        &mut self.traffic
    }
}

fn traffic<C: Counted>(channels: &mut Channels<C>, channel: u16) -> Option<&mut Traffic> {
    channels.get_mut(channel).map(Counted::traffic)
}

impl Frame<'_> {
    /// Which end of which channel has said it, if it is about a channel.
    pub(super) fn speaker(&self) -> Option<(End, u16)> {
        Some(match self {
            Self::Open { channel, .. }
            | Self::Data { channel, .. }
            | Self::Revoked { channel, .. }
            | Self::Withdraw { channel, .. }
            | Self::Settled { channel, .. } => (End::Sender, *channel),
            Self::Grant { channel, .. }
            | Self::Taken { channel, .. }
            | Self::Declined { channel, .. }
            | Self::Returned { channel, .. }
            | Self::Revoke { channel }
            | Self::Resume { channel, .. }
            | Self::Deny { channel, .. } => (End::Receiver, *channel),
            Self::Close { channel, end } | Self::Poison { channel, end, .. } => (*end, *channel),
            Self::Hello(_) | Self::Goodbye(_) | Self::Resumed | Self::Ping(_) | Self::Pong(_) => {
                return None;
            }
        })
    }
}
