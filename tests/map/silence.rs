//! A worker that falls silent loses its unit to another, and what it says later does not count.

use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};

use super::support::*;
use bytes::Bytes;
use rustix::process::Signal;

/// Short, so that no test waits long, and long enough for a worker on a machine under load.
const LEASE: [&str; 2] = ["--lease", "2s"];

/// Waits until the run's status is so.
#[track_caller]
fn wait_for_status(address: &str, what: &str, holds: impl Fn(&serde_json::Value) -> bool) {
    eventually(what, || {
        let answer = run(["control", "--connect", address, "status", "--json"], b"");
        let status = serde_json::from_slice(&answer.stdout).ok()?;
        holds(&status).then_some(())
    });
}

#[test]
fn the_unit_of_a_silent_worker_goes_to_another_and_its_command_ends_when_it_wakes() {
    let mark = mark();
    let scratch = Scratch::new("silent");
    let once = scratch.path("once");
    std::fs::write(&once, "").unwrap();
    let script = format!("rm {once} 2>/dev/null && sleep {mark}; echo {{}}");
    let (mut running, address) = listening(&LEASE, &["sh", "-c", &script]);
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(&numbers(5)).unwrap();
    let silent = joined(&address);
    wait_for_sleeps(&mark, 1);
    signal(silent.pid(), Signal::STOP);
    running.wait_for("left: it was silent for its lease of 2 s; unit 1 goes to another");
    let other = joined(&address);
    wait_for_status(&address, "five units done", |status| status["done"] == 5);
    signal(silent.pid(), Signal::CONT);
    let silent = silent
        .finish()
        .says("given up: silent for longer than its lease");
    assert_eq!(silent.status, Some(1), "{silent:?}");
    nothing_remains(&mark);
    drop(stdin);
    let finished = running.finish().succeeded();
    assert_eq!(finished.sorted(), ["1", "2", "3", "4", "5"]);
    other.finish().succeeded().says("5 units finished here");
}

#[test]
fn the_late_result_of_a_silent_worker_is_refused_and_counted() {
    let scratch = Scratch::new("late");
    let (go, tries) = (scratch.path("go"), scratch.path("tries"));
    let script = format!(
        "[ {{}} = 1 ] && while [ ! -e {go} ]; do sleep 0.01; done; echo x >> {tries}; echo {{}}"
    );
    let options = ["-k", LEASE[0], LEASE[1]];
    let (mut running, address) = listening(&options, &["sh", "-c", &script]);
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(b"1\n").unwrap();
    let first = joined(&address);
    wait_for_status(&address, "the first unit at work", |status| {
        status["workers"][0]["unit"] == 1
    });
    let silent = joined(&address);
    stdin.write_all(b"2\n").unwrap();
    wait_for_status(&address, "the second unit's result to be kept", |status| {
        let second = &status["workers"][1];
        second["others"] == 1 && second["unit"].is_null()
    });
    signal(silent.pid(), Signal::STOP);
    running.wait_for("silent for its lease of 2 s; unit 2 goes to another");
    let third = joined(&address);
    eventually("the second unit to run again", || {
        let tries = std::fs::read_to_string(&tries).ok()?;
        (tries.lines().count() == 2).then_some(())
    });
    signal(silent.pid(), Signal::CONT);
    running.wait_for("the result of unit 2 came from");
    let silent = silent
        .finish()
        .says("0 units finished here, 1 late result refused");
    assert_eq!(silent.status, Some(1));
    wait_for_status(&address, "the count", |status| status["late_results"] == 1);
    std::fs::write(&go, "").unwrap();
    drop(stdin);
    let finished = running.finish().succeeded().says("1 late result refused");
    assert_eq!(finished.stdout(), "1\n2\n");
    for worker in [first, third] {
        worker.finish().succeeded();
    }
}

#[test]
fn a_result_that_comes_too_late_goes_back_whatever_the_worker_is() {
    let (mut running, address) = listening(&LEASE, &["sh", "-c", "echo right"]);
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(b"1\n").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let link = handover::net::dial(&*address, handover::net::Config::default())
            .await
            .unwrap();
        link.receiver("job").unwrap().recv_async().await.unwrap();
        let units = link.receiver("units").unwrap();
        units.recv_async().await.unwrap();
        // It says nothing, until another has its unit.
        running.wait_for("silent for its lease of 2 s; unit 1 goes to another");
        let other = tokio::task::spawn_blocking({
            let address = address.clone();
            move || joined(&address)
        });
        let other = other.await.unwrap();
        // `wrong`, unit 1, exit status 0, times, one attempt, bytes, and the length of all that.
        let result = Bytes::from_static(b"wrong\n\x01\0\0\0\0\0\x01\x06\x08\0");
        let results = link.sender("results").unwrap();
        for _ in 0..3 {
            let sent = tokio::time::timeout(SOON, results.send_async(result.clone())).await;
            let refused = sent.unwrap();
            assert!(
                matches!(refused, Err(handover::channel::SendError::Returned(_))),
                "{refused:?}"
            );
        }
        drop(stdin);
        let finished = running.finish().succeeded().says("3 late results refused");
        assert_eq!(finished.stdout(), "right\n");
        other.finish().succeeded();
    });
}

