//! A task that the channels know: it is woken without a clone of its waker, and one can see from outside whether it
//! runs, and for how many waiters of its own it is blocked.
//!
//! A process of a network is such a task, run by an executor of ours; so is a thread that belongs to a network, and
//! a future that somebody else's executor polls.
//!
//! # Invariants
//!
//! - `status` says `BLOCKED` only while nobody polls the task, and nobody who has woken it has been heard of: a wake
//!   makes it `SCHEDULED` (or sets `injected`) before the handle that was used for it is given up.
//! - Each poll is a *turn* with a number of its own. What was seen of a task that was blocked in the same turn, before
//!   and after, held all the time between.
//! - `waits` is written only by whoever runs the task: it is how many waiters hang in lists of channels with a lent
//!   handle of it. One whose waiters are found to be fewer has been claimed by a peer that has not woken it yet. Who
//!   gives such a waiter up elsewhere, because it was moved there, counts it in `given_back` instead.
//! - A task stays allocated while such a waiter is left, even one that was moved out of it or forgotten: when it ends
//!   it is held until the last of them is given back.
//! - `holders` counts the executor, the registry, and every live clone of the waker: while there are more than the
//!   first two, somebody else may wake the task.

use std::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    pin::Pin,
    ptr::{self, NonNull},
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
};

use super::{
    Arc, AtomicBool, AtomicU32, AtomicUsize, Mutex, Ordering, UnsafeCell, home::Home,
    thread::Thread,
};

/// What a task is doing, as its status word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum State {
    /// Nobody polls it, and nobody has woken it.
    Blocked = 0,
    /// It will be polled.
    Scheduled = 1,
    Running = 2,
    /// It is being polled, and was woken meanwhile.
    RunningWoken = 3,
    /// A thread that is blocked until an instant at most.
    Timed = 4,
    Done = 5,
}

/// Bits of the status word that hold the state; the others count the turns.
const STATE_BITS: u32 = 3;
const STATE_MASK: usize = (1 << STATE_BITS) - 1;
const TURN: usize = 1 << STATE_BITS;

impl State {
    #[inline]
    fn of(status: usize) -> Self {
        match status & STATE_MASK {
            0 => Self::Blocked,
            1 => Self::Scheduled,
            2 => Self::Running,
            3 => Self::RunningWoken,
            4 => Self::Timed,
            _ => Self::Done,
        }
    }
}

/// How a task gets to run once it was woken.
pub(crate) enum Way {
    /// An executor of ours polls it.
    Executor(Arc<Home>),
    /// It is a thread.
    Thread(Thread),
    /// Somebody else's executor polls it, and has left this waker.
    Attached(Box<Mutex<Option<Waker>>>),
}

/// The fields stand in the order in which a turn needs them, and fill one cache line, if it begins there.
#[repr(C)]
pub(crate) struct Task {
    /// Written only by [`settle`](TaskRef::settle).
    way: std::cell::UnsafeCell<Way>,
    operations: &'static Operations,
    status: AtomicUsize,
    holders: AtomicUsize,
    /// The next in the list of those that were woken from elsewhere; belongs to the list's lock.
    link: UnsafeCell<Option<NonNull<Task>>>,
    waits: AtomicU32,
    /// How many of them were given up by others than the task. Once the task has ended: less those that it had then,
    /// so that the last one makes it zero.
    given_back: AtomicU32,
    /// Its place in the registry of its network.
    id: u32,
    /// Whether it hangs in that list.
    injected: AtomicBool,
}

// SAFETY: what is not atomic belongs to a lock (`link`) or never changes while anybody looks; the future behind it is `Send`, and is
// polled and dropped by one executor at a time.
unsafe impl Send for Task {}
// SAFETY: as above.
unsafe impl Sync for Task {}

/// What can be done with the future behind a task, whatever it is.
struct Operations {
    poll: unsafe fn(NonNull<Task>, &mut Context<'_>) -> Poll<()>,
    clear: unsafe fn(NonNull<Task>),
    free: unsafe fn(NonNull<Task>),
}

/// A task with its future, in one allocation.
#[repr(C)]
struct Whole<F> {
    task: Task,
    future: UnsafeCell<Option<F>>,
}

impl<F: Future<Output = ()>> Whole<F> {
    const OPERATIONS: Operations = Operations {
        poll: Self::poll,
        clear: Self::clear,
        free: Self::free,
    };

