//! All channels of a row, interleaved round by round.
//!
//! In each round every channel runs once, and each round begins with another one, so that whatever else the
//! machine does meanwhile falls on all of them alike. Ratios are taken within a round.

use std::{convert::Infallible, ops::ControlFlow, time::Duration};

use super::{
    rows::{ChannelId, Figure, Row},
    run::Run,
    statistics::{Spread, nanoseconds_each, ratios},
};

/// How long to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How often each channel runs, besides the rounds that warm it up.
    pub rounds: usize,
    /// About how long one run takes. Each channel does as many units as that needs, found before the first
    /// round, because the fastest does a hundred in the time in which the slowest does one.
    pub run: Duration,
    /// How long a waiting thread waits.
    pub wait: Duration,
    /// The most rounds in which waiting threads wait.
    pub wait_rounds: usize,
}

impl Pace {
    /// For figures that are to be shown: about ten minutes for all rows.
    pub const FULL: Self = Self {
        rounds: 15,
        run: Duration::from_millis(50),
        wait: Duration::from_secs(1),
        wait_rounds: 5,
    };

    /// For a first look: less than a minute for all rows on two processors.
    pub const QUICK: Self = Self {
        rounds: 5,
        run: Duration::from_millis(8),
        wait: Duration::from_millis(200),
        wait_rounds: 3,
    };

    /// How many rounds a row gets.
    #[must_use]
    pub fn rounds_of(&self, row: &Row) -> usize {
        match row.figure {
            Figure::Time(_) => self.rounds,
            Figure::Wait => self.rounds.min(self.wait_rounds),
        }
    }
}

/// What is about to run.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The row's name.
    pub row: &'a str,
    /// The channel.
    pub channel: ChannelId,
    /// Counted from 1; 0 is for warming up and for finding the number of units.
    pub round: usize,
    /// Rounds of this row.
    pub rounds: usize,
}

/// What came of a row.
#[derive(Debug, Clone)]
pub struct RowResult {
    /// The row's name.
    pub row: String,
    /// What the figures are times of: `a message`.
    pub time_of: String,
    /// Rounds that were measured.
    pub rounds: usize,
    /// The first is ours.
    pub channels: Vec<ChannelResult>,
}

/// What came of one channel in a row.
#[derive(Debug, Clone)]
pub struct ChannelResult {
    /// The channel.
    pub channel: ChannelId,
    /// Units in each run.
    pub units: u64,
    /// The figure of each round, in nanoseconds a unit.
    pub each_round: Vec<f64>,
    /// Their spread.
    pub figure: Spread,
    /// The figure as a multiple of ours in the same round.
    pub ratio: Spread,
    /// Nanoseconds of processor time a unit.
    pub cpu: f64,
    /// Polls a unit; `None` for threads.
    pub polls: Option<f64>,
}

