//! Without a terminal: `--once` and `--json`.

use std::io::{BufRead, BufReader};

use handover::process::Snapshot;

use crate::program::{Pipeline, Server, fixed};
use crate::support::{eventually, run, signal, start, start_unread};

#[test]
fn once_prints_the_network_and_its_status_tells_of_a_deadlock() {
    let mut pipeline = Pipeline::start();
    let server = Server::start(pipeline.page());
    let addr = server.addr.to_string();
    let finished = run(["top", &addr, "--once"], b"").succeeded();
    assert!(
        finished.stdout().starts_with("pipeline: running, made "),
        "{}",
        finished.stdout()
    );
    assert!(
        finished.stdout().contains("\nproducer "),
        "{}",
        finished.stdout()
    );
    assert_eq!(finished.stderr, "");

    pipeline.deadlock();
    let finished = run(["top", &addr, "--once"], b"");
    assert_eq!(finished.status, Some(1));
    assert!(
        finished.stdout().contains("\ndeadlock: "),
        "{}",
        finished.stdout()
    );
    assert!(
        finished
            .stdout()
            .contains(" (sending on \"more\" at program.rs:"),
        "{}",
        finished.stdout()
    );

    let finished = run(["top", &addr, "--once", "--json"], b"");
    assert_eq!(finished.status, Some(1));
    let snapshot: Snapshot = serde_json::from_slice(&finished.stdout).unwrap();
    assert_eq!(snapshot.deadlock.unwrap().cycle_names().len(), 3);
    assert_eq!(finished.stdout().lines().count(), 1);
}

#[test]
fn once_without_a_program_says_where_it_looked() {
    let server = Server::start(fixed("{}"));
    let addr = server.addr.to_string();
    let finished = run(["top", &addr, "--once"], b"");
    assert_eq!(finished.status, Some(3));
    let finished = finished.says(&format!("what {addr} answers is no snapshot"));
    assert!(finished.stdout.is_empty());
    drop(server);
    let finished = run(["top", &addr, "--once", "--json"], b"");
    assert_eq!(finished.status, Some(3));
    finished.says(&format!("handover: there is no program at {addr}: "));
}

#[test]
fn wrong_use_is_told() {
    for arguments in [
        &["top", "nonsense"][..],
        &["top", "127.0.0.1:7070/x"],
        &["top", "--interval", "1ms"],
        &["top", "--bogus"],
        &["top", "127.0.0.1:1"], // There is no terminal.
    ] {
        let finished = run(arguments, b"");
        assert_eq!(
            finished.status,
            Some(2),
            "{arguments:?}: {}",
            finished.stderr
        );
        assert_ne!(finished.stderr, "");
    }
    run(["top", "127.0.0.1:1"], b"").says("use --once or --json");
}

#[test]
fn json_goes_on_line_by_line_over_a_loss_until_it_is_interrupted() {
    let pipeline = Pipeline::start();
    let server = Server::start(pipeline.page());
    let addr = server.addr;
    let mut top = start_unread(["top", &addr.to_string(), "--json", "-i", "50ms"]);
    let mut lines = BufReader::new(top.child.stdout.take().unwrap()).lines();
    let mut next =
        || -> Snapshot { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let (first, second) = (next(), next());
    assert_eq!(first.network, "pipeline");
    assert!(second.age_ms > first.age_ms);
    drop(server);
    top.wait_for("trying again");
    let _server = Server::start_at(addr, pipeline.page());
    // Lines from before the loss may still be under way; after a few it is those after it.
    for _ in 0..5 {
        next();
    }
    signal(top.pid(), rustix::process::Signal::INT);
    assert_eq!(top.wait().code(), Some(130));
    assert_eq!(
        top.stderr().matches("trying again").count(),
        1,
        "{}",
        top.stderr()
    );
}

#[test]
fn a_reader_that_goes_ends_it_quietly() {
    let pipeline = Pipeline::start();
    let server = Server::start(pipeline.page());
    let addr = server.addr.to_string();
    let mut top = start_unread(["top", &addr, "--json", "-i", "50ms"]);
    drop(top.child.stdout.take());
    assert_eq!(top.wait().code(), Some(141));
    assert_eq!(top.stderr(), "");
}

#[test]
fn a_program_that_comes_later_is_waited_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let mut top = start(["top", &addr.to_string(), "--json", "-i", "50ms"]);
    top.wait_for("there is no program at");
    let pipeline = Pipeline::start();
    let server = Server::start_at(addr, pipeline.page());
    eventually("it to ask twice", || (server.requests() > 2).then_some(()));
    signal(top.pid(), rustix::process::Signal::TERM);
    assert_eq!(top.wait().code(), Some(143));
}
