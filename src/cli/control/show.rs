//! An answer, as people and as programs read it.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::speech::{Answer, Poisoned, Status, WorkerStatus};
use crate::cli::values::{part_in_words, printable, time_in_words};

/// An answer as text, each line ended.
pub fn text(answer: &Answer) -> String {
    match answer {
        Answer::Done(sentences) => sentences.iter().fold(String::new(), |mut text, sentence| {
            let _ = writeln!(text, "{}", printable(sentence));
            text
        }),
        Answer::Refused(why) => format!("{}\n", printable(why)),
        Answer::Status(status) => status_text(status),
        Answer::Poisoned(poisoned) => poisoned_text(poisoned),
    }
}

fn status_text(status: &Status) -> String {
    let mut text = format!("{} done", status.finished);
    for (count, what) in [
        (status.failed, "failed"),
        (status.poisoned, "poisoned"),
        (status.late_results, "late results refused"),
        (status.bad_reports, "units with reports that are none"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    let elapsed = time_in_words(Duration::from_millis(status.elapsed_ms));
    let _ = write!(text, ", {} in hand, after {elapsed}", status.in_hand);
    if status.input_ended {
        text.push_str("; the input has ended");
    }
    if status.all_paused {
        text.push_str("; all are paused, and whoever joins");
    }
    text.push('\n');
    if !status.waiting_units.is_empty() {
        let units: Vec<_> = status.waiting_units.iter().map(u64::to_string).collect();
        let _ = writeln!(text, "waiting for another worker: {}", units.join(", "));
    }
    if status.workers.is_empty() {
        text.push_str("no worker has joined\n");
        return text;
    }
    let mut rows = vec![["#", "WORKER", "STATE", "UNIT", "PROGRESS", "SINCE"].map(String::from)];
    rows.extend(status.workers.iter().map(row));
    text.push_str(&table(&rows));
    text
}

fn row(worker: &WorkerStatus) -> [String; 6] {
    let progress = match worker.millionths {
        Some(part) => format!("{} {}", part_in_words(part), printable(&worker.text)),
        None => "-".into(),
    };
    let mut state = worker.state.word().to_owned();
    if worker.others > 0 {
        let _ = write!(state, " (+{})", worker.others);
    }
    [
        worker.id.to_string(),
        printable(&worker.name),
        state,
        worker.unit.map_or("-".into(), |unit| unit.to_string()),
        progress.trim_end().to_owned(),
        time_in_words(Duration::from_millis(worker.since_ms)),
    ]
}

/// Columns as wide as their widest cell, two spaces apart.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn poisoned_text(poisoned: &Poisoned) -> String {
    if poisoned.count == 0 {
        return "no unit is poisoned\n".into();
    }
    let mut text = String::new();
    for (unit, losses) in &poisoned.units {
        let _ = writeln!(text, "unit {unit}: its worker was lost {losses} times");
    }
    let more = poisoned.count - poisoned.units.len() as u64;
    if more > 0 {
        let _ = writeln!(text, "and {more} more");
    }
    text
}

/// An answer as JSON.
pub fn json(answer: &Answer) -> Value {
    match answer {
        Answer::Done(sentences) => json!({"done": sentences}),
        Answer::Refused(why) => json!({"refused": why}),
        Answer::Status(status) => json!({
            "done": status.finished,
            "failed": status.failed,
            "poisoned": status.poisoned,
            "in_hand": status.in_hand,
            "late_results": status.late_results,
            "bad_reports": status.bad_reports,
            "input_ended": status.input_ended,
            "all_paused": status.all_paused,
            "elapsed_s": seconds(status.elapsed_ms),
            "waiting_units": status.waiting_units,
            "workers": status.workers.iter().map(worker_json).collect::<Vec<_>>(),
        }),
        Answer::Poisoned(poisoned) => json!({
            "poisoned": poisoned.count,
            "units": poisoned
                .units
                .iter()
                .map(|(unit, losses)| json!({"unit": unit, "losses": losses}))
                .collect::<Vec<_>>(),
        }),
    }
}

fn worker_json(worker: &WorkerStatus) -> Value {
    json!({
        "id": worker.id,
        "name": worker.name,
        "local": worker.local,
        "state": worker.state.word(),
        "since_s": seconds(worker.since_ms),
        "silent_s": seconds(worker.silent_ms),
        "unit": worker.unit,
        "part": worker.millionths.map(|part| f64::from(part) / 1e6),
        "text": worker.text,
        "others": worker.others,
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a run are exact in it"
)]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::super::speech::State;
    use super::*;

    #[test]
    fn a_status_is_a_line_and_a_table() {
        let worker = WorkerStatus {
            id: 1,
            name: "local host:12".into(),
            local: true,
            state: State::Working,
            since_ms: 12_000,
            silent_ms: 10,
            unit: Some(13),
            millionths: Some(400_000),
            text: "deco\x1bding".into(),
            others: 0,
        };
        let idle = WorkerStatus {
            id: 2,
            state: State::Paused,
            unit: None,
            millionths: None,
            others: 2,
            ..worker.clone()
        };
        let status = Status {
            finished: 12,
            failed: 1,
            poisoned: 0,
            in_hand: 1,
            late_results: 0,
            bad_reports: 0,
            input_ended: false,
            all_paused: false,
            elapsed_ms: 34_000,
            waiting_units: vec![4, 5],
            workers: vec![worker, idle],
        };
        let expected = "\
12 done, 1 failed, 1 in hand, after 34 s
waiting for another worker: 4, 5
#  WORKER         STATE        UNIT  PROGRESS            SINCE
1  local host:12  working      13    40% deco\\u{1b}ding  12 s
2  local host:12  paused (+2)  -     -                   12 s
";
        assert_eq!(text(&Answer::Status(Box::new(status))), expected);
    }
}
