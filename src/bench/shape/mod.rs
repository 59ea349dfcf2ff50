//! A pipeline of the user's own shape, run over channels of several capacities: what a buffer hides.
//!
//! A producer has units at a given rate, whether or not anybody takes them; each stage works on a unit and
//! hands it on. The same schedule runs over each capacity: zero is this crate's channel, all others are
//! crossbeam's. Latency counts from when a unit was *due*, so that a unit which waits with its producer is as
//! late as one that waits in a queue.
//!
//! ```
//! use std::time::Duration;
//! use handover::bench::shape::{Capacity, Runner, Shape};
//!
//! let shape = Shape {
//!     work: vec![Duration::ZERO, Duration::from_micros(200)],
//!     units: 50,
//!     ..Shape::default()
//! };
//! let outcome = Runner::new(&shape).run(Capacity::Zero, &mut |_| {});
//! assert_eq!(outcome.units.done, 50);
//! assert_eq!(outcome.memory.held_peak, [0, 0]);
//! ```

mod gauge;
mod link;
mod model;
mod outcome;
mod picture;
mod report;
mod run;
mod stage;

pub use self::{
    model::{Burst, Capacity, Ideal, Shape, WrongValue},
    outcome::{Latency, Memory, Moment, Outcome, Producer, Stage, Units},
    picture::{NoPicture, picture},
    report::text,
    run::{Progress, Runner},
};
