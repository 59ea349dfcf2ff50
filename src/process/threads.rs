//! The threads of a network: started when it runs, and waited for at its end.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Poll,
    thread::JoinHandle,
};

use super::{
    body,
    error::{Cause, Failure, ProcessResult},
    outcome::Keep,
    ports::{Ports, Seat},
    registry::{Kind, Registry},
    trace::Span,
};
use crate::sync::{
    Arc,
    task::{Entered, LentUntilGivenBack, TaskRef},
    thread,
};

/// A thread that will be started when the network runs.
pub(super) struct Unstarted {
    pub(super) name: String,
    start: Box<dyn FnOnce() -> std::io::Result<JoinHandle<()>> + Send>,
}

/// A thread of the network that will be called `name`.
pub(super) fn unstarted<P, R>(
    registry: &Arc<Registry>,
    name: String,
    ports: P,
    process: impl FnOnce(&P::Blocking) -> ProcessResult<R> + Send + 'static,
    keeper: impl Keep<R>,
) -> Unstarted
where
    P: Ports,
    R: Send + 'static,
{
    let registry = Arc::clone(registry);
    let process_id = registry.reserve_process();
    let ports = ports.bind_blocking(&Seat::new(&registry, process_id));
    registry.home.one_more();
    let own_name = name.clone();
    let start = Box::new(move || {
        let thread_name = name.clone();
        std::thread::Builder::new()
            .name(thread_name)
            .spawn(move || {
                let task = TaskRef::of_thread(process_id, thread::current());
                registry.add_process(&name, task.clone(), Kind::Thread, false);
                keeper.begin();
                let result = {
                    let _lent = LentUntilGivenBack(&task);
                    let _entered = Entered::new(&task);
                    let span = Span::of_process(&registry, process_id);
                    // As for a process: nothing of it is seen after a panic but its ports.
                    catch_unwind(AssertUnwindSafe(|| span.enter(|| process(&ports))))
                };
                let result = match result {
                    Ok(result) => result.map_err(Cause::Error),
                    Err(payload) => Err(Cause::of_panic(&*payload)),
                };
                // What can panic there is a destructor of a message, or an error that is told.
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    body::end(&registry, process_id, ports, keeper.keep(result));
                }));
                if let Err(payload) = ended {
                    let process = registry.name_of_task(&task);
                    let cause = Cause::of_panic(&*payload);
                    registry.fail(Failure { process, cause });
                    registry.remove_task(&task);
                }
                drop(task);
                registry.home.one_less();
            })
    });
    Unstarted {
        name: own_name,
        start,
    }
}

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
        for thread in unstarted {
            match (thread.start)() {
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
