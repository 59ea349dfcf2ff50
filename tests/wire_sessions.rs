//! A session outlives its connections: what each side says after a break, who may go on with it, and what silence
//! means.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod wires;

use std::time::Duration;

use bytes::Bytes;
use handover::wire::{
    Code, Event, Frame, FrameType, Goodbye, Link, Lost, Outcome, Settlement, Violation,
};
use wires::{
    bytes_of, connected, exchange, feed, frames, open_channel, pass, preamble, reconnect, settings,
    take_output,
};

const UNIT: Bytes = Bytes::from_static(b"unit");

fn settled(channel: handover::wire::SendId, sequence: u64, settlement: Settlement) -> Event {
    Event::Settled {
        channel,
        sequence,
        settlement,
    }
}

/// Two sides, with a channel on which the first may send.
fn granted(
    messages: u64,
) -> (
    Link,
    Link,
    handover::wire::SendId,
    handover::wire::ReceiveId,
) {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let (send, receive) = open_channel(&mut a, &mut b, "units");
    assert_eq!(b.grant(receive, messages), messages);
    pass(&mut b, &mut a);
    (a, b, send, receive)
}

#[test]
fn a_message_that_was_lost_with_its_connection_is_sent_again_and_one_that_arrived_is_not() {
    let (mut a, mut b, send, receive) = granted(3);
    a.send(send, Bytes::from_static(b"one")).unwrap();
    pass(&mut a, &mut b);
    a.send(send, Bytes::from_static(b"two")).unwrap();
    take_output(&mut a);
    assert_eq!(a.outcome(send, 2), Outcome::InDoubt);
    reconnect(&mut a, &mut b);
    assert!(!a.has_credit(send), "the peer has not said how far it came");
    let (_, arrived) = exchange(&mut a, &mut b);
    assert_eq!(
        arrived,
        [Event::Message {
            channel: receive,
            sequence: 2,
            message: Bytes::from_static(b"two"),
        }]
    );
    b.settle(receive, 1, Settlement::Taken);
    b.settle(receive, 2, Settlement::Taken);
    let heard = pass(&mut b, &mut a);
    for sequence in [1, 2] {
        assert!(heard.contains(&settled(send, sequence, Settlement::Taken)));
    }
    assert!(a.has_credit(send));
}

#[test]
fn an_outcome_that_was_lost_with_its_connection_is_said_again_and_told_once() {
    let (mut a, mut b, send, receive) = granted(2);
    for _ in 0..2 {
        a.send(send, UNIT).unwrap();
        pass(&mut a, &mut b);
    }
    b.settle(receive, 2, Settlement::Returned);
    assert!(pass(&mut b, &mut a).contains(&settled(send, 2, Settlement::Returned)));
    b.settle(receive, 1, Settlement::Taken);
    take_output(&mut b);
    reconnect(&mut a, &mut b);
    let (heard, _) = exchange(&mut a, &mut b);
    assert!(heard.contains(&settled(send, 1, Settlement::Taken)));
    assert!(!heard.contains(&settled(send, 2, Settlement::Returned)));
    assert_eq!(a.counters().messages_sent, 1);
}

#[test]
fn a_message_that_the_peer_never_had_is_not_taken_however_often_it_left() {
    let (mut a, mut b, send, _) = granted(1);
    a.send(send, UNIT).unwrap();
    take_output(&mut a);
    reconnect(&mut a, &mut b);
    pass(&mut a, &mut b);
    let resume = take_output(&mut b);
    assert_eq!(frames(&resume), [FrameType::Resume]);
    assert_eq!(a.outcome(send, 1), Outcome::InDoubt);
    feed(&mut a, &resume, &[usize::MAX]).unwrap();
    assert_eq!(a.outcome(send, 1), Outcome::NotTaken);
    take_output(&mut a);
    assert_eq!(a.outcome(send, 1), Outcome::InDoubt);
}

#[test]
fn a_part_of_a_message_is_thrown_away_with_its_connection() {
    let (mut a, mut b, send, receive) = granted(1);
    let message = Bytes::from(vec![3; 100_000]);
    a.send(send, message.clone()).unwrap();
    let chunk = a.output().to_vec();
    a.wrote(chunk.len());
    feed(&mut b, &chunk, &[usize::MAX]).unwrap();
    assert!(b.bytes_reserved() > 0);
    b.disconnected();
    assert_eq!(b.bytes_reserved(), 0);
    reconnect(&mut a, &mut b);
    let (_, arrived) = exchange(&mut a, &mut b);
    assert!(arrived.contains(&Event::Message {
        channel: receive,
        sequence: 1,
        message,
    }));
}

