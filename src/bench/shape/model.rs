//! What is asked for: the shape of the pipeline, and when each unit is due.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A pipeline and what flows through it.
#[derive(Clone, Debug, Serialize)]
pub struct Shape {
    /// What each stage does for a unit, in order; as many as there are stages.
    #[serde(serialize_with = "as_micros", rename = "work_us")]
    pub work: Vec<Duration>,
    /// Whether a stage computes (spins) or waits for something else (sleeps) while it works.
    pub spin: bool,
    /// Units a second, on average.
    pub rate: u32,
    /// How unevenly they come.
    pub burst: Burst,
    /// How long one burst and the silence after it are together.
    #[serde(serialize_with = "as_seconds", rename = "period_s")]
    pub period: Duration,
    /// How many units.
    pub units: u64,
    /// Bytes that each unit carries.
    pub unit_bytes: usize,
    /// Makes the times between units vary, the same for each capacity; without it they are even.
    pub seed: Option<u64>,
}

impl Default for Shape {
    /// One stage without work, a thousand units, a thousand a second.
    fn default() -> Self {
        Self {
            work: vec![Duration::ZERO],
            spin: false,
            rate: 1000,
            burst: Burst::NONE,
            period: Duration::from_secs(1),
            units: 1000,
            unit_bytes: 0,
            seed: None,
        }
    }
}

fn as_micros<S: Serializer>(work: &[Duration], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(work.iter().map(Duration::as_micros))
}

fn as_seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_secs_f64())
}

/// What the shape allows at best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ideal {
    /// The slowest stage, from 0, if any works at all.
    pub bottleneck: Option<usize>,
    /// Units a second that can pass; infinite if no stage works.
    pub passes: f64,
}

impl Shape {
    /// How long the producer has units for.
    #[must_use]
    pub fn production(&self) -> Duration {
        Duration::from_secs_f64(float(self.units) / f64::from(self.rate))
    }

    /// When a run is ended, finished or not: twice the time of the production, and a second.
    ///
    /// What is under way then is passed on without work, and counted as unfinished.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.production() * 2 + Duration::from_secs(1)
    }

    /// The time between two units at the average rate.
    #[must_use]
    pub fn gap(&self) -> Duration {
        Duration::from_secs(1) / self.rate
    }

    /// What can pass at best on this many cores: the slowest stage sets it, or, for stages that spin, the cores.
    #[must_use]
    pub fn ideal(&self, cores: usize) -> Ideal {
        let slowest = self.work.iter().copied().max().unwrap_or_default();
        let all: Duration = self.work.iter().sum();
        let by_stage = 1.0 / slowest.as_secs_f64();
        let by_cores = float(cores as u64) / all.as_secs_f64();
        Ideal {
            bottleneck: self
                .work
                .iter()
                .position(|work| *work == slowest && !slowest.is_zero()),
            passes: if self.spin {
                by_stage.min(by_cores)
            } else {
                by_stage
            },
        }
    }

    /// When each unit is due, from the start of the run.
    pub fn schedule(&self) -> impl Iterator<Item = Duration> + use<> {
        let per_period = (f64::from(self.rate) * self.period.as_secs_f64()).max(1.0);
        let rate = f64::from(self.rate);
        let factor = f64::from(self.burst.0);
        let mut random = self.seed.map(SplitMix);
        let mut position = 0.0;
        (0..self.units).map(move |number| {
            let at = match &mut random {
                None => float(number),
                Some(random) => {
                    position += random.exponential();
                    position
                }
            };
            let periods = (at / per_period).floor();
            let within = at - periods * per_period;
            Duration::from_secs_f64(periods * per_period / rate + within / (rate * factor))
        })
    }
}

/// A number of units or microseconds for arithmetic; beyond 2^53 it is rounded, which no run reaches.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^53")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

/// Steele, Lea and Flood's generator (2014): small, seeded with any number, good enough for arrivals.
#[derive(Clone, Debug)]
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A waiting time with mean one, as between independent arrivals.
    fn exponential(&mut self) -> f64 {
        let uniform = float(self.next() >> 11) / float(1 << 53);
        -(1.0 - uniform).ln()
    }
}

/// A value of the command line that is none, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WrongValue(String);

/// How much each channel of a pipeline may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// Nothing: `handover::channel()`.
    Zero,
    /// So many: `crossbeam_channel::bounded(n)`.
    Bounded(u32),
    /// Whatever comes: `crossbeam_channel::unbounded()`.
    Unbounded,
}

impl Capacity {
    /// The most that can be asked for: the channel allocates as many places at once.
    pub const MOST: u32 = 1_000_000;

    /// Whose channel it is.
    #[must_use]
    pub fn channel(self) -> &'static str {
        match self {
            Self::Zero => "handover",
            Self::Bounded(_) => "crossbeam bounded",
            Self::Unbounded => "crossbeam unbounded",
        }
    }
}

