//! A network that is rehearsed: virtual time, choices that make the same run each time, deadlocks at rest, and what it
//! refuses.

#![allow(clippy::unwrap_used, reason = "all of it is tests")]

#[path = "rehearsal/choices.rs"]
mod choices;
#[path = "rehearsal/refused.rs"]
mod refused;
#[path = "rehearsal/time.rs"]
mod time;

use handover::process::{
    Deadlock, RunError,
    rehearsal::{RehearsalError, Rehearsed},
};

/// The deadlock that has ended it, and the words of the error.
fn deadlock(run: &Rehearsed) -> (&Deadlock, String) {
    match &run.result {
        Err(
            error @ RehearsalError::Run {
                error: RunError::Deadlock(deadlock),
                ..
            },
        ) => (deadlock, error.to_string()),
        other => panic!("it has come to {other:?}"),
    }
}

/// The hand-overs in words.
fn told(run: &Rehearsed) -> Vec<String> {
    run.hand_overs.iter().map(ToString::to_string).collect()
}
