//! An executor of one step: a future is polled when the script says so, and its wake-ups are counted.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Notes that it was woken; a wake-up before the first poll cannot be.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A future in the hands of a script. Dropping it drops the future where it stands.
pub struct Task<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    flag: Arc<Flag>,
    outcome: Option<T>,
}

impl<'a, T> Task<'a, T> {
    /// Takes a future, and polls it for the first time.
    pub fn start(future: Pin<Box<dyn Future<Output = T> + 'a>>) -> Self {
        let mut task = Self {
            future,
            flag: Arc::default(),
            outcome: None,
        };
        task.poll();
        task
    }

    /// Polls once more, unless it has resolved.
    pub fn poll(&mut self) {
        if self.outcome.is_some() {
            return;
        }
        let waker = Waker::from(Arc::clone(&self.flag));
        if let Poll::Ready(outcome) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.outcome = Some(outcome);
        }
    }

    /// Polls if it was woken since the last time, as an executor would; says whether it did.
    pub fn poll_if_woken(&mut self) -> bool {
        let woken = self.flag.0.swap(false, Ordering::SeqCst) && self.outcome.is_none();
        if woken {
            self.poll();
        }
        woken
    }

    /// Whether it was woken and not polled since.
    pub fn is_woken(&self) -> bool {
        self.flag.0.load(Ordering::SeqCst)
    }

    /// What it has resolved to.
    pub fn outcome(&self) -> Option<&T> {
        self.outcome.as_ref()
    }

    /// What it has resolved to, taken out.
    pub fn into_outcome(mut self) -> Option<T> {
        self.outcome.take()
    }
}
