//! One message on its way to all subscribers.
//!
//! The wait is for all of them, not for one of several, so it is no alternation: each subscriber has its own send, and
//! they wait side by side. A send is entered into its channel once, and keeps its place there.
//!
//! # Invariants
//!
//! - While a subscriber's stage is open and nothing is waited for, the message is at home.
//! - While it is waited for, each subscriber whose stage is open has its offer, and each offer its copy.

use std::{
    fmt,
    pin::{Pin, pin},
    sync::Arc as SharedName,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{Broadcast, BroadcastError, Member, Missed, Partial, Register};
use crate::{
    channel::{SendError, SendFuture, SendTimeoutError},
    sync::{drive, time},
};

/// How far a message has come with one subscriber.
enum Stage {
    /// It has neither taken nor refused its copy.
    Open,
    Taken,
    /// It has left without its copy.
    Gone,
    /// Its send failed though it is there.
    Failed(SendError<()>),
}

/// A message on its way to those who were subscribers when it began. Made by [`Broadcast::begin`].
///
/// It can be waited for in steps, and looked at in between. While nobody waits for it, nobody can take a copy.
///
/// ```
/// use std::time::Duration;
///
/// use handover::pattern::broadcast;
///
/// let (mut news, subscribers) = broadcast::<&str>();
/// let (quick, slow) = (subscribers.subscribe_as("quick"), subscribers.subscribe_as("slow"));
/// let reader = std::thread::spawn(move || quick.recv());
///
/// let mut delivery = news.begin("rain");
/// while delivery.taken() == 0 {
///     assert!(!delivery.wait_timeout(Duration::from_millis(10)));
/// }
/// assert_eq!(delivery.waiting_for().collect::<Vec<_>>(), ["slow"]);
///
/// let late = std::thread::spawn(move || slow.recv());
/// delivery.wait(); // goes on with the rest; nobody gets it twice
/// assert_eq!(delivery.finish()?, 2);
/// # for thread in [reader, late] { assert_eq!(thread.join().expect("it ends").ok(), Some("rain")); }
/// # Ok::<(), handover::pattern::BroadcastError<&str>>(())
/// ```
///
/// Dropping it drops the message; who has taken a copy keeps it.
#[must_use = "a delivery offers nothing unless it is waited for"]
pub struct Delivery<'a, T> {
    broadcast: &'a mut Broadcast<T>,
    /// One for each member, in their order.
    stages: Vec<Stage>,
    /// The message, or a copy that came back.
    home: Option<T>,
}

impl<'a, T> Delivery<'a, T> {
    pub(super) fn new(broadcast: &'a mut Broadcast<T>, message: T) -> Self {
        let stages = broadcast.members.iter().map(|_| Stage::Open).collect();
        Self {
            broadcast,
            stages,
            home: Some(message),
        }
    }

    /// How many subscribers have taken their copy.
    #[must_use]
    pub fn taken(&self) -> usize {
        let taken = |stage: &&Stage| matches!(stage, Stage::Taken);
        self.stages.iter().filter(taken).count()
    }

    /// Who has neither taken its copy nor left.
    pub fn waiting_for(&self) -> impl Iterator<Item = &str> {
        open(&self.broadcast.members, &self.stages).map(|member| &*member.name)
    }

    /// Ends the delivery, and says how many have taken a copy: all subscribers, and at least one.
    ///
    /// # Errors
    ///
    /// [`BroadcastError`], with the message. Whoever is still waited for is named in it, and will not get it.
    ///
    /// # Panics
    ///
    /// If a future of [`wait_async`](Self::wait_async) was leaked ([`std::mem::forget`]), and the message with it.
    pub fn finish(mut self) -> Result<usize, BroadcastError<T>> {
        let taken = self.taken();
        let missed: Vec<_> = self
            .broadcast
            .members
            .iter()
            .zip(&mut self.stages)
            .filter_map(|(member, stage)| {
                let why = match std::mem::replace(stage, Stage::Taken) {
                    Stage::Taken => return None,
                    Stage::Gone => {
                        *stage = Stage::Gone;
                        return None;
                    }
                    Stage::Open => SendTimeoutError::Timeout(()),
                    Stage::Failed(error) => error.into(),
                };
                let name = SharedName::clone(&member.name);
                Some(Missed { name, why })
            })
            .collect();
        if missed.is_empty() && taken > 0 {
            return Ok(taken);
        }
        let message = self
            .home
            .take()
            .expect("a message that not all have taken is at home, unless a future was leaked");
        Err(if missed.is_empty() {
            BroadcastError::Nobody(message)
        } else {
            BroadcastError::Partial(Partial {
                message,
                taken,
                missed,
            })
        })
    }
}

