//! Runs one future on the thread that calls, up to a deadline: how a blocking form is made of an async one.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

#[cfg(loom)]
pub(crate) use loomed::drive;

#[cfg(not(loom))]
use super::thread;

/// Polls `future` on this thread, parking between polls, until it resolves or `deadline` has passed; `None` says
/// that the deadline has passed. The future is left as it is then, and may be driven on.
#[cfg(not(loom))]
pub(crate) fn drive<F: Future>(
    mut future: Pin<&mut F>,
    deadline: Option<Instant>,
) -> Option<F::Output> {
    let waker = thread::waker();
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        // It may be woken for something else; then it is polled once for nothing.
        match deadline {
            None => thread::park(),
            Some(instant) => {
                if thread::park_until(instant) {
                    return None;
                }
            }
        }
    }
}

/// Loom lets a thread that is unparked run on even where it waits for a lock, as one that polls several channels may.
/// A condition wakes only those who wait for it.
#[cfg(loom)]
mod loomed {
    use std::{
        sync::Arc,
        task::{Wake, Waker},
    };

    use loom::sync::{Condvar, Mutex};

    use super::{Context, Instant, Pin, Poll};

    struct Signal {
        woken: Mutex<bool>,
        condition: Condvar,
    }

    impl Wake for Signal {
        fn wake(self: Arc<Self>) {
            *self.woken.lock().expect("loom ends the run at a panic") = true;
            self.condition.notify_one();
        }
    }

    /// As outside loom. Every deadline has passed at the first look.
    pub(crate) fn drive<F: Future>(
        mut future: Pin<&mut F>,
        deadline: Option<Instant>,
    ) -> Option<F::Output> {
        let signal = Arc::new(Signal {
            woken: Mutex::new(false),
            condition: Condvar::new(),
        });
        let waker = Waker::from(Arc::clone(&signal));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
            if deadline.is_some() {
                return None;
            }
            let mut woken = signal.woken.lock().expect("loom ends the run at a panic");
            while !*woken {
                let waited = signal.condition.wait(woken);
                woken = waited.expect("loom ends the run at a panic");
            }
            *woken = false;
        }
    }
}
