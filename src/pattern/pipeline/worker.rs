//! What the processes of a pipeline do: take, work, pass on, and say how long each took.

use std::{
    future::{Future, poll_fn},
    ops::ControlFlow,
    pin::Pin,
    time::Instant,
};

use futures_core::Stream;

use super::{
    link::{Choice, Round, Slot},
    report::Gauge,
};
use crate::{
    channel::{RecvError, SendError},
    process::{BlockingIn, BlockingOut, In, Out, ProcessError, ProcessResult},
    sync::{Arc, time},
};

/// What is done with the error of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Stop,
    Skip,
    Divert,
}

/// What a worker knows apart from its ports.
pub(super) struct Worker {
    pub(super) round: Round,
    pub(super) outlet: Outlet,
}

/// Where a worker's results go, and what it counts.
pub(super) struct Outlet {
    pub(super) choice: Choice,
    pub(super) tells_gaps: bool,
    pub(super) policy: Policy,
    pub(super) gauge: Arc<Gauge>,
}

/// What follows from a result.
enum Next<U> {
    Send(usize, Slot<U>),
    Divert(ProcessError),
    Nothing,
}

impl Outlet {
    /// What follows from what the stage made of an item; a gap (`None`) stays one.
    fn judge<U>(
        &mut self,
        result: Option<Result<U, ProcessError>>,
    ) -> Result<Next<U>, ProcessError> {
        match result {
            Some(Ok(item)) => Ok(Next::Send(self.choice.next(), Some(item))),
            Some(Err(error)) => match self.policy {
                Policy::Stop => Err(error),
                Policy::Skip => {
                    self.gauge.skipped();
                    Ok(self.gap())
                }
                Policy::Divert => Ok(Next::Divert(error)),
            },
            None => Ok(self.gap()),
        }
    }

    fn gap<U>(&mut self) -> Next<U> {
        if self.tells_gaps {
            Next::Send(self.choice.next(), None)
        } else {
            Next::Nothing
        }
    }
}

/// What a send has come to: whether to go on.
fn after<T>(sent: Result<(), SendError<T>>) -> Result<ControlFlow<()>, ProcessError> {
    match sent {
        Ok(()) => Ok(ControlFlow::Continue(())),
        // Nobody wants any more: an early end, and no error.
        Err(SendError::Disconnected(_)) => Ok(ControlFlow::Break(())),
        Err(error) => Err(ProcessError::from(error.split().0)),
    }
}

/// What a receive that has no item means.
fn ended(error: RecvError) -> ProcessResult {
    match error {
        RecvError::Disconnected => Ok(()),
        poisoned @ RecvError::Poisoned(_) => Err(poisoned.into()),
    }
}

/// Where errors go that are diverted.
pub(super) type Diversion<P> = Option<P>;
/// The ports of a worker.
pub(super) type Ports<T, U> = (
    Vec<In<Slot<T>>>,
    Vec<Out<Slot<U>>>,
    Diversion<Out<ProcessError>>,
);
/// The ports of a worker that blocks.
pub(super) type BlockingPorts<T, U> = (
    Vec<BlockingIn<Slot<T>>>,
    Vec<BlockingOut<Slot<U>>>,
    Diversion<BlockingOut<ProcessError>>,
);

/// A worker of a stage.
pub(super) async fn work<T, U, F, Fut>(
    (ins, outs, errors): &Ports<T, U>,
    mut worker: Worker,
    mut step: F,
) -> ProcessResult
where
    F: FnMut(T) -> Fut,
    Fut: Future<Output = Result<U, ProcessError>>,
{
    let gauge = Arc::clone(&worker.outlet.gauge);
    let mut began = time::now();
    loop {
        let received = ins[worker.round.next()].recv().await;
        let taken = time::now();
        gauge.waited_for_input(taken - began);
        began = taken;
        let result = match received {
            Ok(Some(item)) => {
                gauge.took();
                let result = step(item).await;
                began = time::now();
                gauge.worked(began - taken);
                Some(result)
            }
            Ok(None) => None,
            Err(error) => return ended(error),
        };
        if pass(
            &mut worker.outlet,
            outs,
            errors.as_ref(),
            result,
            &mut began,
        )
        .await?
        .is_break()
        {
            return Ok(());
        }
    }
}

