//! Results as markdown tables.

use super::{
    drive::{ContenderResult, WorkloadResult},
    record::Record,
    workload::{Threads, Workload},
};
use crate::bench::{
    markdown::{aligned, multiple},
    statistics::{Spread, ratios},
};

/// A figure of a run, if it has that.
type Figure = fn(&Record) -> Option<f64>;

const TIME: Figure = |record| Some(record.ns_per);
const PROCESSOR: Figure = |record| Some(record.cpu_ns_per);
const MEMORY: Figure = |record| record.bytes_per;
const BUILD: Figure = |record| record.build_ns_per;
const END: Figure = |record| record.end_ns_per;

/// Everybody in one workload, in a table under a heading. A ratio is taken to ours in the same round; without ours
/// there is none.
#[must_use]
pub fn table(result: &WorkloadResult) -> String {
    let time = format!("ns a {}", result.workload.unit());
    let (main, others): (_, Vec<(&str, Figure)>) = match result.workload {
        Workload::Blocked => (
            ("bytes a process", MEMORY),
            vec![("ns to make", BUILD), (&time, TIME), ("ns to end", END)],
        ),
        _ => ((&*time, TIME), vec![("processor ns", PROCESSOR)]),
    };
    let mut head = vec![
        "channel",
        "processes",
        main.0,
        "quartiles",
        "times ours",
        "quartiles",
    ];
    head.extend(others.iter().map(|(name, _)| *name));
    let ours = result
        .contenders
        .iter()
        .find(|one| one.contender.is_ours())
        .map(|ours| values(ours, main.1));
    let lines = result.contenders.iter().map(|one| {
        let mut line = vec![
            one.contender.name.to_owned(),
            one.contender.processes.to_owned(),
        ];
        let values = values(one, main.1);
        line.extend(cells(Spread::of(values.iter().copied()), |value| {
            format!("{value:.0}")
        }));
        let ratio = ours.as_ref().map(|ours| ratios(&values, ours));
        line.extend(cells(ratio.and_then(Spread::of), multiple));
        line.extend(others.iter().map(|(_, figure)| {
            median(one, *figure).map_or_else(String::new, |median| format!("{median:.0}"))
        }));
        line
    });
    let lines = aligned(&head, lines.collect());
    format!(
        "### {}\n\n{}\n\n{lines}",
        result.workload,
        described(result)
    )
}

fn described(result: &WorkloadResult) -> String {
    let size = result.size;
    match result.workload {
        Workload::CommsTime => "Prefix, delta, successor and consumer.".into(),
        Workload::Pipeline => format!("{size} processes pass on what one sends and another gets."),
        Workload::Ring => format!("A token goes around a ring of {size} processes."),
        Workload::Blocked => format!("{size} processes in a ring, each blocked in a receive."),
        Workload::Pairs(threads) => format!(
            "{size} pairs send a number forth and back, on {} thread{}.",
            threads.count(),
            if threads == Threads::One { "" } else { "s" },
        ),
    }
}

/// How many times as much everybody's pairs do on two threads as on one, if both were measured, and how many
/// processors those two threads had: with far fewer than two, the first figure tells of the machine's other work.
#[must_use]
pub fn scaling(results: &[WorkloadResult]) -> Option<String> {
    let on = |threads| {
        let mut results = results.iter();
        results.find(|result| result.workload == Workload::Pairs(threads))
    };
    let (one, two) = (on(Threads::One)?, on(Threads::Two)?);
    let lines = one.contenders.iter().filter_map(|on_one| {
        let name = on_one.contender.name;
        let mut others = two.contenders.iter();
        let on_two = others.find(|other| other.contender.name == name)?;
        let speed_up = median(on_one, TIME)? / median(on_two, TIME)?;
        let processors = median(on_two, |record| Some(record.cpu_ns_per / record.ns_per))?;
        Some(vec![
            name.to_owned(),
            multiple(speed_up),
            multiple(processors),
        ])
    });
    let head = ["channel", "times as fast", "processors had"];
    let lines = aligned(&head, lines.collect());
    Some(format!("### pairs, two threads beside one\n\n{lines}"))
}

fn values(one: &ContenderResult, figure: Figure) -> Vec<f64> {
    one.records.iter().filter_map(figure).collect()
}

fn median(one: &ContenderResult, figure: Figure) -> Option<f64> {
    Some(Spread::of(values(one, figure))?.median)
}

/// The median and the quartiles; empty if there are none.
fn cells(spread: Option<Spread>, shown: fn(f64) -> String) -> [String; 2] {
    spread.map_or_else(Default::default, |spread| {
        let quartiles = format!("{}-{}", shown(spread.low), shown(spread.high));
        [shown(spread.median), quartiles]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::network::{Contender, Means};

    fn result(workload: Workload, contenders: &[(&'static str, &[f64])]) -> WorkloadResult {
        let contenders = contenders.iter().map(|(name, times)| ContenderResult {
            contender: Contender {
                name,
                processes: "ants",
                means: Means::Go { capacity: 0 },
                workloads: &[],
            },
            records: times.iter().map(|time| record(workload, *time)).collect(),
        });
        WorkloadResult {
            workload,
            size: 7,
            contenders: contenders.collect(),
        }
    }

    fn record(workload: Workload, time: f64) -> Record {
        let of_ring = matches!(workload, Workload::Blocked).then_some(time);
        Record {
            workload: workload.to_string(),
            contender: String::new(),
            count: 1,
            size: 7,
            ns_per: time,
            cpu_ns_per: time + 1.0,
            build_ns_per: of_ring.map(|time| time + 2.0),
            end_ns_per: of_ring.map(|time| time + 3.0),
            bytes_per: of_ring.map(|time| time * 10.0),
        }
    }

    #[test]
    fn a_ratio_is_that_of_the_rounds() {
        let times: [(_, &[f64]); 2] = [("handover", &[10., 20., 30.]), ("rival", &[20., 20., 60.])];
        let expected = "\
### ring

A token goes around a ring of 7 processes.

| channel  | processes | ns a hop | quartiles | times ours | quartiles | processor ns |
|----------|----------:|---------:|----------:|-----------:|----------:|-------------:|
| handover |      ants |       20 |     15-25 |       1.00 | 1.00-1.00 |           21 |
| rival    |      ants |       20 |     20-40 |       2.00 | 1.50-2.00 |           21 |
";
        assert_eq!(table(&result(Workload::Ring, &times)), expected);
    }

    #[test]
    fn without_ours_there_is_no_ratio_and_blocked_processes_are_told_by_their_memory() {
        let shown = table(&result(Workload::Blocked, &[("rival", &[200.])]));
        let last = shown.lines().last().unwrap();
        let cells: Vec<&str> = last.split('|').map(str::trim).collect();
        let expected = [
            "",
            "rival",
            "ants",
            "2000",
            "2000-2000",
            "",
            "",
            "202",
            "200",
            "203",
            "",
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn scaling_takes_those_who_did_both() {
        let one = result(
            Workload::Pairs(Threads::One),
            &[("a", &[30.]), ("b", &[30.])],
        );
        let two = result(Workload::Pairs(Threads::Two), &[("b", &[20.])]);
        let shown = scaling(&[one.clone(), two]).unwrap();
        let last: Vec<&str> = shown.lines().skip(4).collect();
        assert_eq!(last, ["| b       |          1.50 |           1.05 |"]);
        assert_eq!(scaling(&[one]), None);
    }
}
