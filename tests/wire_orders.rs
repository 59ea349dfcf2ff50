//! What the ends of a channel can ask of each other beside handing messages over: credit back, a message back, an
//! end with a reason, and what a channel is.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod wires;

use bytes::Bytes;
use handover::wire::{
    Denial, Event, Frame, FrameType, Link, MessageType, OpenError, Outcome, Reason, ReceiveId,
    SendId, Settlement, Violation,
};
use wires::{
    bytes_of, connected, exchange, feed, frames, open_channel, pass, reconnect, settings,
    take_output,
};

const UNIT: Bytes = Bytes::from_static(b"unit");

fn granted(messages: u64) -> (Link, Link, SendId, ReceiveId) {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let (send, receive) = open_channel(&mut a, &mut b, "units");
    assert_eq!(b.grant(receive, messages), messages);
    pass(&mut b, &mut a);
    (a, b, send, receive)
}

fn returned(channel: SendId, sequence: u64) -> Event {
    Event::Settled {
        channel,
        sequence,
        settlement: Settlement::Returned,
    }
}

#[test]
fn a_revoked_grant_stands_as_far_as_it_was_used() {
    let (mut a, mut b, send, receive) = granted(3);
    let reserved = b.bytes_reserved();
    b.revoke(receive);
    assert_eq!(b.grant(receive, 1), 0, "not before the answer");
    // One message crosses the question.
    a.send(send, UNIT).unwrap();
    pass(&mut b, &mut a);
    assert!(!a.has_credit(send));
    let said = take_output(&mut a);
    assert_eq!(frames(&said), [FrameType::Revoked, FrameType::Data]);
    let heard = feed(&mut b, &said, &[usize::MAX]).unwrap();
    assert_eq!(heard[0], Event::Revoked(receive));
    assert!(matches!(heard[1], Event::Message { sequence: 1, .. }));
    assert_eq!(b.bytes_reserved(), 4, "of {reserved} that were granted");
    assert_eq!(b.grant(receive, 1), 1);
    pass(&mut b, &mut a);
    assert!(a.has_credit(send));
}

#[test]
fn a_revocation_that_was_lost_is_asked_again() {
    let (mut a, mut b, send, receive) = granted(3);
    b.revoke(receive);
    take_output(&mut b);
    reconnect(&mut a, &mut b);
    let (_, heard) = exchange(&mut a, &mut b);
    assert!(heard.contains(&Event::Revoked(receive)));
    assert!(!a.has_credit(send));
    let unasked = bytes_of(&Frame::Revoked {
        channel: 0,
        sequence: 0,
        bytes: 0,
    });
    let violation = feed(&mut b, &unasked, &[usize::MAX]).unwrap_err();
    assert_eq!(violation, Violation::BadRevoked(0));
}

#[test]
fn a_message_that_is_not_wholly_said_comes_back_at_once_when_it_is_withdrawn() {
    let (mut a, mut b, send, receive) = granted(2);
    a.send(send, Bytes::from(vec![0; 200_000])).unwrap();
    let chunk = a.output().to_vec();
    a.wrote(chunk.len());
    feed(&mut b, &chunk, &[usize::MAX]).unwrap();
    a.withdraw(send, 1);
    assert_eq!(pass(&mut a, &mut b), [], "the receiver's owner never knew");
    let heard = pass(&mut b, &mut a);
    assert!(heard.contains(&returned(send, 1)));
    // The next one is not confused with it.
    a.send(send, UNIT).unwrap();
    let (_, arrived) = exchange(&mut a, &mut b);
    assert_eq!(
        arrived,
        [Event::Message {
            channel: receive,
            sequence: 2,
            message: UNIT,
        }]
    );
}

#[test]
fn of_a_message_that_arrived_the_receiver_decides_when_it_is_withdrawn() {
    for settlement in [Settlement::Taken, Settlement::Returned, Settlement::InDoubt] {
        let (mut a, mut b, send, receive) = granted(1);
        a.send(send, UNIT).unwrap();
        pass(&mut a, &mut b);
        a.withdraw(send, 1);
        let wanted = Event::Withdraw {
            channel: receive,
            sequence: 1,
        };
        assert_eq!(pass(&mut a, &mut b), [wanted]);
        b.settle(receive, 1, settlement);
        let heard = pass(&mut b, &mut a);
        assert!(heard.contains(&Event::Settled {
            channel: send,
            sequence: 1,
            settlement,
        }));
        // A second wish crosses the outcome, and is too late.
        a.withdraw(send, 1);
        assert_eq!(pass(&mut a, &mut b), []);
    }
}

