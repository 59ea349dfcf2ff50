//! A rendezvous of one with all: a message is sent when every subscriber has taken its copy.

mod delivery;
mod error;

use std::{
    fmt,
    sync::Arc as SharedName,
    time::{Duration, Instant},
};

pub use self::{
    delivery::{Delivery, DeliveryFuture},
    error::{BroadcastError, Missed, Partial},
};
use crate::{
    channel::{Reason, Receiver, Sender, channel},
    sync::{Arc, Mutex},
};

/// Makes a broadcast: one end that sends, and a handle with which receivers subscribe.
///
/// ```
/// use handover::pattern::broadcast;
///
/// let (mut prices, subscribers) = broadcast::<u32>();
/// let threads: Vec<_> = ["till", "screen"]
///     .map(|name| {
///         let prices = subscribers.subscribe_as(name);
///         std::thread::spawn(move || prices.iter().sum::<u32>())
///     })
///     .into_iter()
///     .collect();
/// for price in [3, 4] {
///     assert_eq!(prices.send(price)?, 2); // returns when both have it
/// }
/// drop(prices);
/// for thread in threads {
///     assert_eq!(thread.join().expect("a subscriber does not panic"), 7);
/// }
/// # Ok::<(), handover::pattern::BroadcastError<u32>>(())
/// ```
#[must_use]
pub fn broadcast<T>() -> (Broadcast<T>, Subscribers<T>) {
    let register = Arc::new(Register(Mutex::new(Entries {
        joined: Vec::new(),
        names_given: 0,
        waiting_for: Vec::new(),
        closed: false,
        poison: None,
    })));
    let broadcast = Broadcast {
        register: Arc::clone(&register),
        members: Vec::new(),
    };
    (broadcast, Subscribers { register })
}

/// A subscriber as the sending end knows it.
struct Member<T> {
    name: SharedName<str>,
    sender: Sender<T>,
}

/// What the sending end and those who hand out subscriptions share.
struct Register<T>(Mutex<Entries<T>>);

struct Entries<T> {
    /// Those who have joined since the sending end last looked.
    joined: Vec<Member<T>>,
    names_given: u64,
    /// Who has not taken the message that is being sent.
    waiting_for: Vec<SharedName<str>>,
    /// Whether the sending end is gone.
    closed: bool,
    /// Why the sending end has poisoned its channels, if it has.
    poison: Option<Reason>,
}

impl<T> Register<T> {
    /// Shows who has not taken the message that is being sent.
    fn show(&self, waiting_for: Vec<SharedName<str>>) {
        let before = std::mem::replace(&mut self.0.lock().waiting_for, waiting_for);
        drop(before);
    }
}

/// The sending end of a broadcast. Made by [`broadcast()`].
///
/// A send is done when *every* subscriber of that moment has taken its copy:
///
/// - All copies are offered at once. A slow subscriber keeps the send from being done, not the others from taking
///   theirs; and no next message begins before it. Who it is can be seen: [`Subscribers::waiting_for`].
/// - A subscriber that leaves meanwhile is not waited for. One that joins meanwhile gets the next message.
/// - Each subscriber takes each message at most once, and all of them see the same order.
/// - What cannot be promised is that all take it or none: a subscriber takes when it comes, and cannot give back
///   when another one then does not come. A send that ends before all have taken says who has:
///   [`BroadcastError::Partial`]. A [`Delivery`] can be gone on with instead.
/// - A subscriber that is poisoned ([`Receiver::poison`]) ends the wait for all of them at once, for in a network that
///   is being ended nobody should wait for those who may never come.
/// - A copy is made when it is offered, so there is at most one for each subscriber, the message itself among them,
///   and none for one that has taken its. Send an [`Arc`] where a copy is dear.
///
/// Each time that somebody takes, all offers that are left are looked at; with a thousand subscribers that is felt.
///
/// The wait is for *all* subscribers: if one of them waits, for whatever reason, for the thread or task that sends,
/// that is a deadlock.
pub struct Broadcast<T> {
    register: Arc<Register<T>>,
    members: Vec<Member<T>>,
}

impl<T: Clone> Broadcast<T> {
    /// Hands `message` to every subscriber, blocking the thread until each has taken its copy. Returns how many
    /// that were: at least one.
    ///
    /// # Errors
    ///
    /// [`BroadcastError`], with the message: there was no subscriber, or one handed its copy back, or is
    /// poisoned.
    ///
    /// # Panics
    ///
    /// If `T::clone` panics; who has taken a copy by then keeps it, and nobody else will get one.
    pub fn send(&mut self, message: T) -> Result<usize, BroadcastError<T>> {
        let mut delivery = self.begin(message);
        delivery.wait();
        delivery.finish()
    }

    /// As [`send`](Self::send), blocking the thread for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`BroadcastError`], with the message. Whoever had not taken its copy in time is named in it, and will not get
    /// it.
    ///
    /// # Panics
    ///
    /// As for [`send`](Self::send).
    pub fn send_timeout(
        &mut self,
        message: T,
        timeout: Duration,
    ) -> Result<usize, BroadcastError<T>> {
        let mut delivery = self.begin(message);
        delivery.wait_timeout(timeout);
        delivery.finish()
    }

