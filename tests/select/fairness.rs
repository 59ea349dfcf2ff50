//! Among the guards that can meet each has the same chance, and under `biased` the first is taken: shown by
//! counting.

use std::{
    pin::pin,
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use handover::{
    Receiver, Sender, channel,
    channel::{Select, tick},
    select, select_async,
};

use crate::stage::{PATIENCE, Peer, Scripted, homemade_block_on, until};

/// As many as the macro below has.
const GUARDS_MAX: usize = 8;

/// The value that chi-square exceeds once in a thousand million times if all have the same chance, for one degree
/// of freedom (two guards) to seven.
const ONCE_IN_A_THOUSAND_MILLION: [f64; GUARDS_MAX - 1] =
    [37.4, 41.5, 44.9, 47.9, 50.9, 53.7, 56.4];

/// How far the counts are from being all alike: Pearson's chi-square.
fn chi_square(counts: &[u32]) -> f64 {
    let total: u32 = counts.iter().sum();
    let expected = f64::from(total) / f64::from(u32::try_from(counts.len()).unwrap());
    counts
        .iter()
        .map(|&count| (f64::from(count) - expected).powi(2) / expected)
        .sum()
}

fn are_fair(counts: &[u32]) -> bool {
    chi_square(counts) < ONCE_IN_A_THOUSAND_MILLION[counts.len() - 2]
}

/// Who alternates, and how it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Blocking,
    Task(Peer),
    Known,
    KnownTask,
}

const FORMS: [Form; 6] = [
    Form::Blocking,
    Form::Task(Peer::TokioCurrentThread),
    Form::Task(Peer::TokioMultiThread),
    Form::Task(Peer::Homemade),
    Form::Known,
    Form::KnownTask,
];

/// An alternation over the first `n` of eight guards; the others are switched off.
macro_rules! of_eight {
    ($select:ident, $biased:expr, $n:expr, [$($guard:tt)+], $ends:ident, $($home:ident)?) => {
        if $biased {
            of_eight!(@ $select [biased;] $n, [$($guard)+], $ends, $($home)?)
        } else {
            of_eight!(@ $select [] $n, [$($guard)+], $ends, $($home)?)
        }
    };
    (@ $select:ident [$($biased:tt)*] $n:expr, [recv], $ends:ident,) => {
        $select! {
            $($biased)*
            recv($ends[0]) -> _, if 0 < $n => 0,
            recv($ends[1]) -> _, if 1 < $n => 1,
            recv($ends[2]) -> _, if 2 < $n => 2,
            recv($ends[3]) -> _, if 3 < $n => 3,
            recv($ends[4]) -> _, if 4 < $n => 4,
            recv($ends[5]) -> _, if 5 < $n => 5,
            recv($ends[6]) -> _, if 6 < $n => 6,
            recv($ends[7]) -> _, if 7 < $n => 7,
        }
    };
    (@ $select:ident [$($biased:tt)*] $n:expr, [send], $ends:ident, $home:ident) => {{
        let [a, b, c, d, e, f, g, h] = &mut $home;
        $select! {
            $($biased)*
            send($ends[0], a) -> _, if 0 < $n => 0,
            send($ends[1], b) -> _, if 1 < $n => 1,
            send($ends[2], c) -> _, if 2 < $n => 2,
            send($ends[3], d) -> _, if 3 < $n => 3,
            send($ends[4], e) -> _, if 4 < $n => 4,
            send($ends[5], f) -> _, if 5 < $n => 5,
            send($ends[6], g) -> _, if 6 < $n => 6,
            send($ends[7], h) -> _, if 7 < $n => 7,
        }
    }};
}

fn receive_of(form: Form, biased: bool, n: usize, ends: &[Receiver<u32>]) -> usize {
    let known = || {
        let mut select = if biased {
            Select::new().biased()
        } else {
            Select::new()
        };
        for (index, receiver) in ends.iter().take(n).enumerate() {
            select = select.recv(receiver, move |_| index);
        }
        select
    };
    match form {
        Form::Blocking => of_eight!(select, biased, n, [recv], ends,),
        Form::Task(peer) => peer.run(async { of_eight!(select_async, biased, n, [recv], ends,) }),
        Form::Known => known().block(),
        Form::KnownTask => homemade_block_on(known().wait()),
    }
}

