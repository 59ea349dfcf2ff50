//! How a pipeline becomes processes of a network: from the sink, which asks its stage for channels, back to the source.

use std::{future::Future, ops::ControlFlow, pin::Pin};

use futures_core::Stream;

use super::{
    SinkStep, StepWith,
    link::{Crew, Feed, Route, Slot, link},
    report::{Gauge, StageGauges},
    worker::{self, BlockingPorts, Drain, Outlet, Policy, Ports, Worker},
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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            is_ordered: false,
            policy: Policy::Stop,
            take_error: None,
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
pub(super) type Plan<T> = Box<dyn FnOnce(&mut Site<'_>, Options, &Crew) -> Vec<Feed<T>> + Send>;

impl Site<'_> {
    fn gauges(&mut self, stage: &str, workers: usize) -> Vec<Arc<Gauge>> {
        let gauges: Vec<Arc<Gauge>> = (0..workers).map(|_| Arc::default()).collect();
        self.gauges.push(StageGauges {
            stage: stage.to_owned(),
            workers: gauges.clone(),
        });
        gauges
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
            async move |errors: &In<ProcessError>| worker::take_diverted(errors, take_error).await,
        );
        Some(out)
    }
}

impl Outlet {
    fn new<T>(
        route: Route<T>,
        policy: Policy,
        gauge: Arc<Gauge>,
    ) -> (Vec<OutToken<Slot<T>>>, Self) {
        let outlet = Self {
            choice: route.choice,
            tells_gaps: route.tells_gaps,
            policy,
            gauge,
        };
        (route.ports, outlet)
    }
}

/// One worker that is about to be added.
struct Seat<T, U> {
    name: String,
    ins: Vec<InToken<Slot<T>>>,
    outs: Vec<OutToken<Slot<U>>>,
    errors: Option<OutToken<ProcessError>>,
    worker: Worker,
}

/// A stage whose workers are added by `add`.
fn stage<T, U>(
    name: String,
    workers: usize,
    (before, before_options): (Plan<T>, Options),
    mut add: impl FnMut(&mut Network, Seat<T, U>) + Send + 'static,
) -> Plan<U>
where
    T: Send + 'static,
    U: Send + 'static,
{
    Box::new(move |site, options, after| {
        let crew = Crew::new(&name, workers, options.is_ordered);
        let feeds = before(site, before_options, &crew);
        let (routes, next) = link(site.net, &crew, after);
        let errors = site.diversion(&name, options.take_error);
        let gauges = site.gauges(&name, workers);
        let seats = feeds.into_iter().zip(routes).zip(gauges).enumerate();
        for (number, ((feed, route), gauge)) in seats {
            let (outs, outlet) = Outlet::new(route, options.policy, gauge);
            let seat = Seat {
                name: format!("{name} {}", number + 1),
                ins: feed.ports,
                outs,
                errors: errors.as_ref().map(OutToken::share),
                worker: Worker {
                    round: feed.round,
                    outlet,
                },
            };
            add(site.net, seat);
        }
        next
    })
}

/// A stage of processes.
pub(super) fn async_stage<T, U, F, Fut>(
    name: String,
    workers: usize,
    before: (Plan<T>, Options),
    step: F,
) -> Plan<U>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnMut(T) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<U, ProcessError>> + Send + 'static,
{
    stage(name, workers, before, move |net, seat: Seat<T, U>| {
        let step = step.clone();
        let worker = seat.worker;
        net.process(
            seat.name,
            (seat.ins, seat.outs, seat.errors),
            async move |ports: &Ports<T, U>| worker::work(ports, worker, step).await,
        );
    })
}

/// A stage of processes with ports of their own.
pub(super) fn stage_with<T, U, E, P, F>(
    name: String,
    workers: usize,
    before: (Plan<T>, Options),
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
    stage(name, workers, before, move |net, seat: Seat<T, U>| {
        let mut step = step.clone();
        let worker = seat.worker;
        net.process(
            seat.name,
            ((seat.ins, seat.outs, seat.errors), ports()),
            async move |(own, ports): &(Ports<T, U>, P::Async)| {
                let step = |item| {
                    let result = step.begin(ports, item);
                    async move { result.await.map_err(Into::into) }
                };
                worker::work(own, worker, step).await
            },
        );
    })
}

