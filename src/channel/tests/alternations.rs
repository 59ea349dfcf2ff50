//! Alternations, under the same eyes: their waiters and the party that they share stand on stacks and in futures too.

use super::{super::Select, *};
use crate::{select, select_async};

/// What an alternation received, or `None` if what it offered was taken.
type Exchanged = Option<u32>;

fn exchange_as_thread(tx: &Sender<Message>, rx: &Receiver<Message>, own: u32) -> Exchanged {
    select! {
        send(tx, &mut Some(Box::new(own))) -> sent => { sent.unwrap(); None }
        recv(rx) -> message => Some(*message.unwrap()),
    }
}

fn exchange_as_task(tx: &Sender<Message>, rx: &Receiver<Message>, own: u32) -> Exchanged {
    block_on(async {
        select_async! {
            send(tx, &mut Some(Box::new(own))) -> sent => { sent.unwrap(); None }
            recv(rx) -> message => Some(*message.unwrap()),
        }
    })
}

fn exchange_known_at_run_time(tx: &Sender<Message>, rx: &Receiver<Message>, own: u32) -> Exchanged {
    let mut home = Some(Box::new(own));
    Select::new()
        .send(tx, &mut home, |sent| {
            sent.unwrap();
            None
        })
        .recv(rx, |message| Some(*message.unwrap()))
        .block()
}

fn exchange_known_at_run_time_as_task(
    tx: &Sender<Message>,
    rx: &Receiver<Message>,
    own: u32,
) -> Exchanged {
    let mut home = Some(Box::new(own));
    block_on(
        Select::new()
            .send(tx, &mut home, |sent| {
                sent.unwrap();
                None
            })
            .recv(rx, |message| Some(*message.unwrap()))
            .wait(),
    )
}

type ExchangeBy = fn(&Sender<Message>, &Receiver<Message>, u32) -> Exchanged;
const EXCHANGES: [ExchangeBy; 4] = [
    exchange_as_thread,
    exchange_as_task,
    exchange_known_at_run_time,
    exchange_known_at_run_time_as_task,
];

#[test]
fn alternations_of_every_kind_that_face_each_other_meet_once() {
    for here in EXCHANGES {
        for there in EXCHANGES {
            let (a, from_a) = channel();
            let (b, from_b) = channel();
            thread::scope(|scope| {
                let other = scope.spawn(|| there(&b, &from_a, 2));
                match (here(&a, &from_b, 1), other.join().unwrap()) {
                    (None, Some(1)) | (Some(2), None) => {}
                    odd => panic!("{odd:?}"),
                }
            });
        }
    }
}

#[test]
fn alternations_on_both_sides_of_one_channel_share_its_lock_and_meet() {
    for here in EXCHANGES {
        for there in EXCHANGES {
            let (tx, rx) = channel();
            thread::scope(|scope| {
                let other = scope.spawn(|| there(&tx, &rx, 2));
                match (here(&tx, &rx, 1), other.join().unwrap()) {
                    (None, Some(1)) | (Some(2), None) => {}
                    odd => panic!("{odd:?}"),
                }
            });
        }
    }
}

/// One channel twice, in both orders of locking, with a guard between them that is switched off, and another channel.
async fn receive_from_either(first: &Receiver<Message>, second: &Receiver<Message>) -> u32 {
    let (never, from_never) = channel::<Message>();
    let message = select_async! {
        recv(first) -> message => message,
        recv(from_never) -> message, if false => message,
        recv(second) -> message => message,
        recv(first) -> message => message,
    };
    drop(never);
    *message.unwrap()
}

fn receive_from_either_as_thread(first: &Receiver<Message>, second: &Receiver<Message>) -> u32 {
    let message = select! {
        recv(first) -> message => message,
        recv(first) -> message, if false => message,
        recv(second) -> message => message,
        recv(first) -> message => message,
    };
    *message.unwrap()
}

#[test]
fn an_alternation_that_only_receives_takes_each_message_once() {
    for round in 0..ROUNDS {
        for receive in [
            |a: &Receiver<Message>, b: &Receiver<Message>| block_on(receive_from_either(a, b)),
            receive_from_either_as_thread,
        ] {
            let (a, from_a) = channel();
            let (b, from_b) = channel();
            thread::scope(|scope| {
                for (tx, number) in [(&a, 1), (&a, 2), (&b, 4)] {
                    let send = SENDS[round as usize % 2];
                    scope.spawn(move || send(tx, Box::new(number)).unwrap());
                }
                let sum: u32 = (0..3).map(|_| receive(&from_a, &from_b)).sum();
                assert_eq!(sum, 7);
            });
        }
    }
}

