//! What can go wrong with a hand-over. Every failed send gives its message back.

use std::fmt;

use thiserror::Error;

/// Why a send was not completed; the message comes back in it.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError<T> {
    /// Every receiver is gone; nobody took the message.
    #[error("nobody can take the message: every receiver is gone")]
    Disconnected(T),
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
            Self::Disconnected(message) | Self::Returned(message) | Self::InDoubt(message) => {
                message
            }
        }
    }

    /// Whether every receiver is gone, so that no later send can succeed either.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }

    /// The reason and the message, apart.
    pub fn split(self) -> (SendError<()>, T) {
        match self {
            Self::Disconnected(message) => (SendError::Disconnected(()), message),
            Self::Returned(message) => (SendError::Returned(()), message),
            Self::InDoubt(message) => (SendError::InDoubt(()), message),
        }
    }
}

/// Why a send with a deadline was not completed; the message comes back in it.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendTimeoutError<T> {
    /// Nobody took the message in time, and nobody will.
    #[error("nobody took the message in time")]
    Timeout(T),
    /// See [`SendError::Disconnected`].
    #[error("nobody can take the message: every receiver is gone")]
    Disconnected(T),
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
            SendError::Returned(message) => Self::Returned(message),
            SendError::InDoubt(message) => Self::InDoubt(message),
        }
    }
}

/// Why a send that does not wait was not completed; the message comes back in it.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrySendError<T> {
    /// No receiver could take the message at this moment. The name is the field's; nothing here has a capacity.
    #[error("no receiver is waiting that could take the message now")]
    Full(T),
    /// Every receiver is gone; nobody took the message.
    #[error("nobody can take the message: every receiver is gone")]
    Disconnected(T),
}

impl<T> TrySendError<T> {
    /// The message that was to be sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(message) | Self::Disconnected(message) => message,
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

/// Every sender is gone and no message is left with any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no message will come: every sender is gone")]
pub struct RecvError;

/// Why a receive with a deadline has no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecvTimeoutError {
    /// No sender came in time.
    #[error("no message came in time")]
    Timeout,
    /// Every sender is gone.
    #[error("no message will come: every sender is gone")]
    Disconnected,
}

impl From<RecvError> for RecvTimeoutError {
    fn from(RecvError: RecvError) -> Self {
        Self::Disconnected
    }
}

/// Why a receive that does not wait has no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TryRecvError {
    /// No sender is waiting at this moment.
    #[error("no sender is waiting")]
    Empty,
    /// Every sender is gone.
    #[error("no message will come: every sender is gone")]
    Disconnected,
}

/// Every receiver is gone: what [`Sender::ready_async`](super::Sender::ready_async) answers then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("every receiver is gone")]
pub struct Disconnected;
