//! A program, run on real channels one step at a time, with the reference beside it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use handover::{
    Receiver, Sender, channel,
    channel::{Held, RecvStream, Select, SendError},
};

use crate::{
    program::{Answer, CHANNELS, Guard, Haste, Operation, SLOTS, SendWay, Side, Step},
    reference::{Kind, Number, Outcome, PASSING, Reference, Why},
    script::{Books, Home, Message, Place, Task, pause},
};

/// Polls in one settling; more would mean that operations wake each other for ever.
const POLLS_MAX: usize = 1_000;

/// What a future says when it resolves: its outcome, and the stream that goes on.
type Said = (Outcome, Option<RecvStream<Message>>);

type Custody = Arc<Mutex<Vec<Held<Message>>>>;

struct Ends {
    senders: Vec<Sender<Message>>,
    receivers: Vec<Receiver<Message>>,
}

pub(crate) struct World {
    books: Books,
    reference: Reference,
    ends: Vec<Ends>,
    tasks: Vec<Option<Task<Said>>>,
    custody: Custody,
    /// What was seen, so that a run can show that it saw everything.
    pub(crate) seen: Vec<Option<Outcome>>,
}

/// An end with its guard.
enum End {
    Sending(Sender<Message>),
    Receiving(Receiver<Message>),
}

fn why<T>(error: &SendError<T>) -> Why {
    match error {
        SendError::Disconnected(_) => Why::Disconnected,
        SendError::Returned(_) => Why::Returned,
        SendError::InDoubt(_) => Why::InDoubt,
        _ => panic!("the reference does not know this reason: {error:?}"),
    }
}

fn sent(books: &Books, result: Result<(), SendError<Message>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Sent(0),
        Err(error) => {
            let (error, message) = error.split();
            let number = message.number;
            books.book(message, Place::Home);
            Outcome::Failed(0, why(&error), number)
        }
    }
}

fn received<E>(books: &Books, guard: usize, result: Result<Message, E>) -> Outcome {
    match result {
        Ok(message) => {
            let number = message.number;
            books.book(message, Place::Taken);
            Outcome::Received(guard, number)
        }
        Err(_) => Outcome::Ended(guard),
    }
}

/// An alternation, built of `ends`; what it offers is in `homes`, one for each end that sends.
fn select<'a>(
    books: &'a Books,
    ends: &'a [End],
    homes: &'a mut [Home],
    biased: bool,
) -> Select<'a, Outcome> {
    let mut select = Select::new();
    if biased {
        select = select.biased();
    }
    let mut homes = homes.iter_mut();
    for (guard, end) in ends.iter().enumerate() {
        select = match end {
            End::Receiving(rx) => select.recv(rx, move |result| received(books, guard, result)),
            End::Sending(tx) => {
                let home = homes.next().expect("there is one for each");
                let number = home.slot.as_ref().expect("it has its message").number;
                select.send(tx, &mut home.slot, move |result| match result {
                    Ok(()) => Outcome::Sent(guard),
                    Err(error) => Outcome::Failed(guard, why(&error), number),
                })
            }
        };
    }
    select
}

async fn accept(rx: Receiver<Message>, books: Books) -> Outcome {
    let finish = async |message: &mut Message| {
        pause().await;
        books.mark(message.number, Place::Taken);
        message.number
    };
    match rx.accept_async(finish).await {
        Ok(number) => Outcome::Accepted(number),
        Err(_) => Outcome::Ended(0),
    }
}

async fn hold(rx: Receiver<Message>, custody: Custody) -> Outcome {
    match rx.recv_held_async().await {
        Ok(held) => {
            let number = held.number;
            custody.lock().unwrap().push(held);
            Outcome::Held(number)
        }
        Err(_) => Outcome::Ended(0),
    }
}

fn next_of(mut stream: RecvStream<Message>, books: Books) -> Task<Said> {
    Task::new(async move {
        let next = stream.next().await;
        let on = next.is_some().then_some(stream);
        (received(&books, 0, next.ok_or(())), on)
    })
}

fn once(future: impl Future<Output = Outcome> + 'static) -> Task<Said> {
    Task::new(async move { (future.await, None) })
}

impl World {
    pub(crate) fn new() -> Self {
        let open = |_| {
            let (sender, receiver) = channel();
            Ends {
                senders: vec![sender],
                receivers: vec![receiver],
            }
        };
        Self {
            books: Books::default(),
            reference: Reference::new(),
            ends: (0..CHANNELS).map(open).collect(),
            tasks: (0..SLOTS).map(|_| None).collect(),
            custody: Custody::default(),
            seen: Vec::new(),
        }
    }

