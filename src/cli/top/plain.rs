//! A snapshot without a screen: as text, or as lines of JSON.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

use super::client::{Client, FetchError};
use super::columns::{self, Column};
use super::{clean, graph, sources, words};
use crate::cli::standard::Standard;
use crate::process::Snapshot;
use crate::select;

/// The status for a deadlock.
const DEADLOCK: u8 = 1;
/// The status when there is no snapshot.
const NO_SNAPSHOT: u8 = 3;
/// The status when the reader of standard output went away.
const READER_GONE: u8 = 141;

/// Prints one snapshot. Returns the exit status.
///
/// # Errors
/// If standard output cannot be written.
pub fn once(client: &Client, json: bool) -> io::Result<u8> {
    let mut snapshot = match client.fetch() {
        Ok(snapshot) => snapshot,
        Err(error) => {
            eprintln!("handover: {error}");
            return Ok(NO_SNAPSHOT);
        }
    };
    let status = if snapshot.deadlock.is_some() {
        DEADLOCK
    } else {
        0
    };
    let printed = if json {
        line(&snapshot)?
    } else {
        clean::snapshot(&mut snapshot);
        text(&snapshot.distinct())
    };
    write(&mut Standard::output()?, &printed).map(|trouble| trouble.unwrap_or(status))
}

/// Prints a line for each snapshot, until a signal comes or nobody reads any more. Returns the exit status.
///
/// # Errors
/// If standard output cannot be written, or there can be no threads.
pub fn lines(client: Client, interval: Duration) -> io::Result<u8> {
    let mut output = Standard::output()?;
    let signals = sources::signals()?;
    let readings = sources::readings(client, interval)?;
    let mut lost: Option<FetchError> = None;
    loop {
        select! {
            biased;
            recv(signals) -> signal => return Ok(signal.map_or(125, sources::status_of)),
            recv(readings) -> reading => match reading {
                Ok(Ok(snapshot)) => {
                    lost = None;
                    if let Some(status) = write(&mut output, &line(&snapshot)?)? {
                        return Ok(status);
                    }
                }
                Ok(Err(error)) if lost.as_ref() == Some(&error) => {}
                Ok(Err(error)) => {
                    // Whoever reads neither this nor that shall not keep it running: nothing else to be done.
                    let _ = writeln!(io::stderr(), "handover: {error}; trying again");
                    lost = Some(error);
                }
                Err(_) => return Ok(125),
            },
        }
    }
}

/// A snapshot as a line of JSON.
fn line(snapshot: &Snapshot) -> io::Result<String> {
    let line = serde_json::to_string(snapshot)?;
    Ok(clean::json(&line) + "\n")
}

/// Writes all of it; gives the status to end with if nobody reads it.
fn write(output: &mut Standard, text: &str) -> io::Result<Option<u8>> {
    match output.write_all(text.as_bytes()) {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Some(READER_GONE)),
        Err(error) => Err(error),
    }
}

/// A snapshot, of which every name is fit for a terminal, as text.
fn text(snapshot: &Snapshot) -> String {
    let deadlocked = words::deadlocked(snapshot);
    let mut text = format!(
        "{}: {}\n{}; {}\n",
        snapshot.network,
        words::running(snapshot),
        words::counts(snapshot),
        words::hand_overs(snapshot)
    );
    if let Some(deadlock) = &snapshot.deadlock {
        text.extend([&deadlock.to_string(), "\n"]);
    }
    if let Some(undecided) = &snapshot.undecided {
        text.extend([&undecided.to_string(), "\n"]);
    }
    if let Some(bottleneck) = &snapshot.bottleneck {
        text.extend(["bottleneck: ", &bottleneck.to_string(), "\n"]);
    }
    if let Some(unsent) = snapshot.unsent_in_words() {
        text.extend([&unsent, "\n"]);
    }
    table(
        &mut text,
        &snapshot.processes,
        (&columns::PROCESSES, columns::PROCESSES_BY),
        &deadlocked,
    );
    table(
        &mut text,
        &snapshot.channels,
        (&columns::CHANNELS, columns::CHANNELS_BY),
        &deadlocked,
    );
    let lines = graph::lines(snapshot);
    if !lines.is_empty() {
        text.push_str("\nWHO WAITS FOR WHOM\n");
    }
    for line in lines {
        let sign = line
            .state
            .map_or(String::new(), |state| format!("{} ", state.sign()));
        let indent = "  ".repeat(line.depth.min(40));
        let row = format!("{indent}{sign}{}  {}", line.name, line.note);
        text.extend([row.trim_end(), "\n"]);
    }
    text
}