impl<T: Clone> Delivery<'_, T> {
    /// Offers a copy to everybody who has none, and blocks the thread until nobody is left who could take it, or one
    /// is found poisoned: then nobody else is waited for.
    ///
    /// # Panics
    ///
    /// If `T::clone` panics.
    pub fn wait(&mut self) {
        let _ = drive(pin!(self.wait_async()), None);
    }

    /// As [`wait`](Self::wait), for at most `timeout`. Returns whether the wait is over.
    ///
    /// # Panics
    ///
    /// As for [`wait`](Self::wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> bool {
        // `None`, which waits for ever, if the clock cannot tell that far ahead.
        let deadline = time::now().checked_add(timeout);
        drive(pin!(self.wait_async()), deadline).is_some()
    }

    /// As [`wait_timeout`](Self::wait_timeout), until `deadline` at most.
    ///
    /// # Panics
    ///
    /// As for [`wait`](Self::wait).
    pub fn wait_deadline(&mut self, deadline: Instant) -> bool {
        drive(pin!(self.wait_async()), Some(deadline)).is_some()
    }

    /// As [`wait`](Self::wait), without blocking the thread, on any executor.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, nobody can take a copy any more, and [`taken`](Self::taken) says how many have. A
    /// copy that a subscriber has accepted ([`recv_held`](crate::channel::Receiver::recv_held)) counts as taken: it
    /// stays there. Waiting again goes on with the rest.
    ///
    /// # Panics
    ///
    /// As for [`wait`](Self::wait).
    pub fn wait_async(&mut self) -> DeliveryFuture<'_, T> {
        DeliveryFuture {
            register: &self.broadcast.register,
            members: &self.broadcast.members,
            stages: &mut self.stages,
            home: &mut self.home,
            offers: Vec::new(),
            offered: false,
            shown: false,
        }
    }
}

impl<T> Drop for Delivery<'_, T> {
    /// Those who have left are members no more.
    fn drop(&mut self) {
        let mut stages = self.stages.iter();
        let stays = |_: &Member<T>| !matches!(stages.next(), Some(Stage::Gone));
        self.broadcast.members.retain(stays);
    }
}

impl<T> fmt::Debug for Delivery<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("taken", &self.taken())
            .field("waiting_for", &self.waiting_for().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The members whose stage is open.
fn open<'a, T>(
    members: &'a [Member<T>],
    stages: &'a [Stage],
) -> impl Iterator<Item = &'a Member<T>> {
    members
        .iter()
        .zip(stages)
        .filter_map(|(member, stage)| matches!(stage, Stage::Open).then_some(member))
}

/// One subscriber's copy, on offer.
struct Offer<'a, T> {
    /// The subscriber's place among the members.
    place: usize,
    send: Pin<Box<SendFuture<'a, T>>>,
}

/// A delivery that is waited for; see [`Delivery::wait_async`].
#[must_use = "a future offers nothing unless it is polled"]
pub struct DeliveryFuture<'a, T> {
    register: &'a Register<T>,
    members: &'a [Member<T>],
    stages: &'a mut [Stage],
    home: &'a mut Option<T>,
    offers: Vec<Offer<'a, T>>,
    offered: bool,
    /// Whether the register shows who is waited for.
    shown: bool,
}

