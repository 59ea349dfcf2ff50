//! Inputs to begin from: the bytes of a conversation, and worlds in which a conversation takes place.

use std::time::Duration;

use bytes::Bytes;
use handover::wire::{Denial, Limits, Link, Settings, Settlement};

/// The bytes that two links say to each other, without the preamble, which is no frame.
pub fn conversations() -> Vec<(&'static str, Vec<u8>)> {
    let (mut a, mut b) = (Link::dialer(settings(1)), Link::listener(settings(2)));
    let mut said = [Vec::new(), Vec::new()];
    carry(&mut a, &mut b, &mut said);
    for (name, message) in [("units", &b"hello"[..]), ("other", &[7; 300])] {
        let out = a.open(name).unwrap();
        carry(&mut a, &mut b, &mut said);
        let into = b.find(name).unwrap();
        assert_eq!(b.grant(into, 3), 3);
        carry(&mut a, &mut b, &mut said);
        let first = a.send(out, Bytes::copy_from_slice(message)).unwrap();
        carry(&mut a, &mut b, &mut said);
        b.settle(into, first, Settlement::Taken);
        carry(&mut a, &mut b, &mut said);
        for settlement in [Settlement::Returned, Settlement::InDoubt] {
            let next = a.send(out, Bytes::new()).unwrap();
            carry(&mut a, &mut b, &mut said);
            b.settle(into, next, settlement);
        }
        b.grant(into, 2);
        carry(&mut a, &mut b, &mut said);
        let next = a.send(out, Bytes::from_static(b"back, please")).unwrap();
        a.withdraw(out, next);
        b.revoke(into);
        carry(&mut a, &mut b, &mut said);
        b.grant(into, 1);
        carry(&mut a, &mut b, &mut said);
        let last = a.send(out, Bytes::from_static(b"declined")).unwrap();
        carry(&mut a, &mut b, &mut said);
        b.settle(into, last, Settlement::Declined);
        if name == "units" {
            a.poison_send(out, "it went wrong");
        } else {
            b.deny(into, Denial::NotAllowed, "not here");
        }
        carry(&mut a, &mut b, &mut said);
    }
    a.open("third").unwrap();
    a.tick(Duration::from_secs(10));
    carry(&mut a, &mut b, &mut said);
    // Another connection of the session.
    assert!(a.reconnect());
    let mut c = Link::listener(settings(2));
    let mut again = [Vec::new(), Vec::new()];
    while c.wants().is_none() {
        let bytes = say(&mut a, &mut again[0]);
        hear(&mut c, &bytes);
    }
    b.resume(c).unwrap();
    carry(&mut a, &mut b, &mut again);
    a.goodbye(handover::wire::Goodbye::leaving("for good"));
    carry(&mut a, &mut b, &mut again);
    let names = ["dialer", "listener", "dialer-again", "listener-again"];
    let mut streams = Vec::new();
    for (name, bytes) in names.into_iter().zip(said.into_iter().chain(again)) {
        streams.push((name, bytes[handover::wire::PREAMBLE_BYTES..].to_vec()));
    }
    streams
}

fn settings(incarnation: u64) -> Settings {
    Settings {
        name: "side".to_owned(),
        token: None,
        limits: Limits::default().with_channels(4),
        session: 7,
        incarnation,
        lease: Duration::from_secs(30),
    }
}

fn say(link: &mut Link, said: &mut Vec<u8>) -> Vec<u8> {
    let bytes = link.output().to_vec();
    link.wrote(bytes.len());
    said.extend_from_slice(&bytes);
    bytes
}

fn hear(link: &mut Link, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let space = link.input();
        let count = bytes.len().min(space.len());
        space[..count].copy_from_slice(&bytes[..count]);
        bytes = &bytes[count..];
        link.received(count);
        while link.poll_event().unwrap().is_some() {}
    }
}

fn carry(a: &mut Link, b: &mut Link, said: &mut [Vec<u8>; 2]) {
    for _ in 0..4 {
        let bytes = say(a, &mut said[0]);
        hear(b, &bytes);
        let bytes = say(b, &mut said[1]);
        hear(a, &bytes);
    }
}

// ---- Worlds ----

/// The orders of a world, as `link::World::step` reads them, of the dialer; `L` makes one the listener's.
const L: u8 = 1;
const fn order(number: u8) -> u8 {
    number << 1
}
const WRITE: u8 = order(0);
const READ: u8 = order(3);
const CARRY: u8 = order(6);
const PASS: u8 = order(9);
const CUT: u8 = order(10);
const DIAL: u8 = order(11);
const GONE: u8 = order(12);
const INJECT: u8 = order(13);
const FRAME: u8 = order(14);
const SPOIL: u8 = order(15);
const PART: u8 = order(16);
const OPEN: u8 = order(17);
const SEND: u8 = order(18);
const WITHDRAW: u8 = order(21);
const GRANT: u8 = order(22);
const REVOKE: u8 = order(24);
const SETTLE: u8 = order(25);
const CLOSE_OUT: u8 = order(29);
const CLOSE_IN: u8 = order(30);

const HONEST: u8 = 0b100_1010;
const HOSTILE: u8 = HONEST | 1;
/// Messages of 40 bytes, and a budget of 64.
const TIGHT: u8 = 0b100_0000;
/// Messages of 200,000 bytes, and a budget of 300,000.
const WIDE: u8 = 0b101_0100;
const ALL: u8 = 255;