fn send_of(form: Form, biased: bool, n: usize, ends: &[Sender<u32>]) -> usize {
    let mut home = [Some(0); GUARDS_MAX];
    let known = |home| {
        let mut select = if biased {
            Select::new().biased()
        } else {
            Select::new()
        };
        for ((index, sender), home) in ends.iter().enumerate().zip(home).take(n) {
            select = select.send(sender, home, move |_| index);
        }
        select
    };
    match form {
        Form::Blocking => of_eight!(select, biased, n, [send], ends, home),
        Form::Task(peer) => {
            peer.run(async { of_eight!(select_async, biased, n, [send], ends, home) })
        }
        Form::Known => known(home.iter_mut()).block(),
        Form::KnownTask => homemade_block_on(known(home.iter_mut()).wait()),
    }
}

/// How often each of `n` receive guards met, at each of which a sender waits.
fn receive_counts(form: Form, biased: bool, n: usize, rounds: u32) -> Vec<u32> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..GUARDS_MAX).map(|_| channel::<u32>()).unzip();
    let mut offers: Vec<_> = senders
        .iter()
        .map(|sender| Scripted::new(sender.send_async(0)))
        .collect();
    offers.iter_mut().for_each(Scripted::stays_pending);
    let mut counts = vec![0; n];
    for _ in 0..rounds {
        let met = receive_of(form, biased, n, &receivers);
        counts[met] += 1;
        offers[met].resolves().unwrap();
        offers[met] = Scripted::new(senders[met].send_async(0));
        offers[met].stays_pending();
    }
    counts
}

/// How often each of `n` send guards met, at each of which a blocked receiver waits.
fn send_counts(form: Form, biased: bool, n: usize, rounds: u32) -> Vec<u32> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..GUARDS_MAX).map(|_| channel::<u32>()).unzip();
    thread::scope(|scope| {
        for receiver in receivers.into_iter().take(n) {
            scope.spawn(move || while receiver.recv().is_ok() {});
        }
        let mut counts = vec![0; n];
        for _ in 0..rounds {
            until(|| senders.iter().take(n).all(Sender::is_ready));
            counts[send_of(form, biased, n, &senders)] += 1;
        }
        drop(senders);
        counts
    })
}

#[test]
fn each_of_two_to_eight_receive_guards_has_the_same_chance() {
    for form in FORMS {
        let rounds = if matches!(form, Form::Task(peer) if peer != Peer::Homemade) {
            // Each of them builds a runtime.
            400
        } else {
            3_000
        };
        for n in 2..=GUARDS_MAX {
            let counts = receive_counts(form, false, n, rounds);
            assert!(are_fair(&counts), "{form:?}: {counts:?}");
        }
    }
}

#[test]
fn each_of_two_to_eight_send_guards_has_the_same_chance() {
    for form in [
        Form::Blocking,
        Form::Task(Peer::Homemade),
        Form::Known,
        Form::KnownTask,
    ] {
        for n in 2..=GUARDS_MAX {
            let counts = send_counts(form, false, n, 600);
            assert!(are_fair(&counts), "{form:?}: {counts:?}");
        }
    }
}

#[test]
fn biased_takes_the_first_that_can_meet_and_the_count_tells_it_from_fair() {
    for form in FORMS {
        let counts = receive_counts(form, true, GUARDS_MAX, 100);
        assert_eq!((counts[0], are_fair(&counts)), (100, false), "{form:?}");
    }
    for form in [Form::Blocking, Form::Task(Peer::Homemade), Form::Known] {
        let counts = send_counts(form, true, 2, 100);
        assert_eq!((counts[0], are_fair(&counts)), (100, false), "{form:?}");
    }
}

/// Which of the guards stand around those that can meet makes no difference.
#[test]
fn guards_that_can_meet_have_the_same_chance_wherever_they_stand() {
    const ROUNDS: u32 = 3_000;
    let (sender, can) = channel::<u32>();
    let (_idle, cannot) = channel::<u32>();
    for (first, second) in [(0, 1), (0, 7), (3, 4), (6, 7)] {
        let ends: Vec<_> = (0..GUARDS_MAX)
            .map(|index| {
                if index == first || index == second {
                    can.clone()
                } else {
                    cannot.clone()
                }
            })
            .collect();
        let mut counts = [0; 2];
        for _ in 0..ROUNDS {
            let mut offer = Scripted::new(sender.send_async(0));
            offer.stays_pending();
            let met = receive_of(Form::Blocking, false, GUARDS_MAX, &ends);
            counts[usize::from(met == second)] += 1;
            assert!(met == first || met == second);
            offer.resolves().unwrap();
        }
        assert!(are_fair(&counts), "{first} and {second}: {counts:?}");
    }
}

