//! The outcome in words: two tables, and the sentences that say what they show.

use std::fmt::Write;
use std::time::Duration;

use super::model::{Capacity, Shape, float};
use super::outcome::Outcome;

/// Everything about these runs of one shape, for people.
#[must_use]
pub fn text(shape: &Shape, cores: usize, outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for line in aligned(&runs(outcomes)) {
        let _ = writeln!(text, "{line}");
    }
    text.push('\n');
    for line in aligned(&stages(shape, outcomes)) {
        let _ = writeln!(text, "{line}");
    }
    text.push('\n');
    let _ = writeln!(text, "{}", bottleneck(shape, cores));
    for outcome in outcomes {
        let _ = writeln!(text, "{}", what_happened(shape, outcome));
    }
    text.push_str(
        "Latency counts from when a unit was due, so the wait with its producer is in it. \
         Timers are late by tens of microseconds.\n",
    );
    text
}

fn runs(outcomes: &[Outcome]) -> Vec<Vec<String>> {
    let head = [
        "capacity",
        "channel",
        "done",
        "a second",
        "p50",
        "p99",
        "p99.9",
        "held at most",
        "in bytes",
        "process grew",
        "producer waited",
        "shortage seen",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for outcome in outcomes {
        let latency = &outcome.latency_us;
        let percentile = |us| {
            if outcome.units.done == 0 {
                "-".to_owned()
            } else {
                time(Duration::from_micros(us))
            }
        };
        rows.push(vec![
            outcome.capacity.to_string(),
            outcome.channel.to_owned(),
            grouped(outcome.units.done),
            format!("{:.0}", outcome.throughput),
            percentile(latency.p50),
            percentile(latency.p99),
            percentile(latency.p999),
            grouped(outcome.memory.held_together as u64),
            bytes(outcome.memory.held_bytes as u64),
            outcome
                .memory
                .resident_growth_bytes
                .map_or_else(|| "-".to_owned(), bytes),
            time(outcome.producer.waited),
            outcome
                .producer
                .first_shortage
                .map_or_else(|| "never".to_owned(), time),
        ]);
    }
    rows
}

fn stages(shape: &Shape, outcomes: &[Outcome]) -> Vec<Vec<String>> {
    let mut head = vec!["waited to receive / to send".to_owned()];
    head.extend(
        outcomes
            .iter()
            .map(|outcome| format!("at {}", outcome.capacity)),
    );
    let mut rows = vec![head];
    for (number, work) in shape.work.iter().enumerate() {
        let mut row = vec![format!("stage {} ({})", number + 1, time(*work))];
        for outcome in outcomes {
            let stage = &outcome.stages[number];
            let percent = |time: Duration| {
                100.0 * time.as_secs_f64() / outcome.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
            };
            row.push(format!(
                "{:.0} % / {:.0} %",
                percent(stage.waited_to_receive).min(100.0),
                percent(stage.waited_to_send).min(100.0)
            ));
        }
        rows.push(row);
    }
    rows
}

fn bottleneck(shape: &Shape, cores: usize) -> String {
    let ideal = shape.ideal(cores);
    let Some(slowest) = ideal.bottleneck else {
        return "No stage works, so the channels alone set the pace.".to_owned();
    };
    let rate = f64::from(shape.rate);
    let work = time(shape.work[slowest]);
    let mut sentence = format!(
        "Stage {} is the bottleneck: it takes {work} a unit, so at most {} a second can pass",
        slowest + 1,
        grouped_float(1.0 / shape.work[slowest].as_secs_f64())
    );
    if shape.spin && ideal.passes < 1.0 / shape.work[slowest].as_secs_f64() * 0.999 {
        let _ = write!(
            sentence,
            " ({} on the {cores} cores here, which all stages share)",
            grouped_float(ideal.passes)
        );
    }
    let _ = write!(
        sentence,
        "; {} a second come on average",
        grouped_float(rate)
    );
    if shape.burst.factor() > 1 {
        let _ = write!(
            sentence,
            ", {} times that for {} of every {}",
            shape.burst.factor(),
            time(shape.period / shape.burst.factor()),
            time(shape.period)
        );
    }
    let load = rate / ideal.passes;
    let _ = write!(sentence, ", which is {:.0} % of it.", load * 100.0);
    sentence
}

fn what_happened(shape: &Shape, outcome: &Outcome) -> String {
    let mut sentence = match outcome.capacity {
        Capacity::Unbounded => "Unbounded: the producer ".to_owned(),
        capacity => format!("At capacity {capacity} the producer "),
    };
    match outcome.producer.first_shortage {
        Some(at) => {
            let _ = write!(
                sentence,
                "first had to wait longer than {} (the time between two units) after {}, and {} in all",
                time(shape.gap()),
                time(at),
                time(outcome.producer.waited)
            );
        }
        None => sentence.push_str("never had to wait longer than the time between two units"),
    }
    let memory = &outcome.memory;
    if outcome.capacity == Capacity::Zero {
        sentence.push_str("; nothing was held on the way");
    } else {
        let _ = write!(
            sentence,
            "; {} waiting in the channels when it had sent its last, {} at most",
            units_were(memory.held_at_end_of_input as u64),
            grouped(memory.held_together as u64)
        );
    }
    let units = &outcome.units;
    if units.unfinished + units.not_sent > 0 {
        let _ = write!(
            sentence,
            "; when time was up {} unfinished and {} still with the producer, without a latency",
            units_were(units.unfinished),
            grouped(units.not_sent)
        );
    }
    sentence.push('.');
    sentence
}

/// Columns of equal width; the first two to the left, numbers to the right.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                let is_text = column == 0 || row.len() > 6 && column == 1;
                let _ = if is_text {
                    write!(line, "{cell:<width$}  ")
                } else {
                    write!(line, "{cell:>width$}  ")
                };
            }
            line.trim_end().to_owned()
        })
        .collect()
}

