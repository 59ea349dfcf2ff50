//! What the functions of a pipeline can be, and what they can return.

use std::{
    future::Future,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::process::ProcessError;

/// What a sink can return: nothing, whether it wants more, or an error, which ends the run.
///
/// It is implemented for `()`, for [`ControlFlow<()>`](ControlFlow), and for results of either.
pub trait SinkStep {
    /// Whether to go on.
    ///
    /// # Errors
    ///
    /// What is to end the run.
    fn flow(self) -> Result<ControlFlow<()>, ProcessError>;
}

impl SinkStep for () {
    fn flow(self) -> Result<ControlFlow<()>, ProcessError> {
        Ok(ControlFlow::Continue(()))
    }
}

impl SinkStep for ControlFlow<()> {
    fn flow(self) -> Result<ControlFlow<()>, ProcessError> {
        Ok(self)
    }
}

impl<S: SinkStep, E: Into<ProcessError>> SinkStep for Result<S, E> {
    fn flow(self) -> Result<ControlFlow<()>, ProcessError> {
        self.map_err(Into::into)?.flow()
    }
}

/// What a stage or a sink with ports does with an item; see [`Pipeline::try_stage_with`](super::Pipeline::try_stage_with). Async closures are it.
pub trait StepWith<'a, P: 'a, T>: Send {
    /// What it returns.
    type Output;
    /// The step under way.
    type Future: Future<Output = Self::Output> + Send + 'a;
    /// Begins with an item.
    fn begin(&mut self, ports: &'a P, item: T) -> Self::Future;
}

impl<'a, P, T, F, Fut> StepWith<'a, P, T> for F
where
    P: 'a,
    F: FnMut(&'a P, T) -> Fut + Send,
    Fut: Future + Send + 'a,
{
    type Output = Fut::Output;
    type Future = Fut;

    fn begin(&mut self, ports: &'a P, item: T) -> Fut {
        self(ports, item)
    }
}

/// A stream of which each item is changed.
pub(super) struct Mapped<S, F> {
    pub(super) source: Pin<Box<S>>,
    pub(super) map: F,
}

impl<S: Stream, F: FnMut(S::Item) -> U + Unpin, U> Stream for Mapped<S, F> {
    type Item = U;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<U>> {
        let this = self.get_mut();
        let item = this.source.as_mut().poll_next(context);
        item.map(|item| item.map(&mut this.map))
    }
}
