//! What the processes of a stage do: take, work, pass on, and say how long each took.

use std::{
    ops::ControlFlow,
    pin::pin,
    time::{Duration, Instant},
};

use super::{
    link::{Choice, Inlet, Slot},
    report::Gauge,
    step::{Work, Yield, Yielded},
};
use crate::{
    channel::{RecvError, SendError},
    pattern::in_time::in_time,
    process::{BlockingIn, BlockingOut, In, Out, ProcessError, ProcessResult},
    sync::{
        Arc,
        time::{self, deadline_after},
    },
};

/// What is done with the error of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Stop,
    Skip,
    Divert,
}

/// What a worker knows apart from its ports.
pub(super) struct Worker<U> {
    pub(super) inlet: Inlet,
    pub(super) outlet: Outlet<U>,
    /// How long an item may take.
    pub(super) limit: Option<Duration>,
}

/// Where a worker's results go, and what it counts.
pub(super) struct Outlet<U> {
    pub(super) choice: Choice<U>,
    pub(super) tells_gaps: bool,
    /// Where the items of the number under way go, if more of them may follow.
    pub(super) at: Option<usize>,
    pub(super) policy: Policy,
    pub(super) gauge: Arc<Gauge>,
}

/// The error of an item that a stage was not done with within its [limit](super::Pipeline::within).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stage was not done with an item within its limit of {limit:?}")]
pub struct TimeLimit {
    /// How long it may take.
    pub limit: Duration,
}

/// What follows from a result.
enum Next<U> {
    Send(usize, Slot<U>),
    Divert(ProcessError),
    Nothing,
}

impl<U> Outlet<U> {
    /// What follows from what the stage made of an item; nothing (`None`) stays nothing. `is_last` says whether no more
    /// comes of the number that the item has.
    fn judge(
        &mut self,
        result: Option<Result<U, ProcessError>>,
        is_last: bool,
    ) -> Result<Next<U>, ProcessError> {
        match result {
            Some(Ok(item)) => Ok(self.send(item, is_last)),
            Some(Err(error)) => match self.policy {
                Policy::Stop => Err(error),
                Policy::Skip => {
                    self.gauge.skipped();
                    Ok(self.end(is_last))
                }
                Policy::Divert => Ok(Next::Divert(error)),
            },
            None => Ok(self.end(is_last)),
        }
    }

    fn send(&mut self, item: U, is_last: bool) -> Next<U> {
        if !self.tells_gaps {
            // Nobody else has numbers, so each item can have its own.
            return Next::Send(self.choice.next(&item), Slot::Last(item));
        }
        let at = match self.at.take() {
            Some(at) => at,
            None => self.choice.next(&item),
        };
        if is_last {
            Next::Send(at, Slot::Last(item))
        } else {
            self.at = Some(at);
            Next::Send(at, Slot::More(item))
        }
    }

