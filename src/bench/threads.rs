//! Work between threads. They are started before the clock is, and have ended when a run returns.

use std::{array, sync::Barrier, thread, time::Duration};

use rustix::time::ClockId;

use super::{
    contender::{Blocking, BlockingFanOut, BlockingSelect, Message},
    run::{Clocks, END, FAN, Lanes, Run, STAGES, Share, cpu_time},
};

/// One thread sends, another receives.
pub fn one_way<C: Blocking, M: Message>(count: u64) -> Run {
    let (tx, mut rx) = C::pair::<M>();
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            let tx = tx;
            ready.wait();
            for number in 0..count {
                C::send(&tx, M::numbered(number));
            }
        });
        measured(&ready, count, || {
            for number in 0..count {
                assert_eq!(C::recv(&mut rx).number(), number);
            }
        })
    })
}

/// One thread sends and waits for the answer, another answers.
pub fn ping_pong<C: Blocking, M: Message>(count: u64) -> Run {
    let (there, mut arriving) = C::pair::<M>();
    let (back, mut returning) = C::pair::<M>();
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            let back = back;
            ready.wait();
            for _ in 0..count {
                C::send(&back, C::recv(&mut arriving));
            }
        });
        measured(&ready, count, || {
            for number in 0..count {
                C::send(&there, M::numbered(number));
                assert_eq!(C::recv(&mut returning).number(), number);
            }
        })
    })
}

/// [`FAN`] threads send on one channel, another receives.
pub fn fan_in<C: Blocking, M: Message>(count: u64) -> Run {
    let (tx, mut rx) = C::pair::<M>();
    let ready = &Barrier::new(FAN + 1);
    thread::scope(|scope| {
        for lane in 0..FAN as u64 {
            let tx = tx.clone();
            scope.spawn(move || {
                ready.wait();
                for number in (lane..count).step_by(FAN) {
                    C::send(&tx, M::numbered(number));
                }
            });
        }
        measured(ready, count, || {
            let mut lanes = Lanes::<FAN>::new();
            for _ in 0..count {
                let number = C::recv(&mut rx).number();
                lanes.arrived(lane_of(number, FAN), number);
            }
            lanes.complete(count);
        })
    })
}

/// One thread sends, [`FAN`] threads receive from one channel.
pub fn fan_out<C: BlockingFanOut, M: Message>(count: u64) -> Run {
    let (tx, rx) = C::pair::<M>();
    let ready = &Barrier::new(FAN + 1);
    thread::scope(|scope| {
        let receivers: Vec<_> = (0..FAN)
            .map(|_| {
                let mut rx = C::another(&rx);
                scope.spawn(move || {
                    ready.wait();
                    let mut share = Share::default();
                    while share.goes_on(C::recv(&mut rx).number()) {}
                    share
                })
            })
            .collect();
        measured(ready, count, || {
            for number in (0..count).chain([END; FAN]) {
                C::send(&tx, M::numbered(number));
            }
            let shares: Vec<Share> = receivers
                .into_iter()
                .map(|receiver| receiver.join().expect("the receiver's checks hold"))
                .collect();
            Share::complete(&shares, count);
        })
    })
}

/// Each message goes through [`STAGES`] threads, each of which passes it on.
pub fn pipeline<C: Blocking, M: Message>(count: u64) -> Run {
    let ready = &Barrier::new(STAGES + 2);
    thread::scope(|scope| {
        let (first, mut rx) = C::pair::<M>();
        scope.spawn(move || {
            ready.wait();
            for number in 0..count {
                C::send(&first, M::numbered(number));
            }
        });
        for _ in 0..STAGES {
            let (tx, next) = C::pair::<M>();
            let mut from = std::mem::replace(&mut rx, next);
            scope.spawn(move || {
                ready.wait();
                for _ in 0..count {
                    C::send(&tx, C::recv(&mut from));
                }
            });
        }
        measured(ready, count, || {
            for number in 0..count {
                assert_eq!(C::recv(&mut rx).number(), number);
            }
        })
    })
}

/// One thread sends on four channels in turn, another waits on all of them.
pub fn select_4<C: BlockingSelect, M: Message>(count: u64) -> Run {
    select::<C, M, 4>(count, |ends, lanes| {
        C::select_4(ends, count, |lane, message| {
            lanes.arrived(lane, message.number());
        });
    })
}

/// One thread sends on sixteen channels in turn, another waits on all of them.
pub fn select_16<C: BlockingSelect, M: Message>(count: u64) -> Run {
    select::<C, M, 16>(count, |ends, lanes| {
        C::select_16(ends, count, |lane, message| {
            lanes.arrived(lane, message.number());
        });
    })
}

fn select<C: BlockingSelect, M: Message, const WIDTH: usize>(
    count: u64,
    receive: impl FnOnce(&mut [C::Rx<M>; WIDTH], &mut Lanes<WIDTH>),
) -> Run {
    let (senders, mut ends) = pairs(C::pair::<M>);
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let senders: [C::Tx<M>; WIDTH] = senders;
            ready.wait();
            for number in 0..count {
                C::send(&senders[lane_of(number, WIDTH)], M::numbered(number));
            }
            // Not dropped yet: a guard on a channel without senders meets at once.
            senders
        });
        let run = measured(&ready, count, || {
            let mut lanes = Lanes::new();
            receive(&mut ends, &mut lanes);
            lanes.complete(count);
        });
        drop(sender.join().expect("the sender's checks hold"));
        run
    })
}

/// One thread waits in a receive for this many milliseconds, then gets a message: the processor time that it
/// used for waiting.
pub fn idle<C: Blocking, M: Message>(milliseconds: u64) -> Run {
    let (tx, mut rx) = C::pair::<M>();
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            ready.wait();
            let cpu = cpu_time(ClockId::ThreadCPUTime);
            assert_eq!(C::recv(&mut rx).number(), milliseconds);
            cpu_time(ClockId::ThreadCPUTime).saturating_sub(cpu)
        });
        ready.wait();
        let clocks = Clocks::start();
        thread::sleep(Duration::from_millis(milliseconds));
        C::send(&tx, M::numbered(milliseconds));
        let cpu = waiter.join().expect("the waiter's checks hold");
        Run {
            cpu,
            ..clocks.stop(1, None)
        }
    })
}

/// Runs `work` when all threads have been started.
fn measured(ready: &Barrier, units: u64, work: impl FnOnce()) -> Run {
    ready.wait();
    let clocks = Clocks::start();
    work();
    clocks.stop(units, None)
}

/// The channel that the message with this number goes through.
pub(super) fn lane_of(number: u64, lanes: usize) -> usize {
    usize::try_from(number % lanes as u64).unwrap_or(0)
}

/// Several channels, as their senders and their receivers.
pub(super) fn pairs<Tx, Rx, const COUNT: usize>(
    mut pair: impl FnMut() -> (Tx, Rx),
) -> ([Tx; COUNT], [Rx; COUNT]) {
    let mut receivers: [Option<Rx>; COUNT] = array::from_fn(|_| None);
    let senders = array::from_fn(|at| {
        let (tx, rx) = pair();
        receivers[at] = Some(rx);
        tx
    });
    (
        senders,
        receivers.map(|rx| rx.expect("a receiver was made with each sender")),
    )
}
