//! Alternations against each other, and against themselves.

use std::thread;

use handover::{Receiver, Sender, channel, select, select_async};

use crate::{LONG, on_one_thread};

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
                    Err(_) => open.0 = false,
                },
                recv(also_right) -> message, if open.1 => match message {
                    Ok(number) => sum += number,
                    Err(_) => open.1 = false,
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
                    Err(_) => open.0 = false,
                },
                recv(from_right) -> message, if open.1 => match message {
                    Ok(number) => sum += number,
                    Err(_) => open.1 = false,
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
