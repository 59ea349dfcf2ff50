//! Where woken tasks wait for their turn: the queue of the thread that runs them, and the list of those that were woken
//! from elsewhere.
//!
//! The task that was woken last runs next: it is the partner of a rendezvous, and the processor's caches are warm for
//! it. A task waits in one place only, so what waits here is bounded by the number of tasks.
//!
//! # Invariants
//!
//! - A task is here once for each time that its state became `Scheduled` and it was not polled since.
//! - Where one thread runs all tasks of a home, it alone writes their status.

#[cfg(not(loom))]
use std::sync::OnceLock;
use std::{
    cell::Cell,
    collections::VecDeque,
    ptr::{self, NonNull},
    task::Waker,
};

use crossbeam_deque::Worker;

#[cfg(not(loom))]
use super::schedule::{Scheduler, System};
use super::{
    Arc, AtomicBool, AtomicUsize, Mutex, Ordering, UnsafeCell, barrier, fence,
    task::{State, Task, TaskRef, Turn, Way},
};

/// The home of the tasks of one network, or of some of them (an [island](super::island)), wherever they are woken from.
pub(crate) struct Home {
    /// The home of the whole network, where this one is an island.
    whole: Option<Arc<Self>>,
    /// Whether several threads run its tasks.
    shared: AtomicBool,
    injected: Mutex<Injected>,
    /// Whether whoever runs tasks should look beyond its own queue: something was injected, or it is to stop.
    attention: AtomicBool,
    stop: AtomicBool,
    /// Tasks and threads that have not ended.
    live: AtomicUsize,
    /// Whom to wake when attention is wanted and everybody sleeps.
    bells: Mutex<Vec<Waker>>,
    /// How many want the locks that this home owns, or have them.
    suspensions: AtomicUsize,
    /// Whether it owns locks, or has.
    owns: AtomicBool,
    /// How many bells there are, readable without the lock.
    sleeping: AtomicUsize,
    /// Who schedules its tasks, if it is not the system.
    #[cfg(not(loom))]
    scheduler: OnceLock<Arc<dyn Scheduler>>,
}

#[derive(Default)]
struct Injected {
    first: Option<NonNull<Task>>,
    last: Option<NonNull<Task>>,
    /// Nobody runs tasks any more: who is woken stays where it is.
    is_closed: bool,
}

// SAFETY: the tasks in it are held, and reached under the lock.
unsafe impl Send for Injected {}

impl Home {
    pub(crate) fn new() -> Self {
        Self::part_of(None)
    }

    /// The home of some of the tasks of the network that is at home in `whole`.
    pub(crate) fn island_of(whole: &Arc<Self>) -> Self {
        Self::part_of(Some(Arc::clone(whole)))
    }

    fn part_of(whole: Option<Arc<Self>>) -> Self {
        Self {
            whole,
            shared: AtomicBool::new(false),
            injected: Mutex::new(Injected::default()),
            attention: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            live: AtomicUsize::new(0),
            bells: Mutex::new(Vec::new()),
            suspensions: AtomicUsize::new(0),
            owns: AtomicBool::new(false),
            sleeping: AtomicUsize::new(0),
            #[cfg(not(loom))]
            scheduler: OnceLock::new(),
        }
    }

    /// Its tasks have a scheduler of their own. Before the first of them runs, and once.
    #[cfg(not(loom))]
    pub(crate) fn rehearse(&self, scheduler: Arc<dyn Scheduler>) {
        let is_first = self.scheduler.set(scheduler).is_ok();
        debug_assert!(is_first, "a network is run once");
    }

    /// Who schedules its tasks.
    #[cfg(not(loom))]
    pub(crate) fn scheduler(&self) -> &dyn Scheduler {
        self.scheduler.get().map_or(&System, |own| &**own)
    }

    /// Whether that is not the system.
    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn is_rehearsed(&self) -> bool {
        self.scheduler.get().is_some()
    }

    /// Whether some task was woken from elsewhere that nobody has taken in.
    #[cfg(not(loom))]
    pub(crate) fn has_injected(&self) -> bool {
        self.injected.lock().first.is_some()
    }

