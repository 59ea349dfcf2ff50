//! The protocol between two machines, as a pure state machine.
//!
//! Nothing here owns a socket, a clock or a task: [`Link`] takes the bytes that a socket read and gives
//! [`Event`]s, takes orders and gives the bytes that a socket is to write. So it can be tested, fuzzed and
//! simulated without a network. `docs/protocol.md` specifies the same to the byte.

mod channels;
mod error;
mod event;
mod frame;
mod goodbye;
mod hello;
mod input;
mod limits;
mod link;
mod output;
mod ready;
mod receive;
mod send;
mod state;
mod stranger;
mod token;

pub use error::{MessageTooLong, OpenError, Violation};
pub use event::{Counters, Event, Outcome, PeerHello, ReceiveId, SendId, Settings, Settlement};
pub use frame::{End, Frame, FrameType};
pub use goodbye::{Code, Goodbye};
pub use hello::{Hello, MAGIC, VERSION, VERSION_MIN};
pub use limits::{
    CHANNEL_NAME_BYTES_MAX, CHANNELS_MAX, CHUNK_BYTES_MAX, CREDIT_MESSAGES_MAX,
    HANDSHAKE_BYTES_MAX, HEADER_BYTES, HELLO_BYTES_MAX, INPUT_BYTES_MIN, Limits, NAME_BYTES_MAX,
    OUTPUT_BYTES_MAX, PAYLOAD_BYTES_MAX, PREAMBLE_BYTES, REASON_BYTES_MAX, TOKEN_BYTES_MAX,
};
pub use link::Link;
pub(crate) use ready::ReadySet;
pub use stranger::Stranger;
pub use token::{Token, TokenTooLong};
