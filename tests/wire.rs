//! The protocol's state machine, without a network: whatever bytes come, in whatever pieces, it keeps to its
//! limits; and two of them hand each message over once, in order, within what was granted.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod wires;

use bytes::Bytes;
use handover::wire::{
    CHUNK_BYTES_MAX, CREDIT_MESSAGES_MAX, Code, Denial, End, Frame, Goodbye, HANDSHAKE_BYTES_MAX,
    HEADER_BYTES, Link, PAYLOAD_BYTES_MAX, Reason, Settlement,
};
use proptest::prelude::*;
use wires::{bytes_of, connected, feed, hello_bytes, open_frame, settings, take_output};

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let name = "[a-zäß ]{1,40}";
    let chunk = prop::collection::vec(any::<u8>(), 0..2000);
    prop_oneof![
        (any::<u16>(), any::<u64>(), name, "[a-z]{0,9}", any::<u32>()).prop_map(
            |(channel, opening, name, type_name, type_version)| bytes_of(&Frame::Open {
                channel,
                opening,
                name: &name,
                type_name: &type_name,
                type_version,
            })
        ),
        (any::<u16>(), any::<u64>(), any::<u64>()).prop_map(|(channel, messages, bytes)| bytes_of(
            &Frame::Grant {
                channel,
                messages,
                bytes
            }
        )),
        (any::<u16>(), any::<u64>(), any::<u32>(), chunk).prop_map(
            |(channel, sequence, total, chunk)| bytes_of(&Frame::Data {
                channel,
                sequence,
                total,
                chunk: &chunk
            })
        ),
        (any::<u16>(), any::<u64>())
            .prop_map(|(channel, sequence)| bytes_of(&Frame::Taken { channel, sequence })),
        (any::<u16>(), any::<u64>(), any::<bool>()).prop_map(|(channel, sequence, in_doubt)| {
            bytes_of(&Frame::Returned {
                channel,
                sequence,
                in_doubt,
            })
        }),
        (
            any::<u16>(),
            prop_oneof![Just(End::Sender), Just(End::Receiver)]
        )
            .prop_map(|(channel, end)| bytes_of(&Frame::Close { channel, end })),
        (any::<u16>(), name).prop_map(|(code, reason)| {
            let goodbye = if code % 2 == 0 {
                Goodbye::leaving(&reason)
            } else {
                Goodbye::new(Code::Other(code.max(100)), &reason)
            };
            bytes_of(&Frame::Goodbye(goodbye))
        }),
        Just(hello_bytes(b"token")),
        any_later_frame(),
    ]
}

/// A frame of the life of a session.
fn any_later_frame() -> impl Strategy<Value = Vec<u8>> {
    let place = || (0u16..3, 0u64..5);
    let end = prop_oneof![Just(End::Sender), Just(End::Receiver)];
    let reason = "[a-zäß ]{0,40}";
    prop_oneof![
        place().prop_map(|(channel, _)| bytes_of(&Frame::Revoke { channel })),
        (place(), any::<u64>()).prop_map(|((channel, sequence), bytes)| bytes_of(
            &Frame::Revoked {
                channel,
                sequence,
                bytes
            }
        )),
        place().prop_map(|(channel, sequence)| bytes_of(&Frame::Withdraw { channel, sequence })),
        (place(), prop::collection::vec(0u64..5, 0..4)).prop_map(|((channel, sequence), open)| {
            let open: Vec<_> = open.iter().map(|number| number.to_be_bytes()).collect();
            bytes_of(&Frame::Settled {
                channel,
                sequence,
                open: &open,
            })
        }),
        (place(), 0u64..99, 0u64..5, any::<u64>()).prop_map(
            |((channel, arrived), arrived_bytes, messages, bytes)| bytes_of(&Frame::Resume {
                channel,
                arrived,
                arrived_bytes,
                messages,
                bytes
            })
        ),
        Just(bytes_of(&Frame::Resumed)),
        any::<u64>().prop_map(|number| bytes_of(&Frame::Ping(number))),
        (0u64..4).prop_map(|number| bytes_of(&Frame::Pong(number))),
        (place(), end, reason).prop_map(|((channel, _), end, reason)| bytes_of(&Frame::Poison {
            channel,
            end,
            reason: Reason::new(&reason)
        })),
        (place(), any::<u16>(), reason).prop_map(|((channel, _), code, reason)| {
            let denial = match code {
                1 => Denial::Mismatch,
                2 => Denial::NotAllowed,
                _ => Denial::Other(code),
            };
            bytes_of(&Frame::Deny {
                channel,
                denial,
                reason: Reason::new(&reason),
            })
        }),
    ]
}

