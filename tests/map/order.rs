//! `-k`: results in the order of the units, each kept by its worker until its turn.

use super::support::*;
use rustix::process::Signal;

#[test]
fn results_come_in_the_order_of_the_units() {
    let script = "sleep 0.0$(( (7 * {}) % 5 )); echo {}";
    for ahead in ["0", "3"] {
        let run = run(
            [
                "map", "-k", "-j4", "--ahead", ahead, "--", "sh", "-c", script,
            ],
            &numbers(100),
        )
        .succeeded();
        assert_eq!(run.stdout, numbers(100), "--ahead {ahead}");
    }
}

#[test]
fn a_failed_unit_keeps_its_place() {
    let run = run(
        [
            "map",
            "-k",
            "-j3",
            "--",
            "sh",
            "-c",
            "echo {}; [ $(({} % 3)) != 0 ]",
        ],
        &numbers(30),
    );
    assert_eq!((run.status, run.stdout), (Some(1), numbers(30)));
}

#[test]
fn a_worker_keeps_as_many_results_as_it_may() {
    // The first unit waits for a file; how many others are started meanwhile is what --ahead allows.
    for (ahead, expected) in [("0", 2), ("3", 5)] {
        let scratch = Scratch::new(&format!("ahead-{ahead}"));
        let go = scratch.path("go");
        let script = format!(
            "touch {}/{{}}; while [ {{}} = 1 ] && [ ! -e {go} ]; do sleep 0.01; done; echo {{}}",
            scratch.path("")
        );
        let mut running = start([
            "map", "-k", "-j2", "--ahead", ahead, "--json", "--", "sh", "-c", &script,
        ]);
        running.feed(numbers(20));
        let started = || {
            (1..=20)
                .filter(|number| scratch.0.join(number.to_string()).exists())
                .count()
        };
        eventually("the workers to be full", || {
            (started() == expected).then_some(())
        });
        // Nothing more is started while the first is at work: the next two progress events find the same.
        let seen = running.stderr().matches("\"progress\"").count();
        eventually("progress", || {
            (running.stderr().matches("\"progress\"").count() >= seen + 2).then_some(())
        });
        assert_eq!(started(), expected, "--ahead {ahead}");
        std::fs::write(&go, "").unwrap();
        assert_eq!(running.finish().succeeded().stdout, numbers(20));
    }
}

/// All workers keep results for later turns, and the one at the earliest unit is killed: somebody who keeps a
/// result must work on that unit first, or all would wait for ever.
#[test]
fn a_lost_unit_is_rescued_by_a_worker_that_keeps_a_result() {
    for ahead in ["0", "2"] {
        let scratch = Scratch::new(&format!("rescue-{ahead}"));
        let mark = mark();
        let stuck = scratch.path("stuck");
        std::fs::write(&stuck, "").unwrap();
        let script = format!(
            "if [ {{}} = 1 ] && rm {stuck} 2>/dev/null; then exec sleep {mark}; fi; echo {{}}"
        );
        let options = ["-k", "--ahead", ahead, "--json"];
        let (mut running, address) = listening(&options, &["sh", "-c", &script]);
        running.feed(numbers(30));
        // The first worker alone takes unit 1, and is stuck in it; the others then fill up with results.
        let first = joined(&address);
        wait_for_sleeps(&mark, 1);
        let _others: Vec<_> = (0..3).map(|_| joined(&address)).collect();
        let full = 1 + 3 * (ahead.parse::<u64>().unwrap() + 1);
        running.wait_for(&format!("\"in_hand\":{full},"));
        signal(first.pid(), Signal::KILL);
        let finished = running.finish().succeeded().says("\"units\":[1]");
        assert_eq!(finished.stdout, numbers(30), "--ahead {ahead}");
        nothing_remains(&mark);
    }
}
