//! Operations as futures, and what the reference is told of each.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use handover::{
    Receiver, Sender,
    channel::{
        ReadyError, RecvError, RecvStream, RecvTimeoutError, Select, SendError, SendTimeoutError,
    },
};

use super::{Custody, Said, World, number_of};
use crate::{
    program::{Guards, Operation, SendWay, Side},
    reference::{Kind, Outcome, Why},
    script::{Books, Home, Message, Place, Task, pause},
};

/// An end with its guard.
pub(super) enum End {
    Sending(Sender<Message>),
    Receiving(Receiver<Message>),
}

fn why<T>(error: &SendError<T>) -> Why {
    match error {
        SendError::Disconnected(_) => Why::Disconnected,
        SendError::Poisoned(_, reason) => Why::Poisoned(number_of(reason)),
        SendError::Returned(_) => Why::Returned,
        SendError::InDoubt(_) => Why::InDoubt,
        _ => panic!("the reference does not know this reason: {error:?}"),
    }
}

/// Takes the message out, with why it was not sent.
pub(super) fn why_in_time<T>(error: SendTimeoutError<T>) -> (Why, T) {
    match error {
        SendTimeoutError::Timeout(message) => (Why::TimedOut, message),
        SendTimeoutError::Disconnected(message) => (Why::Disconnected, message),
        SendTimeoutError::Poisoned(message, reason) => (Why::Poisoned(number_of(&reason)), message),
        SendTimeoutError::Returned(message) => (Why::Returned, message),
        SendTimeoutError::InDoubt(message) => (Why::InDoubt, message),
        _ => panic!("the reference does not know this reason"),
    }
}

/// Why no message came.
fn why_none(error: &RecvError) -> Why {
    match error {
        RecvError::Disconnected => Why::Disconnected,
        RecvError::Poisoned(reason) => Why::Poisoned(number_of(reason)),
        _ => panic!("the reference does not know this reason: {error:?}"),
    }
}

fn sent(books: &Books, result: Result<(), SendError<Message>>) -> Outcome {
    match result {
        Ok(()) => Outcome::Sent(0),
        Err(error) => {
            let (error, message) = error.split();
            failed(books, why(&error), message)
        }
    }
}

pub(super) fn failed(books: &Books, why: Why, message: Message) -> Outcome {
    let number = message.number;
    books.book(message, Place::Home);
    Outcome::Failed(0, why, number)
}

pub(super) fn taken(books: &Books, guard: usize, message: Message) -> Outcome {
    let number = message.number;
    books.book(message, Place::Taken);
    Outcome::Received(guard, number)
}

fn received(books: &Books, guard: usize, result: Result<Message, RecvError>) -> Outcome {
    match result {
        Ok(message) => taken(books, guard, message),
        Err(error) => Outcome::Ended(guard, why_none(&error)),
    }
}

pub(super) fn received_in_time(
    books: &Books,
    result: Result<Message, RecvTimeoutError>,
) -> Outcome {
    match result {
        Ok(message) => taken(books, 0, message),
        Err(RecvTimeoutError::Timeout) => Outcome::TimedOut,
        Err(RecvTimeoutError::Disconnected) => Outcome::Ended(0, Why::Disconnected),
        Err(RecvTimeoutError::Poisoned(reason)) => {
            Outcome::Ended(0, Why::Poisoned(number_of(&reason)))
        }
        Err(error) => panic!("the reference does not know this reason: {error:?}"),
    }
}

/// An alternation, built of `ends`; what it offers is in `homes`, one for each end that sends.
pub(super) fn select<'a>(
    books: &'a Books,
    ends: &'a [End],
    homes: &'a mut [Home],
    timer: Option<usize>,
    biased: bool,
) -> Select<'a, Outcome> {
    let mut select = Select::new();
    if biased {
        select = select.biased();
    }
    let ring = |select: Select<'a, Outcome>| select.at(Instant::now(), |_| Outcome::Rang);
    let mut homes = homes.iter_mut();
    for (guard, end) in ends.iter().enumerate() {
        if timer == Some(guard) {
            select = ring(select);
        }
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
    if timer.is_some_and(|before| before >= ends.len()) {
        select = ring(select);
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
        Err(error) => Outcome::Ended(0, why_none(&error)),
    }
}

async fn hold(rx: Receiver<Message>, custody: Custody) -> Outcome {
    match rx.recv_held_async().await {
        Ok(held) => {
            let number = held.number;
            custody.lock().unwrap().push(held);
            Outcome::Held(number)
        }
        Err(error) => Outcome::Ended(0, why_none(&error)),
    }
}

