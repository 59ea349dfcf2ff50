//! Threads as processes.

use std::{marker::PhantomData, thread};

use super::Processes;
use crate::bench::{
    contender::Blocking,
    run::{Clocks, Run, STAGES},
};

/// Threads with channels of kind `C` between them.
#[derive(Debug)]
pub struct OnThreads<C>(PhantomData<C>);

impl<C: Blocking> Processes for OnThreads<C> {
    fn commstime(count: u64) -> Run {
        let clocks = Clocks::start();
        thread::scope(|scope| {
            let (to_delta, mut from_prefix) = C::pair::<u64>();
            let (to_successor, mut from_delta) = C::pair::<u64>();
            let (to_prefix, mut from_successor) = C::pair::<u64>();
            let (to_consumer, mut numbers) = C::pair::<u64>();
            scope.spawn(move || {
                C::send(&to_delta, 0);
                for _ in 0..count {
                    C::send(&to_delta, C::recv(&mut from_successor));
                }
            });
            scope.spawn(move || {
                for _ in 0..count {
                    let number = C::recv(&mut from_prefix);
                    C::send(&to_successor, number);
                    C::send(&to_consumer, number);
                }
                assert_eq!(C::recv(&mut from_prefix), count);
            });
            scope.spawn(move || {
                for _ in 0..count {
                    C::send(&to_prefix, C::recv(&mut from_delta) + 1);
                }
            });
            scope.spawn(move || {
                for number in 0..count {
                    assert_eq!(C::recv(&mut numbers), number);
                }
            });
        });
        clocks.stop(4 * count + 1, None)
    }

    fn pipeline(count: u64) -> Run {
        let clocks = Clocks::start();
        thread::scope(|scope| {
            let (first, mut from) = C::pair::<u64>();
            scope.spawn(move || {
                for number in 0..count {
                    C::send(&first, number);
                }
            });
            for _ in 0..STAGES {
                let (to, next) = C::pair::<u64>();
                let mut from = std::mem::replace(&mut from, next);
                scope.spawn(move || {
                    for _ in 0..count {
                        C::send(&to, C::recv(&mut from));
                    }
                });
            }
            scope.spawn(move || {
                for number in 0..count {
                    assert_eq!(C::recv(&mut from), number);
                }
            });
        });
        clocks.stop(count, None)
    }
}
