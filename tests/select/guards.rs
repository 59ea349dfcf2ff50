//! What each kind of guard does, alone and beside others.

use std::{
    pin::pin,
    thread,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use handover::{channel, channel::SendError, select, select_async};

use crate::LONG;

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
    assert!(received.is_err());
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

/// A receiver that comes while the alternation waits meets the guards in their order too.
#[test]
fn of_two_guards_that_wait_on_one_channel_the_first_is_met() {
    let (tx, rx) = channel();
    let (mut first, mut second) = (Some(1), Some(2));
    {
        let mut task = pin!(async {
            select_async! {
                biased;
                send(tx, &mut first) -> sent => sent,
                send(tx, &mut second) -> sent => sent,
            }
        });
        assert!(task.as_mut().now_or_never().is_none());
        assert_eq!(rx.try_recv(), Ok(1));
        assert_eq!(task.now_or_never(), Some(Ok(())));
    }
    assert_eq!((first, second), (None, Some(2)));
}