impl FromStr for Capacity {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        if text == "unbounded" {
            return Ok(Self::Unbounded);
        }
        match text.parse() {
            Ok(0) => Ok(Self::Zero),
            Ok(number) if number <= Self::MOST => Ok(Self::Bounded(number)),
            _ => Err(WrongValue(format!(
                "{text:?} is no capacity: write a number up to {}, or unbounded",
                Self::MOST
            ))),
        }
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("0"),
            Self::Bounded(number) => number.fmt(f),
            Self::Unbounded => f.write_str("unbounded"),
        }
    }
}

impl Serialize for Capacity {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Zero => to.serialize_u32(0),
            Self::Bounded(number) => to.serialize_u32(*number),
            Self::Unbounded => to.serialize_str("unbounded"),
        }
    }
}

/// The units of each period come in the first of this many parts of it, that many times as fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Burst(u32);

impl Burst {
    /// Units come evenly.
    pub const NONE: Self = Self(1);
    const MOST: u32 = 1000;

    /// How many times the average rate.
    #[must_use]
    pub fn factor(self) -> u32 {
        self.0
    }
}

impl FromStr for Burst {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        let digits = text.strip_suffix('x').unwrap_or(text);
        match digits.parse() {
            Ok(factor) if (1..=Self::MOST).contains(&factor) => Ok(Self(factor)),
            _ => Err(WrongValue(format!(
                "{text:?} is no burst: write how many times the rate, from 1x to {}x, such as 10x",
                Self::MOST
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(work_us: &[u64]) -> Shape {
        Shape {
            work: work_us.iter().copied().map(Duration::from_micros).collect(),
            ..Shape::default()
        }
    }

    #[test]
    fn a_capacity_is_a_number_or_unbounded() {
        assert_eq!("0".parse(), Ok(Capacity::Zero));
        assert_eq!("64".parse(), Ok(Capacity::Bounded(64)));
        assert_eq!("unbounded".parse(), Ok(Capacity::Unbounded));
        for wrong in ["", "-1", "1.5", "1000001", "Unbounded", "99999999999999"] {
            assert!(wrong.parse::<Capacity>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_burst_is_how_many_times_the_rate() {
        assert_eq!("10x".parse(), Ok(Burst(10)));
        assert_eq!("1".parse(), Ok(Burst::NONE));
        for wrong in ["", "x", "0x", "1001x", "-2x", "2.5x", "10xx"] {
            assert!(wrong.parse::<Burst>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_slowest_stage_sets_what_can_pass() {
        let ideal = shape(&[50, 50, 200, 50]).ideal(2);
        assert_eq!(ideal.bottleneck, Some(2));
        assert!((ideal.passes - 5000.0).abs() < 1e-6, "{ideal:?}");
        let idle = shape(&[0, 0]).ideal(2);
        assert_eq!(idle.bottleneck, None);
        assert!(idle.passes.is_infinite());
    }

    #[test]
    fn stages_that_spin_share_the_cores() {
        let spinning = Shape {
            spin: true,
            ..shape(&[100, 100, 100, 100])
        };
        let on_two = spinning.ideal(2).passes;
        let on_eight = spinning.ideal(8).passes;
        assert!((on_two - 5000.0).abs() < 1e-6, "{on_two}");
        assert!((on_eight - 10_000.0).abs() < 1e-6, "{on_eight}");
    }

    #[test]
    fn without_bursts_units_are_due_evenly() {
        let due: Vec<Duration> = shape(&[0]).schedule().collect();
        assert_eq!(due.len(), 1000);
        for (number, due) in (0..).zip(due) {
            assert_eq!(due.as_micros(), number * 1000);
        }
    }

    #[test]
    fn a_burst_brings_the_units_of_a_period_in_its_first_part() {
        let bursty = Shape {
            burst: Burst(10),
            units: 3000,
            ..shape(&[0])
        };
        let due: Vec<Duration> = bursty.schedule().collect();
        for (number, due) in (0..).zip(&due) {
            let (period, within) = (number / 1000, number % 1000);
            let expected = period * 1_000_000 + within * 100;
            assert!(due.as_micros().abs_diff(expected) <= 1, "{number}: {due:?}");
        }
        assert_eq!(bursty.production(), Duration::from_secs(3));
    }

    #[test]
    fn a_seed_fixes_the_schedule_and_keeps_its_rate() {
        let random = |seed| Shape {
            seed: Some(seed),
            units: 20_000,
            ..shape(&[0])
        };
        let first: Vec<Duration> = random(7).schedule().collect();
        assert_eq!(first, random(7).schedule().collect::<Vec<_>>());
        assert_ne!(first, random(8).schedule().collect::<Vec<_>>());
        assert!(first.is_sorted());
        // The mean of 20,000 exponential gaps is within 5 % of theirs, by seven standard deviations.
        let last = first.last().unwrap().as_secs_f64();
        assert!((19.0..21.0).contains(&last), "{last}");
    }
}
