//! `handover bench shape`: a pipeline of the user's own shape, over channels of several capacities.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::bench::shape::{self, Burst, Capacity, Outcome, Runner, Shape};
use crate::cli::standard::Standard;
use crate::cli::values::{self, time_in_words};

/// The most stages: a thread each.
const STAGES: i64 = 64;
/// The most units a second: beyond that the clock is what one measures.
const RATE: i64 = 1_000_000;
/// The longest work of a stage on one unit, in microseconds: ten seconds.
const WORK_US: u64 = 10_000_000;
/// The most bytes that a unit may carry.
const UNIT_BYTES: usize = 1 << 20;
/// The most memory that all units of a run may be: without a bound, a channel may come to hold them all.
const MEMORY: u64 = 2 << 30;
/// The longest that one command may run.
const WHOLE: Duration = Duration::from_mins(30);
/// The most capacities in one command.
const CAPACITIES: usize = 16;

const SHAPE_HELP: &str = "\
WHAT IT DOES
  A producer has --rate units a second, whether or not anybody takes them, and
  sends them through --stages threads in a row, each of which works on a unit
  for its --work-us. The same units run over each --capacity, one run after the
  other. 0 is Handover's channel; a number is crossbeam-channel's bounded(N),
  `unbounded` its unbounded().

  Latency counts from when a unit was due, so a unit that waits with its
  producer is as late as one that waits in a queue. A shortage becomes visible
  to the producer when the channel makes a send wait longer than the time
  between two units.

  --burst 10x: the units of each --period come in its first tenth, ten times as
  fast, and then none; the average stays --rate. With --seed the times between
  units vary as those of independent arrivals do, the same for each capacity.

  --work sleep: a working stage takes no core, as if it waited for a disk or a
  peer, so that all stages can work at once on any machine; what a timer is
  late is taken off the next sleeps. --work spin: a working stage uses so much
  processor time; where there are fewer cores than stages, the cores are what
  is short.

  A run ends when all units are through, or after twice the time in which they
  come, and a second: then what is under way is counted as unfinished.

EXAMPLES
  handover bench shape --stages 4 --work-us 50,50,200,50 --rate 5000 \\
    --burst 10x --capacity 0,64,1024,unbounded
  handover bench shape --stages 3 --work-us 100 --rate 12000 --svg shape.svg

EXIT STATUS
  0 measured, 1 the picture or the report could not be written, 2 wrong use";

/// Options of `handover bench shape`.
#[derive(Args, Debug)]
#[command(override_usage = "handover bench shape [OPTIONS]")]
#[command(after_long_help = SHAPE_HELP, after_help = "--help says more, with examples.")]
pub struct ShapeOptions {
    /// Stages after the producer, a thread each
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=STAGES))]
    stages: u16,

    /// Microseconds that each stage works on a unit: one number for all, or one for each
    #[arg(long, value_name = "US,...", default_value = "50,50,200,50", value_delimiter = ',',
          value_parser = clap::value_parser!(u64).range(0..=WORK_US))]
    work_us: Vec<u64>,

    /// How a stage works: it sleeps, as if it waited for something, or spins, as if it computed
    #[arg(long, value_name = "HOW", default_value = "sleep")]
    work: Work,

    /// Units a second, on average
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=RATE))]
    rate: u32,

    /// Let the units of each period come in bursts, so many times as fast
    #[arg(long, value_name = "TIMES", default_value = "1x")]
    burst: Burst,

    /// How long a burst and the silence after it are together
    #[arg(long, value_name = "D", default_value = "1s", value_parser = values::duration)]
    period: Duration,

    /// What each channel may hold, a run each: numbers, and `unbounded`
    #[arg(
        long,
        value_name = "N,...",
        default_value = "0,64,1024,unbounded",
        value_delimiter = ','
    )]
    capacity: Vec<Capacity>,

    /// For how long units come, in each run [default: 3]
    #[arg(long, value_name = "S", value_parser = values::duration)]
    seconds: Option<Duration>,

    /// How many units come, instead of for how long
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    units: Option<u64>,

    /// Bytes that each unit carries
    #[arg(long, value_name = "SIZE", default_value = "1k", value_parser = values::size)]
    unit_bytes: usize,

    /// Let the times between units vary, by this seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Write the outcome as JSON to standard output
    #[arg(long)]
    json: bool,

    /// Draw what the channels held, and how late the producer was, over time
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// How a stage works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Work {
    /// It takes no core.
    Sleep,
    /// It uses processor time.
    Spin,
}

/// Runs `handover bench shape`.
pub fn main(options: &ShapeOptions) -> ExitCode {
    let shape = match shape_of(options) {
        Ok(shape) => shape,
        Err(sentence) => {
            eprintln!("handover: {sentence}");
            return ExitCode::from(2);
        }
    };
    match measure(options, &shape) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("handover: {sentence}");
            ExitCode::from(1)
        }
    }
}

