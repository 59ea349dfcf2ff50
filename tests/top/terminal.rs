//! The live view in a real terminal.

use crate::program::{Pipeline, Server, fixed};
use crate::support::{eventually, running, signal};
use crate::tmux::Terminal;

const TOP: &str = concat!(env!("CARGO_BIN_EXE_handover"), " top");

/// Starts the view from a shell that notes how the terminal was before.
fn start(terminal: &Terminal, environment: &str, server: &Server) {
    terminal.wait("a prompt", |shown| !shown.trim().is_empty());
    terminal.type_line("before=$(stty -g); echo the first screen");
    terminal.wait_for("\nthe first screen");
    let addr = server.addr;
    terminal.type_line(&format!(
        "{environment} {TOP} {addr} -i 50ms; echo status $?"
    ));
    eventually("the other screen", || {
        (terminal.flags() == "1 0").then_some(())
    });
}

/// The terminal is as it was before the view, and the status is that.
#[track_caller]
fn is_restored(terminal: &Terminal, status: i32) {
    let shown = terminal.wait_for(&format!("\nstatus {status}\n"));
    assert!(shown.contains("\nthe first screen\n"), "{shown}");
    assert_eq!(terminal.flags(), "0 1", "{shown}");
    terminal.type_line("[ \"$(stty -g)\" = \"$before\" ] && echo keys as before");
    terminal.wait_for("\nkeys as before");
}

#[test]
fn a_pipeline_is_watched_until_it_deadlocks() {
    let Some(terminal) = Terminal::open("top-watched", 100, 30) else {
        return;
    };
    let mut pipeline = Pipeline::start();
    let server = Server::start(pipeline.page());
    start(&terminal, "", &server);
    terminal.wait_for("pipeline  running, made ");
    terminal.wait_for("bottleneck: collector (");
    // The producer waits for the worker, the worker for the collector.
    terminal.wait_for("worker (sending on \"jobs\" at program.rs:");

    terminal.press("2");
    terminal.wait("a rate of the results", |shown| {
        let row = shown.lines().find(|line| line.starts_with("results "));
        row.is_some_and(|row| row.contains("worker -> collector") && !row.contains(" 0.0 "))
    });
    terminal.press("3");
    terminal.wait_for("└ # worker  sending on \"results\" at program.rs:");

    pipeline.deadlock();
    let shown = terminal.wait_for("DEADLOCK  pipeline  ended");
    assert!(shown.contains("deadlock: "), "{shown}");
    terminal.wait_for("deadlock: each waits for the next, the last for the first");
    let shown = terminal.wait_for(" waits for producer (sending on \"more\" at program.rs:");
    let cycle = shown
        .lines()
        .find(|line| line.starts_with("cycle: "))
        .unwrap();
    for link in [
        "producer -> worker",
        "worker -> collector",
        "collector -> producer",
    ] {
        assert!(cycle.contains(link), "{link} is not in {cycle}");
    }
    let coloured = terminal.coloured();
    let header = coloured.lines().next().unwrap();
    assert!(
        header.contains("\u{1b}[41m") || header.contains("\u{1b}[48;5;1m"),
        "it is not red: {header:?}"
    );

    terminal.press("q");
    is_restored(&terminal, 0);
}

#[test]
fn keys_filter_sort_and_tell_more() {
    let Some(terminal) = Terminal::open("top-keys", 110, 24) else {
        return;
    };
    let pipeline = Pipeline::start();
    let server = Server::start(pipeline.page());
    start(&terminal, "", &server);
    terminal.wait_for("of 3");
    terminal.press("?");
    terminal.wait_for("sort the other way round");
    terminal.press("Escape");
    terminal.wait_for("PROCESS ");
    terminal.press("/");
    terminal.press("o");
    terminal.press("d");
    terminal.press("Enter");
    terminal.wait("the producer alone", |shown| {
        shown.contains("only \"od\"") && shown.contains("1 of 1") && shown.contains("\nproducer ")
    });
    terminal.press("Enter");
    terminal.wait_for("lately blocked for ");
    terminal.press("Escape");
    terminal.wait_for("PROCESS ");
    terminal.press("Escape");
    terminal.wait_for("1 of 3");
    terminal.press("s");
    terminal.press("s");
    terminal.wait_for("PROCESS ^");
    terminal.press("G");
    terminal.wait_for("3 of 3");
    terminal.press("p");
    terminal.wait_for("paused: running");
    terminal.press("C-c");
    is_restored(&terminal, 130);
}

