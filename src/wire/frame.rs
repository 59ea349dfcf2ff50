//! Frames as bytes: a header of 16 bytes, big-endian, then the payload.
//!
//! ```text
//! 0        1        2                 4                                   8                16
//! | version | type  | channel         | payload length                    | sequence       |
//! ```

use super::{
    error::Violation,
    goodbye::{Code, Goodbye},
    hello::{Hello, VERSION},
    limits::{
        CHANNEL_NAME_BYTES_MAX, HEADER_BYTES, HELLO_BYTES_MAX, PAYLOAD_BYTES_MAX, REASON_BYTES_MAX,
    },
};

/// What a frame is, as its second byte says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameType {
    /// 1: who the side is.
    Hello,
    /// 2: the sender of a channel opens it.
    Open,
    /// 3: the receiver of a channel allows messages.
    Grant,
    /// 4: a chunk of a message.
    Data,
    /// 5: a process took the message.
    Taken,
    /// 6: one end of a channel is gone.
    Close,
    /// 7: the side's last word.
    Goodbye,
    /// 8: the process that had the message in custody did not take it, or cannot know.
    Returned,
}

impl FrameType {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Hello,
            2 => Self::Open,
            3 => Self::Grant,
            4 => Self::Data,
            5 => Self::Taken,
            6 => Self::Close,
            7 => Self::Goodbye,
            8 => Self::Returned,
            _ => return None,
        })
    }

    fn byte(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Open => 2,
            Self::Grant => 3,
            Self::Data => 4,
            Self::Taken => 5,
            Self::Close => 6,
            Self::Goodbye => 7,
            Self::Returned => 8,
        }
    }

    /// The type's name in the specification.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hello => "HELLO",
            Self::Open => "OPEN",
            Self::Grant => "GRANT",
            Self::Data => "DATA",
            Self::Taken => "TAKEN",
            Self::Close => "CLOSE",
            Self::Goodbye => "GOODBYE",
            Self::Returned => "RETURNED",
        }
    }

    /// The shortest and the longest payload of the type, in bytes, and both in words.
    fn payload_bytes(self) -> (usize, usize, &'static str) {
        match self {
            Self::Hello => (0, HELLO_BYTES_MAX, "at most 512"),
            Self::Open => (1, CHANNEL_NAME_BYTES_MAX, "1 to 128"),
            Self::Grant => (8, 8, "8"),
            Self::Data => (4, PAYLOAD_BYTES_MAX, "4 to 65540"),
            Self::Taken => (0, 0, "0"),
            Self::Close | Self::Returned => (1, 1, "1"),
            Self::Goodbye => (2, 2 + REASON_BYTES_MAX, "2 to 258"),
        }
    }
}

/// One end of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The end that sends; it opened the channel and chose its number.
    Sender,
    /// The end that receives.
    Receiver,
}

/// A frame, its payload still in the buffer that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Who the side is: the first frame of each direction.
    Hello(Hello<'a>),
    /// The sender opens `channel` under `name`.
    Open {
        /// The number that the sender chose.
        channel: u16,
        /// By which the receiver knows it.
        name: &'a str,
    },
    /// The receiver allows messages up to number `messages`, and `bytes` message bytes in all since OPEN.
    Grant {
        /// The number of the channel.
        channel: u16,
        /// The number of the last message allowed.
        messages: u64,
        /// The sum of message bytes allowed since the channel was opened.
        bytes: u64,
    },
    /// The next bytes of a message.
    Data {
        /// The number of the channel.
        channel: u16,
        /// The number of the message, from 1.
        sequence: u64,
        /// The length of the whole message in bytes.
        total: u32,
        /// The bytes.
        chunk: &'a [u8],
    },
    /// A process on the receiving side took the message.
    Taken {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
    },
    /// A process on the receiving side had the message in custody, and gave it back or lost sight of it.
    Returned {
        /// The number of the channel.
        channel: u16,
        /// The number of the message.
        sequence: u64,
        /// Whether it may have been taken nevertheless.
        in_doubt: bool,
    },
    /// The frame's sender is done with `channel`, of which it holds `end`.
    Close {
        /// The number of the channel.
        channel: u16,
        /// Which end it is that closes.
        end: End,
    },
    /// The last frame of a direction.
    Goodbye(Goodbye),
}