/// What the options mean together.
fn shape_of(options: &ShapeOptions) -> Result<Shape, String> {
    let stages = usize::from(options.stages);
    let work_us = match options.work_us.as_slice() {
        [one] => vec![*one; stages],
        each if each.len() == stages => each.to_vec(),
        each => {
            return Err(format!(
                "--work-us has {} numbers for {stages} stages: give one for all, or one for each (--stages)",
                each.len()
            ));
        }
    };
    let seconds = options.seconds.unwrap_or(Duration::from_secs(3));
    let units = options
        .units
        .unwrap_or_else(|| whole_units(options.rate, seconds));
    let shape = Shape {
        work: work_us.into_iter().map(Duration::from_micros).collect(),
        spin: options.work == Work::Spin,
        rate: options.rate,
        burst: options.burst,
        period: options.period,
        units,
        unit_bytes: options.unit_bytes,
        seed: options.seed,
    };
    if options.capacity.len() > CAPACITIES {
        return Err(format!(
            "--capacity has {} values, the most is {CAPACITIES}",
            options.capacity.len()
        ));
    }
    if options.unit_bytes > UNIT_BYTES {
        return Err(format!(
            "--unit-bytes {} is more than the largest unit, {}",
            options.unit_bytes,
            values::bytes_in_words(UNIT_BYTES)
        ));
    }
    within_limits(&shape, options.capacity.len())?;
    Ok(shape)
}

/// How many units come in a time, at least one.
fn whole_units(rate: u32, time: Duration) -> u64 {
    let units = u128::from(rate) * time.as_nanos() / 1_000_000_000;
    u64::try_from(units).unwrap_or(u64::MAX).max(1)
}

/// Refuses what would take too long, or too much memory where nothing bounds a queue.
fn within_limits(shape: &Shape, runs: usize) -> Result<(), String> {
    let longest = (u64::from(shape.rate)).saturating_mul(WHOLE.as_secs());
    let whole = |shape: &Shape| shape.limit() * u32::try_from(runs).unwrap_or(u32::MAX);
    if shape.units > longest || whole(shape) > WHOLE {
        return Err(format!(
            "{} units at --rate {} would take longer than {}, the most for one command: \
             give fewer --seconds, --units or --capacity values",
            shape.units,
            shape.rate,
            time_in_words(WHOLE)
        ));
    }
    let bytes = shape.units.saturating_mul(shape.unit_bytes as u64 + 64);
    if bytes > MEMORY {
        return Err(format!(
            "an unbounded queue might come to hold all {} units of {} bytes, more than {} MiB: \
             give a smaller --unit-bytes, or fewer --seconds or --units",
            shape.units,
            shape.unit_bytes,
            MEMORY >> 20
        ));
    }
    Ok(())
}

fn measure(options: &ShapeOptions, shape: &Shape) -> Result<(), String> {
    let runs = options.capacity.len();
    let terminal = io::stderr().is_terminal();
    if terminal {
        let least = shape.production() * u32::try_from(runs).unwrap_or(u32::MAX);
        let most = shape.limit() * u32::try_from(runs).unwrap_or(u32::MAX);
        eprintln!(
            "handover: {runs} runs of {} units: {} at least, {} at most",
            shape.units,
            time_in_words(least),
            time_in_words(most)
        );
    }
    let mut runner = Runner::new(shape);
    let mut outcomes = Vec::new();
    for capacity in &options.capacity {
        outcomes.push(run_shown(&mut runner, shape.units, *capacity, terminal));
    }
    if let Some(path) = &options.svg {
        let svg =
            shape::picture(&title(options, shape), &outcomes).map_err(|error| error.to_string())?;
        fs::write(path, svg)
            .map_err(|error| format!("--svg {} cannot be written: {error}", path.display()))?;
    }
    let report = if options.json {
        let ideal = shape.ideal(values::cores());
        let object = json!({
            "shape": shape,
            "cores": values::cores(),
            // The stage counts from 1, as in the report; null where no stage works.
            "bottleneck_stage": ideal.bottleneck.map(|stage| stage + 1),
            "ideal_throughput": ideal.passes,
            "runs": outcomes,
        });
        format!("{object:#}\n")
    } else {
        shape::text(shape, values::cores(), &outcomes)
    };
    Standard::output()
        .and_then(|mut output| output.write_all(report.as_bytes()))
        .or_else(|error| match error.kind() {
            // A reader that has seen enough.
            io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(format!("standard output cannot be written: {error}")),
        })
}

/// One run, with a progress line on a terminal.
fn run_shown(runner: &mut Runner<'_>, units: u64, capacity: Capacity, terminal: bool) -> Outcome {
    let bar = if terminal {
        ProgressBar::new(units)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(format!("capacity {capacity}"));
    let outcome = runner.run(capacity, &mut |progress| {
        bar.set_position(progress.done);
        bar.set_message(format!("{} waiting", progress.held));
    });
    bar.finish_and_clear();
    outcome
}

fn title(options: &ShapeOptions, shape: &Shape) -> String {
    let work: Vec<String> = shape
        .work
        .iter()
        .map(|work| work.as_micros().to_string())
        .collect();
    let mut title = format!(
        "{} stages of {} us, {} units a second",
        shape.work.len(),
        work.join(", "),
        shape.rate
    );
    if options.burst != Burst::NONE {
        // Writing to a string cannot fail.
        let _ = write!(title, " in bursts of {}x", options.burst.factor());
    }
    title
}