    /// # Safety
    ///
    /// The task is the first field of a `Self` that is alive, and nobody else polls or drops its future meanwhile.
    unsafe fn poll(task: NonNull<Task>, context: &mut Context<'_>) -> Poll<()> {
        let whole = task.cast::<Self>();
        // SAFETY: alive, by the caller's word; the task is its first field, and nobody else has the future.
        let whole = unsafe { whole.as_ref() };
        whole.future.with_mut(|future| {
            // SAFETY: as above.
            match unsafe { &mut *future } {
                // SAFETY: it stands on the heap and is dropped where it is.
                Some(future) => unsafe { Pin::new_unchecked(future) }.poll(context),
                None => Poll::Ready(()),
            }
        })
    }

    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    unsafe fn clear(task: NonNull<Task>) {
        let whole = task.cast::<Self>();
        // SAFETY: as for `poll`.
        let whole = unsafe { whole.as_ref() };
        whole.future.with_mut(|future| {
            // SAFETY: as for `poll`. The place is emptied even if the destructor panics.
            unsafe { *future = None };
        });
    }

    /// # Safety
    ///
    /// The task is the first field of a `Self` that was allocated as a box, and nobody refers to it any more.
    unsafe fn free(task: NonNull<Task>) {
        // SAFETY: allocated as a box of this type, and nobody refers to it any more.
        drop(unsafe { Box::from_raw(task.cast::<Self>().as_ptr()) });
    }
}

/// A hold on a task: it stays allocated while there is one.
pub(crate) struct TaskRef(NonNull<Task>);

// SAFETY: a task may be reached from any thread.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl Deref for TaskRef {
    type Target = Task;

    #[inline]
    fn deref(&self) -> &Task {
        // SAFETY: alive while there is a holder.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        self.hold();
        Self(self.0)
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        if super::run_is_over() {
            return;
        }
        // SAFETY: this holder is given up, and not used again.
        unsafe { let_go(self.0) };
    }
}

impl TaskRef {
    /// A task whose future is polled by an executor at `home`; it counts as blocked, in turn 0, until it is scheduled.
    pub(crate) fn of_process<F>(id: u32, home: Arc<Home>, future: F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::allocate(id, Way::Executor(home), Some(future), State::Blocked)
    }

    /// A task that stands for the thread `thread`.
    pub(crate) fn of_thread(id: u32, thread: Thread) -> Self {
        let none: Option<std::future::Pending<()>> = None;
        Self::allocate(id, Way::Thread(thread), none, State::Running)
    }

    /// A task that stands for a future which somebody else polls.
    pub(crate) fn of_attached(id: u32) -> Self {
        let none: Option<std::future::Pending<()>> = None;
        Self::allocate(
            id,
            Way::Attached(Box::new(Mutex::new(None))),
            none,
            State::Scheduled,
        )
    }

    fn allocate<F>(id: u32, way: Way, future: Option<F>, state: State) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let whole = Box::new(Whole {
            task: Task {
                status: AtomicUsize::new(state as usize),
                holders: AtomicUsize::new(1),
                waits: AtomicU32::new(0),
                given_back: AtomicU32::new(0),
                injected: AtomicBool::new(false),
                id,
                link: UnsafeCell::new(None),
                way: std::cell::UnsafeCell::new(way),
                operations: const { &Whole::<F>::OPERATIONS },
            },
            future: UnsafeCell::new(future),
        });
        Self(NonNull::from(Box::leak(whole)).cast())
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> NonNull<Task> {
        self.0
    }

