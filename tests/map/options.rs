//! Options, wrong use, and what is written beside the results.

use super::support::*;

#[test]
fn a_command_that_is_not_there_is_wrong_use_before_any_unit_is_read() {
    let missing = run(["map", "--", "no-such-command-here"], b"a\n");
    let missing =
        missing.says("there is no command \"no-such-command-here\" here: check its name, and PATH");
    assert_eq!(missing.status, Some(2));
    let no_program = run(["map", "--", "/etc/passwd"], b"a\n").says("is not executable");
    assert_eq!(no_program.status, Some(2));
}

#[test]
fn wrong_use_has_a_sentence_and_status_2() {
    let wrong: &[(&[&str], &str)] = &[
        (&["map"], "CMD"),
        (&["map", "--bogus", "--", "cat"], "--bogus"),
        (&["map", "-j", "x", "--", "cat"], "number of jobs"),
        (&["map", "-j0", "--", "cat"], "-j 0 leaves nobody to work"),
        (&["map", "--timeout", "soon", "--", "cat"], "is no duration"),
        (
            &["map", "--halt", "later", "--", "cat"],
            "never, soon or now",
        ),
        (
            &["map", "--block", "32M", "--", "cat"],
            "larger than the limit",
        ),
        (&["map", "--stream", "--", "echo", "{}"], "leave {} out"),
        (
            &["map", "--results", "/etc", "--", "cat"],
            "--results /etc cannot be used: it is not empty",
        ),
        (
            &["map", "--joblog", "/no/such/file", "--", "cat"],
            "--joblog /no/such/file cannot be used",
        ),
        (&["work"], "--connect"),
    ];
    for (arguments, sentence) in wrong {
        let run = run(*arguments, b"a\n").says(sentence);
        assert_eq!(
            (run.status, run.stdout.len()),
            (Some(2), 0),
            "{arguments:?}"
        );
    }
}

#[test]
fn help_has_examples() {
    for action in ["map", "work"] {
        let help = run([action, "--help"], b"").succeeded();
        assert!(help.stdout().contains("EXAMPLES"), "{}", help.stdout());
        assert!(help.stdout().contains("EXIT STATUS"));
    }
    run(["--help"], b"").succeeded();
    run(["--version"], b"").succeeded();
}

#[test]
fn a_dry_run_prints_the_commands_and_runs_none() {
    let scratch = Scratch::new("dry");
    let file = scratch.path("made");
    let dry = run(
        ["map", "--dry-run", "--", "touch", &file, "{}", "it's"],
        b"a b\nc\n",
    )
    .succeeded();
    assert_eq!(
        dry.stdout(),
        format!("touch {file} 'a b' 'it'\\''s'\ntouch {file} c 'it'\\''s'\n")
    );
    assert!(!std::path::Path::new(&file).exists());
    let by_input = run(["map", "--dry-run", "--", "wc", "-c"], b"abc\n").succeeded();
    assert_eq!(
        by_input.stdout(),
        "wc -c  # unit 1: 4 bytes on standard input\n"
    );
}

#[test]
fn the_job_log_has_the_columns_of_gnu_parallel() {
    let scratch = Scratch::new("joblog");
    let log = scratch.path("log");
    let script = "[ {} = 2 ] && kill -9 $$; [ {} = 3 ] && exit 5; echo {}";
    let run = run(
        ["map", "-k", "--joblog", &log, "--", "sh", "-c", script],
        &numbers(4),
    );
    assert_eq!(run.status, Some(1));
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').map(str::trim).collect())
        .collect();
    let names = [
        "Seq",
        "Host",
        "Starttime",
        "JobRuntime",
        "Send",
        "Receive",
        "Exitval",
        "Signal",
        "Command",
    ];
    assert_eq!(lines[0], names);
    let ends: Vec<_> = lines[1..]
        .iter()
        .map(|line| (line[0], line[5], line[6], line[7]))
        .collect();
    assert_eq!(
        ends,
        [
            ("1", "2", "0", "0"),
            ("2", "0", "0", "9"),
            ("3", "0", "5", "0"),
            ("4", "2", "0", "0")
        ]
    );
    assert!(
        lines[1][8].starts_with("sh -c '[ 1 = 2 ]"),
        "{}",
        lines[1][8]
    );
    assert!(lines[1][2].parse::<f64>().unwrap() > 1.6e9);
}

#[test]
fn events_are_json_lines() {
    let script = "echo {}; echo 'a\"b' >&2; [ {} != 2 ]";
    let run = run(
        ["map", "--json", "-j2", "--", "sh", "-c", script],
        &numbers(3),
    );
    assert_eq!(run.status, Some(1));
    let events: Vec<serde_json::Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |name: &str| {
        events
            .iter()
            .filter(|event| event["event"] == name)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(of("joined").len(), 2);
    assert_eq!(of("stderr")[0]["text"], "a\"b\n");
    let failed: Vec<_> = of("finished")
        .into_iter()
        .filter(|event| event["success"] == false)
        .collect();
    assert_eq!(
        (failed.len(), &failed[0]["unit"]),
        (1, &serde_json::json!(2))
    );
    let summary = &of("summary")[0];
    assert_eq!(
        (&summary["finished"], &summary["failed"]),
        (&serde_json::json!(3), &serde_json::json!(1))
    );
    assert_eq!(summary["failures"][0]["outcome"], "exit status 1");
}

/// In a real pseudo-terminal, as `script` of util-linux makes one.
#[test]
fn the_progress_line_is_shown_on_a_terminal() {
    let has_script = std::process::Command::new("script")
        .arg("--version")
        .output();
    if !has_script
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux"))
    {
        eprintln!("skipped: no `script` of util-linux here");
        return;
    }
    let mut command = std::process::Command::new("script");
    let line = format!(
        "seq 1 12 | {} map -j2 -- sh -c 'sleep 0.2; printf r{{}}'",
        env!("CARGO_BIN_EXE_handover")
    );
    command.args(["-qefc", &format!("stty cols 120; {line}"), "/dev/null"]);
    let mut running = start_command(command);
    let mut shown = String::new();
    let mut stdout = running.child.stdout.take().unwrap();
    std::io::Read::read_to_string(&mut stdout, &mut shown).unwrap();
    running.finish().succeeded();
    for part in ["in hand", "waited: producer", "2 workers", "12 done"] {
        assert!(shown.contains(part), "{part:?} is not in {shown:?}");
    }
    for number in 1..=12 {
        // A result stands on a line of its own, not in the progress line.
        assert!(
            shown
                .lines()
                .any(|line| line.ends_with(&format!("r{number}"))),
            "r{number} in {shown:?}"
        );
    }
}
