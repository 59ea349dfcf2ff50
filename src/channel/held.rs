//! A message in custody: taken from its sender, who waits until it is known what became of it.
//!
//! # Invariants
//!
//! - The tie between a hold and its sender is cut, under the channel's lock, by whichever of them leaves first.
//! - The link is freed by its `Held` alone, after the tie was cut.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use super::{
    core::{Core, wake_up},
    state::Hold,
    waiter::{Link, Stage, Waiter},
};
use crate::sync::{Arc, UnsafeCell, run_is_over, task::TaskId};

/// The tie of a hold to its sender. It stands on the heap, so that both ends may move or go.
pub(super) struct HoldLink<T> {
    /// Belongs to the channel's lock. `None` once the sender has gone or has its answer.
    sender: UnsafeCell<Link<T>>,
    /// The task that holds the message until it is answered, if that is certain. It may end without an answer: what it
    /// held was forgotten then.
    acceptor: Option<TaskId>,
}

impl<T> HoldLink<T> {
    pub(super) fn allocate(sender: NonNull<Waiter<T>>, acceptor: Option<TaskId>) -> NonNull<Self> {
        NonNull::from(Box::leak(Box::new(Self {
            sender: UnsafeCell::new(Some(sender)),
            acceptor,
        })))
    }

    /// # Safety
    ///
    /// `this` was not freed.
    pub(super) unsafe fn acceptor(this: NonNull<Self>) -> Option<TaskId> {
        // SAFETY: by the caller's word.
        unsafe { this.as_ref() }.acceptor
    }

    /// Cuts the tie; returns the sender if it was not cut before.
    ///
    /// # Safety
    ///
    /// `this` was not freed, and the caller holds the lock of the sender's channel.
    pub(super) unsafe fn take_sender(this: NonNull<Self>) -> Link<T> {
        // SAFETY: not freed, by the caller's word.
        let this = unsafe { this.as_ref() };
        this.sender.with_mut(|sender| {
            // SAFETY: the lock is held, by the caller's word.
            unsafe { (*sender).take() }
        })
    }
}

/// A message whose sender still waits: an *extended rendezvous* under way.
///
/// Made by [`Receiver::recv_held`](super::Receiver::recv_held). Whoever has it owns the message and owes the
/// sender an answer: [`release`](Self::release) completes the send, [`hand_back`](Self::hand_back), which is
/// also what dropping it does, makes it fail with its message returned, and [`decline`](Self::decline) lets it wait for
/// another receiver. None of them blocks. Many may be held at once.
///
/// If the sender has gone meanwhile (its future was dropped), nobody waits for the answer, and the message
/// stays with whoever holds it.
///
/// A message that was sent within credit ([`Receiver::grant`](super::Receiver::grant)) has no sender that waits,
/// and its send has completed. Handing it back gives it back to the channel, where the next receiver gets it.
#[must_use = "dropping it hands the message back to its sender"]
pub struct Held<T> {
    core: Arc<Core<T>>,
    /// `None` if the message was sent within credit, so that no sender waits.
    link: Option<NonNull<HoldLink<T>>>,
    /// `None` only once it was answered.
    message: Option<T>,
}

// SAFETY: the link is reached only under the channel's lock; the message moves with the token.
unsafe impl<T: Send> Send for Held<T> {}
// SAFETY: `&Held<T>` gives `&T` and nothing else.
unsafe impl<T: Send + Sync> Sync for Held<T> {}

impl<T> Held<T> {
    pub(super) fn new(core: Arc<Core<T>>, (message, link): Hold<T>) -> Self {
        Self {
            core,
            link,
            message: Some(message),
        }
    }

    /// Completes the send, and gives the message to the caller. Does not block.
    #[must_use = "the message was taken; nobody else has it now"]
    pub fn release(mut self) -> T {
        let Some(message) = self.message.take() else {
            unreachable!("a message is held until it is answered")
        };
        // Nobody waits for the answer if the sender has gone; the message stays here in both cases.
        let _ = self.answer(Stage::Met, None);
        message
    }

    /// Gives the message back: the send fails with [`SendError::Returned`](super::SendError::Returned). Does
    /// not block.
    ///
    /// # Errors
    ///
    /// The message, if its sender has gone: it is the caller's now.
    pub fn hand_back(mut self) -> Result<(), T> {
        let message = self.message.take();
        self.answer(Stage::Returned, message)
    }

    /// Says that nobody can know whether the message was taken: the send fails with
    /// [`SendError::InDoubt`](super::SendError::InDoubt). For relays that passed it on and lost the answer.
    /// Does not block.
    ///
    /// # Errors
    ///
    /// The message, if its sender has gone: it is the caller's now.
    pub fn in_doubt(mut self) -> Result<(), T> {
        let message = self.message.take();
        self.answer(Stage::InDoubt, message)
    }

    /// Puts the message back on offer: its sender waits on as if nobody had accepted it, behind those who wait already,
    /// and its timeout counts again. An alternation looks at all its guards again, and may meet on another. Does not
    /// block.
    ///
    /// For relays that accepted a message for somebody who does not want it any more.
    ///
    /// # Errors
    ///
    /// The message, if its sender has gone: it is the caller's now.
    pub fn decline(mut self) -> Result<(), T> {
        let message = self.message.take();
        self.answer(Stage::Declined, message)
    }

    fn answer(&mut self, outcome: Stage, message: Option<T>) -> Result<(), T> {
        let Some(link) = self.link else {
            return self.answer_for_credit(outcome, message);
        };
        let settled = self.core.lock().settle(link, outcome, message);
        match settled {
            Ok(wake) => {
                wake_up(wake);
                Ok(())
            }
            Err(Some(message)) => Err(message),
            Err(None) => Ok(()),
        }
    }

    fn answer_for_credit(&mut self, outcome: Stage, message: Option<T>) -> Result<(), T> {
        let mut locked = self.core.lock();
        match message {
            Some(message) if matches!(outcome, Stage::Returned | Stage::Declined) => {
                let wake = locked.put_back(message);
                drop(locked);
                wake_up(wake);
                Ok(())
            }
            kept => {
                locked.keep_from_credit();
                kept.map_or(Ok(()), Err)
            }
        }
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if run_is_over() {
            return;
        }
        if let Some(message) = self.message.take() {
            // If the sender has gone there is nobody to give it to, and it is dropped here.
            drop(self.answer(Stage::Returned, Some(message)));
        }
        if let Some(link) = self.link {
            // SAFETY: allocated by `HoldLink::allocate` for this token alone; the tie is cut, so the sender does
            // not know it any more.
            drop(unsafe { Box::from_raw(link.as_ptr()) });
        }
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.message {
            Some(message) => message,
            None => unreachable!("a message is held until it is answered"),
        }
    }
}

impl<T> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.message {
            Some(message) => message,
            None => unreachable!("a message is held until it is answered"),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&**self).finish()
    }
}