async fn ready(tx: Sender<Message>) -> Outcome {
    match tx.ready_async().await {
        Ok(()) => Outcome::Demand,
        Err(ReadyError::Disconnected) => Outcome::NoDemand(Why::Disconnected),
        Err(ReadyError::Poisoned(reason)) => Outcome::NoDemand(Why::Poisoned(number_of(&reason))),
        Err(error) => panic!("the reference does not know this reason: {error:?}"),
    }
}

pub(super) fn next_of(mut stream: RecvStream<Message>, books: Books) -> Task<Said> {
    Task::new(async move {
        match stream.next().await {
            Some(message) => (taken(&books, 0, message), Some(stream)),
            None => (Outcome::Over, None),
        }
    })
}

fn once(future: impl Future<Output = Outcome> + 'static) -> Task<Said> {
    Task::new(async move { (future.await, None) })
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

/// A send whose deadline is past: it resolves when it is polled first.
fn send_in_time(tx: Sender<Message>, way: SendWay, message: Message, books: Books) -> Task<Said> {
    if way == SendWay::From {
        let number = message.number;
        let mut home = Home::of(message);
        return once(async move {
            match tx.send_timeout_from(&mut home.slot, Duration::ZERO).await {
                Ok(()) => Outcome::Sent(0),
                Err(error) => Outcome::Failed(0, why_in_time(error).0, number),
            }
        });
    }
    once(async move {
        match tx.send_timeout_async(message, Duration::ZERO).await {
            Ok(()) => Outcome::Sent(0),
            Err(error) => {
                let (why, message) = why_in_time(error);
                failed(&books, why, message)
            }
        }
    })
}

impl World {
    /// The ends of an alternation, its messages, and what the reference is told of it.
    pub(super) fn guards(&self, guards: &Guards) -> Option<(Vec<End>, Vec<Home>, Kind)> {
        let mut ends = Vec::new();
        for guard in &guards.all {
            ends.push(match guard.side {
                Side::Receiving => End::Receiving(self.receiver(guard.channel)?),
                Side::Sending => End::Sending(self.sender(guard.channel)?),
            });
        }
        // Only now, so that no message is made for nothing.
        let mut homes = Vec::new();
        let told = guards
            .all
            .iter()
            .map(|guard| {
                let number = (guard.side == Side::Sending).then(|| {
                    let message = self.books.message();
                    let number = message.number;
                    homes.push(Home::of(message));
                    number
                });
                (*guard, number)
            })
            .collect();
        let kind = Kind::Select {
            guards: told,
            timer: guards.timer,
            biased: guards.biased,
        };
        Some((ends, homes, kind))
    }

    /// The future, and what the reference is told of it; nothing if the program has dropped the end for it.
    pub(super) fn make(&self, operation: &Operation) -> Option<(Kind, Task<Said>)> {
        let books = self.books.clone();
        Some(match operation {
            Operation::Send(channel, way) | Operation::SendInTime(channel, way) => {
                let tx = self.sender(*channel)?;
                let message = books.message();
                let late = matches!(operation, Operation::SendInTime(..));
                let kind = Kind::Send {
                    channel: *channel,
                    message: message.number,
                    loses: *way != SendWay::From,
                    late,
                };
                let make = if late { send_in_time } else { send };
                (kind, make(tx, *way, message, books))
            }
            Operation::Recv(channel) => {
                let rx = self.receiver(*channel)?;
                let task = once(async move { received(&books, 0, rx.recv_async().await) });
                (recv(*channel, false, false), task)
            }
            Operation::RecvInTime(channel) => {
                let rx = self.receiver(*channel)?;
                let task = once(async move {
                    received_in_time(&books, rx.recv_timeout_async(Duration::ZERO).await)
                });
                (recv(*channel, false, true), task)
            }
            Operation::Stream(channel) => {
                let stream = self.receiver(*channel)?.into_stream();
                (recv(*channel, true, false), next_of(stream, books))
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
            Operation::Select(guards) => {
                let (ends, mut homes, kind) = self.guards(guards)?;
                let (timer, biased) = (guards.timer, guards.biased);
                let task = async move {
                    let select = select(&books, &ends, &mut homes, timer, biased);
                    select.wait().await
                };
                (kind, once(task))
            }
            Operation::Ready(channel) => {
                let task = once(ready(self.sender(*channel)?));
                (Kind::Ready { channel: *channel }, task)
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
}

fn recv(channel: usize, stream: bool, late: bool) -> Kind {
    Kind::Recv {
        channel,
        stream,
        late,
    }
}
