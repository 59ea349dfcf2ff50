//! Connections that delay, stall, swallow and cut bytes, and an observer who reads along what leaves.

use std::{collections::VecDeque, time::Duration};

use handover::wire::{Frame, PREAMBLE_BYTES};

use crate::{ledger::Ledger, rng::Rng};

/// One direction of a connection.
#[derive(Default)]
pub struct Pipe {
    bytes: VecDeque<u8>,
    capacity: usize,
    /// What is written vanishes, and nobody notices.
    pub dead: bool,
    /// Nothing is delivered before.
    pub stalled_until: Duration,
    /// The reader finds the end of the stream after the bytes.
    pub closed: bool,
    observer: Observer,
}

impl Pipe {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    /// How many bytes the socket takes of those offered.
    pub fn write(&mut self, bytes: &[u8], ledger: &mut Ledger) -> usize {
        let room = self.capacity.saturating_sub(self.bytes.len());
        let count = bytes.len().min(room);
        self.observer.see(&bytes[..count], ledger);
        if !self.dead && !self.closed {
            self.bytes.extend(&bytes[..count]);
        }
        count
    }

    /// Moves bytes into `space`; returns how many, or `None` at the end of the stream.
    pub fn read(&mut self, space: &mut [u8], now: Duration) -> Option<usize> {
        if now < self.stalled_until {
            return Some(0);
        }
        if self.bytes.is_empty() && self.closed {
            return None;
        }
        let count = space.len().min(self.bytes.len());
        let (front, back) = self.bytes.as_slices();
        let first = count.min(front.len());
        space[..first].copy_from_slice(&front[..first]);
        space[first..count].copy_from_slice(&back[..count - first]);
        self.bytes.drain(..count);
        Some(count)
    }

    /// It flows again.
    fn heal(&mut self, now: Duration) {
        self.capacity = 100_000;
        self.stalled_until = now;
    }

    /// The stream ends after some of what is under way.
    pub fn cut(&mut self, rng: &mut Rng) {
        let kept = rng.below(self.bytes.len() + 1);
        self.bytes.truncate(kept);
        self.closed = true;
    }
}

/// A connection from the dialer to the listener.
pub struct Connection {
    pub up: Pipe,
    pub down: Pipe,
    /// The dialer has its end.
    pub dialed: bool,
}

impl Connection {
    pub fn new(rng: &mut Rng) -> Self {
        let capacity = rng.pick(&[64, 1000, 100_000]);
        Self {
            up: Pipe::new(capacity),
            down: Pipe::new(capacity),
            dialed: true,
        }
    }

    pub fn cut(&mut self, rng: &mut Rng) {
        self.up.cut(rng);
        self.down.cut(rng);
    }

    /// It flows again, if it is not dead.
    pub fn heal(&mut self, now: Duration) {
        self.up.heal(now);
        self.down.heal(now);
    }

    pub fn is_dead(&self) -> bool {
        self.up.dead || self.down.dead
    }
}

struct Seen {
    channel: u32,
    sequence: u64,
    /// How much of that message has left.
    bytes: usize,
}

/// Reads along what a side gives to its socket, to know which messages left in whole.
#[derive(Default)]
struct Observer {
    buffer: Vec<u8>,
    preamble_seen: bool,
    /// By number, from OPEN on.
    channels: Vec<Option<Seen>>,
}

impl Observer {
    fn see(&mut self, bytes: &[u8], ledger: &mut Ledger) {
        self.buffer.extend_from_slice(bytes);
        let mut at = 0;
        if !self.preamble_seen {
            if self.buffer.len() < PREAMBLE_BYTES {
                return;
            }
            self.preamble_seen = true;
            at = PREAMBLE_BYTES;
        }
        while let Some((frame, length)) = Frame::decode(&self.buffer[at..]).unwrap() {
            at += length;
            match frame {
                Frame::Open {
                    channel,
                    type_version,
                    ..
                } => {
                    let index = usize::from(channel);
                    if self.channels.len() <= index {
                        self.channels.resize_with(index + 1, || None);
                    }
                    self.channels[index] = Some(Seen {
                        channel: type_version,
                        sequence: 0,
                        bytes: 0,
                    });
                }
                Frame::Data {
                    channel,
                    sequence,
                    total,
                    chunk,
                } => {
                    let seen = self.channels.get_mut(usize::from(channel));
                    let seen = seen.and_then(Option::as_mut).expect("OPEN is before DATA");
                    if seen.sequence != sequence {
                        seen.sequence = sequence;
                        seen.bytes = 0;
                    }
                    seen.bytes += chunk.len();
                    if seen.bytes == total as usize {
                        ledger.message(seen.channel, sequence).left = true;
                    }
                }
                _ => {}
            }
        }
        self.buffer.drain(..at);
    }
}
