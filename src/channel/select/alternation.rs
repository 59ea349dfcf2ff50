//! The alternation itself: lock, check, look, commit or wait.

use std::{
    cell::Cell,
    marker::PhantomPinned,
    pin::Pin,
    ptr::{self, NonNull},
    task::{Context, Poll},
    time::Instant,
};

use pin_project_lite::pin_project;
use smallvec::SmallVec;

use super::{
    super::{
        party::{Part, Party},
        waiter::Wake,
    },
    Choice, Kind,
    guard::Wakes,
    list::Guards,
};
use crate::sync::{random_below, thread};

/// How far an alternation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It has looked at nothing yet, or has left everything again.
    Idle,
    /// Its guards hang in the lists of their channels.
    Waiting(Kind),
    /// It has committed to this guard, and left the others.
    Met(usize),
    /// The outcome was given out.
    Spent,
}

pin_project! {
    /// An alternation: waits on all its guards, meets on one.
    #[doc(hidden)]
    #[must_use = "an alternation does nothing unless it is blocked on or polled"]
    pub struct Alternation<G: Guards> {
        party: Party,
        guards: G,
        choice: Choice,
        progress: Cell<Progress>,
        // The guards that are switched on, in the order in which their channels are locked.
        order: SmallVec<[usize; 8]>,
        #[pin]
        _pinned: PhantomPinned,
    }

    impl<G: Guards> PinnedDrop for Alternation<G> {
        fn drop(this: Pin<&mut Self>) {
            this.as_ref().get_ref().withdraw();
        }
    }
}

impl<G: Guards> Alternation<G> {
    pub fn new(guards: G, choice: Choice) -> Self {
        let place = |index: &usize| guards.guard(*index).place();
        let mut order: SmallVec<[usize; 8]> = (0..guards.count())
            .filter(|index| place(index).is_some())
            .collect();
        order.sort_by_key(place);
        Self {
            party: Party::new(),
            guards,
            choice,
            progress: Cell::new(Progress::Idle),
            order,
            _pinned: PhantomPinned,
        }
    }

    /// Meets on a guard that can meet at this moment, if there is one. Does not block.
    #[must_use = "what was met is in it"]
    pub fn now(self: Pin<&mut Self>) -> Option<G::Output> {
        let this = self.as_ref().get_ref();
        let met = this.attempt(Kind::Thread, None)?;
        this.guards.guard(met).block_until_done();
        Some(this.finish(met))
    }

    /// Blocks the thread until a guard was met or `deadline` has passed.
    #[must_use = "what was met is in it"]
    pub fn block(self: Pin<&mut Self>, deadline: Option<Instant>) -> Option<G::Output> {
        let this = self.as_ref().get_ref();
        let wake = Wake::this_thread();
        let mut met = this.attempt(Kind::Thread, Some(wake));
        while met.is_none() {
            if this.party.claimed().is_some() {
                met = this.attempt(Kind::Thread, None);
            } else {
                match deadline {
                    None => thread::park(),
                    Some(instant) => {
                        if thread::park_until(instant) {
                            // A peer that claimed it before the deadline has met it.
                            met = Some(this.withdraw()?);
                        }
                    }
                }
            }
        }
        let met = met?;
        this.guards.guard(met).block_until_done();
        Some(this.finish(met))
    }

    fn finish(&self, met: usize) -> G::Output {
        self.progress.set(Progress::Spent);
        self.guards.output(met)
    }