    /// Whether several threads run its tasks.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Acquire)
    }

    /// Says that it will own locks, unless it cannot; returns whether it can. Before the first of them, and while nobody
    /// has suspended its bias.
    pub(crate) fn will_own(&self) -> bool {
        let can = barrier::is_there();
        if can {
            self.owns.store(true, Ordering::Release);
        }
        can
    }

    /// Whether its thread, which has just said that it is inside a lock, has it. `Acquire`: it sees what was done under
    /// the lock while the bias was suspended.
    #[inline]
    pub(crate) fn is_biased(&self) -> bool {
        barrier::light();
        self.suspensions.load(Ordering::Acquire) == 0
    }

    /// From now on, and until what is returned is dropped, its thread takes the locks that it owns as everybody does.
    /// It may be inside one still.
    pub(crate) fn suspend_bias(&self) -> Suspension<'_> {
        let suspension = Suspension::count(self);
        let whole = match &self.whole {
            Some(whole) => ptr::from_ref(&**whole),
            None => self,
        };
        let is_suspended_already = SUSPENDED.with(|suspended| ptr::eq(suspended.get(), whole));
        if self.owns.load(Ordering::Acquire) && !is_suspended_already {
            barrier::heavy();
        }
        suspension
    }

    /// As [`suspend_bias`](Self::suspend_bias), of the whole network, which has these islands and no others; and while it
    /// lasts this thread suspends it again, here and there, at no further cost.
    pub(crate) fn suspend_bias_for_long<'a>(
        &'a self,
        islands: &'a [Arc<Self>],
    ) -> LongSuspension<'a> {
        // One barrier for all.
        let others: Vec<_> = islands.iter().map(|home| Suspension::count(home)).collect();
        let owns = |home: &Arc<Self>| home.owns.load(Ordering::Acquire);
        let suspension = self.suspend_bias();
        if islands.iter().any(owns) && !self.owns.load(Ordering::Acquire) {
            barrier::heavy();
        }
        let before = SUSPENDED.with(|suspended| suspended.replace(self));
        LongSuspension {
            before,
            _suspension: suspension,
            _of_islands: others,
        }
    }

    /// From now on several threads run its tasks. Before the first of them runs.
    pub(crate) fn share(&self) {
        self.shared.store(true, Ordering::Release);
    }

    /// Whether this thread runs all tasks of this home.
    #[inline]
    pub(crate) fn runs_here_alone(&self) -> bool {
        ptr::eq(home_of_this_thread(), self)
    }

    /// # Safety
    ///
    /// The task is alive for as long as this takes, and one of this home.
    #[inline]
    pub(super) unsafe fn wake(&self, task: NonNull<Task>) {
        let local = local();
        if !local.is_null() {
            // SAFETY: what is set stays until it is unset by the thread that runs it.
            let local = unsafe { &*local };
            if ptr::eq(local.home, self) {
                // SAFETY: by the caller's word.
                if unsafe { task.as_ref() }.note_wake(local.alone) {
                    local.run_next(task, self);
                }
                return;
            }
        }
        // SAFETY: by the caller's word.
        unsafe { self.wake_from_elsewhere(task) };
    }

    /// # Safety
    ///
    /// As for [`wake`](Self::wake).
    #[cold]
    unsafe fn wake_from_elsewhere(&self, task: NonNull<Task>) {
        // SAFETY: by the caller's word.
        let alive = unsafe { task.as_ref() };
        // Where several threads run the tasks the status says it; where one does, only that one writes the status.
        if self.shared.load(Ordering::Acquire) && !alive.note_wake(false) {
            return;
        }
        if !alive.set_injected() {
            // SAFETY: by the caller's word.
            self.inject(unsafe { hold(task) });
        }
    }

    /// Puts a task into the list of those that were woken from elsewhere.
    fn inject(&self, held: TaskRef) {
        {
            let mut list = self.injected.lock();
            if list.is_closed {
                // It may be the last hold.
                drop(list);
                drop(held);
                return;
            }
            // SAFETY: the list's lock is held.
            unsafe { held.link(|link| *link = None) };
            let node = held.into_raw();
            match list.last.replace(node) {
                Some(before) => {
                    // SAFETY: what is in the list is held.
                    let before = unsafe { before.as_ref() };
                    // SAFETY: the list's lock is held.
                    unsafe { before.link(|link| *link = Some(node)) };
                }
                None => list.first = Some(node),
            }
        }
        self.ring();
    }

    /// Nobody will run tasks here any more. A task that is woken from now on is not taken in: it would be held here, and
    /// hold its home.
    pub(crate) fn close(&self) {
        self.injected.lock().is_closed = true;
        while let Some(task) = self.take_injected() {
            drop(task);
        }
    }

    /// The first of those that were woken from elsewhere, if there is one.
    pub(crate) fn take_injected(&self) -> Option<TaskRef> {
        let mut list = self.injected.lock();
        let first = list.first?;
        // SAFETY: what is in the list is held.
        let task = unsafe { first.as_ref() };
        // SAFETY: the list's lock is held.
        list.first = unsafe { task.link(Option::take) };
        if list.first.is_none() {
            list.last = None;
        }
        // SAFETY: it was put there by `into_raw`, and taken off.
        Some(unsafe { TaskRef::from_raw(first) })
    }

    /// Asks whoever runs tasks to look beyond its own queue, and wakes it.
    pub(crate) fn ring(&self) {
        // A swap, and not a store: loom does not know that a store cannot come between what another swap reads and
        // writes.
        self.attention.swap(true, Ordering::AcqRel);
        let bells = {
            let mut bells = self.bells.lock();
            self.sleeping.store(0, Ordering::Relaxed);
            std::mem::take(&mut *bells)
        };
        for bell in bells {
            bell.wake();
        }
    }

    /// Something was put where another may take it from: wakes one who sleeps.
    pub(crate) fn offer(&self) {
        // Pairs with that of `hear`: either this sees who sleeps, or that one, who looks once more, sees what was put.
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) == 0 {
            return;
        }
        let bell = {
            let mut bells = self.bells.lock();
            let bell = bells.pop();
            self.sleeping.store(bells.len(), Ordering::Relaxed);
            bell
        };
        if let Some(bell) = bell {
            bell.wake();
        }
    }

    /// How many sleep.
    pub(crate) fn sleeping(&self) -> usize {
        self.sleeping.load(Ordering::Relaxed)
    }

    /// Has `waker` not woken any more.
    pub(crate) fn hear_no_more(&self, waker: &Waker) {
        let mut bells = self.bells.lock();
        bells.retain(|other| !other.will_wake(waker));
        self.sleeping.store(bells.len(), Ordering::Relaxed);
    }

    /// Whether attention is wanted; it is given, then.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.attention.load(Ordering::Relaxed) && self.attention.swap(false, Ordering::AcqRel)
    }

    /// Has `waker` woken at the next ring; returns false if attention is wanted already.
    pub(crate) fn hear(&self, waker: &Waker) -> bool {
        let bell = waker.clone();
        let mut bells = self.bells.lock();
        if !bells.iter().any(|other| other.will_wake(&bell)) {
            bells.push(bell);
        }
        self.sleeping.store(bells.len(), Ordering::Relaxed);
        fence(Ordering::SeqCst);
        // Whoever rings sets the flag before it comes for the bells.
        !self.attention.load(Ordering::Acquire)
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.ring();
    }

    #[inline]
    pub(crate) fn is_to_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(crate) fn one_more(&self) {
        self.live.fetch_add(1, Ordering::Relaxed);
    }

    /// One has ended.
    pub(crate) fn one_less(&self) {
        if self.live.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ring();
        }
    }

    /// How many tasks and threads have not ended.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.live.load(Ordering::Acquire) == 0
    }
}