/// Passes a result on.
async fn pass<U>(
    outlet: &mut Outlet,
    outs: &[Out<Slot<U>>],
    errors: Option<&Out<ProcessError>>,
    result: Option<Result<U, ProcessError>>,
    began: &mut Instant,
) -> Result<ControlFlow<()>, ProcessError> {
    let mut next = outlet.judge(result)?;
    if let Next::Divert(error) = next {
        divert(errors, error).await?;
        outlet.gauge.diverted();
        next = outlet.gap();
    }
    let flow = match next {
        Next::Send(at, slot) => {
            let is_item = slot.is_some();
            let flow = after(outs[at].send(slot).await)?;
            if is_item && flow.is_continue() {
                outlet.gauge.passed();
            }
            flow
        }
        _ => ControlFlow::Continue(()),
    };
    let sent = time::now();
    outlet.gauge.waited_for_output(sent - *began);
    *began = sent;
    Ok(flow)
}

async fn divert(errors: Option<&Out<ProcessError>>, error: ProcessError) -> ProcessResult {
    match errors {
        // What nobody takes any more stops the stage, as it would without a diversion.
        Some(errors) => errors.send(error).await.map_err(SendError::into_inner),
        None => Err(error),
    }
}

/// A worker of a stage that blocks.
pub(super) fn work_blocking<T, U>(
    (ins, outs, errors): &BlockingPorts<T, U>,
    mut worker: Worker,
    mut step: impl FnMut(T) -> Result<U, ProcessError>,
) -> ProcessResult {
    let gauge = Arc::clone(&worker.outlet.gauge);
    let mut began = time::now();
    loop {
        let received = ins[worker.round.next()].recv();
        let taken = time::now();
        gauge.waited_for_input(taken - began);
        began = taken;
        let result = match received {
            Ok(Some(item)) => {
                gauge.took();
                let result = step(item);
                began = time::now();
                gauge.worked(began - taken);
                Some(result)
            }
            Ok(None) => None,
            Err(error) => return ended(error),
        };
        let flow = pass_blocking(
            &mut worker.outlet,
            outs,
            errors.as_ref(),
            result,
            &mut began,
        )?;
        if flow.is_break() {
            return Ok(());
        }
    }
}

fn pass_blocking<U>(
    outlet: &mut Outlet,
    outs: &[BlockingOut<Slot<U>>],
    errors: Option<&BlockingOut<ProcessError>>,
    result: Option<Result<U, ProcessError>>,
    began: &mut Instant,
) -> Result<ControlFlow<()>, ProcessError> {
    let mut next = outlet.judge(result)?;
    if let Next::Divert(error) = next {
        match errors {
            Some(errors) => errors.send(error).map_err(SendError::into_inner)?,
            None => return Err(error),
        }
        outlet.gauge.diverted();
        next = outlet.gap();
    }
    let flow = match next {
        Next::Send(at, slot) => {
            let is_item = slot.is_some();
            let flow = after(outs[at].send(slot))?;
            if is_item && flow.is_continue() {
                outlet.gauge.passed();
            }
            flow
        }
        _ => ControlFlow::Continue(()),
    };
    let sent = time::now();
    outlet.gauge.waited_for_output(sent - *began);
    *began = sent;
    Ok(flow)
}

/// The ports of a source.
pub(super) type SourcePorts<U> = (Vec<Out<Slot<U>>>, Diversion<Out<ProcessError>>);
/// The ports of a source that blocks.
pub(super) type BlockingSourcePorts<U> = (
    Vec<BlockingOut<Slot<U>>>,
    Diversion<BlockingOut<ProcessError>>,
);

/// A source that is an iterator.
pub(super) async fn iterate<U>(
    (outs, errors): &SourcePorts<U>,
    mut outlet: Outlet,
    items: impl Iterator<Item = Result<U, ProcessError>>,
) -> ProcessResult {
    let gauge = Arc::clone(&outlet.gauge);
    let mut items = items;
    let mut began = time::now();
    loop {
        let item = items.next();
        let made = time::now();
        gauge.worked(made - began);
        began = made;
        let Some(result) = item else { return Ok(()) };
        gauge.took();
        if pass(&mut outlet, outs, errors.as_ref(), Some(result), &mut began)
            .await?
            .is_break()
        {
            return Ok(());
        }
    }
}