/// The handshake, and a channel each way.
const BEGIN: [u8; 8] = [CARRY, OPEN, 0, OPEN | L, 1, CARRY, CARRY, CARRY];
/// A message to the listener is granted, sent and taken.
const MESSAGE: [u8; 14] = [
    GRANT | L,
    0,
    3,
    CARRY,
    SEND,
    0,
    20,
    CARRY,
    SETTLE | L,
    0,
    0,
    0,
    CARRY,
    CARRY,
];
const AGAIN: [u8; 4] = [DIAL, CARRY, CARRY, CARRY];

/// One world a line.
#[rustfmt::skip]
pub fn worlds() -> Vec<(&'static str, Vec<u8>)> {
    let world = |flags: u8, parts: &[&[u8]]| {
        let mut bytes = vec![flags];
        bytes.extend(BEGIN);
        bytes.extend(parts.concat());
        bytes
    };
    let grants = [GRANT | L, 0, 9, GRANT, 0, 9, CARRY];
    let long = [SEND, 0, 251, 200, 0, SEND | L, 0, 251, 100, 0];
    let some = [WRITE, 200, READ | L, 255, WRITE | L, 200, READ, 255];
    let settle: Vec<u8> = (0..4).flat_map(|how| [SETTLE | L, 0, 0, how]).collect();
    vec![
        ("messages", world(HONEST, &[&MESSAGE, &MESSAGE, &MESSAGE])),
        ("tight", world(TIGHT, &[&MESSAGE, &MESSAGE, &grants, &[SEND, 0, 40, CARRY], &settle])),
        ("long", world(WIDE, &[&grants, &long, &some, &some, &[CARRY, CARRY, CARRY], &settle, &[CARRY]])),
        ("long-cut", world(WIDE, &[&grants, &long, &some, &[CUT, 9], &AGAIN, &[CARRY, CARRY], &settle, &[CARRY]])),
        ("cut-after", world(HONEST, &[&MESSAGE, &[GRANT | L, 0, 9, CARRY, SEND, 0, 5, WRITE, ALL, CUT, ALL], &AGAIN, &settle, &[CARRY], &AGAIN])),
        ("cut-before-taken", world(HONEST, &[&grants, &[SEND, 0, 5, CARRY], &settle, &[CUT, 0], &AGAIN, &MESSAGE])),
        ("dial-over", world(HONEST, &[&grants, &[SEND, 0, 5, WRITE, ALL, DIAL, WRITE, 30, READ | L, 30, DIAL], &AGAIN, &settle, &[CARRY]])),
        ("gone", world(HONEST, &[&grants, &[GONE | L, CARRY, GONE], &AGAIN, &MESSAGE, &[PASS, 100, CARRY, PASS, 100, CARRY, PASS, 255, PASS, 255]])),
        ("withdrawn", world(WIDE, &[&grants, &long, &[WRITE, 100, READ | L, 100, WITHDRAW, 0, 0, REVOKE | L, 0, CARRY, CARRY], &settle, &[GRANT | L, 0, 5, CARRY]])),
        ("withdrawn-cut", world(HONEST, &[&grants, &[SEND, 0, 5, CARRY, WITHDRAW, 0, 0, WRITE, ALL, CUT, 0], &AGAIN, &settle, &[CARRY]])),
        ("closed", world(HONEST, &[&MESSAGE, &[CLOSE_OUT, 0, 0, CARRY, CLOSE_IN | L, 0, 0, CARRY, OPEN, 0, CARRY], &MESSAGE])),
        ("poisoned", world(HONEST, &[&grants, &[SEND, 0, 5, CLOSE_OUT, 0, 1, CARRY, CLOSE_IN, 0, 1, CUT, ALL], &AGAIN])),
        ("denied", world(HONEST, &[&grants, &[SEND, 0, 5, CARRY, CLOSE_IN | L, 0, 2, CUT, 0], &AGAIN, &[OPEN, 0, CARRY]])),
        ("parting", world(HONEST, &[&grants, &[SEND, 0, 5, CARRY], &settle, &[PART, 0, CUT, 0], &AGAIN, &[PART | L, 0, CARRY]])),
        ("injected", world(HOSTILE, &[&MESSAGE, &[INJECT | L, 16, 1, 3, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9, READ, ALL]])),
        ("frames", world(HOSTILE, &[&MESSAGE, &[FRAME, 0, 0, 2, 0, 255, 255, FRAME, 0, 0, 16, 0, 9, READ, ALL, SEND, 0, 30, CARRY, FRAME | L, 0, 20, 3, 0, 2, 20, READ | L, ALL]])),
        ("resume-far", world(HOSTILE, &[&grants, &[SEND, 0, 30, CUT, 0, DIAL, WRITE, ALL, READ | L, ALL, WRITE | L, 71, READ, ALL, WRITE, ALL, FRAME, 1, 0, 14, 0, 0, 255, 3, 255, READ, ALL, SEND, 0, 9, WRITE, ALL, WITHDRAW, 0, 0, WRITE, ALL]])),
        ("stranger", world(HOSTILE, &[&[CUT, 0, DIAL, FRAME | L, 3, 0, 0, 0, 2, 9, 9, 9, READ | L, ALL, READ | L, ALL, CARRY]])),
        ("spoilt", world(HOSTILE, &[&grants, &[SEND, 0, 30, WRITE, ALL, SPOIL | L, 7, 3, READ | L, ALL, CARRY]])),
    ]
}