    /// Locks everything and looks; commits to a guard, or waits on all if there is a `wake` handle for that.
    fn attempt(&self, kind: Kind, wake: Option<Wake>) -> Option<usize> {
        if let Progress::Met(index) = self.progress.get() {
            return Some(index);
        }
        let mut wakes = Wakes::default();
        let mut old = None;
        let mut wake = wake;
        let mut watched = SmallVec::<[usize; 8]>::new();
        self.with_all_locked(|| {
            let met = self.party.claimed().or_else(|| self.meet(kind, &mut wakes));
            if let Some(met) = met {
                self.progress.set(Progress::Met(met));
                old = self.leave(kind, &mut wakes);
            } else if let Some(wake) = wake.take() {
                self.progress.set(Progress::Waiting(kind));
                // SAFETY: the locks of all its channels are held.
                old = unsafe { self.party.wait(wake) };
                for &index in &self.order {
                    let part = Part {
                        party: NonNull::from(&self.party),
                        index,
                    };
                    if self.guards.guard(index).wait(part, kind, &mut wakes) {
                        watched.push(index);
                    }
                }
            }
        });
        drop(old);
        wakes.wake_all();
        for index in watched {
            self.guards.guard(index).wake_watchers();
        }
        match self.progress.get() {
            Progress::Met(index) => Some(index),
            _ => None,
        }
    }

    /// Gives up, unless a peer has claimed a guard: then that is returned.
    fn withdraw(&self) -> Option<usize> {
        let Progress::Waiting(kind) = self.progress.get() else {
            return None;
        };
        let mut wakes = Wakes::default();
        let mut old = None;
        self.with_all_locked(|| {
            let claimed = self.party.claimed();
            self.progress
                .set(claimed.map_or(Progress::Idle, Progress::Met));
            old = self.leave(kind, &mut wakes);
        });
        drop(old);
        wakes.wake_all();
        match self.progress.get() {
            Progress::Met(index) => Some(index),
            _ => None,
        }
    }

    /// With all locks held: commits to a guard that can meet.
    fn meet(&self, kind: Kind, wakes: &mut Wakes) -> Option<usize> {
        let mut able: SmallVec<[usize; 8]> = self
            .order
            .iter()
            .copied()
            .filter(|&index| self.guards.guard(index).can_meet(&self.party))
            .collect();
        if self.choice == Choice::Biased {
            able.sort_unstable_by(|a, b| b.cmp(a));
        }
        while !able.is_empty() {
            // A peer that is an alternation too may be claimed elsewhere meanwhile; then the next one.
            let index = match self.choice {
                Choice::Fair => able.swap_remove(random_below(able.len())),
                Choice::Biased => able.pop()?,
            };
            if self.guards.guard(index).meet(&self.party, kind, wakes) {
                return Some(index);
            }
        }
        None
    }

    /// With all locks held: takes every waiter off its list. Returns the wake handle.
    fn leave(&self, kind: Kind, wakes: &mut Wakes) -> Option<Wake> {
        for &index in &self.order {
            self.guards.guard(index).leave(kind, wakes);
        }
        // SAFETY: the locks of all its channels are held.
        unsafe { self.party.rest() }
    }

    /// Locks all distinct channels, in the order of their places, while `then` runs.
    fn with_all_locked(&self, then: impl FnOnce()) {
        let mut then = Some(then);
        self.lock_from(0, &mut || {
            if let Some(then) = then.take() {
                then();
            }
        });
    }

    fn lock_from(&self, at: usize, then: &mut dyn FnMut()) {
        let Some(&first) = self.order.get(at) else {
            return then();
        };
        let first = self.guards.guard(first);
        first.lock(&mut || {
            let rest = self.order.get(at + 1..).unwrap_or_default();
            let same = rest
                .iter()
                .take_while(|index| self.guards.guard(**index).place() == first.place());
            let mut next = at + 1;
            for &index in same.clone() {
                self.guards.guard(index).share_lock(first.locked());
                next += 1;
            }
            self.lock_from(next, then);
            for &index in same {
                self.guards.guard(index).share_lock(ptr::null_mut());
            }
        });
    }
}

impl<G: Guards> Future for Alternation<G> {
    type Output = G::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<G::Output> {
        let this = self.as_ref().get_ref();
        assert!(
            this.progress.get() != Progress::Spent,
            "an alternation was polled again after it had completed"
        );
        let wake = Wake::task(context);
        let Some(met) = this.attempt(Kind::Task, Some(wake)) else {
            return Poll::Pending;
        };
        match this.guards.guard(met).poll_until_done(context) {
            Poll::Ready(()) => Poll::Ready(this.finish(met)),
            Poll::Pending => Poll::Pending,
        }
    }
}
