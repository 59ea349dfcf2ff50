//! The threads of a network: started when it runs, and waited for at its end.

use std::{future::poll_fn, task::Poll, thread::JoinHandle};

use super::registry::Registry;
use crate::sync::Arc;

/// A thread that will be started when the network runs.
pub(super) type Unstarted = Box<dyn FnOnce() -> std::io::Result<JoinHandle<()>> + Send>;

pub(super) struct Threads {
    registry: Arc<Registry>,
    handles: Vec<JoinHandle<()>>,
    is_over: bool,
}

impl Threads {
    /// Starts them.
    ///
    /// # Panics
    ///
    /// If one cannot be started.
    pub(super) fn start(registry: &Arc<Registry>, unstarted: Vec<Unstarted>) -> Self {
        let mut threads = Self {
            registry: Arc::clone(registry),
            handles: Vec::with_capacity(unstarted.len()),
            is_over: false,
        };
        for start in unstarted {
            match start() {
                Ok(handle) => threads.handles.push(handle),
                Err(error) => panic!("a thread of the network cannot be started: {error}"),
            }
        }
        threads
    }

    /// Waits until all have ended, after the processes have. If a deadlock has ended the run, their channels are
    /// poisoned first.
    pub(super) async fn join(mut self) {
        if let Some(deadlock) = self.registry.deadlock() {
            self.registry.poison_all(&deadlock.into());
        }
        let home = &self.registry.home;
        poll_fn(|context| {
            loop {
                // Whatever attention is wanted for now, it is to see whether they have ended.
                home.is_wanted();
                if home.is_empty() {
                    return Poll::Ready(());
                }
                if home.hear(context.waker()) {
                    return Poll::Pending;
                }
            }
        })
        .await;
        self.is_over = true;
        for handle in self.handles.drain(..) {
            // A panic of what it ran was caught, and noted as the failure that it is.
            let _ = handle.join();
        }
    }
}

impl Drop for Threads {
    /// The run was given up: the threads are not waited for, but none stays blocked at a channel.
    fn drop(&mut self) {
        if !self.is_over {
            let reason = format!("the run of network `{}` was given up", self.registry.name);
            self.registry.poison_all(&reason.into());
        }
    }
}
