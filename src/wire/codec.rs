//! Frames as bytes: a header of 16 bytes, big-endian, then the payload.
//!
//! ```text
//! 0        1        2                 4                                   8                16
//! | version | type  | channel         | payload length                    | sequence       |
//! ```

use super::{
    error::Violation,
    frame::{Denial, End, Frame, FrameType},
    goodbye::{Code, Goodbye},
    hello::{Hello, VERSION, decode_short, encode_short},
    limits::{
        CHANNEL_NAME_BYTES_MAX, CREDIT_MESSAGES_MAX, HEADER_BYTES, HELLO_BYTES_MAX,
        PAYLOAD_BYTES_MAX, REASON_BYTES_MAX, TYPE_NAME_BYTES_MAX,
    },
    reason::Reason,
};

/// A name and a type name with their lengths, and a type version.
const OPEN_BYTES_MAX: usize = 1 + CHANNEL_NAME_BYTES_MAX + 1 + TYPE_NAME_BYTES_MAX + 4;

impl FrameType {
    /// The shortest and the longest payload of the type, in bytes, and both in words.
    fn payload_bytes(self) -> (usize, usize, &'static str) {
        match self {
            Self::Hello => (0, HELLO_BYTES_MAX, "at most 512"),
            Self::Open => (7, OPEN_BYTES_MAX, "7 to 262"),
            Self::Grant | Self::Revoked => (8, 8, "8"),
            Self::Data => (4, PAYLOAD_BYTES_MAX, "4 to 65540"),
            Self::Taken
            | Self::Declined
            | Self::Revoke
            | Self::Withdraw
            | Self::Resumed
            | Self::Ping
            | Self::Pong => (0, 0, "0"),
            Self::Close | Self::Returned => (1, 1, "1"),
            Self::Goodbye | Self::Deny => (2, 2 + REASON_BYTES_MAX, "2 to 258"),
            Self::Poison => (1, 1 + REASON_BYTES_MAX, "1 to 257"),
            Self::Settled => (0, 8 * CREDIT_MESSAGES_MAX, "at most 512"),
            Self::Resume => (24, 24, "24"),
        }
    }
}

impl<'a> Frame<'a> {
    /// The channel and the sequence in the frame's header.
    fn place(&self) -> (u16, u64) {
        match *self {
            Self::Hello(_) | Self::Goodbye(_) | Self::Resumed => (0, 0),
            Self::Ping(number) | Self::Pong(number) => (0, number),
            Self::Close { channel, .. }
            | Self::Revoke { channel }
            | Self::Poison { channel, .. }
            | Self::Deny { channel, .. } => (channel, 0),
            Self::Open {
                channel, opening, ..
            } => (channel, opening),
            Self::Grant {
                channel, messages, ..
            } => (channel, messages),
            Self::Resume {
                channel, arrived, ..
            } => (channel, arrived),
            Self::Data {
                channel, sequence, ..
            }
            | Self::Taken { channel, sequence }
            | Self::Declined { channel, sequence }
            | Self::Returned {
                channel, sequence, ..
            }
            | Self::Revoked {
                channel, sequence, ..
            }
            | Self::Withdraw { channel, sequence }
            | Self::Settled {
                channel, sequence, ..
            } => (channel, sequence),
        }
    }

