//! What the async houses (tokio's mpsc, flume, kanal, async-channel) check of cancellation and wake-ups.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use handover::{Receiver, Sender, channel, channel::Held, select_async};

use crate::{
    on_one_thread,
    stage::{Peer, SHORT, Scripted, Tally, homemade_block_on, join},
};

/// Flume: a notification must not die with the receive that it was given to. Here with every other one of many.
#[test]
fn receives_that_are_dropped_in_a_row_pass_the_wake_up_down_the_row() {
    let (tx, rx) = channel::<u32>();
    let mut row: Vec<_> = (0..10).map(|_| Scripted::new(rx.recv_async())).collect();
    row.iter_mut().for_each(Scripted::stays_pending);
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    while row.len() > 1 {
        assert_eq!(row[0].wakes(), 1);
        drop(row.remove(0));
    }
    assert_eq!(row[0].wakes(), 1);
    assert_eq!(row[0].resolves().unwrap(), 7);
    send.resolves().unwrap();
}

/// Flume: a stream is woken once for a message, however often its sender is polled.
#[test]
fn nobody_is_woken_twice_for_one_message() {
    let (tx, rx) = channel::<u32>();
    let mut stream = rx.into_stream();
    let mut next = Scripted::new(stream.next());
    next.stays_pending();
    let mut send = Scripted::new(tx.send_async(1));
    for _ in 0..5 {
        send.stays_pending();
    }
    assert_eq!(next.wakes(), 1);
    assert_eq!(next.resolves(), Some(1));
    assert_eq!(send.wakes(), 1);
    send.resolves().unwrap();
}

/// Flume: polled by one task, then by another, the receive wakes the one that polled it last.
#[test]
fn a_receive_that_changes_tasks_wakes_its_last() {
    let (tx, rx) = channel::<u32>();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    for _ in 0..5 {
        assert!(receive.poll_with_another_waker().is_pending());
    }
    let sending = thread::spawn(move || tx.send(3));
    crate::stage::until(|| receive.wakes() == 1);
    assert_eq!(receive.resolves().unwrap(), 3);
    join(sending).unwrap();
}

/// Tokio: "cancel safe" means that a receive in a `select!` loop loses nothing. So it does here, without a buffer in
/// which the message could wait: it stays with its sender.
#[test]
fn a_receive_in_a_tokio_select_loop_loses_nothing() {
    const MESSAGES: u32 = 2_000;
    Peer::TokioMultiThread.run(async {
        let (tx, rx) = channel::<u32>();
        let sending = tokio::spawn(async move {
            for number in 0..MESSAGES {
                tx.send_async(number).await.unwrap();
            }
        });
        let (mut expected, mut interruptions) = (0, 0_u32);
        loop {
            tokio::select! {
                biased;
                () = tokio::task::yield_now(), if interruptions % 3 != 0 => {}
                received = rx.recv_async() => match received {
                    Ok(number) => {
                        assert_eq!(number, expected);
                        expected += 1;
                    }
                    Err(_) => break,
                },
                () = tokio::task::yield_now() => {}
            }
            interruptions += 1;
        }
        assert_eq!(expected, MESSAGES);
        sending.await.unwrap();
    });
}

/// Kanal reports a message as sent and then drops it with the receive that was about to get it. Here a receive that is
/// dropped has taken nothing.
#[test]
fn however_many_receives_are_dropped_the_message_is_still_with_its_sender() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut send = Scripted::new(tx.send_async(tally.message(7)));
    for round in 0..100 {
        let mut receive = Scripted::new(rx.recv_async());
        if round == 0 {
            receive.stays_pending();
            send.stays_pending();
            assert_eq!(receive.wakes(), 1);
        }
        // Woken, or never polled; and with a message in reach each time.
        drop(receive);
        send.stays_pending();
        assert_eq!(tally.dropped(), 0);
    }
    assert_eq!(rx.try_recv().unwrap(), 7);
    send.resolves().unwrap();
}

/// Flume's `bounded(0)` keeps the message of a send whose receive was dropped, and reports it as sent: a buffer of
/// one. Here a send is done when its message was taken, and not before.
#[test]
fn a_send_is_done_when_its_message_was_taken_and_not_when_a_receiver_was_found() {
    let (tx, rx) = channel::<u32>();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(7));
    for _ in 0..3 {
        send.stays_pending();
    }
    assert_eq!(receive.resolves().unwrap(), 7);
    send.resolves().unwrap();
}

