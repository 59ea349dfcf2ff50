//! Who waits at a channel, and what can be done to them while its lock is held.

use std::{pin::Pin, ptr::NonNull, task::Waker};

use super::{
    claim::{Claimed, can_claim, claim_first},
    credit::{Credit, Outstanding},
    error::Reason,
    held::HoldLink,
    list::List,
    party::{Part, Party},
    waiter::{Link, Stage, Waiter, Wake},
};
use crate::sync::{AtomicBool, Ordering, owned::OwnedLockGuard, task::TaskId};
#[cfg(not(loom))]
use crate::sync::{schedule, task};

pub(super) struct State<T> {
    /// A sender that is running its partner in the middle of its own turn, so that its message is taken before it has to
    /// wait; see [`owner`](super::owner). Nobody but those who know of it finds it here: whoever locks the channel has
    /// it hang among the senders first.
    pub(super) offered: Link<T>,
    /// Senders whose message nobody has taken.
    pub(super) senders: List<T>,
    /// Senders whose message an acceptor holds.
    pub(super) held: List<T>,
    /// Blocked threads that may be given a message.
    pub(super) takers: List<T>,
    /// Receivers that take by themselves once woken.
    pub(super) pollers: List<T>,
    /// Pollers that were woken and have not looked yet.
    pub(super) woken: List<T>,
    /// Whether there is nothing to be minded but who waits to send and to receive: both sides have ends, and there is no
    /// poison, no credit, and nobody who watches.
    pub(super) is_plain: bool,
    sender_count: u32,
    receiver_count: u32,
    /// Messages that have changed hands.
    pub(super) handed_over: u64,
    /// What may be sent ahead of the take, and what was.
    pub(super) credit: Credit<T>,
    /// Who waits for something else than a message, once somebody has.
    pub(super) onlookers: Option<Box<Onlookers<T>>>,
    /// If the channel was poisoned.
    pub(super) poison: Option<Box<Poisoned<T>>>,
}

/// Who waits at a channel for something else than a message.
pub(super) struct Onlookers<T> {
    /// Those who wait for a receiver to wait.
    pub(super) watchers: List<T>,
    /// Those, of either side, who wait for the other side to go.
    pub(super) leavers: List<T>,
    /// How many senders wait, or have waited just now, only as long as a receiver does.
    offers: usize,
}

/// What a channel that was poisoned has.
pub(super) struct Poisoned<T> {
    pub(super) reason: Reason,
    /// Senders that waited then and have not been told yet: nobody can take from them.
    pub(super) refused: List<T>,
}

impl<T> State<T> {
    pub(super) const fn new() -> Self {
        Self {
            offered: None,
            senders: List::new(),
            held: List::new(),
            takers: List::new(),
            pollers: List::new(),
            woken: List::new(),
            is_plain: true,
            sender_count: 1,
            receiver_count: 1,
            handed_over: 0,
            credit: Credit::new(),
            onlookers: None,
            poison: None,
        }
    }

    /// Something of what it says has changed.
    pub(super) fn see_whether_plain(&mut self) {
        self.is_plain = self.sender_count != 0
            && self.receiver_count != 0
            && self.poison.is_none()
            && !self.credit.has_been()
            && !self.has_watchers()
            && !self.has_offers();
    }

    pub(super) fn sender_count(&self) -> usize {
        self.sender_count as usize
    }

    pub(super) fn receiver_count(&self) -> usize {
        self.receiver_count as usize
    }

    /// So many ends are there, and not one of each.
    pub(super) fn set_ends(&mut self, senders: u32, receivers: u32) {
        self.sender_count = senders;
        self.receiver_count = receivers;
        self.see_whether_plain();
    }

    /// One more sender.
    ///
    /// # Panics
    ///
    /// If there would be more than a number can tell.
    pub(super) fn add_sender(&mut self) {
        self.sender_count = one_more(self.sender_count);
        self.see_whether_plain();
    }

    /// As [`add_sender`](Self::add_sender).
    pub(super) fn add_receiver(&mut self) {
        self.receiver_count = one_more(self.receiver_count);
        self.see_whether_plain();
    }

