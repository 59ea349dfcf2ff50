//! Waits across machines: a deadlock that passes through several is found by each, is the same one at each, and is never
//! a false alarm.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

#[path = "net_waits/alarms.rs"]
mod alarms;
#[path = "net_waits/found.rs"]
mod found;
#[path = "net_waits/machines.rs"]
mod machines;
#[path = "net_waits/random.rs"]
mod random;
#[path = "net_waits/valve.rs"]
mod valve;

use handover::net::Message;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Number(u64);

impl Message for Number {
    const NAME: &'static str = "test.Number";
}
