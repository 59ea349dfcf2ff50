//! Messages with types.

use bytes::Bytes;
use handover::{
    channel,
    channel::{RecvError, RecvTimeoutError, SendError, SendTimeoutError},
    net::{CodecError, Message},
    select_async,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::{
    Order,
    links::{channel_over, is_pending, pair, settle, soon},
    order,
};

/// As `Order`, and newer.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct NewOrder {
    dish: String,
}

impl Message for NewOrder {
    const NAME: &'static str = "restaurant.Order";
    const VERSION: u32 = 2;
}

#[tokio::test]
async fn values_cross_both_ways_at_once() {
    let (a, b) = pair().await;
    let to_b = a.sender_of::<Order>("orders").unwrap();
    let from_a = b.receiver_of::<Order>("orders").unwrap();
    let to_a = b.sender_of::<Vec8>("plates").unwrap();
    let from_b = a.receiver_of::<Vec8>("plates").unwrap();
    let forth = async {
        for table in 0..50 {
            to_b.send_async(order(table)).await.unwrap();
        }
    };
    let back = async {
        for number in 0..50 {
            to_a.send_async(Vec8(vec![number; 3])).await.unwrap();
        }
    };
    let taken = async {
        for table in 0..50 {
            assert_eq!(from_a.recv_async().await.unwrap(), order(table));
        }
    };
    let taken_back = async {
        for number in 0..50 {
            assert_eq!(from_b.recv_async().await.unwrap().0, vec![number; 3]);
        }
    };
    soon("all", async {
        tokio::join!(forth, back, taken, taken_back)
    })
    .await;
}

#[derive(Debug, Serialize, Deserialize)]
struct Vec8(Vec<u8>);

impl Message for Vec8 {
    const NAME: &'static str = "test.Vec8";
}

/// Whichever end is opened first, both hear both types.
#[tokio::test]
async fn ends_of_different_types_are_refused_with_both_names() {
    let (a, b) = pair().await;
    for (name, receiver_first) in [("early", true), ("late", false)] {
        let (tx, rx);
        if receiver_first {
            rx = b.receiver_of::<NewOrder>(name).unwrap();
            settle(&a, &b).await;
            tx = a.sender_of::<Order>(name).unwrap();
        } else {
            tx = a.sender_of::<Order>(name).unwrap();
            settle(&a, &b).await;
            rx = b.receiver_of::<NewOrder>(name).unwrap();
        }
        let both = "sent as restaurant.Order version 1 and received as restaurant.Order version 2";
        let (sent, received) = soon("both errors", async {
            tokio::join!(tx.send_async(order(4)), rx.recv_async())
        })
        .await;
        let SendError::Poisoned(message, reason) = sent.unwrap_err() else {
            panic!("it was refused")
        };
        assert_eq!(message, order(4));
        assert!(reason.as_str().contains(both), "{reason}");
        let RecvError::Poisoned(reason) = received.unwrap_err() else {
            panic!("it was refused")
        };
        assert!(reason.as_str().contains(both), "{reason}");
        // The link is unharmed, and the name can be used again.
        drop((tx, rx));
        settle(&a, &b).await;
        let tx = a.sender_of::<Order>(name).unwrap();
        let rx = b.receiver_of::<Order>(name).unwrap();
        let exchange = async { tokio::join!(tx.send_async(order(5)), rx.recv_async()) };
        let (sent, received) = soon("a message", exchange).await;
        sent.unwrap();
        assert_eq!(received.unwrap(), order(5));
    }
}

#[tokio::test]
async fn bytes_are_no_other_type() {
    let (a, b) = pair().await;
    let tx = a.sender_of::<Order>("orders").unwrap();
    let rx = b.receiver("orders").unwrap();
    let RecvError::Poisoned(reason) = soon("the refusal", rx.recv_async()).await.unwrap_err()
    else {
        panic!("it was refused")
    };
    assert!(
        reason
            .as_str()
            .contains("sent as restaurant.Order version 1 and received as bytes"),
        "{reason}"
    );
    let error = soon("the refusal", tx.send_async(order(1))).await;
    assert!(matches!(error, Err(SendError::Poisoned(..))));
}

/// It can be made wrong at either side, and panics at 13.
#[derive(Debug, PartialEq)]
struct Fickle(u32);

impl Serialize for Fickle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            7 => Err(ser::Error::custom("seven has no bytes")),
            other => other.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Fickle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            8 => Err(de::Error::custom("eight is none")),
            13 => panic!("thirteen"),
            other => Ok(Self(other)),
        }
    }
}

impl Message for Fickle {
    const NAME: &'static str = "test.Fickle";
}

