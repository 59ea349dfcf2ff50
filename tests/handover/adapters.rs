//! A channel's ends as iterators, as a stream and as a sink.

use std::{pin::Pin, thread};

use futures_util::{FutureExt, Sink, SinkExt, StreamExt, stream::FusedStream};
use handover::{
    channel,
    channel::{SendError, SendSink},
};

use crate::stage::{Peer, Scripted, Tally, for_pairings, for_peers, join, until};

for_peers! {
    fn an_iterator_ends_with_the_last_sender(sender) {
        let (tx, rx) = channel();
        let sending = thread::spawn(move || (0..10).try_for_each(|number| sender.send(&tx, number)));
        assert_eq!((&rx).into_iter().take(3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(rx.iter().take(3).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(rx.into_iter().collect::<Vec<_>>(), [6, 7, 8, 9]);
        assert_eq!(join(sending), Ok(()));
    }
}

for_pairings! {
    fn a_stream_gives_what_a_sink_is_given(sender, receiver) {
        let (tx, rx) = channel();
        let sending = thread::spawn(move || match sender {
            Peer::Thread => (0..20).try_for_each(|number| tx.send(number)),
            _ => sender.run(async {
                let mut sink = tx.into_sink();
                for number in 0..10 {
                    sink.send(number).await?;
                }
                sink.send_all(&mut futures_util::stream::iter(10..20).map(Ok)).await
            }),
        });
        let received: Vec<u32> = match receiver {
            Peer::Thread => rx.into_iter().collect(),
            _ => receiver.run(rx.into_stream().collect()),
        };
        assert_eq!(received, (0..20).collect::<Vec<_>>());
        assert_eq!(join(sending), Ok(()));
    }
}

#[test]
fn a_try_iterator_takes_from_those_who_wait_and_stops() {
    let (tx, rx) = channel();
    assert_eq!(rx.try_iter().next(), None);
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [7]);
}

#[test]
fn a_stream_knows_its_end() {
    let (tx, rx) = channel::<u32>();
    let mut stream = rx.into_stream();
    assert!(stream.next().now_or_never().is_none());
    assert!(!stream.is_terminated());
    drop(tx);
    assert_eq!(stream.next().now_or_never(), Some(None));
    assert!(stream.is_terminated());
    assert_eq!(stream.next().now_or_never(), Some(None));
}

#[test]
fn a_stream_may_be_moved_while_it_waits() {
    let (tx, rx) = channel();
    let mut stream = rx.into_stream();
    assert!(stream.next().now_or_never().is_none());
    let mut moved = Box::new(stream);
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!(moved.next().now_or_never(), Some(Some(7)));
}

#[test]
fn a_stream_that_is_dropped_after_it_was_woken_wakes_the_next_receiver() {
    let (tx, rx) = channel();
    let mut stream = rx.clone().into_stream();
    assert!(stream.next().now_or_never().is_none());
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!(receive.wakes(), 0);
    drop(stream);
    assert_eq!(receive.wakes(), 1);
    assert_eq!(receive.resolves(), Ok(7));
}

#[test]
fn the_flush_of_a_sink_is_the_hand_over() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut sink = tx.into_sink();
    assert!(
        sink.feed(tally.message(7)).now_or_never().unwrap().is_ok(),
        "it is in the sink's hand"
    );
    assert!(rx.try_recv().is_err(), "and nobody has been offered it");
    assert!(sink.flush().now_or_never().is_none());
    assert!(
        sink.feed(tally.message(8)).now_or_never().is_none(),
        "the hand is full"
    );
    assert_eq!(tally.dropped(), 1, "the message that was not fed");
    assert_eq!(rx.try_recv().unwrap(), 7);
    assert!(sink.flush().now_or_never().unwrap().is_ok());
    assert!(
        sink.flush().now_or_never().unwrap().is_ok(),
        "nothing is in hand"
    );
    assert!(sink.close().now_or_never().unwrap().is_ok());
    assert_eq!(format!("{sink:?}"), "SendSink { in_hand: false, .. }");
}

#[test]
fn a_message_in_a_sinks_hand_can_be_taken_back() {
    let (tx, rx) = channel();
    let mut sink = tx.into_sink();
    assert_eq!(sink.take_back(), None);
    sink.feed(7).now_or_never().unwrap().unwrap();
    assert_eq!(sink.take_back(), Some(7), "before it was offered");
    sink.feed(8).now_or_never().unwrap().unwrap();
    assert!(sink.flush().now_or_never().is_none());
    assert_eq!(sink.take_back(), Some(8), "while it waited");
    assert!(rx.try_recv().is_err());
    sink.feed(9).now_or_never().unwrap().unwrap();
    assert!(sink.flush().now_or_never().is_none());
    assert_eq!(rx.try_recv(), Ok(9));
    assert_eq!(sink.take_back(), None, "it was taken");
    sink.feed(10).now_or_never().unwrap().unwrap();
    assert_eq!(sink.take_back(), Some(10), "the hand is free again");
}

#[test]
fn a_sink_gives_the_message_in_hand_back_in_its_error() {
    let (tx, rx) = channel();
    let mut sink = tx.into_sink();
    sink.feed(7).now_or_never().unwrap().unwrap();
    assert!(sink.flush().now_or_never().is_none());
    drop(rx);
    assert_eq!(
        sink.flush().now_or_never(),
        Some(Err(SendError::Disconnected(7)))
    );
    assert_eq!(sink.take_back(), None);
    assert_eq!(
        sink.send(8).now_or_never(),
        Some(Err(SendError::Disconnected(8)))
    );
}

#[test]
fn a_sink_that_is_dropped_withdraws_what_is_in_its_hand() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut sink = tx.clone().into_sink();
    sink.feed(tally.message(7)).now_or_never().unwrap().unwrap();
    assert!(sink.flush().now_or_never().is_none());
    drop(sink);
    assert_eq!(tally.dropped(), 1);
    assert!(rx.try_recv().is_err());
}

#[test]
#[should_panic(expected = "start_send was called before poll_ready")]
fn a_second_message_in_a_sinks_hand_is_refused_aloud() {
    let (tx, _rx) = channel();
    let mut sink = tx.into_sink();
    let mut sink: Pin<&mut SendSink<u32>> = Pin::new(&mut sink);
    sink.as_mut().start_send(1).unwrap();
    let _ = sink.start_send(2);
}

#[test]
fn a_stream_and_a_sink_move_between_threads() {
    let (tx, rx) = channel();
    let mut sink = tx.clone().into_sink();
    let receiving = thread::spawn(move || Peer::Homemade.run(rx.into_stream().next()));
    until(|| tx.is_ready());
    Peer::Homemade.run(sink.send(7)).unwrap();
    assert_eq!(join(receiving), Some(7));
}
