//! The alternation itself: lock, check, look, commit or wait.

use std::{
    cell::{Cell, OnceCell},
    cmp::Reverse,
    marker::PhantomPinned,
    mem,
    pin::Pin,
    ptr::NonNull,
    task::{Context, Poll, ready},
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
    able::Able,
    guard::{Alone, Guard, Wakes},
    list::{Guards, Member, Nature},
    timing::Timing,
};
use crate::sync::{alarm::Alarm, run_is_over, schedule, task, thread, time::Moment};

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
        nature: Nature,
        // The places of the channels of the guards that are switched on, with the guards' indices, in the order of
        // locking. Made when it is needed: an alternation that can meet at once locks one channel at a time.
        order: OnceCell<SmallVec<[(usize, usize); 4]>>,
        alarm: Alarm,
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
    #[inline]
    pub fn new(guards: G, choice: Choice) -> Self {
        Self {
            party: Party::new(),
            nature: guards.nature(),
            guards,
            choice,
            progress: Cell::new(Progress::Idle),
            order: OnceCell::new(),
            alarm: Alarm::new(),
            _pinned: PhantomPinned,
        }
    }

    /// Meets on a guard that can meet at this moment, if there is one. Does not block.
    #[must_use = "what was met is in it"]
    pub fn now(self: Pin<&mut Self>) -> Option<G::Output> {
        let this = self.as_ref().get_ref();
        let met = this
            .meet_alone(Kind::Thread)
            .or_else(|| this.attempt(Kind::Thread, None))?;
        // Only the message of one that waits is accepted, so this one is not declined.
        this.block_until_done(met)
    }

    /// Blocks the thread until a guard was met or `deadline` has passed.
    #[must_use = "what was met is in it"]
    pub fn block(self: Pin<&mut Self>, deadline: Option<Instant>) -> Option<G::Output> {
        let this = self.as_ref().get_ref();
        loop {
            let met = match this.meet_alone(Kind::Thread) {
                Some(met) => met,
                None => this.block_until_met(deadline)?,
            };
            if let Some(output) = this.block_until_done(met) {
                return Some(output);
            }
        }
    }

    fn block_until_met(&self, deadline: Option<Instant>) -> Option<usize> {
        let wake = Wake::this_thread();
        let mut met = self.attempt(Kind::Thread, Some(wake));
        let blocked = if met.is_none() {
            task::blocked(deadline.is_some() || self.nature.timers)
        } else {
            None
        };
        if met.is_none() && self.spin() {
            met = self.attempt(Kind::Thread, None);
        }
        while met.is_none() {
            let is_time = self.party.claimed().is_none() && self.park(deadline);
            if is_time || self.party.claimed().is_some() {
                met = self.attempt(Kind::Thread, None);
            }
            if met.is_none()
                && is_time
                && deadline.is_some_and(|deadline| Moment::look(true).has_come_to(deadline))
            {
                // A peer that claimed it before the deadline has met it.
                drop(blocked);
                return self.withdraw();
            }
        }
        drop(blocked);
        met
    }

    /// Waits a little, because a peer will probably come at once; returns whether one has.
    ///
    /// What the wait costs or saves is booked at the channel that is locked first: the same one for alternations
    /// over the same channels, so a wait that was in vain makes the next ones park at once.
    fn spin(&self) -> bool {
        let account = self
            .order()
            .first()
            .and_then(|&(_, first)| self.guard(first).spin());
        account.is_some_and(|account| account.until(|| self.party.claimed().is_some()))
    }

    /// Parks until a peer wakes the thread, until the first timer is due, or until `deadline`; returns whether it
    /// is that time. May return early.
    fn park(&self, deadline: Option<Instant>) -> bool {
        if let Some(instant) = self.first_due().into_iter().chain(deadline).min() {
            return thread::park_until(instant);
        }
        thread::park();
        false
    }

    /// `None` if the peer has declined: it begins anew.
    #[inline]
    fn block_until_done(&self, met: usize) -> Option<G::Output> {
        if let Member::Channel(guard) = self.guards.member(met)
            && !guard.block_until_done()
        {
            self.begin_anew();
            return None;
        }
        Some(self.finish(met))
    }

    /// As `block_until_done`, for a task.
    #[inline]
    fn poll_until_done(&self, met: usize, context: &Context<'_>) -> Poll<Option<G::Output>> {
        if let Member::Channel(guard) = self.guards.member(met)
            && !ready!(guard.poll_until_done(context))
        {
            self.begin_anew();
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.finish(met)))
    }

    #[cold]
    fn begin_anew(&self) {
        self.party.begin_anew();
        self.progress.set(Progress::Idle);
    }

    #[inline]
    fn finish(&self, met: usize) -> G::Output {
        self.progress.set(Progress::Spent);
        self.guards.output(met)
    }

    /// A guard of those that have a channel.
    #[inline]
    fn guard(&self, index: usize) -> &dyn Guard {
        match self.guards.member(index) {
            Member::Channel(guard) => guard,
            Member::Timer(_) => unreachable!("a timer has no channel to be locked"),
        }
    }

    #[inline]
    fn order(&self) -> &[(usize, usize)] {
        self.order.get_or_init(|| {
            let mut order = SmallVec::new();
            for index in 0..self.guards.count() {
                if let Member::Channel(guard) = self.guards.member(index)
                    && let Some(place) = guard.place()
                {
                    order.push((place, index));
                }
            }
            // Of several guards on one channel the last is the first to lock and the last to be dealt with, so
            // that they come to wait in the order in which they were written.
            order.sort_unstable_by_key(|&(place, index)| (place, Reverse(index)));
            order
        })
    }

    /// With how many waiters it waits: one for each guard that has a channel and is switched on.
    fn parts(&self) -> u32 {
        // More would not fit into the memory of any machine.
        u32::try_from(self.order().len()).unwrap_or(u32::MAX)
    }

    /// The guards that have a channel and are switched on, in the order of locking.
    #[inline]
    fn switched_on(&self) -> impl DoubleEndedIterator<Item = (usize, &dyn Guard)> {
        self.order()
            .iter()
            .map(|&(_, index)| (index, self.guard(index)))
    }

    /// The guards that have a channel, in the order in which they were written; they may be switched off.
    #[inline]
    fn channels(&self) -> impl Iterator<Item = (usize, &dyn Guard)> {
        (0..self.guards.count()).filter_map(|index| match self.guards.member(index) {
            Member::Channel(guard) => Some((index, guard)),
            Member::Timer(_) => None,
        })
    }

    fn timers(&self) -> impl Iterator<Item = (usize, &dyn Timing)> {
        let indices = if self.nature.timers {
            0..self.guards.count()
        } else {
            0..0
        };
        indices.filter_map(|index| match self.guards.member(index) {
            Member::Timer(timer) => Some((index, timer)),
            Member::Channel(_) => None,
        })
    }

    /// When the first timer is due.
    fn first_due(&self) -> Option<Instant> {
        self.timers().filter_map(|(_, timer)| timer.due()).min()
    }

    /// What the clock says, if there is a timer to look at it for.
    #[inline]
    fn look_at_the_clock(&self) -> Option<Moment> {
        let has_waited = matches!(self.progress.get(), Progress::Waiting(_));
        self.nature.timers.then(|| Moment::look(has_waited))
    }

    /// Commits to a guard that can meet, looking under one lock at a time. The party hangs in no list meanwhile, or
    /// only where it can be woken but not claimed, so to meet is a plain operation on one channel.
    ///
    /// `None` says nothing: where nobody was met, only a look under all locks tells whether to wait.
    #[inline]
    fn meet_alone(&self, kind: Kind) -> Option<usize> {
        let hangs = matches!(self.progress.get(), Progress::Waiting(_));
        debug_assert!(!hangs || !self.may_be_claimed(kind), "a peer may be at it");
        let moment = self.look_at_the_clock();
        let count = self.guards.count();
        let mut able = Able::none_of(count);
        for index in 0..count {
            if self.seems_able(index, moment) {
                able.add(index);
            }
        }
        let mut wakes = Wakes::default();
        while let Some(index) = able.pick(self.choice) {
            let has_met = match self.guards.member(index) {
                Member::Channel(guard) => guard.meet_alone(&self.party, kind, &mut wakes),
                Member::Timer(timer) => moment.is_some_and(|moment| timer.ring(moment)),
            };
            if has_met {
                self.progress.set(Progress::Met(index));
                let old = hangs.then(|| self.leave_one_by_one(kind, &mut wakes));
                wakes.wake_all();
                drop(old);
                return Some(index);
            }
        }
        None
    }

    /// Whether a peer may claim it while it waits. A task that only receives is woken, and takes by itself.
    #[inline]
    fn may_be_claimed(&self, kind: Kind) -> bool {
        kind == Kind::Thread || self.nature.sends
    }

    /// Commits to a guard that can meet, or waits on all, under one lock at a time. It hung in no list before, and no
    /// peer can claim it: each guard waits for itself, and whoever comes to one finds the wake handle.
    fn meet_or_wait_alone(&self, kind: Kind, wake: Wake) -> Option<usize> {
        debug_assert!(!self.may_be_claimed(kind), "a peer may be at it");
        self.progress.set(Progress::Waiting(kind));
        // SAFETY: it has no waiter on any channel.
        let old = unsafe { self.party.wait(wake, self.parts()) };
        debug_assert!(old.is_none(), "it waited nowhere");
        let party = NonNull::from(&self.party);
        let mut wakes = Wakes::default();
        let mut watched = Able::none_of(self.guards.count());
        let mut met = None;
        for (index, guard) in self.channels() {
            match guard.meet_or_wait_alone(Part { party, index }, kind, &mut wakes) {
                Alone::HasMet => {
                    met = Some(index);
                    break;
                }
                Alone::Waits => {}
                Alone::WaitsAndIsWatched => watched.add(index),
            }
        }
        let old = met.and_then(|met| {
            self.progress.set(Progress::Met(met));
            self.leave_one_by_one(kind, &mut wakes)
        });
        wakes.wake_all();
        drop(old);
        self.wake_watchers(watched);
        met
    }

    /// Commits to a guard that can meet, or waits on all of them for a task.
    #[inline]
    fn poll_until_met(&self, context: &mut Context<'_>) -> Option<usize> {
        let waits = matches!(self.progress.get(), Progress::Waiting(_));
        let met = if waits && self.may_be_claimed(Kind::Task) {
            // Probably it was woken, and needs no new wake handle.
            self.attempt(Kind::Task, None)
        } else {
            self.meet_alone(Kind::Task)
        };
        let met = met.or_else(|| {
            // Cloned before a lock is taken, because it is foreign code.
            let wake = Wake::task(context);
            if waits || self.may_be_claimed(Kind::Task) {
                self.attempt(Kind::Task, Some(wake))
            } else {
                self.meet_or_wait_alone(Kind::Task, wake)
            }
        });
        if met.is_some() {
            self.alarm.clear();
        } else if let Some(due) = self.first_due() {
            self.alarm.set(due, context);
        }
        met
    }

    fn wake_watchers(&self, mut watched: Able) {
        while let Some(index) = watched.pick(Choice::Biased) {
            self.guard(index).wake_watchers();
        }
    }

    /// Takes every waiter off its list, once no peer can claim the party any more. Returns the wake handle.
    fn leave_one_by_one(&self, kind: Kind, wakes: &mut Wakes) -> Option<Wake> {
        for (_, guard) in self.channels() {
            guard.leave_alone(kind, wakes);
        }
        // SAFETY: it has left all lists, each under its lock, so it has no waiter that a peer could find.
        unsafe { self.party.rest() }
    }

    #[inline]
    fn seems_able(&self, index: usize, moment: Option<Moment>) -> bool {
        match self.guards.member(index) {
            Member::Channel(guard) => guard.seems_able(),
            Member::Timer(timer) => is_due(timer, moment),
        }
    }

    /// Locks everything and looks; commits to a guard, or waits on all if there is a `wake` handle for that.
    ///
    /// Once all is locked, each channel is unlocked as soon as it is dealt with: nobody can tell the difference, for
    /// no other lock is taken after that.
    fn attempt(&self, kind: Kind, wake: Option<Wake>) -> Option<usize> {
        let mut wakes = Wakes::default();
        if let Some(claimed) = self.party.claimed() {
            // The peer, who may be at it still, is done once its channel could be locked in order to leave it.
            self.progress.set(Progress::Met(claimed));
            let old = self.leave_one_by_one(kind, &mut wakes);
            wakes.wake_all();
            drop(old);
            return Some(claimed);
        }
        let moment = self.look_at_the_clock();
        let mut watched = Able::none_of(self.guards.count());
        let (locked, able) = self.lock_and_look(moment);
        let met = self
            .party
            .claimed()
            .or_else(|| self.meet(able, kind, moment, &mut wakes));
        let old = if let Some(met) = met {
            self.progress.set(Progress::Met(met));
            self.leave(locked, kind, &mut wakes)
        } else if let Some(wake) = wake {
            // SAFETY: the locks of all its channels are held.
            let old = unsafe { self.party.wait(wake, self.parts()) };
            let party = NonNull::from(&self.party);
            self.progress.set(Progress::Waiting(kind));
            for (index, guard) in self.switched_on().rev() {
                if guard.wait_and_unlock(Part { party, index }, kind, &mut wakes) {
                    watched.add(index);
                }
            }
            mem::forget(locked);
            old
        } else {
            None
        };
        wakes.wake_all();
        drop(old);
        self.wake_watchers(watched);
        met
    }

    /// Gives up, unless a peer has claimed a guard: then that is returned.
    fn withdraw(&self) -> Option<usize> {
        if run_is_over() {
            return None;
        }
        let Progress::Waiting(kind) = self.progress.get() else {
            return None;
        };
        let mut wakes = Wakes::default();
        let (locked, _) = self.lock_and_look(None);
        let claimed = self.party.claimed();
        self.progress
            .set(claimed.map_or(Progress::Idle, Progress::Met));
        let old = self.leave(locked, kind, &mut wakes);
        wakes.wake_all();
        drop(old);
        claimed
    }

    /// With all locks held: commits to a guard that can meet; a timer can if it is due at `moment`.
    fn meet(
        &self,
        mut able: Able,
        kind: Kind,
        moment: Option<Moment>,
        wakes: &mut Wakes,
    ) -> Option<usize> {
        // A peer that is an alternation too may be claimed elsewhere meanwhile, and a tick may be met by somebody
        // else; then the next one.
        while let Some(index) = able.pick(self.choice) {
            let has_met = match self.guards.member(index) {
                Member::Channel(guard) => guard.meet(&self.party, kind, wakes),
                Member::Timer(timer) => moment.is_some_and(|moment| timer.ring(moment)),
            };
            if has_met {
                return Some(index);
            }
        }
        None
    }

    /// Takes every waiter off its list, and releases all locks. Returns the wake handle.
    fn leave(&self, locked: AllLocked<'_, G>, kind: Kind, wakes: &mut Wakes) -> Option<Wake> {
        // SAFETY: the locks of all its channels are held.
        let wake = unsafe { self.party.rest() };
        for (_, guard) in self.switched_on().rev() {
            guard.leave_and_unlock(kind, wakes);
        }
        mem::forget(locked);
        wake
    }

    /// Locks all distinct channels, in the order of their places, until what is returned is dropped, and tells which
    /// guards can meet.
    fn lock_and_look(&self, moment: Option<Moment>) -> (AllLocked<'_, G>, Able) {
        let all = AllLocked(self);
        let mut able = Able::none_of(self.guards.count());
        let mut before: Option<(usize, &dyn Guard)> = None;
        for &(place, index) in self.order() {
            let guard = self.guard(index);
            let other = before.filter(|(other, _)| *other == place);
            if guard.lock_and_look(other.map(|(_, guard)| guard), &self.party) {
                able.add(index);
            }
            before = Some((place, guard));
        }
        for (index, timer) in self.timers() {
            if is_due(timer, moment) {
                able.add(index);
            }
        }
        (all, able)
    }
}

