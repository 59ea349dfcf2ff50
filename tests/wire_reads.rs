//! Long chunks are taken as they come: whatever the reads are, the messages are the same.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod wires;

use bytes::{BufMut, Bytes};
use handover::wire::{
    CHUNK_BYTES_MAX, Event, Frame, HEADER_BYTES, Link, SHARE_BYTES_MAX, Violation,
};
use wires::{
    bytes_of, connected, events, exchange, feed, open_channel, pass, reconnect, settings,
    take_output,
};

const LONG: usize = 5 * CHUNK_BYTES_MAX + 100;

fn message(length: usize) -> Bytes {
    (0..251).cycle().take(length).collect()
}

/// Gives `link` the bytes, up to `most` a read, where it wants them; returns what they mean and the largest room for a
/// read that there was.
fn read(link: &mut Link, mut bytes: &[u8], most: usize) -> (Vec<Event>, usize) {
    let (mut all, mut largest) = (events(link).unwrap(), 0);
    while !bytes.is_empty() {
        let count = link.read_with(|buffer| {
            largest = largest.max(buffer.remaining_mut());
            let count = buffer.remaining_mut().min(most).min(bytes.len());
            buffer.put_slice(&bytes[..count]);
            count
        });
        assert!(count > 0, "a link whose events were read has room");
        bytes = &bytes[count..];
        all.extend(events(link).unwrap());
    }
    (all, largest)
}

fn messages(events: Vec<Event>) -> Vec<Bytes> {
    let message = |event| match event {
        Event::Message { message, .. } => Some(message),
        _ => None,
    };
    events.into_iter().filter_map(message).collect()
}

#[test]
fn messages_are_the_same_whatever_is_read_at_once() {
    for most in [1, 19, 21, 1000, CHUNK_BYTES_MAX - 1, usize::MAX] {
        let (mut a, mut b) = connected(settings("a"), settings("b"));
        let (send, receive) = open_channel(&mut a, &mut b, "long");
        b.grant(receive, 8);
        pass(&mut b, &mut a);
        let lengths = [LONG, 5, 9000, 0];
        for length in lengths {
            a.send(send, message(length)).unwrap();
        }
        let mut arrived = Vec::new();
        loop {
            let said = take_output(&mut a);
            if said.is_empty() {
                break;
            }
            let (events, largest) = read(&mut b, &said, most);
            assert!(largest <= CHUNK_BYTES_MAX + 100, "no more than a frame");
            arrived.extend(messages(events));
            pass(&mut b, &mut a);
        }
        assert!(arrived == lengths.map(message), "with {most} bytes a read");
        assert_eq!(a.counters().bytes_written, b.counters().bytes_read);
    }
}

#[test]
fn what_is_left_of_a_chunk_that_nobody_wants_any_more_is_thrown_away() {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let (long, unwanted) = open_channel(&mut a, &mut b, "long");
    let (short, wanted) = open_channel(&mut a, &mut b, "short");
    b.grant(unwanted, 1);
    b.grant(wanted, 1);
    pass(&mut b, &mut a);
    a.send(long, message(CHUNK_BYTES_MAX)).unwrap();
    let mut said = take_output(&mut a);
    a.send(short, message(5)).unwrap();
    said.extend(take_output(&mut a));
    let (first, rest) = said.split_at(CHUNK_BYTES_MAX / 2);
    assert!(read(&mut b, first, 1000).0.is_empty());
    assert!(b.bytes_held() >= CHUNK_BYTES_MAX, "half of it is here");
    b.close_receive(unwanted);
    assert!(b.bytes_held() < CHUNK_BYTES_MAX, "and is not kept");
    assert!(messages(read(&mut b, rest, 1000).0) == [message(5)]);
    assert_eq!(
        b.bytes_reserved(),
        SHARE_BYTES_MAX,
        "that of the other channel"
    );
}

#[test]
fn a_break_in_the_middle_of_a_chunk_forgets_what_came_of_it() {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let (send, receive) = open_channel(&mut a, &mut b, "long");
    b.grant(receive, 1);
    pass(&mut b, &mut a);
    a.send(send, message(CHUNK_BYTES_MAX)).unwrap();
    let said = take_output(&mut a);
    read(&mut b, &said[..CHUNK_BYTES_MAX / 2], usize::MAX);
    reconnect(&mut a, &mut b);
    let (_, heard) = exchange(&mut a, &mut b);
    assert!(messages(heard) == [message(CHUNK_BYTES_MAX)]);
}

#[test]
fn a_chunk_that_was_not_granted_is_refused_before_it_comes() {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    open_channel(&mut a, &mut b, "long");
    let chunk = message(CHUNK_BYTES_MAX);
    let frame = Frame::Data {
        channel: 0,
        sequence: 1,
        total: 1 << 20,
        chunk: &chunk,
    };
    let head = &bytes_of(&frame)[..HEADER_BYTES + 4];
    let refused = feed(&mut b, head, &[usize::MAX]).unwrap_err();
    let expected = Violation::NoCredit {
        channel: 0,
        sequence: 1,
    };
    assert_eq!(refused, expected);
    assert!(b.bytes_held() < CHUNK_BYTES_MAX);
}

#[test]
fn short_messages_are_read_together() {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let (send, receive) = open_channel(&mut a, &mut b, "short");
    b.grant(receive, 64);
    pass(&mut b, &mut a);
    for _ in 0..60 {
        a.send(send, message(1000)).unwrap();
    }
    let (mut said, mut reads, mut arrived) = (&take_output(&mut a)[..], 0, 0);
    while !said.is_empty() {
        let count = b.read_with(|buffer| {
            let count = buffer.remaining_mut().min(said.len());
            buffer.put_slice(&said[..count]);
            count
        });
        said = &said[count..];
        reads += 1;
        arrived += messages(events(&mut b).unwrap()).len();
    }
    assert_eq!(arrived, 60);
    assert!(reads < 20, "several with one read: {reads} reads");
}
