//! How a pipeline becomes processes of a network: from the sink, which asks its stage for channels, back to the source.

use std::{
    future::{Future, ready},
    ops::ControlFlow,
    pin::Pin,
    time::Duration,
};

use futures_core::Stream;

use super::{
    SinkStep, StepOn, StepWith,
    drain::{self, Drain},
    link::{After, Crew, Feed, Inlet, Pick, Route, Slot, link},
    report::{Gauge, StageGauges},
    source,
    step::{Many, OnState, One, Plain, Yield},
    worker::{self, BlockingPorts, Outlet, Policy, Ports, Worker},
};
use crate::{
    process::{self, BlockingIn, In, InToken, Network, OutToken, ProcessError},
    sync::{Arc, Mutex},
};

/// What takes the errors of a stage.
pub(super) type TakeError =
    Box<dyn FnMut(ProcessError) -> Result<ControlFlow<()>, ProcessError> + Send>;

/// How a stage was asked to be.
pub(super) struct Options {
    pub(super) is_ordered: bool,
    pub(super) policy: Policy,
    pub(super) take_error: Option<TakeError>,
    /// How long an item may take.
    pub(super) limit: Option<Duration>,
    /// Whether it awaits, so that it can be cut off.
    pub(super) awaits: bool,
    /// Whether its items go by key, to several workers.
    pub(super) is_by_key: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            is_ordered: false,
            policy: Policy::Stop,
            take_error: None,
            limit: None,
            awaits: false,
            is_by_key: false,
        }
    }
}

/// A network in which a pipeline is being built.
pub(super) struct Site<'a> {
    pub(super) net: &'a mut Network,
    /// Of the source, the stages in their order, and the sink.
    pub(super) gauges: Vec<StageGauges>,
}

/// Builds a stage and all before it, for those who come after it: one feed for each of them.
pub(super) type Plan<T> = Box<dyn FnOnce(&mut Site<'_>, Options, &After<T>) -> Vec<Feed<T>> + Send>;

impl Site<'_> {
    /// Those of the workers of a stage, whose processes have its name and a number.
    fn gauges(&mut self, stage: &str, workers: usize) -> Vec<Arc<Gauge>> {
        let gauges: Vec<Arc<Gauge>> = (0..workers).map(|_| Arc::default()).collect();
        self.gauges.push(StageGauges {
            stage: stage.to_owned(),
            workers: gauges.clone(),
            is_numbered: true,
        });
        gauges
    }

    /// That of a process that is alone, and has the name.
    pub(super) fn gauge(&mut self, name: &str) -> Arc<Gauge> {
        let gauge = Arc::<Gauge>::default();
        self.gauges.push(StageGauges {
            stage: name.to_owned(),
            workers: vec![Arc::clone(&gauge)],
            is_numbered: false,
        });
        gauge
    }

    /// A process that takes the errors which a stage diverts, if it was asked for.
    fn diversion(
        &mut self,
        stage: &str,
        take_error: Option<TakeError>,
    ) -> Option<OutToken<ProcessError>> {
        let take_error = take_error?;
        let (out, into) = self.net.channel(&format!("{stage} > {stage} errors"));
        self.net.process(
            format!("{stage} errors"),
            into,
            async move |errors: &In<ProcessError>| drain::take_diverted(errors, take_error).await,
        );
        Some(out)
    }
}

impl<T> Outlet<T> {
    pub(super) fn new(
        route: Route<T>,
        policy: Policy,
        gauge: Arc<Gauge>,
    ) -> (Vec<OutToken<Slot<T>>>, Self) {
        let outlet = Self {
            choice: route.choice,
            tells_gaps: route.tells_gaps,
            at: None,
            policy,
            gauge,
        };
        (route.ports, outlet)
    }
}

/// A stage that is about to be added: its name, its workers, and what comes before it.
pub(super) struct Stage<T> {
    pub(super) name: String,
    pub(super) workers: usize,
    pub(super) before: (Plan<T>, Options),
    /// If its items go by key.
    pub(super) pick: Option<Pick<T>>,
}

