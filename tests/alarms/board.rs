//! What is seen of a run from outside, and what is done to it from there.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use handover::{
    channel::{Reason, RecvError, RecvTimeoutError, SendError, SendTimeoutError},
    process::Poisoner,
};

use crate::program::Program;

/// Why a program poisons a channel.
pub(crate) const POISON: &str = "of the program";

/// An error that may be due to poison.
pub(crate) trait MayBePoison {
    fn poison(&self) -> Option<&Reason>;
}

macro_rules! may_be_poison {
    ($(($($T:ident)?) $Error:ty: $pattern:pat => $reason:ident;)+) => {$(
        impl$(<$T>)? MayBePoison for $Error {
            fn poison(&self) -> Option<&Reason> {
                match self {
                    $pattern => Some($reason),
                    _ => None,
                }
            }
        }
    )+};
}

may_be_poison! {
    () RecvError: Self::Poisoned(reason) => reason;
    () RecvTimeoutError: Self::Poisoned(reason) => reason;
    (T) SendError<T>: Self::Poisoned(_, reason) => reason;
    (T) SendTimeoutError<T>: Self::Poisoned(_, reason) => reason;
}

/// Why the channel of an operation was poisoned, if that is why it failed.
pub(crate) fn poison_of<T, E: MayBePoison>(result: &Result<T, E>) -> Option<&Reason> {
    result.as_ref().err().and_then(MayBePoison::poison)
}

/// What somebody outside is asked to do.
pub(crate) enum Job {
    /// With a waker of the process with this number.
    Wake(usize, Waker),
    Forget(usize, Waker),
    Ring(Arc<Bell>),
    Drop(Box<dyn Send>),
    /// Is to be polled until it is done.
    Use(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl Job {
    /// Does it, or a part of it; what is left to do is returned.
    pub(crate) fn go_on(self, board: &Board) -> Option<Self> {
        match self {
            Self::Wake(process, waker) => {
                waker.wake();
                board.wakers[process].fetch_sub(1, Ordering::SeqCst);
            }
            Self::Forget(process, waker) => {
                drop(waker);
                board.wakers[process].fetch_sub(1, Ordering::SeqCst);
            }
            Self::Ring(bell) => bell.ring(),
            Self::Drop(end) => drop(end),
            Self::Use(mut future) => {
                let mut context = Context::from_waker(Waker::noop());
                if future.as_mut().poll(&mut context).is_pending() {
                    return Some(Self::Use(future));
                }
            }
        }
        None
    }
}

/// What one waits for who waits for somebody outside.
#[derive(Default)]
pub(crate) struct Bell {
    has_rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.has_rung.store(true, Ordering::SeqCst);
        let waker = self.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) async fn rung(&self) {
        poll_fn(|context| {
            *self.waker.lock().unwrap() = Some(context.waker().clone());
            if !self.has_rung.load(Ordering::SeqCst) {
                return Poll::Pending;
            }
            self.waker.lock().unwrap().take();
            Poll::Ready(())
        })
        .await;
    }
}

/// What is seen of a run from outside.
pub(crate) struct Board {
    pub(crate) words: Vec<AtomicU64>,
    /// How many clones of the waker of each process are outside.
    pub(crate) wakers: Vec<AtomicUsize>,
    /// The run is being torn down: what ends now ends because of that.
    torn: AtomicBool,
    pub(crate) jobs: Mutex<Vec<Job>>,
}

impl Board {
    pub(crate) fn new(program: &Program, words: Vec<u64>) -> Self {
        Self {
            words: words.into_iter().map(AtomicU64::new).collect(),
            wakers: program
                .scripts
                .iter()
                .map(|_| AtomicUsize::new(0))
                .collect(),
            torn: AtomicBool::new(false),
            jobs: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn words(&self) -> Vec<u64> {
        let words = self.words.iter();
        words.map(|word| word.load(Ordering::SeqCst)).collect()
    }

    /// The processes of whose wakers somebody outside has a clone.
    pub(crate) fn with_wakers_outside(&self) -> u16 {
        let wakers = self.wakers.iter().enumerate();
        let wakers = wakers.filter(|(_, count)| count.load(Ordering::SeqCst) > 0);
        wakers.fold(0, |all, (process, _)| all | 1 << process)
    }

    pub(crate) fn ask(&self, job: Job) {
        self.jobs.lock().unwrap().push(job);
    }

    fn tear(&self) {
        self.torn.store(true, Ordering::SeqCst);
    }

    /// A thread hears that its channel is poisoned. If it is not the program that has done it, the end of the run has:
    /// before anybody hears of it from that thread.
    pub(crate) fn hear(&self, poison: Option<&Reason>) {
        if poison.is_some_and(|reason| reason.to_string() != POISON) {
            self.tear();
        }
    }

    pub(crate) fn is_torn(&self) -> bool {
        self.torn.load(Ordering::SeqCst)
    }
}

/// A process that says so, before anything of it is gone, when it is dropped before it has ended: the run is being torn
/// down then.
pub(crate) struct Canary<'a, F> {
    board: &'a Board,
    has_ended: bool,
    process: Pin<Box<F>>,
}

impl<'a, F> Canary<'a, F> {
    pub(crate) fn new(board: &'a Board, process: F) -> Self {
        Self {
            board,
            has_ended: false,
            process: Box::pin(process),
        }
    }
}

impl<F: Future<Output = ()>> Future for Canary<'_, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let polled = self.process.as_mut().poll(context);
        self.has_ended = polled.is_ready();
        polled
    }
}

impl<F> Drop for Canary<'_, F> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.board.tear();
        }
    }
}

pub(crate) fn job_of_sender(end: handover::Sender<u32>, used: bool) -> Job {
    if used {
        Job::Use(Box::pin(async move {
            let _ = end.send_async(1).await;
        }))
    } else {
        Job::Drop(Box::new(end))
    }
}

pub(crate) fn job_of_poisoner(right: Poisoner, used: bool) -> Job {
    if used {
        Job::Use(Box::pin(async move {
            right.poison(POISON);
        }))
    } else {
        Job::Drop(Box::new(right))
    }
}

pub(crate) fn job_of_receiver(end: handover::Receiver<u32>, used: bool) -> Job {
    if used {
        Job::Use(Box::pin(async move {
            let _ = end.recv_async().await;
        }))
    } else {
        Job::Drop(Box::new(end))
    }
}
