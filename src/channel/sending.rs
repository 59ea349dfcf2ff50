//! A send, from its first look to its outcome: for a thread that blocks, and for a future that is polled.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Instant,
};

use super::{
    core::{Core, WithdrawOnUnwind, wake_up},
    error::{SendError, SendTimeoutError, TrySendError},
    party::ToWake,
    state::Role,
    waiter::{Stage, Waiter, Wake},
};
use crate::sync::{run_is_over, schedule};

/// The message in a waiter that only its owner can see.
fn own_message<T>(waiter: Pin<&Waiter<T>>) -> T {
    debug_assert!(
        matches!(waiter.stage(), Stage::Idle | Stage::Spent),
        "a peer could see the message"
    );
    // SAFETY: idle or spent, so no peer may look at it.
    unsafe { waiter.take_its_message() }
}

/// What a poll of a send came to.
pub(super) enum Step {
    Sent,
    Waits,
    /// The waiter's stage says why.
    Failed,
}

impl<T> Core<T> {
    /// What the final stage of `waiter` means for the send; takes the message back where there is one.
    #[inline]
    pub(super) fn send_outcome(&self, waiter: Pin<&Waiter<T>>) -> Result<(), SendError<T>> {
        if waiter.is(Stage::Met) {
            waiter.spend();
            Ok(())
        } else {
            Err(self.failure(waiter))
        }
    }

    /// The error of a send whose final stage is not `Met`, with its message.
    #[cold]
    fn failure(&self, waiter: Pin<&Waiter<T>>) -> SendError<T> {
        let stage = waiter.stage();
        debug_assert!(stage.is_final(), "the peer is done with the waiter");
        waiter.spend();
        self.why_not_sent(stage, own_message(waiter))
    }

    /// The error of a send that ended in `stage`.
    #[cold]
    fn why_not_sent(&self, stage: Stage, message: T) -> SendError<T> {
        match stage {
            Stage::Returned => SendError::Returned(message),
            Stage::InDoubt => SendError::InDoubt(message),
            Stage::Poisoned => match self.reason() {
                Some(reason) => SendError::Poisoned(message, reason),
                None => SendError::Disconnected(message),
            },
            _ => SendError::Disconnected(message),
        }
    }

