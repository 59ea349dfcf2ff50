//! Credit and poison, under the same eyes.

use super::{super::SendTimeoutError, *};

#[test]
fn poison_races_with_those_who_wait() {
    for _ in 0..ROUNDS {
        let (tx, rx) = channel::<Message>();
        thread::scope(|scope| {
            let sending = scope.spawn(|| tx.send(Box::new(1)));
            let task = scope.spawn(|| block_on(tx.send_async(Box::new(2))));
            let receiving = scope.spawn(|| block_on(rx.recv_async()));
            rx.poison("the end");
            let sent = [sending.join().unwrap(), task.join().unwrap()];
            let met = sent.iter().filter(|sent| sent.is_ok()).count();
            assert_eq!(met, usize::from(receiving.join().unwrap().is_ok()));
            for (sent, number) in sent.into_iter().zip(1..) {
                if let Err(error) = sent {
                    assert_eq!(error.into_inner(), Box::new(number));
                }
            }
        });
    }
}

#[test]
fn credit_races_with_takes_and_with_going() {
    for round in 0..ROUNDS {
        let (tx, rx) = channel::<Message>();
        thread::scope(|scope| {
            let granter = rx.clone();
            let granting = scope.spawn(move || {
                granter.grant(2);
                granter.revoke(1);
            });
            let sending = scope.spawn(|| {
                tx.send_timeout(Box::new(1), Duration::from_millis(1))
                    .map_err(SendTimeoutError::into_inner)
            });
            let taken = if round % 2 == 0 {
                rx.try_recv().ok()
            } else {
                poll_ready(pin!(rx.recv_async()))
            };
            granting.join().unwrap();
            let mut left: Vec<Message> = rx.into_remaining().collect();
            left.extend(taken);
            left.extend(sending.join().unwrap().err());
            left.extend(tx.take_remaining());
            assert_eq!(left, [Box::new(1)]);
        });
    }
}

fn poll_ready<T>(receive: Pin<&mut impl Future<Output = Result<T, RecvError>>>) -> Option<T> {
    match poll_once(receive) {
        Poll::Ready(received) => received.ok(),
        Poll::Pending => None,
    }
}

#[test]
fn messages_within_credit_may_be_held_and_handed_back_and_dropped_with_the_channel() {
    let (tx, rx) = channel::<Message>();
    rx.grant(4);
    for number in 0..4 {
        tx.send(Box::new(number)).unwrap();
    }
    let first = rx.recv_held().unwrap();
    let second = rx.recv_held().unwrap();
    let third = rx.recv_held().unwrap();
    assert_eq!(second.release(), Box::new(1));
    assert_eq!(third.in_doubt(), Err(Box::new(2)));
    drop(first);
    assert_eq!(rx.recv(), Ok(Box::new(0)));
    drop(rx);
    drop(tx); // the last message goes with the channel
}
