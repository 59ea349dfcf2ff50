//! `handover bench`, driven as a user drives it. Nothing here looks at how long anything took.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use support::{Finished, Running, Scratch, eventually, run, signal, start_unread};

#[path = "map/support.rs"]
#[expect(dead_code, reason = "what the tests of `handover map` use beside")]
mod support;

const ROW: &str = "threads/one-way/8B";

fn bench(arguments: &[&str]) -> Finished {
    run(["bench"].iter().chain(arguments), b"")
}

/// The rows of `--list`, each with its channels.
fn listed() -> BTreeMap<String, Vec<String>> {
    let list = bench(&["--list"]).succeeded();
    let lines: Vec<&str> = list.stdout().lines().collect();
    let entries = lines.chunks(2).map(|entry| {
        let (row, what) = entry[0].split_once(": ").unwrap();
        assert!(!what.is_empty());
        let channels = entry[1].split_whitespace().map(Into::into).collect();
        (row.to_owned(), channels)
    });
    entries.collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values.map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn every_row_is_listed_with_ours_and_its_rivals() {
    let rows = listed();
    for work in [
        "one-way/8B",
        "one-way/256B",
        "one-way/4KiB",
        "ping-pong/8B",
        "fan-in",
        "fan-out",
    ] {
        for workers in ["threads", "tasks-1", "tasks-2"] {
            let channels = &rows[&format!("{workers}/{work}")];
            assert_eq!(channels[0], "handover");
            for rival in [
                "flume:0",
                "flume:64",
                "kanal:0",
                "crossfire:1",
                "async-channel:64",
            ] {
                assert!(
                    channels.iter().any(|channel| channel == rival),
                    "{work} {rival}"
                );
            }
        }
    }
    for row in [
        "threads/pipeline",
        "threads/select-4",
        "tasks-1/select-16",
        "threads/idle",
    ] {
        assert!(rows.contains_key(row), "{row}");
    }
    assert!(
        rows["threads/select-4"]
            .iter()
            .any(|channel| channel == "crossbeam:64")
    );
}

#[test]
fn every_rival_is_measured_and_the_ratio_is_taken_within_a_round() {
    let run = bench(&[ROW, "--quick", "--rounds", "3", "--json"]).succeeded();
    let lines: Vec<&str> = run.stdout().lines().collect();
    assert_eq!(lines.len(), 1, "{}", run.stdout());
    let row: Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!((&row["row"], &row["rounds"]), (&ROW.into(), &3.into()));
    let channels = row["channels"].as_array().unwrap();
    let names: Vec<&str> = channels
        .iter()
        .map(|channel| channel["channel"].as_str().unwrap())
        .collect();
    assert_eq!(names, listed()[ROW]);
    let ours = numbers(&channels[0]["ns_each_round"]);
    for channel in channels {
        let name = &channel["channel"];
        assert!(channel["units"].as_u64().unwrap() >= 32, "{name}");
        let each_round = numbers(&channel["ns_each_round"]);
        assert_eq!(each_round.len(), 3, "{name}");
        assert!(each_round.iter().all(|ns| *ns > 0.0), "{name}");
        let mut ratios: Vec<f64> = each_round
            .iter()
            .zip(&ours)
            .map(|(it, ours)| it / ours)
            .collect();
        ratios.sort_by(f64::total_cmp);
        let told = channel["times_ours"]["median"].as_f64().unwrap();
        assert!(
            (told / ratios[1] - 1.0).abs() < 1e-9,
            "{name}: {told}, {ratios:?}"
        );
    }
}

#[test]
fn chosen_rows_and_rivals_alone_are_in_the_tables() {
    let arguments = [
        "tasks-1/select",
        "--against",
        "flume:0,tokio",
        "--quick",
        "--rounds",
        "1",
    ];
    let run = bench(&arguments).succeeded();
    let first_cells = run
        .stdout()
        .lines()
        .filter_map(|line| line.strip_prefix("| "));
    let first_cells: Vec<&str> = first_cells
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    let channels = ["channel", "handover", "flume:0", "tokio:1", "tokio:64"];
    let summary = ["row", "tasks-1/select-4", "tasks-1/select-16"];
    assert_eq!(
        first_cells,
        [&channels[..], &channels[..], &summary[..]].concat()
    );
}

#[test]
fn wrong_use_has_a_sentence_and_status_2() {
    let wrong: &[(&[&str], &str)] = &[
        (&["two-way"], "no row has \"two-way\" in its name"),
        (&[ROW, "two-way"], "threads/ping-pong/4KiB"),
        (&["--against", "go"], "there is no channel \"go\""),
        (&["--against", "flume:7"], "flume:64"),
        (&["tasks-1", "--against", "std"], "none of the chosen rows"),
        (&["--rounds", "0"], "--rounds"),
        (&["--list", "--json"], "--json"),
        (
            &[ROW, "--svg", "/no/such/folder/x.svg"],
            "--svg /no/such/folder/x.svg cannot be used",
        ),
    ];
    for (arguments, sentence) in wrong {
        let run = bench(arguments).says(sentence);
        assert_eq!(
            (run.status, run.stdout.len()),
            (Some(2), 0),
            "{arguments:?}"
        );
    }
    let help = bench(&["--help"]).succeeded();
    assert!(help.stdout().contains("EXAMPLES") && help.stdout().contains("EXIT STATUS"));
}

#[test]
fn the_picture_is_well_formed_and_shows_every_channel() {
    let scratch = Scratch::new("bench-svg");
    let file = scratch.path("rows.svg");
    let arguments = [
        "threads/fan",
        "--against",
        "crossbeam,flume:0",
        "--quick",
        "--rounds",
        "1",
    ];
    bench(&[&arguments[..], &["--svg", &file]].concat()).succeeded();
    let svg = std::fs::read_to_string(&file).unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    assert!(
        document
            .root_element()
            .has_tag_name(("http://www.w3.org/2000/svg", "svg"))
    );
    let texts = document
        .descendants()
        .filter(|node| node.tag_name().name() == "text");
    let texts: Vec<&str> = texts
        .filter_map(|node| node.text())
        .map(str::trim)
        .collect();
    for channel in ["handover", "crossbeam:0", "crossbeam:64", "flume:0"] {
        let count = texts.iter().filter(|text| **text == channel).count();
        assert_eq!(count, 2, "{channel} in {texts:?}");
    }
    assert!(
        texts.contains(&"threads/fan-in: time a message"),
        "{texts:?}"
    );
}

#[test]
fn a_reader_that_went_away_ends_it_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = Command::new(env!("CARGO_BIN_EXE_handover"))
        .args(["bench", ROW, "--quick"])
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = eventually("the end of the program", || child.try_wait().unwrap());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(status.code(), Some(141), "{stderr}");
    assert!(
        !stderr.contains("panic") && !stderr.contains("pipe"),
        "{stderr}"
    );
}

/// Waits of a second that are under way, and the reader of their output.
fn waiting() -> (Running, impl BufRead) {
    let mut running = start_unread(["bench", "threads/idle", "--against", "none"]);
    let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("crossbeam-channel"), "{line}");
    (running, stdout)
}

#[test]
fn ctrl_c_ends_it_after_the_run_and_twice_at_once() {
    let (running, _stdout) = waiting();
    signal(running.pid(), Signal::INT);
    let finished = running.finish().says("ends after this run");
    assert_eq!(finished.status, Some(130));

    let (running, _stdout) = waiting();
    signal(running.pid(), Signal::TERM);
    running.wait_for("ends after this run");
    signal(running.pid(), Signal::INT);
    assert_eq!(running.finish().status, Some(143));
}