#[tokio::test]
async fn what_cannot_be_read_goes_back_and_the_channel_lives_on() {
    let (a, b) = pair().await;
    let tx = a.sender_of::<Fickle>("numbers").unwrap();
    let rx = b.receiver_of::<Fickle>("numbers").unwrap();
    let taking = tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok(Fickle(number)) = rx.recv_async().await {
            taken.push(number);
        }
        taken
    });
    for number in [1, 7, 8, 13, 2] {
        let sent = soon("the outcome", tx.send_async(Fickle(number))).await;
        if [7, 8, 13].contains(&number) {
            assert_eq!(sent, Err(SendError::Returned(Fickle(number))));
        } else {
            sent.unwrap();
        }
    }
    drop(tx);
    assert_eq!(soon("the end", taking).await.unwrap(), [1, 2]);
    let here = a.last_unreadable().unwrap();
    assert!(
        here.contains("could not be encoded as test.Fickle version 1"),
        "{here}"
    );
    let there = b.last_unreadable().unwrap();
    assert!(
        there.contains("could not be decoded as test.Fickle version 1"),
        "{there}"
    );
}

/// Claims to be an order, and has the bytes that it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Forged(Bytes);

impl Message for Forged {
    const NAME: &'static str = "restaurant.Order";

    fn encode(&self) -> Result<Bytes, CodecError> {
        Ok(self.0.clone())
    }

    fn decode(bytes: &Bytes) -> Result<Self, CodecError> {
        Ok(Self(bytes.clone()))
    }
}

#[tokio::test]
async fn bytes_that_are_no_order_are_refused_to_their_sender() {
    let (a, b) = pair().await;
    let tx = a.sender_of::<Forged>("orders").unwrap();
    let rx = b.receiver_of::<Order>("orders").unwrap();
    let taking = tokio::spawn(async move { rx.recv_async().await });
    for bad in [
        &b""[..],
        b"\xff\xff\xff\xff\x0f",
        b"\x04so",
        b"\x04soup",
        b"\x04soup\x04more",
        b"\x02\xff\xff\x01",
    ] {
        let forged = Forged(Bytes::from_static(bad));
        let sent = soon("the outcome", tx.send_async(forged.clone())).await;
        assert_eq!(sent, Err(SendError::Returned(forged)), "{bad:?}");
    }
    let good = Forged(order(4).encode().unwrap());
    soon("the outcome", tx.send_async(good)).await.unwrap();
    assert_eq!(soon("the order", taking).await.unwrap(), Ok(order(4)));
}

/// What a typed channel does under select, custody, timeouts and poison, it does as one of bytes.
#[tokio::test]
async fn a_typed_channel_keeps_the_promises_of_a_channel() {
    let (a, b) = pair().await;
    let tx = a.sender_of::<Order>("orders").unwrap();
    let rx = b.receiver_of::<Order>("orders").unwrap();
    // Nobody waits: it is the sender's again.
    let late = tx.send_timeout_async(order(1), std::time::Duration::from_millis(5));
    assert_eq!(
        soon("the timeout", late).await,
        Err(SendTimeoutError::Timeout(order(1)))
    );
    let late = rx.recv_timeout_async(std::time::Duration::from_millis(5));
    assert_eq!(
        soon("the timeout", late).await,
        Err(RecvTimeoutError::Timeout)
    );
    // Custody: the sender waits for the answer.
    let mut send = Box::pin(tx.send_async(order(2)));
    assert!(is_pending(&mut send).await);
    let held = soon("the order", rx.recv_held_async()).await.unwrap();
    assert_eq!(*held, order(2));
    settle(&a, &b).await;
    assert!(is_pending(&mut send).await);
    assert_eq!(held.release(), order(2));
    soon("the answer", send).await.unwrap();
    let mut send = Box::pin(tx.send_async(order(3)));
    assert!(is_pending(&mut send).await);
    let held = soon("the order", rx.recv_held_async()).await.unwrap();
    held.hand_back().unwrap();
    assert_eq!(
        soon("the answer", send).await,
        Err(SendError::Returned(order(3)))
    );
    // A select on both sides.
    let (_other, from_other) = channel::<u32>();
    let choosing = tokio::spawn(async move {
        let taken = select_async! {
            recv(rx) -> taken => taken.unwrap(),
            recv(from_other) -> _ => panic!("nobody sends here"),
        };
        (taken, rx)
    });
    let mut home = Some(order(4));
    soon("the choice", async {
        select_async! {
            send(tx, &mut home) -> sent => sent.unwrap(),
            after(std::time::Duration::from_secs(20)) => panic!("it waits"),
        }
    })
    .await;
    let (taken, rx) = soon("the choice", choosing).await.unwrap();
    assert_eq!((taken, home), (order(4), None));
    // Poison crosses, and so does the end.
    rx.poison("the kitchen is closed");
    let error = soon("the poison", tx.send_async(order(5)))
        .await
        .unwrap_err();
    let closed = "the kitchen is closed".into();
    assert_eq!(error, SendError::Poisoned(order(5), closed));
    let tx = a.sender_of::<Order>("others").unwrap();
    let rx = b.receiver_of::<Order>("others").unwrap();
    drop(tx);
    assert_eq!(
        soon("the end", rx.recv_async()).await,
        Err(RecvError::Disconnected)
    );
}

#[tokio::test]
async fn bytes_cross_as_they_did() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let exchange = async { tokio::join!(tx.send_async(Bytes::from_static(b"x")), rx.recv_async()) };
    let (sent, received) = soon("a message", exchange).await;
    sent.unwrap();
    assert_eq!(received.unwrap(), "x");
}
