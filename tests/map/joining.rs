//! `--listen`: workers join and leave at any time, strangers are turned away.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use super::support::*;
use rustix::process::Signal;

#[test]
fn workers_join_at_any_time_and_share_the_units() {
    let (mut running, address) = listening(&["--json"], &["sh", "-c", "sleep 0.02; echo {}"]);
    running.feed(numbers(100));
    let first = joined(&address);
    running.wait_for("\"done\":");
    let second = joined(&address);
    let finished = running.finish().succeeded();
    assert_eq!(
        finished.sorted().join("\n") + "\n",
        String::from_utf8(numbers(100)).unwrap()
    );
    for worker in [first, second] {
        let worker = worker.finish().succeeded().says("the job is done");
        assert!(!worker.stderr.contains(" 0 units"), "{}", worker.stderr);
    }
}

#[test]
fn the_first_ctrl_c_lets_a_worker_finish_its_unit() {
    let scratch = Scratch::new("leave");
    let (go, at_work) = (scratch.path("go"), scratch.path("at-work"));
    let script =
        format!("touch {at_work}; while [ ! -e {go} ]; do sleep 0.01; done; echo {{}} $PPID");
    let (mut running, address) = listening(&[], &["sh", "-c", &script]);
    running.feed(numbers(2));
    let leaving = joined(&address);
    eventually("the unit to be at work", || {
        std::fs::metadata(&at_work).ok()
    });
    signal(leaving.pid(), Signal::INT);
    leaving.wait_for("leaving when the unit at hand is done");
    let staying = joined(&address);
    std::fs::write(&go, "").unwrap();
    let expected = format!("1 {}\n2 {}\n", leaving.pid(), staying.pid());
    leaving
        .finish()
        .succeeded()
        .says("asked to leave; 1 unit finished here");
    let finished = running.finish().succeeded();
    assert_eq!(finished.sorted().join("\n") + "\n", expected);
    assert!(
        !finished.stderr.contains("goes to another"),
        "{}",
        finished.stderr
    );
}

#[test]
fn the_second_ctrl_c_gives_the_unit_back() {
    let mark = mark();
    let scratch = Scratch::new("give-back");
    let once = scratch.path("once");
    std::fs::write(&once, "").unwrap();
    let script = format!("rm {once} && exec sleep {mark}; echo {{}}");
    let (mut running, address) = listening(&[], &["sh", "-c", &script]);
    running.feed(numbers(1));
    let leaving = joined(&address);
    wait_for_sleeps(&mark, 1);
    signal(leaving.pid(), Signal::INT);
    leaving.wait_for("leaving when the unit at hand is done");
    signal(leaving.pid(), Signal::INT);
    leaving.finish().succeeded().says("asked to leave at once");
    running.wait_for("unit 1 goes to another");
    nothing_remains(&mark);
    let _staying = joined(&address);
    assert_eq!(running.finish().succeeded().stdout(), "1\n");
}

#[test]
fn an_idle_worker_leaves_at_once() {
    let (mut running, address) = listening(&[], &["cat"]);
    let worker = joined(&address);
    signal(worker.pid(), Signal::INT);
    worker.finish().succeeded().says("0 units finished here");
    running.wait_for("left: asked to leave");
    signal(running.pid(), Signal::INT);
    assert_eq!(running.wait().code(), Some(130));
}

#[test]
fn a_killed_worker_loses_nothing() {
    let mark = mark();
    let scratch = Scratch::new("joined-killed");
    let once = scratch.path("once");
    std::fs::write(&once, "").unwrap();
    let script = format!("rm {once} 2>/dev/null && exec sleep {mark}; echo {{}}");
    let (mut running, address) = listening(&["-k"], &["sh", "-c", &script]);
    running.feed(numbers(50));
    let killed = joined(&address);
    wait_for_sleeps(&mark, 1);
    signal(killed.pid(), Signal::KILL);
    running.wait_for("unit 1 goes to another");
    let _others = [joined(&address), joined(&address)];
    assert_eq!(running.finish().succeeded().stdout, numbers(50));
    nothing_remains(&mark);
}

