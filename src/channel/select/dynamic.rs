//! An alternation over a number of channels that is known only at run time.

use std::{
    cell::Cell,
    fmt,
    marker::PhantomData,
    pin::pin,
    time::{Duration, Instant},
};

use super::{
    super::{
        Receiver, Sender, Ticker,
        error::{RecvError, SendError},
    },
    Alternation, Choice, Receives, ReceivesBlocking, Sends, SendsBlocking,
    guard::{RecvGuard, SendGuard},
    list::{Element, Guards, Member, Nature},
    timing::{TickGuard, TimerGuard},
};
use crate::sync::time::deadline_after;

/// An alternation over a number of channels that is known only at run time; otherwise as
/// [`select!`](crate::select).
///
/// Each guard comes with a closure that makes of its outcome what the alternation returns. Exactly one guard
/// meets and only its closure runs, after every other guard has been left and its message is home.
///
/// ```
/// use handover::{channel, channel::Select};
///
/// let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| channel::<&str>()).unzip();
/// let guest = std::thread::spawn(move || senders[2].send("soup"));
/// let mut tables = Select::new();
/// for (table, orders) in receivers.iter().enumerate() {
///     tables = tables.recv(orders, move |order| (table, order));
/// }
/// assert_eq!(tables.block(), (2, Ok("soup")));
/// # assert!(guest.join().is_ok());
/// ```
///
/// Adding a guard allocates once. A guard that is not to be switched on is not added.
///
/// # In a network
///
/// A process selects over its ports with [`of_process`](Self::of_process), and awaits; a thread with
/// [`of_thread`](Self::of_thread), and blocks. The network sees all branches of the wait.
///
/// ```
/// use handover::{
///     channel::Select,
///     process::{In, Network, Out},
/// };
///
/// let mut net = Network::new("merge");
/// let (ports, all): (Vec<_>, Vec<_>) = (0..3).map(|n| net.channel::<u32>(&n.to_string())).unzip();
/// for (n, port) in ports.into_iter().enumerate() {
///     net.process(format!("source {n}"), port, async |numbers: &Out<u32>| {
///         Ok(numbers.send(7).await?)
///     });
/// }
/// net.process("merge", all, async |inputs: &Vec<In<u32>>| {
///     let mut open: Vec<&In<u32>> = inputs.iter().collect();
///     let mut sum = 0;
///     while !open.is_empty() {
///         let mut next = Select::of_process();
///         for (at, input) in open.iter().enumerate() {
///             next = next.recv(*input, move |number| (at, number));
///         }
///         match next.wait().await {
///             (_, Ok(number)) => sum += number,
///             (at, Err(_)) => drop(open.swap_remove(at)),
///         }
///     }
///     assert_eq!(sum, 21);
///     Ok(())
/// });
/// net.run()?;
/// # Ok::<(), handover::process::RunError>(())
/// ```
#[must_use = "an alternation does nothing until it is blocked on or awaited"]
pub struct Select<'a, R, Who = OfAnybody> {
    branches: Branches<'a, R>,
    choice: Choice,
    who: PhantomData<Who>,
}

/// What a [`Select`] is of: ends of channels, for a thread that blocks or a task that waits.
#[derive(Debug)]
pub enum OfAnybody {}

/// What a [`Select`] is of: the ports of a process, which waits and must not block.
#[derive(Debug)]
pub enum OfProcess {}

/// What a [`Select`] is of: the ports of a thread of a network, which blocks.
#[derive(Debug)]
pub enum OfThread {}

/// Whose thread may block.
#[doc(hidden)]
pub trait MayBlock {}
impl MayBlock for OfAnybody {}
impl MayBlock for OfThread {}

/// Who may be a task.
#[doc(hidden)]
pub trait MayWait {}
impl MayWait for OfAnybody {}
impl MayWait for OfProcess {}

impl<'a, R> Select<'a, R> {
    /// An alternation without guards, which is fair: among several guards that can meet, each has the same
    /// chance.
    pub fn new() -> Self {
        Self::empty()
    }

    /// Adds a guard that meets when a message was taken from `receiver`, `Ok(message)`, or when every sender is
    /// gone, `Err(RecvError)`.
    #[track_caller]
    pub fn recv<T: Send>(
        self,
        receiver: &'a Receiver<T>,
        then: impl FnOnce(Result<T, RecvError>) -> R + Send + 'a,
    ) -> Self {
        self.with(RecvGuard::at(receiver, true), then)
    }

