use std::future::pending;

use super::*;
use crate::net::Config;

/// What a listener's link shares, whose peer has said HELLO.
fn listener() -> Shared {
    let mut wire = WireLink::listener(Config::default().settings());
    let mut dialer = WireLink::dialer(Config::default().settings());
    let hello = dialer.output();
    wire.input()[..hello.len()].copy_from_slice(hello);
    wire.received(hello.len());
    assert!(matches!(wire.poll_event(), Ok(Some(Event::Welcome))));
    Shared::new(wire, Gate::new("peer", None), true)
}

#[test]
fn an_end_is_patient_no_longer_than_it_has_a_message() {
    let shared = listener();
    shared
        .open_out("out", MessageType::default(), |_| pending())
        .unwrap();
    shared
        .open_in("in", MessageType::default(), |_| pending())
        .unwrap();
    shared.with(|core| match core.port_mut(0) {
        Some(Port::Out(port)) => port.under_way.push_back((1, None)),
        port => panic!("{port:?}"),
    });
    let patient = || shared.with(|core| core.patient().collect::<Vec<_>>());
    shared.hold_up(1, true);
    assert!(shared.is_to_be_patient(1));
    assert_eq!(patient(), [1]);
    // Somebody took it while the outcome was still awaited.
    shared.hold_up(1, false);
    assert_eq!(patient(), [0; 0]);
}