/// A source that is a stream.
pub(super) async fn stream<U, S>(
    (outs, errors): &SourcePorts<U>,
    mut outlet: Outlet,
    mut items: Pin<Box<S>>,
) -> ProcessResult
where
    S: Stream<Item = Result<U, ProcessError>>,
{
    let gauge = Arc::clone(&outlet.gauge);
    let mut began = time::now();
    loop {
        let item = poll_fn(|context| items.as_mut().poll_next(context)).await;
        let made = time::now();
        gauge.worked(made - began);
        began = made;
        let Some(result) = item else { return Ok(()) };
        gauge.took();
        if pass(&mut outlet, outs, errors.as_ref(), Some(result), &mut began)
            .await?
            .is_break()
        {
            return Ok(());
        }
    }
}

/// A source that is a channel.
pub(super) async fn take<U>(
    port: &In<U>,
    (outs, errors): &SourcePorts<U>,
    mut outlet: Outlet,
) -> ProcessResult {
    let gauge = Arc::clone(&outlet.gauge);
    let mut began = time::now();
    loop {
        let received = port.recv().await;
        let taken = time::now();
        gauge.waited_for_input(taken - began);
        began = taken;
        let item = match received {
            Ok(item) => item,
            Err(error) => return ended(error),
        };
        gauge.took();
        let passed = pass(
            &mut outlet,
            outs,
            errors.as_ref(),
            Some(Ok(item)),
            &mut began,
        );
        if passed.await?.is_break() {
            return Ok(());
        }
    }
}

/// A source that is an iterator which blocks.
pub(super) fn iterate_blocking<U>(
    (outs, errors): &BlockingSourcePorts<U>,
    mut outlet: Outlet,
    mut items: impl Iterator<Item = Result<U, ProcessError>>,
) -> ProcessResult {
    let gauge = Arc::clone(&outlet.gauge);
    let mut began = time::now();
    loop {
        let item = items.next();
        let made = time::now();
        gauge.worked(made - began);
        began = made;
        let Some(result) = item else { return Ok(()) };
        gauge.took();
        if pass_blocking(&mut outlet, outs, errors.as_ref(), Some(result), &mut began)?.is_break() {
            return Ok(());
        }
    }
}

/// What a sink, or a diversion, knows.
pub(super) struct Drain {
    pub(super) round: Round,
    pub(super) gauge: Arc<Gauge>,
}

/// A sink: takes items until there are none, or it has enough.
pub(super) async fn drain<T, R, F, Fut>(
    ins: &[In<Slot<T>>],
    mut drain: Drain,
    value: &mut R,
    mut step: F,
) -> ProcessResult
where
    F: FnMut(&mut R, T) -> Fut,
    Fut: Future<Output = Result<ControlFlow<()>, ProcessError>>,
{
    let mut began = time::now();
    loop {
        let received = ins[drain.round.next()].recv().await;
        let taken = time::now();
        drain.gauge.waited_for_input(taken - began);
        began = taken;
        let item = match received {
            Ok(Some(item)) => item,
            Ok(None) => continue,
            Err(error) => return ended(error),
        };
        drain.gauge.took();
        let flow = step(value, item).await;
        began = time::now();
        drain.gauge.worked(began - taken);
        let flow = flow?;
        drain.gauge.passed();
        if flow.is_break() {
            return Ok(());
        }
    }
}

/// A sink that blocks.
pub(super) fn drain_blocking<T>(
    ins: &[BlockingIn<Slot<T>>],
    mut drain: Drain,
    mut step: impl FnMut(T) -> Result<ControlFlow<()>, ProcessError>,
) -> ProcessResult {
    let mut began = time::now();
    loop {
        let received = ins[drain.round.next()].recv();
        let taken = time::now();
        drain.gauge.waited_for_input(taken - began);
        began = taken;
        let item = match received {
            Ok(Some(item)) => item,
            Ok(None) => continue,
            Err(error) => return ended(error),
        };
        drain.gauge.took();
        let flow = step(item);
        began = time::now();
        drain.gauge.worked(began - taken);
        let flow = flow?;
        drain.gauge.passed();
        if flow.is_break() {
            return Ok(());
        }
    }
}

/// Takes the errors that a stage diverts.
pub(super) async fn take_diverted(
    errors: &In<ProcessError>,
    mut step: impl FnMut(ProcessError) -> Result<ControlFlow<()>, ProcessError>,
) -> ProcessResult {
    loop {
        match errors.recv().await {
            Ok(error) => {
                if step(error)?.is_break() {
                    return Ok(());
                }
            }
            Err(error) => return ended(error),
        }
    }
}
