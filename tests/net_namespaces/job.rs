//! `handover map` and `handover work` over TLS in two namespaces, with a cut between them.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    space::{ADDRESSES, Spaces},
    spaces,
    talk::SOON,
};

/// A directory of the test's own.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("handover-namespaces-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program, killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn certify(directory: &Path) {
    let cert = |arguments: &[&str]| {
        let status = Command::new(env!("CARGO_BIN_EXE_handover"))
            .arg("cert")
            .args(arguments)
            .current_dir(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{arguments:?}");
    };
    cert(&["authority", "ca"]);
    for name in ["coordinator", "worker"] {
        cert(&["peer", name, "--authority", "ca", "--out", name]);
    }
}

fn handover(spaces: &Spaces, end: usize, directory: &Path, arguments: &[&str]) -> Running {
    let [program, inside @ ..] = spaces.inside(end);
    let child = Command::new(program)
        .args(inside)
        .arg(env!("CARGO_BIN_EXE_handover"))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Running(child.unwrap())
}

/// How many units were run, by the line that each writes.
fn runs(directory: &Path) -> usize {
    let log = fs::read_to_string(directory.join("runs")).unwrap_or_default();
    log.lines().count()
}

#[test]
fn a_job_over_tls_goes_on_after_a_cut_and_does_each_unit_once() {
    const UNITS: usize = 120;
    let Some(spaces) = spaces() else { return };
    let scratch = Scratch::new();
    let directory = &scratch.0;
    certify(directory);
    let listen = format!("{}:7000", ADDRESSES[0]);
    let mut map = handover(
        &spaces,
        0,
        directory,
        &[
            "map",
            "--listen",
            &listen,
            "--tls",
            "coordinator",
            "--lease",
            "20s",
            "--",
            "sh",
            "-c",
            "echo {} >> runs; sleep 0.01; echo done {}",
        ],
    );
    let mut stdin = map.0.stdin.take().unwrap();
    let mut stderr = BufReader::new(map.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(&listen) {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended");
    }
    let rest = std::thread::spawn(move || {
        let mut all = String::new();
        stderr.read_to_string(&mut all).unwrap();
        all
    });
    let mut worker = handover(
        &spaces,
        1,
        directory,
        &["work", "--connect", &listen, "--tls", "worker"],
    );
    let units: Vec<String> = (0..UNITS).map(|unit| unit.to_string()).collect();
    stdin.write_all(units.join("\n").as_bytes()).unwrap();
    drop(stdin);
    let await_runs = |count: usize| {
        let deadline = Instant::now() + SOON;
        while runs(directory) < count {
            assert!(Instant::now() < deadline, "it does not go on");
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    await_runs(20);
    spaces.line().darken();
    // What is under way ends; then nothing goes on.
    std::thread::sleep(Duration::from_secs(1));
    let before = runs(directory);
    assert!(before < UNITS, "it was cut in the middle");
    spaces.line().clear_up();
    let mut output = String::new();
    let mut stdout = map.0.stdout.take().unwrap();
    stdout.read_to_string(&mut output).unwrap();
    let status = map.0.wait().unwrap();
    let said = rest.join().unwrap();
    assert!(status.success(), "{status}: {said}");
    let mut results: Vec<&str> = output.lines().collect();
    results.sort_unstable();
    let mut all: Vec<String> = (0..UNITS).map(|unit| format!("done {unit}")).collect();
    all.sort_unstable();
    assert_eq!(results, all, "each result once");
    assert_eq!(runs(directory), UNITS, "each unit was run once: {said}");
    worker.0.wait().unwrap();
}
