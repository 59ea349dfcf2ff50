//! `select!`: exactly one guard meets, the others have no effect, and no message is lost.

#![allow(clippy::unwrap_used)]
// The macro takes a few steps for each guard.
#![recursion_limit = "512"]

use std::{
    thread,
    time::{Duration, Instant},
};

use handover::{
    Receiver, Sender, channel,
    channel::{RecvError, SendError},
    select, select_async,
};

/// A deadline that is never reached unless something is wrong.
const LONG: Duration = Duration::from_mins(1);

fn on_one_thread<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_receive_guard_takes_what_a_blocked_sender_has() {
    let (tx, rx) = channel::<u32>();
    let (_idle, nothing) = channel::<u32>();
    let sender = thread::spawn(move || tx.send(7));
    let received = select! {
        recv(nothing) -> message => message,
        recv(rx) -> message => message,
    };
    assert_eq!(received, Ok(7));
    assert_eq!(sender.join().unwrap(), Ok(()));
}

#[test]
fn a_send_guard_gives_to_a_blocked_receiver() {
    let (tx, rx) = channel::<String>();
    let receiver = thread::spawn(move || rx.recv());
    let mut home = Some("unit".to_owned());
    select! { send(tx, &mut home) -> sent => sent.unwrap() }
    assert_eq!(home, None);
    assert_eq!(receiver.join().unwrap(), Ok("unit".to_owned()));
}

#[test]
fn a_losing_send_still_has_its_message() {
    let (tx, _rx) = channel::<String>();
    let (other, from_other) = channel::<u32>();
    let sender = thread::spawn(move || other.send(1));
    let mut home = Some("unit".to_owned());
    select! {
        send(tx, &mut home) -> _ => panic!("nobody receives here"),
        recv(from_other) -> message => assert_eq!(message, Ok(1)),
    }
    assert_eq!(home.as_deref(), Some("unit"));
    sender.join().unwrap().unwrap();
}

#[test]
fn a_failed_send_brings_its_message_home_before_its_body_runs() {
    let (tx, rx) = channel::<u32>();
    drop(rx);
    let mut home = Some(3);
    select! {
        send(tx, &mut home) -> sent => {
            assert_eq!(sent, Err(SendError::Disconnected(())));
            assert_eq!(home, Some(3));
        }
    }
}

#[test]
fn a_receive_guard_meets_the_end_of_its_channel() {
    let (tx, rx) = channel::<u32>();
    let (_idle, nothing) = channel::<u32>();
    let closing = thread::spawn(move || drop(tx));
    let received = select! {
        recv(nothing) -> message => message,
        recv(rx) -> message => message,
    };
    assert_eq!(received, Err(RecvError));
    closing.join().unwrap();
}

#[test]
fn default_is_taken_if_no_guard_can_meet_now() {
    let (tx, rx) = channel::<u32>();
    let mut home = Some(3);
    let taken = select! {
        recv(rx) -> message => message.ok(),
        send(tx, &mut home) -> _ => None,
        default => Some(9),
    };
    assert_eq!((taken, home), (Some(9), Some(3)));
}

#[test]
fn after_is_taken_if_no_guard_meets_in_time() {
    let (tx, rx) = channel::<u32>();
    let begun = Instant::now();
    let mut home = Some(3);
    let taken = select! {
        recv(rx) -> message => message.ok(),
        send(tx, &mut home) -> _ => None,
        after(Duration::from_millis(20)) => Some(8),
    };
    assert!(begun.elapsed() >= Duration::from_millis(20));
    assert_eq!((taken, home), (Some(8), Some(3)));
}

#[test]
fn a_guard_that_is_switched_off_takes_no_part() {
    let (tx, rx) = channel::<u32>();
    let (other, from_other) = channel::<u32>();
    let senders = [
        thread::spawn(move || tx.send(1)),
        thread::spawn(move || other.send(2)),
    ];
    let received = select! {
        recv(rx) -> message, if false => message,
        recv(from_other) -> message, if true => message,
    };
    assert_eq!(received, Ok(2));
    assert_eq!(rx.recv(), Ok(1));
    for sender in senders {
        sender.join().unwrap().unwrap();
    }
}

