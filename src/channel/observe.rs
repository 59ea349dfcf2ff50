//! Who waits at a channel, as it can be seen from outside: the waiters that hang in its lists *are* the wait-for graph,
//! so nothing has to be written down for it while messages change hands.

#![cfg_attr(loom, allow(dead_code, reason = "no network runs under loom"))]

use std::{panic::Location, ptr::NonNull};

use super::{
    Reason, Receiver, Sender,
    core::Core,
    held::HoldLink,
    list::each,
    party::SeenParty,
    waiter::{Stage, Waiter, Wake},
};
use crate::sync::{
    Arc,
    home::Home,
    task::{Task, TaskId},
};

/// What an operation that waits is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// To hand a message over.
    Send,
    /// For an answer: its message is held by an acceptor.
    Accepted,
    /// To get a message.
    Receive,
    /// For a receiver to wait.
    Demand,
    /// For the other side to go; of which side it is cannot be seen.
    Closing,
}

/// One waiter, as it was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    /// The task that waits, if it is one of ours and can still be woken here.
    pub(crate) task: Option<NonNull<Task>>,
    pub(crate) operation: Operation,
    /// A peer may meet it: nobody has claimed or woken it.
    pub(crate) is_free: bool,
    /// It was woken to look for itself, and has not done so yet. Nobody wakes it again.
    pub(crate) is_woken: bool,
    /// Of an accepted send: the task that holds its message, if that is certain.
    pub(crate) acceptor: Option<TaskId>,
    pub(crate) location: &'static Location<'static>,
    /// Whether the task cannot go on before this one is done, whatever else is.
    pub(crate) is_one_of_all: bool,
}

/// What a channel counts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Messages that have changed hands.
    pub(crate) handed_over: u64,
    /// Credit that no send has used.
    pub(crate) credit_unused: usize,
    /// Messages within credit that nobody has taken.
    pub(crate) credit_untaken: usize,
    pub(crate) poisoned: bool,
    /// A message waits, and so does a receiver that was not woken for it, because another was who has not looked yet.
    pub(crate) is_held_up: bool,
}

/// A channel, whatever its messages are.
pub(crate) trait Observed: Send + Sync {
    /// Shows who waits, under the channel's lock: `show` must be quick, and take no other lock.
    fn observe(&self, show: &mut dyn FnMut(Wait)) -> Tally;
    /// The thread that runs the tasks of `home` owns the channel from now on; see [`OwnedLock`]. The home outlives
    /// whatever the channel can be reached by.
    ///
    /// [`OwnedLock`]: crate::sync::owned::OwnedLock
    fn own(&self, home: &Home);
    /// Nobody owns the channel any more.
    fn disown(&self);
    /// Wakes more receivers, if a message [is held up](Tally::is_held_up). Runs foreign code.
    fn wake_others(&self);
    /// Closes the channel to both sides; returns whether that was not done before.
    fn poison(&self, reason: Reason) -> bool;
    /// Whether what stands at this address is a part of it.
    fn contains(&self, address: usize) -> bool;
}

impl<T: Send> Observed for Core<T> {
    fn observe(&self, show: &mut dyn FnMut(Wait)) -> Tally {
        let locked = self.lock();
        let state = &*locked.state;
        let refused = state.poison.as_ref().map(|poison| &poison.refused);
        let onlookers = state.onlookers.as_ref();
        let lists = [
            (&state.senders, Operation::Send, true),
            (&state.held, Operation::Accepted, true),
            (&state.takers, Operation::Receive, true),
            (&state.pollers, Operation::Receive, true),
            (&state.woken, Operation::Receive, false),
        ];
        let rare = [
            refused.map(|list| (list, Operation::Send, false)),
            onlookers.map(|here| (&here.watchers, Operation::Demand, true)),
            onlookers.map(|here| (&here.leavers, Operation::Closing, true)),
        ];
        for (list, operation, is_free) in lists.into_iter().chain(rare.into_iter().flatten()) {
            // SAFETY: the lock is held.
            unsafe { each(list, |waiter| show(see(waiter, operation, is_free))) };
        }
        let outstanding = state.outstanding();
        Tally {
            handed_over: state.handed_over,
            credit_unused: outstanding.unused,
            credit_untaken: outstanding.untaken,
            poisoned: state.poison().is_some(),
            is_held_up: locked.held_up().is_some(),
        }
    }

