//! A thread that is blocked on the subject's channel, before the script begins.

use std::{
    thread::{self, JoinHandle},
    time::Instant,
};

use handover::{Receiver, Sender, channel::SendError};

use super::PATIENCE;
use crate::script::{Books, Message, Place, Task};

/// What the thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocked {
    Sending,
    Receiving,
    Accepting,
}

impl Blocked {
    pub(crate) const ALL: [Self; 3] = [Self::Sending, Self::Receiving, Self::Accepting];
}

pub(super) fn block_a_thread(
    blocked: Blocked,
    tx: &Sender<Message>,
    rx: &Receiver<Message>,
    books: &Books,
) -> JoinHandle<()> {
    let (sender, receiver, books) = (tx.clone(), rx.clone(), books.clone());
    match blocked {
        Blocked::Sending => {
            drop(receiver);
            let watched = rx.clone();
            let mut watch = Task::new(async move { watched.recv_async().await.is_ok() });
            watch.poll();
            let message = books.message();
            let thread = thread::spawn(move || {
                if let Err(error) = sender.send(message) {
                    books.book(SendError::into_inner(error), Place::Home);
                }
            });
            // Woken, and gone without taking.
            until(|| watch.is_woken());
            thread
        }
        Blocked::Receiving => {
            drop(sender);
            let thread = thread::spawn(move || {
                if let Ok(message) = receiver.recv() {
                    books.book(message, Place::Taken);
                }
            });
            until(|| tx.is_ready());
            thread
        }
        Blocked::Accepting => {
            drop(sender);
            let thread = thread::spawn(move || {
                if let Ok(held) = receiver.recv_held() {
                    books.book(held.release(), Place::Taken);
                }
            });
            until(|| tx.is_ready());
            thread
        }
    }
}

#[track_caller]
fn until(fact: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !fact() {
        assert!(Instant::now() < deadline, "it did not happen in time");
        thread::yield_now();
    }
}