    /// Nothing comes of an item, or nothing more; if it is the last of its number, the others must be told.
    fn end(&mut self, is_last: bool) -> Next<U> {
        if !(self.tells_gaps && is_last) {
            return Next::Nothing;
        }
        match self.at.take().or_else(|| self.choice.next_in_turn()) {
            Some(at) => Next::Send(at, Slot::Gap),
            None => Next::Nothing,
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
pub(super) fn ended(error: RecvError) -> ProcessResult {
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
pub(super) async fn work<T, Y, W>(
    (ins, outs, errors): &Ports<T, Y::Item>,
    mut worker: Worker<Y::Item>,
    mut stage: W,
) -> ProcessResult
where
    Y: Yield,
    W: Work<T, Output = Result<Y, ProcessError>>,
{
    let gauge = Arc::clone(&worker.outlet.gauge);
    let limit = worker.limit;
    let errors = errors.as_ref();
    let mut began = time::now();
    loop {
        let received = ins[worker.inlet.port()].recv().await;
        let taken = time::now();
        gauge.waited_for_input(taken - began);
        began = taken;
        let (item, is_last) = match received {
            Ok(slot) => worker.inlet.take(slot),
            Err(error) => return ended(error),
        };
        let is_item = item.is_some();
        let result = match item {
            None => None,
            Some(item) => {
                gauge.took();
                let result = {
                    let working = pin!(stage.work(item));
                    match limit {
                        None => working.await,
                        // Boxed, so that those without a limit need no room for it.
                        Some(limit) => {
                            match Box::pin(in_time(working, deadline_after(limit))).await {
                                Some(result) => result,
                                None => Err(TimeLimit { limit }.into()),
                            }
                        }
                    }
                };
                let made = time::now();
                gauge.worked(made - began);
                began = made;
                match result.map(Yield::split) {
                    Ok(Yielded::One(item)) => Some(Ok(item)),
                    Ok(Yielded::Many(mut items)) => {
                        // The next one is made when somebody has taken the one before.
                        while let Some(item) = next_of(&mut items, &gauge, &mut began) {
                            let item = Some(Ok(item));
                            let outlet = &mut worker.outlet;
                            let passed = pass(outlet, outs, errors, item, false, &mut began);
                            if passed.await?.is_break() {
                                return Ok(());
                            }
                        }
                        None
                    }
                    Err(error) => Some(Err(error)),
                }
            }
        };
        let passed = pass(
            &mut worker.outlet,
            outs,
            errors,
            result,
            is_last,
            &mut began,
        );
        if passed.await?.is_break() {
            return Ok(());
        }
        if is_item {
            gauge.finished();
        }
    }
}

/// The next of many, which may take its time.
fn next_of<I: Iterator>(items: &mut I, gauge: &Gauge, began: &mut Instant) -> Option<I::Item> {
    let item = items.next();
    let made = time::now();
    gauge.worked(made - *began);
    *began = made;
    item
}

/// Passes a result on.
pub(super) async fn pass<U>(
    outlet: &mut Outlet<U>,
    outs: &[Out<Slot<U>>],
    errors: Option<&Out<ProcessError>>,
    result: Option<Result<U, ProcessError>>,
    is_last: bool,
    began: &mut Instant,
) -> Result<ControlFlow<()>, ProcessError> {
    let mut next = outlet.judge(result, is_last)?;
    if let Next::Divert(error) = next {
        match errors {
            // What nobody takes any more stops the stage, as it would without a diversion.
            Some(errors) => errors.send(error).await.map_err(SendError::into_inner)?,
            None => return Err(error),
        }
        outlet.gauge.diverted();
        next = outlet.end(is_last);
    }
    let flow = match next {
        Next::Send(at, slot) => {
            let is_item = slot.is_item();
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

/// A worker of a stage that blocks.
pub(super) fn work_blocking<T, Y: Yield>(
    (ins, outs, errors): &BlockingPorts<T, Y::Item>,
    mut worker: Worker<Y::Item>,
    mut step: impl FnMut(T) -> Result<Y, ProcessError>,
) -> ProcessResult {
    let gauge = Arc::clone(&worker.outlet.gauge);
    let errors = errors.as_ref();
    let mut began = time::now();
    loop {
        let received = ins[worker.inlet.port()].recv();
        let taken = time::now();
        gauge.waited_for_input(taken - began);
        began = taken;
        let (item, is_last) = match received {
            Ok(slot) => worker.inlet.take(slot),
            Err(error) => return ended(error),
        };
        let outlet = &mut worker.outlet;
        let Some(item) = item else {
            if pass_blocking(outlet, outs, errors, None, is_last, &mut began)?.is_break() {
                return Ok(());
            }
            continue;
        };
        gauge.took();
        let result = step(item);
        let made = time::now();
        gauge.worked(made - began);
        began = made;
        let flow = match result.map(Yield::split) {
            Ok(Yielded::One(item)) => {
                pass_blocking(outlet, outs, errors, Some(Ok(item)), is_last, &mut began)?
            }
            Ok(Yielded::Many(mut items)) => {
                while let Some(item) = next_of(&mut items, &gauge, &mut began) {
                    let item = Some(Ok(item));
                    if pass_blocking(outlet, outs, errors, item, false, &mut began)?.is_break() {
                        return Ok(());
                    }
                }
                pass_blocking(outlet, outs, errors, None, is_last, &mut began)?
            }
            Err(error) => {
                pass_blocking(outlet, outs, errors, Some(Err(error)), is_last, &mut began)?
            }
        };
        if flow.is_break() {
            return Ok(());
        }
        gauge.finished();
    }
}

pub(super) fn pass_blocking<U>(
    outlet: &mut Outlet<U>,
    outs: &[BlockingOut<Slot<U>>],
    errors: Option<&BlockingOut<ProcessError>>,
    result: Option<Result<U, ProcessError>>,
    is_last: bool,
    began: &mut Instant,
) -> Result<ControlFlow<()>, ProcessError> {
    let mut next = outlet.judge(result, is_last)?;
    if let Next::Divert(error) = next {
        match errors {
            Some(errors) => errors.send(error).map_err(SendError::into_inner)?,
            None => return Err(error),
        }
        outlet.gauge.diverted();
        next = outlet.end(is_last);
    }
    let flow = match next {
        Next::Send(at, slot) => {
            let is_item = slot.is_item();
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