    fn own(&self, home: &Home) {
        Core::own(self, home);
    }

    fn disown(&self) {
        Core::disown(self);
    }

    fn wake_others(&self) {
        Core::wake_others(self);
    }

    fn poison(&self, reason: Reason) -> bool {
        Core::poison(self, reason)
    }

    fn contains(&self, address: usize) -> bool {
        let begin = std::ptr::from_ref(self).addr();
        (begin..begin + size_of::<Self>()).contains(&address)
    }
}

/// # Safety
///
/// The caller holds the lock of the channel in a list of which `waiter` hangs.
fn see<T>(waiter: &Waiter<T>, operation: Operation, is_free: bool) -> Wait {
    // SAFETY: by the caller's word.
    let (lender, part, hold) = unsafe {
        waiter.shared(|shared| {
            let lender = shared.wake.as_ref().and_then(Wake::lender);
            (lender, shared.part, shared.hold)
        })
    };
    // A sender whose message is held waits by itself, whatever it was part of.
    let party = part.filter(|_| operation != Operation::Accepted);
    let seen = match party {
        // SAFETY: by the caller's word.
        Some(part) => unsafe { part.see() },
        None => SeenParty {
            // Of one that was woken the handle was taken out.
            // SAFETY: by the caller's word.
            task: lender.or_else(|| unsafe { waiter.counted_for() }),
            is_free: lender.is_some(),
            is_woken: waiter.is(Stage::Notified),
        },
    };
    Wait {
        task: seen.task,
        operation,
        is_free: is_free && seen.is_free,
        is_woken: seen.is_woken,
        // SAFETY: the link is freed only after the tie was cut under the lock.
        acceptor: hold.and_then(|link| unsafe { HoldLink::acceptor(link) }),
        location: waiter.location(),
        is_one_of_all: waiter.is_one_of_all(),
    }
}

/// How many tasks wait to receive that nobody has claimed or woken, as a network sees them. For tests under loom.
#[cfg(loom)]
#[doc(hidden)]
pub fn free_receivers<T: Send>(receiver: &Receiver<T>) -> usize {
    let mut free = 0;
    receiver.core.observe(&mut |wait| {
        free += usize::from(wait.is_free && wait.operation == Operation::Receive);
    });
    free
}

/// Whoever has the island owns the channel from now on. For tests under loom.
#[cfg(loom)]
#[doc(hidden)]
pub fn own<T>(receiver: &Receiver<T>, isle: &crate::sync::rehearsal::Isle) {
    receiver.core.own(isle.home());
}

/// A channel of which nobody has an end yet: they are made one by one, and it counts as closed to a side while the
/// other has none.
pub(crate) struct Unbound<T>(Arc<Core<T>>);

impl<T> Clone for Unbound<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Unbound<T> {
    pub(crate) fn new() -> Self {
        let core = Arc::new(Core::new());
        {
            let mut locked = core.lock();
            locked.state.set_ends(0, 0);
        }
        Self(core)
    }

    /// One more sender.
    pub(crate) fn sender(&self) -> Sender<T> {
        self.0.lock().state.add_sender();
        Sender {
            core: Arc::clone(&self.0),
        }
    }

    /// One more receiver.
    pub(crate) fn receiver(&self) -> Receiver<T> {
        self.0.lock().state.add_receiver();
        Receiver {
            core: Arc::clone(&self.0),
        }
    }
}

#[cfg(not(loom))]
impl<T: Send + 'static> Unbound<T> {
    /// The channel as one sees it from outside.
    pub(crate) fn observed(&self) -> Arc<dyn Observed> {
        Arc::clone(&self.0) as Arc<dyn Observed>
    }
}
