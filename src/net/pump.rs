//! The pumps: one future a local end, which moves messages between it and the wire, as many at a time as were granted.
//!
//! What a pump waits for on the wire wakes nobody by itself: the driver marks the pump when it may have come,
//! and polls it. So those waits below look at the link's state and use no waker.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;

use super::{
    core::Verdict,
    message::{self, CodecError, Message},
    pumping::{Arrived, Next},
    shared::Shared,
};
use crate::{
    channel::{Held, OfferError, Reason, Receiver, Sender},
    process::Outside,
    wire::Settlement,
};

/// How long a process whose send was declined may take to come back to its other guards, before what waits for it there
/// is declined too. If it takes longer, both offer once more.
const PATIENCE: Duration = Duration::from_millis(20);

/// A local end that a link holds.
pub(super) struct Local<E> {
    end: E,
    /// Whether others hold such ends, who may do what this link cannot.
    is_shared: bool,
    /// If the channel is a network's. Dropped after the end.
    outside: Option<Outside>,
}

impl<E> Local<E> {
    pub(super) fn new(end: E) -> Self {
        Self {
            end,
            is_shared: false,
            outside: None,
        }
    }

    /// The same, of a channel that others share.
    pub(super) fn shared(mut self) -> Self {
        self.is_shared = true;
        self
    }

    /// The same, of a channel of a network.
    pub(super) fn outside(mut self, outside: Option<Outside>) -> Self {
        self.outside = outside;
        self
    }

    /// Waits until the other ends are there. False if they never will, or `over` comes first.
    async fn has_begun(&self, over: impl Future<Output = ()>) -> bool {
        match &self.outside {
            None => true,
            Some(outside) => match first(over, outside.has_begun()).await {
                First::Left(()) => false,
                First::Right(has_begun) => has_begun,
            },
        }
    }
}

/// Takes messages from the local senders when the peer waits for one, and sends them.
pub(super) async fn outbound<M: Message>(shared: Arc<Shared>, key: u16, local: Local<Receiver<M>>) {
    let mut port = OpenPort::new(shared, key);
    let shared = Arc::clone(&port.shared);
    let source = &local.end;
    let shut = poll_fn(|_| ready_if(shared.is_shut(key)));
    if local.has_begun(shut).await {
        send_on(&shared, key, &local).await;
    }
    match shared.poison(key) {
        Some(reason) => drop(source.poison(reason)),
        None => port.poison = source.poison_reason(),
    }
}

/// Sends until the channel is shut, here or at the peer.
async fn send_on<M: Message>(shared: &Shared, key: u16, local: &Local<Receiver<M>>) {
    let source = &local.end;
    let mut hands = Hands::new(shared, key, local.is_shared);
    loop {
        if !hands.have_credit(source.closed_async()).await {
            break;
        }
        let unready = poll_fn(|_| ready_if(hands.credit() != Poll::Ready(true)));
        let held = match first(unready, source.recv_held_async()).await {
            First::Right(Ok(held)) => held,
            // The connection has broken, or the grant was taken back: until there is another.
            First::Left(()) if !shared.is_shut(key) => continue,
            First::Left(()) | First::Right(Err(_)) => break,
        };
        // While it is in custody: what has no bytes never leaves its sender.
        let bytes = match message::encode(&*held) {
            Ok(bytes) => bytes,
            Err(error) => {
                shared.note_unreadable(unreadable::<M>("encoded", &error));
                drop(held.hand_back());
                continue;
            }
        };
        match shared.send(key, bytes) {
            Ok(Some(sequence)) => hands.take(sequence, held),
            // The grant has gone just now, or the channel: then the next look says so.
            Ok(None) if local.is_shared || !shared.is_shut(key) => drop(held.decline()),
            // It came too late, or is too long: it goes back to its sender.
            Ok(None) | Err(_) => drop(held.hand_back()),
        }
    }
    poll_fn(|_| {
        // No more begin, whether or not there is credit.
        let _ = hands.credit();
        ready_if(hands.are_empty())
    })
    .await;
}

