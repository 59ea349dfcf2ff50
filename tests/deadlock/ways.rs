//! The ways in which a network is run, each in bounded time.

use std::{
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use handover::process::{Deadlock, Network, RunError};

/// A deadline that is never reached unless something is wrong.
const LONG: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    OneThread,
    InsideTokio,
    TwoThreads,
    /// As on several threads, of which there is one.
    OneOfSeveral,
}

pub const WAYS: [Way; 4] = [
    Way::OneThread,
    Way::InsideTokio,
    Way::TwoThreads,
    Way::OneOfSeveral,
];

impl Way {
    /// What the network comes to.
    ///
    /// # Panics
    ///
    /// If it does not end, with what it looks like then.
    pub fn run(self, net: Network) -> Result<(), RunError> {
        let observer = net.observe();
        let (tell, told) = channel();
        let runner = thread::spawn(move || tell.send(self.run_here(net)));
        match told.recv_timeout(LONG) {
            Ok(outcome) => {
                runner.join().unwrap().unwrap();
                outcome
            }
            Err(RecvTimeoutError::Timeout) => {
                panic!("{self:?}: no end in sight: {:#?}", observer.snapshot())
            }
            Err(RecvTimeoutError::Disconnected) => match runner.join() {
                Err(payload) => std::panic::resume_unwind(payload),
                Ok(_) => unreachable!("it has told the outcome"),
            },
        }
    }

    fn run_here(self, net: Network) -> Result<(), RunError> {
        match self {
            Self::OneThread => net.run(),
            Self::InsideTokio => {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .unwrap();
                let running = runtime.spawn(net.run_async());
                runtime.block_on(running).unwrap()
            }
            // Under Miri's model of stacked borrows as on one of them: crossbeam's epochs, behind the queues of several, are
            // known to break it.
            Self::TwoThreads => net.run_threads(match std::env::var_os("ON_ONE_THREAD_ONLY") {
                Some(_) => 1,
                None => 2,
            }),
            Self::OneOfSeveral => net.run_threads(1),
        }
    }

    /// The deadlock that ends the run.
    ///
    /// # Panics
    ///
    /// If it ends in another way.
    pub fn deadlock(self, net: Network) -> Deadlock {
        match self.run(net) {
            Err(RunError::Deadlock(deadlock)) => *deadlock,
            other => panic!("{self:?}: no deadlock: {other:?}"),
        }
    }
}

/// The names of those that are not in the cycle.
pub fn others(deadlock: &Deadlock) -> Vec<&str> {
    let names = deadlock.others.iter().map(|one| one.process.as_str());
    names.collect()
}