    pub(crate) fn perform(&mut self, step: &Step) {
        match step {
            Step::Begin(operation) => {
                self.begin(operation);
            }
            Step::Start(operation) => {
                if let Some(slot) = self.begin(operation) {
                    self.poll(slot);
                }
            }
            Step::Poll(pick) => {
                if let Some(slot) = picked(&self.under_way(), *pick) {
                    self.poll(slot);
                }
            }
            Step::PollWoken(pick) => {
                if let Some(slot) = picked(&self.woken(), *pick) {
                    self.poll(slot);
                }
            }
            Step::Drop(pick) => {
                if let Some(slot) = picked(&self.under_way(), *pick) {
                    self.cancel(slot);
                }
            }
            Step::Send(channel, haste) => self.send_now(*channel, *haste),
            Step::Recv(channel, haste) => self.recv_now(*channel, *haste),
            Step::SelectNow {
                guards,
                biased,
                haste,
            } => self.select_now(guards, *biased, *haste),
            Step::CloneEnd(channel, side) => self.clone_end(*channel, *side),
            Step::DropEnd(channel, side) => self.drop_end(*channel, *side),
            Step::Answer(pick, answer) => self.answer(*pick, *answer),
            Step::Settle => self.settle(),
        }
        self.ends_know_who_is_gone();
    }

    /// The end that `side` has of a channel, if it has not been dropped.
    fn sender(&self, channel: usize) -> Option<Sender<Message>> {
        self.ends[channel].senders.last().cloned()
    }

    fn receiver(&self, channel: usize) -> Option<Receiver<Message>> {
        self.ends[channel].receivers.last().cloned()
    }

    /// The ends of an alternation, its messages, and what the reference is told of it.
    fn guards(&self, guards: &[Guard], biased: bool) -> Option<(Vec<End>, Vec<Home>, Kind)> {
        let mut ends = Vec::new();
        let mut homes = Vec::new();
        let mut told = Vec::new();
        for guard in guards {
            match guard.side {
                Side::Receiving => {
                    ends.push(End::Receiving(self.receiver(guard.channel)?));
                    told.push((*guard, None));
                }
                Side::Sending => {
                    ends.push(End::Sending(self.sender(guard.channel)?));
                    told.push((*guard, Some(())));
                }
            }
        }
        // Only now, so that no message is made for nothing.
        let guards = told
            .into_iter()
            .map(|(guard, sends)| {
                let number = sends.map(|()| {
                    let message = self.books.message();
                    let number = message.number;
                    homes.push(Home::of(message));
                    number
                });
                (guard, number)
            })
            .collect();
        Some((ends, homes, Kind::Select { guards, biased }))
    }

    /// In the first free slot; not at all if there is none, or no end for it.
    fn begin(&mut self, operation: &Operation) -> Option<usize> {
        let slot = self.tasks.iter().position(Option::is_none)?;
        let (kind, task) = self.make(operation)?;
        self.tasks[slot] = Some(task);
        self.reference.begin(slot, kind);
        Some(slot)
    }

    /// The future, and what the reference is told of it; nothing if the program has dropped the end for it.
    fn make(&self, operation: &Operation) -> Option<(Kind, Task<Said>)> {
        let books = self.books.clone();
        Some(match operation {
            Operation::Send(channel, way) => {
                let tx = self.sender(*channel)?;
                let message = books.message();
                let kind = Kind::Send {
                    channel: *channel,
                    message: message.number,
                    loses: *way != SendWay::From,
                };
                (kind, send(tx, *way, message, books))
            }
            Operation::Recv(channel) => {
                let rx = self.receiver(*channel)?;
                let kind = Kind::Recv {
                    channel: *channel,
                    stream: false,
                };
                let task = once(async move { received(&books, 0, rx.recv_async().await) });
                (kind, task)
            }
            Operation::Stream(channel) => {
                let stream = self.receiver(*channel)?.into_stream();
                let kind = Kind::Recv {
                    channel: *channel,
                    stream: true,
                };
                (kind, next_of(stream, books))
            }
            Operation::Hold(channel) => {
                let rx = self.receiver(*channel)?;
                let task = once(hold(rx, Arc::clone(&self.custody)));
                (Kind::Hold { channel: *channel }, task)
            }
            Operation::Accept(channel) => {
                let task = once(accept(self.receiver(*channel)?, books));
                (Kind::Accept { channel: *channel }, task)
            }
            Operation::Select { guards, biased } => {
                let (ends, mut homes, kind) = self.guards(guards, *biased)?;
                let biased = *biased;
                let task = async move { select(&books, &ends, &mut homes, biased).wait().await };
                (kind, once(task))
            }
            Operation::Ready(channel) => {
                let tx = self.sender(*channel)?;
                let task = async move {
                    match tx.ready_async().await {
                        Ok(()) => Outcome::Demand,
                        Err(_) => Outcome::NoDemand,
                    }
                };
                (Kind::Ready { channel: *channel }, once(task))
            }
            Operation::Closed(channel, side) => {
                let kind = Kind::Closed {
                    channel: *channel,
                    side: *side,
                };
                let task = match side {
                    Side::Sending => {
                        let tx = self.sender(*channel)?;
                        once(async move {
                            tx.closed_async().await;
                            Outcome::Closed
                        })
                    }
                    Side::Receiving => {
                        let rx = self.receiver(*channel)?;
                        once(async move {
                            rx.closed_async().await;
                            Outcome::Closed
                        })
                    }
                };
                (kind, task)
            }
        })
    }

