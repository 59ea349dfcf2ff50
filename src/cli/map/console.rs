//! The thread that owns standard error: units' own lines, events, the progress line.
//!
//! It takes one thing at a time by rendezvous, so that a slow terminal makes those wait who write to it.
//! Only the drawing of the progress line is skipped when the thread is busy.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::event::Event;
use super::ledger::Snapshot;
use super::roster::UnitProgress;
use crate::cli::limits;
use crate::cli::values::{part_in_words, printable, time_in_words};
use crate::{Receiver, Sender};

/// What is said on standard error.
#[derive(Debug)]
pub enum Say {
    /// A unit wrote this, in whole lines or the last one.
    Unit(u64, Bytes),
    /// Something happened.
    Event(Event),
    /// How the run stands.
    Progress(Progress),
    /// Nothing more.
    End,
}

/// How a run stands.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What the ledger says.
    pub now: Snapshot,
    /// Units finished a second, over the last seconds.
    pub rate: f64,
    /// The time that the producer waited for somebody to take a unit.
    pub producer_waited: Duration,
    /// Results are wanted in order.
    pub keep_order: bool,
    /// Nobody has joined yet, and workers join from elsewhere.
    pub awaits_workers: bool,
    /// What commands said of their units, by number.
    pub units: Vec<UnitProgress>,
}

/// How standard error is written.
#[derive(Clone, Debug)]
pub enum Style {
    /// Lines for people.
    Plain,
    /// Lines for people, also about progress.
    Lines,
    /// Lines for people, and below them a progress line and one for each of some units.
    Live(ProgressBar),
    /// JSON, one object a line.
    Json,
}

impl Style {
    /// What fits the options, and what standard error is.
    pub fn choose(json: bool, no_progress: bool, lines: bool) -> Self {
        match () {
            () if json => Self::Json,
            () if lines => Self::Lines,
            () if no_progress || !io::stderr().is_terminal() => Self::Plain,
            () => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}{prefix}") {
                    bar.set_style(style);
                }
                Self::Live(bar)
            }
        }
    }

    /// The progress line, if there is one.
    pub fn bar(&self) -> Option<&ProgressBar> {
        match self {
            Self::Live(bar) => Some(bar),
            _ => None,
        }
    }
}

/// Starts the thread. It ends when it is told so.
///
/// # Errors
/// If there can be no thread.
pub fn start(style: Style) -> io::Result<(Sender<Say>, JoinHandle<()>)> {
    let (sender, receiver) = crate::channel();
    let thread = std::thread::Builder::new()
        .name("console".into())
        .spawn(move || run(&style, &receiver))?;
    Ok((sender, thread))
}

fn run(style: &Style, receiver: &Receiver<Say>) {
    // Taken is as good as written: nobody could be told that standard error is closed.
    while let Ok(say) = receiver.recv()
        && !matches!(say, Say::End)
    {
        write(style, &say);
    }
    if let Style::Live(bar) = style {
        // The last state stays on the screen.
        bar.abandon();
    }
}

fn write(style: &Style, say: &Say) {
    let text = match (style, say) {
        (Style::Live(bar), Say::Progress(progress)) => {
            bar.set_message(progress.to_string());
            bar.set_prefix(progress.unit_lines(terminal_width()));
            bar.tick();
            return;
        }
        (Style::Json, say) => json_line(say),
        (_, Say::Unit(number, piece)) => prefixed(*number, piece),
        (_, Say::Event(event)) => match event.sentence() {
            Some(sentence) => format!("handover: {sentence}\n").into_bytes(),
            None => return,
        },
        (Style::Lines, Say::Progress(progress)) => progress.lines().into_bytes(),
        (Style::Plain, Say::Progress(_)) | (_, Say::End) => return,
    };
    let write = || drop(io::stderr().lock().write_all(&text));
    match style {
        Style::Live(bar) => bar.suspend(write),
        _ => write(),
    }
}

fn json_line(say: &Say) -> Vec<u8> {
    let value = match say {
        Say::Unit(number, piece) => {
            json!({"event": "stderr", "unit": number, "text": String::from_utf8_lossy(piece)})
        }
        Say::Event(event) => event.json(),
        Say::Progress(progress) => progress.json(),
        Say::End => return Vec::new(),
    };
    format!("{value}\n").into_bytes()
}

/// A unit's lines, each with its number before it, each ended.
fn prefixed(number: u64, piece: &[u8]) -> Vec<u8> {
    let prefix = format!("unit {number}: ");
    let mut text = Vec::with_capacity(piece.len() + 2 * prefix.len());
    for line in piece.split_inclusive(|byte| *byte == b'\n') {
        text.extend_from_slice(prefix.as_bytes());
        text.extend_from_slice(line);
    }
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text
}

impl Progress {
    fn json(&self) -> serde_json::Value {
        json!({
            "event": "progress",
            "done": self.now.finished,
            "failed": self.now.failed,
            "in_hand": self.now.in_hand,
            "workers": self.now.workers,
            "rate": (self.rate * 10.0).round() / 10.0,
            "elapsed_s": seconds(self.now.elapsed),
            "producer_waited_s": seconds(self.producer_waited),
            "workers_waited_s": seconds(self.now.workers_waited),
            "results_waited_s": seconds(self.now.results_waited),
            "poisoned": self.now.poisoned,
            "units": self
                .units
                .iter()
                .map(|unit| json!({
                    "unit": unit.unit,
                    "part": f64::from(unit.millionths) / 1e6,
                    "text": unit.text,
                }))
                .collect::<Vec<_>>(),
        })
    }

