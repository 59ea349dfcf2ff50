//! What a process, and a network, can come to.

use std::{any::Any, error::Error, fmt};

use super::{ending::Ended, report::Deadlock};

/// What a process returns: nothing (or what [`Network::process_returning`](super::Network::process_returning) and its
/// kin are to pass on), or why it failed.
pub type ProcessResult<R = ()> = Result<R, ProcessError>;

/// Why a process failed: any error, so that `?` works on all of them in a process.
///
/// Like the catch-all types of other crates it is no `Error` itself, for that would stand in the way of `From`.
pub struct ProcessError(Box<dyn Error + Send>);

impl ProcessError {
    /// A failure that is described by words alone.
    pub fn msg(message: impl fmt::Display) -> Self {
        Self(Box::new(Message(message.to_string())))
    }

    /// The error itself.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn Error + Send> {
        self.0
    }

    /// Whether it is no failure, but the end of a process whose peers are gone; see [`OrEnd`](super::OrEnd).
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.as_end().is_some()
    }

    pub(super) fn as_end(&self) -> Option<&Ended> {
        self.0.downcast_ref()
    }

    /// The error as what it was, if it was one.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl<E: Error + Send + 'static> From<E> for ProcessError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug)]
struct Message(String);

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Message {}

/// Why the run of a network ended before all its processes had done their work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Processes wait for each other, and nobody else can release them.
    #[error("{0}")]
    Deadlock(Box<Deadlock>),
    /// A process returned an error. It was the first to fail; others may have failed because of it.
    #[error("process `{process}` failed: {error}")]
    Failed {
        /// The process, by its full name.
        process: String,
        /// What it returned.
        error: ProcessError,
    },
    /// A process panicked. It was the first to fail; others may have failed because of it.
    #[error("process `{process}` panicked: {message}")]
    Panicked {
        /// The process, by its full name.
        process: String,
        /// What the panic said.
        message: String,
    },
}

/// How a process failed.
pub(super) struct Failure {
    pub(super) process: String,
    pub(super) cause: Cause,
}

pub(super) enum Cause {
    Error(ProcessError),
    Panic(String),
}

impl Cause {
    pub(super) fn of_panic(payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Panic(message.unwrap_or_else(|| "with a value that is no text".to_owned()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Error(error) => write!(f, "process `{}` failed: {error}", self.process),
            Cause::Panic(message) => write!(f, "process `{}` panicked: {message}", self.process),
        }
    }
}

impl From<Failure> for RunError {
    fn from(Failure { process, cause }: Failure) -> Self {
        match cause {
            Cause::Error(error) => Self::Failed { process, error },
            Cause::Panic(message) => Self::Panicked { process, message },
        }
    }
}