    fn poll(&mut self, slot: usize) {
        let Some(task) = &mut self.tasks[slot] else {
            return;
        };
        let said = task.poll();
        let outcome = said.as_ref().map(|(outcome, _)| *outcome);
        if let Some((_, stream)) = said {
            self.tasks[slot] = stream.map(|stream| next_of(stream, self.books.clone()));
        }
        self.judge(slot, outcome);
    }

    /// Holds what was seen against the reference, and tells it.
    fn judge(&mut self, slot: usize, outcome: Option<Outcome>) {
        let allowed = self.reference.allowed(slot);
        assert!(
            allowed.contains(&outcome),
            "slot {slot} came to {outcome:?}, and only this is allowed: {allowed:?}"
        );
        self.seen.push(outcome);
        self.reference.apply(slot, outcome);
    }

    fn cancel(&mut self, slot: usize) {
        if let Some(task) = self.tasks[slot].take() {
            drop(task);
            self.reference.drop_operation(slot);
        }
    }

    /// Judges an operation that does not wait; `None` is that it met nobody.
    fn judge_passing(&mut self, kind: Kind, outcome: Option<Outcome>) {
        self.reference.begin(PASSING, kind);
        self.judge(PASSING, outcome);
        if outcome.is_none() {
            self.reference.drop_operation(PASSING);
        }
    }

    fn send_now(&mut self, channel: usize, haste: Haste) {
        let Some(tx) = self.ends[channel].senders.last() else {
            return;
        };
        let message = self.books.message();
        let kind = Kind::Send {
            channel,
            message: message.number,
            loses: false,
        };
        let number = message.number;
        let (back, disconnected) = match haste {
            Haste::Try => match tx.try_send(message) {
                Ok(()) => (None, false),
                Err(error) => {
                    let full = error.is_full();
                    (Some(error.into_inner()), !full)
                }
            },
            Haste::Timeout => match tx.send_timeout(message, Duration::ZERO) {
                Ok(()) => (None, false),
                Err(error) => {
                    let timeout = error.is_timeout();
                    (Some(error.into_inner()), !timeout)
                }
            },
        };
        let outcome = match back {
            None => Some(Outcome::Sent(0)),
            Some(message) => {
                assert_eq!(message.number, number, "another message came back");
                self.books.book(message, Place::Home);
                disconnected.then_some(Outcome::Failed(0, Why::Disconnected, number))
            }
        };
        self.judge_passing(kind, outcome);
    }

    fn recv_now(&mut self, channel: usize, haste: Haste) {
        use handover::channel::{RecvTimeoutError, TryRecvError};
        let Some(rx) = self.ends[channel].receivers.last() else {
            return;
        };
        let result = match haste {
            Haste::Try => rx.try_recv().map_err(|error| error == TryRecvError::Empty),
            Haste::Timeout => rx
                .recv_timeout(Duration::ZERO)
                .map_err(|error| error == RecvTimeoutError::Timeout),
        };
        let nobody = matches!(result, Err(true));
        let outcome = (!nobody).then(|| received(&self.books, 0, result));
        let stream = false;
        self.judge_passing(Kind::Recv { channel, stream }, outcome);
    }

    fn select_now(&mut self, guards: &[Guard], biased: bool, haste: Haste) {
        let Some((ends, mut homes, kind)) = self.guards(guards, biased) else {
            return;
        };
        let select = select(&self.books, &ends, &mut homes, biased);
        let outcome = match haste {
            Haste::Try => select.now(),
            Haste::Timeout => select.block_deadline(Instant::now()),
        };
        drop(homes);
        self.judge_passing(kind, outcome);
    }

    fn clone_end(&mut self, channel: usize, side: Side) {
        let ends = &mut self.ends[channel];
        let cloned = match side {
            Side::Sending => {
                let end = ends.senders.last().cloned();
                ends.senders.extend(end.clone());
                end.is_some()
            }
            Side::Receiving => {
                let end = ends.receivers.last().cloned();
                ends.receivers.extend(end.clone());
                end.is_some()
            }
        };
        if cloned {
            self.reference.end_is_cloned(channel, side);
        }
    }

