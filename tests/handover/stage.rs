//! What the tests are made of: messages that are counted, futures that are polled by hand, and ways to know
//! that a peer waits.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use handover::{
    Receiver, Sender,
    channel::{RecvError, SendError},
};

/// How long a test waits for a fact that should hold at once: far longer than any machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A deadline that is meant to pass.
pub(crate) const SHORT: Duration = Duration::from_millis(10);

/// Waits until `fact` holds; fails the test if it does not within [`PATIENCE`].
#[track_caller]
pub(crate) fn until(fact: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !fact() {
        assert!(Instant::now() < deadline, "it did not happen in time");
        std::thread::yield_now();
    }
}

/// Joins a thread that should end at once; fails the test if it does not within [`PATIENCE`].
#[track_caller]
pub(crate) fn join<R>(thread: JoinHandle<R>) -> R {
    until(|| thread.is_finished());
    thread.join().expect("the thread ended without a panic")
}

/// Where the messages of one test are counted as they are dropped.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<AtomicUsize>);

impl Tally {
    pub(crate) fn message(&self, number: u32) -> Message {
        Message {
            number,
            tally: self.clone(),
        }
    }

    pub(crate) fn dropped(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A message that cannot be cloned and is counted when it is dropped.
pub(crate) struct Message {
    pub(crate) number: u32,
    tally: Tally,
}

impl Drop for Message {
    fn drop(&mut self) {
        self.tally.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({})", self.number)
    }
}

impl PartialEq<u32> for Message {
    fn eq(&self, number: &u32) -> bool {
        self.number == *number
    }
}

/// A waker that counts how often it was called.
#[derive(Default)]
pub(crate) struct CountingWaker(AtomicUsize);

impl CountingWaker {
    pub(crate) fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future in the hands of the test: it is polled when the test says so, and never else.
pub(crate) struct Scripted<F> {
    future: Pin<Box<F>>,
    waker: Arc<CountingWaker>,
}

impl<F: Future> Scripted<F> {
    pub(crate) fn new(future: F) -> Self {
        Self {
            future: Box::pin(future),
            waker: Arc::default(),
        }
    }

    pub(crate) fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.waker));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Polls with a waker that was never used before; returns what comes of it.
    pub(crate) fn poll_with_another_waker(&mut self) -> Poll<F::Output> {
        self.waker = Arc::default();
        self.poll()
    }

    #[track_caller]
    pub(crate) fn stays_pending(&mut self) {
        assert!(self.poll().is_pending(), "it resolved");
    }

    #[track_caller]
    pub(crate) fn resolves(&mut self) -> F::Output {
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it is still pending"),
        }
    }

    /// How often the current waker was called.
    pub(crate) fn wakes(&self) -> usize {
        self.waker.wakes()
    }

    pub(crate) fn future(&mut self) -> Pin<&mut F> {
        self.future.as_mut()
    }
}

/// Who performs an operation: a thread, or a task on one of the executors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Thread,
    /// A task that shares its thread, on tokio's current-thread runtime.
    TokioCurrentThread,
    TokioMultiThread,
    /// An executor of ten lines, which parks its thread.
    Homemade,
}

impl Peer {
    pub(crate) fn run<F: Future>(self, task: F) -> F::Output {
        match self {
            Self::Thread => panic!("a thread runs no future"),
            Self::TokioCurrentThread => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(task),
            Self::TokioMultiThread => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap()
                .block_on(task),
            Self::Homemade => homemade_block_on(task),
        }
    }

    pub(crate) fn send<T>(self, sender: &Sender<T>, message: T) -> Result<(), SendError<T>> {
        match self {
            Self::Thread => sender.send(message),
            _ => self.run(sender.send_async(message)),
        }
    }

    pub(crate) fn recv<T>(self, receiver: &Receiver<T>) -> Result<T, RecvError> {
        match self {
            Self::Thread => receiver.recv(),
            _ => self.run(receiver.recv_async()),
        }
    }
}

struct Unparker(std::thread::Thread);

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn homemade_block_on<F: Future>(task: F) -> F::Output {
    let mut task = std::pin::pin!(task);
    let waker = Waker::from(Arc::new(Unparker(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match task.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// The fact in a body, for each of the named peers.
macro_rules! for_peers {
    ($($(#[$attribute:meta])* fn $name:ident($peer:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            fn check($peer: Peer) $body

            #[test]
            fn thread() {
                check(Peer::Thread);
            }

            #[test]
            fn task_on_tokio_current_thread() {
                check(Peer::TokioCurrentThread);
            }

            #[test]
            fn task_on_tokio_multi_thread() {
                check(Peer::TokioMultiThread);
            }

            #[test]
            fn task_on_a_homemade_executor() {
                check(Peer::Homemade);
            }
        }
    )+};
}

/// The fact in a body, for each pairing of peers.
macro_rules! for_pairings {
    ($($(#[$attribute:meta])* fn $name:ident($sender:ident, $receiver:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            const RECEIVERS: [Peer; 4] = [
                Peer::Thread,
                Peer::TokioCurrentThread,
                Peer::TokioMultiThread,
                Peer::Homemade,
            ];

            $(#[$attribute])*
            fn check($sender: Peer) {
                for $receiver in RECEIVERS $body
            }

            #[test]
            fn from_a_thread() {
                check(Peer::Thread);
            }

            #[test]
            fn from_a_task_on_tokio_current_thread() {
                check(Peer::TokioCurrentThread);
            }

            #[test]
            fn from_a_task_on_tokio_multi_thread() {
                check(Peer::TokioMultiThread);
            }

            #[test]
            fn from_a_task_on_a_homemade_executor() {
                check(Peer::Homemade);
            }
        }
    )+};
}

pub(crate) use {for_pairings, for_peers};