    /// Adds a guard that offers the message that is in `home`, and meets when a receiver has taken it, `Ok(())`,
    /// or when the send failed, `Err(SendError<()>)`.
    ///
    /// Whenever the message was not taken, because the send failed or because another guard met, it is in `home`
    /// again when the alternation returns. With nothing in `home` the guard is switched off.
    #[track_caller]
    pub fn send<T: Send>(
        self,
        sender: &'a Sender<T>,
        home: &'a mut Option<T>,
        then: impl FnOnce(Result<(), SendError<()>>) -> R + Send + 'a,
    ) -> Self {
        self.with(SendGuard::at(sender, home, true), then)
    }
}

/// With the ports of a process, for which the network does not run anything else while it blocks.
impl<'a, R> Select<'a, R, OfProcess> {
    /// As [`new`](Select::new), over the ports of a process of a network, such as [`In`](crate::process::In) and
    /// [`Out`](crate::process::Out); it may wait at any other channel too.
    pub fn of_process() -> Self {
        Self::empty()
    }

    /// As [`recv`](Select::recv) of a channel, from a port of the process.
    #[track_caller]
    pub fn recv<P>(
        self,
        port: &'a P,
        then: impl FnOnce(Result<P::Message, RecvError>) -> R + Send + 'a,
    ) -> Self
    where
        P: Receives<Message: Send + 'a> + ?Sized,
    {
        self.with(RecvGuard::new(port, true), then)
    }

    /// As [`send`](Select::send) to a channel, to a port of the process.
    #[track_caller]
    pub fn send<P>(
        self,
        port: &'a P,
        home: &'a mut Option<P::Message>,
        then: impl FnOnce(Result<(), SendError<()>>) -> R + Send + 'a,
    ) -> Self
    where
        P: Sends<Message: Send + 'a> + ?Sized,
    {
        self.with(SendGuard::new(port, home, true), then)
    }
}

/// With the ports of a thread.
impl<'a, R> Select<'a, R, OfThread> {
    /// As [`new`](Select::new), over the ports of a thread of a network, [`BlockingIn`](crate::process::BlockingIn) and
    /// [`BlockingOut`](crate::process::BlockingOut); it may wait at any other channel too.
    pub fn of_thread() -> Self {
        Self::empty()
    }

    /// As [`recv`](Select::recv) of a channel, from a port of the thread.
    #[track_caller]
    pub fn recv<P>(
        self,
        port: &'a P,
        then: impl FnOnce(Result<P::Message, RecvError>) -> R + Send + 'a,
    ) -> Self
    where
        P: ReceivesBlocking<Message: Send + 'a> + ?Sized,
    {
        self.with(RecvGuard::blocking(port, true), then)
    }

    /// As [`send`](Select::send) to a channel, to a port of the thread.
    #[track_caller]
    pub fn send<P>(
        self,
        port: &'a P,
        home: &'a mut Option<P::Message>,
        then: impl FnOnce(Result<(), SendError<()>>) -> R + Send + 'a,
    ) -> Self
    where
        P: SendsBlocking<Message: Send + 'a> + ?Sized,
    {
        self.with(SendGuard::blocking(port, home, true), then)
    }
}

/// Whoever waits.
impl<'a, R, Who> Select<'a, R, Who> {
    fn empty() -> Self {
        Self {
            branches: Branches {
                all: Vec::new(),
                nature: Nature::RECEIVE,
            },
            choice: Choice::Fair,
            who: PhantomData,
        }
    }

    /// Prefers, among several guards that can meet, the one that was added first.
    pub fn biased(mut self) -> Self {
        self.choice = Choice::Biased;
        self
    }

    /// Adds a guard that meets once `duration` has passed since it was added. What follows gets the instant at
    /// which it was due. Where the clock cannot tell that far ahead (centuries), it never meets.
    pub fn after(self, duration: Duration, then: impl FnOnce(Instant) -> R + Send + 'a) -> Self {
        self.with(TimerGuard::after(duration, true), then)
    }

    /// Adds a guard that meets once the clock has come to `instant`. What follows gets that instant.
    ///
    /// It competes as every guard does. To end the whole alternation whatever else can meet at that moment, there
    /// is [`block_deadline`](Self::block_deadline).
    pub fn at(self, instant: Instant, then: impl FnOnce(Instant) -> R + Send + 'a) -> Self {
        self.with(TimerGuard::at(instant, true), then)
    }

