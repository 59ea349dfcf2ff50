//! What the last process of a pipeline does, and those that take diverted errors: take, and be done with it.

use std::{future::Future, ops::ControlFlow};

use super::{
    link::{Inlet, Slot},
    report::Gauge,
    worker::ended,
};
use crate::{
    process::{BlockingIn, In, ProcessError, ProcessResult},
    sync::{Arc, time},
};

/// What a sink, or a diversion, knows.
pub(super) struct Drain {
    pub(super) inlet: Inlet,
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
        let received = ins[drain.inlet.port()].recv().await;
        let taken = time::now();
        drain.gauge.waited_for_input(taken - began);
        began = taken;
        let item = match received {
            Ok(slot) => drain.inlet.take(slot).0,
            Err(error) => return ended(error),
        };
        let Some(item) = item else { continue };
        drain.gauge.took();
        let flow = step(value, item).await;
        began = time::now();
        drain.gauge.worked(began - taken);
        let flow = flow?;
        drain.gauge.passed();
        drain.gauge.finished();
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
        let received = ins[drain.inlet.port()].recv();
        let taken = time::now();
        drain.gauge.waited_for_input(taken - began);
        began = taken;
        let item = match received {
            Ok(slot) => drain.inlet.take(slot).0,
            Err(error) => return ended(error),
        };
        let Some(item) = item else { continue };
        drain.gauge.took();
        let flow = step(item);
        began = time::now();
        drain.gauge.worked(began - taken);
        let flow = flow?;
        drain.gauge.passed();
        drain.gauge.finished();
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