/// Grants the peer a message when a local receiver waits for one, or as many as receivers have granted, and hands over
/// what comes.
pub(super) async fn inbound<M: Message>(shared: Arc<Shared>, key: u16, local: Local<Sender<M>>) {
    let mut port = OpenPort::new(shared, key);
    let shared = Arc::clone(&port.shared);
    let target = &local.end;
    let over = poll_fn(|_| ready_if(shared.is_over(key)));
    if local.has_begun(over).await {
        receive_on(&shared, key, target).await;
    }
    match shared.poison(key) {
        Some(reason) => drop(target.poison(reason)),
        None => port.poison = target.poison_reason(),
    }
}

/// Receives until the channel is over, here or at the peer.
async fn receive_on<M: Message>(shared: &Shared, key: u16, target: &Sender<M>) {
    loop {
        let over = poll_fn(|_| ready_if(shared.is_over(key)));
        match first(over, target.ready_async()).await {
            First::Right(Ok(())) => {}
            First::Left(()) | First::Right(Err(_)) => return,
        }
        // At least one is granted then; within credit that receivers have granted it is followed by more.
        loop {
            let arrived = poll_fn(|_| shared.arrived(key, target.unused_credit()));
            let arrived = match first(arrived, target.closed_async()).await {
                First::Left(Next::Message(arrived)) => arrived,
                First::Left(Next::TakenBack) => break,
                First::Left(Next::Over) | First::Right(()) => return,
            };
            let Arrived {
                sequence,
                bytes,
                is_followed,
            } = arrived;
            let arrival = Arrival {
                shared,
                key,
                sequence,
                target,
                is_followed,
            };
            let Some(settlement) = arrival.hand_over(&bytes).await else {
                return;
            };
            if !shared.settle(key, sequence, settlement) {
                break;
            }
            if settlement == Settlement::Declined && !target.has_demand() {
                shared.revoke(key);
            }
        }
    }
}

/// A message that has arrived, and its way to a local receiver.
struct Arrival<'a, M> {
    shared: &'a Shared,
    key: u16,
    sequence: u64,
    target: &'a Sender<M>,
    /// Others may come behind it.
    is_followed: bool,
}