#[test]
fn a_message_withdrawn_over_a_break_is_not_sent_again_and_cannot_be_in_doubt() {
    let (mut a, mut b, send, _) = granted(1);
    a.send(send, UNIT).unwrap();
    a.withdraw(send, 1);
    assert_eq!(frames(&take_output(&mut a)), [FrameType::Withdraw]);
    assert_eq!(a.outcome(send, 1), Outcome::NotTaken);
    reconnect(&mut a, &mut b);
    let (heard, at_b) = exchange(&mut a, &mut b);
    assert!(heard.contains(&returned(send, 1)));
    assert_eq!(at_b, []);
}

#[test]
fn a_part_of_a_withdrawn_message_cannot_be_taken() {
    let (mut a, _, send, _) = granted(1);
    a.send(send, UNIT).unwrap();
    a.withdraw(send, 1);
    take_output(&mut a);
    let taken = bytes_of(&Frame::Taken {
        channel: 0,
        sequence: 1,
    });
    assert!(matches!(
        feed(&mut a, &taken, &[usize::MAX]),
        Err(Violation::NotUnderWay { .. })
    ));
}

#[test]
fn poison_tells_the_other_end_why_and_counts_as_its_close() {
    let reason = Reason::new("the disk is full");
    let (mut a, mut b, send, receive) = granted(2);
    a.send(send, Bytes::from(vec![0; 200_000])).unwrap();
    let chunk = a.output().to_vec();
    a.wrote(chunk.len());
    feed(&mut b, &chunk, &[usize::MAX]).unwrap();
    a.poison_send(send, "the disk is full");
    let heard = pass(&mut a, &mut b);
    assert_eq!(
        heard,
        [Event::SenderPoisoned {
            channel: receive,
            reason: reason.clone(),
        }]
    );
    let heard = pass(&mut b, &mut a);
    assert!(
        heard.contains(&returned(send, 1)),
        "what was begun comes back"
    );
    b.close_receive(receive);
    exchange(&mut a, &mut b);
    assert!(a.open("units").is_ok(), "the name is free");

    let (mut a, mut b, send, receive) = granted(1);
    a.send(send, UNIT).unwrap();
    pass(&mut a, &mut b);
    b.poison_receive(receive, "the disk is full");
    take_output(&mut b);
    // It is said again if it was lost.
    reconnect(&mut a, &mut b);
    let (heard, _) = exchange(&mut a, &mut b);
    assert!(heard.contains(&Event::ReceiverPoisoned {
        channel: send,
        reason,
    }));
    assert_eq!(a.outcome(send, 1), Outcome::NotTaken);
}

#[test]
fn a_receiver_sees_what_a_channel_carries_and_may_deny_it() {
    let (mut a, mut b) = connected(settings("a"), settings("b"));
    let message_type = MessageType {
        name: "Job".to_owned(),
        version: 3,
    };
    let send = a.open_typed("jobs", message_type.clone()).unwrap();
    pass(&mut a, &mut b);
    let receive = b.find("jobs").unwrap();
    assert_eq!(b.message_type(receive), Some(&message_type));
    b.deny(
        receive,
        Denial::Mismatch,
        "Job 3 came, and Job 2 is read here",
    );
    assert_eq!(b.find("jobs"), None);
    let heard = pass(&mut b, &mut a);
    assert_eq!(
        heard,
        [Event::Denied {
            channel: send,
            denial: Denial::Mismatch,
            reason: Reason::new("Job 3 came, and Job 2 is read here"),
        }]
    );
    exchange(&mut a, &mut b);
    assert!(a.open("jobs").is_ok(), "the name is free");
    let bad = MessageType {
        name: "a\nb".to_owned(),
        version: 0,
    };
    assert!(matches!(
        a.open_typed("more", bad),
        Err(OpenError::BadName(_))
    ));
}
