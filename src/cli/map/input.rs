//! The producer: a thread that reads standard input and hands each unit over to a worker's link.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::cli::message::{self, UnitMeta};
use crate::cli::units::{Cut, Units};
use crate::sync::{Arc, Mutex};
use crate::{Receiver, Sender};

/// A unit on its way.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its place in the input, from 1.
    pub number: u64,
    /// Its message to a worker: the same whoever gets it, however often.
    pub message: Bytes,
    /// Bytes of the unit itself, with which its message begins.
    pub length: usize,
    /// How often its worker was lost while it had the unit.
    pub losses: u32,
}

impl Unit {
    /// Makes a unit of what was cut.
    pub fn new(number: u64, cut: Cut) -> Self {
        let (payload, oversized) = match cut {
            Cut::Unit(payload) => (payload, None),
            Cut::Oversized(bytes) => (Vec::new(), Some(bytes)),
        };
        let length = payload.len();
        let message = message::encode(payload, &UnitMeta { number, oversized });
        Self {
            number,
            message,
            length,
            losses: 0,
        }
    }

    /// The unit's own bytes.
    pub fn payload(&self) -> &[u8] {
        &self.message[..self.length]
    }
}

/// How long the producer waited for somebody to take a unit.
#[derive(Clone, Debug, Default)]
pub struct ProducerWait(Arc<Mutex<Waited>>);

#[derive(Debug, Default)]
struct Waited {
    before: Duration,
    since: Option<Instant>,
}

impl ProducerWait {
    /// The time in all, with that of a wait that still lasts.
    pub fn total(&self) -> Duration {
        let waited = self.0.lock();
        waited.before + waited.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn begin(&self) {
        self.0.lock().since = Some(Instant::now());
    }

    fn end(&self) {
        let mut waited = self.0.lock();
        if let Some(since) = waited.since.take() {
            waited.before += since.elapsed();
        }
    }
}

/// How the input ended: at its end, or with an error.
pub type InputEnd = io::Result<()>;

/// The near ends of the producer.
#[derive(Debug)]
pub struct Producer {
    /// Its units. A unit is read when the one before was taken.
    pub units: Receiver<Unit>,
    /// Tells once that all units were taken, or that reading failed.
    pub end: Receiver<InputEnd>,
    /// How long it waited.
    pub wait: ProducerWait,
}

impl Producer {
    /// Starts to read.
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn start<R: Read + Send + 'static>(units: Units<R>) -> io::Result<Self> {
        let (unit_sender, unit_receiver) = crate::channel();
        let (end_sender, end_receiver) = crate::channel();
        let wait = ProducerWait::default();
        let producer = Self {
            units: unit_receiver,
            end: end_receiver,
            wait: wait.clone(),
        };
        std::thread::Builder::new()
            .name("units".into())
            .spawn(move || {
                let end = produce(units, &unit_sender, &wait);
                drop(unit_sender);
                // Nobody waits for it any more when the run was ended for another reason.
                let _ = end_sender.send(end);
            })?;
        Ok(producer)
    }
}

fn produce<R: Read>(mut units: Units<R>, sender: &Sender<Unit>, wait: &ProducerWait) -> InputEnd {
    let mut number = 0;
    while let Some(cut) = units.next()? {
        number += 1;
        let unit = Unit::new(number, cut);
        wait.begin();
        let sent = sender.send(unit);
        wait.end();
        if sent.is_err() {
            break;
        }
    }
    Ok(())
}
