//! Units that cost their workers: set aside after a few, counted, and named.

use super::support::*;
use rustix::process::Signal;

#[test]
fn a_unit_that_kills_its_workers_is_set_aside_and_said_to_be() {
    for (after, options) in [(1, &["-k", "-j2"][..]), (3, &["-j2"]), (5, &["-j1", "-k"])] {
        let scratch = Scratch::new(&format!("poisoned-{after}"));
        let (log, tries) = (scratch.path("log"), scratch.path("tries"));
        let script = format!(
            "[ {{}} = 4 ] && {{ echo x >> {tries}; kill -9 $PPID; sleep 60; }}; [ {{}} != 6 ] && echo {{}}"
        );
        let after_text = after.to_string();
        let mut arguments = vec!["map"];
        arguments.extend(options);
        arguments.extend(["--poison-after", &after_text, "--joblog", &log, "--"]);
        arguments.extend(["sh", "-c", &script]);
        let run = run(arguments, &numbers(8))
            .says("2 of 8 units failed")
            .says(&format!(
                "unit 4 (poisoned: its worker was lost {after} times)"
            ))
            .says("unit 6 (exit status 1)")
            .says("1 poisoned and not tried again: 4");
        assert_eq!(run.status, Some(3));
        assert_eq!(run.sorted(), ["1", "2", "3", "5", "7", "8"]);
        let tries = std::fs::read_to_string(&tries).unwrap();
        assert_eq!(tries.lines().count(), after);
        let log = std::fs::read_to_string(&log).unwrap();
        assert_eq!(log.lines().count(), 9, "each unit has its line: {log}");
        let line = log.lines().find(|line| line.starts_with("4\t")).unwrap();
        let columns: Vec<&str> = line.split('\t').collect();
        assert_eq!(columns[6..8], ["-1", "9"], "{line}");
    }
}

#[test]
fn a_unit_whose_command_fails_or_whose_worker_leaves_is_not_poisoned() {
    let mark = mark();
    let scratch = Scratch::new("not-poisoned");
    let thrice = scratch.path("thrice");
    std::fs::write(&thrice, "").unwrap();
    let script =
        format!("echo x >> {thrice}; [ $(wc -l < {thrice}) -lt 3 ] && exec sleep {mark}; exit 5");
    let options = ["--poison-after", "1"];
    let (mut running, address) = listening(&options, &["sh", "-c", &script]);
    running.feed(numbers(1));
    for _ in 0..2 {
        let leaving = joined(&address);
        wait_for_sleeps(&mark, 1);
        signal(leaving.pid(), Signal::TERM);
        leaving.finish().succeeded();
        nothing_remains(&mark);
    }
    let _staying = joined(&address);
    let finished = running
        .finish()
        .says("1 of 1 unit failed: unit 1 (exit status 5)");
    assert_eq!(finished.status, Some(1));
    assert!(!finished.stderr.contains("poisoned"), "{}", finished.stderr);
}

#[test]
fn control_lists_the_poisoned_while_the_run_goes_on() {
    use std::io::Write;
    let script = "[ {} -le 2 ] && kill -9 $PPID; echo {}";
    let options = [
        "map",
        "-j1",
        "--control",
        "--json",
        "--poison-after",
        "2",
        "--",
    ];
    let mut running = start(options.iter().chain(["sh", "-c", script].iter()));
    let line = running.wait_for("\"controllable\"");
    let address = line
        .split('"')
        .find(|word| word.starts_with("127."))
        .unwrap();
    let mut stdin = running.stdin.take().unwrap();
    let control = |words: &[&str]| {
        run(["control", "--connect", address].iter().chain(words), b"").succeeded()
    };
    assert_eq!(control(&["poisoned"]).stdout(), "no unit is poisoned\n");
    stdin.write_all(&numbers(3)).unwrap();
    let expected = "unit 1: its worker was lost 2 times\nunit 2: its worker was lost 2 times\n";
    eventually("two poisoned units", || {
        (control(&["poisoned"]).stdout() == expected).then_some(())
    });
    let refused = run(["control", "--connect", address, "abort", "1"], b"");
    assert_eq!(refused.says("unit 1 is poisoned").status, Some(1));
    let json: serde_json::Value =
        serde_json::from_slice(&control(&["poisoned", "--json"]).stdout).unwrap();
    assert_eq!(
        (&json["poisoned"], &json["units"][1]["unit"]),
        (&2.into(), &2.into())
    );
    drop(stdin);
    let finished = running
        .finish()
        .says("\"poisoned\":2,\"poisoned_units\":[1,2]");
    assert_eq!((finished.status, finished.stdout()), (Some(3), "3\n"));
}
