//! The examples run, and what they print is true.

mod cargo;

use std::{
    fs,
    io::Read,
    path::Path,
    process::Stdio,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Building included: on a fresh machine that is nearly all of it.
const DEADLINE: Duration = Duration::from_mins(5);

/// Those that need the feature `net`.
const NET: [&str; 1] = ["remote"];

/// Some of the examples look at a clock, so they run one at a time.
static RUNS: Mutex<()> = Mutex::new(());

/// Runs an example of this package; returns its standard output.
fn run(example: &str, arguments: &[&str]) -> String {
    let _runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    let features: &[&str] = if NET.contains(&example) {
        &["net"]
    } else {
        &[]
    };
    let mut child = cargo::example(example, features)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cargo runs");
    let mut stdout = child.stdout.take().expect("it is piped");
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let deadline = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if Instant::now() > deadline {
            // On Unix `cargo run` becomes the example, so this ends it.
            child.kill().expect("it is our child");
            panic!("{example} did not end within {DEADLINE:?}");
        }
        thread::sleep(Duration::from_millis(20));
    };
    let text = reader.join().expect("the reader ends").expect("UTF-8");
    assert!(status.success(), "{example} ended with {status}:\n{text}");
    text
}

/// What the head comment of an example says it prints: the block after "It prints".
fn shown(example: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let source = fs::read_to_string(folder.join(format!("{example}.rs"))).expect("it is there");
    let block = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .skip_while(|line| !line.starts_with("It prints"))
        .skip_while(|line| *line != "```text")
        .skip(1)
        .take_while(|line| *line != "```");
    block.flat_map(|line| [line, "\n"]).collect()
}

/// The first word of what comes after `before` in a text.
fn word_after<'a>(text: &'a str, before: &str) -> &'a str {
    text.split_once(before)
        .and_then(|(_, after)| after.split_whitespace().next())
        .unwrap_or_else(|| panic!("no word after {before:?}:\n{text}"))
}

/// A duration as `Debug` prints it, in seconds.
fn seconds(text: &str) -> f64 {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number: f64 = text[..text.len() - unit.len()].parse().expect("a number");
    number
        * match unit {
            "s" => 1.0,
            "ms" => 1e-3,
            "µs" => 1e-6,
            "ns" => 1e-9,
            _ => panic!("{text} is no duration"),
        }
}

#[test]
fn an_example_whose_output_is_certain_prints_what_its_head_shows() {
    for example in ["dining_philosophers", "bidirectional_chain", "sieve"] {
        let shown = shown(example);
        assert!(!shown.is_empty(), "{example} shows nothing");
        assert_eq!(run(example, &[]), shown, "{example}");
    }
}

#[test]
#[cfg(feature = "net")]
fn orders_go_to_cooks_in_other_programs() {
    assert_eq!(run("remote", &[]), shown("remote"));
}

#[test]
fn the_time_of_a_communication_is_a_number() {
    for text in [run("commstime", &["5000"]), shown("commstime")] {
        let communications: u64 = word_after(&text, "").parse().expect("a number");
        assert!([20_000, 400_000].contains(&communications), "{text}");
        let each: f64 = word_after(&text, " communications, ")
            .parse()
            .expect("a number");
        assert!(each > 0.0, "{text}");
        assert!(text.ends_with(" ns each\n"), "{text}");
    }
}

#[test]
fn a_shortage_is_known_at_once_without_a_queue_and_grows_unnoticed_with_one() {
    for text in [run("shortage", &[]), shown("shortage")] {
        let (without, with) = text
            .split_once("2 workers, a queue of 1000:\n")
            .expect("two runs");
        assert!(without.starts_with("2 workers, a queue of 0:\n"), "{text}");
        let sample: usize = word_after(without, "nobody takes sample ")
            .parse()
            .expect("a number");
        assert!(sample < 10, "it took long to know:\n{text}");
        let taken: usize = word_after(without, "start)\n").parse().expect("a number");
        assert!(
            taken < 60,
            "two workers cannot have taken them all:\n{text}"
        );

        assert!(with.contains("the sensor has noticed nothing"), "{text}");
        assert!(with.contains("60 of 60 samples were taken"), "{text}");
        let first = seconds(word_after(with, "the first was "));
        let last = seconds(word_after(with, "and the last "));
        // The work takes 1050 ms in all, the samples come in 600.
        assert!(last > first + 0.1, "it has not grown:\n{text}");
    }
}