impl<'a> Frame<'a> {
    /// Appends the frame's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let (kind, channel, sequence) = match self {
            Self::Hello(_) => (FrameType::Hello, 0, 0),
            Self::Open { channel, .. } => (FrameType::Open, *channel, 0),
            Self::Grant {
                channel, messages, ..
            } => (FrameType::Grant, *channel, *messages),
            Self::Data {
                channel, sequence, ..
            } => (FrameType::Data, *channel, *sequence),
            Self::Taken { channel, sequence } => (FrameType::Taken, *channel, *sequence),
            Self::Close { channel, .. } => (FrameType::Close, *channel, 0),
            Self::Returned {
                channel, sequence, ..
            } => (FrameType::Returned, *channel, *sequence),
            Self::Goodbye(_) => (FrameType::Goodbye, 0, 0),
        };
        let mut header = [0; HEADER_BYTES];
        header[0] = VERSION;
        header[1] = kind.byte();
        header[2..4].copy_from_slice(&channel.to_be_bytes());
        header[8..].copy_from_slice(&sequence.to_be_bytes());
        out.extend_from_slice(&header);
        match self {
            Self::Hello(hello) => hello.encode(out),
            Self::Open { name, .. } => out.extend_from_slice(name.as_bytes()),
            Self::Grant { bytes, .. } => out.extend_from_slice(&bytes.to_be_bytes()),
            Self::Data { total, chunk, .. } => {
                out.extend_from_slice(&total.to_be_bytes());
                out.extend_from_slice(chunk);
            }
            Self::Taken { .. } => {}
            Self::Returned { in_doubt, .. } => out.push(if *in_doubt { 2 } else { 1 }),
            Self::Close { end, .. } => out.push(match end {
                End::Sender => 1,
                End::Receiver => 2,
            }),
            Self::Goodbye(goodbye) => {
                out.extend_from_slice(&goodbye.code().number().to_be_bytes());
                out.extend_from_slice(goodbye.reason().as_bytes());
            }
        }
        let length = out.len() - start - HEADER_BYTES;
        debug_assert!(
            length <= kind.payload_bytes().1,
            "a frame keeps to its own limit"
        );
        // The limits keep it far below 2^32.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        out[start + 4..start + 8].copy_from_slice(&length.to_be_bytes());
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
            FrameType::Open => Self::Open {
                channel,
                name: channel_name(payload).ok_or(Violation::BadChannelName(channel))?,
            },
            FrameType::Grant => {
                let (bytes, _) = payload.split_first_chunk().ok_or(header.bad_length())?;
                Self::Grant {
                    channel,
                    messages: sequence,
                    bytes: u64::from_be_bytes(*bytes),
                }
            }
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
                end: match payload {
                    [1] => End::Sender,
                    [2] => End::Receiver,
                    _ => return Err(Violation::BadClose(channel)),
                },
            },
            FrameType::Goodbye => {
                let (code, reason) = payload.split_first_chunk().ok_or(header.bad_length())?;
                Self::Goodbye(Goodbye::new(
                    Code::from_number(u16::from_be_bytes(*code)),
                    &String::from_utf8_lossy(reason),
                ))
            }
        })
    }

    /// The frame's type.
    #[must_use]
    pub fn frame_type(&self) -> FrameType {
        match self {
            Self::Hello(_) => FrameType::Hello,
            Self::Open { .. } => FrameType::Open,
            Self::Grant { .. } => FrameType::Grant,
            Self::Data { .. } => FrameType::Data,
            Self::Taken { .. } => FrameType::Taken,
            Self::Returned { .. } => FrameType::Returned,
            Self::Close { .. } => FrameType::Close,
            Self::Goodbye(_) => FrameType::Goodbye,
        }
    }
}

/// A channel's name, if the bytes are one.
pub(super) fn channel_name(bytes: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(bytes).ok()?;
    let fits = !name.is_empty() && name.len() <= CHANNEL_NAME_BYTES_MAX;
    (fits && !name.chars().any(char::is_control)).then_some(name)
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
}