/// A time with three digits at most: `350 us`, `2.5 ms`, `3.1 s`.
fn time(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    let with_unit = |number: f64, unit: &str| {
        let text = if number < 10.0 {
            format!("{number:.1}")
        } else {
            format!("{number:.0}")
        };
        format!("{} {unit}", text.trim_end_matches(".0"))
    };
    match us {
        us if us < 999.5 => with_unit(us, "us"),
        us if us < 999_500.0 => with_unit(us / 1e3, "ms"),
        us => with_unit(us / 1e6, "s"),
    }
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.0} KiB", float(bytes) / 1024.0),
        _ => format!("{:.1} MiB", float(bytes) / 1_048_576.0),
    }
}

fn units_were(number: u64) -> String {
    if number == 1 {
        "1 unit was".to_owned()
    } else {
        format!("{} units were", grouped(number))
    }
}

fn grouped_float(number: f64) -> String {
    let text = format!("{number:.0}");
    text.parse().map_or(text, grouped)
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(12_000), "12,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(time(Duration::from_micros(350)), "350 us");
        assert_eq!(time(Duration::from_micros(2540)), "2.5 ms");
        assert_eq!(time(Duration::from_secs(3)), "3 s");
        assert_eq!(bytes(64 << 10), "64 KiB");
    }

    #[test]
    fn the_bottleneck_is_named_with_what_it_allows() {
        let shape = Shape {
            work: [50, 50, 200, 50].map(Duration::from_micros).to_vec(),
            rate: 10_000,
            ..Shape::default()
        };
        let sentence = bottleneck(&shape, 2);
        assert!(
            sentence.starts_with(
                "Stage 3 is the bottleneck: it takes 200 us a unit, so at most 5,000 a second"
            ),
            "{sentence}"
        );
        assert!(sentence.ends_with("which is 200 % of it."), "{sentence}");
    }
}