    /// One sender is gone; returns how many are left.
    pub(super) fn remove_sender(&mut self) -> usize {
        self.sender_count -= 1;
        self.see_whether_plain();
        self.sender_count()
    }

    /// As [`remove_sender`](Self::remove_sender).
    pub(super) fn remove_receiver(&mut self) -> usize {
        self.receiver_count -= 1;
        self.see_whether_plain();
        self.receiver_count()
    }

    #[inline]
    pub(super) fn has_watchers(&self) -> bool {
        self.onlookers
            .as_ref()
            .is_some_and(|onlookers| !onlookers.watchers.is_empty())
    }

    pub(super) fn has_offers(&self) -> bool {
        let onlookers = self.onlookers.as_ref();
        onlookers.is_some_and(|onlookers| onlookers.offers != 0)
    }

    pub(super) fn add_offer(&mut self) {
        self.onlookers().offers += 1;
        self.see_whether_plain();
    }

    pub(super) fn remove_offer(&mut self) {
        self.onlookers().offers -= 1;
        self.see_whether_plain();
    }

    fn onlookers(&mut self) -> &mut Onlookers<T> {
        self.onlookers.get_or_insert_with(|| {
            Box::new(Onlookers {
                watchers: List::new(),
                leavers: List::new(),
                offers: 0,
            })
        })
    }

    /// Why no receiver will ever take a message, as the stage in which a send ends then.
    #[inline]
    pub(super) fn closed_to_senders(&self) -> Option<Stage> {
        self.closed(self.receiver_count)
    }

    /// Why no message will ever come, as the stage in which a receive ends then.
    #[inline]
    pub(super) fn closed_to_receivers(&self) -> Option<Stage> {
        self.closed(self.sender_count)
    }

    #[inline]
    fn closed(&self, others: u32) -> Option<Stage> {
        if self.poison.is_some() {
            Some(Stage::Poisoned)
        } else if others == 0 {
            Some(Stage::Disconnected)
        } else {
            None
        }
    }

    /// Takes the message of a sender that was claimed, and completes its send.
    ///
    /// # Safety
    ///
    /// The sender waited here, or its message is offered, so that it is alive until its stage is final. The lock is held.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is a handful of instructions on the straight way"
    )]
    pub(super) unsafe fn complete(&mut self, sender: NonNull<Waiter<T>>) -> T {
        let message = {
            // SAFETY: alive, by the caller's word.
            let sender = unsafe { sender.as_ref() };
            // SAFETY: the lock is held, by the caller's word.
            unsafe { sender.take_its_message() }
        };
        self.handed_over += 1;
        // SAFETY: as above, and its message was taken.
        unsafe { Waiter::finish(sender, Stage::Met) };
        message
    }

    /// Where senders hang that are not done.
    pub(super) fn unfinished_senders(&mut self) -> &mut List<T> {
        match &mut self.poison {
            Some(poison) => &mut poison.refused,
            None => &mut self.senders,
        }
    }

    pub(super) fn poison(&self) -> Option<&Reason> {
        self.poison.as_ref().map(|poison| &poison.reason)
    }

    pub(super) fn outstanding(&self) -> Outstanding {
        self.credit.outstanding()
    }
}

#[expect(
    clippy::expect_used,
    reason = "as for a reference count, there is no going on"
)]
fn one_more(count: u32) -> u32 {
    count
        .checked_add(1)
        .expect("fewer ends than a number can tell")
}

/// Which kind of waiter one is, and so in which list it hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Sender,
    Taker,
    Poller,
    Watcher,
    Leaver,
}

/// A message that was held, with the tie to its sender; without one if it was sent within credit.
pub(super) type Hold<T> = (T, Option<NonNull<HoldLink<T>>>);

/// The state of a channel while its lock is held.
pub(super) struct Locked<'a, T> {
    pub(super) state: OwnedLockGuard<'a, State<T>>,
    a_sender_waits: &'a AtomicBool,
}

impl<'a, T> Locked<'a, T> {
    #[inline]
    pub(super) fn new(state: OwnedLockGuard<'a, State<T>>, a_sender_waits: &'a AtomicBool) -> Self {
        Self {
            state,
            a_sender_waits,
        }
    }
}

