//! The rules of the protocol, one by one, on the state machine alone: what each side may say when, and what is
//! said to one that breaks a rule.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod wires;

use bytes::Bytes;
use handover::wire::{
    CHUNK_BYTES_MAX, CREDIT_MESSAGES_MAX, End, Event, Frame, FrameType, Goodbye, HEADER_BYTES,
    Hello, Limits, Link, Outcome, PAYLOAD_BYTES_MAX, Settlement, Token, Violation,
};
use wires::{
    bytes_of, connected, events, feed, frames, hello_bytes, open_channel, open_frame, pass,
    settings, take_output,
};

#[test]
fn a_listener_says_nothing_before_it_has_heard_a_hello_it_admits() {
    let mut listener = Link::listener(settings("listener"));
    assert!(listener.output().is_empty());
    feed(&mut listener, &wires::preamble(), &[1]).unwrap();
    assert!(listener.output().is_empty());
    feed(&mut listener, &hello_bytes(b""), &[1]).unwrap();
    assert!(!listener.output().is_empty());
    assert_eq!(listener.peer().unwrap().name, "peer");
}

#[test]
fn a_refused_peer_hears_why_and_nothing_else() {
    let mut strict = settings("listener");
    strict.token = Some(Token::new("secret").unwrap());
    let mut listener = Link::listener(strict);
    let mut bytes = wires::preamble();
    bytes.extend(hello_bytes(b"guess"));
    let violation = feed(&mut listener, &bytes, &[usize::MAX]).unwrap_err();
    assert_eq!(violation, Violation::Refused);
    listener.goodbye(violation.goodbye());
    let output = take_output(&mut listener);
    let said = frames(&output[wires::preamble().len()..]);
    assert_eq!(said, [FrameType::Goodbye]);
    assert!(listener.is_finished());
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn each_breach_of_the_protocol_has_its_name() {
    let open = |channel, name| bytes_of(&open_frame(channel, u64::from(channel) + 1, name));
    let data = |sequence, total, chunk: &[u8]| {
        bytes_of(&Frame::Data {
            channel: 0,
            sequence,
            total,
            chunk,
        })
    };
    let taken = |channel, sequence| bytes_of(&Frame::Taken { channel, sequence });
    let close = |end| bytes_of(&Frame::Close { channel: 0, end });
    let mut wrong_version = taken(0, 1);
    wrong_version[0] = 2;
    let mut wrong_type = taken(0, 1);
    wrong_type[1] = 99;
    let mut too_long = taken(0, 1);
    too_long[7] = 1;
    let huge = bytes_of(&Frame::Data {
        channel: 0,
        sequence: 1,
        total: 1001,
        chunk: b"x",
    });
    let named = open(0, "in");
    let cases: Vec<(Vec<Vec<u8>>, &str)> = vec![
        (vec![hello_bytes(b"")], "a second HELLO came"),
        (
            vec![wrong_version],
            "a frame of version 2 came on a link of version 1",
        ),
        (vec![wrong_type], "there is no frame type 99"),
        (
            vec![too_long],
            "a TAKEN frame has a payload of 1 bytes, and 0 is allowed",
        ),
        (
            vec![open(16, "far")],
            "channel 16 was opened, and the limit is 16 channels",
        ),
        (
            vec![named.clone(), open(0, "other")],
            "channel 0 was opened while its number or name is in use",
        ),
        (
            vec![named.clone(), open(1, "in")],
            "channel 1 was opened while its number or name is in use",
        ),
        (
            vec![data(1, 1, b"x")],
            "a DATA frame came for channel 0, which is not open",
        ),
        (
            vec![taken(7, 1)],
            "a TAKEN frame came for channel 7, which is not open",
        ),
        (
            vec![taken(0, 1)],
            "message 1 on channel 0 was settled, and is not under way",
        ),
        (
            vec![named.clone(), huge],
            "message 1 on channel 0 has 1001 bytes, and the limit is 1000",
        ),
        (
            vec![named.clone(), data(1, 2, b"xyz")],
            "message 1 on channel 0 came without credit",
        ),
        (
            vec![named.clone(), data(2, 2, b"x")],
            "a chunk of message 2 on channel 0 does not fit what came before it",
        ),
        (
            vec![named.clone(), data(1, 2, b"")],
            "message 1 on channel 0 came without credit",
        ),
        (
            vec![named.clone(), close(End::Sender), close(End::Sender)],
            "channel 0 was closed twice, at neither end, or in the middle of a message",
        ),
        (
            vec![vec![
                1, 2, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 1, 7, 0, 0, 0, 0, 0,
            ]],
            "the name of channel 0 is not 1 to 128 bytes of printable UTF-8",
        ),
    ];
    for (breach, message) in cases {
        let mut strict = settings("a");
        strict.limits = Limits::default().with_message_bytes(1000).with_channels(16);
        let (mut link, _) = connected(strict, settings("b"));
        link.open("out").unwrap();
        take_output(&mut link);
        let violation = feed(&mut link, &breach.concat(), &[usize::MAX]).unwrap_err();
        assert_eq!(violation.to_string(), message);
        link.goodbye(violation.goodbye());
        let output = take_output(&mut link);
        assert_eq!(frames(&output).last(), Some(&FrameType::Goodbye));
        assert_eq!(
            feed(&mut link, &breach.concat(), &[usize::MAX]),
            Ok(vec![]),
            "it is deaf now"
        );
    }
}

#[test]
fn a_chunk_beyond_its_message_or_its_bytes_is_a_breach_in_the_middle_too() {
    for (second, sequence) in [(&b"xyz"[..], 1), (b"", 1), (b"x", 2)] {
        let (mut link, _) = connected(settings("a"), settings("b"));
        feed(&mut link, &bytes_of(&open_frame(0, 1, "in")), &[usize::MAX]).unwrap();
        link.grant(link.find("in").unwrap(), 2);
        let first = bytes_of(&Frame::Data {
            channel: 0,
            sequence: 1,
            total: 3,
            chunk: b"a",
        });
        feed(&mut link, &first, &[usize::MAX]).unwrap();
        let second = bytes_of(&Frame::Data {
            channel: 0,
            sequence,
            total: 3,
            chunk: second,
        });
        let violation = feed(&mut link, &second, &[usize::MAX]).unwrap_err();
        assert_eq!(
            violation,
            Violation::BadChunk {
                channel: 0,
                sequence
            }
        );
    }
}

#[test]
fn the_buffer_of_a_message_grows_with_what_arrives_and_not_with_what_is_claimed() {
    let (mut link, _) = connected(settings("a"), settings("b"));
    feed(&mut link, &bytes_of(&open_frame(0, 1, "in")), &[usize::MAX]).unwrap();
    link.grant(link.find("in").unwrap(), 1);
    let claim = bytes_of(&Frame::Data {
        channel: 0,
        sequence: 1,
        total: 16 << 20,
        chunk: b"a",
    });
    feed(&mut link, &claim, &[usize::MAX]).unwrap();
    assert!(link.bytes_held() <= HEADER_BYTES + PAYLOAD_BYTES_MAX + CHUNK_BYTES_MAX);
}

#[test]
fn grants_are_absolute_and_merge_into_one_frame() {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let (send, receive) = open_channel(&mut a, &mut b, "units");
    assert_eq!(b.grant(receive, 2), 2);
    assert_eq!(b.grant(receive, 3), 3);
    let output = take_output(&mut b);
    assert_eq!(frames(&output), [FrameType::Grant]);
    for _ in 0..2 {
        // Said twice, it allows the same.
        feed(&mut a, &output, &[usize::MAX]).unwrap();
    }
    for sequence in 1..=5 {
        assert!(a.has_credit(send));
        assert_eq!(a.send(send, Bytes::from_static(b"x")), Ok(sequence));
        take_output(&mut a);
    }
    assert!(!a.has_credit(send));
    assert_eq!(
        b.grant(receive, 1000),
        CREDIT_MESSAGES_MAX as u64 - 5,
        "open outcomes are bounded"
    );
}

#[test]
fn channels_take_turns_by_chunks() {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let (big, big_in) = open_channel(&mut a, &mut b, "big");
    let (small, small_in) = open_channel(&mut a, &mut b, "small");
    b.grant(big_in, 1);
    b.grant(small_in, 1);
    pass(&mut b, &mut a);
    a.send(big, Bytes::from(vec![0; 10 * CHUNK_BYTES_MAX]))
        .unwrap();
    let first = take_one(&mut a);
    assert_eq!(
        first.len(),
        HEADER_BYTES + PAYLOAD_BYTES_MAX,
        "one chunk at a time"
    );
    a.send(small, Bytes::from_static(b"x")).unwrap();
    let second = [take_one(&mut a), take_one(&mut a)].concat();
    feed(&mut b, &first, &[usize::MAX]).unwrap();
    let arrived = feed(&mut b, &second, &[usize::MAX]).unwrap();
    let is_small =
        |event: &Event| matches!(event, Event::Message { channel, .. } if *channel == small_in);
    assert!(arrived.iter().any(is_small), "it passed the big one");
}

/// What the socket is given to write at one time.
fn take_one(link: &mut Link) -> Vec<u8> {
    let bytes = link.output().to_vec();
    link.wrote(bytes.len());
    bytes
}

#[test]
fn a_goodbye_is_said_after_all_that_was_settled_and_settles_the_rest() {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let (send, receive) = open_channel(&mut a, &mut b, "units");
    b.grant(receive, 2);
    pass(&mut b, &mut a);
    for _ in 0..2 {
        a.send(send, Bytes::from_static(b"x")).unwrap();
        pass(&mut a, &mut b);
    }
    assert_eq!(a.outcome(send, 2), Outcome::InDoubt);
    b.settle(receive, 1, Settlement::Taken);
    b.goodbye(Goodbye::done());
    let output = take_output(&mut b);
    assert_eq!(
        frames(&output),
        [FrameType::Taken, FrameType::Close, FrameType::Goodbye]
    );
    let heard = feed(&mut a, &output, &[usize::MAX]).unwrap();
    let settled = Event::Settled {
        channel: send,
        sequence: 1,
        settlement: Settlement::Taken,
    };
    assert_eq!(heard[0], settled);
    assert_eq!(heard.last(), Some(&Event::Goodbye(Goodbye::done())));
    assert_eq!(a.outcome(send, 2), Outcome::NotTaken);
}

#[test]
fn a_message_is_in_doubt_only_when_the_socket_has_its_last_byte() {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let (send, receive) = open_channel(&mut a, &mut b, "units");
    b.grant(receive, 1);
    pass(&mut b, &mut a);
    let sequence = a.send(send, Bytes::from_static(b"unit")).unwrap();
    assert_eq!(a.outcome(send, sequence), Outcome::NotTaken);
    let length = a.output().len();
    a.wrote(length - 1);
    assert_eq!(a.outcome(send, sequence), Outcome::NotTaken);
    a.wrote(1);
    assert_eq!(a.outcome(send, sequence), Outcome::InDoubt);
}

#[test]
fn a_message_that_is_too_long_is_refused_and_changes_nothing() {
    let mut small = settings("b");
    small.limits = Limits::default().with_message_bytes(3);
    let (mut a, mut b) = connected(settings("a"), small);
    let (send, receive) = open_channel(&mut a, &mut b, "units");
    b.grant(receive, 1);
    pass(&mut b, &mut a);
    let error = a.send(send, Bytes::from_static(b"four")).unwrap_err();
    assert_eq!((error.bytes, error.limit), (4, 3));
    assert_eq!(a.send(send, Bytes::from_static(b"abc")), Ok(1));
}

#[test]
fn what_later_versions_append_to_hello_is_ignored() {
    let mut bytes = wires::preamble();
    let mut hello = hello_bytes(b"");
    hello.extend(b"more");
    let length = u32::try_from(hello.len() - HEADER_BYTES).unwrap();
    hello[4..8].copy_from_slice(&length.to_be_bytes());
    bytes.extend(hello);
    let mut listener = Link::listener(settings("listener"));
    assert_eq!(
        feed(&mut listener, &bytes, &[usize::MAX]).unwrap(),
        [Event::Welcome]
    );
}

#[test]
fn a_hello_with_a_bad_name_is_refused() {
    for name in ["a\nb", &"n".repeat(129)] {
        let hello = Hello {
            name,
            session: 0,
            incarnation: 0,
            epoch: 1,
            lease_ms: 100,
            message_bytes: 1,
            channels: 1,
            token: b"",
        };
        let mut bytes = wires::preamble();
        Frame::Hello(hello).encode(&mut bytes);
        let mut listener = Link::listener(settings("listener"));
        let violation = feed(&mut listener, &bytes, &[usize::MAX]).unwrap_err();
        assert!(matches!(violation, Violation::BadHello(_)));
    }
}

#[test]
fn events_come_one_at_a_time_so_none_is_queued() {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    open_channel(&mut a, &mut b, "one");
    a.open("two").unwrap();
    a.open("three").unwrap();
    let bytes = take_output(&mut a);
    b.input()[..bytes.len()].copy_from_slice(&bytes);
    b.received(bytes.len());
    assert!(matches!(b.poll_event(), Ok(Some(Event::Opened(_)))));
    assert!(matches!(b.poll_event(), Ok(Some(Event::Opened(_)))));
    assert_eq!(b.poll_event(), Ok(None));
    assert_eq!(events(&mut b), Ok(vec![]));
}
