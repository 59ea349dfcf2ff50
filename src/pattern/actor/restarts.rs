//! How an actor has failed, and whether it may be made anew for that.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    panic::resume_unwind,
    time::{Duration, Instant},
};

use crate::process::{ProcessError, ProcessResult};

/// How an actor has failed.
pub(super) enum Failure {
    Error(ProcessError),
    Panic(Box<dyn Any + Send>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panic(payload) => {
                let words = payload
                    .downcast_ref::<&str>()
                    .copied()
                    .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                write!(
                    f,
                    "it panicked: {}",
                    words.unwrap_or("with a value that is no text")
                )
            }
        }
    }
}

impl Failure {
    /// Makes it the failure of the process as it is.
    pub(super) fn go_up(self) -> ProcessResult {
        match self {
            Self::Error(error) => Err(error),
            Self::Panic(payload) => resume_unwind(payload),
        }
    }
}

/// The failure of an actor that was restarted as often as it may be.
#[derive(Debug, thiserror::Error)]
#[error("restarted {limit} times within {period:?}, and failed again: {reason}")]
pub struct RestartLimit {
    /// How often it may be restarted.
    pub limit: u32,
    /// Within which time.
    pub period: Duration,
    /// How it failed the last time.
    pub reason: String,
}

/// How often something may be restarted, and when it was lately.
#[derive(Debug)]
pub(super) struct Restarts {
    pub(super) limit: u32,
    pub(super) period: Duration,
    /// At most `limit` of them.
    lately: VecDeque<Instant>,
}

impl Restarts {
    pub(super) fn new(limit: u32, period: Duration) -> Self {
        Self {
            limit,
            period,
            lately: VecDeque::new(),
        }
    }

    /// Notes one more restart, unless that is one too many; whether it may be.
    pub(super) fn allow_one(&mut self, now: Instant) -> bool {
        let period = self.period;
        self.lately
            .retain(|&then| now.saturating_duration_since(then) <= period);
        let is_allowed = self.lately.len() < self.limit as usize;
        if is_allowed {
            self.lately.push_back(now);
        }
        is_allowed
    }

    /// Begins to count anew.
    pub(super) fn forget(&mut self) {
        self.lately.clear();
    }

    /// Notes one more restart, with what it is for; the failure goes up if that is one too many.
    pub(super) fn allow(&mut self, failure: Failure, now: Instant) -> Result<String, Failure> {
        if self.limit == 0 {
            return Err(failure);
        }
        let reason = failure.to_string();
        if self.allow_one(now) {
            return Ok(reason);
        }
        Err(Failure::Error(ProcessError::from(RestartLimit {
            limit: self.limit,
            period: self.period,
            reason,
        })))
    }
}