#[test]
fn local_and_joined_workers_share_the_units() {
    let mut arguments = vec!["map", "-j1", "--listen", "127.0.0.1:0", "--json", "--"];
    arguments.extend(["sh", "-c", "sleep 0.02; echo {}"]);
    let mut running = start(arguments);
    let line = running.wait_for("\"listening\"");
    let address = line
        .split('"')
        .find(|part| part.starts_with("127."))
        .unwrap()
        .to_owned();
    running.feed(numbers(60));
    let worker = joined(&address);
    let finished = running
        .finish()
        .succeeded()
        .says("\"worker\":\"local ")
        .says("\"worker\":\"worker ");
    assert_eq!(finished.sorted().len(), 60);
    worker.finish().succeeded();
}

#[test]
fn a_worker_may_bring_its_own_command() {
    let (mut running, address) = listening(&[], &["no-such-command-here"]);
    running.feed(b"a\nb\n".to_vec());
    let without =
        run(["work", "--connect", &address], b"").says("no command \"no-such-command-here\" here");
    assert_eq!(without.status, Some(2));
    running.wait_for("left: there is no command \"no-such-command-here\" here");
    let with = start(["work", "--connect", &address, "--", "echo", "own {}"]);
    let finished = running.finish().succeeded();
    assert_eq!(finished.sorted(), ["own a", "own b"]);
    with.finish().succeeded();
}

#[test]
fn strangers_are_turned_away_and_the_job_goes_on() {
    let (mut running, address) = listening(&[], &["cat"]);
    let mut http = TcpStream::connect(&address).unwrap();
    http.set_read_timeout(Some(SOON)).unwrap();
    http.write_all(b"GET / HTTP/1.1\r\nHost: handover\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = http.read_to_end(&mut answer);
    let line = running.wait_for("turned 127.0.0.1");
    assert!(line.contains("HTTP"), "{line}");
    // One that says nothing and one that talks nonsense do not stop it either.
    let _silent = TcpStream::connect(&address).unwrap();
    let mut nonsense = TcpStream::connect(&address).unwrap();
    nonsense.write_all(&[0xa5; 4096]).unwrap();
    running.feed(numbers(5));
    let _worker = joined(&address);
    assert_eq!(
        running.finish().succeeded().sorted(),
        ["1", "2", "3", "4", "5"]
    );
}

#[test]
fn a_worker_without_the_token_is_turned_away() {
    let (mut running, address) = listening(&["--token", "one secret"], &["cat"]);
    let wrong = run(["work", "--connect", &address, "--token", "another"], b"").says("cannot join");
    assert_eq!(wrong.status, Some(1));
    assert_eq!(run(["work", "--connect", &address], b"").status, Some(1));
    running.wait_for("turned 127.0.0.1");
    running.feed(numbers(3));
    let mut command = Command::new(env!("CARGO_BIN_EXE_handover"));
    command
        .args(["work", "--connect", &address])
        .env("HANDOVER_TOKEN", "one secret");
    let worker = start_command(command);
    worker.wait_for("joined");
    assert_eq!(running.finish().succeeded().sorted(), ["1", "2", "3"]);
}

#[test]
fn nobody_but_its_own_workers_joins_a_run_that_does_not_listen() {
    let mark = mark();
    let running = start(["map", "-j1", "--", "sleep", &mark]);
    let address = eventually("the address of the local worker", || {
        let worker = running.children().first().copied()?;
        let process = processes()
            .into_iter()
            .find(|process| process.pid == worker)?;
        process
            .command
            .split(' ')
            .find(|word| word.starts_with("127."))
            .map(ToOwned::to_owned)
    });
    assert_eq!(
        run(["work", "--connect", &address], b"")
            .says("cannot join")
            .status,
        Some(1)
    );
}

#[test]
fn a_worker_that_finds_nobody_says_so() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let run = run(["work", "--connect", &free.to_string()], b"").says("cannot join");
    assert_eq!(run.status, Some(1));
}

#[test]
fn a_worker_whose_job_is_lost_ends_with_its_command() {
    let mark = mark();
    let (mut running, address) = listening(&[], &["sleep", &mark]);
    running.feed(numbers(1));
    let worker = joined(&address);
    wait_for_sleeps(&mark, 1);
    signal(running.pid(), Signal::KILL);
    running.wait();
    let finished = worker.finish().says("the job is lost");
    assert_eq!(finished.status, Some(1));
    nothing_remains(&mark);
}