/// A table with all its columns, each as wide as what is in it, in the order in which the view has it at first.
fn table<T>(
    text: &mut String,
    all: &[T],
    (columns, sorted_by): (&[Column<T>], usize),
    deadlocked: &HashSet<&str>,
) {
    if all.is_empty() {
        return;
    }
    let mut order: Vec<&T> = all.iter().collect();
    let (by, name) = (&columns[sorted_by], &columns[0]);
    order.sort_by(|a, b| {
        let first = (by.compare)(b, a, deadlocked);
        first.then_with(|| (name.compare)(a, b, deadlocked))
    });
    let mut rows = vec![
        columns
            .iter()
            .map(|column| column.title.to_owned())
            .collect::<Vec<_>>(),
    ];
    rows.extend(order.into_iter().map(|item| {
        let cells = columns.iter().map(|column| (column.text)(item, deadlocked));
        cells.collect()
    }));
    let cells = |text: &String| ratatui::text::Line::raw(text.as_str()).width();
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| rows.iter().map(|row| cells(&row[at])).max().unwrap_or(0))
        .collect();
    text.push('\n');
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let blanks = width - cells(cell) + 2;
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', blanks));
        }
        text.extend([line.trim_end(), "\n"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::sample;

    #[test]
    fn the_text_of_a_snapshot_says_what_the_screen_says() {
        let said = text(&sample::running());
        for part in [
            "pipeline: running, made 3 min 20 s ago\n",
            "5 processes: 1 running, 1 ready, 2 blocked, 1 outside; 12,387 hand-overs a second\n",
            "bottleneck: collector (waited for by 1.5 others on an average)\n",
            "\nPROCESS    KIND     STATE      FOR  BLOCKED  WAITED BY  WAITS FOR\n\
             collector  process  > running  2 s  0%       1.5\n",
            "collector (sending on \"results\" at pipeline.rs:40)\n",
            "\nCHANNEL  A SECOND  TOTAL      WAITING    CREDIT    FROM -> TO\njobs     12,346",
            "\n  # worker 2  sending on \"results\" at pipeline.rs:40\n",
        ] {
            assert!(said.contains(part), "{part:?} is not in:\n{said}");
        }
    }

    #[test]
    fn a_deadlock_is_told_in_its_sentence() {
        let snapshot = sample::deadlocked();
        let sentence = snapshot.deadlock.as_ref().map(ToString::to_string).unwrap();
        let said = text(&snapshot);
        assert!(said.contains(&format!("\n{sentence}\n")), "{said}");
        assert!(said.contains("! deadlocked"), "{said}");
    }

    #[test]
    fn a_line_of_json_is_one_line_and_the_whole_snapshot() {
        for snapshot in [sample::running(), sample::deadlocked(), sample::hostile()] {
            let line = line(&snapshot).unwrap();
            assert_eq!(line.matches('\n').count(), 1);
            let again: Snapshot = serde_json::from_str(&line).unwrap();
            assert_eq!(again, snapshot);
        }
    }

    #[test]
    fn hostile_names_put_nothing_but_text_into_the_text() {
        let mut hostile = sample::hostile();
        clean::snapshot(&mut hostile);
        assert!(!text(&hostile).contains(|c: char| c.is_control() && c != '\n'));
    }
}