/// Async-channel: a future that is leaked hurts nobody else who waits.
#[test]
fn a_leaked_receive_costs_one_message_its_time_and_no_other_receiver_its_turn() {
    let (tx, rx) = channel::<u32>();
    let mut leaked = Scripted::new(rx.recv_async());
    leaked.stays_pending();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut first = Scripted::new(tx.send_async(1));
    let mut second = Scripted::new(tx.send_async(2));
    first.stays_pending();
    second.stays_pending();
    std::mem::forget(leaked);
    // The second send woke the other receiver, who takes in the order of the senders.
    assert_eq!(receive.resolves().unwrap(), 1);
    assert_eq!(homemade_block_on(rx.recv_async()).unwrap(), 2);
    first.resolves().unwrap();
    second.resolves().unwrap();
}

#[test]
fn a_leaked_send_is_still_taken_from() {
    let (tx, rx) = channel::<u32>();
    // The future is pinned and leaked with its box, so what it holds stays where it is.
    let (tx, rx) = (&*Box::leak(Box::new(tx)), rx);
    let mut leaked = Scripted::new(tx.send_async(1));
    leaked.stays_pending();
    std::mem::forget(leaked);
    assert_eq!(rx.try_recv().unwrap(), 1);
    assert!(rx.try_recv().is_err());
}

/// Async-channel and kanal: receivers in parallel take each message once, and all of them end.
#[test]
fn parallel_receivers_and_streams_share_the_messages() {
    const RECEIVERS: usize = 8;
    const MESSAGES: usize = 4_000;
    Peer::TokioMultiThread.run(async {
        let (tx, rx) = channel::<usize>();
        let taken: Arc<Vec<_>> = Arc::new((0..MESSAGES).map(|_| AtomicUsize::new(0)).collect());
        let receivers: Vec<_> = (0..RECEIVERS)
            .map(|place| {
                let (rx, taken) = (rx.clone(), Arc::clone(&taken));
                tokio::spawn(async move {
                    let book = |number: usize| taken[number].fetch_add(1, Ordering::Relaxed);
                    if place % 2 == 0 {
                        let mut stream = rx.into_stream();
                        while let Some(number) = stream.next().await {
                            book(number);
                        }
                    } else {
                        while let Ok(number) = rx.recv_async().await {
                            book(number);
                        }
                    }
                })
            })
            .collect();
        drop(rx);
        for number in 0..MESSAGES {
            tx.send_async(number).await.unwrap();
        }
        drop(tx);
        for receiver in receivers {
            receiver.await.unwrap();
        }
        assert!(taken.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    });
}

#[test]
fn a_long_stream_of_messages_keeps_its_order_across_workers() {
    const MESSAGES: u32 = 20_000;
    Peer::TokioMultiThread.run(async {
        let (tx, rx) = channel::<u32>();
        let receiving = tokio::spawn(async move {
            let mut expected = 0;
            while let Ok(number) = rx.recv_async().await {
                assert_eq!(number, expected);
                expected += 1;
            }
            expected
        });
        for number in 0..MESSAGES {
            tx.send_async(number).await.unwrap();
        }
        drop(tx);
        assert_eq!(receiving.await.unwrap(), MESSAGES);
    });
}

/// Kanal and flume: the blocking and the async half of an API meet each other in all four ways, at once.
#[test]
fn threads_and_tasks_on_both_sides_of_one_channel() {
    const EACH: usize = 1_000;
    fn receive(peer: Peer, rx: &Receiver<usize>) -> usize {
        std::iter::from_fn(|| peer.recv(rx).ok()).sum()
    }
    fn send(peer: Peer, tx: &Sender<usize>) {
        (0..EACH).for_each(|number| peer.send(tx, number).unwrap());
    }
    let (tx, rx) = channel::<usize>();
    let peers = [Peer::Thread, Peer::Homemade];
    let receiving = peers.map(|peer| {
        let rx = rx.clone();
        thread::spawn(move || receive(peer, &rx))
    });
    let sending = peers.map(|peer| {
        let tx = tx.clone();
        thread::spawn(move || send(peer, &tx))
    });
    drop((tx, rx));
    sending.into_iter().for_each(join);
    let sum: usize = receiving.into_iter().map(join).sum();
    assert_eq!(sum, EACH * (EACH - 1));
}

/// Tokio's permits (`reserve`) are a place in a buffer; here there is none, and what can be waited for is a receiver.
#[test]
fn waiting_for_demand_is_given_up_without_a_trace() {
    let (tx, rx) = channel::<u32>();
    let mut ready = Scripted::new(tx.ready_async());
    ready.stays_pending();
    drop(ready);
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut ready = Scripted::new(tx.ready_async());
    ready.resolves().unwrap();
    // It has reserved nothing: another sender may come first.
    let mut other = Scripted::new(tx.send_async(1));
    other.stays_pending();
    assert_eq!(receive.resolves().unwrap(), 1);
    let mut late = Scripted::new(tx.send_async(2));
    late.stays_pending();
}

/// Tokio: a receiver that is dropped with senders pending wakes each of them, once.
#[test]
fn every_pending_send_hears_the_end_once() {
    let (tx, rx) = channel::<u32>();
    let mut sends: Vec<_> = (0..10)
        .map(|number| Scripted::new(tx.send_async(number)))
        .collect();
    sends.iter_mut().for_each(Scripted::stays_pending);
    drop(rx);
    for (number, send) in (0..).zip(&mut sends) {
        assert_eq!(send.wakes(), 1);
        assert_eq!(send.resolves().unwrap_err().into_inner(), number);
    }
}

/// Many offers in one task, as `FuturesUnordered` or `join!` make them: each is taken, in the order of the offers.
#[test]
fn many_sends_of_one_task_are_taken_in_order() {
    on_one_thread(async {
        let (tx, rx) = channel::<usize>();
        let mut offers: FuturesUnordered<_> =
            (0..100).map(|number| tx.send_async(number)).collect();
        let receiving = async {
            let mut numbers = Vec::new();
            while numbers.len() < 100 {
                numbers.push(rx.recv_async().await.unwrap());
            }
            numbers
        };
        let sending = async { while offers.next().await.is_some() {} };
        let (numbers, ()) = tokio::join!(receiving, sending);
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..100));
    });
}

