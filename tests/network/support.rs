//! What the tests of networks have in common.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

pub use crate::ways::{WAYS, Way};

/// A deadline that is never reached unless something is wrong.
pub const LONG: Duration = Duration::from_mins(1);

/// What `action` returns, if it does so in time.
pub fn within<R: Send + 'static>(action: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(action()));
    told.recv_timeout(LONG)
        .expect("it ends in time, and does not panic")
}

/// Counts values that are made and dropped.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<(AtomicUsize, AtomicUsize)>);

/// A value that is noted in its ledger.
#[derive(Debug)]
pub struct Noted(Ledger);

impl Ledger {
    pub fn one(&self) -> Noted {
        self.0.0.fetch_add(1, Ordering::AcqRel);
        Noted(self.clone())
    }

    pub fn made(&self) -> usize {
        self.0.0.load(Ordering::Acquire)
    }

    pub fn dropped(&self) -> usize {
        self.0.1.load(Ordering::Acquire)
    }

    /// Waits until all that was made is dropped.
    pub fn settle(&self) {
        let deadline = Instant::now() + LONG;
        while self.made() != self.dropped() {
            assert!(Instant::now() < deadline, "{self:?}: made, and dropped");
            thread::yield_now();
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.0.1.fetch_add(1, Ordering::AcqRel);
    }
}