#[test]
fn a_channel_that_ended_while_its_sender_did_not_hear_it_says_so_again_with_its_outcomes() {
    let (mut a, mut b, send, receive) = granted(2);
    a.send(send, UNIT).unwrap();
    pass(&mut a, &mut b);
    b.settle(receive, 1, Settlement::Taken);
    a.close_send(send);
    pass(&mut a, &mut b);
    b.close_receive(receive);
    take_output(&mut b);
    reconnect(&mut a, &mut b);
    let (heard, at_b) = exchange(&mut a, &mut b);
    let told: Vec<_> = heard
        .iter()
        .filter(|event| !matches!(event, Event::Granted(_)))
        .collect();
    assert_eq!(
        told,
        [
            &settled(send, 1, Settlement::Taken),
            &Event::ReceiverClosed(send)
        ]
    );
    assert_eq!(at_b, [], "its end was heard before");
    // Confirmed and closed by both, it is forgotten: the number and the name are free.
    let (again, _) = open_channel(&mut a, &mut b, "units");
    assert_eq!(again, send);
}

#[test]
fn a_receiver_that_forgot_a_channel_says_that_it_is_over() {
    let (mut a, mut b, send, receive) = granted(1);
    a.close_send(send);
    pass(&mut a, &mut b);
    b.close_receive(receive);
    // Both have said CLOSE, and the receiver's is lost.
    take_output(&mut b);
    reconnect(&mut a, &mut b);
    let (heard, _) = exchange(&mut a, &mut b);
    assert_eq!(heard, [Event::ReceiverClosed(send)]);
}

#[test]
fn channels_opened_while_no_connection_is_there_are_opened_on_the_next() {
    let (mut a, mut b, ..) = granted(1);
    a.disconnected();
    a.open("late").unwrap();
    assert!(a.output().is_empty());
    reconnect(&mut a, &mut b);
    exchange(&mut a, &mut b);
    assert!(b.find("late").is_some());
    assert!(b.find("units").is_some());
}

/// A new connection of the listener that says it is number `epoch` of the session of `dialer`.
fn claim(session: u128, incarnation: u64, epoch: u64) -> Link {
    let mut connection = Link::listener(settings("listener"));
    let mut bytes = preamble();
    let hello = handover::wire::Hello {
        session,
        incarnation,
        epoch,
        lease_ms: 30_000,
        message_bytes: 1,
        channels: 1,
        name: "peer",
        token: b"",
    };
    bytes.extend(bytes_of(&Frame::Hello(hello)));
    let heard = feed(&mut connection, &bytes, &[usize::MAX]).unwrap();
    assert!(matches!(heard[..], [Event::Resume(_)]));
    assert!(connection.output().is_empty(), "it says nothing yet");
    connection
}

