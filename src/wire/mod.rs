//! The protocol between two machines, as a pure state machine.
//!
//! Nothing here owns a socket, a clock or a task: [`Link`] takes the bytes that a socket read and gives
//! [`Event`]s, takes orders and gives the bytes that a socket is to write. So it can be tested, fuzzed and
//! simulated without a network. `docs/protocol.md` specifies the same to the byte.
//!
//! A [`Link`] is a *session*: it outlives the connections that carry it, one after the other. The owner tells it
//! that one is gone ([`Link::disconnected`]), makes the next ([`Link::reconnect`], [`Link::resume`]), and tells it
//! the time ([`Link::tick`]).

mod act;
mod assembly;
mod budget;
mod channels;
mod codec;
mod connection;
mod ending;
mod error;
mod event;
mod frame;
mod generate;
mod goodbye;
mod hello;
mod input;
mod life;
mod limits;
mod link;
mod message;
mod orders;
mod output;
mod ready;
mod reason;
mod receive;
mod send;
mod state;
mod stranger;
mod token;
mod traffic;

pub use error::{MessageTooLong, OpenError, Violation};
pub use event::{
    Counters, Event, Lost, MessageType, Outcome, PeerHello, ReceiveId, Resumption, SendId,
    Settings, Settlement,
};
pub use frame::{Denial, End, Frame, FrameType};
pub use goodbye::{Code, Goodbye};
pub use hello::{Hello, MAGIC, VERSION, VERSION_MIN};
pub use limits::{
    CHANNEL_NAME_BYTES_MAX, CHANNELS_MAX, CHUNK_BYTES_MAX, CREDIT_MESSAGES_MAX,
    HANDSHAKE_BYTES_MAX, HEADER_BYTES, HELLO_BYTES_MAX, INPUT_BYTES_MIN, LEASE_DEFAULT, LEASE_MAX,
    LEASE_MIN, Limits, NAME_BYTES_MAX, OUTPUT_BYTES_MAX, PAYLOAD_BYTES_MAX, PREAMBLE_BYTES,
    REASON_BYTES_MAX, SETTLED_OWED_MAX, SETTLED_OWED_MIN, SHARE_BYTES_MAX, SHARES_MIN,
    TOKEN_BYTES_MAX, TYPE_NAME_BYTES_MAX,
};
pub use link::Link;
pub(crate) use ready::ReadySet;
pub use reason::Reason;
pub use stranger::Stranger;
pub use token::{Token, TokenTooLong};
pub use traffic::Standing;
