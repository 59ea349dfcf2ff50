//! Writing from several places at once: the bytes are the same, and nobody waits behind what has not begun.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod wires;

use bytes::Bytes;
use handover::wire::{CHUNK_BYTES_MAX, Event, FrameType, Link, SendId, Settlement};
use wires::{connected, feed, frames, open_channel, pass, settings, take_output};

const LONG: usize = 5 * CHUNK_BYTES_MAX + 100;

/// What a socket takes of one write, up to `most` bytes, and how many there were.
fn write(link: &mut Link, most: usize) -> (Vec<u8>, usize) {
    link.write_with(|slices| {
        let all = slices.iter().map(|slice| slice.len()).sum();
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        let bytes: Vec<u8> = bytes.take(most).collect();
        (bytes.len(), (bytes, all))
    })
    .unwrap_or_default()
}

/// Two links with a channel for the long message, all of which is granted, and one beside it.
fn two_channels() -> (Link, Link, SendId, SendId) {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let (long, receive) = open_channel(&mut a, &mut b, "long");
    let (short, beside) = open_channel(&mut a, &mut b, "short");
    b.grant(receive, 8);
    b.grant(beside, 1);
    pass(&mut b, &mut a);
    (a, b, long, short)
}

fn message(length: usize) -> Bytes {
    (0..251).cycle().take(length).collect()
}

#[test]
fn the_bytes_are_the_same_however_much_a_socket_takes() {
    for most in [
        1,
        7,
        20,
        1000,
        CHUNK_BYTES_MAX,
        CHUNK_BYTES_MAX + 21,
        usize::MAX,
    ] {
        let (mut a, mut b, long, _) = two_channels();
        a.send(long, message(LONG)).unwrap();
        let (mut same, mut other, long, _) = two_channels();
        same.send(long, message(LONG)).unwrap();
        for _ in 0..2 {
            let expected = take_output(&mut same);
            let mut said = Vec::new();
            loop {
                let (bytes, all) = write(&mut a, most);
                if all == 0 {
                    break;
                }
                said.extend(bytes);
            }
            assert!(said == expected, "with up to {most} bytes a write");
            assert_eq!(a.counters(), same.counters());
            // The rest is granted.
            for (to, from) in [(&mut b, &mut a), (&mut other, &mut same)] {
                feed(to, &said, &[usize::MAX]).unwrap();
                pass(to, from);
            }
        }
    }
}

#[test]
fn a_long_message_leaves_in_one_write_when_nobody_else_has_anything_to_say() {
    let (mut a, mut b, long, _) = two_channels();
    a.send(long, message(LONG)).unwrap();
    let (said, all) = write(&mut a, usize::MAX);
    assert_eq!(said.len(), all);
    assert_eq!(frames(&said), [FrameType::Data; 6]);
    assert!(a.output().is_empty());
    let heard = feed(&mut b, &said, &[1000]).unwrap();
    assert!(matches!(&heard[..], [Event::Message { message: it, .. }] if *it == message(LONG)));
}

#[test]
fn what_comes_meanwhile_is_said_before_a_chunk_that_has_not_begun() {
    let (mut a, mut b, long, short) = two_channels();
    a.send(long, message(LONG)).unwrap();
    // The socket takes the beginning of the second chunk.
    let (mut said, all) = write(&mut a, CHUNK_BYTES_MAX + 100);
    assert!(all > LONG, "all of it was there to be taken");
    a.send(short, message(5)).unwrap();
    let (bytes, all) = write(&mut a, usize::MAX);
    said.extend(bytes);
    assert_eq!(
        frames(&said),
        [FrameType::Data; 2],
        "the chunk that has begun"
    );
    assert_eq!(all, said.len() - CHUNK_BYTES_MAX - 100, "and no other");
    let heard = feed(&mut b, &said, &[usize::MAX]).unwrap();
    assert!(heard.is_empty());
    let heard = pass(&mut a, &mut b);
    assert!(
        matches!(&heard[..], [Event::Message { message: first, .. }, Event::Message { message: second, .. }]
            if *first == message(5) && *second == message(LONG)),
        "the small one overtakes"
    );
}

#[test]
fn a_chunk_that_was_offered_and_not_taken_is_not_said() {
    let (mut a, mut b, long, _) = two_channels();
    let sequence = a.send(long, message(LONG)).unwrap();
    let (mut said, all) = write(&mut a, 10);
    assert!(all > LONG && !a.has_left(long, sequence));
    a.withdraw(long, sequence);
    said.extend(take_output(&mut a));
    assert_eq!(frames(&said), [FrameType::Data, FrameType::Withdraw]);
    feed(&mut b, &said, &[usize::MAX]).unwrap();
    let returned = Event::Settled {
        channel: long,
        sequence,
        settlement: Settlement::Returned,
    };
    assert_eq!(pass(&mut b, &mut a), [returned]);
}