    /// Gives the hold away as an address; [`from_raw`](Self::from_raw) takes it back.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<Task> {
        ManuallyDrop::new(self).0
    }

    /// # Safety
    ///
    /// The address comes from [`into_raw`](Self::into_raw), and is taken back once.
    #[inline]
    pub(crate) unsafe fn from_raw(task: NonNull<Task>) -> Self {
        Self(task)
    }

    /// The task of a process that has not begun: it will be run at `home`.
    ///
    /// # Safety
    ///
    /// It was not scheduled yet, so nobody can wake or poll it; and nobody asks for its [home](Task::home) meanwhile.
    pub(crate) unsafe fn settle(&self, home: Arc<Home>) {
        debug_assert_eq!(
            self.status.load(Ordering::Relaxed),
            State::Blocked as usize,
            "in turn 0"
        );
        // SAFETY: whoever looks where it is run has its waker, runs it, or asks for its home.
        let way = unsafe { &mut *self.way.get() };
        *way = Way::Executor(home);
    }

    /// Schedules a new task for the first time.
    pub(crate) fn begin(&self) {
        // SAFETY: held, by the reference.
        unsafe { Task::wake(self.0) };
    }

    /// Polls the task for one turn, as the task that this thread runs. `local` says that no other thread may write
    /// the status meanwhile, so plain stores are enough. Returns whether it must be scheduled again.
    ///
    /// The future contains its own panics: this may be in the middle of the turn of another.
    ///
    /// # Safety
    ///
    /// The task is scheduled, and nobody else polls it or drops its future meanwhile.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is one call, with what goes before and after"
    )]
    pub(crate) unsafe fn run(&self, local: bool) -> Turn {
        self.begin_turn(local);
        let entered = Entered::as_task(self.0);
        // SAFETY: the handle is not dropped, so it counts as no holder; the task is alive meanwhile.
        let waker = ManuallyDrop::new(unsafe { counted(self.0) });
        let mut context = Context::from_waker(&waker);
        // SAFETY: by the caller's word.
        let polled = unsafe { (self.operations.poll)(self.0, &mut context) };
        drop(entered);
        match polled {
            Poll::Ready(()) => Turn::Done,
            Poll::Pending if Task::end_turn(&self.status, local) => Turn::Again,
            Poll::Pending => Turn::Blocked,
        }
    }

    /// Drops the future where it is, as the task that this thread runs, and marks the task as done. Runs foreign
    /// code.
    ///
    /// # Safety
    ///
    /// Nobody polls the task, or will.
    pub(crate) unsafe fn finish(&self) {
        // Even if a destructor panics.
        let _lent = LentUntilGivenBack(self);
        let _entered = Entered::as_task(self.0);
        self.status.store(
            (self.status.load(Ordering::Relaxed) & !STATE_MASK) | State::Done as usize,
            Ordering::Release,
        );
        // SAFETY: by the caller's word.
        unsafe { (self.operations.clear)(self.0) };
    }
}

/// When it is dropped, the task lends no handle any more, and is held until all that it has lent are given back.
#[must_use = "it is to be dropped after all that the task owns"]
pub(crate) struct LentUntilGivenBack<'a>(pub(crate) &'a TaskRef);

impl Drop for LentUntilGivenBack<'_> {
    fn drop(&mut self) {
        let task = self.0;
        let lent = task.waits.load(Ordering::Relaxed);
        if lent == 0 || super::run_is_over() {
            return;
        }
        task.hold();
        if task.given_back.fetch_sub(lent, Ordering::AcqRel) == lent {
            // SAFETY: the hold of the line above, which nobody else gives up: all were given back before.
            unsafe { let_go(task.0) };
        }
    }
}

/// What became of one turn of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Blocked,
    /// It was woken meanwhile, and is scheduled.
    Again,
    Done,
}

impl Task {
    #[inline]
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    #[inline]
    pub(super) fn way(&self) -> &Way {
        // SAFETY: it does not change while anybody looks, by the word of whoever settles it.
        unsafe { &*self.way.get() }
    }

    /// Where an executor of ours runs it, if one does.
    #[inline]
    pub(crate) fn home(&self) -> Option<&Arc<Home>> {
        match self.way() {
            Way::Executor(home) => Some(home),
            Way::Thread(_) | Way::Attached(_) => None,
        }
    }

    /// The status word: its turn and its state.
    #[inline]
    pub(crate) fn status(&self) -> Status {
        Status(self.status.load(Ordering::Acquire))
    }

    /// How many waiters of its own hang with a lent handle of it.
    #[inline]
    pub(crate) fn waits(&self) -> usize {
        let counted = self.waits.load(Ordering::Acquire);
        counted.wrapping_sub(self.given_back.load(Ordering::Acquire)) as usize
    }

    /// How many hold it: its executor, its registry, and every clone of its waker.
    #[inline]
    pub(crate) fn holders(&self) -> usize {
        self.holders.load(Ordering::Acquire)
    }

    /// Whether it was woken from elsewhere and its executor has not heard of it yet.
    #[inline]
    pub(crate) fn is_injected(&self) -> bool {
        self.injected.load(Ordering::Acquire)
    }

