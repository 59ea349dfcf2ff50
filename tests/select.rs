//! `select!`: exactly one guard meets, the others have no effect, and no message is lost.

#![allow(
    clippy::unwrap_used,
    clippy::similar_names,
    reason = "all of it is tests; `send`, `sent` and `sending` are the words for what they name"
)]

use std::time::Duration;

#[path = "select/dynamic.rs"]
mod dynamic;
#[path = "select/facing.rs"]
mod facing;
#[path = "select/fairness.rs"]
mod fairness;
#[path = "select/guards.rs"]
mod guards;
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "it serves the tests of the plain operations too"
)]
#[path = "handover/stage.rs"]
mod stage;
#[path = "select/ticks.rs"]
mod ticks;
#[path = "select/timers.rs"]
mod timers;

/// A deadline that is never reached unless something is wrong.
const LONG: Duration = Duration::from_mins(1);

fn on_one_thread<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}