#[test]
fn whoever_pauses_does_not_ask() {
    let Some(terminal) = Terminal::open("top-paused", 80, 24) else {
        return;
    };
    let pipeline = Pipeline::start();
    let server = Server::start(pipeline.page());
    start(&terminal, "", &server);
    terminal.wait_for("pipeline  running");
    terminal.press("p");
    terminal.wait_for("paused: running");
    // One that was under way when the key came may still be answered.
    let before = server.requests() + 1;
    terminal.press("?");
    terminal.wait_for("sort the other way round");
    // What asks every 50 ms would have asked 20 times while the clock of the shell goes on by a second or more.
    let started = std::time::Instant::now();
    eventually("a second", || {
        (started.elapsed().as_millis() > 1000).then_some(())
    });
    assert!(
        server.requests() <= before,
        "{} > {before}",
        server.requests()
    );
    terminal.press("Escape");
    // With a key right after it, it would be Alt and that key.
    terminal.wait_for("PROCESS ");
    terminal.press("p");
    eventually("it to ask again", || {
        (server.requests() > before).then_some(())
    });
    terminal.press("q");
    is_restored(&terminal, 0);
}

#[test]
fn a_program_that_goes_is_shown_as_lost_and_found_again() {
    let Some(terminal) = Terminal::open("top-lost", 100, 24) else {
        return;
    };
    let pipeline = Pipeline::start();
    let server = Server::start(pipeline.page());
    let addr = server.addr;
    start(&terminal, "", &server);
    terminal.wait_for("pipeline  running");
    drop(server);
    let shown = terminal.wait_for("pipeline  lost: running");
    assert!(
        shown.contains(&format!("lost: there is no program at {addr}")),
        "{shown}"
    );
    assert!(
        shown.contains("collector"),
        "what was seen last is still shown: {shown}"
    );

    let server = Server::start_at(addr, pipeline.page());
    terminal.wait_for("pipeline  running");
    drop(server);
    terminal.wait_for("pipeline  lost: running");
    let _server = Server::start_at(addr, fixed("<html>another program</html>"));
    terminal.wait_for("is no snapshot that this version can read");
    terminal.press("q");
    is_restored(&terminal, 0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let Some(terminal) = Terminal::open("top-signal", 80, 24) else {
        return;
    };
    let pipeline = Pipeline::start();
    let server = Server::start(pipeline.page());
    start(&terminal, "", &server);
    terminal.wait_for("pipeline  running");
    let mine = format!("top {} -i", server.addr);
    let found = running(&mine);
    assert_eq!(found.len(), 1, "{found:?}");
    signal(found[0].pid, rustix::process::Signal::TERM);
    is_restored(&terminal, 143);
}

#[test]
fn small_terminals_and_changes_of_size_are_borne() {
    let Some(terminal) = Terminal::open("top-small", 40, 10) else {
        return;
    };
    let pipeline = Pipeline::start();
    let server = Server::start(pipeline.page());
    start(&terminal, "", &server);
    terminal.wait_for("collector");
    for (columns, rows) in [(80, 24), (3, 2), (20, 3), (200, 50)] {
        terminal.resize(columns, rows);
        terminal.press("2");
        terminal.press("3");
        terminal.press("1");
    }
    terminal.wait_for("worker (sending on \"jobs\" at program.rs:");
    terminal.resize(40, 10);
    terminal.press("q");
    is_restored(&terminal, 0);
}

#[test]
fn without_colours_there_are_none_and_hostile_names_are_text() {
    let Some(terminal) = Terminal::open("top-hostile", 120, 24) else {
        return;
    };
    let name = "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[31mred\r\n";
    let mut pipeline = Pipeline::start();
    pipeline.deadlock();
    let mut snapshot = pipeline.observer.snapshot();
    snapshot.network = name.into();
    for process in &mut snapshot.processes {
        process.name = name.into();
    }
    for blocked in &mut snapshot.deadlock.as_mut().unwrap().cycle {
        blocked.process = name.into();
    }
    let snapshot = serde_json::to_string(&snapshot).unwrap();
    let server = Server::start(fixed(snapshot));
    start(&terminal, "NO_COLOR=1", &server);
    let shown = terminal.wait_for(r"x\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[31mred\r\n  ");
    assert!(shown.starts_with("DEADLOCK"), "{shown}");
    let coloured = terminal.coloured();
    let codes = coloured
        .split("\u{1b}[")
        .skip(1)
        .filter_map(|code| code.split_once('m'));
    for (code, _) in codes {
        for part in code.split(';') {
            let number: u32 = part.parse().unwrap_or(0);
            assert!(
                !(30..=49).contains(&number) || number == 39 || number == 49,
                "a colour: {code}"
            );
        }
    }
    terminal.press("q");
    is_restored(&terminal, 0);
}
