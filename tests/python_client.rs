//! The worker in Python (`clients/python`): what it says is what this side says, to the byte, and its own tests, which
//! run the real program, pass. They need `python3`, 3.10 or later; without it, that is said and nothing is run.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use handover::wire::{Code, Denial, End, Frame, Goodbye, Hello, Reason};

fn client() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python")
}

/// A Python that can run the client, if there is one.
fn python() -> Option<Command> {
    let mut python = Command::new("python3");
    let new_enough = "import sys; sys.exit(sys.version_info < (3, 10))";
    let found = python.args(["-c", new_enough]).status();
    if found.is_ok_and(|status| status.success()) {
        let mut python = Command::new("python3");
        python.current_dir(client()).env_remove("HANDOVER_TOKEN");
        return Some(python);
    }
    eprintln!("skipped: there is no python3 of version 3.10 or later here");
    None
}

/// Every type of frame, and what it is in the client's words.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn frames() -> Vec<(Frame<'static>, String)> {
    let max = u64::MAX;
    let hello = Hello {
        session: u128::MAX - 1,
        incarnation: 2,
        epoch: 1,
        lease_ms: 30_000,
        message_bytes: 1 << 24,
        channels: 256,
        name: "wörker",
        token: b"secret",
    };
    vec![
        (
            Frame::Hello(hello),
            format!(
                r#"["Hello", {}, 2, 1, 30000, 16777216, 256, "wörker", "736563726574"]"#,
                u128::MAX - 1
            ),
        ),
        (
            Frame::Open {
                channel: 258,
                opening: 3,
                name: "units",
                type_name: "job",
                type_version: 7,
            },
            r#"["Open", 258, 3, "units", "job", 7]"#.into(),
        ),
        (
            Frame::Grant {
                channel: 1,
                messages: 2,
                bytes: max,
            },
            format!(r#"["Grant", 1, 2, {max}]"#),
        ),
        (
            Frame::Data {
                channel: 1,
                sequence: 2,
                total: 500,
                chunk: b"part",
            },
            r#"["Data", 1, 2, 500, "70617274"]"#.into(),
        ),
        (
            Frame::Taken {
                channel: 1,
                sequence: max,
            },
            format!(r#"["Taken", 1, {max}]"#),
        ),
        (
            Frame::Close {
                channel: 1,
                end: End::Sender,
            },
            r#"["Close", 1, 1]"#.into(),
        ),
        (
            Frame::Close {
                channel: 1,
                end: End::Receiver,
            },
            r#"["Close", 1, 2]"#.into(),
        ),
        (
            Frame::Goodbye(Goodbye::new(Code::Leaving, "gone für now")),
            r#"["Goodbye", 1, "gone für now"]"#.into(),
        ),
        (
            Frame::Returned {
                channel: 1,
                sequence: 2,
                in_doubt: false,
            },
            r#"["Returned", 1, 2, false]"#.into(),
        ),
        (
            Frame::Returned {
                channel: 1,
                sequence: 2,
                in_doubt: true,
            },
            r#"["Returned", 1, 2, true]"#.into(),
        ),
        (Frame::Revoke { channel: 1 }, r#"["Revoke", 1]"#.into()),
        (
            Frame::Revoked {
                channel: 1,
                sequence: 2,
                bytes: 3,
            },
            r#"["Revoked", 1, 2, 3]"#.into(),
        ),
        (
            Frame::Withdraw {
                channel: 1,
                sequence: 2,
            },
            r#"["Withdraw", 1, 2]"#.into(),
        ),
        (
            Frame::Poison {
                channel: 1,
                end: End::Receiver,
                reason: Reason::new("why"),
            },
            r#"["Poison", 1, 2, "why"]"#.into(),
        ),
        (
            Frame::Settled {
                channel: 1,
                sequence: 9,
                open: &[[0, 0, 0, 0, 0, 0, 0, 7], [0, 0, 0, 0, 0, 0, 0, 8]],
            },
            r#"["Settled", 1, 9, [7, 8]]"#.into(),
        ),
        (
            Frame::Resume {
                channel: 1,
                arrived: 2,
                arrived_bytes: 3,
                messages: 4,
                bytes: 5,
            },
            r#"["Resume", 1, 2, 3, 4, 5]"#.into(),
        ),
        (Frame::Resumed, r#"["Resumed"]"#.into()),
        (Frame::Ping(8), r#"["Ping", 8]"#.into()),
        (Frame::Pong(8), r#"["Pong", 8]"#.into()),
        (
            Frame::Deny {
                channel: 1,
                denial: Denial::Mismatch,
                reason: Reason::new("another type"),
            },
            r#"["Deny", 1, 1, "another type"]"#.into(),
        ),
        (
            Frame::Declined {
                channel: 1,
                sequence: 2,
            },
            r#"["Declined", 1, 2]"#.into(),
        ),
    ]
}

#[test]
fn the_frames_that_the_client_is_tested_with_are_what_is_said_here() {
    let mut lines = String::new();
    let mut types = std::collections::BTreeSet::new();
    for (frame, words) in frames() {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        types.insert(bytes[1]);
        for byte in &bytes {
            let _ = write!(lines, "{byte:02x}");
        }
        let _ = writeln!(lines, "\t{words}");
    }
    assert!(types.into_iter().eq(1..=19), "every type is there");
    let path = client().join("tests/frames.tsv");
    if std::env::var_os("HANDOVER_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &lines).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        found, lines,
        "tests/frames.tsv differs: HANDOVER_WRITE_VECTORS=1 writes it"
    );
}

#[test]
fn the_tests_of_the_client_pass() {
    let Some(mut python) = python() else { return };
    let output = python
        .args([
            "-W", "error", "-m", "unittest", "discover", "-t", ".", "-s", "tests",
        ])
        .env("HANDOVER", env!("CARGO_BIN_EXE_handover"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // Nothing was left out: the program is there.
    assert!(said.contains("\nOK\n") || said.ends_with("OK\n"), "{said}");
}

#[test]
fn the_client_is_typed() {
    let Some(mut python) = python() else { return };
    let found = python.args(["-m", "mypy", "--version"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no mypy for python3 here");
        return;
    }
    let output = Command::new("python3")
        .args([
            "-m",
            "mypy",
            "--strict",
            "--no-incremental",
            "handover_worker",
            "tests",
        ])
        .current_dir(client())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}

/// The commands of a page that need Python, each with what the page says it prints.
fn shown_on(page: &str) -> Vec<(String, String)> {
    let mut shown: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console python3";
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            shown.push((command.to_owned(), String::new()));
        } else if inside {
            let output = &mut shown.last_mut().unwrap().1;
            output.push_str(line);
            output.push('\n');
        }
    }
    shown
}

#[test]
fn every_command_of_the_guide_prints_what_the_page_shows() {
    if python().is_none() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/guide/languages.md")).unwrap();
    let (_, function) = page.split_once("```python\n").unwrap();
    let (function, _) = function.split_once("```").unwrap();
    let directory = std::env::temp_dir().join(format!("handover-python-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("square.py"), function).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_handover"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let shown = shown_on(&page);
    assert_eq!(shown.len(), 2);
    for (command, expected) in shown {
        // A port that is free now, in place of the page's.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let output = Command::new("timeout")
            .args(["60", "bash", "-c"])
            .arg(command.replace("127.0.0.1:7000", &address))
            .env("PATH", &path)
            .env("PYTHONPATH", client())
            .env_remove("HANDOVER_TOKEN")
            .current_dir(&directory)
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "$ {command}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let _ = std::fs::remove_dir_all(&directory);
}