    /// Says that it hangs in the list of those woken from elsewhere; returns whether it did already.
    #[inline]
    pub(crate) fn set_injected(&self) -> bool {
        self.injected.swap(true, Ordering::AcqRel)
    }

    /// After it was taken off that list and scheduled. A swap, and not a store: whoever found it set meanwhile has
    /// left something for the next poll to see.
    #[inline]
    pub(crate) fn clear_injected(&self) {
        self.injected.swap(false, Ordering::AcqRel);
    }

    /// The next in that list.
    ///
    /// # Safety
    ///
    /// The caller holds the list's lock.
    #[inline]
    pub(crate) unsafe fn link<R>(&self, access: impl FnOnce(&mut Option<NonNull<Task>>) -> R) -> R {
        self.link.with_mut(|link| {
            // SAFETY: by the caller's word.
            access(unsafe { &mut *link })
        })
    }

    #[inline]
    pub(super) fn hold(&self) {
        // `Relaxed`: whoever holds it already keeps it alive.
        self.holders.fetch_add(1, Ordering::Relaxed);
    }

    /// A waiter of this task, which is running, hangs in a list of a channel now.
    #[inline]
    pub(crate) fn count_waits(&self, more: u32) {
        let waits = self.waits.load(Ordering::Relaxed);
        self.waits.store(waits + more, Ordering::Relaxed);
    }

    /// Such a waiter hangs there no more, and the task knows.
    #[inline]
    pub(crate) fn uncount_waits(&self, fewer: u32) {
        let waits = self.waits.load(Ordering::Relaxed);
        debug_assert!(waits >= fewer, "what was not counted is not uncounted");
        self.waits.store(waits - fewer, Ordering::Relaxed);
    }

    /// So many of its waiters, which were moved elsewhere, hang with a lent handle no more.
    ///
    /// # Safety
    ///
    /// They were counted, and the caller does not use what was lent again: the task may be gone afterwards.
    #[cold]
    unsafe fn give_back(task: NonNull<Self>, fewer: u32) {
        // SAFETY: alive while what was lent is counted.
        let given_back = unsafe { &(*task.as_ptr()).given_back };
        let before = given_back.fetch_add(fewer, Ordering::AcqRel);
        if before.wrapping_add(fewer) == 0 {
            // SAFETY: the task has ended, and is held until now for what it had lent.
            unsafe { let_go(task) };
        }
    }

    #[inline]
    fn begin_turn(&self, local: bool) {
        let status = self.status.load(Ordering::Relaxed);
        let running = ((status & !STATE_MASK) + TURN) | State::Running as usize;
        if local {
            self.status.store(running, Ordering::Release);
        } else {
            // Sees what whoever scheduled it did before.
            self.status.swap(running, Ordering::AcqRel);
        }
    }

