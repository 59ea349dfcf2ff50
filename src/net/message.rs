//! What a message is on the wire: a name, a version, and bytes.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use postcard::{Deserializer, de_flavors};
use serde::{Serialize, de::DeserializeOwned};

use crate::wire::MessageType;

/// A type whose values can cross a link.
///
/// Both ends of a channel say what its messages are when it is opened; a channel whose ends say different things is
/// refused, so that no end ever reads bytes that mean something else. The name should be one that nobody else uses by
/// chance, and the version is to change whenever bytes of the one before would be misread.
///
/// ```
/// use handover::net::Message;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Order {
///     dish: String,
///     table: u32,
/// }
///
/// impl Message for Order {
///     const NAME: &'static str = "restaurant.Order";
/// }
///
/// let order = Order { dish: "soup".to_owned(), table: 4 };
/// let bytes = order.encode()?;
/// assert_eq!(bytes, "\x04soup\x04");
/// assert_eq!(Order::decode(&bytes)?.table, 4);
/// # Ok::<(), handover::net::CodecError>(())
/// ```
///
/// # What comes from a stranger
///
/// Decoding is bounded: a message is at most as long as [`Limits`](super::Limits) say, nothing is allocated ahead of
/// the bytes beyond what `serde` thinks cautious (1 MiB a collection), what is nested deeper than 128 KiB of stack
/// hold is refused, and so are bytes after the end. Two things are left to the type: a collection whose elements have
/// no bytes, such as `Vec<()>`, can claim any number of them; and what is small on the wire may be large in memory.
pub trait Message: Serialize + DeserializeOwned + Send + 'static {
    /// The name of the type: at most 128 bytes without control characters, the same on all machines.
    const NAME: &'static str;
    /// The version of its bytes.
    const VERSION: u32 = 1;

    /// The bytes of the message: [postcard](https://postcard.jamesmunns.com), unless the type has others.
    ///
    /// # Errors
    ///
    /// [`CodecError`] if there are none, for example because of a map that was filled by a `Serialize` of its own
    /// without saying how many there are.
    fn encode(&self) -> Result<Bytes, CodecError> {
        postcard::to_stdvec(self)
            .map(Bytes::from)
            .map_err(CodecError::new)
    }

    /// The message of these bytes.
    ///
    /// # Errors
    ///
    /// [`CodecError`] if they are none.
    fn decode(bytes: &Bytes) -> Result<Self, CodecError> {
        let mut deserializer = Deserializer::from_flavor(Shallow::new(bytes));
        let message = Self::deserialize(&mut deserializer).map_err(CodecError::new)?;
        match deserializer.finalize() {
            Ok(0) => Ok(message),
            Ok(more) => Err(CodecError(format!("{more} bytes follow its end"))),
            Err(error) => Err(CodecError::new(error)),
        }
    }
}

/// Bytes are what they are: they have no name, and no version.
impl Message for Bytes {
    const NAME: &'static str = "";
    const VERSION: u32 = 0;

    fn encode(&self) -> Result<Bytes, CodecError> {
        Ok(self.clone())
    }

    fn decode(bytes: &Bytes) -> Result<Self, CodecError> {
        Ok(bytes.clone())
    }
}

/// Why a message has no bytes, or bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(String);

impl CodecError {
    /// What went wrong, in words: for types that encode themselves.
    pub fn new(words: impl fmt::Display) -> Self {
        Self(words.to_string())
    }
}

/// So much stack may be in use for what is nested in a message.
const STACK_MAX: usize = 128 * 1024;

/// Bytes of which what is nested too deep is refused: the stack of whoever decodes is not the sender's to fill. Each level
/// of nesting has a byte of its own, so it is enough to look at the stack whenever one is read.
struct Shallow<'de> {
    bytes: &'de [u8],
    bottom: usize,
}

impl<'de> Shallow<'de> {
    fn new(bytes: &'de [u8]) -> Self {
        Self {
            bytes,
            bottom: stack_pointer(),
        }
    }
}

