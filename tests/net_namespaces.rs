//! Links between processes on bad networks: real programs in network namespaces of their own, and a line between them
//! that delays, loses, reorders, doubles, and goes dark without telling anybody.
//!
//! It needs Linux, root, `ip` (iproute2) and `/dev/net/tun`; where one is missing each test says so and passes.
//! `HANDOVER_NAMESPACES=long` tries far more (`scripts/namespaces`).
#![cfg(all(feature = "cli", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss
)]

#[path = "net_namespaces/cuts.rs"]
mod cuts;
#[path = "net_namespaces/job.rs"]
mod job;
#[path = "net_namespaces/line.rs"]
mod line;
mod programs;
#[path = "net_namespaces/space.rs"]
mod space;
#[path = "net_namespaces/talk.rs"]
mod talk;
#[path = "net_namespaces/talker.rs"]
mod talker;
#[path = "net_namespaces/weather.rs"]
mod weather;

/// Namespaces, or none where they cannot be had.
fn spaces() -> Option<space::Spaces> {
    or_skipped(space::Spaces::new())
}

fn or_skipped<T>(made: Result<T, String>) -> Option<T> {
    made.inspect_err(|why| println!("skipped: {why}")).ok()
}

fn is_long() -> bool {
    std::env::var("HANDOVER_NAMESPACES").is_ok_and(|form| form == "long")
}
