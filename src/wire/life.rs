//! Signs of life: when this side has to give one, and what the peer's silence means.
//!
//! # Invariants
//!
//! - Once the session is lost it stays so.
//! - At most one PING and one PONG wait to be said: the newest.

use std::time::Duration;

use super::{event::Lost, limits::HEADER_BYTES};

/// A link on which no more moves in a quarter of its lease is idle: a PING and a PONG each way, twice.
const IDLE_BYTES_MAX: u64 = 8 * HEADER_BYTES as u64;

#[derive(Debug)]
pub(super) struct Life {
    /// The lower one of both sides' once the peer is known.
    pub(super) lease: Duration,
    now: Duration,
    heard_at: Duration,
    said_at: Duration,
    /// The number of the last PING, and when it was made if its PONG did not come.
    pings: u64,
    pinged_at: Option<Duration>,
    ping_due: bool,
    /// The newest PING of the peer that was not answered.
    pub(super) pong_due: Option<u64>,
    round_trip: Option<Duration>,
    /// How many bytes had moved both ways when that was last looked at, and when it was.
    moved: u64,
    looked_at: Duration,
    pub(super) lost: Option<Lost>,
    /// Nobody was told of it.
    lost_untold: bool,
}

impl Life {
    pub(super) fn new(lease: Duration) -> Self {
        Self {
            lease,
            now: Duration::ZERO,
            heard_at: Duration::ZERO,
            said_at: Duration::ZERO,
            pings: 0,
            pinged_at: None,
            ping_due: false,
            pong_due: None,
            round_trip: None,
            moved: 0,
            looked_at: Duration::ZERO,
            lost: None,
            lost_untold: false,
        }
    }

    /// Time goes on. `known`: the peer is; `connected`: it can be spoken to.
    pub(super) fn tick(&mut self, now: Duration, known: bool, connected: bool) {
        self.now = self.now.max(now);
        if known && self.silence() >= self.lease {
            self.lose(Lost::Silent);
        }
        if connected && self.now.saturating_sub(self.said_at) >= self.lease / 4 {
            self.ping_due = true;
        }
    }

    /// Whether hardly anything moved in a quarter of the lease that is over now, with `moved` bytes in all.
    pub(super) fn is_idle(&mut self, moved: u64) -> bool {
        if self.now.saturating_sub(self.looked_at) < self.lease / 4 {
            return false;
        }
        let before = std::mem::replace(&mut self.moved, moved);
        self.looked_at = self.now;
        moved.saturating_sub(before) <= IDLE_BYTES_MAX
    }

    /// When to tick next at the latest, if nothing is heard or said before.
    pub(super) fn deadline(&self, connected: bool) -> Duration {
        let half = self.heard_at + self.lease / 2;
        let silent = if self.now < half {
            half
        } else {
            self.heard_at + self.lease
        };
        if connected && !self.ping_due {
            silent.min(self.said_at + self.lease / 4)
        } else {
            silent
        }
    }

    pub(super) fn silence(&self) -> Duration {
        self.now.saturating_sub(self.heard_at)
    }

    pub(super) fn may_take(&self, now: Duration) -> bool {
        self.lost.is_none() && now.saturating_sub(self.heard_at) < self.lease / 2
    }

    pub(super) fn heard(&mut self) {
        self.heard_at = self.now;
    }

    pub(super) fn said(&mut self) {
        self.said_at = self.now;
        self.ping_due = false;
    }

    pub(super) fn lose(&mut self, lost: Lost) {
        if self.lost.is_none() {
            self.lost = Some(lost);
            self.lost_untold = true;
        }
    }

    /// The loss, once.
    pub(super) fn tell_loss(&mut self) -> Option<Lost> {
        std::mem::take(&mut self.lost_untold)
            .then_some(self.lost)
            .flatten()
    }

    /// Whether a sign of life is due.
    pub(super) fn has_sign(&self) -> bool {
        self.ping_due || self.pong_due.is_some()
    }

    /// The number of the PING that is due.
    pub(super) fn take_ping(&mut self) -> Option<u64> {
        if !std::mem::take(&mut self.ping_due) {
            return None;
        }
        self.pings += 1;
        self.pinged_at = Some(self.now);
        Some(self.pings)
    }

    /// Returns whether such a PING was ever said.
    pub(super) fn ponged(&mut self, number: u64) -> bool {
        if number == 0 || number > self.pings {
            return false;
        }
        if number == self.pings
            && let Some(at) = self.pinged_at.take()
        {
            self.round_trip = Some(self.now.saturating_sub(at));
        }
        true
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// A connection is gone, and with it what was to be said on it.
    pub(super) fn disconnected(&mut self) {
        self.ping_due = false;
        self.pinged_at = None;
        self.pong_due = None;
    }
}