    /// Returns whether it was woken meanwhile; then it is scheduled. Otherwise another thread may have run the task to
    /// its end before this returns: so it is reached by its status word alone.
    #[inline]
    fn end_turn(word: &AtomicUsize, local: bool) -> bool {
        let status = word.load(Ordering::Relaxed);
        let turn = status & !STATE_MASK;
        if local {
            let is_woken = State::of(status) == State::RunningWoken;
            let state = if is_woken {
                State::Scheduled
            } else {
                State::Blocked
            };
            word.store(turn | state as usize, Ordering::Release);
            return is_woken;
        }
        let blocked = turn | State::Blocked as usize;
        let was_running = word.compare_exchange(
            turn | State::Running as usize,
            blocked,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if was_running.is_ok() {
            return false;
        }
        word.store(turn | State::Scheduled as usize, Ordering::Release);
        true
    }

    /// Notes a wake. Returns whether the caller must see to it that the task is polled. `local`: as for
    /// [`run`](TaskRef::run).
    #[inline]
    pub(crate) fn note_wake(&self, local: bool) -> bool {
        if local {
            let status = self.status.load(Ordering::Relaxed);
            let turn = status & !STATE_MASK;
            return match State::of(status) {
                State::Blocked => {
                    self.status
                        .store(turn | State::Scheduled as usize, Ordering::Release);
                    true
                }
                State::Running => {
                    self.status
                        .store(turn | State::RunningWoken as usize, Ordering::Release);
                    false
                }
                _ => false,
            };
        }
        let mut status = self.status.load(Ordering::Relaxed);
        loop {
            let (next, must_run) = match State::of(status) {
                State::Blocked => (State::Scheduled, true),
                State::Running => (State::RunningWoken, false),
                // Written nevertheless: whoever polls it next sees what was done before this wake.
                other => (other, false),
            };
            match self.status.compare_exchange_weak(
                status,
                (status & !STATE_MASK) | next as usize,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return must_run,
                Err(now) => status = now,
            }
        }
    }

    /// A thread that is about to block, for a time that ends by itself or not.
    pub(crate) fn block(&self, timed: bool) {
        let state = if timed { State::Timed } else { State::Blocked };
        let turn = (self.status.load(Ordering::Relaxed) & !STATE_MASK) + TURN;
        self.status.store(turn | state as usize, Ordering::Release);
    }

    /// A thread that has blocked runs on.
    pub(crate) fn unblock(&self) {
        let turn = self.status.load(Ordering::Relaxed) & !STATE_MASK;
        self.status
            .store(turn | State::Running as usize, Ordering::Release);
    }

    /// An attached task will not be polled any more.
    pub(crate) fn forget_outer_waker(&self) {
        if let Way::Attached(outer) = self.way() {
            let waker = outer.lock().take();
            drop(waker);
        }
    }

    /// Wakes the task. It is named by its address, from which all of it can be reached: by a reference, only this part.
    ///
    /// # Safety
    ///
    /// It is alive for as long as this takes.
    #[inline]
    pub(crate) unsafe fn wake(this: NonNull<Self>) {
        // SAFETY: by the caller's word.
        let task = unsafe { this.as_ref() };
        match task.way() {
            // SAFETY: by the caller's word.
            Way::Executor(home) => unsafe { home.wake(this) },
            Way::Thread(thread) => thread.unpark(),
            Way::Attached(outer) => {
                if task.note_wake(false) {
                    let waker = outer.lock().take();
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                }
            }
        }
    }
}

/// A status word as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status(usize);

impl Status {
    pub(crate) fn state(self) -> State {
        State::of(self.0)
    }

    /// How many turns it has begun.
    pub(crate) fn turn(self) -> usize {
        self.0 >> STATE_BITS
    }
}

/// `task` does not wait with so many of its waiters any more.
///
/// # Safety
///
/// They were counted for it, and have a handle of it no more.
#[inline]
pub(crate) unsafe fn uncount(task: NonNull<Task>, fewer: u32) {
    if current() == Some(task) {
        // SAFETY: it runs, so it is alive.
        unsafe { task.as_ref() }.uncount_waits(fewer);
    } else if fewer > 0 {
        // SAFETY: by the caller's word.
        unsafe { Task::give_back(task, fewer) };
    }
}

/// Gives one hold up.
///
/// # Safety
///
/// It was the caller's, who does not use it again.
unsafe fn let_go(task: NonNull<Task>) {
    // SAFETY: alive until this hold is given up.
    let holders = unsafe { &task.as_ref().holders };
    if holders.fetch_sub(1, Ordering::Release) == 1 {
        // Sees all that the others did before they let go.
        holders.load(Ordering::Acquire);
        // SAFETY: nobody refers to it any more.
        let free = unsafe { task.as_ref().operations.free };
        // SAFETY: as above.
        unsafe { free(task) };
    }
}

// ---- Wakers ----

/// The vtable of a waker that counts as a holder.
pub(super) static COUNTED: RawWakerVTable =
    RawWakerVTable::new(clone, wake, wake_by_ref, let_go_of);
/// The vtable of a handle that was lent to a waiter of the task's own: it counts as none, and its clone does.
pub(super) static LENT: RawWakerVTable =
    RawWakerVTable::new(clone, wake_by_ref, wake_by_ref, |_| {});

pub(super) fn address(data: *const ()) -> NonNull<Task> {
    // SAFETY: our wakers are made from addresses of tasks.
    unsafe { NonNull::new_unchecked(data.cast_mut().cast()) }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: whoever has the waker keeps the task alive.
    unsafe { address(data).as_ref() }.hold();
    RawWaker::new(data, &COUNTED)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: as above. The hold is given up after the task was scheduled.
    unsafe { wake_by_ref(data) };
    // SAFETY: the waker is used up.
    unsafe { let_go(address(data)) };
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: whoever has the waker keeps the task alive.
    unsafe { Task::wake(address(data)) };
}

unsafe fn let_go_of(data: *const ()) {
    // SAFETY: the waker is used up.
    unsafe { let_go(address(data)) };
}

/// A waker that counts as a holder, without counting it.
///
/// # Safety
///
/// The caller counts it, or never drops it and keeps the task alive.
#[inline]
pub(super) unsafe fn counted(task: NonNull<Task>) -> Waker {
    // SAFETY: the vtable's functions are those of a task.
    unsafe { Waker::from_raw(RawWaker::new(task.as_ptr().cast(), &COUNTED)) }
}

#[inline]
pub(super) fn is_lent(waker: &Waker) -> bool {
    ptr::eq(waker.vtable(), &raw const LENT)
}

// ---- The task that this thread runs ----

#[cfg(not(loom))]
thread_local! {
    static CURRENT: std::cell::Cell<Option<NonNull<Task>>> = const { std::cell::Cell::new(None) };
}
#[cfg(loom)]
loom::thread_local! {
    static CURRENT: std::cell::Cell<Option<NonNull<Task>>> = std::cell::Cell::new(None);
}

/// The task that this thread runs.
#[inline]
pub(crate) fn current() -> Option<NonNull<Task>> {
    #[cfg(not(loom))]
    return CURRENT.get();
    #[cfg(loom)]
    CURRENT.with(std::cell::Cell::get)
}

/// Tells a task from all others for as long as it lives. It may outlive the task, and does not lead to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskId {
    address: NonNull<Task>,
    number: u32,
}

