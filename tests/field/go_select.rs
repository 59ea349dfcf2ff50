//! What Go's `test/chan` checks of `select`. A nil channel is here a guard that is switched off.

use std::{cell::RefCell, thread, time::Duration};

use handover::{Receiver, Sender, channel, channel::Select, select};

use crate::{
    blocked_in_recv, blocked_in_send,
    stage::{SHORT, Scripted, Tally, join, until},
};

/// How long a guard may take that is met at once.
const LONG: Duration = Duration::from_mins(1);

/// Whether the alternation blocks: whether none of its guards met within a short time.
macro_rules! blocks {
    ($($guards:tt)*) => {
        select! {
            $($guards)*
            after(SHORT) => true,
        }
    };
}

#[test]
fn a_guard_that_is_switched_off_is_never_met() {
    let (tx, rx) = channel::<u32>();
    let mut seven = Some(7);
    let waiting = blocked_in_send(&rx, {
        let tx = tx.clone();
        move || tx.send(1)
    });
    select! {
        recv(rx) -> _, if false => panic!("it is switched off"),
        default => {}
    }
    assert!(blocks! { recv(rx) -> _, if false => false, });
    assert_eq!(rx.recv().unwrap(), 1);
    join(waiting).unwrap();

    let waiting = blocked_in_recv(&tx, move || rx.recv());
    select! {
        send(tx, &mut seven) -> _, if false => panic!("it is switched off"),
        default => {}
    }
    assert!(blocks! { send(tx, &mut seven) -> _, if false => false, });
    assert_eq!(seven, Some(7));
    tx.send(2).unwrap();
    assert_eq!(join(waiting).unwrap(), 2);
}

#[test]
fn a_select_without_a_guard_that_is_switched_on_blocks() {
    let (tx, rx) = channel::<u32>();
    let mut nothing = None;
    assert!(blocks! {});
    assert!(blocks! { recv(rx) -> _, if false => false, });
    assert!(blocks! { send(tx, &mut nothing) -> _ => false, });
    assert!(blocks! {
        recv(rx) -> _, if false => false,
        send(tx, &mut nothing) -> _ => false,
    });
    assert_eq!(Select::<()>::new().block_timeout(SHORT), None);
}

#[test]
fn a_select_with_a_guard_that_nobody_meets_blocks() {
    let (tx, rx) = channel::<u32>();
    let mut seven = Some(7);
    assert!(blocks! { recv(rx) -> _ => false, });
    assert!(blocks! { send(tx, &mut seven) -> _ => false, });
    assert_eq!(seven, Some(7));
}

/// Without the `tx` and `rx` of one alternation meeting each other.
#[test]
fn a_select_does_not_meet_itself() {
    let (tx, rx) = channel::<u32>();
    let mut one = Some(1);
    assert!(blocks! {
        send(tx, &mut one) -> _ => false,
        recv(rx) -> _ => false,
    });
    let met = Select::new()
        .recv(&rx, |_| ())
        .send(&tx, &mut one, |_| ())
        .recv(&rx, |_| ())
        .block_timeout(SHORT);
    assert_eq!((met, one), (None, Some(1)));
}

#[test]
fn a_select_with_default_does_not_block() {
    let (tx, rx) = channel::<u32>();
    let mut seven = Some(7);
    assert!(select! { default => true });
    assert!(select! { recv(rx) -> _ => false, default => true });
    assert!(select! { send(tx, &mut seven) -> _ => false, default => true });
    assert!(select! { recv(rx) -> _, if false => false, default => true });
}

#[test]
fn a_guard_of_a_closed_channel_meets_at_once() {
    let (tx, rx) = channel::<u32>();
    drop(tx);
    for _ in 0..10 {
        assert!(select! { recv(rx) -> message => message.is_err() });
        assert!(select! { recv(rx) -> message => message.is_err(), default => false });
    }
    let (tx, rx) = channel::<u32>();
    drop(rx);
    let mut seven = Some(7);
    for _ in 0..10 {
        assert!(select! { send(tx, &mut seven) -> sent => sent.is_err() });
        assert_eq!(seven, Some(7));
    }
}