#[expect(
    clippy::unused_self,
    reason = "`self` is the proof that the lock is held"
)]
impl<T> Locked<'_, T> {
    // ---- A message changes hands ----

    /// Takes a message that was sent within credit, or else that of the sender that waited longest, whose send it
    /// completes. `me` is the alternation that takes, which cannot meet itself.
    #[inline]
    pub(super) fn take(&mut self, me: Option<&Party>) -> Option<(T, Option<Wake>)> {
        if !self.state.credit.is_empty() {
            return self.take_from_credit();
        }
        let (sender, wake) = self.claim_sender(me)?;
        let wake = wake.map(Wake::carry);
        Some((self.complete(sender), wake))
    }

    /// Takes the message of a sender that was claimed, and completes its send.
    #[inline]
    pub(super) fn complete(&mut self, sender: NonNull<Waiter<T>>) -> T {
        #[cfg(not(loom))]
        if schedule::is_rehearsed() {
            self.note_hand_over(Some(sender));
        }
        // SAFETY: it waited in our list, and the lock is held.
        unsafe { self.state.complete(sender) }
    }

    /// A message changes hands: what `sender` has, whom it has waited for, or what the task that runs leaves in a slot.
    #[cfg(not(loom))]
    #[cold]
    pub(super) fn note_hand_over(&self, sender: Option<NonNull<Waiter<T>>>) {
        let here = std::ptr::from_ref(&*self.state).addr();
        let runs = task::current();
        let Some(sender) = sender else {
            return schedule::note_hand_over(here, runs, None);
        };
        // SAFETY: it waited in our list, so it is alive until its stage is final.
        let sender = unsafe { sender.as_ref() };
        // SAFETY: the lock is held.
        let part = unsafe { sender.shared(|shared| shared.part) };
        let from = match part {
            // SAFETY: as above.
            Some(part) => unsafe { part.see() }.task,
            None => None,
        };
        // SAFETY: as above.
        let from = from.or_else(|| unsafe { sender.counted_for() });
        schedule::note_hand_over(here, from, runs);
    }

    /// Claims the sender that waited longest, unless there is a message within credit, which comes first.
    #[inline]
    pub(super) fn claim_sender_without_credit(&mut self) -> Option<Claimed<T>> {
        if self.state.credit.is_empty() {
            self.claim_sender(None)
        } else {
            None
        }
    }

    /// Takes a message that was sent within credit into custody, or else that of the sender that waited longest;
    /// its send is completed later.
    ///
    /// A sender that waits for this alone sleeps on. An alternation is woken, to leave its other channels.
    ///
    /// `acceptor` is the task that keeps the message until it is answered, if that is certain.
    pub(super) fn hold(&mut self, acceptor: Option<TaskId>) -> Option<(Hold<T>, Option<Wake>)> {
        if let Some(message) = self.state.credit.take_into_custody() {
            self.publish_senders();
            return Some(((message, None), None));
        }
        let (node, wake) = self.claim_sender(None)?;
        let link = HoldLink::allocate(node, acceptor);
        let sender = node;
        // SAFETY: it waited in our list, so it is alive until its stage is final.
        let sender = unsafe { sender.as_ref() };
        // SAFETY: the lock is held.
        let message = unsafe { sender.take_its_message() };
        // SAFETY: the lock is held.
        let wake = unsafe {
            sender.shared(|shared| {
                shared.hold = Some(link);
                if shared.part.is_some() {
                    wake.map(Wake::carry)
                } else {
                    shared.wake = wake;
                    None
                }
            })
        };
        sender.set_stage(Stage::Held);
        // SAFETY: in no list now, and it stays pinned: its owner withdraws it from the list it hangs in. The lock is
        // held.
        unsafe { self.state.held.push_back(node) };
        Some(((message, Some(link)), wake))
    }

    /// Gives `message` to the taker that waited longest, or leaves it in a slot if there is credit. `me` is the
    /// alternation that gives, if it is one.
    #[inline]
    pub(super) fn give(&mut self, message: T, me: Option<&Party>) -> Result<Option<Wake>, T> {
        match self.give_to_taker(message, me) {
            Err(message) if self.may_send_ahead() => Ok(self.leave_in_slot(message, me)),
            given => given,
        }
    }

    #[inline]
    pub(super) fn give_to_taker(
        &mut self,
        message: T,
        me: Option<&Party>,
    ) -> Result<Option<Wake>, T> {
        // SAFETY: the lock is held.
        let Some((taker, wake)) = (unsafe { claim_first(&mut self.state.takers, me) }) else {
            return Err(message);
        };
        {
            // SAFETY: it waited in our list, so it is alive until its stage is final.
            let taker = unsafe { taker.as_ref() };
            // SAFETY: the lock is held.
            unsafe { taker.put_message(message) };
        }
        self.state.handed_over += 1;
        let wake = wake.map(Wake::carry);
        // SAFETY: as above, and it has its message.
        unsafe { Waiter::finish(taker, Stage::Met) };
        Ok(wake)
    }

    /// Ends a hold: the sender, if it is still there, gets `outcome`, and `message` if it gets it back.
    /// Otherwise `message` is returned.
    pub(super) fn settle(
        &mut self,
        link: NonNull<HoldLink<T>>,
        outcome: Stage,
        message: Option<T>,
    ) -> Result<Option<Wake>, Option<T>> {
        // SAFETY: the link is alive until its `Held` frees it, and the lock is held.
        let Some(sender) = (unsafe { HoldLink::take_sender(link) }) else {
            return Err(message);
        };
        // SAFETY: a held sender hangs in this list; the lock is held.
        unsafe { self.state.held.remove(sender) };
        if outcome == Stage::Met {
            self.state.handed_over += 1;
            #[cfg(not(loom))]
            if schedule::is_rehearsed() {
                self.note_hand_over(Some(sender));
            }
        }
        let wake = {
            // SAFETY: a sender that is still tied to its hold is alive until its stage is final.
            let sender = unsafe { sender.as_ref() };
            if let Some(message) = message {
                // SAFETY: the lock is held.
                unsafe { sender.put_message(message) };
            }
            // SAFETY: the lock is held.
            unsafe {
                sender.shared(|shared| {
                    shared.hold = None;
                    shared.wake.take().map(Wake::carry)
                })
            }
        };
        // SAFETY: as above.
        unsafe { Waiter::finish(sender, outcome) };
        Ok(wake)
    }

    // ---- Waiting ----

    /// Lets `waiter` wait in `role`, to be woken by `wake`; returns the handle that it replaces.
    #[inline]
    pub(super) fn wait(&mut self, role: Role, waiter: Pin<&Waiter<T>>, wake: Wake) -> Option<Wake> {
        let before = waiter.stage();
        if before == Stage::Idle {
            // SAFETY: idle, and the caller's.
            unsafe { waiter.begin(Some(wake), None) };
            self.hang(role, waiter, before);
            return None;
        }
        let old = self.replace_wake(waiter, wake);
        if before != Stage::Waiting {
            self.hang(role, waiter, before);
        }
        old
    }

    /// Lets `waiter`, which is idle, wait in `role` without a wake handle: its owner looks by itself.
    pub(super) fn wait_unheard(&mut self, role: Role, waiter: Pin<&Waiter<T>>) {
        // SAFETY: idle, and the caller's.
        unsafe { waiter.begin_unheard() };
        self.hang(role, waiter, Stage::Idle);
    }

    /// Lets `waiter`, which is one of several of an alternation, wait in `role`; returns whether it did not wait
    /// before.
    pub(super) fn wait_as_part(&mut self, role: Role, waiter: Pin<&Waiter<T>>, part: Part) -> bool {
        let before = waiter.stage();
        if before == Stage::Waiting {
            return false;
        }
        if before == Stage::Idle {
            // SAFETY: idle, and the caller's.
            unsafe { waiter.begin(None, Some(part)) };
        }
        self.hang(role, waiter, before);
        true
    }

    #[inline]
    fn hang(&mut self, role: Role, waiter: Pin<&Waiter<T>>, before: Stage) {
        let node = NonNull::from(waiter.get_ref());
        waiter.set_stage(Stage::Waiting);
        let state = &mut *self.state;
        if role == Role::Poller && before == Stage::Notified {
            // It was woken for a sender that somebody else met: it keeps its place.
            // SAFETY: woken pollers hang in this list; the lock is held.
            unsafe { state.woken.remove(node) };
            // SAFETY: in no list now, and pinned; whoever unpins it withdraws it first.
            unsafe { state.pollers.push_front(node) };
            return;
        }
        let list = match role {
            Role::Sender => &mut state.senders,
            Role::Taker => &mut state.takers,
            Role::Poller => &mut state.pollers,
            Role::Watcher => &mut state.onlookers().watchers,
            Role::Leaver => &mut state.onlookers().leavers,
        };
        // SAFETY: in no list yet, and pinned; whoever unpins it withdraws it first. The lock is held.
        unsafe { list.push_back(node) };
        match role {
            Role::Sender => self.publish_senders(),
            Role::Watcher => self.state.see_whether_plain(),
            Role::Taker | Role::Poller | Role::Leaver => {}
        }
    }

    /// Takes `waiter` off whatever list it hangs in and leaves it idle, unless a peer has claimed it: then
    /// nothing changes. Returns its wake handle, to be dropped outside the lock.
    #[inline]
    pub(super) fn leave(&mut self, role: Role, waiter: Pin<&Waiter<T>>) -> Option<Wake> {
        let node = NonNull::from(waiter.get_ref());
        let stage = waiter.stage();
        if !matches!(stage, Stage::Waiting | Stage::Notified) {
            return None;
        }
        let lists = &mut *self.state;
        let list = match (role, stage) {
            (Role::Sender, _) => Some(lists.unfinished_senders()),
            (Role::Taker, _) => Some(&mut lists.takers),
            (Role::Poller, Stage::Notified) => Some(&mut lists.woken),
            (Role::Poller, _) => Some(&mut lists.pollers),
            // Once woken, these hang nowhere.
            (Role::Watcher | Role::Leaver, Stage::Notified) => None,
            (Role::Watcher, _) => Some(&mut lists.onlookers().watchers),
            (Role::Leaver, _) => Some(&mut lists.onlookers().leavers),
        };
        if let Some(list) = list {
            // SAFETY: role and stage say that it hangs in this list; the lock is held.
            unsafe { list.remove(node) };
        }
        waiter.set_stage(Stage::Idle);
        // SAFETY: its owner alone takes it off.
        unsafe { waiter.count_for(None) };
        match role {
            Role::Sender => self.publish_senders(),
            Role::Watcher => self.state.see_whether_plain(),
            Role::Taker | Role::Poller | Role::Leaver => {}
        }
        // SAFETY: the lock is held.
        unsafe { waiter.shared(|shared| shared.wake.take()) }
    }

    /// Cuts the tie of a held send that is given up: the acceptor keeps the message. Returns the wake handle,
    /// to be dropped outside the lock.
    pub(super) fn abandon_hold(&mut self, sender: Pin<&Waiter<T>>) -> Option<Wake> {
        debug_assert_eq!(sender.stage(), Stage::Held, "only a held send has a holder");
        // SAFETY: the lock is held.
        let (hold, wake) =
            unsafe { sender.shared(|shared| (shared.hold.take(), shared.wake.take())) };
        // SAFETY: a held sender hangs in this list; the lock is held.
        unsafe { self.state.held.remove(NonNull::from(sender.get_ref())) };
        if let Some(link) = hold {
            // SAFETY: the holder frees its link only after it has cut the tie under this lock, and it has not.
            unsafe { HoldLink::take_sender(link) };
        }
        sender.set_stage(Stage::Spent);
        wake
    }

    /// Whether a task that waits as `waiter` would be woken by `waker` already.
    #[inline]
    pub(super) fn is_woken_by(&self, waiter: Pin<&Waiter<T>>, waker: &Waker) -> bool {
        // SAFETY: the lock is held.
        unsafe {
            waiter.shared(|shared| {
                shared
                    .wake
                    .as_ref()
                    .is_some_and(|wake| wake.will_wake(waker))
            })
        }
    }

    /// Lets a task that waits already be woken by `wake` from now on; returns the handle that it replaces.
    pub(super) fn replace_wake(&self, waiter: Pin<&Waiter<T>>, wake: Wake) -> Option<Wake> {
        // SAFETY: its owner alone has another wake handle for it; what lends is what runs.
        unsafe { waiter.count_for(wake.lender()) };
        // SAFETY: the lock is held, and it has waited before.
        unsafe { waiter.shared(|shared| shared.wake.replace(wake)) }
    }

    /// Whether a send can probably complete at once: a blocked thread waits that may be given a message (it may
    /// turn out to be claimed elsewhere), or there is credit.
    #[inline]
    pub(super) fn can_probably_give(&self) -> bool {
        !self.state.takers.is_empty() || self.may_send_ahead()
    }

    /// Whether a send that begins may complete ahead of the take: there is credit, and nobody waits who comes before
    /// it. Both are so only while a grant completes the sends that wait, one by one.
    #[inline]
    fn may_send_ahead(&self) -> bool {
        self.state.credit.is_unused() && self.state.senders.is_empty()
    }

    /// Whether there is demand: a receiver waits that no sender has met or woken, or there is credit.
    #[inline]
    pub(super) fn a_receiver_waits(&self) -> bool {
        !self.state.takers.is_empty()
            || !self.state.pollers.is_empty()
            || self.state.credit.is_unused()
    }

    /// Whether there is a message that `me` could take.
    pub(super) fn a_sender_can_meet(&self, me: &Party) -> bool {
        // SAFETY: the lock is held.
        !self.state.credit.is_empty() || unsafe { can_claim(&self.state.senders, me) }
    }

    /// Whether `me` could send at once.
    pub(super) fn a_taker_can_meet(&self, me: &Party) -> bool {
        // SAFETY: the lock is held.
        self.may_send_ahead() || unsafe { can_claim(&self.state.takers, me) }
    }

    pub(super) fn watcher_count(&self) -> usize {
        let onlookers = self.state.onlookers.as_ref();
        onlookers.map_or(0, |onlookers| onlookers.watchers.count())
    }

    #[inline]
    pub(super) fn has_watchers(&self) -> bool {
        self.state.has_watchers()
    }

    // ---- Claiming ----

    #[inline]
    pub(super) fn claim_sender(&mut self, me: Option<&Party>) -> Option<Claimed<T>> {
        // SAFETY: the lock is held.
        let claimed = unsafe { claim_first(&mut self.state.senders, me) };
        self.publish_senders();
        claimed
    }

    #[inline]
    pub(super) fn publish_senders(&self) {
        self.a_sender_waits.store(
            !self.state.senders.is_empty() || !self.state.credit.is_empty(),
            Ordering::Relaxed,
        );
    }
}

