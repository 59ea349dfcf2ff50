//! `select!`: exactly one guard meets, the others have no effect, and no message is lost.

#![allow(clippy::unwrap_used)]

use std::{
    thread,
    time::{Duration, Instant},
};

use handover::{
    Receiver, Sender, channel,
    channel::{RecvError, Select, SendError},
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
    assert_eq!(received, Err(RecvError::Disconnected));
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

#[test]
fn the_channels_may_be_known_at_run_time_only() {
    const CHANNELS: usize = 200;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..CHANNELS).map(|_| channel::<usize>()).unzip();
    let sending: Vec<_> = senders
        .into_iter()
        .enumerate()
        .map(|(index, sender)| thread::spawn(move || sender.send(index)))
        .collect();
    let mut open: Vec<_> = receivers.iter().enumerate().collect();
    let mut received = Vec::new();
    while !open.is_empty() {
        let mut select = Select::new();
        for &(index, receiver) in &open {
            select = select.recv(receiver, move |message| (index, message));
        }
        let (index, message) = select.block_timeout(LONG).unwrap();
        match message {
            Ok(message) => {
                assert_eq!(message, index);
                received.push(index);
            }
            Err(_) => open.retain(|(other, _)| *other != index),
        }
    }
    received.sort_unstable();
    assert!(received.into_iter().eq(0..CHANNELS));
    for sender in sending {
        assert_eq!(sender.join().unwrap(), Ok(()));
    }
}

#[test]
fn of_a_run_time_number_of_sends_one_goes_and_the_others_stay_home() {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..5).map(|_| channel::<String>()).unzip();
    let mut homes: Vec<_> = (0..5).map(|index| Some(index.to_string())).collect();
    let receiver = receivers[3].clone();
    let receiving = thread::spawn(move || receiver.recv());
    let mut select = Select::new();
    for (index, (sender, home)) in senders.iter().zip(&mut homes).enumerate() {
        select = select.send(sender, home, move |sent| (index, sent));
    }
    assert_eq!(select.block(), (3, Ok(())));
    assert_eq!(receiving.join().unwrap(), Ok("3".to_owned()));
    let left: Vec<_> = homes.iter().flatten().map(String::as_str).collect();
    assert_eq!(left, ["0", "1", "2", "4"]);
}

#[test]
fn a_select_that_does_not_meet_in_time_has_its_messages_home() {
    let (tx, rx) = channel::<u32>();
    let mut home = Some(3);
    let now = Select::new().send(&tx, &mut home, |_| ()).now();
    assert_eq!((now, home), (None, Some(3)));
    let late = Select::new()
        .recv(&rx, |_| ())
        .send(&tx, &mut home, |_| ())
        .block_deadline(Instant::now());
    assert_eq!((late, home), (None, Some(3)));
}

#[test]
fn a_failed_send_is_home_before_what_follows_runs() {
    let (tx, rx) = channel::<u32>();
    drop(rx);
    let mut home = Some(3);
    let sent = Select::new().send(&tx, &mut home, |sent| sent).block();
    assert_eq!(sent, Err(SendError::Disconnected(())));
    assert_eq!(home, Some(3));
}

#[test]
fn a_biased_select_prefers_what_was_added_first() {
    for _ in 0..20 {
        let (gone, first) = channel::<u32>();
        let (gone_too, second) = channel::<u32>();
        drop((gone, gone_too));
        let met = Select::new()
            .biased()
            .recv(&first, |_| 1)
            .recv(&second, |_| 2)
            .now();
        assert_eq!(met, Some(1));
    }
}

#[test]
fn only_the_closure_of_the_guard_that_met_runs_and_outside_of_all_locks() {
    let (tx, rx) = channel::<u32>();
    let (_idle, nothing) = channel::<u32>();
    let sending = {
        let tx = tx.clone();
        thread::spawn(move || tx.send(1))
    };
    let again = rx.clone();
    let tried = Select::new()
        .recv(&nothing, |_| unreachable!("nobody sends here"))
        .recv(&rx, move |first| (first, again.try_recv().is_err()))
        .block();
    assert_eq!(tried, (Ok(1), true));
    sending.join().unwrap().unwrap();
}

#[test]
fn selects_known_at_run_time_face_each_other_as_tasks_and_threads() {
    const ROUNDS: u32 = 500;
    let (up, up_in) = channel::<u32>();
    let (down, down_in) = channel::<u32>();
    let other_side = thread::spawn(move || {
        let mut taken = 0;
        for round in 0..ROUNDS {
            let mut home = Some(round);
            taken += Select::new()
                .send(&down, &mut home, |sent| sent.map_or(0, |()| 0))
                .recv(&up_in, |message| message.map_or(0, |_| 1))
                .block();
        }
        taken
    });
    let (sent, received) = on_one_thread(async {
        let (mut sent, mut received) = (0, 0);
        for round in 0..ROUNDS {
            let mut home = Some(round);
            let was_sent = Select::new()
                .recv(&down_in, |message| message.map(|_| false).unwrap())
                .send(&up, &mut home, |outcome| outcome.map(|()| true).unwrap())
                .wait()
                .await;
            assert_eq!(home.is_none(), was_sent);
            if was_sent {
                sent += 1;
            } else {
                received += 1;
            }
        }
        (sent, received)
    });
    assert_eq!(sent + received, ROUNDS);
    assert_eq!(other_side.join().unwrap(), sent);
}

#[test]
fn a_waiting_select_may_move_between_threads_and_be_dropped() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let (tx, _rx) = channel::<String>();
    let mut home = Some("unit".to_owned());
    {
        let mut waiting = Box::pin(is_send(
            Select::new()
                .send(&tx, &mut home, |sent| sent.is_ok())
                .wait(),
        ));
        on_one_thread(async {
            assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        });
    }
    assert_eq!(home.as_deref(), Some("unit"));
}