/// One worker that is about to be added.
struct Seat<T, U> {
    name: String,
    ins: Vec<InToken<Slot<T>>>,
    outs: Vec<OutToken<Slot<U>>>,
    errors: Option<OutToken<ProcessError>>,
    worker: Worker<U>,
}

/// A stage whose workers are added by `add`.
fn stage<T, U>(
    stage: Stage<T>,
    mut add: impl FnMut(&mut Network, Seat<T, U>) + Send + 'static,
) -> Plan<U>
where
    T: Send + 'static,
    U: Send + 'static,
{
    Box::new(move |site, options, after| {
        let Stage {
            name,
            workers,
            before: (before, before_options),
            pick,
        } = stage;
        let crew = Crew::new(&name, workers, options.is_ordered);
        let own = After { crew, pick };
        let feeds = before(site, before_options, &own);
        let gauges = site.gauges(&name, workers);
        let (routes, next) = link(site, &own.crew, after);
        let errors = site.diversion(&name, options.take_error);
        let seats = feeds.into_iter().zip(routes).zip(gauges).enumerate();
        for (number, ((feed, route), gauge)) in seats {
            let (outs, outlet) = Outlet::new(route, options.policy, gauge);
            let seat = Seat {
                name: format!("{name} {}", number + 1),
                ins: feed.ports,
                outs,
                errors: errors.as_ref().map(OutToken::share),
                worker: Worker {
                    inlet: Inlet::new(feed.round),
                    outlet,
                    limit: options.limit,
                },
            };
            add(site.net, seat);
        }
        next
    })
}

/// A stage of processes.
pub(super) fn async_stage<T, U, F, Fut>(shape: Stage<T>, step: F) -> Plan<U>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnMut(T) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<U, ProcessError>> + Send + 'static,
{
    stage(shape, move |net, seat: Seat<T, U>| {
        let mut step = step.clone();
        let worker = seat.worker;
        net.process(
            seat.name,
            (seat.ins, seat.outs, seat.errors),
            async move |ports: &Ports<T, U>| {
                let step = Plain(|item| {
                    let result = step(item);
                    async move { result.await.map(One) }
                });
                worker::work(ports, worker, step).await
            },
        );
    })
}

/// A stage of processes that make several of one.
pub(super) fn flat_stage<T, I, F, Fut>(shape: Stage<T>, step: F) -> Plan<I::Item>
where
    T: Send + 'static,
    I: Iterator<Item: Send + 'static> + Send + 'static,
    F: FnMut(T) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<I, ProcessError>> + Send + 'static,
{
    stage(shape, move |net, seat: Seat<T, I::Item>| {
        let mut step = step.clone();
        let worker = seat.worker;
        net.process(
            seat.name,
            (seat.ins, seat.outs, seat.errors),
            async move |ports: &Ports<T, I::Item>| {
                let step = Plain(|item| {
                    let result = step(item);
                    async move { result.await.map(Many) }
                });
                worker::work(ports, worker, step).await
            },
        );
    })
}

/// A stage of processes that each have a state, and do not await.
pub(super) fn state_stage<T, U, S, M, F>(shape: Stage<T>, make: M, step: F) -> Plan<U>
where
    T: Send + 'static,
    U: Send + 'static,
    S: Send + 'static,
    M: FnMut() -> Result<S, ProcessError> + Clone + Send + 'static,
    F: FnMut(&mut S, T) -> Result<U, ProcessError> + Clone + Send + 'static,
{
    stage(shape, move |net, seat: Seat<T, U>| {
        let (mut make, mut step) = (make.clone(), step.clone());
        let worker = seat.worker;
        net.process(
            seat.name,
            (seat.ins, seat.outs, seat.errors),
            async move |ports: &Ports<T, U>| {
                let mut state = make()?;
                let step = Plain(|item| ready(step(&mut state, item).map(One)));
                worker::work(ports, worker, step).await
            },
        );
    })
}