    /// Appends the frame's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let kind = self.frame_type();
        let (channel, sequence) = self.place();
        out.extend_from_slice(&header(kind, channel, sequence));
        self.encode_payload(out);
        let length = out.len() - start - HEADER_BYTES;
        debug_assert!(
            length <= kind.payload_bytes().1,
            "a frame keeps to its own limit"
        );
        // The limits keep it far below 2^32.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        out[start + 4..start + 8].copy_from_slice(&length.to_be_bytes());
    }

    fn encode_payload(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => hello.encode(out),
            Self::Open {
                name,
                type_name,
                type_version,
                ..
            } => {
                encode_short(name.as_bytes(), out);
                encode_short(type_name.as_bytes(), out);
                out.extend_from_slice(&type_version.to_be_bytes());
            }
            Self::Grant { bytes, .. } | Self::Revoked { bytes, .. } => {
                out.extend_from_slice(&bytes.to_be_bytes());
            }
            Self::Data { total, chunk, .. } => {
                out.extend_from_slice(&total.to_be_bytes());
                out.extend_from_slice(chunk);
            }
            Self::Taken { .. }
            | Self::Declined { .. }
            | Self::Revoke { .. }
            | Self::Withdraw { .. }
            | Self::Resumed
            | Self::Ping(_)
            | Self::Pong(_) => {}
            Self::Returned { in_doubt, .. } => out.push(if *in_doubt { 2 } else { 1 }),
            Self::Close { end, .. } => out.push(end_byte(*end)),
            Self::Goodbye(goodbye) => {
                out.extend_from_slice(&goodbye.code().number().to_be_bytes());
                out.extend_from_slice(goodbye.reason().as_bytes());
            }
            Self::Poison { end, reason, .. } => {
                out.push(end_byte(*end));
                out.extend_from_slice(reason.as_str().as_bytes());
            }
            Self::Settled { open, .. } => out.extend_from_slice(open.as_flattened()),
            Self::Resume {
                arrived_bytes,
                messages,
                bytes,
                ..
            } => {
                for number in [arrived_bytes, messages, bytes] {
                    out.extend_from_slice(&number.to_be_bytes());
                }
            }
            Self::Deny { denial, reason, .. } => {
                out.extend_from_slice(&denial.number().to_be_bytes());
                out.extend_from_slice(reason.as_str().as_bytes());
            }
        }
    }

    /// Reads the frame at the beginning of `input`: the frame and its length in bytes, or `None` if it is not
    /// whole yet. What its header shows to be wrong is found as soon as the header is there.
    ///
    /// # Errors
    ///
    /// The [`Violation`] that the bytes are.
    pub fn decode(input: &'a [u8]) -> Result<Option<(Self, usize)>, Violation> {
        let Some((header, rest)) = input.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let header = Header::decode(header)?;
        let Some(payload) = rest.get(..header.length) else {
            return Ok(None);
        };
        let frame = Self::decode_payload(&header, payload)?;
        Ok(Some((frame, HEADER_BYTES + header.length)))
    }

    fn decode_payload(header: &Header, payload: &'a [u8]) -> Result<Self, Violation> {
        let Header {
            kind,
            channel,
            sequence,
            ..
        } = *header;
        Ok(match kind {
            FrameType::Hello => Self::Hello(Hello::decode(payload)?),
            FrameType::Open => {
                let (name, type_name, type_version) =
                    decode_open(payload).ok_or(Violation::BadChannelName(channel))?;
                Self::Open {
                    channel,
                    opening: sequence,
                    name,
                    type_name,
                    type_version,
                }
            }
            FrameType::Grant => Self::Grant {
                channel,
                messages: sequence,
                bytes: header.number_at(payload, 0)?,
            },
            FrameType::Revoked => Self::Revoked {
                channel,
                sequence,
                bytes: header.number_at(payload, 0)?,
            },
            FrameType::Resume => Self::Resume {
                channel,
                arrived: sequence,
                arrived_bytes: header.number_at(payload, 0)?,
                messages: header.number_at(payload, 8)?,
                bytes: header.number_at(payload, 16)?,
            },
            FrameType::Data => {
                let (total, chunk) = payload.split_first_chunk().ok_or(header.bad_length())?;
                Self::Data {
                    channel,
                    sequence,
                    total: u32::from_be_bytes(*total),
                    chunk,
                }
            }
            FrameType::Taken => Self::Taken { channel, sequence },
            FrameType::Declined => Self::Declined { channel, sequence },
            FrameType::Revoke => Self::Revoke { channel },
            FrameType::Withdraw => Self::Withdraw { channel, sequence },
            FrameType::Resumed => Self::Resumed,
            FrameType::Ping => Self::Ping(sequence),
            FrameType::Pong => Self::Pong(sequence),
            FrameType::Settled => {
                let (open, rest) = payload.as_chunks();
                if !rest.is_empty() {
                    return Err(header.bad_length());
                }
                Self::Settled {
                    channel,
                    sequence,
                    open,
                }
            }
            FrameType::Returned => Self::Returned {
                channel,
                sequence,
                in_doubt: match payload {
                    [1] => false,
                    [2] => true,
                    _ => return Err(Violation::BadReturned { channel, sequence }),
                },
            },
            FrameType::Close => Self::Close {
                channel,
                end: end_of_byte(payload).ok_or(Violation::BadClose(channel))?,
            },
            FrameType::Poison => {
                let (end, reason) = payload.split_at_checked(1).ok_or(header.bad_length())?;
                Self::Poison {
                    channel,
                    end: end_of_byte(end).ok_or(Violation::BadClose(channel))?,
                    reason: Reason::from_bytes(reason),
                }
            }
            FrameType::Deny => {
                let (code, reason) = payload.split_first_chunk().ok_or(header.bad_length())?;
                Self::Deny {
                    channel,
                    denial: Denial::from_number(u16::from_be_bytes(*code)),
                    reason: Reason::from_bytes(reason),
                }
            }
            FrameType::Goodbye => {
                let (code, reason) = payload.split_first_chunk().ok_or(header.bad_length())?;
                Self::Goodbye(Goodbye::new(
                    Code::from_number(u16::from_be_bytes(*code)),
                    &String::from_utf8_lossy(reason),
                ))
            }
        })
    }
}

