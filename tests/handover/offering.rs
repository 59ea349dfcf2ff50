//! An offer is a send for a receiver that waits: it succeeds against a future, and never waits for a receiver to come.

use std::thread;

use handover::{
    channel,
    channel::{OfferError, SendError},
    select, select_async,
};

use crate::stage::{Peer, Scripted, Tally, for_peers, join, until};

for_peers! {
    fn one_that_waits_takes_what_is_offered(receiver) {
        let (tx, rx) = channel();
        let receiving = thread::spawn(move || receiver.recv(&rx));
        until(|| tx.is_ready());
        assert_eq!(Peer::Homemade.run(tx.offer_async(7)), Ok(()));
        assert_eq!(join(receiving), Ok(7));
    }

    fn one_that_chooses_takes_what_is_offered(receiver) {
        let (tx, rx) = channel();
        let (_other, from_other) = channel::<u32>();
        let receiving = thread::spawn(move || match receiver {
            Peer::Thread => select! { recv(rx) -> message => message, recv(from_other) -> message => message },
            _ => receiver.run(async {
                select_async! { recv(rx) -> message => message, recv(from_other) -> message => message }
            }),
        });
        until(|| tx.is_ready());
        assert_eq!(Peer::Homemade.run(tx.offer_async(7)), Ok(()));
        assert_eq!(join(receiving), Ok(7));
    }
}

#[test]
fn nobody_waits() {
    let (tx, rx) = channel();
    assert_eq!(
        Scripted::new(tx.offer_async(7)).resolves(),
        Err(OfferError::Unwanted(7))
    );
    drop(rx);
    assert_eq!(
        Scripted::new(tx.offer_async(7)).resolves(),
        Err(OfferError::Disconnected(7))
    );
    tx.poison("enough");
    assert_eq!(
        Scripted::new(tx.offer_async(7)).resolves(),
        Err(OfferError::Poisoned(7, "enough".into()))
    );
}

#[test]
fn credit_is_one_that_waits() {
    let (tx, rx) = channel();
    rx.grant(1);
    assert_eq!(Scripted::new(tx.offer_async(7)).resolves(), Ok(()));
    assert_eq!(
        Scripted::new(tx.offer_async(8)).resolves(),
        Err(OfferError::Unwanted(8))
    );
    assert_eq!(rx.try_recv(), Ok(7));
}

#[test]
fn the_one_for_whom_it_was_is_dropped() {
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut offer = Scripted::new(tx.offer_async(7));
    offer.stays_pending();
    assert_eq!(receive.wakes(), 1);
    drop(receive);
    assert_eq!(offer.wakes(), 1);
    assert_eq!(offer.resolves(), Err(OfferError::Unwanted(7)));
    assert!(rx.try_recv().is_err(), "it has left");
}

#[test]
fn another_that_waits_gets_it() {
    let (tx, rx) = channel();
    let mut first = Scripted::new(rx.recv_async());
    first.stays_pending();
    let mut second = Scripted::new(rx.recv_async());
    second.stays_pending();
    let mut offer = Scripted::new(tx.offer_async(7));
    offer.stays_pending();
    drop(first);
    assert_eq!((second.wakes(), offer.wakes()), (1, 0));
    assert_eq!(second.resolves(), Ok(7));
    assert_eq!(offer.resolves(), Ok(()));
}

#[test]
fn the_one_for_whom_it_was_takes_from_somebody_else() {
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(1));
    send.stays_pending();
    let mut offer = Scripted::new(tx.offer_async(2));
    offer.stays_pending();
    assert_eq!(receive.resolves(), Ok(1));
    assert_eq!(offer.wakes(), 1);
    assert_eq!(offer.resolves(), Err(OfferError::Unwanted(2)));
    assert_eq!(send.resolves(), Ok(()));
}

#[test]
fn one_that_chooses_meets_elsewhere() {
    let (tx, rx) = channel::<u32>();
    let (other, from_other) = channel::<u32>();
    let mut choice = Scripted::new(async {
        select_async! { biased; recv(from_other) -> message => message, recv(rx) -> message => message }
    });
    choice.stays_pending();
    let mut offer = Scripted::new(tx.offer_async(1));
    offer.stays_pending();
    let mut send = Scripted::new(other.send_async(2));
    send.stays_pending();
    assert_eq!(choice.resolves(), Ok(2));
    assert_eq!(offer.wakes(), 1);
    assert_eq!(offer.resolves(), Err(OfferError::Unwanted(1)));
}

