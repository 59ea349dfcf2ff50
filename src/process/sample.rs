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

/// A name and its number.
type Id<'a> = (&'a str, u64);

fn wait(operation: Waiting, channel: Id<'_>, line: u32, waits_for: Id<'_>) -> Wait {
    Wait {
        operation,
        channel: channel.0.to_owned(),
        channel_id: channel.1,
        site: site(line),
        waits_for: vec![waits_for.0.to_owned()],
        waits_for_ids: vec![waits_for.1],
        is_open: false,
        is_one_of_all: false,
        is_stranded: false,
    }
}

fn process(of: Id<'_>, for_ms: u64, blocked_part: f64, waits: Vec<Wait>) -> ProcessSeen {
    ProcessSeen {
        id: of.1,
        name: of.0.to_owned(),
        kind: Kind::Process,
        state: Doing::Blocked,
        for_ms,
        turns: 1,
        waits,
        blocked_part,
        waited_for_by: 0.0,
    }
}

fn channel(of: Id<'_>, sender: Id<'_>, receiver: Id<'_>) -> ChannelSeen {
    ChannelSeen {
        id: of.1,
        name: of.0.to_owned(),
        senders: vec![sender.0.to_owned()],
        sender_ids: vec![sender.1],
        receivers: vec![receiver.0.to_owned()],
        receiver_ids: vec![receiver.1],
        open_ends: 0,
        known_outside: Vec::new(),
        crossings: Vec::new(),
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

fn blocked(process: Id<'_>, wait: &Wait) -> Blocked {
    Blocked {
        process: process.0.to_owned(),
        process_id: process.1,
        waits: vec![wait.clone()],
    }
}

/// `a` and `b` wait for each other, and `c` for `a`.
pub(in crate::process) fn chain() -> Snapshot {
    let [a_id, b_id, c_id] = [("a", 11), ("b", 12), ("c", 13)];
    let [up_id, down_id, side_id] = [("up", 21), ("down", 22), ("side", 23)];
    let up = wait(Waiting::Send, up_id, 31, b_id);
    let down = wait(Waiting::Send, down_id, 44, a_id);
    let side = wait(Waiting::Receive, side_id, 60, a_id);
    let deadlock = Deadlock {
        network: "chain".to_owned(),
        is_total: true,
        cycle: vec![blocked(a_id, &up), blocked(b_id, &down)],
        others: vec![blocked(c_id, &side)],
    };
    let mut a = process(a_id, 1_900, 1.0, vec![up]);
    a.waited_for_by = 1.5;
    Snapshot {
        network: "chain".to_owned(),
        age_ms: 2_000,
        is_running: false,
        processes: vec![
            a,
            process(b_id, 1_900, 1.0, vec![down]),
            process(c_id, 300, 0.5, vec![side]),
        ],
        channels: vec![
            ChannelSeen {
                handed_over: 7,
                sends_waiting: 1,
                ..channel(up_id, a_id, b_id)
            },
            ChannelSeen {
                sends_waiting: 1,
                ..channel(down_id, b_id, a_id)
            },
            ChannelSeen {
                handed_over: 3,
                per_second: 12.5,
                receives_waiting: 1,
                credit_unused: 2,
                credit_untaken: 1,
                open_ends: 1,
                ..channel(side_id, a_id, c_id)
            },
        ],
        deadlock: Some(deadlock),
        bottleneck: Some(Bottleneck {
            process: "a".to_owned(),
            process_id: 11,
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

/// Two that have one name, `clerk`, and two channels that do: `desk` waits for both, and is deadlocked with the first.
pub(in crate::process) fn twins() -> Snapshot {
    let [desk, first, second] = [("desk", 11), ("clerk", 12), ("clerk", 13)];
    let [to, from] = [("form", 21), ("form", 22)];
    let mut asks = wait(Waiting::Send, to, 31, first);
    asks.waits_for_ids.push(second.1);
    let answers = wait(Waiting::Send, from, 44, desk);
    let mut forms = channel(to, desk, first);
    forms.receiver_ids.push(second.1);
    Snapshot {
        network: "twins".to_owned(),
        age_ms: 2_000,
        is_running: false,
        processes: vec![
            process(desk, 1_900, 1.0, vec![asks.clone()]),
            process(first, 1_900, 1.0, vec![answers.clone()]),
            process(second, 300, 0.5, vec![answers.clone()]),
        ],
        channels: vec![forms, channel(from, second, desk)],
        deadlock: Some(Deadlock {
            network: "twins".to_owned(),
            is_total: true,
            cycle: vec![blocked(desk, &asks), blocked(first, &answers)],
            others: vec![blocked(second, &answers)],
        }),
        bottleneck: Some(Bottleneck {
            process: "clerk".to_owned(),
            process_id: 13,
            waited_for_by: 1.0,
        }),
        undecided: None,
        unsent: Vec::new(),
        unsent_count: 0,
    }
}

/// Processes and channels of these names, each of which waits for the next.
pub(in crate::process) fn named(names: &[&str]) -> Snapshot {
    let of = |at: usize| (names[at % names.len()], (at % names.len()) as u64);
    let all = || 0..names.len();
    Snapshot {
        network: names[0].to_owned(),
        age_ms: 1,
        is_running: true,
        processes: all()
            .map(|at| {
                let wait = wait(Waiting::Send, of(at), 1, of(at + 1));
                process(of(at), 1, 0.0, vec![wait])
            })
            .collect(),
        channels: all()
            .map(|at| channel(of(at), of(at), of(at + 1)))
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