/// A task that is aborted while it waits is a future that is dropped.
#[test]
fn an_aborted_task_takes_its_offer_and_its_demand_away() {
    Peer::TokioMultiThread.run(async {
        let (tx, rx) = channel::<u32>();
        for _ in 0..100 {
            let offering = tokio::spawn({
                let tx = tx.clone();
                async move { tx.send_async(1).await }
            });
            tokio::task::yield_now().await;
            offering.abort();
            let aborted = offering.await.unwrap_err();
            assert!(aborted.is_cancelled());
            assert!(rx.try_recv().is_err(), "nobody offers any more");
            let asking = tokio::spawn({
                let rx = rx.clone();
                async move { rx.recv_async().await }
            });
            tx.ready_async().await.unwrap();
            asking.abort();
            assert!(asking.await.unwrap_err().is_cancelled());
            assert!(!tx.is_ready(), "nobody asks any more");
        }
    });
}

/// Timeouts around everything, on a runtime with two workers: what was not taken is home, and nothing twice.
#[test]
fn timeouts_around_sends_and_receives_lose_and_double_nothing() {
    const MESSAGES: usize = 300;
    let patience = Duration::from_micros(100);
    Peer::TokioMultiThread.run(async move {
        let (tx, rx) = channel::<usize>();
        let sending = tokio::spawn(async move {
            let mut attempts = 0_usize;
            for number in 0..MESSAGES {
                let mut home = Some(number);
                while home.is_some() {
                    let _ = tokio::time::timeout(patience, tx.send_from(&mut home)).await;
                    attempts += 1;
                }
            }
            attempts
        });
        let mut expected = 0;
        while expected < MESSAGES {
            let taken = tokio::time::timeout(patience, async {
                if expected % 3 == 0 {
                    rx.recv_held_async().await.map(Held::release)
                } else if expected % 3 == 1 {
                    select_async! { recv(rx) -> message => message }
                } else {
                    rx.recv_async().await
                }
            });
            if let Ok(Ok(number)) = taken.await {
                assert_eq!(number, expected);
                expected += 1;
            }
            if expected % 50 == 0 {
                // Late enough for the sender to give up.
                tokio::time::sleep(SHORT / 10).await;
            }
        }
        assert!(sending.await.unwrap() >= MESSAGES);
    });
}