impl<M: Message> Arrival<'_, M> {
    /// Hands the message to the local receivers. `None` says that nobody took it, and nobody will: the channel is closed
    /// here, or the link ends.
    async fn hand_over(&self, bytes: &Bytes) -> Option<Settlement> {
        let mut message = match message::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                let what = unreadable::<M>("decoded", &error);
                self.shared.note_unreadable(what);
                return Some(Settlement::Returned);
            }
        };
        let mut hold_up = HoldUp::new(self);
        loop {
            if let Err(settlement) = self.until_it_may_be_taken(&mut hold_up).await {
                return settlement;
            }
            match self.offer(message, &mut hold_up).await {
                Offered::Settled(settlement) => return settlement,
                Offered::TakenBack(back) => message = back,
                Offered::Unwanted(back) => {
                    hold_up.begin();
                    if !self.is_awaited().await {
                        return Some(Settlement::Declined);
                    }
                    message = back;
                }
            }
        }
    }

    /// Waits while nothing of the peer may be taken. What the message comes to if the sender has it back meanwhile, or
    /// the link ends.
    async fn until_it_may_be_taken(
        &self,
        hold_up: &mut HoldUp<'_>,
    ) -> Result<(), Option<Settlement>> {
        poll_fn(|_| {
            let may = self.shared.may_be_taken(self.key, self.sequence);
            if may.is_pending() {
                hold_up.begin();
            }
            may
        })
        .await
    }

    async fn offer(&self, message: M, hold_up: &mut HoldUp<'_>) -> Offered<M> {
        let mut offer = pin!(self.target.offer_async(message));
        let regret = poll_fn(|_| {
            // Nobody has taken it at once.
            hold_up.begin();
            let may = self.shared.may_be_taken(self.key, self.sequence);
            ready_if(may != Poll::Ready(Ok(())))
        });
        let outcome = match first(offer.as_mut(), regret).await {
            First::Left(outcome) => outcome,
            First::Right(()) => {
                if let Some(message) = offer.as_mut().take_back() {
                    return Offered::TakenBack(message);
                }
                // Some process has it, or has it in custody and will say what it does with it.
                let parting = poll_fn(|_| ready_if(self.shared.is_parting()));
                match first(offer.as_mut(), parting).await {
                    First::Left(outcome) => outcome,
                    First::Right(()) => return Offered::given_up(offer.withdraw().is_some()),
                }
            }
        };
        match outcome {
            Ok(()) => Offered::Settled(Some(Settlement::Taken)),
            Err(OfferError::Unwanted(message)) => Offered::Unwanted(message),
            Err(OfferError::Returned(_)) => Offered::Settled(Some(Settlement::Returned)),
            Err(OfferError::InDoubt(_)) => Offered::Settled(Some(Settlement::InDoubt)),
            Err(OfferError::Disconnected(_) | OfferError::Poisoned(..)) => Offered::Settled(None),
        }
    }

    /// Nobody waits for the message. Whether somebody probably will: a process that is about to send something over this
    /// very link, and has its other guards to come back to if that is declined.
    async fn is_awaited(&self) -> bool {
        if !self.shared.is_to_be_patient(self.key) {
            return false;
        }
        let settled = poll_fn(|_| {
            ready_if(
                !self.shared.is_to_be_patient(self.key)
                    || self.shared.is_parting()
                    || self.is_wanted_back(),
            )
        });
        if let First::Left(ready) = first(self.target.ready_async(), settled).await {
            return ready.is_ok();
        }
        // A process whose message was declined is on its way back to its guards.
        let ready = tokio::time::timeout(PATIENCE, self.target.ready_async()).await;
        matches!(ready, Ok(Ok(())))
    }

    fn is_wanted_back(&self) -> bool {
        self.shared.is_wanted_back(self.key, self.sequence)
    }
}

/// From when it begins until it is dropped, no message waits behind one that nobody has taken at once.
struct HoldUp<'a> {
    shared: &'a Shared,
    key: u16,
    /// There can be such messages.
    is_followed: bool,
    has_begun: bool,
}

impl<'a> HoldUp<'a> {
    fn new<M>(arrival: &Arrival<'a, M>) -> Self {
        Self {
            shared: arrival.shared,
            key: arrival.key,
            is_followed: arrival.is_followed,
            has_begun: false,
        }
    }

    fn begin(&mut self) {
        if self.is_followed && !std::mem::replace(&mut self.has_begun, true) {
            self.shared.hold_up(self.key, true);
        }
    }
}

impl Drop for HoldUp<'_> {
    fn drop(&mut self) {
        if self.has_begun {
            self.shared.hold_up(self.key, false);
        }
    }
}

/// What came of an offer.
enum Offered<M> {
    Settled(Option<Settlement>),
    /// Nobody waits for it.
    Unwanted(M),
    /// It may not be taken now.
    TakenBack(M),
}

impl<M> Offered<M> {
    /// The link ends; whether the message `is_back`.
    fn given_up(is_back: bool) -> Self {
        // Else some process has it in custody, and this link will not be there to hear what it does with it.
        Self::Settled((!is_back).then_some(Settlement::InDoubt))
    }
}

/// That a message did not come over the step between a value and its bytes.
fn unreadable<M: Message>(step: &str, error: &CodecError) -> String {
    let what = message::in_words(&message::type_of::<M>());
    format!("a message could not be {step} as {what}, and went back to its sender: {error}")
}

/// Closes the port when its pump ends, however it does.
struct OpenPort {
    shared: Arc<Shared>,
    key: u16,
    /// Why the local channel was poisoned, if it was.
    poison: Option<Reason>,
}