#[test]
fn a_try_meets_whoever_is_blocked_and_only_them() {
    let (tx, rx) = channel::<u32>();
    let mut one = Some(1);
    assert!(rx.try_recv().is_err());
    assert!(select! { send(tx, &mut one) -> _ => false, default => true });

    let receiving = blocked_in_recv(&tx, {
        let rx = rx.clone();
        move || rx.recv()
    });
    assert!(select! { send(tx, &mut one) -> sent => sent.is_ok(), default => false });
    assert_eq!(join(receiving).unwrap(), 1);

    let sending = blocked_in_send(&rx, move || tx.send(2));
    assert_eq!(
        select! { recv(rx) -> message => message.ok(), default => None },
        Some(2)
    );
    join(sending).unwrap();
}

/// One that offers each number on four channels; if two guards were met, a number would arrive twice.
#[test]
fn of_four_sends_of_a_number_one_is_met() {
    const NUMBERS: u32 = 10_000;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| channel::<u32>()).unzip();
    let (collect, collected) = channel();
    let forwarding: Vec<_> = receivers
        .into_iter()
        .map(|rx| {
            let collect = collect.clone();
            thread::spawn(move || rx.iter().for_each(|number| collect.send(number).unwrap()))
        })
        .collect();
    drop(collect);
    let offering = thread::spawn(move || {
        for number in 0..NUMBERS {
            let (mut a, mut b, mut c, mut d) =
                (Some(number), Some(number), Some(number), Some(number));
            select! {
                send(senders[0], &mut a) -> sent => sent.unwrap(),
                send(senders[1], &mut b) -> sent => sent.unwrap(),
                send(senders[2], &mut c) -> sent => sent.unwrap(),
                send(senders[3], &mut d) -> sent => sent.unwrap(),
            }
            assert_eq!([a, b, c, d].iter().flatten().count(), 3);
        }
    });
    let mut numbers: Vec<_> = collected.iter().collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..NUMBERS));
    join(offering);
    forwarding.into_iter().for_each(join);
}

#[test]
fn a_busy_channel_does_not_starve_another() {
    let ends: Vec<_> = (0..2).map(|_| channel::<usize>()).collect();
    let mut threads = Vec::new();
    let mut receivers = Vec::new();
    for (index, (tx, rx)) in ends.into_iter().enumerate() {
        threads.push(thread::spawn(move || while tx.send(index).is_ok() {}));
        receivers.push(rx);
    }
    let mut counts = [0_u32; 2];
    // Ends soon if it is fair; if it is not, the test fails by never reaching this many of one of them.
    while counts.iter().any(|count| *count < 500) {
        let index = select! {
            recv(receivers[0]) -> message => message.unwrap(),
            recv(receivers[1]) -> message => message.unwrap(),
        };
        counts[index] += 1;
        assert!(counts.iter().sum::<u32>() < 1_000_000, "{counts:?}");
    }
    drop(receivers);
    threads.into_iter().for_each(join);
}

/// One alternation among waiting receives commits elsewhere: the others keep their turn.
#[test]
fn an_alternation_that_commits_elsewhere_leaves_its_place_in_the_line() {
    let (tx, rx) = channel::<u32>();
    let (elsewhere, from_elsewhere) = channel::<u32>();
    let mut first = Scripted::new(rx.recv_async());
    let mut both = Scripted::new(
        Select::new()
            .recv(&rx, Result::ok)
            .recv(&from_elsewhere, Result::ok)
            .wait(),
    );
    let mut last = Scripted::new(rx.recv_async());
    first.stays_pending();
    both.stays_pending();
    last.stays_pending();
    let mut send = Scripted::new(elsewhere.send_async(9));
    send.stays_pending();
    assert_eq!(both.wakes(), 1);
    assert_eq!(both.resolves(), Some(9));
    let mut sends: Vec<_> = (1..=2).map(|n| Scripted::new(tx.send_async(n))).collect();
    sends.iter_mut().for_each(Scripted::stays_pending);
    assert_eq!((first.wakes(), last.wakes()), (1, 1));
    assert_eq!(first.resolves().unwrap(), 1);
    assert_eq!(last.resolves().unwrap(), 2);
}

