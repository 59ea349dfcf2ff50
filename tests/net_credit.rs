//! Credit across a link: what a receiver grants is what may cross ahead of the take, and each message has its own outcome.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

#[path = "broken/credit.rs"]
mod cuts;
#[path = "broken/proxy.rs"]
#[allow(dead_code)]
mod proxy;

mod links;
mod wires;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::join_all, stream};
use handover::{
    channel::{Receiver, SendError, Sender},
    net::{Goodbye, Limits, Link},
    wire::{CREDIT_MESSAGES_MAX, Event, Frame, FrameType},
};
use tokio::task::JoinHandle;

use links::{Puppet, channel_over, config, link_and_puppet, pair, pair_of, settle, soon};

fn number(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

fn read(message: &Bytes) -> u64 {
    u64::from_be_bytes(message[..8].try_into().unwrap())
}

type Sends = Vec<JoinHandle<Result<(), SendError<Bytes>>>>;

/// Begins to send numbers, in their order.
async fn begin(tx: &Sender<Bytes>, numbers: std::ops::Range<u64>) -> Sends {
    let mut sends = Vec::new();
    for n in numbers {
        let tx = tx.clone();
        sends.push(tokio::spawn(async move { tx.send_async(number(n)).await }));
        // It waits, or is done, before the next one begins.
        tokio::task::yield_now().await;
    }
    sends
}

/// Waits until exactly so many have come to an end, however many turns both links have.
async fn are_done(sends: &Sends, count: usize, a: &Link, b: &Link) {
    let done = || sends.iter().filter(|send| send.is_finished()).count();
    soon("the sends", async {
        while done() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    settle(a, b).await;
    assert_eq!(done(), count);
}

async fn take(rx: &Receiver<Bytes>, count: usize) -> Vec<u64> {
    let mut taken = Vec::new();
    for _ in 0..count {
        let message = soon("a message", rx.recv_async()).await.unwrap();
        taken.push(read(&message));
    }
    taken
}

/// What each send came to: `None` if it was taken, or is within credit.
async fn outcomes(sends: Sends) -> Vec<Option<SendError<Bytes>>> {
    let all = soon("the outcomes", join_all(sends)).await;
    all.into_iter().map(|sent| sent.unwrap().err()).collect()
}

/// The peer of a link opens the channel "units", as its channel 0.
async fn open_units(puppet: &mut Puppet) {
    let open = Frame::Open {
        channel: 0,
        opening: 1,
        name: "units",
        type_name: "",
        type_version: 0,
    };
    puppet.say(open).await;
}

/// How many messages it is granted then.
async fn granted(puppet: &mut Puppet) -> u64 {
    let frame = puppet.expect(FrameType::Grant).await;
    match Frame::decode(&frame).unwrap().unwrap().0 {
        Frame::Grant { messages, .. } => messages,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn as_many_sends_complete_ahead_of_the_take_as_were_granted_and_no_more() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    rx.grant(3);
    let sends = begin(&tx, 0..5).await;
    are_done(&sends, 3, &a, &b).await;
    assert_eq!(rx.outstanding().untaken, 3);
    assert_eq!(take(&rx, 5).await, [0, 1, 2, 3, 4]);
    assert!(outcomes(sends).await.iter().all(Option::is_none));
}

#[tokio::test]
async fn without_a_grant_one_message_crosses_for_a_receiver_that_waits() {
    let (link, mut puppet) = link_and_puppet().await;
    let rx = link.receiver("units").unwrap();
    open_units(&mut puppet).await;
    for n in 1..=3 {
        let receive = tokio::spawn({
            let rx = rx.clone();
            async move { rx.recv_async().await }
        });
        assert_eq!(granted(&mut puppet).await, n);
        send(&mut puppet, n).await;
        puppet.expect(FrameType::Taken).await;
        assert_eq!(read(&receive.await.unwrap().unwrap()), n);
    }
    rx.grant(5);
    assert_eq!(granted(&mut puppet).await, 3 + 5);
}

/// Says message `sequence`, which is that number.
async fn send(puppet: &mut Puppet, sequence: u64) {
    puppet
        .say(Frame::Data {
            channel: 0,
            sequence,
            total: 8,
            chunk: &number(sequence),
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_is_kept_open_takes_each_message_once_and_in_order() {
    const COUNT: u64 = 5000;
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    // More than a link has under way.
    rx.grant(2 * CREDIT_MESSAGES_MAX);
    let taking = tokio::spawn(async move {
        for n in 0..COUNT {
            let message = soon("a message", rx.recv_async()).await.unwrap();
            assert_eq!(read(&message), n);
            rx.grant(1);
        }
        soon("the end", rx.recv_async()).await.unwrap_err();
    });
    stream::iter(0..COUNT)
        .map(|n| tx.send_async(number(n)))
        .buffered(3 * CREDIT_MESSAGES_MAX)
        .for_each(|sent| async { sent.unwrap() })
        .await;
    assert_eq!(a.counters().messages_sent, COUNT);
    drop(tx);
    taking.await.unwrap();
    assert_eq!(b.counters().messages_received, COUNT);
}

/// The grant stands with the peer, but not here: what comes is its senders' again.
#[tokio::test]
async fn messages_for_which_the_credit_was_revoked_stay_with_their_senders() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    rx.grant(8);
    soon("the grant", tx.ready_async()).await.unwrap();
    settle(&a, &b).await;
    assert_eq!(rx.revoke(8), 8);
    let sends = begin(&tx, 0..5).await;
    are_done(&sends, 0, &a, &b).await;
    assert_eq!(a.counters().messages_sent, 0);
    let mut taken = take(&rx, 5).await;
    taken.sort_unstable();
    assert_eq!(taken, [0, 1, 2, 3, 4]);
    assert!(outcomes(sends).await.iter().all(Option::is_none));
}

/// One of them shows that nobody waits; then the rest of the grant is asked back.
#[tokio::test]
async fn no_second_message_crosses_in_vain_for_a_grant_that_was_revoked() {
    let (link, mut puppet) = link_and_puppet().await;
    let rx = link.receiver("units").unwrap();
    rx.grant(8);
    let channel = 0;
    open_units(&mut puppet).await;
    assert_eq!(granted(&mut puppet).await, 8);
    rx.revoke(8);
    let unit = number(7);
    let data = |sequence| Frame::Data {
        channel,
        sequence,
        total: 8,
        chunk: &unit,
    };
    puppet.say(data(1)).await;
    puppet.expect(FrameType::Declined).await;
    puppet.expect(FrameType::Revoke).await;
    // The second one has crossed the question.
    puppet.say(data(2)).await;
    puppet.expect(FrameType::Declined).await;
    // Whoever waits now is granted one when the answer is there.
    let mut receive = Box::pin(rx.recv_async());
    assert!(links::is_pending(&mut receive).await);
    puppet
        .say(Frame::Revoked {
            channel,
            sequence: 2,
            bytes: 16,
        })
        .await;
    assert_eq!(granted(&mut puppet).await, 3);
    puppet.say(data(3)).await;
    let message = soon("the message", receive).await.unwrap();
    assert_eq!(read(&message), 7);
    puppet.expect(FrameType::Taken).await;
}

/// One that waits for its holder does not make others wait behind it.
#[tokio::test]
async fn behind_a_message_in_custody_none_waits_in_the_link() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    rx.grant(4);
    soon("the grant", tx.ready_async()).await.unwrap();
    settle(&a, &b).await;
    rx.revoke(4);
    let mut hold = Box::pin(rx.recv_held_async());
    assert!(links::is_pending(&mut hold).await);
    let sends = begin(&tx, 0..3).await;
    let held = soon("a message", hold).await.unwrap();
    settle(&a, &b).await;
    are_done(&sends, 0, &a, &b).await;
    // They are where they were: a sender may give one up and nobody has it.
    for send in &sends[1..] {
        send.abort();
    }
    settle(&a, &b).await;
    assert_eq!(read(&held.release()), 0);
    drop(tx);
    soon("the end", rx.recv_async()).await.unwrap_err();
}

#[tokio::test]
async fn a_receiver_that_goes_in_the_middle_has_what_it_granted_and_the_rest_comes_back() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    rx.grant(4);
    let sends = begin(&tx, 0..10).await;
    are_done(&sends, 4, &a, &b).await;
    assert_eq!(take(&rx, 2).await, [0, 1]);
    let remaining: Vec<u64> = rx.into_remaining().map(|message| read(&message)).collect();
    assert_eq!(remaining, [2, 3]);
    for (n, outcome) in (0..).zip(outcomes(sends).await) {
        match outcome {
            None if n < 4 => {}
            Some(SendError::Disconnected(back) | SendError::Returned(back)) if n >= 4 => {
                assert_eq!(read(&back), n);
            }
            other => panic!("{n}: {other:?}"),
        }
    }
}

/// A peer that has granted five, has five, and has said of the first two what became of them.
async fn five_under_way(link: &Link, puppet: &mut Puppet) -> Sends {
    let tx = link.sender("units").unwrap();
    let sends = begin(&tx, 0..7).await;
    puppet.expect(FrameType::Open).await;
    let channel = 0;
    puppet
        .say(Frame::Grant {
            channel,
            messages: 5,
            bytes: 1000,
        })
        .await;
    for _ in 0..5 {
        puppet.expect(FrameType::Data).await;
    }
    // In any order.
    puppet
        .say(Frame::Taken {
            channel,
            sequence: 3,
        })
        .await;
    puppet
        .say(Frame::Returned {
            channel,
            sequence: 1,
            in_doubt: false,
        })
        .await;
    soon("what was said", async {
        while sends.iter().filter(|send| send.is_finished()).count() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    sends
}

#[tokio::test]
async fn a_link_that_breaks_leaves_doubt_about_each_message_that_had_left() {
    let (link, mut puppet) = link_and_puppet().await;
    let sends = five_under_way(&link, &mut puppet).await;
    puppet.kill();
    for (n, outcome) in (0..).zip(outcomes(sends).await) {
        match outcome {
            Some(SendError::Returned(back)) if n == 0 => assert_eq!(read(&back), 0),
            None if n == 2 => {}
            Some(SendError::InDoubt(back)) if n < 5 => assert_eq!(read(&back), n),
            Some(SendError::Disconnected(back)) if n >= 5 => assert_eq!(read(&back), n),
            other => panic!("{n}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_peer_s_goodbye_gives_each_message_back_that_it_did_not_take() {
    let (link, mut puppet) = link_and_puppet().await;
    let sends = five_under_way(&link, &mut puppet).await;
    puppet.say(Frame::Goodbye(Goodbye::done())).await;
    for (n, outcome) in (0..).zip(outcomes(sends).await) {
        match outcome {
            None if n == 2 => {}
            Some(SendError::Returned(back) | SendError::Disconnected(back)) => {
                assert_eq!(read(&back), n);
            }
            other => panic!("{n}: {other:?}"),
        }
    }
}

/// Of messages that are said together, too.
#[tokio::test]
async fn a_message_that_is_declined_is_offered_again_and_others_are_not() {
    let (link, mut puppet) = link_and_puppet().await;
    let tx = link.sender("units").unwrap();
    let sends = begin(&tx, 0..3).await;
    puppet.expect(FrameType::Open).await;
    let channel = 0;
    let grant = |messages| Frame::Grant {
        channel,
        messages,
        bytes: 1000,
    };
    puppet.say(grant(3)).await;
    for _ in 0..3 {
        puppet.expect(FrameType::Data).await;
    }
    puppet
        .say(Frame::Declined {
            channel,
            sequence: 2,
        })
        .await;
    puppet
        .say(Frame::Taken {
            channel,
            sequence: 1,
        })
        .await;
    puppet.say(grant(4)).await;
    let again = puppet.expect(FrameType::Data).await;
    match Frame::decode(&again).unwrap().unwrap().0 {
        Frame::Data {
            sequence: 4, chunk, ..
        } => assert_eq!(chunk, number(1)),
        other => panic!("{other:?}"),
    }
    puppet
        .say(Frame::Taken {
            channel,
            sequence: 3,
        })
        .await;
    puppet
        .say(Frame::Taken {
            channel,
            sequence: 4,
        })
        .await;
    assert!(outcomes(sends).await.iter().all(Option::is_none));
}

/// Several workers, each with a grant, and one of them goes without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_links_that_share_a_source_one_that_ends_leaves_the_messages_of_others_alone() {
    const COUNT: u64 = 600;
    let (units, source) = handover::channel::<Bytes>();
    let taken: Arc<Mutex<BTreeMap<u64, usize>>> = Arc::default();
    let mut workers = Vec::new();
    let mut links = Vec::new();
    for worker in 0..3 {
        let once = config().reconnect(false);
        let (here, there) = pair_of(once.clone(), once).await;
        here.carry_from("units", source.clone()).unwrap();
        let rx = there.receiver("units").unwrap();
        rx.grant(16);
        let taken = Arc::clone(&taken);
        workers.push(tokio::spawn(async move {
            let mut count = 0;
            while let Ok(message) = rx.recv_async().await {
                *taken.lock().unwrap().entry(read(&message)).or_default() += 1;
                count += 1;
                if worker == 0 && count == 40 {
                    there.abort();
                }
                rx.grant(1);
            }
        }));
        links.push(here);
    }
    drop(source);
    let sends = stream::iter(0..COUNT)
        .map(|n| units.send_async(number(n)))
        .buffered(60)
        .collect::<Vec<_>>();
    let outcomes = soon("the sends", sends).await;
    drop(units);
    for worker in workers {
        soon("a worker", worker).await.unwrap();
    }
    let taken = taken.lock().unwrap();
    let mut doubts = 0;
    for (n, outcome) in (0..).zip(outcomes) {
        let times = taken.get(&n).copied().unwrap_or(0);
        match outcome {
            Ok(()) => assert_eq!(times, 1, "{n}"),
            Err(SendError::InDoubt(back)) if times <= 1 && read(&back) == n => doubts += 1,
            Err(SendError::Returned(back)) if times == 0 && read(&back) == n => doubts += 1,
            Err(other) => panic!("{n}, taken {times} times: {other:?}"),
        }
    }
    assert!(doubts <= 16, "{doubts}: more than one link had under way");
}

// ---- Memory ----

/// However many messages are granted, their bytes are not kept before the peer has allowed them.
#[test]
fn no_more_bytes_are_kept_to_be_said_than_the_peer_granted_and_one_message() {
    const LENGTH: usize = 100_000;
    let mut receiver = wires::settings("receiver");
    receiver.limits = Limits::default().with_budget_bytes(1 << 20);
    let (mut a, mut b) = wires::connected(wires::settings("sender"), receiver);
    let (send, receive) = wires::open_channel(&mut a, &mut b, "units");
    assert_eq!(b.grant(receive, 64), 64);
    wires::pass(&mut b, &mut a);
    let mut begun = 0;
    while a.has_credit(send) {
        a.send(send, vec![1; LENGTH].into()).unwrap();
        begun += LENGTH as u64;
    }
    assert!(begun >= 500_000, "{begun} bytes were begun");
    assert!(
        begun <= b.bytes_reserved() + LENGTH as u64,
        "{begun} bytes are kept"
    );
    // What has left makes room, and what is settled too: it comes to an end.
    let mut taken = 0;
    for _ in 0..64 {
        for event in wires::pass(&mut a, &mut b) {
            if let Event::Message {
                channel, sequence, ..
            } = event
            {
                taken += 1;
                b.settle(channel, sequence, handover::wire::Settlement::Taken);
            }
        }
        assert!(b.bytes_reserved() <= (1 << 20) + LENGTH as u64);
        wires::pass(&mut b, &mut a);
    }
    assert_eq!(taken * LENGTH as u64, begun);
}

/// What is granted is bounded by bytes as well: long messages cross, and all are taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_messages_within_a_grant_keep_to_the_budget_of_the_link() {
    const COUNT: u64 = 100;
    let small = config().limits(Limits::default().with_budget_bytes(256 * 1024));
    let (a, b) = pair_of(small.clone(), small).await;
    let (tx, rx) = channel_over(&a, &b, "units");
    rx.grant(16);
    let long = |n: u64| {
        let mut message = number(n).to_vec();
        message.resize(100_000, 7);
        Bytes::from(message)
    };
    let sending = stream::iter(0..COUNT)
        .map(|n| tx.send_async(long(n)))
        .buffered(32)
        .for_each(|sent| async { sent.unwrap() });
    let taking = async {
        for n in 0..COUNT {
            let message = rx.recv_async().await.unwrap();
            assert!(message == long(n));
            rx.grant(1);
        }
    };
    soon("the messages", async { tokio::join!(sending, taking) }).await;
    assert!(rx.recv_async().now_or_never().is_none());
}
