//! What can happen, each from a thread that hands it over: a snapshot, a key, a signal.
//!
//! The threads have no end of their own: they go with the process, or when their receiver has gone.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crossterm::event::{self, Event};

use super::client::{Client, FetchError};
use crate::Receiver;
use crate::cli::signals::Signals;
use crate::process::Snapshot;

/// What came of asking.
pub type Reading = Result<Snapshot, FetchError>;

/// Asks every `interval`, and only while somebody waits for the answer: whoever does not receive has paused it.
///
/// # Errors
/// If there can be no thread.
pub fn readings(client: Client, interval: Duration) -> io::Result<Receiver<Reading>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (to, readings) = crate::channel();
    spawn("readings", move || {
        let mut due = Instant::now();
        loop {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if runtime.block_on(to.ready_async()).is_err() {
                return;
            }
            due = Instant::now() + interval;
            if to.send(client.fetch()).is_err() {
                return;
            }
        }
    })?;
    Ok(readings)
}

/// Keys, and changes of the terminal's size. It ends when the terminal has gone.
///
/// # Errors
/// If there can be no thread.
pub fn keys() -> io::Result<Receiver<Event>> {
    let (to, keys) = crate::channel();
    spawn("keys", move || {
        while let Ok(event) = event::read() {
            if to.send(event).is_err() {
                return;
            }
        }
    })?;
    Ok(keys)
}

/// Numbers of signals. From now on they do not end the process.
///
/// # Errors
/// If they cannot be received, or there can be no thread.
pub fn signals() -> io::Result<Receiver<i32>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let mut signals = runtime.block_on(async { Signals::new() })?;
    let (to, numbers) = crate::channel();
    spawn("signals", move || {
        while to.send(runtime.block_on(signals.next())).is_ok() {}
    })?;
    Ok(numbers)
}

/// The status with which a program ends that a signal has ended.
pub fn status_of(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(125)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(body)?;
    Ok(())
}
