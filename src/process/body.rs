//! One process from its first step to its last: its ports, its future, and what becomes of both.

use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{
    error::{Cause, Failure, ProcessError, ProcessResult},
    outcome::Keep,
    ports::{Bound, Failing, Ports, Seat},
    registry::{Kind, Registry},
    trace::Span,
};
use crate::sync::{Arc, home::Home, task::TaskRef};

/// What a process does: a closure or function that borrows its ports and returns a future.
///
/// An async closure is one, with the type of its parameter written out:
/// `async |jobs: &Out<Job>| { jobs.send(job).await?; Ok(()) }`. So is a plain `async fn` of that shape.
///
/// `R` is what it returns when it has ended well.
pub trait Process<'a, P: 'a, R = ()>: Send {
    /// The process under way.
    type Future: Future<Output = ProcessResult<R>> + Send + 'a;
    /// Begins.
    fn begin(self, ports: &'a P) -> Self::Future;
}

impl<'a, P, R, F, Fut> Process<'a, P, R> for F
where
    P: 'a,
    F: FnOnce(&'a P) -> Fut + Send,
    Fut: Future<Output = ProcessResult<R>> + Send + 'a,
{
    type Future = Fut;

    fn begin(self, ports: &'a P) -> Fut {
        self(ports)
    }
}

/// A process that was added to its network and has not begun. Its executor holds it too.
pub(super) struct Body(TaskRef);

impl Body {
    /// It will be run at `home`. `None` if the run is over already: the process is dropped.
    pub(super) fn new<P, R, F>(
        registry: &Arc<Registry>,
        home: Arc<Home>,
        name: &str,
        ports: P,
        process: F,
        keeper: impl Keep<R>,
    ) -> Option<Self>
    where
        P: Ports,
        R: Send + 'static,
        F: for<'a> Process<'a, P::Async, R> + 'static,
    {
        let id = registry.reserve_process();
        let seat = Seat::new(registry, id);
        let ports = ports.bind(&seat);
        let future = live(Arc::clone(registry), id, ports, process, keeper);
        let task = TaskRef::of_process(id, home, future);
        let executors = task.clone();
        registry.home.one_more();
        if !registry.add_process(name, task.clone(), Kind::Process, false) {
            registry.home.one_less();
            return None;
        }
        if seat.may_start() {
            registry.note_starter(id);
        }
        // Whoever ends all processes may have given it up by now.
        executors.into_raw();
        Some(Self(task))
    }

    pub(super) fn into_task(self) -> TaskRef {
        self.0
    }
}

/// The process from its first step to its last. What it captures is used where it is, and not moved into locals: a
/// future keeps room for both.
#[expect(
    clippy::manual_async_fn,
    reason = "an `async fn` keeps room for its arguments twice"
)]
fn live<P, R, F>(
    registry: Arc<Registry>,
    id: u32,
    ports: P,
    process: F,
    keeper: impl Keep<R>,
) -> impl Future<Output = ()> + Send
where
    P: Bound,
    R: Send + 'static,
    F: for<'a> Process<'a, P, R> + 'static,
{
    async move {
        let span = Span::of_process(&registry, id);
        keeper.begin();
        let result = contained(span, process, &ports).await;
        end_contained(&registry, id, ports, keeper, result);
    }
}

/// Begins a process. Nothing of it is seen after a panic but its ports, which are as whole as channels are.
fn contained<'a, P, R, F>(span: Span, process: F, ports: &'a P) -> Contained<F::Future>
where
    F: Process<'a, P, R>,
{
    match catch_unwind(AssertUnwindSafe(|| span.enter(|| process.begin(ports)))) {
        Ok(future) => Contained {
            future: Some(future),
            cause: None,
            span,
        },
        Err(payload) => Contained {
            future: None,
            cause: Some(Box::new(Cause::of_panic(&*payload))),
            span,
        },
    }
}

pin_project! {
    /// A process under way; a panic is its failure, and nobody else's.
    struct Contained<F> {
        #[pin]
        future: Option<F>,
        // Why it has not begun.
        cause: Option<Box<Cause>>,
        span: Span,
    }
}

impl<R, F: Future<Output = ProcessResult<R>>> Future for Contained<F> {
    type Output = Result<R, Cause>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let span = this.span;
        let mut place = this.future;
        let Some(future) = place.as_mut().as_pin_mut() else {
            let Some(cause) = this.cause.take() else {
                unreachable!("it is polled until it is ready")
            };
            return Poll::Ready(Err(*cause));
        };
        let result = match catch_unwind(AssertUnwindSafe(|| span.enter(|| future.poll(context)))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result.map_err(Cause::Error),
            Err(payload) => Err(Cause::of_panic(&*payload)),
        };
        // Here and now, for its destructor may panic.
        let cleared = catch_unwind(AssertUnwindSafe(|| span.enter(|| place.set(None))));
        Poll::Ready(match cleared {
            Err(payload) if result.is_ok() => Err(Cause::of_panic(&*payload)),
            _ => result,
        })
    }
}

/// As [`end`], and the panic of a destructor is the failure of its process.
#[cold]
fn end_contained<P: Bound, R>(
    registry: &Registry,
    id: u32,
    ports: P,
    keeper: impl Keep<R>,
    result: Result<R, Cause>,
) {
    let ended = catch_unwind(AssertUnwindSafe(|| {
        end(registry, id, ports, keeper.keep(result));
    }));
    if let Err(payload) = ended {
        registry.fail(Failure {
            process: registry.name_of(id),
            cause: Cause::of_panic(&*payload),
        });
    }
}

/// The end of a process: if it has failed, it poisons what it holds; it gives up its ends, and then its place.
pub(super) fn end<P: Bound>(registry: &Registry, id: u32, ports: P, result: Result<(), Cause>) {
    match result {
        Ok(()) => {}
        Err(Cause::Error(error)) if error.is_end() => note_end(registry, id, &error),
        Err(cause) => fail(registry, id, cause, &ports),
    }
    drop(ports);
    registry.remove_process(id);
}

/// It ended because its peers are gone. Whoever looks is told if it had something in its hand.
#[cold]
fn note_end(registry: &Registry, id: u32, error: &ProcessError) {
    if let Some(end) = error.as_end() {
        registry.unsent.note(end, || registry.name_of(id));
    }
}

#[cold]
fn fail<P: Bound>(registry: &Registry, id: u32, cause: Cause, ports: &P) {
    let failure = Failure {
        process: registry.name_of(id),
        cause,
    };
    registry.note_failing(id);
    let reason = registry.fail(failure);
    ports.fail(&Failing(reason));
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}