/// A frame for a link that has channels 0 and 1: mostly near what is allowed, so that much of it is.
fn likely_frame() -> impl Strategy<Value = Vec<u8>> {
    let small = 0u64..4;
    let chunk = prop::collection::vec(any::<u8>(), 0..20);
    prop_oneof![
        4 => (0u16..3, small.clone(), 0u32..30, chunk).prop_map(|(channel, sequence, total, chunk)| {
            bytes_of(&Frame::Data { channel, sequence, total, chunk: &chunk })
        }),
        2 => (0u16..3, small.clone(), 0u64..1000).prop_map(|(channel, messages, bytes)| {
            bytes_of(&Frame::Grant { channel, messages, bytes })
        }),
        2 => (0u16..3, small).prop_map(|(channel, sequence)| bytes_of(&Frame::Taken { channel, sequence })),
        1 => any_frame(),
        3 => any_later_frame(),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #[test]
    fn a_frame_decodes_to_itself_and_is_whole_only_at_its_end(bytes in any_frame(), more in any::<u8>()) {
        let (frame, length) = Frame::decode(&bytes).unwrap().unwrap();
        prop_assert_eq!(length, bytes.len());
        prop_assert_eq!(bytes_of(&frame), bytes.clone());
        for cut in 0..bytes.len() {
            prop_assert_eq!(Frame::decode(&bytes[..cut]), Ok(None));
        }
        let mut longer = bytes.clone();
        longer.push(more);
        prop_assert_eq!(Frame::decode(&longer).unwrap().unwrap().1, bytes.len());
    }

    #[test]
    fn bytes_of_a_stranger_never_panic_and_are_not_kept(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        let mut link = Link::listener(settings("listener"));
        let _ = feed(&mut link, &bytes, &[usize::MAX]);
        prop_assert!(link.bytes_held() <= HANDSHAKE_BYTES_MAX);
        prop_assert!(link.peer().is_none());
    }

    #[test]
    fn bytes_of_a_peer_never_panic_and_are_kept_within_the_limits(
        pieces in prop::collection::vec(likely_frame(), 0..60),
        grants in 0u64..100,
    ) {
        let (mut link, _) = connected(settings("a"), settings("b"));
        let sending = link.open("out").unwrap();
        for channel in 0..2 {
            let name = format!("in {channel}");
            feed(&mut link, &bytes_of(&open_frame(channel, u64::from(channel) + 1, &name)), &[usize::MAX]).unwrap();
            let id = link.find(&name).unwrap();
            prop_assert!(link.grant(id, grants) <= CREDIT_MESSAGES_MAX as u64);
        }
        for piece in pieces {
            let result = feed(&mut link, &piece, &[usize::MAX]);
            prop_assert!(link.bytes_held() <= HEADER_BYTES + PAYLOAD_BYTES_MAX + 2 * CHUNK_BYTES_MAX);
            if link.has_credit(sending) {
                let _ = link.send(sending, Bytes::from_static(b"message"));
            }
            take_output(&mut link);
            if let Err(violation) = result {
                prop_assert!(!violation.to_string().is_empty());
                link.goodbye(violation.goodbye());
            }
        }
    }

    #[test]
    fn the_pieces_in_which_bytes_come_make_no_difference(
        pieces in prop::collection::vec(likely_frame(), 0..30),
        cuts in prop::collection::vec(1usize..50, 1..20),
        granted in 0u64..8,
    ) {
        let outcome = |cuts: &[usize]| {
            let mut link = Link::listener(settings("listener"));
            let mut all = wires::preamble();
            all.extend(hello_bytes(b""));
            for channel in 0..2 {
                let name = format!("in {channel}");
                all.extend(bytes_of(&open_frame(channel, u64::from(channel) + 1, &name)));
            }
            let before = feed(&mut link, &all, cuts);
            for channel in 0..2 {
                link.grant(link.find(&format!("in {channel}")).unwrap(), granted);
            }
            (before, feed(&mut link, &pieces.concat(), cuts))
        };
        prop_assert_eq!(outcome(&cuts), outcome(&[usize::MAX]));
    }
}

/// The bytes of the worked trace in `docs/protocol.md`, by who says them, one entry a line of it.
fn specified_trace() -> Vec<(&'static str, Vec<u8>)> {
    let document = include_str!("../docs/protocol.md");
    let byte = |hex: &str| u8::from_str_radix(hex, 16).unwrap();
    let lines = document.lines().filter_map(|line| {
        let (speaker, rest) = line.split_once(" | ")?;
        let (bytes, _) = rest.split_once(" | ")?;
        let speaker = speaker.trim();
        matches!(speaker, "dialer" | "listener")
            .then(|| (speaker, bytes.split_whitespace().map(byte).collect()))
    });
    lines.collect()
}

#[test]
fn the_trace_in_the_specification_is_what_is_said() {
    let (mut ours, mut theirs) = (settings("a"), settings("b"));
    (ours.session, ours.incarnation, theirs.incarnation) = (1, 2, 3);
    let (mut dialer, mut listener) = (Link::dialer(ours), Link::listener(theirs));
    let mut trace = Vec::new();
    let mut turn = |dialer: &mut Link, listener: &mut Link| {
        let said = take_output(dialer);
        feed(listener, &said, &[usize::MAX]).unwrap();
        let answered = take_output(listener);
        feed(dialer, &answered, &[usize::MAX]).unwrap();
        trace.push(("dialer", said));
        trace.push(("listener", answered));
    };
    turn(&mut dialer, &mut listener);
    let send = dialer.open("units").unwrap();
    turn(&mut dialer, &mut listener);
    let receive = listener.find("units").unwrap();
    listener.grant(receive, 1);
    turn(&mut dialer, &mut listener);
    dialer.send(send, Bytes::from_static(b"hello")).unwrap();
    turn(&mut dialer, &mut listener);
    listener.settle(receive, 1, Settlement::Taken);
    listener.grant(receive, 1);
    turn(&mut dialer, &mut listener);
    dialer.close_send(send);
    turn(&mut dialer, &mut listener);
    listener.close_receive(receive);
    turn(&mut dialer, &mut listener);
    dialer.goodbye(Goodbye::done());
    listener.goodbye(Goodbye::done());
    turn(&mut dialer, &mut listener);

    let said_by = |trace: &[(&'static str, Vec<u8>)], who: &str| -> Vec<u8> {
        let lines = trace.iter().filter(|(speaker, _)| *speaker == who);
        lines.flat_map(|(_, bytes)| bytes.clone()).collect()
    };
    for who in ["dialer", "listener"] {
        assert_eq!(
            said_by(&specified_trace(), who),
            said_by(&trace, who),
            "what the {who} says"
        );
    }
}
