//! `handover map` and `handover work`, driven as a user drives them: the real program, real processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "map/control.rs"]
mod control;
#[path = "map/faults.rs"]
mod faults;
#[path = "map/flow.rs"]
mod flow;
#[path = "map/joining.rs"]
mod joining;
#[path = "map/options.rs"]
mod options;
#[path = "map/order.rs"]
mod order;
#[path = "map/poisoned.rs"]
mod poisoned;
#[path = "map/secure.rs"]
mod secure;
#[path = "map/silence.rs"]
mod silence;
#[path = "map/support.rs"]
mod support;
#[path = "map/units.rs"]
mod units;
