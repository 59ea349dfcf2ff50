//! Snapshots to try the reports on.

use super::{
    ending::Unsent,
    report::{Blocked, Deadlock, Kind, Site, Wait, Waiting},
    snapshot::{Bottleneck, ChannelSeen, Doing, ProcessSeen, Snapshot},
    undecided::{Because, Undecided},
};

/// Names that would like to be more than text.
pub(in crate::process) const HOSTILE: [&str; 9] = [
    "say \"hello\"",
    "</script><script>alert(1)</script>",
    "<b>bold</b> &lt;",
    "two\nlines",
    "back\\slash\\n\\N",
    "\u{1b}[31mred\u{7}",
    "naïve 名前 🦀",
    "\"]; evil [label=\"",
    "a} 1 {b='c', d=`${e}`",
];

fn site(line: u32) -> Site {
    Site {
        file: "src/chain.rs".to_owned(),
        line,
        column: 9,
    }
}

fn wait(operation: Waiting, channel: &str, line: u32, waits_for: &str) -> Wait {
    Wait {
        operation,
        channel: channel.to_owned(),
        site: site(line),
        waits_for: vec![waits_for.to_owned()],
        is_open: false,
        is_one_of_all: false,
        is_stranded: false,
    }
}

fn process(name: &str, for_ms: u64, blocked_part: f64, waits: Vec<Wait>) -> ProcessSeen {
    ProcessSeen {
        name: name.to_owned(),
        kind: Kind::Process,
        state: Doing::Blocked,
        for_ms,
        turns: 1,
        waits,
        blocked_part,
        waited_for_by: 0.0,
    }
}

fn channel(name: &str, sender: &str, receiver: &str) -> ChannelSeen {
    ChannelSeen {
        name: name.to_owned(),
        senders: vec![sender.to_owned()],
        receivers: vec![receiver.to_owned()],
        open_ends: 0,
        poisoners: Vec::new(),
        outside_poisoners: 0,
        handed_over: 0,
        per_second: 0.0,
        sends_waiting: 0,
        receives_waiting: 0,
        credit_unused: 0,
        credit_untaken: 0,
        is_poisoned: false,
    }
}

/// `a` and `b` wait for each other, and `c` for `a`.
pub(in crate::process) fn chain() -> Snapshot {
    let up = wait(Waiting::Send, "up", 31, "b");
    let down = wait(Waiting::Send, "down", 44, "a");
    let side = wait(Waiting::Receive, "side", 60, "a");
    let blocked = |process: &str, wait: &Wait| Blocked {
        process: process.to_owned(),
        waits: vec![wait.clone()],
    };
    let deadlock = Deadlock {
        network: "chain".to_owned(),
        is_total: true,
        cycle: vec![blocked("a", &up), blocked("b", &down)],
        others: vec![blocked("c", &side)],
    };
    let mut a = process("a", 1_900, 1.0, vec![up]);
    a.waited_for_by = 1.5;
    Snapshot {
        network: "chain".to_owned(),
        age_ms: 2_000,
        is_running: false,
        processes: vec![
            a,
            process("b", 1_900, 1.0, vec![down]),
            process("c", 300, 0.5, vec![side]),
        ],
        channels: vec![
            ChannelSeen {
                handed_over: 7,
                sends_waiting: 1,
                ..channel("up", "a", "b")
            },
            ChannelSeen {
                sends_waiting: 1,
                ..channel("down", "b", "a")
            },
            ChannelSeen {
                handed_over: 3,
                per_second: 12.5,
                receives_waiting: 1,
                credit_unused: 2,
                credit_untaken: 1,
                open_ends: 1,
                ..channel("side", "a", "c")
            },
        ],
        deadlock: Some(deadlock),
        bottleneck: Some(Bottleneck {
            process: "a".to_owned(),
            waited_for_by: 1.5,
        }),
        undecided: None,
        unsent: vec![Unsent {
            process: "d".to_owned(),
            site: site(70),
        }],
        unsent_count: 1,
    }
}

/// Processes and channels of these names, each of which waits for the next.
pub(in crate::process) fn named(names: &[&str]) -> Snapshot {
    let next = |at: usize| names[(at + 1) % names.len()];
    let all = || names.iter().enumerate();
    Snapshot {
        network: names[0].to_owned(),
        age_ms: 1,
        is_running: true,
        processes: all()
            .map(|(at, name)| {
                let wait = wait(Waiting::Send, name, 1, next(at));
                process(name, 1, 0.0, vec![wait])
            })
            .collect(),
        channels: all()
            .map(|(at, name)| channel(name, name, next(at)))
            .collect(),
        deadlock: None,
        bottleneck: None,
        undecided: Some(Undecided {
            processes: names.iter().map(ToString::to_string).collect(),
            process_count: names.len(),
            because: names
                .iter()
                .map(|name| Because::OpenEnds {
                    channel: (*name).to_owned(),
                    ends: 1,
                })
                .collect(),
            because_count: names.len(),
        }),
        unsent: Vec::new(),
        unsent_count: 0,
    }
}

pub(in crate::process) fn hostile() -> Snapshot {
    named(&HOSTILE)
}
