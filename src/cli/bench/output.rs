//! What `handover bench` writes to standard output: tables, or JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Trouble;
use crate::bench::{ChannelResult, Pace, Row, RowResult, Spread, markdown, versions};
use crate::cli::standard::Standard;
use crate::cli::values;

/// The status when the reader of standard output went away.
const READER_GONE: u8 = 141;

/// Standard output. Each function returns the status that the program is to end with, 0 if it is to go on.
#[derive(Debug)]
pub struct Output {
    to: Standard,
    json: bool,
}

impl Output {
    /// Writes tables, or a JSON object for each row.
    pub fn new(json: bool) -> Result<Self, Trouble> {
        let to = Standard::output();
        let to = to.map_err(Trouble::internal("standard output cannot be written"))?;
        Ok(Self { to, json })
    }

    /// Writes the rows, and who can do them.
    pub fn list(&mut self, rows: &[Row]) -> Result<u8, Trouble> {
        let mut text = String::new();
        for row in rows {
            let names: Vec<String> = row
                .entries
                .iter()
                .map(|entry| entry.channel.to_string())
                .collect();
            text.extend([&row.name, ": ", row.what, "\n    ", &names.join(" "), "\n"]);
        }
        self.write(&text)
    }

    /// Writes what all rows have in common.
    pub fn begin(&mut self, pace: &Pace) -> Result<u8, Trouble> {
        if self.json {
            return Ok(0);
        }
        let (versions, rounds) = (versions().join(", "), pace.rounds);
        let cores = values::cores();
        self.write(&format!(
            "{versions}, std; {rounds} rounds, {cores} processors\n\n"
        ))
    }

    /// Writes one row.
    pub fn row(&mut self, result: &RowResult) -> Result<u8, Trouble> {
        if self.json {
            self.write(&format!("{}\n", row_json(result)))
        } else {
            self.write(&format!("{}\n", markdown::table(result)))
        }
    }

    /// Writes the table of all rows, where there are several.
    pub fn end(&mut self, results: &[RowResult]) -> Result<u8, Trouble> {
        if self.json || results.len() < 2 {
            return Ok(0);
        }
        self.write(&markdown::summary(results))
    }

    fn write(&mut self, text: &str) -> Result<u8, Trouble> {
        match self.to.write_all(text.as_bytes()) {
            Ok(()) => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(READER_GONE),
            Err(error) => Err(Trouble::internal("standard output cannot be written")(
                error,
            )),
        }
    }
}

fn row_json(result: &RowResult) -> Value {
    json!({
        "row": result.row,
        "figure": format!("ns {}", result.time_of),
        "rounds": result.rounds,
        "channels": result.channels.iter().map(channel_json).collect::<Vec<_>>(),
    })
}

fn channel_json(channel: &ChannelResult) -> Value {
    json!({
        "channel": channel.channel.to_string(),
        "capacity": channel.channel.capacity,
        "ours": channel.channel.is_ours(),
        "units": channel.units,
        "ns": spread_json(&channel.figure),
        "times_ours": spread_json(&channel.ratio),
        "processor_ns": channel.cpu,
        "polls": channel.polls,
        "ns_each_round": channel.each_round,
    })
}

fn spread_json(spread: &Spread) -> Value {
    json!({"low": spread.low, "median": spread.median, "high": spread.high})
}
