//! Looks at networks that go on in the middle of them, at places and by steps that a test chooses: so what a race could
//! do to a look is done to it, each time.
//!
//! The network is polled by the thread that looks, with the tables locked: so at a pause processes may communicate, and
//! only [between](At::Between) the two pictures may they end or start others.

#![allow(clippy::unwrap_used)]

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use super::{super::*, At};

type Hook = Box<dyn FnMut(At)>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// A look of this thread is at a place where a test may have something done.
pub(super) fn pause(at: At) {
    // Taken out meanwhile: what is done may not look itself.
    let hook = HOOK.with_borrow_mut(Option::take);
    if let Some(mut hook) = hook {
        hook(at);
        HOOK.set(Some(hook));
    }
}

/// Where a process stops until it is let through, with a clone of its waker in somebody else's hand.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<Barred>>);

#[derive(Default)]
struct Barred {
    is_open: bool,
    waits: Option<Waker>,
}

impl Gate {
    /// Waits until it is opened, once.
    async fn pass(&self) {
        poll_fn(|context| {
            let mut barred = self.0.lock().unwrap();
            if std::mem::take(&mut barred.is_open) {
                return Poll::Ready(());
            }
            barred.waits = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn has_somebody_waiting(&self) -> bool {
        self.0.lock().unwrap().waits.is_some()
    }

    fn open(&self) {
        let waker = {
            let mut barred = self.0.lock().unwrap();
            barred.is_open = true;
            barred.waits.take()
        };
        waker.expect("somebody waits there").wake();
    }
}

type Run = Pin<Box<dyn Future<Output = Result<(), RunError>> + Send>>;

/// A network that runs when it is told to, on this thread.
#[derive(Clone)]
struct Stage {
    run: Arc<Mutex<Run>>,
    observer: Observer,
}

impl Stage {
    /// Runs it until all processes wait.
    fn of(mut net: Network) -> Self {
        net.on_deadlock(OnDeadlock::Ignore);
        let observer = net.observe();
        let stage = Self {
            run: Arc::new(Mutex::new(Box::pin(net.run_async()))),
            observer,
        };
        assert!(stage.go_on().is_pending());
        stage
    }

    /// Runs it until all processes wait again.
    fn go_on(&self) -> Poll<Result<(), RunError>> {
        let mut context = Context::from_waker(Waker::noop());
        self.run.lock().unwrap().as_mut().poll(&mut context)
    }

    /// Lets the process at a gate through, and runs until all wait again.
    fn open(&self, gate: &Gate) {
        gate.open();
        assert!(self.go_on().is_pending(), "they wait for each other");
    }

    /// Looks once, and has `meanwhile` done at each pause of it.
    fn look(&self, meanwhile: impl FnMut(At) + 'static) -> Option<Deadlock> {
        HOOK.set(Some(Box::new(meanwhile)));
        let found = self.observer.look();
        HOOK.set(None);
        found
    }
}

mod knots;
