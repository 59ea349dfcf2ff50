//! A merge takes from each sender in turn, takes nothing ahead, and ends when all its receivers have.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
    thread,
};

use futures_core::{FusedStream, Stream};
use handover::{
    channel,
    channel::{RecvError, RecvTimeoutError, SendError, TryRecvError},
    pattern::{Merge, merge},
};

use crate::stage::{Message, PATIENCE, Peer, SHORT, Scripted, Tally, for_peers, join};

fn recv<T: Send>(peer: Peer, merge: &mut Merge<T>) -> Option<T> {
    match peer {
        Peer::Thread => merge.recv().ok(),
        _ => peer.run(merge.recv_async()).ok(),
    }
}

for_peers! {
    fn a_merge_ends_when_all_its_receivers_have(peer) {
        const SENDERS: u32 = 3;
        const MESSAGES: u32 = 50;
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..SENDERS).map(|_| channel()).unzip();
        let mut merged = merge(receivers);
        let threads: Vec<_> = (0..).zip(senders).map(|(place, tx)| {
            // One ends at once, the others later.
            thread::spawn(move || (0..place * MESSAGES).try_for_each(|n| peer.send(&tx, (place, n))))
        }).collect();
        let mut next = [0; SENDERS as usize];
        while let Some((place, n)) = recv(peer, &mut merged) {
            let expected = &mut next[usize::try_from(place).unwrap()];
            assert_eq!(n, *expected, "each sender's messages come in their order");
            *expected += 1;
        }
        assert_eq!(next, [0, MESSAGES, 2 * MESSAGES]);
        assert_eq!(merged.sources(), 0);
        assert_eq!(merged.try_recv().unwrap_err(), TryRecvError::Disconnected);
        for thread in threads {
            assert!(join(thread).is_ok());
        }
    }

    fn poison_is_heard_once_and_the_others_go_on_until_it_is_passed_on(peer) {
        let (bad, poisoned) = channel();
        let (tx, rx) = channel();
        let (last, from_last) = channel();
        let mut merged = merge([poisoned, rx, from_last]);
        let poisoning = thread::spawn(move || bad.poison("the end"));
        let heard = match peer {
            Peer::Thread => merged.recv(),
            _ => peer.run(merged.recv_async()),
        };
        assert_eq!(heard, Err(RecvError::Poisoned("the end".into())));
        assert!(join(poisoning));
        let sending = thread::spawn(move || peer.send(&tx, 7));
        assert_eq!(recv(peer, &mut merged), Some(7));
        assert_eq!(join(sending), Ok(()));
        merged.poison("passed on");
        assert_eq!(peer.send(&last, 8), Err(SendError::Poisoned(8, "passed on".into())));
    }

    fn a_merge_of_nothing_has_ended(peer) {
        assert_eq!(recv(peer, &mut merge::<u32>([])), None);
    }

    fn a_merge_wakes_for_whichever_comes_first(peer) {
        let (_idle, nothing) = channel::<u32>();
        let (tx, rx) = channel();
        let mut merged = merge([nothing, rx]);
        let sending = thread::spawn(move || peer.send(&tx, 7));
        assert_eq!(recv(peer, &mut merged), Some(7));
        assert_eq!(join(sending), Ok(()));
    }
}

/// Sends that wait, each with the number of its channel.
macro_rules! waiting_sends {
    ($senders:ident) => {
        $senders
            .iter()
            .enumerate()
            .map(|(place, tx)| {
                let mut send = Scripted::new(tx.send_async(place));
                send.stays_pending();
                send
            })
            .collect::<Vec<_>>()
    };
}

#[test]
fn receivers_that_all_have_a_sender_are_served_in_turn() {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| channel()).unzip();
    let mut merged = merge(receivers);
    let mut served = Vec::new();
    for _ in 0..5 {
        let mut sends = waiting_sends!(senders);
        served.push(merged.recv().unwrap());
        // Only the one that was served is done: nothing was taken ahead.
        for (place, send) in sends.iter_mut().enumerate() {
            assert_eq!(send.poll().is_ready(), place == *served.last().unwrap());
        }
    }
    assert_eq!(served, [0, 1, 2, 3, 0]);
}

#[test]
fn the_turns_go_on_after_a_wait() {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| channel()).unzip();
    let mut merged = merge(receivers);
    for expected in [0, 1, 2, 0, 1] {
        let mut receive = Scripted::new(merged.recv_async());
        receive.stays_pending();
        let _sends = waiting_sends!(senders);
        assert_eq!(receive.resolves(), Ok(expected));
    }
}