    pub(super) fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let mut locked = self.lock();
        if let Some(closed) = locked.state.closed_to_senders() {
            drop(locked);
            return Err(match self.why_not_sent(closed, message) {
                SendError::Poisoned(message, reason) => TrySendError::Poisoned(message, reason),
                error => TrySendError::Disconnected(error.into_inner()),
            });
        }
        let given = locked.give(message, None);
        drop(locked);
        match given {
            Ok(wake) => {
                wake_up(wake);
                Ok(())
            }
            Err(message) => Err(TrySendError::Full(message)),
        }
    }

    /// Blocks the thread until the message was taken, or until `deadline` has passed before a receiver took or
    /// accepted it.
    #[track_caller]
    pub(super) fn send_blocking(
        &self,
        message: T,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        let mut locked = self.lock();
        if let Some(closed) = locked.state.closed_to_senders() {
            drop(locked);
            return Err(self.why_not_sent(closed, message).into());
        }
        let message = match locked.give(message, None) {
            Ok(wake) => {
                drop(locked);
                wake_up(wake);
                return Ok(());
            }
            Err(message) => message,
        };
        let waiter = pin!(Waiter::with(message));
        let waiter = waiter.as_ref();
        locked.wait(Role::Sender, waiter, Wake::this_thread());
        let wake = ToWake::flatten(locked.notify_poller(None));
        drop(locked);
        let _guard = WithdrawOnUnwind::new(self, Role::Sender, waiter);
        wake_up(wake);
        loop {
            return match self.block(Role::Sender, waiter, deadline) {
                Stage::Idle => Err(SendTimeoutError::Timeout(own_message(waiter))),
                Stage::Declined => {
                    self.offer_again_blocking(waiter);
                    continue;
                }
                _ => self.send_outcome(waiter).map_err(Into::into),
            };
        }
    }

    /// Waits once more with a message that was declined, unless it can be handed over at once, or nobody is left to
    /// take it: then the waiter's stage says so.
    #[cold]
    fn offer_again_blocking(&self, waiter: Pin<&Waiter<T>>) {
        waiter.offer_again();
        let mut locked = self.lock();
        if let Some(closed) = locked.state.closed_to_senders() {
            drop(locked);
            waiter.set_stage(closed);
            return;
        }
        let wake = match locked.give(own_message(waiter), None) {
            Ok(wake) => {
                waiter.set_stage(Stage::Met);
                wake
            }
            Err(message) => {
                // SAFETY: the waiter is idle, so no peer may look at it.
                unsafe { waiter.put_message(message) };
                locked.wait(Role::Sender, waiter, Wake::this_thread());
                ToWake::flatten(locked.notify_poller(None))
            }
        };
        drop(locked);
        wake_up(wake);
    }

    /// The outcome is made here, and not passed up through those who find it: so a send that succeeds moves no
    /// error about.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is a look at the stage, and one call"
    )]
    pub(super) fn poll_send(
        &self,
        waiter: Pin<&Waiter<T>>,
        context: &Context<'_>,
    ) -> Poll<Result<(), SendError<T>>> {
        let step = if waiter.is(Stage::Met) {
            waiter.spend();
            Step::Sent
        } else if waiter.is(Stage::Idle) {
            self.begin_send(waiter, context)
        } else {
            self.continue_send(waiter, context)
        };
        match step {
            Step::Sent => Poll::Ready(Ok(())),
            Step::Waits => Poll::Pending,
            Step::Failed => Poll::Ready(Err(self.failure(waiter))),
        }
    }

    /// The first poll.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is a look at the stage, and one call"
    )]
    fn begin_send(&self, waiter: Pin<&Waiter<T>>, context: &Context<'_>) -> Step {
        match self.begin_send_as_owner(waiter, context) {
            Some(step) => step,
            None => self.begin_send_the_long_way(waiter, context),
        }
    }

    #[inline(never)]
    fn begin_send_the_long_way(&self, waiter: Pin<&Waiter<T>>, context: &Context<'_>) -> Step {
        if schedule::is_to_wait(context) {
            return Step::Waits;
        }
        // Cloned before the lock is taken, because it is foreign code; dropped, if unused, after.
        let wake = Wake::task(context);
        let mut locked = self.lock();
        if let Some(closed) = locked.state.closed_to_senders() {
            drop(locked);
            waiter.set_stage(closed);
            return Step::Failed;
        }
        if locked.can_probably_give() {
            match locked.give(own_message(waiter), None) {
                Ok(taker) => {
                    drop(locked);
                    waiter.spend();
                    wake_up(taker);
                    return Step::Sent;
                }
                // Every taker was an alternation that has committed elsewhere.
                // SAFETY: the waiter is idle, so no peer may look at it.
                Err(message) => unsafe { waiter.put_message(message) },
            }
        }
        if let Some(partner) = locked.partner() {
            locked.wait_unheard(Role::Sender, waiter);
            let woken = locked.notify_poller(None);
            drop(locked);
            // Lent, for the partner is at home here.
            drop(woken);
            // SAFETY: it was blocked just now, and this thread alone runs it.
            unsafe { partner.run() };
            if waiter.is(Stage::Met) {
                waiter.spend();
                return Step::Sent;
            }
            return self.continue_send(waiter, context);
        }
        locked.wait(Role::Sender, waiter, wake);
        let notified = ToWake::flatten(locked.notify_poller(None));
        drop(locked);
        wake_up(notified);
        Step::Waits
    }

    /// A later poll, before the message was taken: the task may have another waker now.
    #[cold]
    pub(super) fn continue_send(&self, waiter: Pin<&Waiter<T>>, context: &Context<'_>) -> Step {
        assert!(
            !waiter.is(Stage::Spent),
            "a send future was polled again after it had completed"
        );
        let mut wake = None;
        loop {
            let locked = self.lock();
            let stage = waiter.stage();
            if stage.is_final() {
                drop(locked);
                if stage == Stage::Declined {
                    waiter.offer_again();
                    return self.begin_send_the_long_way(waiter, context);
                }
                if stage != Stage::Met {
                    return Step::Failed;
                }
                waiter.spend();
                return Step::Sent;
            }
            if locked.is_woken_by(waiter, context.waker()) {
                return Step::Waits;
            }
            if let Some(wake) = wake.take() {
                let old = locked.replace_wake(waiter, wake);
                drop(locked);
                drop(old);
                return Step::Waits;
            }
            drop(locked);
            wake = Some(Wake::task(context));
        }
    }

    /// Blocks the thread while an acceptor holds the message; returns the stage then.
    pub(super) fn block_while_held(&self, waiter: Pin<&Waiter<T>>) -> Stage {
        let locked = self.lock();
        let stage = waiter.stage();
        if stage != Stage::Held {
            return stage;
        }
        let old = locked.replace_wake(waiter, Wake::this_thread());
        drop(locked);
        drop(old);
        self.block(Role::Sender, waiter, None)
    }

    /// Waits while an acceptor holds the message; resolves to the stage then.
    pub(super) fn poll_while_held(
        &self,
        waiter: Pin<&Waiter<T>>,
        context: &Context<'_>,
    ) -> Poll<Stage> {
        let stage = waiter.stage();
        if stage != Stage::Held {
            return Poll::Ready(stage);
        }
        let wake = Wake::task(context);
        let locked = self.lock();
        let stage = waiter.stage();
        if stage != Stage::Held {
            drop(locked);
            return Poll::Ready(stage);
        }
        let old = locked.replace_wake(waiter, wake);
        drop(locked);
        drop(old);
        Poll::Pending
    }

    /// Gives a send up. Returns its message if that was certainly not taken.
    ///
    /// A message that an acceptor holds stays with the acceptor; one whose outcome is in doubt is dropped.
    #[inline]
    pub(super) fn cancel_send(&self, waiter: Pin<&Waiter<T>>) -> Option<T> {
        if run_is_over() || waiter.is(Stage::Spent) {
            return None;
        }
        self.withdraw_send(waiter)
    }

    #[cold]
    fn withdraw_send(&self, waiter: Pin<&Waiter<T>>) -> Option<T> {
        let mut stage = waiter.stage();
        if stage != Stage::Idle && !stage.is_final() {
            let mut locked = self.lock();
            stage = waiter.stage();
            let wake = match stage {
                Stage::Held => locked.abandon_hold(waiter),
                _ => locked.leave(Role::Sender, waiter),
            };
            drop(locked);
            drop(wake);
        }
        waiter.spend();
        // SAFETY: spent, so no peer may look at it.
        let message = unsafe { waiter.take_message() };
        // The slot is empty if the message was taken or is held.
        message.filter(|_| stage != Stage::InDoubt)
    }
}