/// # Safety
///
/// The task is alive.
unsafe fn hold(task: NonNull<Task>) -> TaskRef {
    // SAFETY: alive, by the caller's word; the hold that is forgotten is no hold.
    let alive = std::mem::ManuallyDrop::new(unsafe { TaskRef::from_raw(task) });
    (*alive).clone()
}

/// See [`Home::suspend_bias`].
pub(crate) struct Suspension<'a>(&'a Home);

impl<'a> Suspension<'a> {
    /// A barrier is to follow, unless there was one before.
    fn count(home: &'a Home) -> Self {
        home.suspensions.fetch_add(1, Ordering::SeqCst);
        Self(home)
    }
}

impl Drop for Suspension<'_> {
    /// `Release` pairs with the owner's next look.
    fn drop(&mut self) {
        self.0.suspensions.fetch_sub(1, Ordering::Release);
    }
}

/// See [`Home::suspend_bias_for_long`].
pub(crate) struct LongSuspension<'a> {
    before: *const Home,
    _suspension: Suspension<'a>,
    _of_islands: Vec<Suspension<'a>>,
}

impl Drop for LongSuspension<'_> {
    fn drop(&mut self) {
        SUSPENDED.with(|suspended| suspended.set(self.before));
    }
}

/// The queue of a thread that runs tasks.
pub(crate) struct Local {
    home: *const Home,
    /// Whether no other thread runs tasks of this home.
    alone: bool,
    /// Whether tasks may be run in the middle of the turns of others.
    runs_within: bool,
    /// The task that was woken last.
    next: Cell<Option<NonNull<Task>>>,
    queue: Queue,
    /// How many tasks may still be run in the middle of the turn of another, before that one gives way.
    within_left: Cell<u32>,
    /// Where the stack of the thread was when the turn began that is within no other.
    stack: Cell<usize>,
    /// Tasks that are done within the turn of another: whoever is in the middle of something may still have a lent
    /// handle of them.
    done: UnsafeCell<Vec<NonNull<Task>>>,
}

