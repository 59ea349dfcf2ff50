//! The message that goes through the scripts: it can be recognised, and it leaves a trace when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The message whose fate a script asks about. Fillers have other numbers.
pub const ASKED: u64 = 1;

/// Numbers from here on belong to messages that only fill a buffer.
pub const FILLER: u64 = 100;

/// A message with a number.
#[derive(Debug)]
pub struct Message {
    /// Which one it is.
    pub number: u64,
    _trace: Option<Trace>,
}

impl Message {
    /// A message that nobody follows.
    pub fn new(number: u64) -> Self {
        Self {
            number,
            _trace: None,
        }
    }

    /// The message [`ASKED`] about, and a view on how often it was dropped.
    pub fn followed() -> (Self, Drops) {
        let drops = Drops::default();
        let message = Self {
            number: ASKED,
            _trace: Some(Trace(drops.clone())),
        };
        (message, drops)
    }
}

/// How often a message was dropped: zero while it lives somewhere.
#[derive(Clone, Debug, Default)]
pub struct Drops(Arc<AtomicUsize>);

impl Drops {
    /// Whether it is gone.
    pub fn is_gone(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

#[derive(Debug)]
struct Trace(Drops);

impl Drop for Trace {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}
