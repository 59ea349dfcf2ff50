//! `handover bench shape` on small pipelines: every unit is accounted for, and each capacity shows what it is.
//!
//! No time is asserted, only what must hold however slow the machine is.

#![allow(clippy::unwrap_used)]

use std::{
    env, fs, process,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

fn shape(arguments: &[&str]) -> Output {
    Command::new("timeout")
        .args(["60", env!("CARGO_BIN_EXE_handover"), "bench", "shape"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn outcome(arguments: &[&str]) -> Value {
    let output = shape(&[arguments, &["--json"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "", "nothing is said where no terminal is");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn runs(outcome: &Value) -> &[Value] {
    outcome["runs"].as_array().unwrap()
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no count"))
}

/// A stage that takes a millisecond, and two units a millisecond.
const OVERLOAD: [&str; 10] = [
    "--stages",
    "3",
    "--work-us",
    "0,1000,0",
    "--rate",
    "2000",
    "--units",
    "600",
    "--capacity",
    "0,64,unbounded",
];

fn assert_accounted_for(outcome: &Value, asked: u64) {
    for run in runs(outcome) {
        let units = &run["units"];
        let sum =
            number(&units["done"]) + number(&units["unfinished"]) + number(&units["not_sent"]);
        assert_eq!((number(&units["asked"]), sum), (asked, asked), "{units}");
        let latency = &run["latency_us"];
        let rising = ["p50", "p99", "p999", "max"].map(|name| number(&latency[name]));
        assert!(rising.is_sorted(), "{latency}");
        assert!(number(&units["done"]) == 0 || rising[3] > 0, "{latency}");
    }
}

#[test]
fn every_unit_is_accounted_for_and_no_channel_holds_more_than_its_capacity() {
    let outcome = outcome(&OVERLOAD);
    assert_accounted_for(&outcome, 600);
    assert_eq!(outcome["bottleneck_stage"], 2);
    assert_eq!(outcome["ideal_throughput"], 1000.0);
    let [zero, bounded, unbounded] = runs(&outcome) else {
        panic!("{outcome}");
    };
    for (run, capacity) in [(zero, 0), (bounded, 64)] {
        assert_eq!(run["capacity"], capacity);
        for held in run["memory"]["held_peak"].as_array().unwrap() {
            assert!(number(held) <= capacity, "{run}");
        }
    }
    assert_eq!(unbounded["capacity"], "unbounded");
    let peak = |run: &Value| number(&run["memory"]["held_together"]);
    assert_eq!(peak(zero), 0);
    assert!(peak(unbounded) >= peak(bounded), "{unbounded}");
    assert_eq!(zero["channel"], "handover");
    let told = &unbounded["producer"];
    assert!(told["first_shortage_s"].is_null(), "{told}");
    assert_eq!(told["waited_s"], 0.0, "{told}");
}

#[test]
fn an_overload_is_seen_by_the_producer_at_capacity_zero() {
    let outcome = outcome(&OVERLOAD);
    let zero = &runs(&outcome)[0];
    // Each send but the first few waits for a stage that takes twice the time between two units.
    assert!(zero["producer"]["first_shortage_s"].is_f64(), "{zero}");
    assert!(zero["producer"]["longest_wait_s"].as_f64().unwrap() > 0.0005);
}

#[test]
fn a_run_that_cannot_finish_ends_at_its_limit_and_counts_the_rest() {
    let arguments = [
        "--stages",
        "2",
        "--work-us",
        "100000",
        "--rate",
        "1000",
        "--units",
        "200",
        "--capacity",
        "0,8,unbounded",
    ];
    let outcome = outcome(&arguments);
    assert_accounted_for(&outcome, 200);
    for run in runs(&outcome) {
        // A tenth of a second each, in less than two seconds.
        assert!(number(&run["units"]["done"]) < 200, "{run}");
    }
    let left = |at: usize, what: &str| number(&runs(&outcome)[at]["units"][what]);
    assert!(
        left(0, "not_sent") > 0,
        "the producer keeps what is not taken"
    );
    assert!(left(2, "unfinished") > 0, "a queue keeps what is not done");
}

#[test]
fn bursts_seeds_and_stages_that_spin_lose_nothing() {
    let arguments = [
        "--stages",
        "2",
        "--work-us",
        "10",
        "--work",
        "spin",
        "--rate",
        "4000",
        "--burst",
        "10x",
        "--period",
        "100ms",
        "--seconds",
        "300ms",
        "--seed",
        "7",
        "--capacity",
        "0,16",
        "--unit-bytes",
        "4k",
    ];
    let outcome = outcome(&arguments);
    assert_accounted_for(&outcome, 1200);
    assert_eq!(outcome["shape"]["seed"], 7);
    assert_eq!(outcome["shape"]["spin"], true);
    assert_eq!(number(&outcome["shape"]["unit_bytes"]), 4096);
}

#[test]
fn the_report_names_the_bottleneck_and_what_each_capacity_showed() {
    let output = shape(&[
        "--stages",
        "3",
        "--work-us",
        "100,500,100",
        "--rate",
        "4000",
        "--units",
        "400",
        "--capacity",
        "0,unbounded",
    ]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "Stage 2 is the bottleneck: it takes 500 us a unit, so at most 2,000 a second can pass",
        "At capacity 0 the producer first had to wait",
        "nothing was held on the way",
        "Unbounded: the producer",
        "waiting in the channels when it had sent its last",
        "stage 2 (500 us)",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn the_picture_has_a_line_for_each_capacity() {
    let file = env::temp_dir().join(format!("handover-shape-{}.svg", process::id()));
    let arguments = [
        "--stages",
        "1",
        "--work-us",
        "100",
        "--units",
        "500",
        "--capacity",
        "0,8,unbounded",
        "--svg",
    ];
    let output = shape(&[&arguments[..], &[file.to_str().unwrap()]].concat());
    assert!(output.status.success());
    let svg = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert!(svg.starts_with("<svg"), "{svg:.80}");
    assert!(svg.trim_end().ends_with("</svg>"));
    for name in [
        "0 (handover)",
        "8 (crossbeam bounded)",
        "unbounded (crossbeam unbounded)",
    ] {
        assert!(svg.contains(name), "{name}");
    }
    // The colours of the first three lines, in two charts each.
    for colour in ["#0072B2", "#D55E00", "#009E73"] {
        let is_line = |line: &&str| line.contains("<polyline") && line.contains(colour);
        assert!(svg.lines().filter(is_line).count() >= 2, "{colour}");
    }
}

#[test]
fn wrong_use_is_status_2_and_names_the_option() {
    let cases: [(&[&str], &str); 14] = [
        (&["--stages", "0"], "--stages"),
        (&["--stages", "65"], "--stages"),
        (&["--stages", "3", "--work-us", "1,2"], "--work-us"),
        (&["--work-us", "x"], "--work-us"),
        (&["--work-us", "99999999"], "--work-us"),
        (&["--work", "dream"], "--work"),
        (&["--rate", "0"], "--rate"),
        (&["--burst", "0x"], "--burst"),
        (&["--period", "0s"], "--period"),
        (&["--capacity", "0,many"], "--capacity"),
        (&["--seconds", "2h"], "--seconds"),
        (&["--units", "0"], "--units"),
        (&["--seconds", "1", "--units", "1"], "--units"),
        (&["--unit-bytes", "16M", "--units", "1"], "--unit-bytes"),
    ];
    for (arguments, option) in cases {
        let output = shape(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(option), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn what_could_fill_the_memory_is_refused() {
    let output = shape(&["--unit-bytes", "1M", "--rate", "10000", "--seconds", "10"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("--unit-bytes"), "{stderr}");
}

#[test]
fn a_picture_that_cannot_be_written_is_a_failure_with_its_path() {
    let output = shape(&[
        "--units",
        "10",
        "--capacity",
        "0",
        "--svg",
        "/no/such/folder/x.svg",
    ]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("/no/such/folder/x.svg"), "{stderr}");
}
