//! Work between tasks of a tokio runtime: on the current thread, or on two threads of its own, which have ended
//! when a run returns.

use std::{future::Future, pin::pin};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

use super::{
    contender::{Message, Tasks, TasksFanOut},
    run::{Clocks, END, FAN, Lanes, Run, STAGES, Share},
    threads::{lane_of, pairs},
};

/// One task sends, another receives.
pub fn one_way<C: Tasks, M: Message, const THREADS: usize>(count: u64) -> Run {
    let (tx, mut rx) = C::pair::<M>();
    let mut crew = Crew::new(THREADS);
    crew.task(send_all::<C, M>(tx, count));
    crew.task(async move {
        for number in 0..count {
            assert_eq!(C::recv(&mut rx).await.number(), number);
        }
    });
    crew.done(count)
}

/// One task sends and waits for the answer, another answers.
pub fn ping_pong<C: Tasks, M: Message, const THREADS: usize>(count: u64) -> Run {
    let (there, arriving) = C::pair::<M>();
    let (back, mut returning) = C::pair::<M>();
    let mut crew = Crew::new(THREADS);
    crew.task(async move {
        for number in 0..count {
            C::send(&there, M::numbered(number)).await;
            assert_eq!(C::recv(&mut returning).await.number(), number);
        }
    });
    crew.task(pass_on::<C, M>(arriving, back, count));
    crew.done(count)
}

/// [`FAN`] tasks send on one channel, another receives.
pub fn fan_in<C: Tasks, M: Message, const THREADS: usize>(count: u64) -> Run {
    let (tx, mut rx) = C::pair::<M>();
    let mut crew = Crew::new(THREADS);
    for lane in 0..FAN as u64 {
        let tx = tx.clone();
        crew.task(async move {
            for number in (lane..count).step_by(FAN) {
                C::send(&tx, M::numbered(number)).await;
            }
        });
    }
    crew.task(async move {
        let mut lanes = Lanes::<FAN>::new();
        for _ in 0..count {
            let number = C::recv(&mut rx).await.number();
            lanes.arrived(lane_of(number, FAN), number);
        }
        lanes.complete(count);
    });
    crew.done(count)
}

/// One task sends, [`FAN`] tasks receive from one channel.
pub fn fan_out<C: TasksFanOut, M: Message, const THREADS: usize>(count: u64) -> Run {
    let (tx, rx) = C::pair::<M>();
    let mut crew = Crew::new(THREADS);
    crew.task(async move {
        for number in (0..count).chain([END; FAN]) {
            C::send(&tx, M::numbered(number)).await;
        }
        Share::default()
    });
    for _ in 0..FAN {
        let mut rx = C::another(&rx);
        crew.task(async move {
            let mut share = Share::default();
            while share.goes_on(C::recv(&mut rx).await.number()) {}
            share
        });
    }
    let (run, shares) = crew.outcomes(count);
    Share::complete(&shares, count);
    run
}

/// Each message goes through [`STAGES`] tasks, each of which passes it on.
pub fn pipeline<C: Tasks, M: Message, const THREADS: usize>(count: u64) -> Run {
    let (first, mut rx) = C::pair::<M>();
    let mut crew = Crew::new(THREADS);
    crew.task(send_all::<C, M>(first, count));
    for _ in 0..STAGES {
        let (tx, next) = C::pair::<M>();
        let from = std::mem::replace(&mut rx, next);
        crew.task(pass_on::<C, M>(from, tx, count));
    }
    crew.task(async move {
        for number in 0..count {
            assert_eq!(C::recv(&mut rx).await.number(), number);
        }
    });
    crew.done(count)
}

/// One task sends on four channels in turn, another waits on all of them.
pub fn select_4<C: Tasks, M: Message, const THREADS: usize>(count: u64) -> Run {
    let (senders, mut ends) = pairs::<_, _, 4>(C::pair::<M>);
    let mut crew = Crew::new(THREADS);
    crew.task(send_in_turn::<C, M, 4>(senders.clone(), count));
    crew.task(async move {
        let mut lanes = Lanes::<4>::new();
        let arrived = |lane, message: M| lanes.arrived(lane, message.number());
        C::select_4(&mut ends, count, arrived).await;
        lanes.complete(count);
        // Not before: a guard on a channel without senders meets at once.
        drop(senders);
    });
    crew.done(count)
}

/// One task sends on sixteen channels in turn, another waits on all of them.
pub fn select_16<C: Tasks, M: Message, const THREADS: usize>(count: u64) -> Run {
    let (senders, mut ends) = pairs::<_, _, 16>(C::pair::<M>);
    let mut crew = Crew::new(THREADS);
    crew.task(send_in_turn::<C, M, 16>(senders.clone(), count));
    crew.task(async move {
        let mut lanes = Lanes::<16>::new();
        let arrived = |lane, message: M| lanes.arrived(lane, message.number());
        C::select_16(&mut ends, count, arrived).await;
        lanes.complete(count);
        // Not before: a guard on a channel without senders meets at once.
        drop(senders);
    });
    crew.done(count)
}

async fn send_all<C: Tasks, M: Message>(tx: C::Tx<M>, count: u64) {
    for number in 0..count {
        C::send(&tx, M::numbered(number)).await;
    }
}

async fn send_in_turn<C: Tasks, M: Message, const LANES: usize>(
    senders: [C::Tx<M>; LANES],
    count: u64,
) {
    for number in 0..count {
        C::send(&senders[lane_of(number, LANES)], M::numbered(number)).await;
    }
}

async fn pass_on<C: Tasks, M: Message>(mut from: C::Rx<M>, tx: C::Tx<M>, count: u64) {
    for _ in 0..count {
        let message = C::recv(&mut from).await;
        C::send(&tx, message).await;
    }
}

/// The tasks of one run, and their runtime.
struct Crew<T> {
    runtime: Runtime,
    clocks: Clocks,
    tasks: Vec<JoinHandle<(u64, T)>>,
}

impl<T: Send + 'static> Crew<T> {
    /// A runtime on the current thread, or on more of its own. The clock starts.
    fn new(threads: usize) -> Self {
        let mut builder = match threads {
            1 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        // Without drivers, it needs nothing from the system but its threads.
        let runtime = builder
            .worker_threads(threads)
            .build()
            .expect("the threads of the runtime can be started");
        Self {
            runtime,
            clocks: Clocks::start(),
            tasks: Vec::new(),
        }
    }

    fn task(&mut self, task: impl Future<Output = T> + Send + 'static) {
        self.tasks.push(self.runtime.spawn(counting_polls(task)));
    }

    /// Waits for all tasks.
    fn outcomes(self, units: u64) -> (Run, Vec<T>) {
        let (polls, outcomes): (Vec<u64>, Vec<T>) = self.runtime.block_on(async {
            let mut ended = Vec::with_capacity(self.tasks.len());
            for task in self.tasks {
                ended.push(task.await.expect("the task's checks hold"));
            }
            ended.into_iter().unzip()
        });
        (self.clocks.stop(units, Some(polls.iter().sum())), outcomes)
    }
}

impl Crew<()> {
    fn done(self, units: u64) -> Run {
        self.outcomes(units).0
    }
}

/// Runs `task`, and counts how often it was polled.
async fn counting_polls<T>(task: impl Future<Output = T>) -> (u64, T) {
    let mut task = pin!(task);
    let mut polls = 0;
    let outcome = std::future::poll_fn(|context| {
        polls += 1;
        task.as_mut().poll(context)
    })
    .await;
    (polls, outcome)
}
