//! A channel between two stages, of any capacity.

use crossbeam_channel as crossbeam;

use super::model::Capacity;
use crate::channel::{self, channel};

/// What flows.
#[derive(Debug)]
pub struct Unit {
    /// Nanoseconds after the start at which it was due.
    pub due_ns: u64,
    /// What it carries.
    pub payload: Box<[u8]>,
}

pub enum Tx {
    Rendezvous(channel::Sender<Unit>),
    Queue(crossbeam::Sender<Unit>),
}

pub enum Rx {
    Rendezvous(channel::Receiver<Unit>),
    Queue(crossbeam::Receiver<Unit>),
}

/// Looks at how much a channel holds, without keeping its receiver waiting for more.
pub struct Held(Option<crossbeam::Receiver<Unit>>);

/// Makes a channel.
pub fn open(capacity: Capacity) -> (Tx, Rx, Held) {
    let queue = match capacity {
        Capacity::Zero => {
            let (tx, rx) = channel();
            // A rendezvous has no place for a message, so there is nothing to look at.
            return (Tx::Rendezvous(tx), Rx::Rendezvous(rx), Held(None));
        }
        Capacity::Bounded(number) => crossbeam::bounded(number as usize),
        Capacity::Unbounded => crossbeam::unbounded(),
    };
    let (tx, rx) = queue;
    let held = Held(Some(rx.clone()));
    (Tx::Queue(tx), Rx::Queue(rx), held)
}

/// Why a unit did not go at once.
pub enum NotNow {
    /// Nobody takes it now, or there is no room: here it is.
    Wait(Unit),
    /// Nobody receives any more.
    Never,
}

impl Tx {
    /// Sends if that needs no waiting.
    pub fn try_send(&self, unit: Unit) -> Result<(), NotNow> {
        match self {
            Self::Rendezvous(tx) => tx.try_send(unit).map_err(|error| {
                if error.is_full() {
                    NotNow::Wait(error.into_inner())
                } else {
                    NotNow::Never
                }
            }),
            Self::Queue(tx) => tx.try_send(unit).map_err(|error| match error {
                crossbeam::TrySendError::Full(unit) => NotNow::Wait(unit),
                crossbeam::TrySendError::Disconnected(_) => NotNow::Never,
            }),
        }
    }

    /// Sends, waiting as long as the channel makes it wait; false if nobody receives any more.
    pub fn send(&self, unit: Unit) -> bool {
        match self {
            Self::Rendezvous(tx) => tx.send(unit).is_ok(),
            Self::Queue(tx) => tx.send(unit).is_ok(),
        }
    }

    /// How many messages the channel holds now.
    pub fn held(&self) -> usize {
        match self {
            Self::Rendezvous(_) => 0,
            Self::Queue(tx) => tx.len(),
        }
    }
}

impl Rx {
    /// The next unit, or nothing if no more will come.
    pub fn recv(&self) -> Option<Unit> {
        match self {
            Self::Rendezvous(rx) => rx.recv().ok(),
            Self::Queue(rx) => rx.recv().ok(),
        }
    }
}

impl Held {
    /// How many messages the channel holds now.
    pub fn now(&self) -> usize {
        self.0.as_ref().map_or(0, crossbeam::Receiver::len)
    }
}