#[test]
fn a_worker_that_is_cut_off_ends_its_command_gives_the_unit_back_and_goes_on() {
    let mark = mark();
    let scratch = Scratch::new("cut-off");
    let once = scratch.path("once");
    std::fs::write(&once, "").unwrap();
    let script = format!("rm {once} 2>/dev/null && sleep {mark}; echo {{}}");
    for options in [&LEASE[..], &["-k", LEASE[0], LEASE[1]]] {
        std::fs::write(&once, "").unwrap();
        let (mut running, address) = listening(options, &["sh", "-c", &script]);
        running.feed(numbers(5));
        let worker = joined(&address);
        wait_for_sleeps(&mark, 1);
        // The coordinator does not run: the worker cannot know that nobody else has its unit.
        signal(running.pid(), Signal::STOP);
        worker.wait_for("the job is out of reach for its lease of 2 s: what runs is ended");
        nothing_remains(&mark);
        signal(running.pid(), Signal::CONT);
        worker.wait_for("the job is in reach again");
        let finished = running
            .finish()
            .succeeded()
            .says("gave unit 1 back; it goes to another");
        assert_eq!(finished.sorted(), ["1", "2", "3", "4", "5"]);
        worker.finish().succeeded();
    }
}

#[test]
fn another_takes_the_place_of_a_silent_local_worker() {
    let mark = mark();
    let scratch = Scratch::new("silent-local");
    let once = scratch.path("once");
    std::fs::write(&once, "").unwrap();
    let script = format!("rm {once} 2>/dev/null && sleep {mark}; echo {{}}");
    let mut running = start(["map", "-j1", LEASE[0], LEASE[1], "--", "sh", "-c", &script]);
    running.feed(numbers(3));
    wait_for_sleeps(&mark, 1);
    let silent = running.children()[0];
    signal(silent, Signal::STOP);
    let finished = running
        .finish()
        .succeeded()
        .says("silent for its lease of 2 s");
    assert_eq!(finished.sorted(), ["1", "2", "3"]);
    nothing_remains(&mark);
    assert!(processes().iter().all(|process| process.pid != silent));
}

#[test]
fn a_coordinator_that_was_stopped_has_no_silent_local_workers() {
    let mark = mark();
    let mut running = start(["map", "-j2", LEASE[0], LEASE[1], "--", "sleep", &mark]);
    running.feed(numbers(2));
    wait_for_sleeps(&mark, 2);
    let workers = running.children();
    signal(running.pid(), Signal::STOP);
    let stopped = Instant::now();
    eventually("twice the lease to pass", || {
        (stopped.elapsed() > Duration::from_secs(4)).then_some(())
    });
    signal(running.pid(), Signal::CONT);
    eventually("a lease to pass", || {
        (stopped.elapsed() > Duration::from_secs(7)).then_some(())
    });
    assert_eq!(running.children(), workers);
    for process in super::support::running(&format!("sleep {mark}")) {
        signal(process.pid, Signal::TERM);
    }
    let finished = running.finish().says("2 of 2 units failed");
    assert!(!finished.stderr.contains("silent"), "{}", finished.stderr);
}

#[test]
fn a_slow_reader_is_no_silence() {
    let script = "head -c 100000 /dev/zero | tr '\\0' x; echo; echo 'log done' >&$HANDOVER_REPORTS";
    let options = [
        "map", "-j2", "-k", LEASE[0], LEASE[1], "--", "sh", "-c", script,
    ];
    let mut running = start_unread(options);
    running.feed(numbers(20));
    let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
    let started = Instant::now();
    eventually("twice the lease to pass", || {
        (started.elapsed() > Duration::from_secs(4)).then_some(())
    });
    let mut line = String::new();
    let mut lines = 0;
    while stdout.read_line(&mut line).unwrap() > 0 {
        assert_eq!(line.len(), 100_001);
        line.clear();
        lines += 1;
    }
    assert_eq!(lines, 20);
    let finished = running.finish().succeeded();
    assert!(!finished.stderr.contains("silent"), "{}", finished.stderr);
}

#[test]
fn a_lease_out_of_range_is_wrong_use() {
    for lease in ["1ms", "48h", "x"] {
        let run = run(["map", "--lease", lease, "--", "true"], b"").says("--lease");
        assert_eq!(run.status, Some(2));
    }
}

#[test]
fn a_worker_that_was_not_heard_for_half_of_its_lease_takes_no_unit_until_it_is() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let config = handover::net::Config::default();
        let listener = handover::net::Listener::bind("127.0.0.1:0", config)
            .await
            .unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let worker = start(["work", "--connect", &address]);
        let link = listener.accept().await.unwrap().handshake().await.unwrap();
        let joined = Instant::now();
        // The version; `cat`; no option; at most 100 bytes; a lease of 2 s.
        let job = b"\x02\0\x01\x03cat\0\0\0\0\0\0\0\x64\xd0\x0f";
        let jobs = link.sender("job").unwrap();
        jobs.send_async(Bytes::from_static(job)).await.unwrap();
        // Nobody hears that it lives.
        let quiet = Duration::from_millis(1100);
        tokio::time::sleep(quiet.saturating_sub(joined.elapsed())).await;
        let units = link.sender("units").unwrap();
        let mut unit = std::pin::pin!(units.send_async(Bytes::from_static(b"x\n\x01\0\x02\0")));
        let early = tokio::time::timeout(Duration::from_millis(500), unit.as_mut()).await;
        assert!(early.is_err(), "it took a unit: {early:?}");
        let beats = link.receiver("lease").unwrap();
        let heard = async { while beats.recv_async().await.is_ok() {} };
        let results = link.receiver("results").unwrap();
        let result = async {
            unit.await.unwrap();
            results.recv_async().await.unwrap()
        };
        let result = tokio::select! {
            result = tokio::time::timeout(SOON, result) => result.unwrap(),
            () = heard => unreachable!("it lives"),
        };
        assert!(result.starts_with(b"x\n\x01\0"), "{result:?}");
        link.close(handover::net::Goodbye::done()).await;
        tokio::task::spawn_blocking(|| worker.finish().succeeded())
            .await
            .unwrap();
    });
}
