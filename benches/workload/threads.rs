//! Work between threads.

use std::{sync::Barrier, thread, time::Instant};

use super::{
    Run,
    contender::{Blocking, Message},
    cpu_time,
};

/// The stages of [`pipeline`], each a thread, between its first sender and its last receiver.
pub const STAGES: usize = 16;

/// One thread sends, another receives.
pub fn one_way<C: Blocking, M: Message>(count: u64) -> Run {
    let (tx, mut rx) = C::pair::<M>();
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            ready.wait();
            for number in 0..count {
                C::send(&tx, M::numbered(number));
            }
        });
        measured(&ready, || {
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
            ready.wait();
            for _ in 0..count {
                C::send(&back, C::recv(&mut arriving));
            }
        });
        measured(&ready, || {
            for number in 0..count {
                C::send(&there, M::numbered(number));
                assert_eq!(C::recv(&mut returning).number(), number);
            }
        })
    })
}

/// Each message goes through [`STAGES`] threads, each of which passes it on.
pub fn pipeline<C: Blocking, M: Message>(count: u64) -> Run {
    let ready = Barrier::new(STAGES + 2);
    thread::scope(|scope| {
        let ready = &ready;
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
        measured(ready, || {
            for number in 0..count {
                assert_eq!(C::recv(&mut rx).number(), number);
            }
        })
    })
}

/// Runs `work` when all threads have been started.
fn measured(ready: &Barrier, work: impl FnOnce()) -> Run {
    ready.wait();
    let (began, cpu) = (Instant::now(), cpu_time());
    work();
    Run {
        elapsed: began.elapsed(),
        cpu: cpu_time().saturating_sub(cpu),
        polls: None,
    }
}
