//! What can go wrong with a broadcast: nobody was there, or not everybody has it.

use std::{fmt, sync::Arc};

use thiserror::Error;

use crate::channel::{Reason, SendTimeoutError};

/// Why a message was not taken by all; it comes back in it.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BroadcastError<T> {
    /// There was no subscriber, or all left before one had taken a copy: nobody has the message.
    #[error("nobody took the message: there is no subscriber")]
    Nobody(T),
    /// Somebody was there that did not take it.
    #[error("{0}")]
    Partial(Partial<T>),
}

/// What became of a message that some subscribers did not take.
#[derive(Clone, PartialEq, Eq)]
pub struct Partial<T> {
    /// The message, or one of its copies.
    pub message: T,
    /// How many subscribers have taken a copy. They keep it.
    pub taken: usize,
    /// Who has not, and will not.
    pub missed: Vec<Missed>,
}

/// A subscriber that was there and did not take its copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The name that it has subscribed under.
    pub name: Arc<str>,
    /// Why it did not. [`SendTimeoutError::Timeout`] says that the sender has stopped waiting for it, because its time
    /// was over or another subscriber was poisoned.
    pub why: SendTimeoutError<()>,
}

impl<T> BroadcastError<T> {
    /// The message that was to be sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Nobody(message) | Self::Partial(Partial { message, .. }) => message,
        }
    }

    /// Why a subscriber was poisoned, if one was.
    #[must_use]
    pub fn poison(&self) -> Option<&Reason> {
        let Self::Partial(partial) = self else {
            return None;
        };
        partial.missed.iter().find_map(|missed| match &missed.why {
            SendTimeoutError::Poisoned((), reason) => Some(reason),
            _ => None,
        })
    }

    /// How many subscribers have taken a copy.
    #[must_use]
    pub fn taken(&self) -> usize {
        match self {
            Self::Nobody(_) => 0,
            Self::Partial(partial) => partial.taken,
        }
    }
}

impl<T> fmt::Display for Partial<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { taken, missed, .. } = self;
        let all = taken + missed.len();
        write!(f, "{taken} of {all} subscribers took the message; not: ")?;
        for (place, Missed { name, why }) in missed.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{name} ({why})")?;
        }
        Ok(())
    }
}

// The message need not be printable, so it is left out.
impl<T> fmt::Debug for Partial<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial")
            .field("taken", &self.taken)
            .field("missed", &self.missed)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for BroadcastError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody(_) => f.write_str("Nobody(..)"),
            Self::Partial(partial) => f.debug_tuple("Partial").field(partial).finish(),
        }
    }
}
