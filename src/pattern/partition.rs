//! One receiver as several: each message goes to the outlet that is chosen for it.

use std::fmt;

use crate::channel::{Held, Reason, Receiver, RecvError, SendError, Sender, channel};

/// Splits what comes from `source` in two: into the first outlet what `is_first` says yes to, into the second all
/// else.
///
/// Somebody has to carry the messages: whoever calls [`Partition::run`] or [`Partition::run_async`]. See
/// [`Partition`] for what is promised.
///
/// ```
/// use handover::{channel, pattern::partition};
///
/// let (numbers, source) = channel();
/// let (relay, [even, odd]) = partition(source, |n: &u32| n % 2 == 0);
/// let threads = [
///     std::thread::spawn(move || relay.run().expect("it is not poisoned")),
///     std::thread::spawn(move || assert_eq!(even.iter().collect::<Vec<_>>(), [2, 4])),
///     std::thread::spawn(move || assert_eq!(odd.iter().collect::<Vec<_>>(), [1, 3])),
/// ];
/// for n in 1..=4 {
///     numbers.send(n)?; // returns when the receiver behind the outlet has it
/// }
/// drop(numbers);
/// # for thread in threads { thread.join().expect("each ends"); }
/// # Ok::<(), handover::channel::SendError<u32>>(())
/// ```
#[expect(
    clippy::type_complexity,
    reason = "what is `impl` cannot be given a name"
)]
pub fn partition<T>(
    source: Receiver<T>,
    mut is_first: impl FnMut(&T) -> bool,
) -> (Partition<T, impl FnMut(&T) -> usize>, [Outlet<T>; 2]) {
    let (first, first_outlet) = outlet();
    let (second, second_outlet) = outlet();
    let relay = Partition {
        source,
        outlets: vec![first, second],
        choose: move |message: &T| usize::from(!is_first(message)),
    };
    (relay, [first_outlet, second_outlet])
}

/// Splits what comes from `source` among `count` outlets: `choose` gives the index of a message's outlet.
///
/// As [`partition`], for more than two.
pub fn partition_by<T, F>(
    source: Receiver<T>,
    count: usize,
    choose: F,
) -> (Partition<T, F>, Vec<Outlet<T>>)
where
    F: FnMut(&T) -> usize,
{
    let (senders, outlets) = (0..count).map(|_| outlet()).unzip();
    let relay = Partition {
        source,
        outlets: senders,
        choose,
    };
    (relay, outlets)
}

fn outlet<T>() -> (Sender<Held<T>>, Outlet<T>) {
    let (sender, receiver) = channel();
    (sender, Outlet { receiver })
}

/// Carries messages from one receiver to several outlets. Made by [`partition`] and [`partition_by`].
///
/// It adds no buffer: what it carries is a message in custody ([`Held`]), whose sender waits until the receiver
/// behind the outlet has taken it. Only then has the send completed.
///
/// - It carries one message at a time. While the one in its hand waits for its outlet, those behind it wait too,
///   also if their outlet would be free: they are still with their senders, who can be seen to wait. Several
///   partitions on clones of one receiver pass each other by, and then messages of different senders may change
///   their order.
/// - To a sender that asks for demand ([`Sender::ready_async`]) it is the receiver: it waits before anybody waits at an
///   outlet.
/// - A message whose outlet is gone is handed back: its send fails with
///   [`SendError::Returned`]. So is one that is in the relay's hand when the
///   relay's future is dropped or `choose` panics.
/// - It ends when every sender of its source is gone, or when a message finds every outlet gone. If its source had
///   granted credit it ends when a message finds its own outlet gone: what is within credit has no sender to go back
///   to, so it stays in the channel, for [`Sender::take_remaining`].
/// - Poison on one side is passed on to the other, and to the other outlets, and ends it. It meets poison where it
///   waits: at its source, or at the outlet of the message in its hand.
#[must_use = "a partition carries nothing unless it is run"]
pub struct Partition<T, F> {
    source: Receiver<T>,
    outlets: Vec<Sender<Held<T>>>,
    choose: F,
}