impl TaskId {
    /// Its place in the registry of its network.
    pub(crate) fn number(self) -> u32 {
        self.number
    }

    pub(crate) fn is_of(self, task: &TaskRef) -> bool {
        self.address == task.0 && self.number == task.id
    }
}

/// The task that this thread runs, by what tells it from others.
pub(crate) fn current_id() -> Option<TaskId> {
    current().map(|address| TaskId {
        address,
        // SAFETY: it runs, so it is alive.
        number: unsafe { address.as_ref() }.id,
    })
}

/// This thread runs as a task until it is dropped; then as what it ran as before.
pub(crate) struct Entered<'a> {
    before: Option<NonNull<Task>>,
    _alive: PhantomData<&'a TaskRef>,
}

impl<'a> Entered<'a> {
    pub(crate) fn new(task: &'a TaskRef) -> Self {
        Self::as_task(task.0)
    }

    #[inline]
    fn as_task(task: NonNull<Task>) -> Self {
        let before = CURRENT.with(|current| current.replace(Some(task)));
        Self {
            before,
            _alive: PhantomData,
        }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.before));
    }
}

/// Says that this thread, if it is one of a network, blocks until the returned value is dropped.
#[inline]
pub(crate) fn blocked(timed: bool) -> Option<BlockedThread> {
    let task = current()?;
    // SAFETY: alive while this thread runs as it.
    let alive = unsafe { task.as_ref() };
    // A process that blocks its thread is no thread of the network: it runs.
    if !matches!(alive.way(), Way::Thread(_)) {
        #[cfg(not(loom))]
        super::schedule::is_about_to_block();
        return None;
    }
    alive.block(timed);
    Some(BlockedThread(task))
}

pub(crate) struct BlockedThread(NonNull<Task>);

impl Drop for BlockedThread {
    fn drop(&mut self) {
        // SAFETY: alive while this thread runs as it.
        unsafe { self.0.as_ref() }.unblock();
    }
}

/// Has a future polled, by somebody else's executor, as the task `task`: its waits are visible then.
pub(crate) fn poll_attached<F: Future + ?Sized>(
    task: &TaskRef,
    future: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<F::Output> {
    if let Way::Attached(outer) = task.way() {
        let fresh = context.waker().clone();
        let old = outer.lock().replace(fresh);
        drop(old);
    }
    task.begin_turn(false);
    let entered = Entered::new(task);
    // SAFETY: the handle is not dropped, so it counts as no holder; the task is alive meanwhile.
    let waker = ManuallyDrop::new(unsafe { counted(task.0) });
    let polled = future.poll(&mut Context::from_waker(&waker));
    drop(entered);
    if polled.is_pending()
        && Task::end_turn(&task.status, false)
        && let Way::Attached(outer) = task.way()
    {
        let waker = outer.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
    polled
}