#[test]
fn a_send_guard_with_nothing_at_home_is_switched_off() {
    let (tx, rx) = channel::<u32>();
    let receiver = thread::spawn(move || rx.recv_timeout(LONG));
    let mut nothing = None;
    select! {
        send(tx, &mut nothing) -> _ => panic!("there is nothing to send"),
        default => {}
    }
    tx.send(4).unwrap();
    assert_eq!(receiver.join().unwrap(), Ok(4));
}

#[test]
fn biased_takes_the_first_that_can_meet_and_fair_does_not() {
    const ROUNDS: u32 = 1_000;
    let (first, from_first) = channel::<u32>();
    let (second, from_second) = channel::<u32>();
    let mut taken = [0_u32; 2];
    on_one_thread(async {
        for biased in [true, false] {
            for _ in 0..ROUNDS {
                let mut offers = (
                    Box::pin(first.send_async(0)),
                    Box::pin(second.send_async(1)),
                );
                assert!(futures_util::poll!(&mut offers.0).is_pending());
                assert!(futures_util::poll!(&mut offers.1).is_pending());
                let which = if biased {
                    select_async! {
                        biased;
                        recv(from_first) -> message => message,
                        recv(from_second) -> message => message,
                    }
                } else {
                    select_async! {
                        recv(from_first) -> message => message,
                        recv(from_second) -> message => message,
                    }
                };
                taken[which.unwrap() as usize] += 1;
            }
            if biased {
                assert_eq!(taken, [ROUNDS, 0]);
                taken = [0, 0];
            }
        }
    });
    // Each has the chance 1/2: 1,000 rounds stay within 8 standard deviations (16 each) of 500.
    assert!(
        taken.iter().all(|count| (372..=628).contains(count)),
        "{taken:?}"
    );
}

#[test]
fn facing_alternations_meet_exactly_once() {
    for _ in 0..2_000 {
        let (a, from_a) = channel::<u32>();
        let (b, from_b) = channel::<u32>();
        let exchange = |tx: Sender<u32>, rx: Receiver<u32>, own| {
            let mut home = Some(own);
            let received = select! {
                send(tx, &mut home) -> sent => { sent.unwrap(); None }
                recv(rx) -> message => message.ok(),
            };
            (received, home)
        };
        let other = thread::spawn(move || exchange(b, from_a, 2));
        match (exchange(a, from_b, 1), other.join().unwrap()) {
            ((None, None), (Some(1), Some(2))) | ((Some(2), Some(1)), (None, None)) => {}
            odd => panic!("{odd:?}"),
        }
    }
}

#[test]
fn a_channel_may_stand_in_several_guards_and_does_not_meet_itself() {
    let (tx, rx) = channel::<u32>();
    let also_rx = rx.clone();
    let receiver = thread::spawn(move || also_rx.recv());
    let mut home = Some(1);
    select! {
        recv(rx) -> message => panic!("{message:?}"),
        recv(rx) -> message => panic!("{message:?}"),
        send(tx, &mut home) -> sent => sent.unwrap(),
    }
    assert_eq!(receiver.join().unwrap(), Ok(1));
}