/// A stage of processes that each have a state, and await.
pub(super) fn async_state_stage<T, U, E, S, M, F>(shape: Stage<T>, make: M, step: F) -> Plan<U>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Into<ProcessError> + 'static,
    S: Send + 'static,
    M: FnMut() -> Result<S, ProcessError> + Clone + Send + 'static,
    F: for<'a> StepOn<'a, S, T, Output = Result<U, E>> + Clone + 'static,
{
    stage(shape, move |net, seat: Seat<T, U>| {
        let (mut make, step) = (make.clone(), step.clone());
        let worker = seat.worker;
        net.process(
            seat.name,
            (seat.ins, seat.outs, seat.errors),
            async move |ports: &Ports<T, U>| {
                let state = make()?;
                worker::work(ports, worker, OnState { state, step }).await
            },
        );
    })
}

/// A stage of processes with ports of their own.
pub(super) fn port_stage<T, U, E, P, F>(
    shape: Stage<T>,
    mut ports: impl FnMut() -> P + Send + 'static,
    step: F,
) -> Plan<U>
where
    T: Send + 'static,
    U: Send + 'static,
    E: Into<ProcessError> + 'static,
    P: process::Ports + 'static,
    F: for<'a> StepWith<'a, P::Async, T, Output = Result<U, E>> + Clone + 'static,
{
    stage(shape, move |net, seat: Seat<T, U>| {
        let mut step = step.clone();
        let worker = seat.worker;
        net.process(
            seat.name,
            ((seat.ins, seat.outs, seat.errors), ports()),
            async move |(own, ports): &(Ports<T, U>, P::Async)| {
                let step = Plain(|item| {
                    let result = step.begin(ports, item);
                    async move { result.await.map(One).map_err(Into::into) }
                });
                worker::work(own, worker, step).await
            },
        );
    })
}

/// A stage of threads, each of which makes its own step; what the step has need not be sent between threads.
pub(super) fn blocking_stage<T, Y, S, M>(shape: Stage<T>, make: M) -> Plan<Y::Item>
where
    T: Send + 'static,
    Y: Yield<Item: Send + 'static> + 'static,
    S: FnMut(T) -> Result<Y, ProcessError>,
    M: FnOnce() -> Result<S, ProcessError> + Clone + Send + 'static,
{
    stage(shape, move |net, seat: Seat<T, Y::Item>| {
        let make = make.clone();
        let worker = seat.worker;
        net.thread(
            seat.name,
            (seat.ins, seat.outs, seat.errors),
            move |ports: &BlockingPorts<T, Y::Item>| worker::work_blocking(ports, worker, make()?),
        );
    })
}

/// The name of what makes the items.
pub(super) const SOURCE: &str = "source";
/// The name of what takes them in the end.
pub(super) const SINK: &str = "sink";

/// A source whose one process is added by `add`.
fn source<T: Send + 'static>(
    add: impl FnOnce(&mut Network, Vec<OutToken<Slot<T>>>, Option<OutToken<ProcessError>>, Outlet<T>)
    + Send
    + 'static,
) -> Plan<T> {
    Box::new(move |site, options, after| {
        let gauge = site.gauge(SOURCE);
        let (routes, next) = link(site, &Crew::one(SOURCE), after);
        let errors = site.diversion(SOURCE, options.take_error);
        if let Some(route) = routes.into_iter().next() {
            let (outs, outlet) = Outlet::new(route, options.policy, gauge);
            add(site.net, outs, errors, outlet);
        }
        next
    })
}

/// A source that is an iterator.
pub(super) fn iterator<T, I>(items: I) -> Plan<T>
where
    T: Send + 'static,
    I: Iterator<Item = Result<T, ProcessError>> + Send + 'static,
{
    source(move |net, outs, errors, outlet| {
        net.process(
            SOURCE,
            (outs, errors),
            async move |ports: &source::SourcePorts<T>| source::iterate(ports, outlet, items).await,
        );
    })
}

/// A source that is an iterator which blocks.
pub(super) fn blocking_iterator<T, I>(items: I) -> Plan<T>
where
    T: Send + 'static,
    I: Iterator<Item = Result<T, ProcessError>> + Send + 'static,
{
    source(move |net, outs, errors, outlet| {
        net.thread(
            SOURCE,
            (outs, errors),
            move |ports: &source::BlockingSourcePorts<T>| {
                source::iterate_blocking(ports, outlet, items)
            },
        );
    })
}

