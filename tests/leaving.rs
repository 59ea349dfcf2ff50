//! An end can wait for the other side to go, without taking part in any hand-over.
#![allow(clippy::unwrap_used)]

use std::{pin::pin, time::Duration};

use futures_util::{FutureExt, poll};
use handover::channel::{TryRecvError, channel};

#[tokio::test]
async fn the_last_receiver_s_going_is_heard_and_no_other_s() {
    let (tx, rx) = channel::<u8>();
    let other = rx.clone();
    let mut closed = pin!(tx.closed_async());
    assert!(poll!(&mut closed).is_pending());
    drop(rx);
    assert!(poll!(&mut closed).is_pending());
    let waiting = tokio::spawn(async move { drop(other) });
    tokio::time::timeout(Duration::from_secs(10), closed)
        .await
        .unwrap();
    waiting.await.unwrap();
    assert!(tx.closed_async().now_or_never().is_some(), "it stays so");
}

#[tokio::test]
async fn the_last_sender_s_going_is_heard_and_the_wait_is_no_demand() {
    let (tx, rx) = channel::<u8>();
    let mut closed = pin!(rx.closed_async());
    assert!(poll!(&mut closed).is_pending());
    assert!(!tx.is_ready(), "nobody waits for a message");
    let mut send = Box::pin(tx.send_async(1));
    assert!(poll!(&mut send).is_pending());
    assert!(poll!(&mut closed).is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
    assert!(poll!(&mut send).is_ready());
    drop(send);
    drop(tx);
    assert!(poll!(&mut closed).is_ready());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
}

#[tokio::test]
async fn a_wait_that_is_given_up_leaves_nothing_behind() {
    let (tx, rx) = channel::<u8>();
    {
        let mut closed = pin!(tx.closed_async());
        assert!(poll!(&mut closed).is_pending());
    }
    drop(rx);
    assert!(tx.is_disconnected());
}
