//! Back-pressure and memory: nothing is read before somebody takes it, nothing is kept.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use super::support::*;
use rustix::process::Signal;

/// One gigabyte passes, in blocks; the coordinator's memory stays where it was after the first blocks.
#[test]
fn memory_is_flat_while_a_gigabyte_passes() {
    const BLOCK: usize = 1 << 20;
    let mut running = start_unread(["map", "-j2", "--block", "1M", "--", "cat"]);
    let mut stdin = running.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        let mut block = vec![b'x'; BLOCK - 1];
        block.push(b'\n');
        for _ in 0..1000 {
            stdin.write_all(&block).unwrap();
        }
    });
    let mut stdout = running.child.stdout.take().unwrap();
    let mut buffer = vec![0; BLOCK];
    let (mut passed, mut early, mut late) = (0_u64, 0, 0);
    loop {
        let read = stdout.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        passed += read as u64;
        match passed >> 20 {
            0..50 => {}
            50..200 => early = early.max(memory(running.pid(), "VmRSS").unwrap_or(0)),
            _ => late = late.max(memory(running.pid(), "VmRSS").unwrap_or(0)),
        }
    }
    feeder.join().unwrap();
    running.finish().succeeded();
    assert_eq!(passed, 1000 << 20);
    eprintln!("coordinator: {early} KiB in the first 200 MiB, {late} KiB after");
    assert!(
        late < early + 8192,
        "memory grew from {early} KiB to {late} KiB"
    );
    assert!(
        late < 64 << 10,
        "{late} KiB for blocks of 1 MiB and two workers"
    );
}

/// Writes to the program until it has taken no more for a while; gives how much it took.
fn taken_by(running: &mut Running) -> std::sync::mpsc::Receiver<u64> {
    let mut stdin = running.stdin.take().unwrap();
    let (sender, receiver) = std::sync::mpsc::sync_channel(0);
    std::thread::spawn(move || {
        let line = b"y\n".repeat(512);
        let mut total = 0;
        while stdin.write_all(&line).is_ok() {
            total += line.len() as u64;
            if sender.send(total).is_err() {
                break;
            }
        }
    });
    receiver
}

#[test]
fn an_endless_input_is_read_only_as_workers_take() {
    let mark = mark();
    let mut running = start(["map", "-j2", "--", "sleep", &mark]);
    let taken = taken_by(&mut running);
    wait_for_sleeps(&mark, 2);
    // What the pipe (64 KiB) and one read (64 KiB) hold, and not a byte more.
    let mut total = 0;
    while let Ok(more) = taken.recv_timeout(Duration::from_secs(1)) {
        total = more;
    }
    assert!(total <= 132 << 10, "{total} bytes were read for two units");
    let before = memory(running.pid(), "VmRSS").unwrap();
    assert!(before < 32 << 10, "{before} KiB");
    assert!(taken.try_recv().is_err());
    signal(running.pid(), Signal::INT);
    assert_eq!(running.finish().status, Some(130));
    nothing_remains(&mark);
}

#[test]
fn a_slow_reader_of_results_makes_the_input_wait() {
    let mut running = start_unread([
        "map",
        "-j2",
        "--stream",
        "--",
        "sh",
        "-c",
        "while read n; do printf '%01000d\\n' 7; done",
    ]);
    let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
    let taken = taken_by(&mut running);
    let mut total = 0;
    while let Ok(more) = taken.recv_timeout(Duration::from_secs(1)) {
        total = more;
    }
    // Results of 1000 bytes fill the pipe after 65; two more are in the workers' hands.
    assert!(
        total <= 132 << 10,
        "{total} bytes were read while nobody read results"
    );
    let before = memory(running.pid(), "VmRSS").unwrap();
    let mut line = String::new();
    for _ in 0..2000 {
        line.clear();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line.len(), 1001);
    }
    let after = memory(running.pid(), "VmRSS").unwrap();
    assert!(
        after < before + 4096,
        "memory grew from {before} KiB to {after} KiB"
    );
    drop(stdout);
    let finished = running.finish();
    assert_eq!((finished.status, finished.stderr.as_str()), (Some(141), ""));
}

#[test]
fn a_unit_is_at_work_before_the_next_one_is_there() {
    let mut running = start_unread(["map", "-j2", "--", "cat"]);
    let mut stdin = running.stdin.take().unwrap();
    let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
    let started = Instant::now();
    for number in 0..20 {
        let unit = format!("{number}\n");
        stdin.write_all(unit.as_bytes()).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, unit);
    }
    assert!(started.elapsed() < SOON);
    drop(stdin);
    running.finish().succeeded();
}

#[test]
fn a_command_that_writes_much_to_standard_error_waits_for_its_reader() {
    // Nobody reads standard error: the command is stopped by it, and memory does not grow.
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_handover"));
    command.args(["map", "-j1", "--", "sh", "-c", "yes >&2"]);
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a\n").unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let progress = |pid| {
        std::fs::read_to_string(format!("/proc/{pid}/io"))
            .ok()
            .map(|io| io.lines().nth(1).unwrap().to_owned())
    };
    // It writes what the pipe holds, and then the same count stands for a second.
    let mut last = (progress(pid), Instant::now());
    eventually("the program to wait", || {
        let now = progress(pid);
        if now != last.0 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() > Duration::from_secs(1)).then_some(())
    });
    let memory = memory(pid, "VmRSS").unwrap();
    signal(pid, Signal::KILL);
    child.wait().unwrap();
    assert!(memory < 32 << 10, "{memory} KiB");
}