#[test]
fn an_alternation_that_only_receives_may_change_its_waker_and_be_dropped_while_senders_come() {
    for _ in 0..ROUNDS {
        let (a, from_a) = channel();
        let (b, from_b) = channel();
        thread::scope(|scope| {
            let sending = [(&a, 1), (&b, 2)]
                .map(|(tx, number)| scope.spawn(move || tx.send(Box::new(number))));
            let mut alternation = Box::pin(receive_from_either(&from_a, &from_b));
            let mut taken = 0;
            for _ in 0..3 {
                if let Poll::Ready(number) = poll_once(alternation.as_mut()) {
                    taken = number;
                    break;
                }
            }
            drop(alternation);
            if taken != 1 {
                assert_eq!(block_on(from_a.recv_async()), Ok(Box::new(1)));
            }
            if taken != 2 {
                assert_eq!(from_b.recv(), Ok(Box::new(2)));
            }
            for sending in sending {
                sending.join().unwrap().unwrap();
            }
        });
    }
}

#[test]
fn a_dropped_alternation_that_races_with_a_claim_has_its_message_or_has_sent_it() {
    for round in 0..ROUNDS {
        let (a, from_a) = channel();
        let (_b, from_b) = channel::<Message>();
        thread::scope(|scope| {
            let taking = scope.spawn(move || {
                let moment = Duration::from_micros(u64::from(round % 3) * 20);
                from_a.recv_timeout(moment).ok()
            });
            let mut home = Some(Box::new(7));
            let mut alternation = Box::pin(async {
                select_async! {
                    send(a, &mut home) -> sent => sent.is_ok(),
                    recv(from_b) -> _ => unreachable!("nobody sends"),
                }
            });
            if poll_once(alternation.as_mut()).is_pending() {
                thread::yield_now();
                let _ = poll_once(alternation.as_mut());
            }
            drop(alternation);
            assert_ne!(home.is_some(), taking.join().unwrap().is_some());
        });
    }
}

#[test]
fn an_alternation_whose_message_is_held_ends_as_its_acceptor_says() {
    for drops in [false, true] {
        let (a, from_a) = channel();
        let (_b, from_b) = channel::<Message>();
        let mut home = Some(Box::new(7));
        let mut alternation = Box::pin(async {
            select_async! {
                recv(from_b) -> _ => unreachable!("nobody sends"),
                send(a, &mut home) -> sent => sent,
            }
        });
        assert!(poll_once(alternation.as_mut()).is_pending());
        let held = from_a.recv_held().unwrap();
        assert!(poll_once(alternation.as_mut()).is_pending());
        if drops {
            drop(alternation);
            assert_eq!(held.hand_back(), Err(Box::new(7)));
            assert_eq!(home, None);
        } else {
            held.hand_back().unwrap();
            let outcome = poll_once(alternation.as_mut());
            assert_eq!(outcome, Poll::Ready(Err(SendError::Returned(()))));
            drop(alternation);
            assert_eq!(home, Some(Box::new(7)));
        }
    }
}

#[test]
fn an_alternation_with_a_timer_races_with_a_meeting() {
    for round in 0..ROUNDS {
        let (tx, rx) = channel();
        let moment = Duration::from_micros(u64::from(round % 3) * 20);
        thread::scope(|scope| {
            let sending = scope.spawn(move || {
                let mut home = Some(Box::new(7));
                select! {
                    send(tx, &mut home) -> _ => {},
                    after(moment) => {},
                }
                home
            });
            let received = if round % 2 == 0 {
                select! { recv(rx) -> message => message.ok(), after(moment) => None }
            } else {
                Select::new()
                    .recv(&rx, Result::ok)
                    .block_timeout(moment)
                    .flatten()
            };
            drop(rx);
            assert_ne!(received.is_some(), sending.join().unwrap().is_some());
        });
    }
}

#[test]
fn an_alternation_hears_of_credit_and_of_poison() {
    for exchange in EXCHANGES {
        let (a, from_a) = channel();
        let (b, from_b) = channel::<Message>();
        thread::scope(|scope| {
            let sending = scope.spawn(|| exchange(&a, &from_b, 7));
            from_a.grant(1);
            assert_eq!(sending.join().unwrap(), None);
            assert_eq!(from_a.recv(), Ok(Box::new(7)));
        });
        thread::scope(|scope| {
            let receiving = scope.spawn(|| {
                block_on(async {
                    select_async! {
                        recv(from_a) -> message => message,
                        recv(from_b) -> message => message,
                    }
                })
            });
            b.poison("the end");
            let poisoned = RecvError::Poisoned("the end".into());
            assert_eq!(receiving.join().unwrap(), Err(poisoned));
        });
    }
}
