//! Snapshots for tests.

use crate::process::{
    Blocked, Bottleneck, ChannelSeen, Deadlock, Doing, Kind, ProcessSeen, Site, Snapshot, Unsent,
    Wait, Waiting,
};

/// A number for a name: in the samples no two have one name.
fn id(name: &str) -> u64 {
    name.bytes()
        .fold(1, |id, byte| id * 31 % 1_000_003 + u64::from(byte))
}

/// A wait at `pipeline.rs`.
pub fn wait(operation: Waiting, channel: &str, line: u32, waits_for: &[&str]) -> Wait {
    Wait {
        operation,
        channel: channel.into(),
        channel_id: id(channel),
        site: Site {
            file: "src/pipeline.rs".into(),
            line,
            column: 9,
        },
        waits_for: waits_for.iter().map(|name| (*name).into()).collect(),
        waits_for_ids: waits_for.iter().map(|name| id(name)).collect(),
        is_open: false,
        is_one_of_all: false,
        is_stranded: false,
    }
}

/// A process that has been at it for two seconds.
pub fn process_seen(name: &str, state: Doing, waits: Vec<Wait>) -> ProcessSeen {
    ProcessSeen {
        id: id(name),
        name: name.into(),
        kind: Kind::Process,
        state,
        for_ms: 2000,
        turns: 7,
        blocked_part: if waits.is_empty() { 0.0 } else { 0.75 },
        waits,
        waited_for_by: 0.0,
    }
}

/// A channel that nobody waits at.
pub fn channel_seen(name: &str, sender: &str, receiver: &str, per_second: f64) -> ChannelSeen {
    ChannelSeen {
        id: id(name),
        name: name.into(),
        senders: vec![sender.into()],
        sender_ids: vec![id(sender)],
        receivers: vec![receiver.into()],
        receiver_ids: vec![id(receiver)],
        open_ends: 0,
        known_outside: Vec::new(),
        crossings: Vec::new(),
        poisoners: Vec::new(),
        outside_poisoners: 0,
        handed_over: 1_234_567,
        per_second,
        sends_waiting: 0,
        receives_waiting: 0,
        credit_unused: 0,
        credit_untaken: 0,
        is_poisoned: false,
    }
}

/// Two workers of three, one of which is held up by the collector.
pub fn running() -> Snapshot {
    let mut collector = process_seen("collector", Doing::Running, vec![]);
    collector.waited_for_by = 1.5;
    let mut producer = process_seen(
        "producer",
        Doing::Blocked,
        vec![wait(Waiting::Send, "jobs", 12, &["worker 1", "worker 2"])],
    );
    producer.kind = Kind::Thread;
    let mut results = channel_seen("results", "worker 2", "collector", 41.5);
    (results.sends_waiting, results.credit_unused) = (1, 3);
    Snapshot {
        undecided: None,
        network: "pipeline".into(),
        age_ms: 200_000,
        is_running: true,
        processes: vec![
            producer,
            process_seen("worker 1", Doing::Ready, vec![]),
            process_seen(
                "worker 2",
                Doing::Blocked,
                vec![wait(Waiting::Send, "results", 40, &["collector"])],
            ),
            collector,
            process_seen("clock", Doing::Outside, vec![]),
        ],
        channels: vec![
            channel_seen("jobs", "producer", "worker 1", 12_345.6),
            results,
        ],
        deadlock: None,
        bottleneck: Some(Bottleneck {
            process: "collector".into(),
            process_id: id("collector"),
            waited_for_by: 1.5,
        }),
        unsent: vec![],
        unsent_count: 0,
    }
}

/// `a` and `b` wait for each other, `c` for `a`.
pub fn deadlocked() -> Snapshot {
    let a = vec![wait(Waiting::Send, "up", 31, &["b"])];
    let b = vec![wait(Waiting::Send, "down", 44, &["a"])];
    let c = vec![wait(Waiting::Receive, "news", 50, &["a"])];
    let blocked = |process: &str, waits: &Vec<Wait>| Blocked {
        process: process.into(),
        process_id: id(process),
        waits: waits.clone(),
    };
    Snapshot {
        undecided: None,
        network: "chain".into(),
        age_ms: 1500,
        is_running: true,
        deadlock: Some(Deadlock {
            network: "chain".into(),
            is_total: false,
            cycle: vec![blocked("a", &a), blocked("b", &b)],
            others: vec![blocked("c", &c)],
        }),
        processes: vec![
            process_seen("a", Doing::Blocked, a),
            process_seen("b", Doing::Blocked, b),
            process_seen("c", Doing::Blocked, c),
            process_seen("clock", Doing::Outside, vec![]),
        ],
        channels: vec![channel_seen("up", "a", "b", 0.0)],
        bottleneck: None,
        unsent: vec![],
        unsent_count: 0,
    }
}