/// Measures all channels of a row. Blocks for about `rounds × channels × run`.
///
/// `before` is called before each run, outside of every measured time; where it breaks, there is no result.
///
/// # Panics
///
/// If a channel loses, doubles or reorders a message.
#[must_use = "it took a while"]
pub fn measure(
    row: &Row,
    pace: &Pace,
    before: &mut dyn FnMut(Step<'_>) -> ControlFlow<()>,
) -> Option<RowResult> {
    let rounds = pace.rounds_of(row);
    let entries = row.entries.len();
    let mut counts = vec![0; entries];
    let mut runs = vec![Vec::with_capacity(rounds); entries];
    for round in 0..=rounds {
        for turn in 0..entries {
            let at = (round + turn) % entries;
            let entry = row.entries[at];
            let step = Step {
                row: &row.name,
                channel: entry.channel,
                round,
                rounds,
            };
            if before(step).is_break() {
                return None;
            }
            match (round, row.figure) {
                (0, Figure::Wait) => counts[at] = milliseconds(pace.wait),
                (0, Figure::Time(_)) => {
                    let Ok(count) = fitting_count(pace.run, |count| {
                        Ok::<_, Infallible>((entry.run)(count).elapsed)
                    });
                    counts[at] = count;
                }
                _ => runs[at].push((entry.run)(counts[at])),
            }
        }
    }
    summed_up(row, pace, &runs)
}

/// The least units in a run: each lane of the widest row has some.
const COUNT_MIN: u64 = 32;

/// The most units in a run: message numbers and their sums stay far below 2^64.
const COUNT_MAX: u64 = 1 << 30;

/// How many units take about `time`, where `run` says how long so many took. It runs a few and then more, until a
/// quarter of the time is used, twice in a row: once may be an interruption.
pub(super) fn fitting_count<E>(
    time: Duration,
    mut run: impl FnMut(u64) -> Result<Duration, E>,
) -> Result<u64, E> {
    let mut count = COUNT_MIN;
    let mut enough = 0;
    loop {
        let elapsed = run(count)?.max(Duration::from_micros(1));
        let factor = time.as_secs_f64() / elapsed.as_secs_f64();
        enough = if factor <= 4.0 { enough + 1 } else { 0 };
        if enough == 1 {
            continue;
        }
        // A few units say little, so it goes towards the time in steps.
        count = scaled(count, factor.min(16.0)).clamp(COUNT_MIN, COUNT_MAX);
        if enough == 2 || count == COUNT_MAX {
            return Ok(count);
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count below 2^36, and a positive factor"
)]
fn scaled(count: u64, factor: f64) -> u64 {
    (count as f64 * factor) as u64
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The figures of runs, one list for each channel of the row. `None` without rounds.
fn summed_up(row: &Row, pace: &Pace, runs: &[Vec<Run>]) -> Option<RowResult> {
    let figure = |run: &Run| match row.figure {
        Figure::Time(_) => nanoseconds_each(run.elapsed, run.units),
        Figure::Wait => nanoseconds_each(run.cpu, run.units),
    };
    let each_round: Vec<Vec<f64>> = runs
        .iter()
        .map(|runs| runs.iter().map(figure).collect())
        .collect();
    let channels = row.entries.iter().zip(runs).zip(&each_round);
    let channels = channels.map(|((entry, runs), figures)| {
        let cpu = runs.iter().map(|run| nanoseconds_each(run.cpu, run.units));
        let polls = runs
            .iter()
            .filter_map(|run| Some(polls_each(run.polls?, run.units)));
        Some(ChannelResult {
            channel: entry.channel,
            units: runs.first()?.units,
            each_round: figures.clone(),
            figure: Spread::of(figures.iter().copied())?,
            ratio: Spread::of(ratios(figures, &each_round[0]))?,
            cpu: Spread::of(cpu)?.median,
            polls: Spread::of(polls).map(|polls| polls.median),
        })
    });
    Some(RowResult {
        row: row.name.clone(),
        time_of: match row.figure {
            Figure::Time(unit) => format!("a {unit}"),
            Figure::Wait => format!("of processor in a wait of {} ms", pace.wait.as_millis()),
        },
        rounds: pace.rounds_of(row),
        channels: channels.collect::<Option<_>>()?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn polls_each(polls: u64, units: u64) -> f64 {
    polls as f64 / units.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rows::rows;

    fn cheap_row() -> Row {
        let mut row = rows().swap_remove(0);
        row.entries.truncate(3);
        row
    }

    const PACE: Pace = Pace {
        rounds: 4,
        run: Duration::from_micros(100),
        wait: Duration::from_millis(1),
        wait_rounds: 2,
    };

    #[test]
    fn each_round_runs_every_channel_once_and_begins_with_another() {
        let row = cheap_row();
        let mut steps = Vec::new();
        let result = measure(&row, &PACE, &mut |step| {
            steps.push((step.round, step.channel));
            ControlFlow::Continue(())
        });
        assert_eq!(steps.len(), 5 * 3);
        for (round, steps) in steps.chunks(3).enumerate() {
            let expected: Vec<_> = (0..3)
                .map(|turn| (round, row.entries[(round + turn) % 3].channel))
                .collect();
            assert_eq!(steps, expected);
        }
        for channel in result.unwrap().channels {
            assert_eq!(channel.each_round.len(), 4);
        }
    }

    #[test]
    fn whoever_stops_it_gets_no_result() {
        let mut left = 5;
        let result = measure(&cheap_row(), &PACE, &mut |_| {
            left -= 1;
            if left == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert!(result.is_none());
        assert_eq!(left, 0);
    }

    #[test]
    fn ours_is_once_ours_and_the_ratio_is_that_of_the_rounds() {
        let result = measure(&cheap_row(), &PACE, &mut |_| ControlFlow::Continue(())).unwrap();
        let ours = &result.channels[0];
        assert!(ours.channel.is_ours());
        assert!((ours.ratio.low - 1.0).abs() < 1e-9 && (ours.ratio.high - 1.0).abs() < 1e-9);
        let rival = &result.channels[1];
        let expected = Spread::of(ratios(&rival.each_round, &ours.each_round)).unwrap();
        assert_eq!(rival.ratio, expected);
    }

    fn fitting(time: Duration, elapsed: impl Fn(u64) -> Duration) -> u64 {
        let Ok(count) = fitting_count(time, |count| Ok::<_, Infallible>(elapsed(count)));
        count
    }

    #[test]
    fn the_count_fits_the_time() {
        let ten_microseconds_each = |count| Duration::from_micros(10 * count);
        let fitting = |time| fitting(time, ten_microseconds_each);
        assert_eq!(fitting(Duration::from_millis(50)), 5000);
        assert_eq!(fitting(Duration::ZERO), COUNT_MIN);
    }

    #[test]
    fn what_takes_no_time_is_done_a_bounded_number_of_times() {
        let count = fitting(Duration::from_secs(1), |_| Duration::ZERO);
        assert_eq!(count, COUNT_MAX);
    }

    #[test]
    fn without_a_time_there_is_no_count() {
        let failing = |count| {
            if count > COUNT_MIN {
                Err(count)
            } else {
                Ok(Duration::ZERO)
            }
        };
        assert_eq!(
            fitting_count(Duration::from_secs(1), failing),
            Err(16 * COUNT_MIN)
        );
    }
}
