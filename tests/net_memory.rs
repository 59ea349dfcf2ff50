//! Promise P2 over sockets: what a link keeps is bounded, whatever its peer does, and an idle one keeps little.
//!
//! What is measured is a process of its own: this binary again, as a part. `HANDOVER_MEMORY_SECONDS=60` lets each
//! peer go on for a minute; by default it is a moment.
#![cfg(all(feature = "net", target_os = "linux"))]
#![allow(clippy::unwrap_used)]

#[path = "net_memory/counting.rs"]
mod counting;
#[path = "net_memory/holder.rs"]
mod holder;
#[path = "net_memory/idle.rs"]
mod idle;
mod links;
#[path = "net_memory/peers.rs"]
mod peers;
mod programs;
#[path = "net_security/support.rs"]
mod support;

/// One test at a time, for what the test itself allocates is measured too.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
