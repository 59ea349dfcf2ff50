//! `Select`: a number of channels that is known only at run time.

use std::{thread, time::Instant};

use handover::{
    channel,
    channel::{Select, SendError},
};

use crate::{LONG, on_one_thread};

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
