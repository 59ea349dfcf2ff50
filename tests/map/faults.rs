//! Workers and commands that fail, hang, or are killed: no unit is lost, none is done twice.

use std::io::{BufRead, BufReader, Read, Write};

use super::support::*;
use rustix::process::Signal;

/// Feeds 10,000 units and kills a worker with `kill -9` after every 100 results; gives the results.
fn with_a_kill_every_100_units(options: &[&str]) -> Vec<String> {
    const UNITS: u64 = 10_000;
    let mut running = start_unread(["map"].iter().chain(options));
    // Never more than 150 units ahead of what was read here, so that a kill finds workers at work.
    let mut stdin = running.stdin.take().unwrap();
    let (permits, permitted) = std::sync::mpsc::channel();
    let feeder = std::thread::spawn(move || {
        for number in 1..=UNITS {
            if number > 150 {
                permitted.recv().unwrap();
            }
            stdin.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
    });
    let mut results = Vec::new();
    let mut kills = 0;
    let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
    let mut line = String::new();
    while stdout.read_line(&mut line).unwrap() > 0 {
        results.push(line.trim_end().to_owned());
        line.clear();
        let _ = permits.send(());
        if results.len() % 100 == 0 && results.len() < 10_000 {
            // The next one in turn, so that it is not always the same.
            let workers = eventually("workers", || {
                Some(running.children()).filter(|workers| !workers.is_empty())
            });
            signal(workers[kills % workers.len()], Signal::KILL);
            kills += 1;
        }
    }
    running.finish().succeeded();
    feeder.join().unwrap();
    assert_eq!(kills, 99);
    results
}

#[test]
fn ten_thousand_units_survive_a_killed_worker_every_hundred() {
    let mut results = with_a_kill_every_100_units(&["-j3", "--", "cat"]);
    results.sort_by_key(|line| line.parse::<u64>().unwrap());
    let expected: Vec<String> = (1..=10_000).map(|number| number.to_string()).collect();
    assert!(results == expected, "each result is there once");
}

#[test]
fn ten_thousand_units_keep_their_order_with_a_killed_worker_every_hundred() {
    let results =
        with_a_kill_every_100_units(&["-k", "-j3", "--ahead", "2", "--stream", "--", "cat"]);
    let expected: Vec<String> = (1..=10_000).map(|number| number.to_string()).collect();
    assert!(results == expected, "each result is there once, in order");
}

#[test]
fn a_unit_that_kills_its_workers_fails_and_the_others_go_on() {
    for order in ["-k", "-j2"] {
        let script = "[ {} = 5 ] && kill -9 $PPID; echo {}";
        let run = run(["map", order, "--", "sh", "-c", script], &numbers(10))
            .says("1 of 10 units failed: unit 5 (poisoned: its worker was lost 3 times)")
            .says("1 poisoned and not tried again: 5");
        assert_eq!(run.status, Some(3));
        assert_eq!(run.sorted(), ["1", "2", "3", "4", "6", "7", "8", "9", "10"]);
    }
}

#[test]
fn failed_units_are_counted_and_named() {
    let run = run(
        [
            "map",
            "-k",
            "-j2",
            "--",
            "sh",
            "-c",
            "echo {}; exit $(({} % 3))",
        ],
        &numbers(60),
    );
    let named = "40 of 60 units failed: unit 1 (exit status 1), unit 2 (exit status 2), unit 4 (exit status 1)";
    let run = run.says(named).says("and 30 more");
    assert_eq!((run.status, run.stdout), (Some(1), numbers(60)));
}

#[test]
fn a_command_killed_by_a_signal_is_a_failure_with_its_name() {
    let run = run(["map", "--", "sh", "-c", "kill -TERM $$"], b"a\n")
        .says("unit 1 (killed by signal 15)");
    assert_eq!(run.status, Some(1));
}

#[test]
fn retries_run_a_failed_unit_again() {
    let scratch = Scratch::new("retries");
    let script = format!(
        "cd {}; echo x >> {{}}; [ $(wc -l < {{}}) = 3 ] && echo {{}}",
        scratch.path("")
    );
    let enough = run(
        ["map", "-k", "--retries", "2", "--", "sh", "-c", &script],
        &numbers(4),
    )
    .succeeded();
    assert_eq!(enough.stdout, numbers(4));
    for number in 1..=4 {
        std::fs::remove_file(scratch.path(&number.to_string())).unwrap();
    }
    let short = run(
        ["map", "--retries", "1", "--", "sh", "-c", &script],
        &numbers(4),
    )
    .says("4 of 4 units failed");
    assert_eq!((short.status, short.stdout()), (Some(1), ""));
}

#[test]
fn a_command_that_hangs_is_killed_with_its_children_at_its_time_limit() {
    let mark = mark();
    let script = format!("[ {{}} = 2 ] && {{ sleep {mark} & sleep {mark}; }}; echo {{}}");
    let run = run(
        [
            "map",
            "-k",
            "-j2",
            "--timeout",
            "300ms",
            "--",
            "sh",
            "-c",
            &script,
        ],
        &numbers(4),
    )
    .says("1 of 4 units failed: unit 2 (killed after 300 ms, its time limit)");
    assert_eq!((run.status, run.stdout()), (Some(1), "1\n3\n4\n"));
    nothing_remains(&mark);
}

#[test]
fn what_makes_itself_a_process_group_is_killed_too() {
    let mark = mark();
    let script = format!("timeout 1000 sleep {mark}; true");
    let options = ["map", "--timeout", "300ms", "--", "sh", "-c", &script];
    assert_eq!(run(options, b"a\n").status, Some(1));
    nothing_remains(&mark);
}

#[test]
fn what_is_left_in_the_background_ends_with_the_run() {
    let mark = mark();
    let script = format!("sleep {mark} >/dev/null 2>&1 & echo {{}}");
    let run = run(["map", "-k", "-j2", "--", "sh", "-c", &script], &numbers(3)).succeeded();
    assert_eq!(run.stdout, numbers(3));
    nothing_remains(&mark);
}

#[test]
fn a_command_that_ignores_the_request_to_end_is_killed() {
    let mark = mark();
    let script = format!("trap '' TERM; sleep {mark}; sleep {mark}; sleep {mark}");
    let run = run(
        ["map", "--timeout", "200ms", "--", "sh", "-c", &script],
        b"a\n",
    )
    .says("time limit");
    assert_eq!(run.status, Some(1));
    nothing_remains(&mark);
}

#[test]
fn halting_soon_finishes_what_runs_and_takes_no_more() {
    let script = "echo {}; [ {} != 3 ]";
    let run = run(
        ["map", "-j1", "--halt", "soon", "--", "sh", "-c", script],
        &numbers(100),
    );
    let run = run.says("stopped soon after a failure; 1 of 3 units failed: unit 3 (exit status 1)");
    assert_eq!((run.status, run.stdout()), (Some(1), "1\n2\n3\n"));
}

#[test]
fn halting_now_kills_what_runs() {
    let mark = mark();
    let script = format!("[ {{}} = 1 ] && exec sleep {mark}; sleep 0.1; exit 7");
    let run = run(
        ["map", "-j2", "--halt", "now", "--", "sh", "-c", &script],
        &numbers(100),
    );
    let run =
        run.says("stopped at once after a failure; 1 of 1 unit failed: unit 2 (exit status 7)");
    assert_eq!(run.status, Some(1));
    nothing_remains(&mark);
}

#[test]
fn halting_may_count_failures() {
    let run = run(
        ["map", "-j1", "--halt", "soon,fail=3", "--", "false"],
        &numbers(100),
    )
    .says("3 of 3 units failed");
    assert_eq!(run.status, Some(1));
}

#[test]
fn a_worker_killed_in_a_unit_leaves_nothing_of_it() {
    let (mark, other) = (mark(), mark());
    let scratch = Scratch::new("killed");
    let once = scratch.path("once");
    std::fs::write(&once, "").unwrap();
    let script = format!("rm {once} && {{ sleep {mark} & sleep {other}; }}; echo done");
    let mut running = start(["map", "-j1", "--", "sh", "-c", &script]);
    running.feed(b"a\n".to_vec());
    wait_for_sleeps(&mark, 1);
    wait_for_sleeps(&other, 1);
    signal(running.children()[0], Signal::KILL);
    let finished = running.finish().says("unit 1 goes to another");
    assert_eq!(finished.status, Some(0));
    assert_eq!(finished.stdout(), "done\n");
    nothing_remains(&mark);
    nothing_remains(&other);
}

#[test]
fn a_stream_command_answers_line_by_line() {
    let run = run(
        ["map", "-k", "-j2", "--stream", "--", "sed", "-u", "s/$/!/"],
        &numbers(500),
    )
    .succeeded();
    let expected = String::from_utf8(numbers(500))
        .unwrap()
        .replace('\n', "!\n");
    assert_eq!(run.stdout(), expected);
    let items = self::run(
        ["map", "-k", "-0", "--stream", "--", "sed", "-zu", "s/$/!/"],
        b"a\nb\0c\0",
    )
    .succeeded();
    assert_eq!(items.stdout, b"a\nb!\0c!\0");
}

#[test]
fn a_stream_command_that_ends_fails_its_unit_and_is_started_again() {
    let script = "while read n; do [ $n = 3 ] && exit 4; echo $n $$; done";
    let run = run(
        ["map", "-k", "-j1", "--stream", "--", "sh", "-c", script],
        &numbers(6),
    )
    .says("1 of 6 units failed: unit 3 (CMD ended with exit status 4 before it answered)");
    assert_eq!(run.status, Some(1));
    let lines: Vec<Vec<&str>> = run
        .stdout()
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    let numbers: Vec<&str> = lines.iter().map(|line| line[0]).collect();
    assert_eq!(numbers, ["1", "2", "4", "5", "6"]);
    assert_eq!(lines[0][1], lines[1][1], "one process answers many units");
    assert_ne!(lines[1][1], lines[2][1], "another takes its place");
}

#[test]
fn a_stream_command_that_hangs_is_killed_at_the_units_time_limit() {
    let mark = mark();
    let script = format!("while read n; do [ $n = 2 ] && sleep {mark}; echo $n; done");
    let run = run(
        [
            "map",
            "-k",
            "-j1",
            "--stream",
            "--timeout",
            "300ms",
            "--",
            "sh",
            "-c",
            &script,
        ],
        &numbers(3),
    )
    .says("unit 2 (killed after 300 ms");
    assert_eq!(run.stdout(), "1\n3\n");
    nothing_remains(&mark);
}

#[test]
fn a_stream_command_may_be_retried() {
    let scratch = Scratch::new("stream-retry");
    let once = scratch.path("once");
    std::fs::write(&once, "").unwrap();
    let script =
        format!("while read n; do [ $n = 2 ] && rm {once} 2>/dev/null && exit 1; echo $n; done");
    let options = [
        "map",
        "-k",
        "-j1",
        "--stream",
        "--retries",
        "1",
        "--",
        "sh",
        "-c",
        &script,
    ];
    assert_eq!(run(options, &numbers(3)).succeeded().stdout, numbers(3));
}

#[test]
fn ctrl_c_ends_everything() {
    for (kill, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mark = mark();
        let script = format!("trap '' INT; sleep {mark} & sleep {mark}");
        let mut running = start(["map", "-j3", "--", "sh", "-c", &script]);
        running.feed(numbers(10));
        wait_for_sleeps(&mark, 6);
        let workers = running.children();
        signal(running.pid(), kill);
        let finished = running.finish().says("interrupted");
        assert_eq!(finished.status, Some(status));
        nothing_remains(&mark);
        for worker in workers {
            assert!(
                processes().iter().all(|process| process.pid != worker),
                "worker {worker} remains"
            );
        }
    }
}

#[test]
fn a_killed_coordinator_leaves_nothing() {
    let mark = mark();
    let script = format!("sleep {mark} & sleep {mark}");
    let mut running = start(["map", "-j2", "--", "sh", "-c", &script]);
    running.feed(numbers(10));
    wait_for_sleeps(&mark, 4);
    let workers = running.children();
    signal(running.pid(), Signal::KILL);
    running.wait();
    nothing_remains(&mark);
    eventually("the workers to end", || {
        processes()
            .iter()
            .all(|process| !workers.contains(&process.pid))
            .then_some(())
    });
}

#[test]
fn a_closed_standard_output_ends_everything_quietly() {
    let mark = mark();
    let script = format!("echo {{}}; [ {{}} -lt 5 ] || sleep {mark}");
    let mut running = start_unread(["map", "-j2", "-k", "--", "sh", "-c", &script]);
    let mut stdout = running.child.stdout.take().unwrap();
    running.feed(numbers(3));
    let mut line = [0; 2];
    stdout.read_exact(&mut line).unwrap();
    drop(stdout);
    let finished = running.finish();
    assert_eq!(finished.stderr, "");
    assert!(matches!(finished.status, Some(0 | 141)), "{finished:?}");

    let mut running = start_unread(["map", "-j2", "-k", "--", "cat"]);
    drop(running.child.stdout.take());
    running.feed(numbers(1_000_000));
    let finished = running.finish();
    assert_eq!((finished.status, finished.stderr.as_str()), (Some(141), ""));
    nothing_remains(&mark);
}