/// It has a send guard too, and so may be claimed there while it hangs here.
#[test]
fn one_that_was_claimed_elsewhere_does_not_wait_any_more() {
    let (tx, rx) = channel::<u32>();
    let (other, at_other) = channel::<u32>();
    let mut home = Some(3);
    let mut choice = Scripted::new(async {
        select_async! {
            send(other, &mut home) -> sent => sent.map(|()| 0),
            recv(rx) -> message => Ok(message.unwrap()),
        }
    });
    choice.stays_pending();
    assert!(tx.is_ready());
    let held = at_other.recv_held().unwrap();
    // It has not left yet.
    assert_eq!(
        Scripted::new(tx.offer_async(1)).resolves(),
        Err(OfferError::Unwanted(1))
    );
    choice.stays_pending();
    assert_eq!(
        Scripted::new(tx.offer_async(1)).resolves(),
        Err(OfferError::Unwanted(1))
    );
    // Declined, it waits here again.
    held.decline().unwrap();
    choice.stays_pending();
    let mut offer = Scripted::new(tx.offer_async(1));
    offer.stays_pending();
    assert_eq!(choice.resolves(), Ok::<_, SendError<()>>(1));
    assert_eq!(offer.resolves(), Ok(()));
}

#[test]
fn two_offers_to_one() {
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut offers = [1, 2, 3].map(|number| Scripted::new(tx.offer_async(number)));
    offers.iter_mut().for_each(Scripted::stays_pending);
    assert_eq!(receive.resolves(), Ok(1));
    let [first, second, third] = &mut offers;
    assert_eq!(first.resolves(), Ok(()));
    assert_eq!(second.wakes(), 1);
    assert_eq!(second.resolves(), Err(OfferError::Unwanted(2)));
    assert_eq!(third.wakes(), 1);
    assert_eq!(third.resolves(), Err(OfferError::Unwanted(3)));
}

/// The one that is to dismiss the next is dropped instead of being polled.
#[test]
fn a_dismissed_offer_that_is_dropped_dismisses_the_next() {
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut first = Scripted::new(tx.offer_async(1));
    first.stays_pending();
    let mut second = Scripted::new(tx.offer_async(2));
    second.stays_pending();
    drop(receive);
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    assert_eq!(first.future().withdraw(), Some(1));
    assert_eq!(second.resolves(), Err(OfferError::Unwanted(2)));
}

#[test]
fn a_plain_send_waits_on() {
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(1));
    send.stays_pending();
    let mut offer = Scripted::new(tx.offer_async(2));
    offer.stays_pending();
    drop(receive);
    assert_eq!(offer.resolves(), Err(OfferError::Unwanted(2)));
    send.stays_pending();
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(send.resolves(), Ok(()));
}

#[test]
fn an_accepted_offer_is_its_acceptors() {
    let (tx, rx) = channel();
    let mut accept = Scripted::new(rx.recv_held_async());
    accept.stays_pending();
    let mut offer = Scripted::new(tx.offer_async(7));
    offer.stays_pending();
    let held = accept.resolves().unwrap();
    offer.stays_pending();
    assert_eq!(offer.wakes(), 0);
    drop(held);
    assert_eq!(offer.resolves(), Err(OfferError::Returned(7)));
}

#[test]
fn a_declined_offer_is_for_another_that_waits_or_for_nobody() {
    let (tx, rx) = channel();
    for is_another in [false, true] {
        let mut accept = Scripted::new(rx.recv_held_async());
        accept.stays_pending();
        let mut offer = Scripted::new(tx.offer_async(7));
        offer.stays_pending();
        let held = accept.resolves().unwrap();
        let mut other = Scripted::new(rx.recv_async());
        if is_another {
            other.stays_pending();
        }
        held.decline().unwrap();
        if is_another {
            offer.stays_pending();
            assert_eq!(other.resolves(), Ok(7));
            assert_eq!(offer.resolves(), Ok(()));
        } else {
            assert_eq!(offer.resolves(), Err(OfferError::Unwanted(7)));
        }
    }
}

#[test]
fn an_offer_that_is_dropped_is_gone() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut offer = Scripted::new(tx.offer_async(tally.message(1)));
    offer.stays_pending();
    drop(offer);
    assert_eq!(tally.dropped(), 1);
    receive.stays_pending();
    let mut offer = Scripted::new(tx.offer_async(tally.message(2)));
    offer.stays_pending();
    assert_eq!(receive.resolves().unwrap().number, 2);
    assert!(offer.resolves().is_ok());
}
