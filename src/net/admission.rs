//! How many peers a listener has to do with at a time.
//!
//! Whoever comes beyond that waits with the kernel, unaccepted, for as long as it takes: overload makes peers wait.
//!
//! # Invariants
//!
//! - A connection is accepted only with a place for it, and one for its handshake; each is given back when the
//!   connection, or the handshake, has ended, however it does.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::config::Config;
use crate::sync::Mutex;

pub(super) struct Admission {
    connections: Gauge,
    handshakes: Gauge,
    pace: Mutex<Pace>,
}

/// Room for so many, and how many are there.
struct Gauge {
    room: Arc<Semaphore>,
    /// Each that is there has a clone.
    present: Arc<()>,
}

/// Room for one that may come.
struct Room(OwnedSemaphorePermit);

/// The room that one takes who is there.
#[derive(Debug)]
#[expect(dead_code, reason = "held, not used")]
struct Taken(OwnedSemaphorePermit, Arc<()>);

impl Gauge {
    fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            room: Arc::new(Semaphore::new(most)),
            present: Arc::default(),
        }
    }

    async fn room(&self) -> Room {
        match Arc::clone(&self.room).acquire_owned().await {
            Ok(permit) => Room(permit),
            Err(_) => unreachable!("it is never closed"),
        }
    }

    fn take(&self, room: Room) -> Taken {
        Taken(room.0, Arc::clone(&self.present))
    }

    fn present(&self) -> usize {
        Arc::strong_count(&self.present) - 1
    }
}

/// What a connection holds for as long as it lasts.
#[derive(Debug)]
pub(super) struct Place(#[expect(dead_code, reason = "held, not used")] Taken);

/// What a connection holds in its handshake.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) place: Place,
    _handshake: Taken,
}

impl Admission {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            connections: Gauge::new(config.connections_max),
            handshakes: Gauge::new(config.handshakes_max),
            pace: Mutex::new(Pace::new(config.handshakes_per_second, Instant::now())),
        }
    }

    /// Waits until one more may come in, and lets `accept` wait for it.
    pub(super) async fn admit<C, E>(
        &self,
        accept: impl AsyncFnOnce() -> Result<C, E>,
    ) -> Result<(C, Entrance), E> {
        let place = self.connections.room().await;
        let handshake = self.handshakes.room().await;
        loop {
            let wait = self.pace.lock().wait(Instant::now());
            if wait.is_zero() {
                break;
            }
            tokio::time::sleep(wait).await;
        }
        let connection = accept().await?;
        self.pace.lock().spend(Instant::now());
        let entrance = Entrance {
            place: Place(self.connections.take(place)),
            _handshake: self.handshakes.take(handshake),
        };
        Ok((connection, entrance))
    }

    /// How many connections there are, and how many of them in their handshake.
    pub(super) fn in_use(&self) -> (usize, usize) {
        (self.connections.present(), self.handshakes.present())
    }
}

/// A token bucket that holds a second's worth, written as the instant at which it would be full again.
#[derive(Debug)]
struct Pace {
    interval: Duration,
    full_at: Instant,
}

impl Pace {
    fn new(per_second: u32, now: Instant) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second.max(1),
            full_at: now,
        }
    }

    /// How long until there is a token.
    fn wait(&self, now: Instant) -> Duration {
        let least = Duration::from_secs(1).saturating_sub(self.interval);
        self.full_at
            .saturating_duration_since(now)
            .saturating_sub(least)
    }

    /// Takes a token, which may be one that is still to come.
    fn spend(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_may_come_at_once_and_then_one_each_interval() {
        let start = Instant::now();
        let mut pace = Pace::new(4, start);
        for _ in 0..4 {
            assert_eq!(pace.wait(start), Duration::ZERO);
            pace.spend(start);
        }
        let quarter = Duration::from_millis(250);
        assert_eq!(pace.wait(start), quarter);
        assert_eq!(pace.wait(start + quarter), Duration::ZERO);
        pace.spend(start + quarter);
        assert_eq!(pace.wait(start + quarter), quarter);
        // However long nobody came, no more than a second's worth has gathered.
        let later = start + Duration::from_mins(1);
        for _ in 0..4 {
            assert_eq!(pace.wait(later), Duration::ZERO);
            pace.spend(later);
        }
        assert_eq!(pace.wait(later), quarter);
    }

    #[test]
    fn a_pace_of_nothing_is_one_a_second() {
        let start = Instant::now();
        let mut pace = Pace::new(0, start);
        assert_eq!(pace.wait(start), Duration::ZERO);
        pace.spend(start);
        assert_eq!(pace.wait(start), Duration::from_secs(1));
    }
}