fn refusal(mut refused: Link) -> Code {
    let output = take_output(&mut refused);
    assert!(refused.is_finished());
    match Frame::decode(&output[preamble().len()..])
        .unwrap()
        .unwrap()
        .0
    {
        Frame::Goodbye(goodbye) => goodbye.code(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_the_newest_connection_of_the_same_process_goes_on_with_a_session() {
    let (mut a, mut b, ..) = granted(1);
    reconnect(&mut a, &mut b);
    assert_eq!((a.epoch(), b.epoch()), (2, 2));
    for (session, epoch, code) in [(1, 2, Code::StaleEpoch), (9, 3, Code::UnknownSession)] {
        let refused = b.resume(claim(session, 2, epoch)).unwrap_err();
        assert_eq!(refusal(*refused), code);
        assert!(!b.is_over());
    }
    let refused = b.resume(claim(1, 77, 3)).unwrap_err();
    assert_eq!(refusal(*refused), Code::UnknownSession);
    assert_eq!(b.poll_event(), Ok(Some(Event::Lost(Lost::OtherProcess))));
    assert_eq!(b.poll_event(), Ok(None));
    let refused = b.resume(claim(1, 2, 3)).unwrap_err();
    assert_eq!(refusal(*refused), Code::UnknownSession);
}

#[test]
fn a_dialer_whose_session_is_unknown_has_lost_it_and_one_that_came_late_has_not() {
    for (code, lost) in [(Code::UnknownSession, true), (Code::StaleEpoch, false)] {
        let (mut a, _, send, _) = granted(1);
        a.send(send, UNIT).unwrap();
        take_output(&mut a);
        assert!(a.reconnect());
        let mut bytes = preamble();
        bytes.extend(bytes_of(&Frame::Goodbye(Goodbye::new(code, ""))));
        let heard = feed(&mut a, &bytes, &[usize::MAX]).unwrap();
        assert!(matches!(&heard[0], Event::Goodbye(goodbye) if goodbye.code() == code));
        assert_eq!(
            heard.get(1),
            lost.then_some(&Event::Lost(Lost::UnknownSession))
        );
        assert_eq!(a.is_over(), lost);
        assert_eq!(a.reconnect(), !lost);
        assert_eq!(a.outcome(send, 1), Outcome::InDoubt);
    }
}

#[test]
fn another_process_at_the_old_address_ends_the_session() {
    let (mut a, ..) = granted(1);
    assert!(a.reconnect());
    let mut other = settings("b");
    other.incarnation = 99;
    let mut bytes = preamble();
    bytes.extend(bytes_of(&Frame::Hello(handover::wire::Hello {
        session: 1,
        incarnation: 99,
        epoch: 2,
        lease_ms: 30_000,
        message_bytes: 1,
        channels: 1,
        name: "b",
        token: b"",
    })));
    let heard = feed(&mut a, &bytes, &[usize::MAX]).unwrap();
    assert_eq!(heard, [Event::Lost(Lost::OtherProcess)]);
}

#[test]
fn a_stranger_on_a_later_connection_harms_only_that_connection() {
    let (mut a, mut b, ..) = granted(1);
    assert!(a.reconnect());
    let violation = feed(&mut a, b"GET / HTTP/1.1\r\n", &[usize::MAX]).unwrap_err();
    assert!(matches!(violation, Violation::Stranger(_)));
    assert!(!a.is_over());
    reconnect(&mut a, &mut b);
    assert_eq!(a.epoch(), 3);
}

#[test]
fn a_goodbye_before_the_peer_said_how_far_a_channel_came_leaves_its_messages_in_doubt() {
    for resumed in [false, true] {
        let (mut a, mut b, send, _) = granted(1);
        a.send(send, UNIT).unwrap();
        pass(&mut a, &mut b);
        reconnect(&mut a, &mut b);
        if resumed {
            exchange(&mut a, &mut b);
        }
        let goodbye = bytes_of(&Frame::Goodbye(Goodbye::new(Code::Violation, "")));
        feed(&mut a, &goodbye, &[usize::MAX]).unwrap();
        let expected = if resumed {
            Outcome::NotTaken
        } else {
            Outcome::InDoubt
        };
        assert_eq!(a.outcome(send, 1), expected);
        a.disconnected();
        assert_eq!(a.outcome(send, 1), expected, "what was concluded stands");
    }
}

#[test]
fn a_last_word_that_was_lost_is_said_again_after_all_outcomes() {
    let (mut a, mut b, send, receive) = granted(2);
    for _ in 0..2 {
        a.send(send, UNIT).unwrap();
        pass(&mut a, &mut b);
    }
    b.settle(receive, 1, Settlement::Taken);
    b.goodbye(Goodbye::done());
    take_output(&mut b);
    reconnect(&mut a, &mut b);
    let (heard, _) = exchange(&mut a, &mut b);
    assert!(heard.contains(&settled(send, 1, Settlement::Taken)));
    assert_eq!(heard.last(), Some(&Event::Goodbye(Goodbye::done())));
    assert_eq!(a.outcome(send, 2), Outcome::NotTaken);
    assert!(!a.reconnect(), "the session is over");
}

#[test]
fn a_quiet_side_gives_a_sign_of_life_and_learns_the_round_trip() {
    let ms = Duration::from_millis;
    let brisk = |name| {
        let mut settings = settings(name);
        settings.lease = ms(400);
        settings
    };
    let (mut a, mut b) = connected(brisk("a"), settings("b"));
    assert_eq!(b.peer().unwrap().lease, ms(400), "the shorter one holds");
    assert_eq!(a.deadline(), Some(ms(100)));
    a.tick(ms(99));
    assert!(a.output().is_empty());
    a.tick(ms(100));
    b.tick(ms(100));
    let ping = take_output(&mut a);
    assert_eq!(frames(&ping), [FrameType::Ping]);
    assert_eq!(a.deadline(), Some(ms(200)));
    // However many came, the newest is answered.
    feed(&mut b, &ping, &[usize::MAX]).unwrap();
    feed(&mut b, &ping, &[usize::MAX]).unwrap();
    let said = take_output(&mut b);
    assert_eq!(frames(&said), [FrameType::Pong, FrameType::Ping]);
    a.tick(ms(130));
    feed(&mut a, &said, &[usize::MAX]).unwrap();
    assert_eq!(a.rtt(), Some(ms(30)));
    let violation = feed(&mut a, &bytes_of(&Frame::Pong(2)), &[1]).unwrap_err();
    assert_eq!(violation, Violation::BadPong);
}

#[test]
fn nothing_is_taken_after_half_a_lease_of_silence_and_a_whole_one_loses_the_session() {
    let ms = Duration::from_millis;
    for cut in [false, true] {
        let (mut a, mut b, send, _) = granted(2);
        a.send(send, UNIT).unwrap();
        take_output(&mut a);
        if cut {
            a.disconnected();
        }
        assert!(a.may_take(ms(14_999)));
        assert!(!a.may_take(ms(15_000)));
        a.tick(ms(20_000));
        if !cut {
            // Something is heard.
            b.tick(ms(20_000));
            pass(&mut b, &mut a);
            assert!(a.may_take(ms(34_999)));
            a.tick(ms(49_999));
            assert_eq!(a.poll_event(), Ok(None));
            a.tick(ms(50_000));
        }
        a.tick(ms(50_001));
        assert_eq!(a.poll_event(), Ok(Some(Event::Lost(Lost::Silent))));
        assert_eq!(a.poll_event(), Ok(None));
        assert_eq!(a.outcome(send, 1), Outcome::InDoubt);
        assert!(!a.has_credit(send) && !a.may_take(ms(50_001)) && !a.reconnect());
        assert_eq!(a.deadline(), None);
        assert!(a.output().is_empty());
    }
}

#[test]
fn a_confirmation_is_one_frame_for_many_outcomes_and_names_those_that_are_open() {
    let (mut a, mut b, send, receive) = granted(20);
    for _ in 0..20 {
        a.send(send, UNIT).unwrap();
        pass(&mut a, &mut b);
    }
    for sequence in (1..=20).filter(|sequence| *sequence != 3) {
        b.settle(receive, sequence, Settlement::Taken);
    }
    assert_eq!(b.grant(receive, 100), 44, "none is confirmed");
    pass(&mut b, &mut a);
    let said = take_output(&mut a);
    let Frame::Settled { sequence, open, .. } = Frame::decode(&said).unwrap().unwrap().0 else {
        panic!("the outcomes are confirmed");
    };
    assert_eq!((sequence, open), (20, &[3u64.to_be_bytes()][..]));
    feed(&mut b, &said, &[usize::MAX]).unwrap();
    assert_eq!(b.grant(receive, 100), 19);
    let claim = bytes_of(&Frame::Settled {
        channel: 0,
        sequence: 3,
        open: &[],
    });
    let violation = feed(&mut b, &claim, &[usize::MAX]).unwrap_err();
    assert!(matches!(violation, Violation::BadSettled { .. }));
}

#[test]
fn channels_are_opened_again_in_the_order_in_which_they_were_opened() {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let (first, first_in) = open_channel(&mut a, &mut b, "first");
    a.open("second").unwrap();
    exchange(&mut a, &mut b);
    a.close_send(first);
    b.close_receive(first_in);
    exchange(&mut a, &mut b);
    assert_eq!(a.open("third").unwrap(), first, "the lowest number is free");
    take_output(&mut a);
    reconnect(&mut a, &mut b);
    let said = take_output(&mut a);
    let (mut rest, mut openings) = (&said[..], Vec::new());
    while let Some((frame, length)) = Frame::decode(rest).unwrap() {
        if let Frame::Open { opening, .. } = frame {
            openings.push(opening);
        }
        rest = &rest[length..];
    }
    assert_eq!(openings, [2, 3], "so what the peer has seen has no gaps");
}