    /// Adds a guard that meets the next tick of `ticker`. What follows gets the instant at which that was due.
    pub fn tick(self, ticker: &'a Ticker, then: impl FnOnce(Instant) -> R + Send + 'a) -> Self {
        self.with(TickGuard::new(ticker, true), then)
    }

    fn with<G: Element + Send + 'a>(
        mut self,
        guard: G,
        then: impl FnOnce(G::Outcome) -> R + Send + 'a,
    ) -> Self
    where
        G::Outcome: Send + 'a,
    {
        self.branches.nature = self.branches.nature.and(G::NATURE);
        self.branches.all.push(Box::new(Branching {
            guard,
            then: Cell::new(Some(then)),
        }));
        self
    }

    /// Meets on a guard that can meet at this moment, if there is one. Does not block.
    #[must_use = "what was met is in it"]
    pub fn now(self) -> Option<R> {
        let met = {
            let alternation = pin!(Alternation::new(self.branches, self.choice));
            alternation.now()
        };
        met.map(Met::into_result)
    }
}

/// Waiting, as a thread.
impl<R, Who: MayBlock> Select<'_, R, Who> {
    /// Blocks the thread until a guard has met. Without a guard it blocks for ever.
    #[expect(
        clippy::must_use_candidate,
        reason = "it is waited for, whatever comes of it"
    )]
    pub fn block(self) -> R {
        match self.block_until(None) {
            Some(result) => result,
            None => unreachable!("there is no deadline"),
        }
    }

    /// Blocks the thread for at most `timeout`. `None` says that no guard has met, and none will.
    #[must_use = "what was met is in it"]
    pub fn block_timeout(self, timeout: Duration) -> Option<R> {
        self.block_until(deadline_after(timeout))
    }

    /// Blocks the thread until `deadline` at most. `None` says that no guard has met, and none will.
    #[must_use = "what was met is in it"]
    pub fn block_deadline(self, deadline: Instant) -> Option<R> {
        self.block_until(Some(deadline))
    }

    fn block_until(self, deadline: Option<Instant>) -> Option<R> {
        let met = {
            let alternation = pin!(Alternation::new(self.branches, self.choice));
            alternation.block(deadline)
        };
        met.map(Met::into_result)
    }
}

/// Waiting, as a task.
impl<R, Who: MayWait> Select<'_, R, Who> {
    /// Waits without blocking the thread, on any executor, until a guard has met.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped while it waits, no message was taken, and every message that was offered is in
    /// its `home` again, unless a receiver had taken or accepted it.
    pub async fn wait(self) -> R {
        let met = Alternation::new(self.branches, self.choice).await;
        met.into_result()
    }
}

impl<R> Default for Select<'_, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Select<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("guards", &self.branches.all.len())
            .field("choice", &self.choice)
            .finish_non_exhaustive()
    }
}

/// A guard that has met: what is left to do once the alternation, and so every other guard, is gone.
pub struct Met<'a, R>(Box<dyn FnOnce() -> R + Send + 'a>);

impl<R> Met<'_, R> {
    fn into_result(self) -> R {
        (self.0)()
    }
}

/// A guard, and what follows when it meets.
trait Branch<'a, R> {
    fn member(&self) -> Member<'_>;
    fn met(&self) -> Met<'a, R>;
}

struct Branching<G, F> {
    guard: G,
    then: Cell<Option<F>>,
}

impl<'a, G, F, R> Branch<'a, R> for Branching<G, F>
where
    G: Element,
    G::Outcome: Send + 'a,
    F: FnOnce(G::Outcome) -> R + Send + 'a,
{
    fn member(&self) -> Member<'_> {
        self.guard.member()
    }

    fn met(&self) -> Met<'a, R> {
        let outcome = self.guard.outcome();
        let Some(then) = self.then.take() else {
            unreachable!("an alternation meets once")
        };
        Met(Box::new(move || then(outcome)))
    }
}

struct Branches<'a, R> {
    all: Vec<Box<dyn Branch<'a, R> + Send + 'a>>,
    nature: Nature,
}

// SAFETY: the guards are on the heap, each in a box of its own, and none is exchanged.
unsafe impl<'a, R> Guards for Branches<'a, R> {
    type Output = Met<'a, R>;

    fn nature(&self) -> Nature {
        self.nature
    }

    fn count(&self) -> usize {
        self.all.len()
    }

    fn member(&self, index: usize) -> Member<'_> {
        self.all[index].member()
    }

    fn output(&self, index: usize) -> Met<'a, R> {
        self.all[index].met()
    }
}