/// A receive guard, a send guard, a timer, and a ticker that all can meet.
#[test]
fn peers_and_timers_that_are_due_have_the_same_chance() {
    const ROUNDS: u32 = 2_000;
    let (offering, offered) = channel::<u32>();
    let (giving, given) = channel::<u32>();
    let taker = thread::spawn(move || while given.recv().is_ok() {});
    let begun = Instant::now();
    for as_task in [false, true] {
        let mut counts = [0; 4];
        for _ in 0..ROUNDS {
            let mut offer = Scripted::new(offering.send_async(0));
            offer.stays_pending();
            until(|| giving.is_ready());
            let ticker = tick(Duration::from_nanos(1));
            let met = if as_task {
                homemade_block_on(async {
                    select_async! {
                        recv(offered) -> _ => 0,
                        at(begun) => 1,
                        send(giving, &mut Some(0)) -> _ => 2,
                        tick(ticker) => 3,
                    }
                })
            } else {
                select! {
                    recv(offered) -> _ => 0,
                    at(begun) => 1,
                    send(giving, &mut Some(0)) -> _ => 2,
                    tick(ticker) => 3,
                }
            };
            counts[met] += 1;
        }
        assert!(are_fair(&counts), "{counts:?}");
    }
    drop(giving);
    taker.join().unwrap();
}

#[test]
fn under_biased_a_timer_that_is_due_has_its_place_in_the_order() {
    let (offering, offered) = channel::<u32>();
    let begun = Instant::now();
    for _ in 0..50 {
        let mut offer = Scripted::new(offering.send_async(0));
        offer.stays_pending();
        let timer_first = select! {
            biased;
            at(begun) => true,
            recv(offered) -> _ => false,
        };
        assert!(timer_first);
        let timer_last = homemade_block_on(async {
            select_async! {
                biased;
                recv(offered) -> _ => false,
                at(begun) => true,
            }
        });
        assert!(!timer_last);
    }
}

/// Where all are busy at once, everybody's turn comes, again and again.
#[test]
fn of_senders_that_never_rest_none_starves() {
    const TURNS_EACH: u32 = 200;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| channel::<u32>()).unzip();
    thread::scope(|scope| {
        for sender in senders {
            scope.spawn(move || while sender.send(0).is_ok() {});
        }
        let deadline = Instant::now() + PATIENCE;
        let mut counts = [0; 4];
        while counts.iter().any(|&count| count < TURNS_EACH) {
            let met = select! {
                recv(receivers[0]) -> _ => Some(0),
                recv(receivers[1]) -> _ => Some(1),
                recv(receivers[2]) -> _ => Some(2),
                recv(receivers[3]) -> _ => Some(3),
                at(deadline) => None,
            };
            counts[met.unwrap_or_else(|| panic!("{counts:?}"))] += 1;
        }
        drop(receivers);
    });
}

/// A future that is polled again for no reason, while nobody can be met, is no less fair afterwards.
#[test]
fn polls_for_no_reason_change_no_chances() {
    const ROUNDS: u32 = 2_000;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| channel::<u32>()).unzip();
    let mut counts = [0; 2];
    for _ in 0..ROUNDS {
        let mut alternation = pin!(async {
            select_async! {
                recv(receivers[0]) -> _ => 0,
                recv(receivers[1]) -> _ => 1,
            }
        });
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            assert!(alternation.as_mut().poll(&mut context).is_pending());
        }
        let mut offers = [
            Scripted::new(senders[0].send_async(0)),
            Scripted::new(senders[1].send_async(0)),
        ];
        offers.iter_mut().for_each(Scripted::stays_pending);
        let met: usize = homemade_block_on(alternation);
        counts[met] += 1;
    }
    assert!(are_fair(&counts), "{counts:?}");
}