    /// It as lines of a log.
    fn lines(&self) -> String {
        let mut text = format!("handover: {self}\n");
        for unit in &self.units {
            let _ = writeln!(text, "handover: {unit}");
        }
        text
    }

    /// What is drawn below the progress line: some units, each on a line that fits.
    fn unit_lines(&self, width: usize) -> String {
        let mut text = String::new();
        for unit in self.units.iter().take(limits::SHOWN_UNITS) {
            let line = unit.to_string();
            text.push_str("\n  ");
            text.extend(line.chars().take(width.saturating_sub(3)));
        }
        let more = self.units.len().saturating_sub(limits::SHOWN_UNITS);
        if more > 0 {
            let _ = write!(text, "\n  and {more} more units");
        }
        text
    }
}

impl std::fmt::Display for UnitProgress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unit {}: {}", self.unit, part_in_words(self.millionths))?;
        if !self.text.is_empty() {
            write!(f, " {}", printable(&self.text))?;
        }
        Ok(())
    }
}

/// Columns of the terminal that standard error is.
fn terminal_width() -> usize {
    crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns))
}

/// Seconds, to the millisecond.
pub fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.awaits_workers {
            return write!(f, "waiting for a worker to join");
        }
        write!(f, "{} done", self.now.finished)?;
        if self.now.failed > 0 {
            write!(f, ", {} failed", self.now.failed)?;
        }
        write!(f, ", {} in hand, ", self.now.in_hand)?;
        match self.now.workers {
            0 => {}
            1 => f.write_str("1 worker, ")?,
            workers => write!(f, "{workers} workers, ")?,
        }
        match self.rate {
            rate if rate >= 10.0 => write!(f, "{rate:.0}/s")?,
            rate => write!(f, "{rate:.1}/s")?,
        }
        let (producer, workers) = (self.producer_waited, self.now.workers_waited);
        let (producer, workers) = (time_in_words(producer), time_in_words(workers));
        write!(f, "; waited: producer {producer}, workers {workers}")?;
        if self.keep_order {
            write!(
                f,
                ", results for their turn {}",
                time_in_words(self.now.results_waited)
            )?;
        }
        Ok(())
    }
}

/// The rate of the last seconds: an average that forgets half of the past every two seconds.
#[derive(Debug)]
pub struct Rate {
    last: (Instant, u64),
    rate: Option<f64>,
}

impl Rate {
    /// Nothing is finished yet.
    pub fn new() -> Self {
        Self {
            last: (Instant::now(), 0),
            rate: None,
        }
    }

    /// The rate now that `finished` units are finished.
    pub fn update(&mut self, finished: u64) -> f64 {
        let now = Instant::now();
        let time = now.duration_since(self.last.0).as_secs_f64().max(1e-6);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate is shown in three digits"
        )]
        let recent = (finished - self.last.1) as f64 / time;
        let keep = 0.5_f64.powf(time / 2.0);
        let rate = self
            .rate
            .map_or(recent, |rate| rate * keep + recent * (1.0 - keep));
        self.last = (now, finished);
        self.rate = Some(rate);
        rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_unit_has_its_number_and_an_end() {
        assert_eq!(prefixed(7, b"a\nb\n"), b"unit 7: a\nunit 7: b\n");
        assert_eq!(prefixed(12, b"no end"), b"unit 12: no end\n");
        assert_eq!(prefixed(1, b"\n\xff"), b"unit 1: \nunit 1: \xff\n");
    }

    #[test]
    fn the_progress_line_tells_who_waited() {
        let now = Snapshot {
            finished: 1200,
            failed: 2,
            poisoned: 0,
            in_hand: 4,
            workers: 4,
            elapsed: Duration::from_secs(10),
            workers_waited: Duration::from_millis(350),
            results_waited: Duration::from_secs(2),
        };
        let mut progress = Progress {
            now,
            rate: 120.4,
            producer_waited: Duration::from_secs(9),
            keep_order: true,
            awaits_workers: false,
            units: vec![UnitProgress {
                unit: 7,
                millionths: 405_000,
                text: "deco\x1bding".into(),
            }],
        };
        assert_eq!(
            progress.to_string(),
            "1200 done, 2 failed, 4 in hand, 4 workers, 120/s; waited: producer 9 s, workers 350 ms, \
             results for their turn 2 s"
        );
        assert_eq!(progress.unit_lines(80), "\n  unit 7: 40.5% deco\\u{1b}ding");
        assert_eq!(progress.unit_lines(13), "\n  unit 7: 40");
        assert!(
            progress
                .lines()
                .ends_with("handover: unit 7: 40.5% deco\\u{1b}ding\n")
        );
        progress.awaits_workers = true;
        assert_eq!(progress.to_string(), "waiting for a worker to join");
    }
}
