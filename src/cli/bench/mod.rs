//! `handover bench`: the channel beside its rivals, on the user's own machine.
//!
//! The main thread measures and writes; a second one watches for signals and for a channel that does not come to
//! an end. Before each run the first hands the second what it is about to do, which fails once the run is to end.

mod options;
mod output;
mod shape;
mod watch;

use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub use self::options::BenchOptions;
use self::output::Output;
use self::watch::Watch;
use crate::bench::{Pace, Row, RowResult, choose, measure, picture, rows};

/// Runs `handover bench`.
pub fn main(options: &BenchOptions) -> ExitCode {
    if let Some(other) = &options.other {
        return other.main();
    }
    match run(options) {
        Ok(status) => ExitCode::from(status),
        Err(trouble) => {
            eprintln!("handover: {}", trouble.sentence);
            ExitCode::from(trouble.status)
        }
    }
}

/// Why there is no measurement.
#[derive(Debug)]
struct Trouble {
    sentence: String,
    status: u8,
}

impl Trouble {
    fn usage(sentence: String) -> Self {
        Self {
            sentence,
            status: 2,
        }
    }

    fn internal(what: &str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self {
            sentence: format!("{what}: {error}"),
            status: 125,
        }
    }
}

fn run(options: &BenchOptions) -> Result<u8, Trouble> {
    let rows = choose(rows(), &options.rows, &options.against)
        .map_err(|error| Trouble::usage(error.to_string()))?;
    let mut output = Output::new(options.json)?;
    if options.list {
        return output.list(&rows);
    }
    if let Some(file) = &options.svg {
        check_writable(file)?;
    }
    let mut pace = if options.quick {
        Pace::QUICK
    } else {
        Pace::FULL
    };
    if let Some(rounds) = options.rounds {
        pace.rounds = rounds.into();
    }
    if cfg!(debug_assertions) {
        eprintln!(
            "handover: this is a debug build, so the figures say little: build with --release"
        );
    }
    let mut results = Vec::new();
    let status = measure_all(&rows, &pace, &mut output, &mut results)?;
    if let (Some(file), false) = (&options.svg, results.is_empty()) {
        draw(file, &results)?;
    }
    if status != 0 {
        return Ok(status);
    }
    output.end(&results)
}

/// Measures the rows one after the other and writes each when it is done, until there are none left, somebody
/// interrupts, or nobody reads any more. What was measured is in `results`.
fn measure_all(
    rows: &[Row],
    pace: &Pace,
    output: &mut Output,
    results: &mut Vec<RowResult>,
) -> Result<u8, Trouble> {
    let bar = progress(rows, pace);
    let watch =
        Watch::start(bar.clone()).map_err(Trouble::internal("signals cannot be watched"))?;
    let mut status = output.begin(pace)?;
    for row in rows {
        if status != 0 {
            break;
        }
        let result = measure(row, pace, &mut |step| {
            bar.inc(1);
            let text = format!("{}, {}", step.row, step.channel);
            bar.set_message(text.clone());
            if watch.is_about_to(text) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        let Some(result) = result else { break };
        watch.pauses();
        status = bar.suspend(|| output.row(&result))?;
        results.push(result);
    }
    bar.finish_and_clear();
    Ok(watch.end().unwrap_or(status))
}

/// Counts the runs, on standard error if that is a terminal.
fn progress(rows: &[Row], pace: &Pace) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let runs = rows
        .iter()
        .map(|row| (pace.rounds_of(row) + 1) * row.entries.len());
    let bar = ProgressBar::with_draw_target(
        Some(runs.sum::<usize>() as u64),
        ProgressDrawTarget::stderr(),
    );
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3} %, {eta} left: {msg}") {
        bar.set_style(style);
    }
    bar
}

/// Finds out before the measurement whether its picture can be kept.
fn check_writable(file: &Path) -> Result<(), Trouble> {
    let opened = OpenOptions::new().append(true).create(true).open(file);
    match opened {
        Ok(_) => Ok(()),
        Err(error) => Err(Trouble::usage(format!(
            "--svg {} cannot be used: {error}",
            file.display()
        ))),
    }
}

fn draw(file: &Path, results: &[RowResult]) -> Result<(), Trouble> {
    let svg = picture::svg("handover beside its rivals", results).map_err(|error| Trouble {
        sentence: error.to_string(),
        status: 125,
    })?;
    let what = format!("--svg {} cannot be written", file.display());
    std::fs::write(file, svg).map_err(Trouble::internal(&what))
}
