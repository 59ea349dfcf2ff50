//! Every channel beside every other, interleaved, as one table.
//!
//! In each round every channel of a workload runs once, and each round begins with another one, so that
//! whatever else the machine does meanwhile falls on all of them alike. The ratio to ours is taken within a
//! round; what is printed is the median over the rounds.
//!
//! ```text
//! cargo bench --bench rounds                          every row, 15 rounds
//! cargo bench --bench rounds -- --rounds 5 ping-pong  the rows with "ping-pong" in their name
//! cargo bench --bench rounds -- --only handover       that channel alone, for a profiler
//! ```

mod workload;

use std::process::ExitCode;

use workload::{Entry, Row, Run};

const ROUNDS: usize = 15;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(complaint) => {
            eprintln!("{complaint}");
            return ExitCode::from(2);
        }
    };
    println!("{}, std of this toolchain", workload::versions().join(", "));
    println!(
        "{} rounds, {} processors",
        arguments.rounds,
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    for mut row in workload::rows() {
        row.entries
            .retain(|entry| entry.name.starts_with(&arguments.only));
        if !row.entries.is_empty() && arguments.parts.iter().all(|part| row.name.contains(part)) {
            print(&row, &measure(&row, arguments.rounds));
        }
    }
    ExitCode::SUCCESS
}

struct Arguments {
    rounds: usize,
    /// How the name of a channel that takes part begins.
    only: String,
    /// What must be in a row's name.
    parts: Vec<String>,
}

impl Arguments {
    fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            rounds: ROUNDS,
            only: String::new(),
            parts: Vec::new(),
        };
        while let Some(argument) = given.next() {
            match argument.as_str() {
                // What `cargo bench` itself adds.
                "--bench" => {}
                "--rounds" => {
                    arguments.rounds = given
                        .next()
                        .and_then(|number| number.parse().ok())
                        .filter(|number| *number > 0)
                        .ok_or("--rounds needs a number of 1 or more")?;
                }
                "--only" => arguments.only = given.next().ok_or("--only needs a channel's name")?,
                option if option.starts_with('-') => {
                    return Err(format!("no such option: {option}"));
                }
                part => arguments.parts.push(part.to_owned()),
            }
        }
        Ok(arguments)
    }
}

/// The runs of each entry, in the order of the rounds. A first round, not kept, warms everything up.
fn measure(row: &Row, rounds: usize) -> Vec<Vec<Run>> {
    let entries = row.entries.len();
    let mut runs = vec![Vec::with_capacity(rounds); entries];
    for round in 0..=rounds {
        for turn in 0..entries {
            let entry = (round + turn) % entries;
            let run = (row.entries[entry].run)(row.count);
            if round > 0 {
                runs[entry].push(run);
            }
        }
    }
    runs
}

fn print(row: &Row, runs: &[Vec<Run>]) {
    println!("\n### {}\n", row.name);
    println!(
        "| channel | ns a {} | quartiles | times ours | processor ns | polls |",
        row.unit
    );
    println!("|---|---:|---:|---:|---:|---:|");
    let ours = &runs[0];
    for (entry, runs) in row.entries.iter().zip(runs) {
        println!("{}", line(entry, runs, ours, row.count));
    }
}

/// One line of a row's table. Everything in it is the median of the rounds.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and times far below 2^52"
)]
fn line(entry: &Entry, runs: &[Run], ours: &[Run], count: u64) -> String {
    let per_unit = |time: std::time::Duration| time.as_nanos() as f64 / count as f64;
    let elapsed = sorted(runs.iter().map(|run| per_unit(run.elapsed)));
    let cpu = sorted(runs.iter().map(|run| per_unit(run.cpu)));
    let ratio = sorted(
        runs.iter()
            .zip(ours)
            .map(|(run, ours)| run.elapsed.as_secs_f64() / ours.elapsed.as_secs_f64()),
    );
    let polls = sorted(
        runs.iter()
            .filter_map(|run| Some(run.polls? as f64 / count as f64)),
    );
    format!(
        "| {} | {:.0} | {:.0}-{:.0} | {:.2} | {:.0} | {} |",
        entry.name,
        quantile(&elapsed, 2),
        quantile(&elapsed, 1),
        quantile(&elapsed, 3),
        quantile(&ratio, 2),
        quantile(&cpu, 2),
        if polls.is_empty() {
            "-".to_owned()
        } else {
            format!("{:.2}", quantile(&polls, 2))
        },
    )
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value below which `quarters` quarters of the sorted values lie.
fn quantile(sorted: &[f64], quarters: usize) -> f64 {
    sorted[(sorted.len() - 1) * quarters / 4]
}
