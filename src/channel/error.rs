//! What can go wrong with a hand-over. Every failed send gives its message back.

// Not the `Arc` of `sync`: words that never change are no part of what loom explores.
use std::{fmt, sync::Arc};

use thiserror::Error;

/// Why a channel was poisoned, in the words of whoever did it. See [`Sender::poison`](super::Sender::poison).
///
/// Cloning it copies no text: all who were blocked get the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason(Arc<String>);

impl Reason {
    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Into<String>> From<S> for Reason {
    fn from(words: S) -> Self {
        Self(Arc::new(words.into()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Why a send was not completed; the message comes back in it.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError<T> {
    /// Every receiver is gone; nobody took the message.
    #[error("nobody can take the message: every receiver is gone")]
    Disconnected(T),
    /// The channel was poisoned; nobody took the message.
    #[error("nobody can take the message: the channel was poisoned: {1}")]
    Poisoned(T, Reason),
    /// A receiver accepted the message, did not finish with it, and handed it back: its closure panicked, its
    /// future was dropped, or it said so with [`Held::hand_back`](super::Held::hand_back).
    #[error("the receiver handed the message back unfinished")]
    Returned(T),
    /// The message had left for another machine and the answer was lost: it may or may not have been taken,
    /// and nobody can know. This is a copy of it.
    #[error("the message may or may not have been taken: its peer was lost before it answered")]
    InDoubt(T),
}

impl<T> SendError<T> {
    /// The message that was to be sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Disconnected(message)
            | Self::Poisoned(message, _)
            | Self::Returned(message)
            | Self::InDoubt(message) => message,
        }
    }

    /// Whether every receiver is gone, so that no later send can succeed either.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }

    /// Why the channel was poisoned, if that is why the send failed; no later send can succeed either.
    #[must_use]
    pub fn poison(&self) -> Option<&Reason> {
        match self {
            Self::Poisoned(_, reason) => Some(reason),
            _ => None,
        }
    }

    /// The reason and the message, apart.
    pub fn split(self) -> (SendError<()>, T) {
        match self {
            Self::Disconnected(message) => (SendError::Disconnected(()), message),
            Self::Poisoned(message, reason) => (SendError::Poisoned((), reason), message),
            Self::Returned(message) => (SendError::Returned(()), message),
            Self::InDoubt(message) => (SendError::InDoubt(()), message),
        }
    }
}

/// Why a send with a deadline was not completed; the message comes back in it.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendTimeoutError<T> {
    /// Nobody took the message in time, and nobody will.
    #[error("nobody took the message in time")]
    Timeout(T),
    /// See [`SendError::Disconnected`].
    #[error("nobody can take the message: every receiver is gone")]
    Disconnected(T),
    /// See [`SendError::Poisoned`].
    #[error("nobody can take the message: the channel was poisoned: {1}")]
    Poisoned(T, Reason),
    /// See [`SendError::Returned`].
    #[error("the receiver handed the message back unfinished")]
    Returned(T),
    /// See [`SendError::InDoubt`].
    #[error("the message may or may not have been taken: its peer was lost before it answered")]
    InDoubt(T),
}

impl<T> SendTimeoutError<T> {
    /// The message that was to be sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(message)
            | Self::Disconnected(message)
            | Self::Poisoned(message, _)
            | Self::Returned(message)
            | Self::InDoubt(message) => message,
        }
    }

    /// Whether nobody took the message in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }
}

impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(error: SendError<T>) -> Self {
        match error {
            SendError::Disconnected(message) => Self::Disconnected(message),
            SendError::Poisoned(message, reason) => Self::Poisoned(message, reason),
            SendError::Returned(message) => Self::Returned(message),
            SendError::InDoubt(message) => Self::InDoubt(message),
        }
    }
}

/// Why a send that does not wait was not completed; the message comes back in it.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrySendError<T> {
    /// No receiver could take the message at this moment. The name is the field's; nothing here has a capacity.
    #[error("no receiver is waiting that could take the message now")]
    Full(T),
    /// Every receiver is gone; nobody took the message.
    #[error("nobody can take the message: every receiver is gone")]
    Disconnected(T),
    /// The channel was poisoned; nobody took the message.
    #[error("nobody can take the message: the channel was poisoned: {1}")]
    Poisoned(T, Reason),
}

impl<T> TrySendError<T> {
    /// The message that was to be sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(message) | Self::Disconnected(message) | Self::Poisoned(message, _) => {
                message
            }
        }
    }

    /// Whether no receiver could take the message at this moment.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

// The message need not be printable, so it is left out.
macro_rules! debug_without_message {
    ($($error:ident: $($variant:ident),+;)+) => {$(
        impl<T> fmt::Debug for $error<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(_) => f.write_str(concat!(stringify!($variant), "(..)")),)+
                    Self::Poisoned(_, reason) => write!(f, "Poisoned(.., {reason:?})"),
                }
            }
        }
    )+};
}

debug_without_message! {
    SendError: Disconnected, Returned, InDoubt;
    SendTimeoutError: Timeout, Disconnected, Returned, InDoubt;
    TrySendError: Full, Disconnected;
}

/// Why a receive has no message, and no later one will have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecvError {
    /// Every sender is gone and no message is left with any of them.
    #[error("no message will come: every sender is gone")]
    Disconnected,
    /// The channel was poisoned.
    #[error("no message will come: the channel was poisoned: {0}")]
    Poisoned(Reason),
}

/// Why a receive with a deadline has no message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecvTimeoutError {
    /// No sender came in time.
    #[error("no message came in time")]
    Timeout,
    /// Every sender is gone.
    #[error("no message will come: every sender is gone")]
    Disconnected,
    /// The channel was poisoned.
    #[error("no message will come: the channel was poisoned: {0}")]
    Poisoned(Reason),
}

impl From<RecvError> for RecvTimeoutError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Disconnected => Self::Disconnected,
            RecvError::Poisoned(reason) => Self::Poisoned(reason),
        }
    }
}

/// Why a receive that does not wait has no message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TryRecvError {
    /// No sender is waiting at this moment.
    #[error("no sender is waiting")]
    Empty,
    /// Every sender is gone.
    #[error("no message will come: every sender is gone")]
    Disconnected,
    /// The channel was poisoned.
    #[error("no message will come: the channel was poisoned: {0}")]
    Poisoned(Reason),
}

impl From<RecvError> for TryRecvError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Disconnected => Self::Disconnected,
            RecvError::Poisoned(reason) => Self::Poisoned(reason),
        }
    }
}

/// Why no receiver will wait: what [`Sender::ready_async`](super::Sender::ready_async) answers then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadyError {
    /// Every receiver is gone.
    #[error("every receiver is gone")]
    Disconnected,
    /// The channel was poisoned.
    #[error("the channel was poisoned: {0}")]
    Poisoned(Reason),
}
