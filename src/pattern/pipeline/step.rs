//! What the functions of a pipeline can be, and what they can return.

use std::{
    future::Future,
    iter::Empty,
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

/// What a stage or a sink with ports does with an item; see [`Pipeline::try_stage_ports`](super::Pipeline::try_stage_ports).
/// Async closures are it.
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

/// What a worker with a state of its own does with an item, where it awaits; see
/// [`Pipeline::try_stage_with_async`](super::Pipeline::try_stage_with_async). Async closures are it.
pub trait StepOn<'a, S: 'a, T>: Send {
    /// What it returns.
    type Output;
    /// The step under way.
    type Future: Future<Output = Self::Output> + Send + 'a;
    /// Begins with an item.
    fn begin(&mut self, state: &'a mut S, item: T) -> Self::Future;
}

impl<'a, S, T, F, Fut> StepOn<'a, S, T> for F
where
    S: 'a,
    F: FnMut(&'a mut S, T) -> Fut + Send,
    Fut: Future + Send + 'a,
{
    type Output = Fut::Output;
    type Future = Fut;

    fn begin(&mut self, state: &'a mut S, item: T) -> Fut {
        self(state, item)
    }
}

// ---- What a stage does, whatever it was made of ----

/// What a worker does with each item.
pub(super) trait Work<T>: Send {
    type Output;
    fn work(&mut self, item: T) -> impl Future<Output = Self::Output> + Send;
}

/// A function that returns a future.
pub(super) struct Plain<F>(pub(super) F);

impl<T, F, Fut> Work<T> for Plain<F>
where
    F: FnMut(T) -> Fut + Send,
    Fut: Future + Send,
{
    type Output = Fut::Output;

    fn work(&mut self, item: T) -> impl Future<Output = Fut::Output> + Send {
        (self.0)(item)
    }
}

/// An async function with a state that it borrows.
pub(super) struct OnState<S, F> {
    pub(super) state: S,
    pub(super) step: F,
}

impl<T, S, U, E, F> Work<T> for OnState<S, F>
where
    S: Send,
    E: Into<ProcessError>,
    F: for<'a> StepOn<'a, S, T, Output = Result<U, E>>,
{
    type Output = Result<One<U>, ProcessError>;

    fn work(&mut self, item: T) -> impl Future<Output = Self::Output> + Send {
        let result = self.step.begin(&mut self.state, item);
        async move { result.await.map(One).map_err(Into::into) }
    }
}

/// What comes of an item: one, or several.
pub(super) trait Yield: Send {
    type Item;
    type Items: Iterator<Item = Self::Item> + Send;
    fn split(self) -> Yielded<Self::Item, Self::Items>;
}

pub(super) enum Yielded<U, I> {
    One(U),
    Many(I),
}

/// One comes of it.
pub(super) struct One<U>(pub(super) U);

/// So many come of it as there are.
pub(super) struct Many<I>(pub(super) I);

impl<U: Send> Yield for One<U> {
    type Item = U;
    type Items = Empty<U>;

    fn split(self) -> Yielded<U, Empty<U>> {
        Yielded::One(self.0)
    }
}

impl<I: Iterator + Send> Yield for Many<I> {
    type Item = I::Item;
    type Items = I;

    fn split(self) -> Yielded<I::Item, I> {
        Yielded::Many(self.0)
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