#[test]
fn losing_guards_leave_nothing_behind() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let (_idle, never) = channel::<u32>();
    for number in 0..10_000 {
        let mut home = Some(tally.message(number));
        select! {
            recv(never) -> _ => panic!("nobody sends here"),
            send(tx, &mut home) -> _ => panic!("nobody receives here"),
            default => {}
        }
        assert!(!tx.is_ready());
    }
    assert_eq!(tally.dropped(), 10_000);
    assert!(rx.try_recv().is_err());
}

/// Notes that an expression was evaluated, and returns what it stands for.
fn note<'a, T>(order: &RefCell<Vec<&'static str>>, name: &'static str, end: &'a T) -> &'a T {
    order.borrow_mut().push(name);
    end
}

#[test]
fn every_expression_of_a_guard_is_evaluated_once_from_top_to_bottom() {
    let (tx, rx) = channel::<u32>();
    let (other_tx, other_rx) = channel::<u32>();
    let sending = blocked_in_send(&rx, {
        let tx = tx.clone();
        move || tx.send(1)
    });
    let order = RefCell::new(Vec::new());
    let mut home = Some(3);
    select! {
        send(*note(&order, "sender", &other_tx), {
            order.borrow_mut().push("message");
            &mut home
        }) -> _ => panic!("nobody receives here"),
        recv(*note(&order, "off", &other_rx)) -> _, if *note(&order, "condition", &false) => {
            panic!("it is switched off")
        }
        recv(*note(&order, "receiver", &rx)) -> message => {
            order.borrow_mut().push("body");
            assert_eq!(message.unwrap(), 1);
        }
    }
    let expected = ["sender", "message", "off", "condition", "receiver", "body"];
    assert_eq!(order.into_inner(), expected);
    join(sending).unwrap();
}

/// A counter that sends its number to whoever asks, on one of two channels that are switched on in turn.
#[test]
fn guards_are_switched_on_and_off_from_turn_to_turn() {
    const TURNS: u32 = 500;
    fn counts(tx: &[Sender<u32>; 2]) {
        for number in 0..TURNS {
            let (mut even, mut odd) = (Some(number), Some(number));
            select! {
                send(tx[0], &mut even) -> sent, if number % 2 == 0 => sent.unwrap(),
                send(tx[1], &mut odd) -> sent, if number % 2 == 1 => sent.unwrap(),
            }
        }
    }
    fn reads(rx: &[Receiver<u32>; 2]) {
        for expected in 0..TURNS {
            let (number, which) = select! {
                recv(rx[0]) -> number => (number.unwrap(), 0),
                recv(rx[1]) -> number => (number.unwrap(), 1),
                after(LONG) => panic!("the counter has stopped"),
            };
            assert_eq!((number, number % 2), (expected, which));
        }
    }
    let ((a, from_a), (b, from_b)) = (channel(), channel());
    let counting = thread::spawn(move || counts(&[a, b]));
    reads(&[from_a, from_b]);
    join(counting);
}

#[test]
fn a_body_may_leave_the_loop_and_the_function_around_it() {
    fn first_beyond(rx: &Receiver<u32>, bound: u32) -> Option<u32> {
        loop {
            select! {
                recv(rx) -> message => {
                    let Ok(number) = message else { break };
                    if number <= bound {
                        continue;
                    }
                    return Some(number);
                }
            }
        }
        None
    }
    let (tx, rx) = channel();
    let sending = thread::spawn(move || (0..10).for_each(|number| tx.send(number).unwrap()));
    assert_eq!(first_beyond(&rx, 4), Some(5));
    assert_eq!(first_beyond(&rx, 20), None);
    until(|| rx.is_disconnected());
    join(sending);
}