#[test]
fn addresses_beyond_loopback_need_a_flag() {
    for arguments in [
        &["map", "--listen", "0.0.0.0:0", "--", "cat"][..],
        &["work", "--connect", "192.0.2.1:1"],
    ] {
        let run = run(arguments, b"")
            .says("not encrypted")
            .says("--tls DIR")
            .says("--insecure-plain-tcp");
        assert_eq!(run.status, Some(2));
    }
    for arguments in [
        &["map", "--listen", "nonsense", "--", "cat"][..],
        &["work", "--connect", "nonsense"],
    ] {
        assert_eq!(run(arguments, b"").says("is no address").status, Some(2));
    }
}

#[test]
fn an_address_in_use_is_wrong_use() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = run(["map", "--listen", &address, "--", "cat"], b"")
        .says(&format!("cannot listen at {address}"));
    assert_eq!(run.status, Some(2));
}

#[test]
fn a_stopped_job_tells_its_workers_so() {
    let mark = mark();
    let (mut running, address) = listening(&[], &["sleep", &mark]);
    running.feed(numbers(1));
    let worker = joined(&address);
    wait_for_sleeps(&mark, 1);
    signal(running.pid(), Signal::INT);
    assert_eq!(running.wait().code(), Some(130));
    let finished = worker.finish().says("the job was stopped");
    assert_eq!(finished.status, Some(1));
    nothing_remains(&mark);
}

/// Joins as a worker would, without its honesty: takes `most` units, and then sends
/// `answer` as a result, or asks for more.
fn dishonest_worker(address: &str, most: usize, answer: Option<&'static [u8]>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let link = handover::net::dial(address, handover::net::Config::default())
            .await
            .unwrap();
        let units = link.receiver("units").unwrap();
        let mut got = 0;
        let end = tokio::time::timeout(SOON, async {
            link.receiver("job").unwrap().recv_async().await.unwrap();
            while got < most {
                units.recv_async().await.unwrap();
                got += 1;
            }
            if let Some(answer) = answer {
                let results = link.sender("results").unwrap();
                let _ = results.send_async(bytes::Bytes::from_static(answer)).await;
                link.closed().await;
            } else {
                // Asks for one more than it may have, for a while.
                let while_it_waits = std::time::Duration::from_millis(500);
                let more = tokio::time::timeout(while_it_waits, units.recv_async()).await;
                assert!(
                    more.is_err(),
                    "a worker that gives no results gets no more units"
                );
            }
        });
        end.await.unwrap();
    });
}

#[test]
fn a_worker_that_hoards_units_gets_no_more_than_it_may_keep() {
    for (options, most) in [(&[][..], 2), (&["--ahead", "3"][..], 5)] {
        let (mut running, address) = listening(options, &["cat"]);
        running.feed(numbers(20));
        dishonest_worker(&address, most, None);
        let _worker = joined(&address);
        assert_eq!(running.finish().succeeded().sorted().len(), 20);
    }
}

#[test]
fn a_worker_that_lies_loses_its_link_and_nothing_else() {
    let lies: [&[u8]; 3] = [b"", b"no result \0\0", &[0xff; 100]];
    for lie in lies {
        let (mut running, address) = listening(&["-k"], &["cat"]);
        running.feed(numbers(5));
        dishonest_worker(&address, 1, Some(lie));
        running.wait_for("left: it sent a message that is no result; unit 1 goes to another");
        let _worker = joined(&address);
        assert_eq!(running.finish().succeeded().stdout, numbers(5));
    }
}

#[test]
fn a_worker_that_calls_itself_local_is_told_from_one_that_is() {
    let (mut running, address) =
        listening(&["-j1", "--json"], &["sh", "-c", "sleep 0.01; echo {}"]);
    let event = running.wait_for("\"worker\":\"local ");
    let local = event
        .split('"')
        .find(|part| part.starts_with("local "))
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let config = handover::net::Config::default().name(local);
        let link = handover::net::dial(&*address, config).await.unwrap();
        let job = link.receiver("job").unwrap();
        tokio::time::timeout(SOON, job.recv_async())
            .await
            .unwrap()
            .unwrap();
        let event = running.wait_for(&format!("\"worker\":\"worker {local}\""));
        assert!(event.contains("\"local\":false"), "{event}");
        // When it is lost, the local worker of that number is not.
        link.abort();
        link.closed().await;
        running.wait_for("\"left\"");
    });
    running.feed(numbers(20));
    let finished = running.finish().succeeded();
    assert_eq!(finished.sorted().len(), 20);
    let joined = finished.stderr.matches("\"joined\"").count();
    assert_eq!(
        joined, 2,
        "the local worker has stayed: {}",
        finished.stderr
    );
}
