//! The bytes of the messages are those that `docs/protocol-work.md` and the client in Python have.
//!
//! `HANDOVER_WRITE_VECTORS=1` writes the vectors instead of comparing them.

use std::fmt::Write;
use std::path::Path;

use bytes::Bytes;

use super::*;
use crate::wire::{
    Event, Goodbye, LEASE_DEFAULT, Limits, Link, ReceiveId, SendId, Settings, Settlement,
};

/// Compares a file of the repository with what it should be.
fn is_current(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("HANDOVER_WRITE_VECTORS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        found,
        expected,
        "{} differs: HANDOVER_WRITE_VECTORS=1 writes it",
        path.display()
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn jobs() -> Vec<Job> {
    let plain = Job {
        command: vec![b"cat".to_vec()],
        stream: false,
        null: false,
        keep_order: false,
        ahead: 0,
        retries: 0,
        timeout_ms: None,
        to_files: false,
        limit: 16 << 20,
        lease_ms: 30_000,
    };
    let full = Job {
        command: vec![b"sh".to_vec(), vec![0xff; 200], Vec::new()],
        stream: true,
        null: true,
        keep_order: true,
        ahead: 1024,
        retries: u32::MAX,
        timeout_ms: Some(u64::MAX),
        to_files: true,
        limit: 1 << 30,
        lease_ms: 200,
    };
    vec![plain, full]
}

fn results() -> Vec<ResultMeta> {
    let outcomes = [
        Outcome::Exited(0),
        Outcome::Exited(-1),
        Outcome::Exited(64),
        Outcome::Exited(i32::MIN),
        Outcome::Signalled(9),
        Outcome::TimedOut(1500),
        Outcome::failed("é".repeat(300)),
        Outcome::Aborted,
        Outcome::Poisoned(3),
        Outcome::GivenBack,
    ];
    let meta = |(place, outcome)| ResultMeta {
        number: place + 1,
        outcome,
        started_us: 1_700_000_000_000_000,
        run_us: 127,
        work_us: 128,
        attempts: 1,
        output_bytes: u64::MAX,
    };
    (0_u64..).zip(outcomes).map(meta).collect()
}

fn json(meta: &impl Serialize) -> String {
    serde_json::to_string(meta).unwrap()
}

#[test]
fn the_vectors_of_the_python_client_are_what_is_said_here() {
    let mut lines = String::new();
    let mut add = |kind: &str, bytes: &[u8], payload: &[u8], meta: String| {
        let _ = writeln!(lines, "{kind}\t{}\t{}\t{meta}", hex(bytes), hex(payload));
    };
    for job in jobs() {
        add("job", &encode_job(&job), b"", json(&job));
    }
    for (number, oversized) in [
        (1, None),
        (127, None),
        (128, Some(1 << 40)),
        (u64::MAX, Some(0)),
    ] {
        let meta = UnitMeta { number, oversized };
        let message = encode(b"seven\n".to_vec(), &meta);
        add("unit", &message, b"seven\n", json(&meta));
    }
    for meta in results() {
        let message = encode(b"49\n".to_vec(), &meta);
        add("result", &message, b"49\n", json(&meta));
    }
    for kind in [
        PieceKind::Start,
        PieceKind::Finished,
        PieceKind::Stdout,
        PieceKind::Stderr,
    ] {
        let meta = PieceMeta { number: 300, kind };
        add("piece", &encode(b"x".to_vec(), &meta), b"x", json(&meta));
    }
    let controls = [
        Control::Abort(300),
        Control::Pause,
        Control::Resume,
        Control::Leave { now: false },
        Control::Leave { now: true },
    ];
    for control in controls {
        add("control", &encode_alone(&control), b"", json(&control));
    }
    let reports = [
        ReportMeta::Progress {
            number: 300,
            millionths: 400_000,
        },
        ReportMeta::Log { number: 300 },
        ReportMeta::Bad { number: 300 },
    ];
    for meta in reports {
        let message = encode("half ä".into(), &meta);
        add("report", &message, "half ä".as_bytes(), json(&meta));
    }
    is_current("clients/python/tests/messages.tsv", &lines);
}

/// Two sides, the bytes between them, and what was said.
struct Trace {
    worker: Link,
    coordinator: Link,
    said: Vec<(&'static str, Vec<u8>)>,
}

fn say(link: &mut Link) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let count = {
            let bytes = link.output();
            all.extend_from_slice(bytes);
            bytes.len()
        };
        if count == 0 {
            return all;
        }
        link.wrote(count);
    }
}

fn hear(link: &mut Link, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let space = link.input();
        let count = bytes.len().min(space.len());
        space[..count].copy_from_slice(&bytes[..count]);
        link.received(count);
        bytes = &bytes[count..];
        while let Some(event) = link.poll_event().unwrap() {
            assert!(!matches!(event, Event::Lost(_)));
        }
    }
}

impl Trace {
    fn worker_says(&mut self) {
        let bytes = say(&mut self.worker);
        hear(&mut self.coordinator, &bytes);
        self.said.push(("dialer", bytes));
    }

    fn coordinator_says(&mut self) {
        let bytes = say(&mut self.coordinator);
        hear(&mut self.worker, &bytes);
        self.said.push(("listener", bytes));
    }

    fn worker_end(&self, name: &str) -> ReceiveId {
        self.worker.find(name).unwrap()
    }

    fn coordinator_end(&self, name: &str) -> ReceiveId {
        self.coordinator.find(name).unwrap()
    }
}

