//! A process that somebody else's executor polls: its waits are visible in the network, and the network does not run it.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use super::{
    body::Process,
    error::{ProcessError, ProcessResult},
    ports::{Bound, Failing, Ports, Seat},
    registry::{Kind, Registry},
    trace::Span,
};
use crate::sync::{
    Arc,
    task::{LentUntilGivenBack, TaskRef, poll_attached},
};

/// A process that is to be polled by an executor of the caller's, such as tokio's or smol's; made by
/// [`Network::attach`](super::Network::attach).
///
/// It begins when the network runs, whenever it is polled first. The run does not wait for its end. What it returns goes
/// to whoever awaits it: if it fails it poisons the channels that it holds ends of, and the run does not name it. An
/// [end](super::OrEnd) comes as an error too, and poisons nothing.
///
/// It may be dropped at any time, by whoever has it, and would give its ends up then. So a wait that it could end, and
/// its own, are never part of a deadlock, unless its owner [promises](Self::promise_to_poll) otherwise.
///
/// # Cancel safety
///
/// Dropping it ends the process where it is.
#[must_use = "a future does nothing unless it is polled"]
pub struct Attached<R = ()> {
    registry: Arc<Registry>,
    task: TaskRef,
    /// Dropped with its ports.
    future: Option<Pin<Box<dyn Future<Output = ProcessResult<R>> + Send>>>,
}

impl<R> Attached<R> {
    pub(super) fn new<P, F>(registry: &Arc<Registry>, name: &str, ports: P, process: F) -> Self
    where
        P: Ports,
        R: 'static,
        F: for<'a> Process<'a, P::Async, R> + 'static,
    {
        let id = registry.reserve_process();
        let ports = ports.bind(&Seat::new(registry, id));
        let task = TaskRef::of_attached(id);
        registry.add_process(name, task.clone(), Kind::Attached, true);
        let name = name.to_owned();
        let known_by = Arc::clone(registry);
        let future = async move {
            let result = {
                let span = Span::of_process(&known_by, id);
                let mut process = pin!(span.enter(|| process.begin(&ports)));
                poll_fn(|context| span.enter(|| process.as_mut().poll(context))).await
            };
            if let Some(end) = result.as_ref().err().and_then(ProcessError::as_end) {
                known_by.unsent.note(end, || name);
            } else if let Err(error) = &result {
                let words = format!("process `{name}` failed: {error}");
                ports.fail(&Failing(known_by.reason_of(words)));
            }
            result
        };
        Self {
            registry: Arc::clone(registry),
            task,
            future: Some(Box::pin(future)),
        }
    }

    /// Promises that it will be polled whenever it is woken, and not be dropped before it has ended, so that it can be
    /// part of a deadlock. A promise that is broken makes false alarms.
    pub fn promise_to_poll(self) -> Self {
        self.registry.close_process(self.task.id());
        self
    }

    fn end(&mut self) {
        if let Some(future) = self.future.take() {
            let _lent = LentUntilGivenBack(&self.task);
            drop(future);
            self.task.forget_outer_waker();
            self.registry.remove_process(self.task.id());
        }
    }
}

impl<R> Future for Attached<R> {
    type Output = ProcessResult<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ProcessResult<R>> {
        let this = &mut *self;
        if !this.registry.has_begun() && !this.registry.call_at_begin(context.waker()) {
            return Poll::Pending;
        }
        let Some(future) = &mut this.future else {
            panic!("an attached process was polled again after it had ended");
        };
        let result = ready!(poll_attached(&this.task, future.as_mut(), context));
        this.end();
        Poll::Ready(result)
    }
}

impl<R> Drop for Attached<R> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<R> fmt::Debug for Attached<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").finish_non_exhaustive()
    }
}
