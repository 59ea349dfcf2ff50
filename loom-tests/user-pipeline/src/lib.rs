//! A pipeline as a user of `handover` writes it, and its tests under loom: every order in which its threads can run is
//! tried, so that a deadlock which needs an unlucky moment is found in a test and not in production.
//!
//! # Setting this up in a crate of your own
//!
//! 1. Loom as a dependency of the loom build alone, in `Cargo.toml`:
//!
//!    ```toml
//!    [target.'cfg(loom)'.dependencies]
//!    loom = { version = "0.7", features = ["futures"] }
//!
//!    [lints.rust]
//!    unexpected_cfgs = { level = "warn", check-cfg = ["cfg(loom)"] }
//!    ```
//!
//! 2. Threads come from loom in that build: see [`thread`] below. Channels need nothing: with `--cfg loom` all of
//!    `handover`'s own locks, atomics and parks are loom's.
//! 3. A test calls `loom::model` with the pipeline at a small size. Two or three threads and two messages are enough:
//!    what goes wrong with a thousand goes wrong with two.
//! 4. Run it:
//!
//!    ```text
//!    RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test --release
//!    ```
//!
//! Because nothing is buffered, the model is small, and whoever could block does. What loom reports as "deadlock" is
//! every thread waiting for another. `LOOM_LOG=trace LOOM_LOCATION=1 LOOM_CHECKPOINT_FILE=FILE` replays one.
//!
//! Three things are different under loom: time does not pass, so every deadline (`send_timeout`, `after`) has passed at
//! once; a fair `select!` always prefers the same guard among those that can meet, so try a `biased;` one in each order
//! where that matters; and only `handover`'s channels can be modelled (its `net` needs sockets).

use handover::{Receiver, Sender, channel, select};

/// Threads: loom's in its build, the standard library's in every other. The one line that loom asks of a user.
pub mod thread {
    #[cfg(loom)]
    pub use loom::thread::{JoinHandle, spawn};
    #[cfg(not(loom))]
    pub use std::thread::{JoinHandle, spawn};
}

/// An order, and how often it was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Which one it is.
    pub number: u32,
    /// How often it came back.
    pub refusals: u32,
}

/// What the check says to the desk: nothing, or the order again.
pub type Verdict = Option<Order>;

/// The desk: hands out all orders, and again those that are refused, until each was accepted.
///
/// It offers the next order and listens for verdicts *at once*, because the check may be just about to send one.
pub fn desk(mut orders: Vec<Order>, out: &Sender<Order>, verdicts: &Receiver<Verdict>) {
    let mut under_way = 0;
    while !orders.is_empty() || under_way > 0 {
        let mut next = orders.pop();
        select! {
            send(out, &mut next) -> sent => match sent {
                Ok(()) => under_way += 1,
                Err(_) => return,
            },
            recv(verdicts) -> verdict => match verdict {
                Ok(refused) => {
                    under_way -= 1;
                    orders.extend(refused);
                }
                Err(_) => return,
            },
        }
        orders.extend(next);
    }
}

/// The check: refuses odd numbers once, passes all others on, and tells the desk in either case.
pub fn check(orders: &Receiver<Order>, verdicts: &Sender<Verdict>, accepted: &Sender<Order>) {
    for mut order in orders {
        let refused = order.number % 2 == 1 && order.refusals == 0;
        let told = if refused {
            order.refusals += 1;
            verdicts.send(Some(order)).is_ok()
        } else {
            accepted.send(order).is_ok() && verdicts.send(None).is_ok()
        };
        if !told {
            return;
        }
    }
}

/// The check as a task, for any executor.
pub async fn check_async(
    orders: &Receiver<Order>,
    verdicts: &Sender<Verdict>,
    accepted: &Sender<Order>,
) {
    while let Ok(mut order) = orders.recv_async().await {
        let refused = order.number % 2 == 1 && order.refusals == 0;
        let told = if refused {
            order.refusals += 1;
            verdicts.send_async(Some(order)).await.is_ok()
        } else {
            accepted.send_async(order).await.is_ok() && verdicts.send_async(None).await.is_ok()
        };
        if !told {
            return;
        }
    }
}

/// Runs the pipeline with the given desk and check, each on a thread; returns what was accepted.
///
/// # Panics
///
/// If one of them does.
pub fn run(
    desk: impl FnOnce(&Sender<Order>, &Receiver<Verdict>) + Send + 'static,
    check: impl FnOnce(&Receiver<Order>, &Sender<Verdict>, &Sender<Order>) + Send + 'static,
) -> Vec<Order> {
    let (out, orders) = channel();
    let (tell, verdicts) = channel();
    let (accept, accepted) = channel();
    let threads = [
        thread::spawn(move || desk(&out, &verdicts)),
        thread::spawn(move || check(&orders, &tell, &accept)),
    ];
    let all = accepted.iter().collect();
    for thread in threads {
        thread.join().expect("no stage panics");
    }
    all
}

#[cfg(test)]
mod tests;
