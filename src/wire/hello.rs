//! The first words of each side: the preamble, which never changes, and HELLO.

use super::{
    error::Violation,
    limits::{LEASE_MIN, NAME_BYTES_MAX, PREAMBLE_BYTES, TOKEN_BYTES_MAX},
};

/// The first bytes of each direction of a connection.
pub const MAGIC: &[u8; 8] = b"handover";

/// The newest version of the protocol that this side speaks.
pub const VERSION: u8 = 1;

/// The oldest version of the protocol that this side speaks.
pub const VERSION_MIN: u8 = 1;

const _: () = assert!(MAGIC.len() + 2 == PREAMBLE_BYTES);
// A name's and a token's length travel in one byte.
const _: () = assert!(NAME_BYTES_MAX < 256);
const _: () = assert!(TOKEN_BYTES_MAX < 256);

/// The bytes of a HELLO that do not vary in length: session, incarnation, epoch, lease, message limit, channel
/// limit.
const FIXED_BYTES: usize = 16 + 8 + 8 + 4 + 4 + 2;

/// Who a side is and what it accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The random number of the session, chosen by its dialer: the same number in the logs of both sides.
    pub session: u128,
    /// A random number of the process: two connections with the same one lead to the same run of a program.
    pub incarnation: u64,
    /// Which connection of the session this is, from 1.
    pub epoch: u64,
    /// For how long the side bears silence, in milliseconds. The lower one of the two holds.
    pub lease_ms: u32,
    /// The longest message that the side accepts, in bytes.
    pub message_bytes: u32,
    /// How many channels may be open toward the side.
    pub channels: u16,
    /// The side's name, for people.
    pub name: &'a str,
    /// The token that a dialer presents; empty if it has none, and always empty from a listener.
    pub token: &'a [u8],
}

impl<'a> Hello<'a> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.session.to_be_bytes());
        out.extend_from_slice(&self.incarnation.to_be_bytes());
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.lease_ms.to_be_bytes());
        out.extend_from_slice(&self.message_bytes.to_be_bytes());
        out.extend_from_slice(&self.channels.to_be_bytes());
        encode_short(self.name.as_bytes(), out);
        encode_short(self.token, out);
    }

    /// What follows the token is of a later version, and is ignored.
    pub(super) fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        const SHORT: Violation = Violation::BadHello("it is cut short");
        let (fixed, rest) = payload.split_at_checked(FIXED_BYTES).ok_or(SHORT)?;
        let (session, fixed) = fixed.split_first_chunk().ok_or(SHORT)?;
        let (incarnation, fixed) = fixed.split_first_chunk().ok_or(SHORT)?;
        let (epoch, fixed) = fixed.split_first_chunk().ok_or(SHORT)?;
        let (lease_ms, fixed) = fixed.split_first_chunk().ok_or(SHORT)?;
        let (message_bytes, fixed) = fixed.split_first_chunk().ok_or(SHORT)?;
        let (channels, _) = fixed.split_first_chunk().ok_or(SHORT)?;
        let (name, rest) = decode_short(rest).ok_or(SHORT)?;
        let (token, _) = decode_short(rest).ok_or(SHORT)?;
        if name.len() > NAME_BYTES_MAX || token.len() > TOKEN_BYTES_MAX {
            return Err(Violation::BadHello("its name or token is too long"));
        }
        let name =
            std::str::from_utf8(name).map_err(|_| Violation::BadHello("its name is not UTF-8"))?;
        if name.chars().any(char::is_control) {
            return Err(Violation::BadHello("its name has control characters"));
        }
        let (epoch, lease_ms) = (u64::from_be_bytes(*epoch), u32::from_be_bytes(*lease_ms));
        if epoch == 0 {
            return Err(Violation::BadHello("its epoch is 0"));
        }
        if u128::from(lease_ms) < LEASE_MIN.as_millis() {
            return Err(Violation::BadHello("its lease is shorter than 100 ms"));
        }
        Ok(Self {
            session: u128::from_be_bytes(*session),
            incarnation: u64::from_be_bytes(*incarnation),
            epoch,
            lease_ms,
            message_bytes: u32::from_be_bytes(*message_bytes),
            channels: u16::from_be_bytes(*channels),
            name,
            token,
        })
    }
}

/// Bytes after their length in one byte. The callers' limits keep them short enough.
pub(super) fn encode_short(bytes: &[u8], out: &mut Vec<u8>) {
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    debug_assert_eq!(
        usize::from(length),
        bytes.len(),
        "a short string is at most 255 bytes"
    );
    out.push(length);
    out.extend_from_slice(&bytes[..usize::from(length)]);
}

pub(super) fn decode_short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// The preamble of this side.
pub(super) fn preamble() -> [u8; PREAMBLE_BYTES] {
    let mut bytes = [0; PREAMBLE_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[MAGIC.len()] = VERSION;
    bytes[MAGIC.len() + 1] = VERSION_MIN;
    bytes
}

/// Checks that the peer's versions, newest and oldest, and ours have one in common.
pub(super) fn negotiate(newest: u8, oldest: u8) -> Result<u8, Violation> {
    let common = newest.min(VERSION);
    if common < oldest.max(VERSION_MIN) {
        return Err(Violation::Version { newest, oldest });
    }
    Ok(common)
}