impl<'de> de_flavors::Flavor<'de> for Shallow<'de> {
    /// How many bytes were not read.
    type Remainder = usize;
    type Source = &'de [u8];

    fn pop(&mut self) -> postcard::Result<u8> {
        if self.bottom.abs_diff(stack_pointer()) > STACK_MAX {
            return Err(postcard::Error::SerdeDeCustom);
        }
        let (first, rest) = self
            .bytes
            .split_first()
            .ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.bytes = rest;
        Ok(*first)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len())
    }

    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'de [u8]> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn finalize(self) -> postcard::Result<usize> {
        Ok(self.bytes.len())
    }
}

/// About where the stack of this thread ends now.
#[inline(never)]
fn stack_pointer() -> usize {
    let here = 0u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}

/// What the wire is told of a type.
pub(super) fn type_of<M: Message>() -> MessageType {
    MessageType {
        name: M::NAME.to_owned(),
        version: M::VERSION,
    }
}

/// A type in words.
pub(super) fn in_words(message_type: &MessageType) -> String {
    let MessageType { name, version } = message_type;
    if *message_type == MessageType::default() {
        "bytes".to_owned()
    } else {
        format!("{name} version {version}")
    }
}

/// Why a channel is refused whose ends have different types.
pub(super) fn mismatch(channel: &str, sent: &MessageType, received: &MessageType) -> String {
    let (sent, received) = (in_words(sent), in_words(received));
    format!("the messages of channel {channel:?} are sent as {sent} and received as {received}")
}

/// As [`Message::encode`], whatever the type does.
pub(super) fn encode<M: Message>(message: &M) -> Result<Bytes, CodecError> {
    caught(|| message.encode())
}

/// As [`Message::decode`], whatever the type does.
pub(super) fn decode<M: Message>(bytes: &Bytes) -> Result<M, CodecError> {
    caught(|| M::decode(bytes))
}

fn caught<R>(step: impl FnOnce() -> Result<R, CodecError>) -> Result<R, CodecError> {
    catch_unwind(AssertUnwindSafe(step))
        .unwrap_or_else(|_| Err(CodecError::new("its type panicked at it")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Nest {
        Egg,
        In(Box<Nest>),
    }

    impl Message for Nest {
        const NAME: &'static str = "test.Nest";
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Names(Vec<String>);

    impl Message for Names {
        const NAME: &'static str = "test.Names";
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let names = Names(vec!["a".to_owned(), String::new(), "Größe".to_owned()]);
        assert_eq!(Names::decode(&names.encode().unwrap()).unwrap(), names);
        let nest = Nest::In(Box::new(Nest::In(Box::new(Nest::Egg))));
        assert_eq!(Nest::decode(&nest.encode().unwrap()).unwrap(), nest);
    }

    #[test]
    fn a_message_that_would_fill_the_stack_is_refused() {
        let mut bytes = vec![1; 1 << 20];
        bytes.push(0);
        decode::<Nest>(&bytes.into()).unwrap_err();
    }

    #[test]
    fn a_length_that_is_only_claimed_is_refused() {
        // 2^35 names, of which none follows.
        let bytes = Bytes::from_static(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
        Names::decode(&bytes).unwrap_err();
        // One name of 2^35 bytes.
        let bytes = Bytes::from_static(&[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, b'x']);
        Names::decode(&bytes).unwrap_err();
    }

    #[test]
    fn bytes_after_the_end_are_refused() {
        let error = Nest::decode(&Bytes::from_static(&[0, 7, 7])).unwrap_err();
        assert_eq!(error.to_string(), "2 bytes follow its end");
    }

    #[test]
    fn bytes_are_themselves() {
        let bytes = Bytes::from_static(b"as they are");
        assert_eq!(bytes.encode().unwrap(), bytes);
        assert_eq!(Bytes::decode(&bytes).unwrap(), bytes);
        assert_eq!(type_of::<Bytes>(), MessageType::default());
    }
}