/// How much of the thread's stack the turns that are under way may use, each within the one before, for another to begin
/// within them. A turn of a small process takes a few hundred bytes.
const STACK_MAX: usize = 8 * 1024;
/// How many turns may be had within one. Then the partner waits for its turn, so that others have theirs.
const WITHIN_MAX: u32 = 64;

enum Queue {
    Own(UnsafeCell<VecDeque<NonNull<Task>>>),
    /// One from which other threads may steal.
    Shared(Worker<Queued>),
}

/// A task in a queue from which other threads may steal.
#[derive(Clone, Copy)]
pub(crate) struct Queued(pub(crate) NonNull<Task>);

// SAFETY: a task may be reached from any thread.
unsafe impl Send for Queued {}

impl Local {
    /// `runs_within`: tasks may be run in the middle of the turns of others; whoever runs them asks for those that are
    /// [done](Self::take_done) then.
    pub(crate) fn alone(home: &Home, runs_within: bool) -> Self {
        Self {
            home,
            alone: true,
            runs_within,
            next: Cell::new(None),
            queue: Queue::Own(UnsafeCell::new(VecDeque::new())),
            within_left: Cell::new(0),
            stack: Cell::new(0),
            done: UnsafeCell::new(Vec::new()),
        }
    }

    /// One of several threads that run the tasks of `home`, which is [shared](Home::share).
    pub(crate) fn among_others(home: &Home, queue: Worker<Queued>) -> Self {
        Self {
            home,
            alone: false,
            runs_within: false,
            next: Cell::new(None),
            queue: Queue::Shared(queue),
            within_left: Cell::new(0),
            stack: Cell::new(0),
            done: UnsafeCell::new(Vec::new()),
        }
    }

    /// A turn begins that is within no other.
    #[inline]
    pub(crate) fn begin_turn(&self) {
        self.within_left.set(WITHIN_MAX);
        self.stack.set(stack_here());
    }

    /// How many turns were had within the one that began last.
    #[inline]
    pub(crate) fn turns_within(&self) -> u32 {
        WITHIN_MAX - self.within_left.get()
    }

    /// Whether any has ended within the turn of another, and was not [taken](Self::take_done) since.
    #[inline]
    pub(crate) fn has_done(&self) -> bool {
        // SAFETY: only the thread that runs it comes here, and never within itself.
        self.done.with_mut(|done| unsafe { !(*done).is_empty() })
    }

    /// Those that have ended within the turn of another. Their executor's hold is the caller's now.
    pub(crate) fn take_done(&self) -> Vec<NonNull<Task>> {
        // SAFETY: as for `has_done`.
        self.done
            .with_mut(|done| std::mem::take(unsafe { &mut *done }))
    }

    #[cold]
    fn is_done(&self, task: NonNull<Task>) {
        // SAFETY: as for `has_done`.
        self.done.with_mut(|done| unsafe { &mut *done }.push(task));
    }

    #[inline]
    fn run_next(&self, task: NonNull<Task>, home: &Home) {
        if let Some(other) = self.next.replace(Some(task)) {
            self.push(other);
            if !self.alone {
                home.offer();
            }
        }
    }

    /// The queue from which other threads may steal, if it is such a one.
    pub(crate) fn shared_queue(&self) -> Option<&Worker<Queued>> {
        match &self.queue {
            Queue::Own(_) => None,
            Queue::Shared(queue) => Some(queue),
        }
    }

    /// Puts a task last.
    #[inline]
    pub(crate) fn push(&self, task: NonNull<Task>) {
        match &self.queue {
            Queue::Own(queue) => queue.with_mut(|queue| {
                // SAFETY: only the thread that runs it comes here, and never within itself.
                unsafe { &mut *queue }.push_back(task);
            }),
            Queue::Shared(queue) => queue.push(Queued(task)),
        }
    }

    /// The task that was woken last, unless there is none.
    #[inline]
    pub(crate) fn take_next(&self) -> Option<NonNull<Task>> {
        self.next.take()
    }

    /// The task that has waited longest.
    #[inline]
    pub(crate) fn take_first(&self) -> Option<NonNull<Task>> {
        match &self.queue {
            // SAFETY: as for `push`.
            Queue::Own(queue) => queue.with_mut(|queue| unsafe { &mut *queue }.pop_front()),
            Queue::Shared(queue) => queue.pop().map(|Queued(task)| task),
        }
    }
}