    fn drop_end(&mut self, channel: usize, side: Side) {
        let ends = &mut self.ends[channel];
        let dropped = match side {
            Side::Sending => ends.senders.pop().is_some(),
            Side::Receiving => ends.receivers.pop().is_some(),
        };
        if dropped {
            self.reference.end_is_dropped(channel, side);
        }
    }

    fn answer(&mut self, pick: usize, answer: Answer) {
        let held = {
            let mut custody = self.custody.lock().unwrap();
            if custody.is_empty() {
                return;
            }
            let pick = pick % custody.len();
            custody.remove(pick)
        };
        let number: Number = held.number;
        let heard = self.reference.answer(number, answer);
        let kept = match answer {
            Answer::Release => {
                self.books.book(held.release(), Place::Taken);
                return;
            }
            Answer::Drop => {
                drop(held);
                return;
            }
            Answer::HandBack => held.hand_back(),
            Answer::Doubt => held.in_doubt(),
        };
        assert_eq!(kept.is_ok(), heard, "whether the sender was still there");
        if let Err(message) = kept {
            self.books.book(message, Place::Kept);
        }
    }

    fn under_way(&self) -> Vec<usize> {
        (0..SLOTS)
            .filter(|slot| self.tasks[*slot].is_some())
            .collect()
    }

    fn woken(&self) -> Vec<usize> {
        let woken = |slot: &usize| self.tasks[*slot].as_ref().is_some_and(Task::is_woken);
        (0..SLOTS).filter(woken).collect()
    }

    /// All wake-ups are delivered and all that were woken are polled: then nobody waits who could go on.
    pub(crate) fn settle(&mut self) {
        for _ in 0..POLLS_MAX {
            let Some(&slot) = self.woken().first() else {
                return self.nobody_was_forgotten();
            };
            self.poll(slot);
        }
        panic!("they wake each other for ever");
    }

    fn nobody_was_forgotten(&self) {
        for slot in 0..SLOTS {
            if self.tasks[slot].is_none() || !self.reference.was_polled(slot) {
                continue;
            }
            let allowed = self.reference.allowed(slot);
            assert!(
                allowed.contains(&None) && !self.reference.misses_demand(slot),
                "slot {slot} waits and was not woken, and could come to {allowed:?}"
            );
        }
        for (channel, ends) in self.ends.iter().enumerate() {
            if let Some(tx) = ends.senders.last() {
                let waits = self.reference.receiver_waits(channel, true);
                assert_eq!(
                    tx.is_ready(),
                    waits,
                    "whether a receiver waits on {channel}"
                );
            }
        }
    }

    fn ends_know_who_is_gone(&self) {
        for (channel, ends) in self.ends.iter().enumerate() {
            let gone = |side| self.reference.is_disconnected(channel, side);
            for tx in &ends.senders {
                assert_eq!(tx.is_disconnected(), gone(Side::Sending), "of {channel}");
            }
            for rx in &ends.receivers {
                assert_eq!(rx.is_disconnected(), gone(Side::Receiving), "of {channel}");
            }
        }
    }

    /// Ends everything; then each message is where the reference says.
    pub(crate) fn balance(mut self) -> Vec<Option<Outcome>> {
        self.settle();
        for slot in 0..SLOTS {
            self.cancel(slot);
        }
        while !self.custody.lock().unwrap().is_empty() {
            self.answer(0, Answer::HandBack);
        }
        self.ends.clear();
        self.books.close();
        for number in 0..self.books.count() {
            let place = self.reference.places.get(&number).copied();
            let found = Some(self.books.place(number));
            assert_eq!(
                found, place,
                "where message {number} is, and where it should be"
            );
        }
        self.seen
    }
}

fn picked(slots: &[usize], pick: usize) -> Option<usize> {
    slots.get(pick.checked_rem(slots.len())?).copied()
}

fn send(tx: Sender<Message>, way: SendWay, message: Message, books: Books) -> Task<Said> {
    match way {
        SendWay::Async => once(async move { sent(&books, tx.send_async(message).await) }),
        SendWay::Sink => once(async move {
            let mut sink = tx.into_sink();
            let sending = sink.send(message);
            sent(&books, sending.await)
        }),
        SendWay::From => {
            let number = message.number;
            let mut home = Home::of(message);
            once(async move {
                match tx.send_from(&mut home.slot).await {
                    Ok(()) => Outcome::Sent(0),
                    Err(error) => Outcome::Failed(0, why(&error), number),
                }
            })
        }
    }
}