#[cfg(debug_assertions)]
impl<T> Drop for Locked<'_, T> {
    /// Each critical section leaves the invariants as it found them.
    ///
    /// Alternations are left out: one may stand on both sides of a channel and does not meet itself, and one that
    /// has committed elsewhere may not have left yet.
    fn drop(&mut self) {
        let state = &*self.state;
        let stands_alone = |list: &List<T>| {
            list.first().is_some_and(|first| {
                // SAFETY: it hangs in our list, so it is alive.
                let first = unsafe { first.as_ref() };
                // SAFETY: the lock is held.
                unsafe { first.shared(|shared| shared.part.is_none()) }
            })
        };
        let a_sender_waits = stands_alone(&state.senders);
        debug_assert!(
            !(a_sender_waits && stands_alone(&state.takers)),
            "nobody waits who could meet"
        );
        debug_assert!(
            state.credit.is_empty() || !stands_alone(&state.takers),
            "nobody waits who could take"
        );
        let senders = if a_sender_waits {
            state.senders.count()
        } else {
            0
        };
        let messages = senders + state.credit.len();
        let a_message_waits = a_sender_waits || !state.credit.is_empty();
        debug_assert!(
            !(a_message_waits && stands_alone(&state.pollers)) || state.woken.count() >= messages,
            "no wake-up is lost"
        );
        if state.closed_to_senders().is_some() {
            debug_assert!(!state.credit.is_unused(), "a closed channel has no credit");
            debug_assert!(state.credit.is_empty(), "a closed channel has no slots");
        }
    }
}
