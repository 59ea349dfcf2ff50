//! What `tracing` is told (feature `tracing`): a span for each process, which is entered whenever the process runs, so
//! that what it logs bears its name; and events when a process begins, ends and fails, and for a deadlock.
//!
//! Without the feature all of it is nothing, and takes no room.

use super::{error::Failure, registry::Registry, report::Deadlock};

/// The span of one process.
#[cfg(feature = "tracing")]
pub(super) struct Span(tracing::Span);

#[cfg(feature = "tracing")]
impl Span {
    /// A process begins.
    pub(super) fn of_process(registry: &Registry, id: u32) -> Self {
        let span = tracing::info_span!(
            "process",
            network = &*registry.name,
            process = tracing::field::Empty
        );
        if !span.is_disabled() {
            span.record("process", registry.name_of(id));
        }
        span.in_scope(|| tracing::debug!("process began"));
        Self(span)
    }

    /// The process runs for as long as `run` does.
    #[inline]
    pub(super) fn enter<R>(&self, run: impl FnOnce() -> R) -> R {
        self.0.in_scope(run)
    }
}

#[cfg(feature = "tracing")]
impl Drop for Span {
    /// The process has ended, well or not, or was ended where it was.
    fn drop(&mut self) {
        self.0.in_scope(|| tracing::debug!("process ended"));
    }
}

#[cfg(feature = "tracing")]
pub(super) fn failed(registry: &Registry, failure: &Failure) {
    use super::error::Cause;
    let (network, process) = (&*registry.name, &*failure.process);
    match &failure.cause {
        Cause::Error(error) => tracing::error!(network, process, %error, "process failed"),
        Cause::Panic(message) => tracing::error!(network, process, message, "process panicked"),
    }
}

#[cfg(feature = "tracing")]
pub(super) fn deadlocked(deadlock: &Deadlock) {
    let network = &*deadlock.network;
    let processes = deadlock.processes().count();
    tracing::error!(
        network,
        processes,
        is_total = deadlock.is_total,
        "{deadlock}"
    );
}

/// The span of one process: nothing.
#[cfg(not(feature = "tracing"))]
pub(super) struct Span;

#[cfg(not(feature = "tracing"))]
impl Span {
    #[inline]
    pub(super) fn of_process(_: &Registry, _: u32) -> Self {
        Self
    }

    #[inline]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn enter<R>(&self, run: impl FnOnce() -> R) -> R {
        run()
    }
}

#[cfg(not(feature = "tracing"))]
pub(super) fn failed(_: &Registry, _: &Failure) {}

#[cfg(not(feature = "tracing"))]
pub(super) fn deadlocked(_: &Deadlock) {}