#[cfg(not(loom))]
thread_local! {
    static LOCAL: Cell<*const Local> = const { Cell::new(ptr::null()) };
    /// The home of which this thread alone runs the tasks, or nowhere.
    static HOME: Cell<*const Home> = const { Cell::new(NOWHERE) };
    /// The home of the whole network of which this thread has suspended the bias for long.
    static SUSPENDED: Cell<*const Home> = const { Cell::new(ptr::null()) };
    /// Whether this thread runs tasks that have a scheduler of their own.
    static REHEARSED: Cell<bool> = const { Cell::new(false) };
}
/// No home is there, and it is not null.
const NOWHERE: *const Home = ptr::without_provenance(usize::MAX);
#[cfg(loom)]
loom::thread_local! {
    static LOCAL: Cell<*const Local> = Cell::new(ptr::null());
    static HOME: Cell<*const Home> = Cell::new(NOWHERE);
    static SUSPENDED: Cell<*const Home> = Cell::new(ptr::null());
}

/// The home of which this thread alone runs the tasks; it is not null, whatever it is.
#[inline]
pub(crate) fn home_of_this_thread() -> *const Home {
    #[cfg(not(loom))]
    return HOME.get();
    #[cfg(loom)]
    HOME.with(Cell::get)
}

/// Whether this thread runs tasks that have a scheduler of their own.
#[cfg(not(loom))]
#[inline]
pub(super) fn is_rehearsed() -> bool {
    REHEARSED.get()
}

#[inline]
fn local() -> *const Local {
    #[cfg(not(loom))]
    return LOCAL.get();
    #[cfg(loom)]
    LOCAL.with(Cell::get)
}

/// About where the stack of this thread is.
#[inline]
fn stack_here() -> usize {
    let here = std::mem::MaybeUninit::<u8>::uninit();
    std::hint::black_box(&raw const here).addr()
}

/// A task that this thread may run at once, in the middle of the turn of another: it is blocked, and at home here.
pub(crate) struct Within<'a> {
    task: NonNull<Task>,
    local: &'a Local,
}

impl Within<'_> {
    /// `None`: it waits for its turn.
    ///
    /// # Safety
    ///
    /// The task is alive, and stays so until it is woken or has run.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a few comparisons")]
    pub(crate) unsafe fn new(task: NonNull<Task>) -> Option<Self> {
        // SAFETY: by the caller's word.
        let alive = unsafe { task.as_ref() };
        let Way::Executor(home) = alive.way() else {
            return None;
        };
        if !home.runs_here_alone() || alive.status().state() != State::Blocked {
            return None;
        }
        let local = local();
        if local.is_null() {
            return None;
        }
        // SAFETY: what is set stays until it is unset by the thread that runs it.
        let local = unsafe { &*local };
        let used = local.stack.get().abs_diff(stack_here());
        (local.runs_within && local.within_left.get() > 0 && used < STACK_MAX)
            .then_some(Self { task, local })
    }

    /// Runs it for a turn.
    ///
    /// # Safety
    ///
    /// Nothing has happened since it was made that could have woken the task.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a call within a call within a call is more than processors foretell"
    )]
    pub(crate) unsafe fn run(self) {
        let Self { task, local } = self;
        local.within_left.set(local.within_left.get() - 1);
        // SAFETY: blocked, so it is alive; this thread alone runs the tasks of its home. What its executor holds is not
        // given up here.
        let held = std::mem::ManuallyDrop::new(unsafe { TaskRef::from_raw(task) });
        // SAFETY: as above.
        match unsafe { held.run(true) } {
            Turn::Blocked => {}
            Turn::Again => local.push(task),
            Turn::Done => local.is_done(task),
        }
    }
}

/// This thread runs the tasks of a home until it is dropped.
pub(crate) struct AtHome<'a> {
    before: *const Local,
    home_before: *const Home,
    #[cfg(not(loom))]
    was_rehearsed: bool,
    _local: &'a Local,
}

impl<'a> AtHome<'a> {
    pub(crate) fn new(local: &'a Local) -> Self {
        Self {
            before: LOCAL.with(|cell| cell.replace(local)),
            home_before: HOME
                .with(|cell| cell.replace(if local.alone { local.home } else { NOWHERE })),
            // SAFETY: whoever runs tasks keeps their home.
            #[cfg(not(loom))]
            was_rehearsed: REHEARSED.replace(unsafe { &*local.home }.is_rehearsed()),
            _local: local,
        }
    }
}

impl Drop for AtHome<'_> {
    fn drop(&mut self) {
        LOCAL.with(|cell| cell.set(self.before));
        HOME.with(|cell| cell.set(self.home_before));
        #[cfg(not(loom))]
        REHEARSED.set(self.was_rehearsed);
    }
}