impl<T, F: FnMut(&T) -> usize> Partition<T, F> {
    /// Carries messages, blocking the thread, until it ends.
    ///
    /// # Errors
    ///
    /// The reason, if it was poison that ended it.
    ///
    /// # Panics
    ///
    /// If `choose` panics or gives an index that no outlet has; the message goes back to its sender.
    pub fn run(mut self) -> Result<(), Reason> {
        loop {
            let held = match self.source.recv_held() {
                Ok(held) => held,
                Err(ended) => return self.end(ended),
            };
            let sent = self.outlet_for(&held).send(held);
            if let Some(ended) = self.after(sent) {
                return self.end(ended);
            }
        }
    }

    /// As [`run`](Self::run), without blocking the thread, on any executor.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// A message in hand when the future is dropped goes back to its sender, unless the receiver behind its outlet
    /// has it. Nothing else was taken.
    ///
    /// # Panics
    ///
    /// As for [`run`](Self::run).
    pub async fn run_async(mut self) -> Result<(), Reason> {
        loop {
            let held = match self.source.recv_held_async().await {
                Ok(held) => held,
                Err(ended) => return self.end(ended),
            };
            let sent = self.outlet_for(&held).send_async(held).await;
            if let Some(ended) = self.after(sent) {
                return self.end(ended);
            }
        }
    }

    fn outlet_for(&mut self, message: &T) -> &Sender<Held<T>> {
        let chosen = (self.choose)(message);
        let count = self.outlets.len();
        self.outlets.get(chosen).unwrap_or_else(|| {
            panic!("`choose` gave outlet {chosen} of a partition that has {count}; give an index below that")
        })
    }

    /// What ends the partition after a send, if something does. The error of a send has the message in custody, and
    /// dropping it hands the message back.
    fn after(&self, sent: Result<(), SendError<Held<T>>>) -> Option<RecvError> {
        let poison = match &sent {
            Ok(()) => return None,
            Err(error) => error.poison().cloned(),
        };
        drop(sent);
        if let Some(reason) = poison {
            return Some(RecvError::Poisoned(reason));
        }
        let would_come_again = self.source.outstanding().untaken > 0;
        (would_come_again || self.outlets.iter().all(Sender::is_disconnected))
            .then_some(RecvError::Disconnected)
    }

    /// Ends, and passes poison on.
    fn end(&self, ended: RecvError) -> Result<(), Reason> {
        match ended {
            RecvError::Disconnected => Ok(()),
            RecvError::Poisoned(reason) => {
                self.source.poison(reason.clone());
                for outlet in &self.outlets {
                    outlet.poison(reason.clone());
                }
                Err(reason)
            }
        }
    }
}

impl<T, F> fmt::Debug for Partition<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partition")
            .field("outlets", &self.outlets.len())
            .finish_non_exhaustive()
    }
}

/// Where the messages arrive that a [`Partition`] carries here. Clone it for more receivers.
///
/// When the partition has ended, receives fail. When the last clone is dropped, messages for this outlet go back to
/// their senders.
pub struct Outlet<T> {
    receiver: Receiver<Held<T>>,
}

impl<T> Outlet<T> {
    /// Takes a message, blocking the thread until there is one; its sender is released.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when the partition has ended or is poisoned.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.receiver.recv().map(Held::release)
    }

    /// As [`recv`](Self::recv), without blocking the thread, on any executor.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// A message is taken only by the `poll` that returns it.
    pub async fn recv_async(&self) -> Result<T, RecvError> {
        self.receiver.recv_async().await.map(Held::release)
    }

    /// Messages as they come, each `next` blocking until there is one, until the partition has ended.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.receiver.iter().map(Held::release)
    }

    /// Poisons this outlet. The partition passes it on when it next has a message for it; see [`Receiver::poison`].
    pub fn poison(&self, reason: impl Into<Reason>) -> bool {
        self.receiver.poison(reason)
    }

    /// The receiver behind this outlet, to be used in [`select!`](crate::select) or as a stream. What it gives is
    /// in custody: [`Held::release`] takes the message and completes its send, and dropping it hands it back.
    #[must_use]
    pub fn held(&self) -> &Receiver<Held<T>> {
        &self.receiver
    }
}

impl<T> Clone for Outlet<T> {
    fn clone(&self) -> Self {
        Self {
            receiver: self.receiver.clone(),
        }
    }
}

impl<T> fmt::Debug for Outlet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").finish_non_exhaustive()
    }
}
