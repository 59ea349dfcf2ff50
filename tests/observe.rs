//! P3: every wait is visible, from outside the program too: the server of the view.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "not each test needs all of it")]
mod web;

mod cargo;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use handover::process::{
    Deadlock, Doing, Kind, Network, ObserverServer, RunError, Snapshot, Waiting,
};
use web::{Running, chain, get, request, send, wait_for};

fn running() -> Running {
    let running = Running::new(|net| net.serve_observer("127.0.0.1:0").unwrap());
    // On a thread of its own, which may be late.
    wait_for("the network runs", || {
        snapshot(running.address).is_running.then_some(())
    });
    running
}

fn snapshot(address: SocketAddr) -> Snapshot {
    serde_json::from_str(&get(address, "/snapshot.json").body).unwrap()
}

fn handed_over(address: SocketAddr) -> u64 {
    snapshot(address).channels[0].handed_over
}

/// A network that has ended by a deadlock, and its observer.
fn deadlocked() -> (ObserverServer, Deadlock) {
    let (go, wait) = mpsc::channel();
    drop(go);
    let net = chain(["a", "b", "c"], wait);
    let observer = net.serve_observer("127.0.0.1:0").unwrap();
    match net.run() {
        Err(RunError::Deadlock(deadlock)) => (observer, *deadlock),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_route_answers_with_its_own_type() {
    let running = running();
    for (path, content_type, contains) in [
        ("/", "text/html; charset=utf-8", "<!doctype html>"),
        (
            "/snapshot.json",
            "application/json",
            "\"network\":\"running\"",
        ),
        (
            "/snapshot.txt",
            "text/plain; charset=utf-8",
            "network \"running\": running",
        ),
        (
            "/graph.dot",
            "text/vnd.graphviz; charset=utf-8",
            "digraph \"running\" {",
        ),
        ("/deadlock.json", "application/json", "null"),
        ("/deadlock.txt", "text/plain; charset=utf-8", ""),
        (
            "/metrics",
            "text/plain; version=0.0.4; charset=utf-8",
            "handover_running",
        ),
    ] {
        let answer = get(running.address, path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some(content_type), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.body.contains(contains), "{path}: {}", answer.body);
    }
    assert_eq!(get(running.address, "/?from=here").status, 200);
    let missing = get(running.address, "/etc/passwd");
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("/snapshot.json"), "{}", missing.body);
}

#[test]
fn the_page_may_load_nothing_from_outside_and_run_no_script_but_its_own() {
    let running = running();
    let nonces: BTreeSet<String> = (0..3)
        .map(|_| {
            let page = get(running.address, "/");
            let policy = page.header("content-security-policy").unwrap().to_owned();
            assert!(policy.starts_with("default-src 'none';"), "{policy}");
            assert!(policy.contains("connect-src 'self'"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            let (_, rest) = policy.split_once("script-src 'nonce-").unwrap();
            let nonce = rest.split('\'').next().unwrap().to_owned();
            assert_eq!(nonce.len(), 16);
            assert_eq!(page.body.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
            nonce
        })
        .collect();
    assert_eq!(nonces.len(), 3, "a nonce is used once: {nonces:?}");
}

#[test]
fn the_json_says_who_waits_for_whom_at_which_line() {
    let running = running();
    running.step();
    let (snapshot, wait) = wait_for("the source waits", || {
        let snapshot = snapshot(running.address);
        let source = snapshot.processes.iter().find(|p| p.name == "source")?;
        let wait = source.waits.first()?.clone();
        let is_there = source.state == Doing::Blocked && snapshot.channels[0].handed_over == 1;
        is_there.then_some((snapshot, wait))
    });
    assert_eq!(wait.operation, Waiting::Send);
    assert_eq!(wait.channel, "jobs");
    assert_eq!(wait.waits_for, ["worker"]);
    assert_eq!(wait.site.file, "tests/web/mod.rs");
    assert!(snapshot.is_running);
    assert_eq!(snapshot.channels[0].sends_waiting, 1);
    assert_eq!(snapshot.deadlock, None);
}

#[test]
fn an_address_that_others_could_reach_is_refused_with_the_name_of_the_other_call() {
    let net = Network::new("shy");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7070"] {
        let error = net.serve_observer(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{address}");
        assert!(
            error.to_string().contains("`serve_observer_openly`"),
            "{error}"
        );
        assert!(error.to_string().contains("127.0.0.1:"), "{error}");
    }
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let open: SocketAddr = "192.0.2.1:0".parse().unwrap();
    let either = [loopback, open];
    assert!(
        net.serve_observer(&either[..]).is_err(),
        "one of two is enough"
    );
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let net = Network::new("second");
    let first = net.serve_observer("127.0.0.1:0").unwrap();
    let error = net.serve_observer(first.address()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn nothing_is_told_under_the_name_of_somebody_else() {
    let running = running();
    let ask = |host: &str| {
        send(
            running.address,
            request("GET", "/snapshot.json", host, "").as_bytes(),
        )
        .unwrap()
    };
    for host in [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "192.0.2.7",
        "0.0.0.0",
    ] {
        let answer = ask(host);
        assert_eq!(answer.status, 421, "{host}");
        assert!(!answer.body.contains("jobs"), "{}", answer.body);
    }
    assert_eq!(ask("localhost:1").status, 200);
    assert_eq!(ask("[::1]:1").status, 200);
    let nameless = send(running.address, b"GET /snapshot.json HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(nameless.status, 421);
}

#[test]
fn in_the_open_addresses_are_enough_and_names_are_not() {
    let running = Running::new(|net| net.serve_observer_openly("127.0.0.1:0").unwrap());
    let ask = |host: &str| {
        let request = request("GET", "/metrics", host, "");
        send(running.address, request.as_bytes()).unwrap().status
    };
    assert_eq!(ask("192.0.2.7:7070"), 200);
    assert_eq!(ask("evil.example"), 421);
}

#[test]
fn nothing_can_be_changed() {
    let running = running();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let request = request(method, "/snapshot.json", "localhost", "{}");
        let answer = send(running.address, request.as_bytes()).unwrap();
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("get, head"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let head = request("HEAD", "/snapshot.json", "localhost", "");
    let head = send(running.address, head.as_bytes()).unwrap();
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn garbage_ends_its_own_connection_and_nothing_else() {
    let running = running();
    let long = "a".repeat(200_000);
    let many = "x: y\r\n".repeat(1_000);
    let start = "GET / HTTP/1.1\r\nHost: localhost\r\n";
    for garbage in [
        "\0\u{1}\u{2}\r\n\r\n".to_owned(),
        "hello\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}".to_owned() + &long,
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("{start}x: {long}\r\n\r\n"),
        format!("{start}{many}\r\n"),
        format!("{start}Transfer-Encoding: chunked\r\n\r\nzzzz\r\n"),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        format!("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n{long}"),
    ] {
        let began: String = garbage.chars().take(60).collect();
        if let Some(answer) = send(running.address, garbage.as_bytes()) {
            let is_fine = answer.status >= 400 || garbage.contains("zzzz");
            assert!(is_fine, "{began:?}: {}", answer.status);
        }
        let before = handed_over(running.address);
        running.step();
        wait_for("the network goes on", || {
            (handed_over(running.address) == before + 1).then_some(())
        });
    }
}

#[test]
fn slow_clients_keep_out_others_for_seconds_and_never_the_network() {
    let running = running();
    let before = handed_over(running.address);
    // More than there are connections: some say nothing, some do not end their head, some do not read.
    let mut slow = Vec::new();
    for client in 0..40 {
        let mut socket = TcpStream::connect(running.address).unwrap();
        match client % 3 {
            0 => {}
            1 => socket
                .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nx: ")
                .unwrap(),
            _ => socket
                .write_all(request("GET", "/", "localhost", "").as_bytes())
                .unwrap(),
        }
        slow.push(socket);
    }
    for _ in 0..100 {
        running.step();
    }
    // Answered while all of them are still there: those that were let in have been closed in time.
    wait_for("the messages of the network, by an observer", || {
        (handed_over(running.address) == before + 100).then_some(())
    });
    for (client, mut socket) in slow.into_iter().enumerate() {
        let mut left = Vec::new();
        socket.set_read_timeout(Some(web::DEADLINE)).unwrap();
        let end = socket.read_to_end(&mut left);
        let is_closed = end.is_ok() || end.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset);
        assert!(is_closed, "client {client} was closed");
    }
}

/// A series: its name and labels.
type Series = (String, BTreeMap<String, String>);

/// Reads the text format of Prometheus, and panics at whatever is not in it.
fn parse(text: &str) -> BTreeMap<Series, f64> {
    let is_name = |name: &str| {
        let mut letters = name.chars();
        letters
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    assert!(text.ends_with('\n'));
    let mut family = String::new();
    let mut families = BTreeSet::new();
    let mut series = BTreeMap::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap().into();
            assert!(is_name(&family), "{line}");
            assert!(families.insert(family.clone()), "twice: {line}");
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, family);
            let is_counter = name.ends_with("_total");
            assert_eq!(kind, if is_counter { "counter" } else { "gauge" });
            continue;
        }
        let (name, rest) = line.split_once('{').unwrap();
        assert_eq!(name, family, "{line}");
        let mut rest = rest;
        let mut labels = BTreeMap::new();
        loop {
            let (key, after) = rest.split_once("=\"").unwrap();
            assert!(is_name(key), "{line}");
            let (value, length) = label_value(after);
            assert!(labels.insert(key.to_owned(), value).is_none(), "{line}");
            rest = &after[length..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        let value: f64 = rest.strip_prefix("} ").unwrap().parse().unwrap();
        assert!(value.is_finite(), "{line}");
        let old = series.insert((name.to_owned(), labels), value);
        assert_eq!(old, None, "twice: {line}");
    }
    series
}

/// The value up to the quote that ends it, and how long it is with that quote.
fn label_value(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, at + 1),
            '\\' => value.push(match letters.next().unwrap().1 {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                other => panic!("\\{other} is no escape"),
            }),
            _ => value.push(letter),
        }
    }
    panic!("a label without an end: {text}");
}

#[test]
fn the_metrics_parse_and_count_what_is_there() {
    let running = running();
    running.step();
    running.step();
    wait_for("both were taken", || {
        (handed_over(running.address) == 2).then_some(())
    });
    let series = parse(&get(running.address, "/metrics").body);
    let value = |name: &str, label: &str| {
        let mut found = series
            .iter()
            .filter(|((n, labels), _)| n == name && labels.values().any(|v| v == label));
        let (_, value) = found.next().unwrap_or_else(|| panic!("{name} {label}"));
        assert!(found.next().is_none(), "{name} {label}");
        *value
    };
    let is = |value: f64, expected: u32| (value - f64::from(expected)).abs() < 1e-9;
    assert!(is(value("handover_running", "running"), 1));
    assert!(is(value("handover_channel_handed_over_total", "jobs"), 2));
    assert!(is(value("handover_deadlocked_processes", "running"), 0));
    let states = series
        .iter()
        .filter(|((n, _), _)| n == "handover_processes");
    assert!(is(states.map(|(_, value)| value).sum(), 2));
    for (name, process) in [
        ("blocked_ratio", "source"),
        ("waited_for_by", "worker"),
        ("unmoved_seconds", "worker"),
    ] {
        assert!(value(&format!("handover_process_{name}"), process) >= 0.0);
    }
}

#[test]
fn metrics_of_hostile_names_parse_to_those_names() {
    let names = [
        "a\"} 1\nhandover_evil{x=\"",
        "back\\slash\\n",
        "</script>名前",
    ];
    let (go, wait) = mpsc::channel();
    drop(go);
    let net = chain(names, wait);
    let observer = net.serve_observer("127.0.0.1:0").unwrap();
    assert!(matches!(net.run(), Err(RunError::Deadlock(_))));
    let series = parse(&get(observer.address(), "/metrics").body);
    let processes: BTreeSet<&str> = series
        .keys()
        .filter_map(|(_, labels)| labels.get("process").map(String::as_str))
        .collect();
    assert_eq!(processes, BTreeSet::from(names));
    assert!(series.keys().all(|(name, _)| !name.contains("evil")));
}

#[test]
fn a_deadlock_is_kept_after_the_end_with_its_processes_until_the_handle_is_dropped() {
    let (observer, deadlock) = deadlocked();
    let address = observer.address();
    let snapshot = snapshot(address);
    assert!(!snapshot.is_running);
    assert_eq!(snapshot.deadlock.as_ref(), Some(&deadlock));
    let names: Vec<_> = snapshot.processes.iter().map(|p| p.name.clone()).collect();
    assert_eq!(BTreeSet::from_iter(names), deadlock_names(&deadlock));
    for process in &snapshot.processes {
        assert_eq!(process.state, Doing::Blocked, "{}", process.name);
        assert_eq!(process.waits.len(), 1, "{}", process.name);
    }
    assert_eq!(snapshot.channels.len(), 3);

    let json: Deadlock = serde_json::from_str(&get(address, "/deadlock.json").body).unwrap();
    assert_eq!(json, deadlock);
    let sentence = get(address, "/deadlock.txt").body;
    assert_eq!(sentence, format!("{deadlock}\n"));
    let metrics = parse(&get(address, "/metrics").body);
    let mut deadlocked = metrics
        .iter()
        .filter(|((name, _), _)| name == "handover_deadlocked_processes");
    assert!((deadlocked.next().unwrap().1 - 3.0).abs() < 1e-9);
    let dot = get(address, "/graph.dot").body;
    assert_eq!(dot.matches("penwidth=3").count(), 2, "{dot}");

    drop(observer);
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
}

/// A number is another's as long as its process lives, and for ever after.
#[test]
fn numbers_stay_and_are_given_once_and_who_has_a_name_that_was_taken_is_told_apart() {
    let (go, wait) = mpsc::channel();
    let net = chain(["left", "twin", "twin"], wait);
    let observer = net.serve_observer("127.0.0.1:0").unwrap();
    let address = observer.address();
    let run = thread::spawn(move || net.run());
    let before = wait_for("the thread has begun", || {
        let snapshot = snapshot(address);
        (snapshot.processes.len() == 3).then_some(snapshot)
    });
    let ids = |snapshot: &Snapshot| -> BTreeSet<u64> {
        let processes = snapshot.processes.iter().map(|it| it.id);
        processes
            .chain(snapshot.channels.iter().map(|it| it.id))
            .collect()
    };
    assert_eq!(ids(&before).len(), 6, "each has its own");
    drop(go);
    assert!(matches!(run.join().unwrap(), Err(RunError::Deadlock(_))));
    // What was seen a moment before may still be told.
    let after = wait_for("the deadlock is told", || {
        let snapshot = snapshot(address);
        snapshot.deadlock.is_some().then_some(snapshot)
    });
    assert_eq!(ids(&after), ids(&before));

    let id = |name: &str, kind: Kind| {
        let mut all = after.processes.iter();
        let seen = all.find(|it| it.name == name).unwrap();
        assert_eq!(seen.kind, kind);
        seen.id
    };
    let thread = id("twin", Kind::Thread);
    let process = id("twin (2)", Kind::Process);
    let deadlock = after.deadlock.as_ref().unwrap();
    assert_eq!(deadlock.cycle_names(), ["left", "twin"]);
    assert_eq!(deadlock.cycle[1].process_id, thread);
    assert_eq!(deadlock.cycle[0].waits[0].waits_for_ids, [thread]);
    assert_eq!(deadlock.others[0].process_id, process);
    let named = |name: &str| after.channels.iter().find(|it| it.name == name).unwrap();
    assert_eq!(named("side").receivers, ["twin (2)"]);
    assert_eq!(named("side").receiver_ids, [process]);
    assert_eq!(named("up").receiver_ids, [thread]);
    assert_eq!(deadlock.others[0].waits[0].channel_id, named("side").id);

    let text = get(address, "/snapshot.txt").body;
    for part in [
        "left (sending on \"up\" at mod.rs".to_owned(),
        "waits for twin;".to_owned(),
        "because of it twin (2) waits for ever too".to_owned(),
        "\ntwin (2)".to_owned(),
    ] {
        assert!(text.contains(&part), "{part:?} is not in\n{text}");
    }
    let dot = get(address, "/graph.dot").body;
    assert!(dot.contains("label=\"twin\\n"), "{dot}");
    let metrics = parse(&get(address, "/metrics").body);
    let series = |process: &str, id: u64| {
        let mut keys = metrics.keys();
        keys.any(|(name, labels)| {
            name == "handover_process_blocked_ratio"
                && labels["process"] == process
                && labels["id"] == id.to_string()
        })
    };
    assert!(series("twin", thread) && series("twin (2)", process));
}

fn deadlock_names(deadlock: &Deadlock) -> BTreeSet<String> {
    deadlock.processes().map(|b| b.process.clone()).collect()
}

#[test]
fn dropping_the_handle_ends_the_server_and_leaves_the_network_alone() {
    let mut running = running();
    let address = running.address;
    // One connection is in the middle of its request.
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(b"GET / HTT").unwrap();
    assert_eq!(get(address, "/").status, 200);
    drop(running.observer.take());
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
    half.set_read_timeout(Some(web::DEADLINE)).unwrap();
    let ended = half.read(&mut [0; 1]);
    assert!(
        ended.as_ref().is_ok_and(|length| *length == 0)
            || ended.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset),
    );
    // The run ends as it should, or the drop of this says so.
    running.step();
}

#[test]
fn a_network_that_never_runs_can_be_looked_at_and_dropped() {
    let (_go, wait) = mpsc::channel();
    let net = chain(["a", "b", "c"], wait);
    let observer = net.serve_observer("localhost:0").unwrap();
    let seen = snapshot(observer.address());
    assert!(!seen.is_running);
    let states: Vec<_> = seen.processes.iter().map(|p| p.state).collect();
    assert_eq!(
        states,
        [Doing::NotBegun; 2],
        "a thread is seen once it runs"
    );
    drop(net);
    let seen = wait_for("the processes are gone", || {
        let seen = snapshot(observer.address());
        seen.processes.is_empty().then_some(seen)
    });
    assert_eq!(seen.deadlock, None);
}

#[test]
fn a_server_can_be_begun_and_dropped_within_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let net = Network::new("within");
        let observer = net.serve_observer("127.0.0.1:0").unwrap();
        let address = observer.address();
        let asked = thread::spawn(move || get(address, "/snapshot.json").status);
        while !asked.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(asked.join().unwrap(), 200);
    });
}

/// An example of this package that runs until this is dropped.
struct Example {
    child: Child,
    url: String,
}

impl Example {
    fn start(arguments: &[&str]) -> Self {
        let mut child = cargo::example("observed", &["observe"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line.strip_prefix("look at ")?.to_owned()));
        thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            url: url.expect("the example says where it is"),
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // On Unix `cargo run` becomes the example, so this ends it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The commands of the guide's page in the `console` blocks for one run of the example, each with its output.
fn shown(run: &str) -> Vec<(String, String)> {
    let page = include_str!("../docs/guide/observe.md");
    let begin = format!("```console {run}\n");
    let blocks = page.split(&begin).skip(1);
    blocks
        .flat_map(|rest| rest.split("```").next().unwrap().split("$ ").skip(1))
        .map(|shown| {
            let (command, output) = shown.split_once('\n').unwrap();
            (command.to_owned(), output.to_owned())
        })
        .collect()
}

#[test]
fn every_command_of_the_guide_prints_what_the_page_shows() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: `curl` is not installed");
        return;
    }
    // Longer than the test may last; it is ended when that is over.
    let runs = [("slow", &["120"][..]), ("deadlock", &["120", "deadlock"])];
    for (run, arguments) in runs {
        let example = Example::start(arguments);
        let commands = shown(run);
        assert!(commands.len() >= 2, "{run}: {commands:?}");
        for (command, expected) in commands {
            let here = command.replace("http://127.0.0.1:7070/", &example.url);
            assert_ne!(here, command, "it asks the example");
            // It is true once the example has gone on for a moment.
            wait_for(&command, || {
                let mut shell = Command::new("timeout");
                shell.args(["20", "bash", "-c", &here]).stdin(Stdio::null());
                let output = shell.output().unwrap();
                (String::from_utf8(output.stdout).unwrap() == expected).then_some(())
            });
        }
    }
}
