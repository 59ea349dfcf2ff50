//! What the suites of the field check for channels without a buffer, in our own words.
//!
//! One file for each house: Go's channel tests, crossbeam-channel's, the standard library's, and those of the async
//! houses. Where we differ on purpose, `docs/differences.md` says why, and names the test here that shows it.

#![allow(
    clippy::unwrap_used,
    clippy::similar_names,
    reason = "all of it is tests; `send`, `sent` and `sending` are the words for what they name"
)]

#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with tests/handover.rs, which uses all of it"
)]
#[path = "handover/stage.rs"]
mod stage;

#[path = "field/crossbeam.rs"]
mod crossbeam;
#[path = "field/crossbeam_select.rs"]
mod crossbeam_select;
#[path = "field/go.rs"]
mod go;
#[path = "field/go_select.rs"]
mod go_select;
#[path = "field/std_mpsc.rs"]
mod std_mpsc;
#[path = "field/tasks.rs"]
mod tasks;

use std::thread::JoinHandle;

use handover::{Receiver, Sender};
use stage::{Scripted, until};

/// Runs `task` on a thread of its own, which shares nothing.
fn on_one_thread<T>(task: impl Future<Output = T>) -> T {
    stage::Peer::TokioCurrentThread.run(task)
}

/// Starts a thread that sends, and returns once it waits to be met. Nobody may wait before.
fn blocked_in_send<R: Send + 'static, T: Send + 'static>(
    rx: &Receiver<T>,
    send: impl FnOnce() -> R + Send + 'static,
) -> JoinHandle<R> {
    let mut threads = blocked_in_sends(rx, vec![send]);
    threads.pop().unwrap()
}

/// Starts threads that send, one after the other, each when the one before waits to be met.
///
/// A receive that waits for each of them is woken by it; all of them have gone before this returns.
fn blocked_in_sends<R: Send + 'static, T: Send + 'static>(
    rx: &Receiver<T>,
    sends: Vec<impl FnOnce() -> R + Send + 'static>,
) -> Vec<JoinHandle<R>> {
    let mut watches: Vec<_> = sends
        .iter()
        .map(|_| Scripted::new(rx.recv_async()))
        .collect();
    watches.iter_mut().for_each(Scripted::stays_pending);
    let start = |(send, watch): (_, &Scripted<_>)| {
        let thread = std::thread::spawn(send);
        until(|| watch.wakes() == 1);
        thread
    };
    sends.into_iter().zip(&watches).map(start).collect()
}

/// Starts a thread that receives, and returns once it waits to be met. Nobody may wait before.
fn blocked_in_recv<R: Send + 'static, T>(
    tx: &Sender<T>,
    recv: impl FnOnce() -> R + Send + 'static,
) -> JoinHandle<R> {
    assert!(!tx.is_ready(), "somebody waits already");
    let thread = std::thread::spawn(recv);
    until(|| tx.is_ready());
    thread
}