/// A header, but for the length.
fn header(kind: FrameType, channel: u16, sequence: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0] = VERSION;
    header[1] = kind.byte();
    header[2..4].copy_from_slice(&channel.to_be_bytes());
    header[8..].copy_from_slice(&sequence.to_be_bytes());
    header
}

/// What comes before the chunk in a DATA frame.
pub(super) const DATA_HEAD_BYTES: usize = HEADER_BYTES + 4;

/// What that says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DataHead {
    pub(super) channel: u16,
    pub(super) sequence: u64,
    /// The length of the message.
    pub(super) total: u32,
    /// The length of the chunk.
    pub(super) length: usize,
}

impl DataHead {
    /// The head of the DATA frame with which `input` begins, if it does and all of the head is there.
    pub(super) fn at(input: &[u8]) -> Option<Self> {
        let (header, rest) = input.split_first_chunk()?;
        let header = Header::decode(header).ok()?;
        let total = u32::from_be_bytes(*rest.first_chunk()?);
        (header.kind == FrameType::Data).then_some(Self {
            channel: header.channel,
            sequence: header.sequence,
            total,
            length: header.length - 4,
        })
    }
}

/// A DATA frame of a message of `total` bytes, up to its chunk of `length`.
pub(super) fn data_head(
    channel: u16,
    sequence: u64,
    total: usize,
    length: usize,
) -> [u8; DATA_HEAD_BYTES] {
    // The limits keep both far below 2^32.
    let number = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut head = [0; DATA_HEAD_BYTES];
    head[..HEADER_BYTES].copy_from_slice(&header(FrameType::Data, channel, sequence));
    head[4..8].copy_from_slice(&number(4 + length));
    head[HEADER_BYTES..].copy_from_slice(&number(total));
    head
}

fn end_byte(end: End) -> u8 {
    match end {
        End::Sender => 1,
        End::Receiver => 2,
    }
}

fn end_of_byte(bytes: &[u8]) -> Option<End> {
    match bytes {
        [1] => Some(End::Sender),
        [2] => Some(End::Receiver),
        _ => None,
    }
}

/// The name of a channel, the name of its messages' type and the version of that.
fn decode_open(payload: &[u8]) -> Option<(&str, &str, u32)> {
    let (name, rest) = decode_short(payload)?;
    let (type_name, rest) = decode_short(rest)?;
    let version: &[u8; 4] = rest.try_into().ok()?;
    Some((
        channel_name(name)?,
        type_name_of(type_name)?,
        u32::from_be_bytes(*version),
    ))
}

/// A channel's name, if the bytes are one.
pub(super) fn channel_name(bytes: &[u8]) -> Option<&str> {
    type_name_of(bytes).filter(|name| !name.is_empty())
}

/// The name of a message type, if the bytes are one: as a channel's, or empty.
pub(super) fn type_name_of(bytes: &[u8]) -> Option<&str> {
    const _: () = assert!(TYPE_NAME_BYTES_MAX == CHANNEL_NAME_BYTES_MAX);
    let name = std::str::from_utf8(bytes).ok()?;
    (name.len() <= CHANNEL_NAME_BYTES_MAX && !name.chars().any(char::is_control)).then_some(name)
}

struct Header {
    kind: FrameType,
    channel: u16,
    length: usize,
    sequence: u64,
}

impl Header {
    fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, Violation> {
        let [version, kind, c0, c1, l0, l1, l2, l3, sequence @ ..] = *bytes;
        if version != VERSION {
            return Err(Violation::FrameVersion(version));
        }
        let kind = FrameType::from_byte(kind).ok_or(Violation::UnknownType(kind))?;
        let claimed = u32::from_be_bytes([l0, l1, l2, l3]);
        let header = Self {
            kind,
            channel: u16::from_be_bytes([c0, c1]),
            length: usize::try_from(claimed).unwrap_or(usize::MAX),
            sequence: u64::from_be_bytes(sequence),
        };
        let (shortest, longest, _) = kind.payload_bytes();
        if header.length < shortest || header.length > longest {
            return Err(header.bad_length());
        }
        Ok(header)
    }

    fn bad_length(&self) -> Violation {
        Violation::BadLength {
            frame: self.kind.name(),
            length: u32::try_from(self.length).unwrap_or(u32::MAX),
            allowed: self.kind.payload_bytes().2,
        }
    }

    fn number_at(&self, payload: &[u8], offset: usize) -> Result<u64, Violation> {
        let bytes = payload.get(offset..).and_then(<[u8]>::first_chunk);
        Ok(u64::from_be_bytes(*bytes.ok_or(self.bad_length())?))
    }
}