impl<T> DeliveryFuture<'_, T> {
    fn settle(&mut self, place: usize, outcome: Result<(), SendError<T>>) {
        self.stages[place] = match outcome {
            Ok(()) => Stage::Taken,
            Err(error) => {
                let (why, copy) = error.split();
                self.put_home(copy);
                if why.is_disconnected() {
                    Stage::Gone
                } else {
                    Stage::Failed(why)
                }
            }
        };
    }

    fn is_poisoned(&self) -> bool {
        let poisoned =
            |stage: &Stage| matches!(stage, Stage::Failed(error) if error.poison().is_some());
        self.stages.iter().any(poisoned)
    }

    /// Withdraws every offer; what was certainly not taken comes home.
    fn withdraw(&mut self) {
        while let Some(Offer { place, mut send }) = self.offers.pop() {
            match send.as_mut().withdraw() {
                Some(copy) => self.put_home(copy),
                None => self.stages[place] = Stage::Taken,
            }
        }
        if std::mem::take(&mut self.shown) {
            self.register.show(Vec::new());
        }
    }

    /// One copy is enough for whoever gets the message back.
    fn put_home(&mut self, copy: T) {
        self.home.get_or_insert(copy);
    }

    fn show_who_is_waited_for(&mut self) {
        let names = open(self.members, self.stages).map(|member| SharedName::clone(&member.name));
        self.register.show(names.collect());
        self.shown = true;
    }
}

impl<T: Clone> DeliveryFuture<'_, T> {
    /// Offers each open subscriber a copy, and the last of them the message itself. Each copy is made when it is
    /// offered, so whoever waits for it already has it before the next is made.
    fn offer_to_all(&mut self, context: &mut Context<'_>) {
        let mut left = open(self.members, self.stages).count();
        for (place, member) in self.members.iter().enumerate() {
            if !matches!(self.stages[place], Stage::Open) {
                continue;
            }
            left -= 1;
            let copy = if left == 0 {
                self.home.take()
            } else {
                self.home.clone()
            };
            let copy = copy.expect("the message is at home, unless a future was leaked before");
            // A thread that waits for it needs no future. Said before it is done: if the waker of whoever is to find
            // the copy panics, it has it all the same, and must not be offered another.
            self.stages[place] = Stage::Taken;
            let Err(not_now) = member.sender.try_send(copy) else {
                continue;
            };
            self.stages[place] = Stage::Open;
            let send = Box::pin(member.sender.send_async(not_now.into_inner()));
            // Among the offers before it is polled: if a foreign waker panics there, it is withdrawn like the others.
            self.offers.push(Offer { place, send });
            if let Some(offer) = self.offers.last_mut()
                && let Poll::Ready(outcome) = offer.send.as_mut().poll(context)
            {
                self.offers.pop();
                self.settle(place, outcome);
            }
        }
    }

    /// Looks at each offer; returns whether one of them has been answered.
    fn look(&mut self, context: &mut Context<'_>) -> bool {
        let before = self.offers.len();
        let mut at = 0;
        while let Some(offer) = self.offers.get_mut(at) {
            match offer.send.as_mut().poll(context) {
                Poll::Pending => at += 1,
                Poll::Ready(outcome) => {
                    let Offer { place, .. } = self.offers.swap_remove(at);
                    self.settle(place, outcome);
                }
            }
        }
        self.offers.len() < before
    }
}

impl<T: Clone> Future for DeliveryFuture<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut news = true;
        if this.offered {
            news = this.look(context);
        } else if !this.is_poisoned() {
            this.offered = true;
            this.offer_to_all(context);
        }
        if this.offers.is_empty() || this.is_poisoned() {
            this.withdraw();
            return Poll::Ready(());
        }
        if news {
            this.show_who_is_waited_for();
        }
        Poll::Pending
    }
}

impl<T> Drop for DeliveryFuture<'_, T> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl<T> fmt::Debug for DeliveryFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryFuture")
            .field("offers", &self.offers.len())
            .finish_non_exhaustive()
    }
}