/// The network of [`deadlocked`] in which `b` and `c` have one name: they are told apart by their numbers, 12 and 13.
pub fn twins() -> Snapshot {
    let mut snapshot = deadlocked();
    for (name, id) in [("b", 12), ("c", 13)] {
        let process = snapshot.processes.iter_mut().find(|it| it.name == name);
        let process = process.unwrap();
        (process.name, process.id) = ("twin".into(), id);
    }
    let a = &mut snapshot.processes[0].waits[0];
    (a.waits_for, a.waits_for_ids) = (vec!["twin".into()], vec![12]);
    let up = &mut snapshot.channels[0];
    (up.receivers, up.receiver_ids) = (vec!["twin".into()], vec![12]);
    let deadlock = snapshot.deadlock.as_mut().unwrap();
    deadlock.cycle[0].waits = snapshot.processes[0].waits.clone();
    for (blocked, id) in [(&mut deadlock.cycle[1], 12), (&mut deadlock.others[0], 13)] {
        (blocked.process, blocked.process_id) = ("twin".into(), id);
    }
    snapshot
}

/// The network of [`running`] after its end.
pub fn ended() -> Snapshot {
    Snapshot {
        is_running: false,
        processes: vec![],
        channels: vec![],
        bottleneck: None,
        ..running()
    }
}

/// A ring of `size` processes, each waiting for the next, the last one running.
pub fn large(size: usize) -> Snapshot {
    let name = |at: usize| format!("cell {at}");
    let mut processes: Vec<ProcessSeen> = (0..size)
        .map(|at| {
            let waits = vec![wait(Waiting::Send, "ring", 3, &[&name(at + 1)])];
            process_seen(&name(at), Doing::Blocked, waits)
        })
        .collect();
    processes.push(process_seen(&name(size), Doing::Running, vec![]));
    let channels = (0..size)
        .map(|at| channel_seen(&format!("ring {at}"), &name(at), &name(at + 1), 1.0))
        .collect();
    Snapshot {
        processes,
        channels,
        bottleneck: Some(Bottleneck {
            process: name(size),
            process_id: id(&name(size)),
            waited_for_by: 10.0,
        }),
        ..running()
    }
}

/// Names that steer a terminal, everywhere, and figures that cannot be.
pub fn hostile() -> Snapshot {
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\t\u{9b}31m\u{202e}gnirts\u{0}\u{7f}\u{200b}";
    let waits = || {
        let mut wait = wait(Waiting::Accepted, evil, u32::MAX, &[evil, ""]);
        wait.site.file = evil.into();
        vec![wait]
    };
    let mut process = process_seen(evil, Doing::Blocked, waits());
    (process.for_ms, process.blocked_part) = (u64::MAX, -1e300);
    process.waited_for_by = f64::MAX;
    let mut channel = channel_seen(evil, evil, evil, f64::MAX);
    channel.sends_waiting = usize::MAX;
    let blocked = || Blocked {
        process: evil.into(),
        process_id: id(evil),
        waits: waits(),
    };
    Snapshot {
        undecided: None,
        network: evil.into(),
        age_ms: u64::MAX,
        is_running: true,
        processes: vec![process, process_seen("", Doing::Ready, vec![])],
        channels: vec![channel.clone(), channel],
        deadlock: Some(Deadlock {
            network: evil.into(),
            is_total: true,
            cycle: vec![blocked()],
            others: vec![blocked()],
        }),
        bottleneck: Some(Bottleneck {
            process: evil.into(),
            process_id: id(evil),
            waited_for_by: f64::MAX,
        }),
        unsent: vec![Unsent {
            process: evil.into(),
            site: waits().remove(0).site,
        }],
        unsent_count: u64::MAX,
    }
}

/// The process of that name.
pub fn process<'a>(snapshot: &'a Snapshot, name: &str) -> &'a ProcessSeen {
    let mut all = snapshot.processes.iter();
    all.find(|process| process.name == name).unwrap()
}
