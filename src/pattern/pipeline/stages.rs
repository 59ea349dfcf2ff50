//! The stages of which each item makes one.

use std::future::{Future, ready};

use super::{
    Options, Pick, Pipeline, Stage,
    plan::{self, Plan},
    step::{One, StepWith},
};
use crate::{
    process::{Ports, ProcessError},
    sync::Arc,
};

impl<T: Send + 'static> Pipeline<T> {
    pub(super) fn then<U: Send + 'static>(
        mut self,
        name: &str,
        workers: usize,
        awaits: bool,
        plan: impl FnOnce(Stage<T>) -> Plan<U>,
    ) -> Pipeline<U> {
        self.stages.push((name.to_owned(), workers));
        let key = self.key.filter(|_| workers > 1);
        let pick = key.map(|key| -> Pick<T> {
            // So many workers fit into a machine's memory, so the rest of a division by their number does too.
            Arc::new(move |item| usize::try_from(key(item) % workers as u64).unwrap_or(0))
        });
        Pipeline {
            name: self.name,
            stages: self.stages,
            options: Options {
                awaits,
                is_by_key: pick.is_some(),
                ..Options::default()
            },
            plan: plan(Stage {
                name: name.to_owned(),
                workers,
                before: (self.plan, self.options),
                pick,
            }),
            key: None,
            wrong: self.wrong,
        }
    }

    /// Adds a stage of `workers` processes, each with its own clone of `step`.
    pub fn stage<U, F>(self, name: &str, workers: usize, mut step: F) -> Pipeline<U>
    where
        U: Send + 'static,
        F: FnMut(T) -> U + Clone + Send + 'static,
    {
        self.try_stage(name, workers, move |item| Ok::<U, ProcessError>(step(item)))
    }

    /// Adds a stage that can fail.
    pub fn try_stage<U, E, F>(self, name: &str, workers: usize, mut step: F) -> Pipeline<U>
    where
        U: Send + 'static,
        E: Into<ProcessError>,
        F: FnMut(T) -> Result<U, E> + Clone + Send + 'static,
    {
        let step = move |item| ready(step(item).map_err(Into::into));
        self.then(name, workers, false, |stage| plan::async_stage(stage, step))
    }

    /// Adds a stage that awaits: `async |item| ...`, or a function that returns a future.
    pub fn stage_async<U, F, Fut>(self, name: &str, workers: usize, mut step: F) -> Pipeline<U>
    where
        U: Send + 'static,
        F: FnMut(T) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = U> + Send + 'static,
    {
        let step = move |item| {
            let result = step(item);
            async move { Ok(result.await) }
        };
        self.then(name, workers, true, |stage| plan::async_stage(stage, step))
    }

    /// Adds a stage that awaits and can fail.
    pub fn try_stage_async<U, E, F, Fut>(
        self,
        name: &str,
        workers: usize,
        mut step: F,
    ) -> Pipeline<U>
    where
        U: Send + 'static,
        E: Into<ProcessError>,
        F: FnMut(T) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<U, E>> + Send + 'static,
    {
        let step = move |item| {
            let result = step(item);
            async move { result.await.map_err(Into::into) }
        };
        self.then(name, workers, true, |stage| plan::async_stage(stage, step))
    }

    /// Adds a stage that blocks: each worker has a thread of its own.
    pub fn stage_blocking<U, F>(self, name: &str, workers: usize, mut step: F) -> Pipeline<U>
    where
        U: Send + 'static,
        F: FnMut(T) -> U + Clone + Send + 'static,
    {
        self.try_stage_blocking(name, workers, move |item| Ok::<U, ProcessError>(step(item)))
    }

    /// Adds a stage that blocks and can fail.
    pub fn try_stage_blocking<U, E, F>(self, name: &str, workers: usize, mut step: F) -> Pipeline<U>
    where
        U: Send + 'static,
        E: Into<ProcessError>,
        F: FnMut(T) -> Result<U, E> + Clone + Send + 'static,
    {
        let make = move || Ok(move |item| step(item).map(One).map_err(Into::into));
        self.then(name, workers, false, |stage| {
            plan::blocking_stage(stage, make)
        })
    }

    /// Adds a stage whose workers have ports of their own, declared as those of any process: addresses of actors,
    /// channels to other processes. `ports` gives those of each worker (share a token). For a pipeline that is
    /// [built](super::Assembly::build) into the network of those ports.
    ///
    /// `step` is an async closure with the types of its parameters written out, which can fail:
    /// `async |cache: &Address<Cache>, key: Key| cache.ask(Get(key)).await`.
    ///
    /// # Panics
    ///
    /// [`Assembly::build`](super::Assembly::build) panics if a port belongs to another network.
    pub fn try_stage_ports<P, U, E, F>(
        self,
        name: &str,
        workers: usize,
        ports: impl FnMut() -> P + Send + 'static,
        step: F,
    ) -> Pipeline<U>
    where
        P: Ports + 'static,
        U: Send + 'static,
        E: Into<ProcessError> + 'static,
        F: for<'a> StepWith<'a, P::Async, T, Output = Result<U, E>> + Clone + 'static,
    {
        self.then(name, workers, true, |stage| {
            plan::port_stage(stage, ports, step)
        })
    }
}