    /// As [`send_timeout`](Self::send_timeout), until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`send_timeout`](Self::send_timeout).
    ///
    /// # Panics
    ///
    /// As for [`send`](Self::send).
    pub fn send_deadline(
        &mut self,
        message: T,
        deadline: Instant,
    ) -> Result<usize, BroadcastError<T>> {
        let mut delivery = self.begin(message);
        delivery.wait_deadline(deadline);
        delivery.finish()
    }

    /// As [`send`](Self::send), without blocking the thread, on any executor.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// Dropped in the middle, the future drops the message: who has taken a copy keeps it, and nobody else will get
    /// one. Where it must be known who has, or where the rest must get it too, use [`begin`](Self::begin) and
    /// [`Delivery::wait_async`].
    ///
    /// # Panics
    ///
    /// As for [`send`](Self::send).
    pub async fn send_async(&mut self, message: T) -> Result<usize, BroadcastError<T>> {
        let mut delivery = self.begin(message);
        delivery.wait_async().await;
        delivery.finish()
    }
}

impl<T> Broadcast<T> {
    /// Begins to send `message` to those who are subscribers now. Nobody is offered a copy before it is waited for.
    pub fn begin(&mut self, message: T) -> Delivery<'_, T> {
        let joined = std::mem::take(&mut self.register.0.lock().joined);
        self.members.extend(joined);
        Delivery::new(self, message)
    }

    /// Poisons the channels of all subscribers, those who subscribe later among them; see
    /// [`Sender::poison`](crate::channel::Sender::poison).
    pub fn poison(&mut self, reason: impl Into<Reason>) {
        let reason = reason.into();
        let joined = {
            let mut entries = self.register.0.lock();
            entries.poison.get_or_insert_with(|| reason.clone());
            std::mem::take(&mut entries.joined)
        };
        self.members.extend(joined);
        for member in &self.members {
            member.sender.poison(reason.clone());
        }
    }
}

impl<T> Drop for Broadcast<T> {
    fn drop(&mut self) {
        let joined = {
            let mut entries = self.register.0.lock();
            entries.closed = true;
            std::mem::take(&mut entries.joined)
        };
        // Outside the lock: it wakes those who wait for a message.
        drop(joined);
    }
}

impl<T> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("subscribers", &self.members.len())
            .finish_non_exhaustive()
    }
}

/// Where receivers subscribe to a [`Broadcast`], and where it can be seen whom it waits for. Made by [`broadcast()`];
/// clone it for whoever wants to subscribe.
pub struct Subscribers<T> {
    register: Arc<Register<T>>,
}

impl<T> Subscribers<T> {
    /// Subscribes: the receiver gets a copy of each message that is begun from now on, until it is dropped.
    ///
    /// It is a receiver like any other. Clones of it *share* the copies: each is taken by one of them. A receiver that
    /// is kept and not received from holds every send up. When the sending end is gone, receives fail.
    #[must_use = "dropping the receiver ends the subscription"]
    pub fn subscribe(&self) -> Receiver<T> {
        self.join(None)
    }

    /// As [`subscribe`](Self::subscribe), under a name that says who holds a send up.
    #[must_use = "dropping the receiver ends the subscription"]
    pub fn subscribe_as(&self, name: &str) -> Receiver<T> {
        self.join(Some(name))
    }

    fn join(&self, name: Option<&str>) -> Receiver<T> {
        let (sender, receiver) = channel();
        let mut entries = self.register.0.lock();
        entries.names_given += 1;
        let name = match name {
            Some(name) => name.into(),
            None => format!("subscriber {}", entries.names_given).into(),
        };
        let poison = entries.poison.clone();
        let mut late = None;
        let mut left = Vec::new();
        let member = Member { name, sender };
        if entries.closed {
            late = Some(member);
        } else {
            // Those who have left again before the next message are not kept for ever.
            let joined = std::mem::take(&mut entries.joined);
            (left, entries.joined) = joined
                .into_iter()
                .partition(|member| member.sender.is_disconnected());
            entries.joined.push(member);
        }
        // Dropping an end wakes others, and poisoning does: not under the lock.
        drop(entries);
        drop((left, late));
        if let Some(reason) = poison {
            receiver.poison(reason);
        }
        receiver
    }

    /// The names of those who have not taken the message that is being sent at this moment, as far as the sending end
    /// has looked. Empty while nothing is being sent.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<SharedName<str>> {
        self.register.0.lock().waiting_for.clone()
    }

    /// Whether the sending end is gone.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.register.0.lock().closed
    }
}

impl<T> Clone for Subscribers<T> {
    fn clone(&self) -> Self {
        Self {
            register: Arc::clone(&self.register),
        }
    }
}

impl<T> fmt::Debug for Subscribers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribers").finish_non_exhaustive()
    }
}