#[test]
fn a_receiver_that_ends_leaves_the_turns_of_the_others_as_they_were() {
    let (mut senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| channel()).unzip();
    let mut merged = merge(receivers);
    {
        let _sends = waiting_sends!(senders);
        assert_eq!(merged.recv(), Ok(0));
    }
    {
        let _sends = waiting_sends!(senders);
        assert_eq!(merged.recv(), Ok(1));
    }
    drop(senders.remove(0));
    let mut served = Vec::new();
    for _ in 0..5 {
        let _sends = waiting_sends!(senders);
        served.push(merged.recv().unwrap());
    }
    // By their new numbers: what was 2, 3, 1, 2 and 3.
    assert_eq!(served, [1, 2, 0, 1, 2]);
    assert_eq!(merged.sources(), 3);
}

#[test]
fn a_receiver_can_be_added() {
    let mut merged = merge([]);
    let (tx, rx) = channel();
    merged.add(rx);
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!(merged.next(), Some(7));
    drop(send);
    drop(tx);
    assert_eq!(merged.next(), None);
}

#[test]
fn a_receive_that_is_dropped_has_taken_nothing_and_strands_nobody() {
    let tally = Tally::default();
    let (tx, rx) = channel::<Message>();
    let (other_tx, other_rx) = channel::<Message>();
    let second = rx.clone();
    let mut merged = merge([rx, other_rx]);
    let mut receive = Scripted::new(merged.recv_async());
    receive.stays_pending();
    let mut elsewhere = Scripted::new(second.recv_async());
    elsewhere.stays_pending();
    let mut send = Scripted::new(tx.send_async(tally.message(1)));
    send.stays_pending();
    let mut other = Scripted::new(other_tx.send_async(tally.message(2)));
    other.stays_pending();
    assert_eq!(receive.wakes(), 1);
    drop(receive);
    assert_eq!(tally.dropped(), 0);
    assert_eq!(elsewhere.wakes(), 1, "the wake-up was passed on");
    assert_eq!(elsewhere.resolves().unwrap(), 1);
    assert!(send.resolves().is_ok());
    assert_eq!(merged.try_recv().unwrap(), 2);
    assert!(other.resolves().is_ok());
}

#[test]
fn a_merge_that_is_dropped_gives_its_senders_their_messages_back() {
    let (tx, rx) = channel();
    let (_other, other_rx) = channel();
    let merged = merge([rx, other_rx]);
    let mut send = Scripted::new(tx.send_async(1));
    send.stays_pending();
    drop(merged);
    assert_eq!(send.resolves(), Err(SendError::Disconnected(1)));
}

#[test]
fn a_merge_gives_up_in_time() {
    let (tx, rx) = channel::<u32>();
    let mut merged = merge([rx]);
    assert_eq!(merged.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
    assert_eq!(merged.try_recv(), Err(TryRecvError::Empty));
    let sending = thread::spawn(move || tx.send(1));
    assert_eq!(merged.recv_timeout(PATIENCE), Ok(1));
    join(sending).unwrap();
    assert_eq!(
        merged.recv_timeout(PATIENCE),
        Err(RecvTimeoutError::Disconnected)
    );
}

#[test]
fn as_a_stream_it_gives_the_same_and_ends() {
    let (tx, rx) = channel();
    let (other_tx, other_rx) = channel();
    let mut stream = merge([rx, other_rx]).into_stream();
    let mut next = |context: &mut Context<'_>| Pin::new(&mut stream).poll_next(context);
    let mut context = Context::from_waker(Waker::noop());

    assert_eq!(next(&mut context), Poll::Pending);
    let mut send = Scripted::new(tx.send_async(1));
    send.stays_pending();
    assert_eq!(next(&mut context), Poll::Ready(Some(1)));
    assert!(send.resolves().is_ok());
    drop(send);

    let mut send = Scripted::new(other_tx.send_async(2));
    send.stays_pending();
    assert!(!tx.is_ready(), "between two items it waits nowhere");
    assert_eq!(next(&mut context), Poll::Ready(Some(2)));
    assert!(send.resolves().is_ok());

    drop(send);
    drop((tx, other_tx));
    assert_eq!(next(&mut context), Poll::Ready(None));
    assert_eq!(next(&mut context), Poll::Ready(None));
    assert!(stream.is_terminated());
}

#[test]
fn a_stream_that_is_dropped_while_it_waits_waits_nowhere() {
    let (tx, rx) = channel::<u32>();
    let second = rx.clone();
    let mut stream = merge([rx]).into_stream();
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(Pin::new(&mut stream).poll_next(&mut context), Poll::Pending);
    assert!(tx.is_ready());
    drop(stream);
    assert!(!tx.is_ready());
    drop(second);
    assert!(tx.is_disconnected());
}
