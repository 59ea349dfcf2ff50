//! One process from its first step to its last: its ports, its future, and what becomes of both.

use std::{
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use super::{
    error::{Cause, Failure, ProcessResult},
    ports::{Bound, Ports},
    registry::Registry,
};
use crate::sync::{Arc, task::TaskRef};

/// What a process does: a closure or function that borrows its ports and returns a future.
///
/// An async closure is one, with the type of its parameter written out:
/// `async |jobs: &Out<Job>| { jobs.send(job).await?; Ok(()) }`. So is a plain `async fn` of that shape.
pub trait Process<'a, P: 'a>: Send {
    /// The process under way.
    type Future: Future<Output = ProcessResult> + Send + 'a;
    /// Begins.
    fn begin(self, ports: &'a P) -> Self::Future;
}

impl<'a, P, F, Fut> Process<'a, P> for F
where
    P: 'a,
    F: FnOnce(&'a P) -> Fut + Send,
    Fut: Future<Output = ProcessResult> + Send + 'a,
{
    type Future = Fut;

    fn begin(self, ports: &'a P) -> Fut {
        self(ports)
    }
}

/// A process that was added to its network and has not begun; none, if the run was over by then.
pub(super) struct Body(Option<TaskRef>);

impl Body {
    pub(super) fn new<P, F>(registry: &Arc<Registry>, name: &str, ports: P, process: F) -> Self
    where
        P: Ports,
        F: for<'a> Process<'a, P::Async> + 'static,
    {
        let reserved = registry.reserve_process();
        let id = reserved.id();
        let ports = ports.bind(&reserved.seat());
        let future = live(Arc::clone(registry), id, ports, process);
        let task = TaskRef::of_process(id, Arc::clone(&registry.home), future);
        if reserved.add_scheduled(name, &task) {
            return Self(Some(task));
        }
        // SAFETY: nobody has heard of the task.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| unsafe { task.finish() })) {
            registry.fail(Failure {
                process: name.to_owned(),
                cause: Cause::of_panic(&*payload),
            });
        }
        Self(None)
    }

    pub(super) fn into_task(self) -> Option<TaskRef> {
        self.0
    }
}

async fn live<P, F>(registry: Arc<Registry>, id: u32, ports: P, process: F)
where
    P: Bound,
    F: for<'a> Process<'a, P> + 'static,
{
    let result = contained(process, &ports).await;
    end(&registry, id, ports, result);
}

/// Runs the process; a panic is its failure, and nobody else's.
async fn contained<'a, P, F>(process: F, ports: &'a P) -> Result<(), Cause>
where
    F: Process<'a, P>,
{
    // Nothing of the process is seen after a panic but its ports, which are as whole as channels are.
    let begun = catch_unwind(AssertUnwindSafe(|| process.begin(ports)));
    let future = begun.map_err(|payload| Cause::of_panic(&*payload))?;
    let mut future = pin!(future);
    poll_fn(move |context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(result.map_err(Cause::Error)),
            Err(payload) => Poll::Ready(Err(Cause::of_panic(&*payload))),
        }
    })
    .await
}

/// The end of a process: if it failed, it poisons what it holds; it gives up its ends. It keeps its place: whoever
/// took it up for the process gives it up, once, for afterwards it may be another's.
pub(super) fn end<P: Bound>(registry: &Registry, id: u32, ports: P, result: Result<(), Cause>) {
    if let Err(cause) = result {
        fail(registry, id, cause, &ports);
    }
    drop(ports);
}

#[cold]
fn fail<P: Bound>(registry: &Registry, id: u32, cause: Cause, ports: &P) {
    let failure = Failure {
        process: registry.name_of(id),
        cause,
    };
    let reason = failure.to_string();
    registry.fail(failure);
    ports.poison(&reason.into());
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}
