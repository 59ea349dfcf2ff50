//! What a process returns, for whoever has run the network.
//!
//! There is one place for each such process, which it fills when it ends: nothing is queued.

use std::{fmt, mem};

use super::error::Cause;
use crate::sync::{Arc, Mutex, run_is_over};

/// What a process will have returned; made by [`Network::process_returning`](super::Network::process_returning) and
/// [`Network::thread_returning`](super::Network::thread_returning).
///
/// After a run that ended well it is there: the run waits for its processes and threads. What a process returns *while*
/// others run is a message, and belongs into a channel.
#[must_use = "what the process returns is in it; a process that returns nothing is added with `process` or `thread`"]
pub struct Outcome<R>(Arc<Mutex<Place<R>>>);

/// Why there is nothing that a process has returned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoOutcome {
    /// It has never begun: its network did not run, or was ended before.
    #[error("the process has never begun")]
    NotRun,
    /// It runs.
    #[error("the process has not ended yet")]
    NotYet,
    /// It was ended where it was: a deadlock ended the run, or the run was given up.
    #[error("the process was ended where it was: it did not come to return anything")]
    Stopped,
    /// It ended because no peer was left; see [`OrEnd`](super::OrEnd).
    #[error("the process ended before it returned anything: {0}")]
    Ended(String),
    /// It returned an error, in these words.
    #[error("the process failed: {0}")]
    Failed(String),
    /// It panicked, with these words.
    #[error("the process panicked: {0}")]
    Panicked(String),
    /// It was taken out before.
    #[error("what the process has returned was taken before")]
    Taken,
}

enum Place<R> {
    None(NoOutcome),
    Some(R),
}

impl<R> Outcome<R> {
    /// Takes out what the process has returned. Does not block.
    ///
    /// # Errors
    ///
    /// [`NoOutcome`], with the reason why there is nothing.
    pub fn take(&self) -> Result<R, NoOutcome> {
        let mut place = self.0.lock();
        match &*place {
            Place::None(why) => Err(why.clone()),
            Place::Some(_) => match mem::replace(&mut *place, Place::None(NoOutcome::Taken)) {
                Place::Some(returned) => Ok(returned),
                Place::None(why) => Err(why),
            },
        }
    }
}

impl<R> fmt::Debug for Outcome<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.0.lock();
        let state: &dyn fmt::Debug = match &*place {
            Place::None(why) => why,
            Place::Some(_) => &"there",
        };
        f.debug_tuple("Outcome").field(state).finish()
    }
}

/// Where what a process returns is kept.
pub(super) trait Keep<R>: Send + 'static {
    /// The process begins.
    fn begin(&self);
    /// The process has ended, so.
    fn keep(self, result: Result<R, Cause>) -> Result<(), Cause>;
}

/// It returns nothing.
pub(super) struct Nothing;

impl Keep<()> for Nothing {
    #[inline]
    fn begin(&self) {}

    #[inline]
    fn keep(self, result: Result<(), Cause>) -> Result<(), Cause> {
        result
    }
}

/// The other half of an [`Outcome`], which the process has.
pub(super) struct Keeper<R>(Arc<Mutex<Place<R>>>);

/// A place, and who fills it.
pub(super) fn place<R>() -> (Keeper<R>, Outcome<R>) {
    let place = Arc::new(Mutex::new(Place::None(NoOutcome::NotRun)));
    (Keeper(Arc::clone(&place)), Outcome(place))
}

impl<R> Keeper<R> {
    fn fill(&self, with: Place<R>) {
        *self.0.lock() = with;
    }
}

impl<R: Send + 'static> Keep<R> for Keeper<R> {
    fn begin(&self) {
        self.fill(Place::None(NoOutcome::NotYet));
    }

    fn keep(self, result: Result<R, Cause>) -> Result<(), Cause> {
        let (place, result) = match result {
            Ok(returned) => (Place::Some(returned), Ok(())),
            Err(cause) => (Place::None(why(&cause)), Err(cause)),
        };
        self.fill(place);
        result
    }
}

fn why(cause: &Cause) -> NoOutcome {
    match cause {
        Cause::Error(error) if error.is_end() => NoOutcome::Ended(error.to_string()),
        Cause::Error(error) => NoOutcome::Failed(error.to_string()),
        Cause::Panic(message) => NoOutcome::Panicked(message.clone()),
    }
}

impl<R> Drop for Keeper<R> {
    /// A process that was dropped before it has ended will not return anything.
    fn drop(&mut self) {
        if run_is_over() {
            return;
        }
        let mut place = self.0.lock();
        if let Place::None(why @ NoOutcome::NotYet) = &mut *place {
            *why = if std::thread::panicking() {
                NoOutcome::Panicked("and what it failed with cannot be put into words".to_owned())
            } else {
                NoOutcome::Stopped
            };
        }
    }
}
