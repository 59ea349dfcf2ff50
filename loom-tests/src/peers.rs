//! What the tests are made of: a peer that is a thread or a task, and a run that counts what it has tried.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Instant,
};

use handover::channel::{Held, Receiver, RecvError, SendError, Sender};
pub(crate) use loom::thread;

/// A message that cannot be copied, and whose second take or drop would not go unseen.
pub(crate) type Message = Box<u32>;

/// Thread switches in one interleaving before loom calls it endless; the longest here has some hundred.
const BRANCHES_MAX: usize = 10_000;

/// Tries every interleaving of `check`, up to the preemption bound in `LOOM_MAX_PREEMPTIONS`, and says how many
/// there were.
pub(crate) fn explore(name: &str, check: impl Fn() + Send + Sync + 'static) {
    run(loom::model::Builder::new(), name, check);
}

/// As [`explore`], for four parties: with one preemption less, because here each one more makes the
/// interleavings about a hundred times as many.
pub(crate) fn explore_crowd(name: &str, check: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.map(|bound| bound.saturating_sub(1));
    run(model, name, check);
}

fn run(mut model: loom::model::Builder, name: &str, check: impl Fn() + Send + Sync + 'static) {
    let tried = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tried);
    model.max_branches = BRANCHES_MAX;
    let begun = Instant::now();
    model.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        check();
    });
    let tried = tried.load(Ordering::Relaxed);
    let seconds = begun.elapsed().as_secs_f64();
    let not_all = model
        .max_duration
        .is_some_and(|most| begun.elapsed() >= most);
    let left = if not_all {
        " (not all: its time was over)"
    } else {
        ""
    };
    println!("{tried:>9} interleavings, {seconds:>7.2} s: {name}{left}");
}

/// How an operation waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Thread,
    Task,
}

impl Peer {
    pub(crate) fn send<T>(self, sender: &Sender<T>, message: T) -> Result<(), SendError<T>> {
        match self {
            Self::Thread => sender.send(message),
            Self::Task => block_on(sender.send_async(message)),
        }
    }

    pub(crate) fn recv<T>(self, receiver: &Receiver<T>) -> Result<T, RecvError> {
        match self {
            Self::Thread => receiver.recv(),
            Self::Task => block_on(receiver.recv_async()),
        }
    }

    pub(crate) fn recv_held<T>(self, receiver: &Receiver<T>) -> Result<Held<T>, RecvError> {
        match self {
            Self::Thread => receiver.recv_held(),
            Self::Task => block_on(receiver.recv_held_async()),
        }
    }
}

struct Unparker {
    thread: thread::Thread,
    /// Loom takes an `unpark` of a thread that is blocked on a lock for the end of that wait, so the wake-up is noted
    /// here, and only a parked thread is unparked. Not of loom's atomics, because no switch of threads is wanted
    /// between looking at them and parking.
    woken: AtomicBool,
    parked: AtomicBool,
}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        if self.parked.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

/// Runs a future on this thread. Unlike `loom::future::block_on` it never polls for no reason, which would
/// multiply the interleavings of every test; `polled_for_no_reason` tries that on its own.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let unparker = Arc::new(Unparker {
        thread: thread::current(),
        woken: AtomicBool::new(false),
        parked: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&unparker));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !unparker.woken.swap(false, Ordering::SeqCst) {
            unparker.parked.store(true, Ordering::SeqCst);
            thread::park();
            unparker.parked.store(false, Ordering::SeqCst);
        }
    }
}

/// A receive future that is polled once and dropped; returns what it took.
pub(crate) fn receive_or_give_up<T>(receiver: &Receiver<T>) -> Option<T> {
    match poll_once(std::pin::pin!(receiver.recv_async())) {
        Poll::Ready(received) => received.ok(),
        Poll::Pending => None,
    }
}

/// Polls once with a waker that leads nowhere, as a future that is about to be dropped is polled.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// One fact for every pairing of a sender and a receiver that are each a thread or a task, explored as said.
macro_rules! pairings {
    ($explore:ident: $($(#[$attribute:meta])* fn $name:ident($sender:ident, $receiver:ident) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            fn check($sender: Peer, $receiver: Peer) {
                let name = format!("{} ({:?} to {:?})", stringify!($name), $sender, $receiver);
                $crate::peers::$explore(&name, move || $body);
            }

            #[test]
            fn thread_to_thread() {
                check(Peer::Thread, Peer::Thread);
            }

            #[test]
            fn thread_to_task() {
                check(Peer::Thread, Peer::Task);
            }

            #[test]
            fn task_to_thread() {
                check(Peer::Task, Peer::Thread);
            }

            #[test]
            fn task_to_task() {
                check(Peer::Task, Peer::Task);
            }
        }
    )+};
}

/// One fact for a peer that is a thread or a task.
macro_rules! peers {
    ($($(#[$attribute:meta])* fn $name:ident($peer:ident) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            fn check($peer: Peer) {
                let name = format!("{} ({:?})", stringify!($name), $peer);
                $crate::peers::explore(&name, move || $body);
            }

            #[test]
            fn thread() {
                check(Peer::Thread);
            }

            #[test]
            fn task() {
                check(Peer::Task);
            }
        }
    )+};
}

pub(crate) use {pairings, peers};