#[test]
fn units_go_to_idle_workers_and_an_abort_reaches_a_busy_one() {
    let text = run("idle_workers", &[]);
    let taken_by = |unit: usize| {
        let prefix = format!("unit {unit:2} was taken by worker ");
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
        let worker = lines
            .next()
            .unwrap_or_else(|| panic!("unit {unit}:\n{text}"));
        assert_eq!(lines.next(), None, "unit {unit} was taken once:\n{text}");
        worker.to_owned()
    };
    let takers: Vec<String> = (0..24).map(taken_by).collect();
    assert!(text.contains("finished in all: 23 of 24"), "{text}");
    let most: usize = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("most units in hand at once: ")?
                .parse()
                .ok()
        })
        .expect("it is printed");
    assert!(most <= 4, "a unit was in no worker's hand:\n{text}");

    let keeper = &takers[3];
    assert!(
        text.contains(&format!("unit  3 was aborted by worker {keeper}")),
        "{text}"
    );
    let after_endless = text
        .lines()
        .skip_while(|line| !line.starts_with("unit  3 was taken"))
        .skip(1);
    for line in after_endless {
        assert!(
            !line.ends_with(&format!("taken by worker {keeper}")),
            "a unit went to the worker that was busy for ever:\n{text}"
        );
    }
}

#[test]
fn the_slowest_stage_is_named_by_the_waits_to_send() {
    for stage in ["read", "resize", "write"] {
        let text = run("pipeline", &[stage]);
        assert!(text.contains(&format!("slowest: {stage}\n")), "{text}");
    }
}

#[test]
fn a_network_that_goes_in_a_circle_ends_by_poison_and_loses_nothing() {
    let text = run("poison", &[]);
    for process in ["prefix", "delta", "successor", "consumer"] {
        let ended = text.lines().any(|line| {
            line.starts_with(&format!("{process} ended"))
                && line.ends_with(": the consumer has seen 10 numbers")
        });
        assert!(ended, "{process}:\n{text}");
    }
    assert!(
        text.ends_with("11 numbers: 10 taken, [10] came back, 0 lost\n"),
        "{text}"
    );
}

#[test]
fn every_file_of_a_tree_is_in_the_index_once_and_in_order() {
    let folder = std::env::temp_dir().join(format!("handover-index-{}", std::process::id()));
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("b/deep")).expect("a folder for the test");
    let files = [("a", ""), ("b/deep/c", "c"), ("b/x", "foobar"), ("z", "zz")];
    for (name, text) in files {
        fs::write(tree.join(name), text).expect("a file for the test");
    }
    let index = folder.join("index");
    let paths = [&tree, &index].map(|path| path.to_str().expect("UTF-8"));
    let text = run("actor_pipeline", &paths);
    let written = fs::read_to_string(&index).expect("the index was written");
    fs::remove_dir_all(&folder).expect("it is ours");

    // The hashes are those of the reference.
    let hashes = [
        "cbf29ce484222325",
        "af63de4c8601eff2",
        "85944171f73967e8",
        "08f74e07b5925515",
    ];
    let lines: Vec<String> = files
        .iter()
        .zip(hashes)
        .map(|((name, text), hash)| {
            format!("{hash} {:9} {}", text.len(), tree.join(name).display())
        })
        .collect();
    assert_eq!(written.lines().collect::<Vec<_>>(), lines);
    assert!(
        text.starts_with("indexed 4 files with 9 bytes in "),
        "{text}"
    );
    let slowest = text
        .lines()
        .last()
        .and_then(|line| line.strip_prefix("slowest: "));
    assert!(
        ["source", "read", "hash", "sink"].contains(&slowest.expect("it is named")),
        "{text}"
    );
}
