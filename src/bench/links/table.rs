//! Results as markdown tables.

use super::{
    program::RowResult,
    record::Record,
    row::{GRANT, Row, WORKERS},
};
use crate::bench::{
    markdown::{aligned, multiple},
    statistics::{Spread, ratios},
};

/// Everybody in one row, in a table under a heading. Ratios are taken within a round, to the contender that is
/// [the measure](super::Contender::is_the_measure).
#[must_use]
pub fn table(result: &RowResult) -> String {
    let row = result.row;
    let (unit, measure) = (row.unit(), measure_of(result));
    let figure = match row {
        Row::Idle => "bytes a connection".to_owned(),
        _ => format!("us a {unit}"),
    };
    let times = measure.map_or_else(String::new, |(name, _)| format!("times {name}"));
    let mut head = vec!["who", "what", &figure, "quartiles"];
    head.extend([&*times, "quartiles"]);
    if row.has_latencies() {
        head.extend(["p50", "p99", "p99.9"]);
    }
    let lines = result.contenders.iter().map(|(contender, records)| {
        let values: Vec<f64> = records.iter().map(|record| record.figure(row)).collect();
        let mut line = vec![contender.name.to_owned(), contender.what.to_owned()];
        line.extend(cells(Spread::of(values.iter().copied()), |value| {
            shown(row, value)
        }));
        let ratio = measure.map(|(_, of)| {
            let of: Vec<f64> = of.iter().map(|record| record.figure(row)).collect();
            ratios(&values, &of)
        });
        line.extend(cells(ratio.and_then(Spread::of), multiple));
        if row.has_latencies() {
            line.extend(latencies(records).map(|value| shown(row, value)));
        }
        line
    });
    let lines = aligned(&head, lines.collect());
    format!("### {}\n\n{}\n\n{lines}", row.name(), described(row))
}

/// The medians, over the rounds, of what half, 99 in 100 and 999 in 1000 units keep within, in nanoseconds.
pub(super) fn latencies(records: &[Record]) -> [f64; 3] {
    let parts: [fn(&Record) -> f64; 3] = [
        |record| record.ns_p50,
        |record| record.ns_p99,
        |record| record.ns_p999,
    ];
    parts.map(|part| Spread::of(records.iter().map(part)).map_or(0.0, |spread| spread.median))
}

fn measure_of(result: &RowResult) -> Option<(&'static str, &[Record])> {
    let mut contenders = result.contenders.iter();
    contenders
        .find(|(contender, _)| contender.is_the_measure(result.row))
        .map(|(contender, records)| (contender.name, &records[..]))
}

fn described(row: Row) -> String {
    match row {
        Row::RoundTrip => {
            "A message of 8 B that is confirmed before the next is sent, 127.0.0.1, two programs."
                .into()
        }
        Row::Apart => "The same, where each program has a processor of its own.".into(),
        Row::Unit => format!(
            "One producer, {WORKERS} workers in programs of their own, none of which has a unit in advance: {WORKERS} \
             units of 8 B are under way."
        ),
        Row::UnitInCredit => format!(
            "The same, where each worker has granted {GRANT}: {} units are under way.",
            WORKERS * GRANT
        ),
        Row::Copy => "Messages of 1 MiB, one way.".into(),
        Row::Idle => {
            "Connections that do nothing: anonymous memory of the program that accepted them."
                .into()
        }
    }
}

fn shown(row: Row, value: f64) -> String {
    match row {
        Row::Idle => format!("{value:.0}"),
        _ => format!("{:.2}", value / 1000.0),
    }
}

/// The median and the quartiles; empty if there are none.
fn cells(spread: Option<Spread>, shown: impl Fn(f64) -> String) -> [String; 2] {
    spread.map_or_else(Default::default, |spread| {
        let quartiles = format!("{}-{}", shown(spread.low), shown(spread.high));
        [shown(spread.median), quartiles]
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::links::find;

    pub(in crate::bench::links) fn result(row: Row, all: &[(&str, &[f64])]) -> RowResult {
        let record = |name: &str, time: f64| Record {
            row: row.name().into(),
            contender: name.into(),
            count: 1,
            ns_per: time,
            ns_p50: time,
            ns_p99: time * 2.0,
            ns_p999: time * 3.0,
            bytes_per: time,
        };
        let contenders = all.iter().map(|(name, times)| {
            let records = times.iter().map(|time| record(name, *time));
            (find(name).unwrap(), records.collect())
        });
        RowResult {
            row,
            contenders: contenders.collect(),
        }
    }

    #[test]
    fn a_ratio_is_that_of_the_rounds() {
        let times: [(_, &[f64]); 2] = [
            ("handover", &[20_000., 20_000., 60_000.]),
            ("std", &[10_000., 20_000., 30_000.]),
        ];
        let shown = table(&result(Row::RoundTrip, &times));
        let line = shown.lines().find(|line| line.starts_with("| handover"));
        let cells: Vec<&str> = line.unwrap().split('|').map(str::trim).collect();
        let expected = [
            "20.00",
            "20.00-40.00",
            "2.00",
            "1.50-2.00",
            "20.00",
            "40.00",
            "60.00",
        ];
        assert_eq!(cells[3..10], expected);
    }

    #[test]
    fn without_the_measure_there_is_no_ratio_and_memory_is_in_bytes() {
        let shown = table(&result(Row::Idle, &[("handover", &[4000.])]));
        let cells: Vec<&str> = shown
            .lines()
            .last()
            .unwrap()
            .split('|')
            .map(str::trim)
            .collect();
        assert_eq!(cells[3..7], ["4000", "4000-4000", "", ""]);
    }
}