/// A source that is a stream.
pub(super) fn stream<T, S>(items: Pin<Box<S>>) -> Plan<T>
where
    T: Send + 'static,
    S: Stream<Item = Result<T, ProcessError>> + Send + 'static,
{
    source(move |net, outs, errors, outlet| {
        net.process(
            SOURCE,
            (outs, errors),
            async move |ports: &source::SourcePorts<T>| source::stream(ports, outlet, items).await,
        );
    })
}

/// A source that is a channel.
pub(super) fn port<T: Send + 'static>(port: InToken<T>) -> Plan<T> {
    source(move |net, outs, errors, outlet| {
        net.process(
            SOURCE,
            (port, (outs, errors)),
            async move |(port, ports): &(In<T>, source::SourcePorts<T>)| {
                source::take(port, ports, outlet).await
            },
        );
    })
}

/// What a sink has come to when it ended, for whoever started the pipeline.
pub(super) type Outcome<R> = Arc<Mutex<Option<R>>>;
/// Builds a whole pipeline.
///
/// Its sink has the name that is given.
pub(super) type WholePlan = Box<dyn FnOnce(&mut Site<'_>, &str) + Send>;

/// The ports of a sink, and what it knows.
fn sink_seat<T: Send + 'static>(
    site: &mut Site<'_>,
    name: &str,
    (before, before_options): (Plan<T>, Options),
) -> Option<(Vec<InToken<Slot<T>>>, Drain)> {
    let feeds = before(site, before_options, &After::one(name));
    let feed = feeds.into_iter().next()?;
    let gauge = site.gauge(name);
    let inlet = Inlet::new(feed.round);
    Some((feed.ports, Drain { inlet, gauge }))
}

/// A sink: a process, which adds each item to `value`.
pub(super) fn sink<T, R, F, Fut>(
    before: (Plan<T>, Options),
    outcome: Outcome<R>,
    mut value: R,
    step: F,
) -> WholePlan
where
    T: Send + 'static,
    R: Send + 'static,
    F: FnMut(&mut R, T) -> Fut + Send + 'static,
    Fut: Future<Output = Result<ControlFlow<()>, ProcessError>> + Send + 'static,
{
    Box::new(move |site, name| {
        let Some((ins, drain)) = sink_seat(site, name, before) else {
            return;
        };
        site.net
            .process(name, ins, async move |ins: &Vec<In<Slot<T>>>| {
                drain::drain(ins, drain, &mut value, step).await?;
                *outcome.lock() = Some(value);
                Ok(())
            });
    })
}

/// A sink with ports of its own.
pub(super) fn sink_with<T, P, F>(
    before: (Plan<T>, Options),
    outcome: Outcome<()>,
    ports: P,
    mut step: F,
) -> WholePlan
where
    T: Send + 'static,
    P: process::Ports + 'static,
    F: for<'a> StepWith<'a, P::Async, T, Output: SinkStep> + 'static,
{
    Box::new(move |site, name| {
        let Some((ins, drain)) = sink_seat(site, name, before) else {
            return;
        };
        site.net.process(
            name,
            (ins, ports),
            async move |(ins, ports): &(Vec<In<Slot<T>>>, P::Async)| {
                let step = |(): &mut (), item| {
                    let done = step.begin(ports, item);
                    async move { done.await.flow() }
                };
                drain::drain(ins, drain, &mut (), step).await?;
                *outcome.lock() = Some(());
                Ok(())
            },
        );
    })
}

/// A sink that is a thread.
pub(super) fn blocking_sink<T, F>(
    before: (Plan<T>, Options),
    outcome: Outcome<()>,
    step: F,
) -> WholePlan
where
    T: Send + 'static,
    F: FnMut(T) -> Result<ControlFlow<()>, ProcessError> + Send + 'static,
{
    Box::new(move |site, name| {
        let Some((ins, drain)) = sink_seat(site, name, before) else {
            return;
        };
        site.net
            .thread(name, ins, move |ins: &Vec<BlockingIn<Slot<T>>>| {
                drain::drain_blocking(ins, drain, step)?;
                *outcome.lock() = Some(());
                Ok(())
            });
    })
}
