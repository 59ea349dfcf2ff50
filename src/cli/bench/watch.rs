//! The thread that watches a measurement: signals end it after the run that goes on, a second one at once; and
//! so does a channel that does not come to an end.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::time::{Instant, sleep_until};

use crate::cli::signals::Signals;
use crate::{Receiver, Sender};

/// Time for one channel to find out how much it does in a run, or for one run: a hundred times what it takes, for
/// a machine under load.
const RUN_TIME: Duration = Duration::from_mins(1);

/// The thread, for whoever measures.
#[derive(Debug)]
pub struct Watch {
    steps: Sender<String>,
    over: Sender<()>,
    thread: JoinHandle<Option<u8>>,
}

impl Watch {
    /// Starts the thread. It says what it has to say above `bar`.
    ///
    /// # Errors
    /// If there can be no thread, or signals cannot be received.
    pub fn start(bar: ProgressBar) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        // Here, so that from now on none ends the process.
        let signals = runtime.block_on(async { Signals::new() })?;
        let (steps, step) = crate::channel();
        let (over, is_over) = crate::channel();
        let thread = std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || runtime.block_on(watch(signals, step, is_over, bar)))?;
        Ok(Self {
            steps,
            over,
            thread,
        })
    }

    /// Says what is about to be run. False if it is not to be run any more.
    pub fn is_about_to(&self, step: String) -> bool {
        self.steps.send(step).is_ok()
    }

    /// Says that nothing is run until the next step, so that no time counts.
    pub fn pauses(&self) {
        // If nobody hears it, the measurement is about to end, and the next step tells.
        let _ = self.steps.send(String::new());
    }

    /// Ends the thread. Returns the status for the signal that came, if one did.
    pub fn end(self) -> Option<u8> {
        drop((self.steps, self.over));
        self.thread.join().unwrap_or(Some(125))
    }
}

async fn watch(
    mut signals: Signals,
    steps: Receiver<String>,
    over: Receiver<()>,
    bar: ProgressBar,
) -> Option<u8> {
    // Empty while nothing is run.
    let mut step = String::new();
    let mut limit = Instant::now() + RUN_TIME;
    let signal = loop {
        tokio::select! {
            signal = signals.next() => break signal,
            next = steps.recv_async() => match next {
                Ok(next) => (step, limit) = (next, Instant::now() + RUN_TIME),
                Err(_) => return None,
            },
            () = sleep_until(limit), if !step.is_empty() => {
                bar.suspend(|| eprintln!(
                    "handover: {step} has not come to an end within {} s: it lost a message, or the machine \
                     is very busy; --against measures without it", RUN_TIME.as_secs()
                ));
                std::process::exit(125);
            }
        }
    };
    // Whoever measures hears of it before the next run.
    drop(steps);
    bar.suspend(|| eprintln!("handover: ends after this run; once more ends it at once"));
    let status = u8::try_from(128 + signal).unwrap_or(125);
    tokio::select! {
        _ = signals.next() => std::process::exit(status.into()),
        _ = over.recv_async() => Some(status),
    }
}
