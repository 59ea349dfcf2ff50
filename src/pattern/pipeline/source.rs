//! What the first process of a pipeline does: make items, or take them, and pass them on.

use std::{future::poll_fn, pin::Pin};

use futures_core::Stream;

use super::{
    link::Slot,
    worker::{Diversion, Outlet, ended, pass, pass_blocking},
};
use crate::{
    process::{BlockingOut, In, Out, ProcessError, ProcessResult},
    sync::{Arc, time},
};

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
    mut outlet: Outlet<U>,
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
        if pass(
            &mut outlet,
            outs,
            errors.as_ref(),
            Some(result),
            true,
            &mut began,
        )
        .await?
        .is_break()
        {
            return Ok(());
        }
        gauge.finished();
    }
}

/// A source that is a stream.
pub(super) async fn stream<U, S>(
    (outs, errors): &SourcePorts<U>,
    mut outlet: Outlet<U>,
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
        if pass(
            &mut outlet,
            outs,
            errors.as_ref(),
            Some(result),
            true,
            &mut began,
        )
        .await?
        .is_break()
        {
            return Ok(());
        }
        gauge.finished();
    }
}

/// A source that is a channel.
pub(super) async fn take<U>(
    port: &In<U>,
    (outs, errors): &SourcePorts<U>,
    mut outlet: Outlet<U>,
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
            true,
            &mut began,
        );
        if passed.await?.is_break() {
            return Ok(());
        }
        gauge.finished();
    }
}

/// A source that is an iterator which blocks.
pub(super) fn iterate_blocking<U>(
    (outs, errors): &BlockingSourcePorts<U>,
    mut outlet: Outlet<U>,
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
        if pass_blocking(
            &mut outlet,
            outs,
            errors.as_ref(),
            Some(result),
            true,
            &mut began,
        )?
        .is_break()
        {
            return Ok(());
        }
        gauge.finished();
    }
}
