//! The room's own tests: small, without tokio, so that Miri can run them under many schedules.
//!
//! They are about memory: waits on several channels that are moved while they wait, and given up in the middle.

#![allow(clippy::unwrap_used, reason = "all of it is tests")]

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use futures_core::Stream;

use super::{Withdrawn, broadcast, merge, partition, request_reply};
use crate::channel::channel;

const ROUNDS: u32 = if cfg!(miri) { 3 } else { 100 };

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_delivery_is_given_up_moved_and_gone_on_with() {
    let (mut news, subscribers) = broadcast();
    let receivers: Vec<_> = (0..3).map(|_| subscribers.subscribe()).collect();
    let mut delivery = news.begin(Box::new(7));
    let mut wait = delivery.wait_async();
    assert!(poll(Pin::new(&mut wait)).is_pending());
    assert_eq!(receivers[1].try_recv().map(|copy| *copy), Ok(7));
    // A future that is moved: its offers stay where they are.
    let mut moved = Box::new(wait);
    assert!(poll(Pin::new(&mut *moved)).is_pending());
    drop(moved);
    assert!(receivers[0].try_recv().is_err());
    let reading: Vec<_> = receivers
        .into_iter()
        .map(|rx| thread::spawn(move || rx.iter().count()))
        .collect();
    delivery.wait();
    assert_eq!(delivery.finish(), Ok(3));
    for n in 1..=ROUNDS {
        assert_eq!(news.send(Box::new(n)), Ok(3));
    }
    drop(news);
    let counts: usize = reading
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert_eq!(counts, 3 * ROUNDS as usize + 2);
}

#[test]
fn a_stream_of_a_merge_is_moved_while_it_waits() {
    let (tx, rx) = channel();
    let (_idle, nothing) = channel();
    let mut stream = merge([nothing, rx]).into_stream();
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut stream).poll_next(&mut context).is_pending());
    let mut moved = Box::new(stream);
    let mut send = Box::pin(tx.send_async(Box::new(7)));
    assert!(poll(send.as_mut()).is_pending());
    let taken = Pin::new(&mut *moved).poll_next(&mut context);
    assert_eq!(taken, Poll::Ready(Some(Box::new(7))));
    assert_eq!(poll(send.as_mut()), Poll::Ready(Ok(())));
    assert!(Pin::new(&mut *moved).poll_next(&mut context).is_pending());
    drop(moved);
    assert!(tx.is_disconnected());
}

#[test]
fn a_merge_takes_from_threads() {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| channel()).unzip();
    let sending: Vec<_> = senders
        .into_iter()
        .map(|tx| thread::spawn(move || (0..ROUNDS).try_for_each(|n| tx.send(Box::new(n)))))
        .collect();
    assert_eq!(merge(receivers).count(), 2 * ROUNDS as usize);
    for thread in sending {
        assert!(thread.join().unwrap().is_ok());
    }
}

#[test]
fn calls_are_answered_or_given_up() {
    let (client, server) = request_reply::<Box<u32>, Box<u32>>();
    let serving = thread::spawn(move || server.serve(|n| Box::new(*n + 1)));
    for n in 0..ROUNDS {
        assert_eq!(client.call(Box::new(n)), Ok(Box::new(n + 1)));
        drop(client.call_timeout(Box::new(n), Duration::from_micros(20)));
        let mut call = pin!(client.call_async(Box::new(n)));
        match poll(call.as_mut()) {
            Poll::Ready(answer) => assert_eq!(answer, Ok(Box::new(n + 1))),
            Poll::Pending => match call.withdraw() {
                Withdrawn::Question(question) => assert_eq!(*question, n),
                Withdrawn::Answer(answer) => assert_eq!(*answer, n + 1),
                Withdrawn::Taken => {}
            },
        }
    }
    drop(client);
    assert!(serving.join().is_ok());
}

#[test]
fn a_partition_carries_between_threads() {
    let (tx, source) = channel::<Box<u32>>();
    let (relay, outlets) = partition(source, |n| n.is_multiple_of(2));
    let running = thread::spawn(move || relay.run());
    let reading = outlets.map(|outlet| thread::spawn(move || outlet.iter().count()));
    for n in 0..2 * ROUNDS {
        tx.send(Box::new(n)).unwrap();
    }
    drop(tx);
    assert_eq!(running.join().unwrap(), Ok(()));
    for thread in reading {
        assert_eq!(thread.join().unwrap(), ROUNDS as usize);
    }
}