/// One unit on its way through a worker.
#[expect(
    clippy::too_many_lines,
    reason = "it is one conversation, in its order"
)]
fn one_unit() -> Vec<(&'static str, Vec<u8>)> {
    let settings = |name: &str, incarnation| Settings {
        name: name.to_owned(),
        token: None,
        limits: Limits::default(),
        session: 1,
        incarnation,
        lease: LEASE_DEFAULT,
    };
    let mut trace = Trace {
        worker: Link::dialer(settings("w", 2)),
        coordinator: Link::listener(settings("c", 3)),
        said: Vec::new(),
    };
    let open = |link: &mut Link, name| -> SendId { link.open(name).unwrap() };
    trace.worker_says();
    trace.coordinator_says();
    let job = open(&mut trace.coordinator, channels::JOB);
    trace.coordinator_says();
    trace.worker.grant(trace.worker_end(channels::JOB), 1);
    trace.worker_says();
    trace.coordinator.send(job, encode_job(&jobs()[0])).unwrap();
    let _control = open(&mut trace.coordinator, channels::CONTROL);
    let units = open(&mut trace.coordinator, channels::UNITS);
    let _rescue = open(&mut trace.coordinator, channels::RESCUE);
    trace.coordinator_says();
    trace
        .worker
        .settle(trace.worker_end(channels::JOB), 1, Settlement::Taken);
    trace.worker.close_receive(trace.worker_end(channels::JOB));
    for name in [channels::CONTROL, channels::UNITS] {
        trace.worker.grant(trace.worker_end(name), 1);
    }
    let _pieces = open(&mut trace.worker, channels::PIECES);
    let reports = open(&mut trace.worker, channels::REPORTS);
    let lease = open(&mut trace.worker, channels::LEASE);
    let results = open(&mut trace.worker, channels::RESULTS);
    trace.worker_says();
    trace.coordinator.close_send(job);
    for name in [
        channels::PIECES,
        channels::REPORTS,
        channels::LEASE,
        channels::RESULTS,
    ] {
        trace.coordinator.grant(trace.coordinator_end(name), 1);
    }
    trace.coordinator_says();
    trace.worker.send(lease, Bytes::from_static(b".")).unwrap();
    trace.worker_says();
    trace
        .coordinator
        .settle(trace.coordinator_end(channels::LEASE), 1, Settlement::Taken);
    trace
        .coordinator
        .grant(trace.coordinator_end(channels::LEASE), 1);
    let meta = UnitMeta {
        number: 1,
        oversized: None,
    };
    trace
        .coordinator
        .send(units, encode(b"7\n".to_vec(), &meta))
        .unwrap();
    trace.coordinator_says();
    trace
        .worker
        .settle(trace.worker_end(channels::UNITS), 1, Settlement::Taken);
    let meta = ReportMeta::Progress {
        number: 1,
        millionths: 500_000,
    };
    trace
        .worker
        .send(reports, encode(b"half".to_vec(), &meta))
        .unwrap();
    trace.worker_says();
    trace.coordinator.settle(
        trace.coordinator_end(channels::REPORTS),
        1,
        Settlement::Taken,
    );
    trace
        .coordinator
        .grant(trace.coordinator_end(channels::REPORTS), 1);
    trace.coordinator_says();
    let meta = ResultMeta {
        number: 1,
        outcome: Outcome::Exited(0),
        started_us: 1_700_000_000_000_000,
        run_us: 1500,
        work_us: 1600,
        attempts: 1,
        output_bytes: 3,
    };
    trace
        .worker
        .send(results, encode(b"49\n".to_vec(), &meta))
        .unwrap();
    trace.worker_says();
    trace.coordinator.settle(
        trace.coordinator_end(channels::RESULTS),
        1,
        Settlement::Taken,
    );
    trace
        .coordinator
        .grant(trace.coordinator_end(channels::RESULTS), 1);
    trace.coordinator_says();
    trace.worker.grant(trace.worker_end(channels::UNITS), 1);
    trace.worker_says();
    trace.coordinator.goodbye(Goodbye::done());
    trace.coordinator_says();
    trace.worker.goodbye(Goodbye::done());
    trace.worker_says();
    trace.said
}

#[test]
fn the_trace_of_a_unit_in_the_specification_is_what_is_said() {
    let document = include_str!("../../../docs/protocol-work.md");
    let byte = |hex: &str| u8::from_str_radix(hex, 16).unwrap();
    // Consecutive lines of one speaker are one turn.
    let mut specified: Vec<(&str, Vec<u8>)> = Vec::new();
    for line in document.lines() {
        let Some((speaker, rest)) = line.split_once(" | ") else {
            continue;
        };
        let speaker = speaker.trim();
        let Some((bytes, _)) = rest
            .split_once(" | ")
            .filter(|_| matches!(speaker, "dialer" | "listener"))
        else {
            continue;
        };
        let bytes = bytes.split_whitespace().map(byte);
        match specified.last_mut() {
            Some((last, turn)) if *last == speaker => turn.extend(bytes),
            _ => specified.push((speaker, bytes.collect())),
        }
    }
    let mut said: Vec<(&str, Vec<u8>)> = Vec::new();
    for (speaker, bytes) in one_unit() {
        match said.last_mut() {
            Some((last, turn)) if *last == speaker => turn.extend(bytes),
            _ => said.push((speaker, bytes)),
        }
    }
    for (turn, (speaker, bytes)) in said.iter().enumerate() {
        let (who, what) = specified.get(turn).cloned().unwrap_or_default();
        assert_eq!((who, hex(&what)), (*speaker, hex(bytes)), "turn {turn}");
    }
    assert_eq!(specified.len(), said.len());
}

#[test]
#[ignore = "prints the trace, for whoever writes the document"]
fn print_the_trace_of_a_unit() {
    for (speaker, bytes) in one_unit() {
        println!("{speaker} {}", hex(&bytes));
    }
}
