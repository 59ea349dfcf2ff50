//! What a run has shown, for people and for programs.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::model::Capacity;

fn seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_secs_f64())
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn seconds_if_any<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(to)
}

/// One run, over one capacity.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What each channel might hold.
    pub capacity: Capacity,
    /// Whose channel it was.
    pub channel: &'static str,
    /// What became of the units.
    pub units: Units,
    /// From the start to the last unit that was finished.
    #[serde(serialize_with = "seconds", rename = "elapsed_s")]
    pub elapsed: Duration,
    /// Units finished a second in that time.
    pub throughput: f64,
    /// From when a unit was due to when it was finished; only finished units have one.
    pub latency_us: Latency,
    /// What the producer noticed.
    pub producer: Producer,
    /// How each stage spent its time, in order.
    pub stages: Vec<Stage>,
    /// What the channels held.
    pub memory: Memory,
    /// The course of the run.
    pub course: Vec<Moment>,
}

/// What became of the units: `done + unfinished + not_sent` are all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Units {
    /// Asked for.
    pub asked: u64,
    /// Through all stages.
    pub done: u64,
    /// In the pipeline when time was up.
    pub unfinished: u64,
    /// Still with the producer when time was up.
    pub not_sent: u64,
}

/// Percentiles in microseconds, of an HDR histogram with three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half of the units took no longer.
    pub p50: u64,
    /// All but one in a hundred.
    pub p99: u64,
    /// All but one in a thousand.
    pub p999: u64,
    /// The slowest.
    pub max: u64,
}

/// What the producer noticed.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Producer {
    /// The time that its sends waited, all together.
    #[serde(serialize_with = "seconds", rename = "waited_s")]
    pub waited: Duration,
    /// The longest that one send waited.
    #[serde(serialize_with = "seconds", rename = "longest_wait_s")]
    pub longest_wait: Duration,
    /// When the shortage became visible: a send had waited longer than the time between two units.
    #[serde(serialize_with = "seconds_if_any", rename = "first_shortage_s")]
    pub first_shortage: Option<Duration>,
}

/// How a stage spent its time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Stage {
    /// Waiting for a unit.
    #[serde(serialize_with = "seconds", rename = "waited_to_receive_s")]
    pub waited_to_receive: Duration,
    /// Working.
    #[serde(serialize_with = "seconds", rename = "worked_s")]
    pub worked: Duration,
    /// Waiting for the next stage to take it, or for room; zero for the last stage.
    #[serde(serialize_with = "seconds", rename = "waited_to_send_s")]
    pub waited_to_send: Duration,
}

/// What the channels held.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// The most that each channel was seen to hold, after each send and at each sample.
    pub held_peak: Vec<usize>,
    /// The most that all held together, at the samples and when the producer had sent its last.
    pub held_together: usize,
    /// What all held when the producer had sent its last.
    pub held_at_end_of_input: usize,
    /// Bytes of a unit: itself and what it carries.
    pub unit_bytes: usize,
    /// Bytes of the units at the fullest sample.
    pub held_bytes: usize,
    /// How much more memory the process had than before the first run; only where no earlier run had as much,
    /// because then it cannot be told whose it is.
    pub resident_growth_bytes: Option<u64>,
}

/// The run at one time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Moment {
    /// Since the start.
    #[serde(serialize_with = "seconds", rename = "at_s")]
    pub at: Duration,
    /// Units in all channels.
    pub held: usize,
    /// How late the producer was with its next unit.
    #[serde(serialize_with = "seconds", rename = "producer_late_s")]
    pub producer_late: Duration,
}
