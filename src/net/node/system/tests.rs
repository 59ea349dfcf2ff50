//! Systems of made-up nodes, honest ones and others.
#![allow(clippy::unwrap_used)]

mod any;

use super::*;
use crate::process::{
    Because, Blocked, Bottleneck, ChannelSeen, Crossing, Site, Undecided, Wait, Waiting,
};

fn crossing(channel: &str, is_outbound: bool, peer: (&str, u64)) -> Crossing {
    Crossing {
        session: "5".repeat(32),
        is_from_dialer: true,
        channel: channel.to_owned(),
        is_outbound,
        peer: peer.0.to_owned(),
        peer_incarnation: format!("{:016x}", peer.1),
    }
}

fn channel(id: u64, name: &str) -> ChannelSeen {
    ChannelSeen {
        id,
        name: name.to_owned(),
        senders: Vec::new(),
        sender_ids: Vec::new(),
        receivers: Vec::new(),
        receiver_ids: Vec::new(),
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

/// A channel of which a link has the other end.
fn half(id: u64, holder: (&str, u64), crossing: Crossing) -> ChannelSeen {
    let mut half = channel(id, &crossing.channel);
    half.open_ends = 1;
    half.known_outside = vec![format!("peer `{}` over a link", crossing.peer)];
    let (names, ids) = if crossing.is_outbound {
        (&mut half.senders, &mut half.sender_ids)
    } else {
        (&mut half.receivers, &mut half.receiver_ids)
    };
    names.push(holder.0.to_owned());
    ids.push(holder.1);
    half.crossings.push(crossing);
    half
}

fn wait(operation: Waiting, channel: &ChannelSeen) -> Wait {
    Wait {
        operation,
        channel: channel.name.clone(),
        channel_id: channel.id,
        site: Site {
            file: "src/shop.rs".to_owned(),
            line: 7,
            column: 5,
        },
        waits_for: Vec::new(),
        waits_for_ids: Vec::new(),
        is_open: true,
        is_one_of_all: false,
        is_stranded: false,
    }
}

fn process(id: u64, name: &str, waits: Vec<Wait>) -> ProcessSeen {
    ProcessSeen {
        waits,
        state: Doing::Blocked,
        kind: Kind::Process,
        ..stranger(id, name)
    }
}

fn node(name: &str, incarnation: u64, snapshot: Snapshot) -> NodeSnapshot {
    NodeSnapshot {
        abroad: None,
        node: name.to_owned(),
        incarnation,
        snapshot,
        processes_left_out: 0,
        channels_left_out: 0,
    }
}

fn network(processes: Vec<ProcessSeen>, channels: Vec<ChannelSeen>) -> Snapshot {
    Snapshot {
        network: "shop".to_owned(),
        age_ms: 100,
        is_running: true,
        processes,
        channels,
        deadlock: None,
        bottleneck: None,
        undecided: None,
        unsent: Vec::new(),
        unsent_count: 0,
    }
}

/// A node whose only process has number 1, sends on channel 2 to the next and receives on 3 from the one before.
fn in_a_ring(names: [&str; 3], waits: Waiting) -> NodeSnapshot {
    let [before, own, after] = names;
    let of = |name: &str| name.bytes().map(u64::from).sum();
    let out = half(2, ("worker", 1), crossing(own, true, (after, of(after))));
    let into = half(
        3,
        ("worker", 1),
        crossing(before, false, (before, of(before))),
    );
    let wait = match waits {
        Waiting::Receive => wait(waits, &into),
        _ => wait(waits, &out),
    };
    let process = process(1, "worker", vec![wait]);
    let mut snapshot = network(vec![process], vec![out, into]);
    snapshot.undecided = Some(Undecided {
        processes: vec!["worker".to_owned()],
        process_count: 1,
        because: vec![Because::HeldBy {
            channel: own.to_owned(),
            holder: format!("peer `{after}` over a link"),
        }],
        because_count: 1,
    });
    node(own, of(own), snapshot)
}

fn waits_for(system: &System, name: &str) -> (Vec<String>, bool) {
    let mut all = system.snapshot.processes.iter();
    let process = all.find(|it| it.name == name).unwrap();
    let wait = &process.waits[0];
    (wait.waits_for.clone(), wait.is_open)
}

fn only(name: &str) -> (Vec<String>, bool) {
    (vec![name.to_owned()], false)
}

#[test]
fn a_wait_at_a_link_is_for_whoever_is_at_the_other_side() {
    let system = System::of(vec![
        in_a_ring(["c", "a", "b"], Waiting::Send),
        in_a_ring(["a", "b", "c"], Waiting::Send),
        in_a_ring(["b", "c", "a"], Waiting::Receive),
    ]);
    assert_eq!(waits_for(&system, "worker at a"), only("worker at b"));
    assert_eq!(waits_for(&system, "worker at b"), only("worker at c"));
    assert_eq!(waits_for(&system, "worker at c"), only("worker at b"));
    // Three links, each one channel.
    let channels: Vec<_> = system.snapshot.channels.iter().collect();
    assert_eq!(channels.len(), 3);
    let a = channels.iter().find(|it| it.name == "a").unwrap();
    assert_eq!(
        (&*a.senders, &*a.receivers),
        (
            &["worker at a".to_owned()][..],
            &["worker at b".to_owned()][..]
        )
    );
    assert_eq!(
        (a.open_ends, a.crossings.len(), a.known_outside.len()),
        (0, 0, 0)
    );
    assert_eq!(system.snapshot.network, "a, b, c");
    assert_eq!(system.unanswered, [""; 0]);
    // Nothing keeps it from being called a deadlock any more, but that nobody has proved it.
    let undecided = system.snapshot.undecided.as_ref().unwrap();
    assert_eq!((undecided.process_count, undecided.because_count), (3, 0));
    assert!(undecided.because.is_empty());
    let dot = system.to_dot();
    assert_eq!(dot.matches("style=dashed").count(), 3, "{dot}");
}

#[test]
fn a_peer_that_did_not_answer_is_in_the_picture() {
    let system = System::of(vec![
        in_a_ring(["c", "a", "b"], Waiting::Send),
        in_a_ring(["b", "c", "a"], Waiting::Send),
    ]);
    let missing = "peer `b` (did not answer)";
    assert_eq!(
        waits_for(&system, "worker at a"),
        (vec![missing.to_owned()], true)
    );
    assert_eq!(waits_for(&system, "worker at c"), only("worker at a"));
    assert_eq!(system.unanswered, ["b"]);
    assert_eq!(system.notes(), ["peer `b` did not answer"]);
    let names: Vec<_> = system
        .snapshot
        .processes
        .iter()
        .map(|it| &*it.name)
        .collect();
    assert_eq!(names, ["worker at a", "worker at c", missing]);
    // Once as the one who receives, once as the one who sends.
    let ends = |it: &ChannelSeen| (it.senders.contains(&missing.to_owned()), it.open_ends);
    let ends: Vec<_> = system.snapshot.channels.iter().map(ends).collect();
    assert_eq!(ends, [(false, 1), (false, 0), (true, 1)]);
    assert_eq!(system.snapshot.channels[0].name, "a at a");
    let undecided = system.snapshot.undecided.unwrap();
    assert_eq!(undecided.because_count, 1);
    assert_eq!(
        undecided.because[0].to_string(),
        "an end of channel \"a at a\" is held by peer `b` over a link"
    );
}

#[test]
fn somebody_at_a_node_who_is_not_of_its_network_is_told_from_one_who_did_not_answer() {
    let mut b = in_a_ring(["a", "b", "c"], Waiting::Send);
    b.snapshot.channels.clear();
    let system = System::of(vec![in_a_ring(["c", "a", "b"], Waiting::Send), b]);
    let outside = "peer `b` (outside of its network)";
    assert_eq!(
        waits_for(&system, "worker at a"),
        (vec![outside.to_owned()], true)
    );
    assert_eq!(system.unanswered, ["c"]);
}

/// An owner, and three peers of which two send and one receives.
#[test]
fn all_that_a_hub_brings_together_is_one_channel() {
    let mut owned = channel(1, "orders");
    owned.open_ends = 5;
    owned.known_outside = ["the hub", "the hub"].map(str::to_owned).to_vec();
    let mut nodes = Vec::new();
    for (number, is_outbound) in [(1u64, true), (2, true), (3, false)] {
        let peer = format!("peer {number}");
        let wire = format!("orders${number}");
        owned
            .crossings
            .push(crossing(&wire, !is_outbound, (&peer, number)));
        owned
            .known_outside
            .push(format!("peer `{peer}` over a link"));
        let mut end = half(
            9,
            ("worker", 8),
            crossing(&wire, is_outbound, ("owner", 99)),
        );
        end.name = "orders".to_owned();
        let operation = if is_outbound {
            Waiting::Send
        } else {
            Waiting::Receive
        };
        let worker = process(8, "worker", vec![wait(operation, &end)]);
        nodes.push(node(&peer, number, network(vec![worker], vec![end])));
    }
    nodes.push(node("owner", 99, network(Vec::new(), vec![owned])));
    let system = System::of(nodes);
    assert_eq!(system.snapshot.channels.len(), 1);
    let orders = &system.snapshot.channels[0];
    assert_eq!(orders.name, "orders");
    assert_eq!(orders.senders, ["worker at peer 1", "worker at peer 2"]);
    assert_eq!(orders.receivers, ["worker at peer 3"]);
    // Anybody may ask the hub for an end.
    assert_eq!(orders.open_ends, 2);
    assert_eq!(
        orders.known_outside,
        ["the hub at owner", "the hub at owner"]
    );
    let expected = (vec!["worker at peer 3".to_owned()], true);
    assert_eq!(waits_for(&system, "worker at peer 1"), expected);
}

#[test]
fn a_node_that_is_there_twice_counts_once() {
    let a = || in_a_ring(["b", "a", "b"], Waiting::Send);
    let mut another_run = a();
    another_run.incarnation += 1;
    let system = System::of(vec![a(), a()]);
    assert_eq!(system.nodes.len(), 1);
    assert_eq!(system.snapshot.processes.len(), 2, "the worker, and b");
    let system = System::of(vec![a(), another_run, a()]);
    assert_eq!(system.nodes.len(), 2);
    assert_eq!(System::of(Vec::new()).snapshot.processes, []);
}

#[test]
fn a_deadlock_that_several_report_is_told_once() {
    let mut nodes = vec![
        in_a_ring(["c", "a", "b"], Waiting::Send),
        in_a_ring(["a", "b", "c"], Waiting::Send),
        in_a_ring(["b", "c", "a"], Waiting::Send),
    ];
    let blocked = |own: (&str, u64)| Blocked {
        process: own.0.to_owned(),
        process_id: own.1,
        waits: Vec::new(),
    };
    let across = |cycle: [(&str, u64); 3]| Deadlock {
        network: "a system".to_owned(),
        is_total: false,
        cycle: cycle.map(blocked).to_vec(),
        others: Vec::new(),
    };
    // Each calls its own by its own name, and others by their whole names.
    nodes[0].snapshot.deadlock = Some(across([
        ("worker", 1),
        ("worker at b", 1),
        ("worker at c", 1),
    ]));
    nodes[1].snapshot.deadlock = Some(across([
        ("worker", 1),
        ("worker at c", 71),
        ("worker at a", 72),
    ]));
    nodes[2].snapshot.deadlock = Some(Deadlock {
        cycle: vec![blocked(("worker", 1))],
        ..across([("worker", 1); 3])
    });
    let system = System::of(nodes);
    let deadlock = system.snapshot.deadlock.as_ref().unwrap();
    assert_eq!(
        deadlock.cycle_names(),
        ["worker at a", "worker at b", "worker at c"]
    );
    assert_eq!(system.more_deadlocks.len(), 1);
    assert_eq!(system.more_deadlocks[0].cycle_names(), ["worker at c"]);
    assert!(system.snapshot.undecided.is_none());
    assert_eq!(system.to_dot().matches("penwidth=3").count(), 3);
}

#[test]
fn a_name_of_a_stranger_stays_on_its_line() {
    let mut a = in_a_ring(["c", "a\n\u{1b}[31m", "b\u{7}\nb"], Waiting::Send);
    a.processes_left_out = 4;
    let text = System::of(vec![a]).to_string();
    // Three notes, the head, what is undecided, and two tables of 3 lines each, with a line of heads and one between.
    assert_eq!(text.lines().count(), 3 + 2 + 2 * 2 + 3 + 2, "{text}");
    assert!(
        text.chars().all(|it| it == '\n' || !it.is_control()),
        "{text}"
    );
}

/// A wait names some of a crowd at the other side, and stays open for the others.
#[test]
fn of_a_crowd_at_the_other_side_of_a_link_some_are_named() {
    const CROWD: u64 = 3_000;
    let of = |is_outbound: bool, peer: (&str, u64), waiting: Waiting| {
        let mut end = half(CROWD, ("1", 1), crossing("x", is_outbound, peer));
        let (names, ids) = if is_outbound {
            (&mut end.senders, &mut end.sender_ids)
        } else {
            (&mut end.receivers, &mut end.receiver_ids)
        };
        *ids = (0..CROWD).collect();
        *names = ids.iter().map(ToString::to_string).collect();
        let waits = || vec![wait(waiting, &end)];
        let crowd = (0..CROWD).map(|id| process(id, &id.to_string(), waits()));
        network(crowd.collect(), vec![end.clone()])
    };
    let system = System::of(vec![
        node("a", 1, of(true, ("b", 2), Waiting::Send)),
        node("b", 2, of(false, ("a", 1), Waiting::Receive)),
    ]);
    assert_eq!(system.snapshot.processes.len(), 2 * 3_000);
    assert_eq!(system.snapshot.channels[0].sender_ids.len(), 3_000);
    for process in &system.snapshot.processes {
        let wait = &process.waits[0];
        assert!((2..100).contains(&wait.waits_for.len()) && wait.is_open);
    }
}
