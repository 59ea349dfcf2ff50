//! The lease of a link between a coordinator and a worker: how each knows in time that the other is gone.
//!
//! A worker says again and again, on a channel of its own, that it lives, and each time it is released the
//! coordinator has heard it. So one message tells both sides: the coordinator gives a worker up that it has not
//! heard for the lease ([`silence`]); the worker, which counts from when it *sent* what was heard ([`keep`]),
//! gives its unit up no later than that. The channel is apart from the others, since a result or a line that
//! waits for a slow reader must not look like silence.
//!
//! This is the one place that knows how silence is found. A link that finds it by itself ends, and then neither
//! function has anything to do: for the coordinator a link that ended without a goodbye is the same.

use std::cell::Cell;
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::{Receiver, Sender};

/// The part of the lease after which a worker says again that it lives.
const BEATS: u32 = 4;

/// The part of the lease after which a coordinator looks whether it is over.
const LOOKS: u32 = 16;

// ---- The coordinator's side ----

/// When a worker was heard last.
#[derive(Debug)]
pub struct Heard(Cell<Instant>);

impl Heard {
    /// It has just joined.
    pub fn now() -> Self {
        Self(Cell::new(Instant::now()))
    }

    /// How long ago that was.
    pub fn ago(&self) -> Duration {
        self.0.get().elapsed()
    }
}

/// Waits until a worker was silent for the lease. A worker that leaves, or whose link ends, is not silent; and
/// what this program did not run (it was stopped, or had no processor) is no silence of others.
///
/// # Cancel safety
/// Nothing is lost.
pub async fn silence(beats: &Receiver<Bytes>, lease: Duration, heard: &Heard) {
    let mut looked = Instant::now();
    loop {
        let look = looked + lease / LOOKS;
        tokio::select! {
            biased;
            beat = beats.recv_async() => match beat {
                Ok(_) => heard.0.set(Instant::now()),
                Err(_) => pending().await,
            },
            () = tokio::time::sleep_until(look) => {
                looked = Instant::now();
                let late = looked - look;
                if late > lease / LOOKS {
                    heard.0.set(heard.0.get() + late);
                } else if heard.ago() >= lease {
                    return;
                }
            }
        }
    }
}

// ---- The worker's side ----

/// How a worker stands with its coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was heard lately.
    Good,
    /// Not for half of the lease: it takes no unit.
    Doubtful,
    /// Not for the whole lease: what it runs may be another's by now.
    Over,
    /// The coordinator has given it up.
    GivenUp,
}

/// A worker's lease.
#[derive(Debug)]
pub struct Lease {
    length: Duration,
    /// A local worker has no other way to its coordinator than being its child, and ends with it: to such a one
    /// a coordinator that is stopped for a while (Ctrl-Z) is no loss.
    ends: bool,
    /// When it sent what was heard last.
    renewed: Cell<Instant>,
    given_up: Cell<bool>,
    changed: Notify,
}

impl Lease {
    /// It begins now. One that does not end by time is only given up.
    pub fn new(length: Duration, ends: bool) -> Self {
        Self {
            length,
            ends,
            renewed: Cell::new(Instant::now()),
            given_up: Cell::new(false),
            changed: Notify::new(),
        }
    }

    /// How the worker stands now.
    pub fn standing(&self) -> Standing {
        let silent = self.renewed.get().elapsed();
        match () {
            () if self.given_up.get() => Standing::GivenUp,
            () if !self.ends || silent < self.length / 2 => Standing::Good,
            () if silent < self.length => Standing::Doubtful,
            () => Standing::Over,
        }
    }

    /// The coordinator wants to hear nothing more.
    pub fn give_up(&self) {
        self.given_up.set(true);
        self.changed.notify_waiters();
    }

    /// Waits until the worker stands otherwise than it did, and says how.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn changed_from(&self, before: Standing) -> Standing {
        loop {
            let changed = self.changed.notified();
            let now = self.standing();
            if now != before {
                return now;
            }
            let due = match now {
                Standing::Good if self.ends => Some(self.length / 2),
                Standing::Doubtful => Some(self.length),
                _ => None,
            };
            let due = async {
                match due {
                    Some(time) => tokio::time::sleep_until(self.renewed.get() + time).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = changed => {}
                () = due => {}
            }
        }
    }
}

/// Keeps a lease by saying on `beats` that the worker lives, until the coordinator does not want to hear it.
pub async fn keep(beats: Sender<Bytes>, lease: &Lease) {
    loop {
        let sent = Instant::now();
        if beats.send_async(Bytes::from_static(b".")).await.is_err() {
            return lease.give_up();
        }
        lease.renewed.set(sent);
        lease.changed.notify_waiters();
        tokio::time::sleep(lease.length / BEATS).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn a_worker_that_is_heard_keeps_its_lease_and_one_that_is_not_loses_it_in_two_steps() {
        run(async {
            let (beats, heard) = crate::channel();
            let lease = Lease::new(Duration::from_millis(40), true);
            let keeping = async {
                tokio::select! {
                    () = keep(beats, &lease) => {}
                    () = async {
                        heard.recv_async().await.unwrap();
                        assert_eq!(lease.standing(), Standing::Good);
                        // Nobody hears the next one.
                        assert_eq!(lease.changed_from(Standing::Good).await, Standing::Doubtful);
                        assert_eq!(lease.changed_from(Standing::Doubtful).await, Standing::Over);
                        heard.recv_async().await.unwrap();
                    } => {}
                }
            };
            keeping.await;
        });
    }

    #[test]
    fn a_worker_that_is_not_wanted_knows_it() {
        run(async {
            let (beats, heard) = crate::channel();
            let lease = Lease::new(Duration::from_hours(1), false);
            drop(heard);
            keep(beats, &lease).await;
            assert_eq!(lease.standing(), Standing::GivenUp);
        });
    }

    #[test]
    fn silence_is_found_and_a_worker_that_left_is_not_silent() {
        run(async {
            let (beats, receiver) = crate::channel::<Bytes>();
            let heard = Heard::now();
            silence(&receiver, Duration::from_millis(20), &heard).await;
            drop(beats);
            let watch = silence(&receiver, Duration::from_millis(20), &heard);
            let waited = tokio::time::timeout(Duration::from_millis(100), watch).await;
            assert!(waited.is_err());
        });
    }
}