/// The locks of all channels of an alternation, released when it is dropped. Whoever has released them forgets it.
///
/// In either case the guards go in the reverse order: one that has locked a channel comes after those that share it.
struct AllLocked<'a, G: Guards>(&'a Alternation<G>);

impl<G: Guards> Drop for AllLocked<'_, G> {
    fn drop(&mut self) {
        for (_, guard) in self.0.switched_on().rev() {
            guard.unlock();
        }
    }
}

#[inline]
fn is_due(timer: &dyn Timing, moment: Option<Moment>) -> bool {
    moment.is_some_and(|moment| timer.due().is_some_and(|due| moment.has_come_to(due)))
}

impl<G: Guards> Future for Alternation<G> {
    type Output = G::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<G::Output> {
        let this = self.as_ref().get_ref();
        loop {
            let met = match this.progress.get() {
                Progress::Met(met) => Some(met),
                Progress::Idle if schedule::is_to_wait(context) => None,
                Progress::Idle | Progress::Waiting(_) => this.poll_until_met(context),
                Progress::Spent => {
                    panic!("an alternation was polled again after it had completed")
                }
            };
            let Some(met) = met else {
                return Poll::Pending;
            };
            if let Some(output) = ready!(this.poll_until_done(met, context)) {
                return Poll::Ready(output);
            }
        }
    }
}