/// Each member of a ring sends to the next and receives from the one before, whatever comes first.
#[test]
fn a_ring_of_alternations_moves_on() {
    const MEMBERS: usize = 4;
    const TURNS: usize = 2_000;
    let ends: Vec<_> = (0..MEMBERS).map(|_| channel::<usize>()).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let members: Vec<_> = (0..MEMBERS)
        .map(|member| {
            let tx = ends[member].0.clone();
            let rx = ends[(member + 1) % MEMBERS].1.clone();
            runtime.spawn(async move {
                let (mut sent, mut received, mut home) = (0, 0, Some(member));
                while sent < TURNS || received < TURNS {
                    select_async! {
                        send(tx, &mut home) -> result, if sent < TURNS => {
                            result.unwrap();
                            sent += 1;
                            home = Some(member);
                        }
                        recv(rx) -> message, if received < TURNS => {
                            message.unwrap();
                            received += 1;
                        }
                    }
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for member in members {
            tokio::time::timeout(LONG, member).await.unwrap().unwrap();
        }
    });
}

#[test]
fn threads_and_tasks_share_alternations_and_each_message_is_taken_once() {
    const MESSAGES: u64 = 10_000;
    let (left, from_left) = channel::<u64>();
    let (right, from_right) = channel::<u64>();
    let senders: Vec<_> = (0..2)
        .map(|_| {
            let (left, right) = (left.clone(), right.clone());
            thread::spawn(move || {
                for number in 0..MESSAGES {
                    let (mut one, mut other) = (Some(number), Some(number));
                    select! {
                        send(left, &mut one) -> sent => sent.unwrap(),
                        send(right, &mut other) -> sent => sent.unwrap(),
                    }
                    assert!(one.is_some() != other.is_some(), "exactly one was sent");
                }
            })
        })
        .collect();
    drop((left, right));
    let (also_left, also_right) = (from_left.clone(), from_right.clone());
    let receiver = thread::spawn(move || {
        let (mut sum, mut open) = (0, (true, true));
        while open.0 || open.1 {
            select! {
                recv(also_left) -> message, if open.0 => match message {
                    Ok(number) => sum += number,
                    Err(RecvError) => open.0 = false,
                },
                recv(also_right) -> message, if open.1 => match message {
                    Ok(number) => sum += number,
                    Err(RecvError) => open.1 = false,
                },
            }
        }
        sum
    });
    let here = on_one_thread(async {
        let (mut sum, mut open) = (0, (true, true));
        while open.0 || open.1 {
            select_async! {
                recv(from_left) -> message, if open.0 => match message {
                    Ok(number) => sum += number,
                    Err(RecvError) => open.0 = false,
                },
                recv(from_right) -> message, if open.1 => match message {
                    Ok(number) => sum += number,
                    Err(RecvError) => open.1 = false,
                },
            }
        }
        sum
    });
    for sender in senders {
        sender.join().unwrap();
    }
    assert_eq!(here + receiver.join().unwrap(), MESSAGES * (MESSAGES - 1));
}

#[test]
fn an_alternation_that_is_dropped_has_taken_nothing_and_has_its_messages_back() {
    let (tx, rx) = channel::<u32>();
    let (other, from_other) = channel::<u32>();
    let mut home = Some(5);
    on_one_thread(async {
        {
            let mut alternation = std::pin::pin!(async {
                select_async! {
                    send(tx, &mut home) -> _ => {}
                    recv(from_other) -> _ => {}
                }
            });
            assert!(futures_util::poll!(alternation.as_mut()).is_pending());
        }
        assert_eq!(home, Some(5));
        let mut offer = std::pin::pin!(other.send_async(6));
        assert!(futures_util::poll!(offer.as_mut()).is_pending());
        assert_eq!(from_other.recv_async().await, Ok(6));
        assert!(rx.try_recv().is_err(), "the offer was withdrawn");
    });
}

/// As many guards as the macro must take at least.
#[test]
fn sixty_four_guards_fit() {
    let (tx, rx) = channel::<u32>();
    let (_idle, no) = channel::<u32>();
    let sender = thread::spawn(move || tx.send(64));
    macro_rules! with_63_more {
        ($($guard:ident)+) => {
            select! {
                $(recv($guard) -> message => message,)+
                recv(rx) -> message => message,
            }
        };
    }
    let received = with_63_more!(
        no no no no no no no no no no no no no no no no no no no no no
        no no no no no no no no no no no no no no no no no no no no no
        no no no no no no no no no no no no no no no no no no no no no
    );
    assert_eq!(received, Ok(64));
    sender.join().unwrap().unwrap();
}
