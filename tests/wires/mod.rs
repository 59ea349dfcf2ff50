//! What the tests of the state machine share: two of them, and bytes carried between them by hand.
#![allow(dead_code, clippy::unwrap_used)]

use handover::wire::{
    Event, Frame, FrameType, Hello, LEASE_DEFAULT, Limits, Link, MAGIC, ReceiveId, SendId,
    Settings, VERSION, VERSION_MIN, Violation,
};

pub fn settings(name: &str) -> Settings {
    Settings {
        name: name.to_owned(),
        token: None,
        limits: Limits::default(),
        session: 1,
        incarnation: 2,
        lease: LEASE_DEFAULT,
    }
}

pub fn preamble() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([VERSION, VERSION_MIN]);
    bytes
}

pub fn hello_bytes(token: &[u8]) -> Vec<u8> {
    let hello = Hello {
        session: 7,
        incarnation: 8,
        epoch: 1,
        lease_ms: 30_000,
        message_bytes: 1 << 20,
        channels: 16,
        name: "peer",
        token,
    };
    bytes_of(&Frame::Hello(hello))
}

/// OPEN of a channel whose messages are bytes.
pub fn open_frame(channel: u16, opening: u64, name: &str) -> Frame<'_> {
    Frame::Open {
        channel,
        opening,
        name,
        type_name: "",
        type_version: 0,
    }
}

pub fn bytes_of(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

/// All events that the bytes received so far mean.
pub fn events(link: &mut Link) -> Result<Vec<Event>, Violation> {
    let mut events = Vec::new();
    while let Some(event) = link.poll_event()? {
        events.push(event);
    }
    Ok(events)
}

/// Gives `bytes` to a link in pieces whose lengths repeat those of `cuts`.
pub fn feed(link: &mut Link, mut bytes: &[u8], cuts: &[usize]) -> Result<Vec<Event>, Violation> {
    let mut all = events(link)?;
    let mut cuts = cuts.iter().cycle();
    while !bytes.is_empty() {
        let space = link.input();
        assert!(!space.is_empty(), "a link whose events were read has room");
        let count = bytes.len().min(space.len()).min(*cuts.next().unwrap());
        space[..count].copy_from_slice(&bytes[..count]);
        link.received(count);
        bytes = &bytes[count..];
        all.extend(events(link)?);
    }
    Ok(all)
}

/// All that a link has to say now.
pub fn take_output(link: &mut Link) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let bytes = link.output();
        if bytes.is_empty() {
            return all;
        }
        all.extend_from_slice(bytes);
        let count = bytes.len();
        link.wrote(count);
    }
}

/// Carries all that one link has to say to the other.
pub fn pass(from: &mut Link, to: &mut Link) -> Vec<Event> {
    let bytes = take_output(from);
    feed(to, &bytes, &[usize::MAX]).unwrap()
}

/// The types of the frames that the bytes are.
pub fn frames(mut bytes: &[u8]) -> Vec<FrameType> {
    let mut types = Vec::new();
    while let Some((frame, length)) = Frame::decode(bytes).unwrap() {
        types.push(frame.frame_type());
        bytes = &bytes[length..];
    }
    assert!(bytes.is_empty(), "frames are written whole");
    types
}

/// A dialer and a listener whose handshake is complete.
pub fn connected(dialer: Settings, listener: Settings) -> (Link, Link) {
    let (mut a, mut b) = (Link::dialer(dialer), Link::listener(listener));
    assert_eq!(pass(&mut a, &mut b), [Event::Welcome]);
    assert_eq!(pass(&mut b, &mut a), [Event::Welcome]);
    (a, b)
}

pub fn open_channel(from: &mut Link, to: &mut Link, name: &str) -> (SendId, ReceiveId) {
    let send = from.open(name).unwrap();
    pass(from, to);
    (send, to.find(name).unwrap())
}

/// The connection is cut between two sides, and made anew: what was under way is lost.
pub fn reconnect(dialer: &mut Link, listener: &mut Link) {
    assert!(dialer.reconnect());
    let mut connection = Link::listener(settings("listener"));
    let heard = pass(dialer, &mut connection);
    assert!(matches!(heard[..], [Event::Resume(_)]));
    listener.resume(connection).unwrap();
    assert_eq!(pass(listener, dialer)[0], Event::Resumed);
}

/// Carries all that both have to say, until neither has anything; returns what the first and the second hear.
pub fn exchange(a: &mut Link, b: &mut Link) -> (Vec<Event>, Vec<Event>) {
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    loop {
        let forth = take_output(a);
        let back = take_output(b);
        if forth.is_empty() && back.is_empty() {
            return (at_a, at_b);
        }
        at_b.extend(feed(b, &forth, &[usize::MAX]).unwrap());
        at_a.extend(feed(a, &back, &[usize::MAX]).unwrap());
    }
}