impl OpenPort {
    fn new(shared: Arc<Shared>, key: u16) -> Self {
        Self {
            shared,
            key,
            poison: None,
        }
    }
}

impl Drop for OpenPort {
    fn drop(&mut self) {
        self.shared.close_port(self.key, self.poison.as_ref());
    }
}

/// The messages of one channel that are on their way to the peer, in the order of their numbers: no more than it has
/// granted. Dropped, it tells each sender what became of its message: so that is told also if the link, or its whole
/// runtime, ends first.
struct Hands<'a, M> {
    shared: &'a Shared,
    key: u16,
    held: VecDeque<(u64, Held<M>)>,
    /// What has become known: empty but while it is told.
    known: VecDeque<(u64, Verdict)>,
    is_shared: bool,
}

impl<'a, M> Hands<'a, M> {
    fn new(shared: &'a Shared, key: u16, is_shared: bool) -> Self {
        Self {
            shared,
            key,
            held: VecDeque::new(),
            known: VecDeque::new(),
            is_shared,
        }
    }

    /// Waits until the peer has granted another message. False if it never will, or no message is under way and nobody is
    /// left who could send one, which `closed` says.
    async fn have_credit(&mut self, closed: impl Future<Output = ()>) -> bool {
        let mut closed = pin!(closed);
        poll_fn(|context| match self.credit() {
            Poll::Pending if self.are_empty() => closed.as_mut().poll(context).map(|()| false),
            credit => credit,
        })
        .await
    }

    fn are_empty(&self) -> bool {
        self.held.is_empty()
    }

    fn take(&mut self, sequence: u64, held: Held<M>) {
        self.held.push_back((sequence, held));
    }

    /// Tells senders what became of their messages. Returns whether the peer has granted another; false if it never will.
    fn credit(&mut self) -> Poll<bool> {
        let credit = self.shared.credit(self.key, &mut self.known);
        while let Some((sequence, verdict)) = self.known.pop_front() {
            if let Ok(index) = self.held.binary_search_by_key(&sequence, |it| it.0)
                && let Some((_, held)) = self.held.remove(index)
            {
                tell(held, verdict, self.is_shared);
            }
        }
        credit
    }
}

impl<M> Drop for Hands<'_, M> {
    fn drop(&mut self) {
        for (sequence, held) in self.held.drain(..) {
            let mut known = self.known.iter();
            let verdict = known
                .find(|known| known.0 == sequence)
                .map_or_else(|| self.shared.verdict(self.key, sequence), |known| known.1);
            tell(held, verdict, self.is_shared);
        }
    }
}

/// Tells a sender what became of its message. One that has gone has given its message up, so what comes back here has no
/// owner.
fn tell<M>(held: Held<M>, verdict: Verdict, is_shared: bool) {
    match verdict {
        Verdict::Taken => drop(held.release()),
        Verdict::Declined => drop(held.decline()),
        // Another, who has such an end too, may take it.
        Verdict::NotTaken if is_shared => drop(held.decline()),
        Verdict::Returned | Verdict::NotTaken => drop(held.hand_back()),
        Verdict::InDoubt => drop(held.in_doubt()),
    }
}

/// Which of two futures was first.
enum First<A, B> {
    Left(A),
    Right(B),
}

/// Waits for either; if both are ready, the left one counts. Not `tokio::select!`, which may ask to be polled
/// again without having looked, for the sake of a task's budget; a pump is not a task.
async fn first<A, B>(left: impl Future<Output = A>, right: impl Future<Output = B>) -> First<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|context| {
        if let Poll::Ready(value) = left.as_mut().poll(context) {
            return Poll::Ready(First::Left(value));
        }
        right.as_mut().poll(context).map(First::Right)
    })
    .await
}

fn ready_if(condition: bool) -> Poll<()> {
    if condition {
        Poll::Ready(())
    } else {
        Poll::Pending
    }
}