/// A stage of threads.
pub(super) fn blocking_stage<T, U, F>(
    name: String,
    workers: usize,
    before: (Plan<T>, Options),
    step: F,
) -> Plan<U>
where
    T: Send + 'static,
    U: Send + 'static,
    F: FnMut(T) -> Result<U, ProcessError> + Clone + Send + 'static,
{
    stage(name, workers, before, move |net, seat: Seat<T, U>| {
        let step = step.clone();
        let worker = seat.worker;
        net.thread(
            seat.name,
            (seat.ins, seat.outs, seat.errors),
            move |ports: &BlockingPorts<T, U>| worker::work_blocking(ports, worker, step),
        );
    })
}

/// The name of what makes the items.
pub(super) const SOURCE: &str = "source";
/// The name of what takes them in the end.
pub(super) const SINK: &str = "sink";

/// A source whose one process is added by `add`.
fn source<T: Send + 'static>(
    add: impl FnOnce(&mut Network, Vec<OutToken<Slot<T>>>, Option<OutToken<ProcessError>>, Outlet)
    + Send
    + 'static,
) -> Plan<T> {
    Box::new(move |site, options, after| {
        let crew = Crew::new(SOURCE, 1, true);
        let (routes, next) = link(site.net, &crew, after);
        let errors = site.diversion(SOURCE, options.take_error);
        let gauges = site.gauges(SOURCE, 1);
        if let (Some(route), Some(gauge)) = (routes.into_iter().next(), gauges.into_iter().next()) {
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
            async move |ports: &worker::SourcePorts<T>| worker::iterate(ports, outlet, items).await,
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
            move |ports: &worker::BlockingSourcePorts<T>| {
                worker::iterate_blocking(ports, outlet, items)
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
            async move |ports: &worker::SourcePorts<T>| worker::stream(ports, outlet, items).await,
        );
    })
}

/// A source that is a channel.
pub(super) fn port<T: Send + 'static>(port: InToken<T>) -> Plan<T> {
    source(move |net, outs, errors, outlet| {
        net.process(
            SOURCE,
            (port, (outs, errors)),
            async move |(port, ports): &(In<T>, worker::SourcePorts<T>)| {
                worker::take(port, ports, outlet).await
            },
        );
    })
}

/// What a sink has come to when it ended, for whoever started the pipeline.
pub(super) type Outcome<R> = Arc<Mutex<Option<R>>>;
/// Builds a whole pipeline.
pub(super) type WholePlan = Box<dyn FnOnce(&mut Site<'_>) + Send>;

/// The ports of a sink, and what it knows.
fn sink_seat<T: Send + 'static>(
    site: &mut Site<'_>,
    (before, before_options): (Plan<T>, Options),
) -> Option<(Vec<InToken<Slot<T>>>, Drain)> {
    let crew = Crew::new(SINK, 1, true);
    let feed = before(site, before_options, &crew).into_iter().next()?;
    let gauge = site.gauges(SINK, 1).into_iter().next()?;
    let round = feed.round;
    Some((feed.ports, Drain { round, gauge }))
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
    Box::new(move |site| {
        let Some((ins, drain)) = sink_seat(site, before) else {
            return;
        };
        site.net
            .process(SINK, ins, async move |ins: &Vec<In<Slot<T>>>| {
                worker::drain(ins, drain, &mut value, step).await?;
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
    Box::new(move |site| {
        let Some((ins, drain)) = sink_seat(site, before) else {
            return;
        };
        site.net.process(
            SINK,
            (ins, ports),
            async move |(ins, ports): &(Vec<In<Slot<T>>>, P::Async)| {
                let step = |(): &mut (), item| {
                    let done = step.begin(ports, item);
                    async move { done.await.flow() }
                };
                worker::drain(ins, drain, &mut (), step).await?;
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
    Box::new(move |site| {
        let Some((ins, drain)) = sink_seat(site, before) else {
            return;
        };
        site.net
            .thread(SINK, ins, move |ins: &Vec<BlockingIn<Slot<T>>>| {
                worker::drain_blocking(ins, drain, step)?;
                *outcome.lock() = Some(());
                Ok(())
            });
    })
}
