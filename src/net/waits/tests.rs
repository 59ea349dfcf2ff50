//! What makes a deadlock of samples: each of the conditions is the only one that prevents a false alarm somewhere.
//!
//! In all of these `p` at node 1 sends to `q` at node 2, and each of them waits for the other.

use std::collections::BTreeMap;

use super::{
    knot::{Conditions, Nodes},
    sample::{EndSince, Quiet, Sample, StuckSince},
};
use crate::process::{
    Crossing, Site, Wait, Waiting,
    abroad::{Custody, LinkEnd, Stuck, StuckWait},
};

fn crossing(channel: &str, is_outbound: bool, is_from_dialer: bool) -> Crossing {
    Crossing {
        session: "5".to_owned(),
        is_from_dialer,
        channel: channel.to_owned(),
        is_outbound,
        peer: String::new(),
        peer_incarnation: String::new(),
    }
}

fn end(crossing: Crossing, holders: &[u64]) -> EndSince {
    EndSince {
        since: 3,
        end: LinkEnd {
            crossing,
            version: 1,
            is_open: false,
            holders: holders.to_vec(),
            spoilers: Vec::new(),
            through: Vec::new(),
            beside: Vec::new(),
            custody: Custody::default(),
            sends: false,
            receives: false,
        },
        standing: Some(Quiet {
            epoch: 1,
            said: 40,
            heard: 40,
            open_messages: 0,
        }),
    }
}

fn wait(operation: Waiting, channel: &str, ends: &[u32]) -> StuckWait {
    StuckWait {
        wait: Wait {
            operation,
            channel: channel.to_owned(),
            channel_id: 1,
            site: Site {
                file: "a.rs".to_owned(),
                line: 1,
                column: 1,
            },
            waits_for: Vec::new(),
            waits_for_ids: Vec::new(),
            is_open: false,
            is_one_of_all: false,
            is_stranded: false,
        },
        version: 1,
        releasers: Vec::new(),
        ends: ends.to_vec(),
    }
}

fn stuck(id: u64, name: &str, waits: Vec<StuckWait>) -> StuckSince {
    StuckSince {
        since: 3,
        stuck: Stuck {
            id,
            name: name.to_owned(),
            turn: 7,
            waits,
        },
    }
}

fn sample(node: u64, stuck: Vec<StuckSince>, ends: Vec<EndSince>) -> Sample {
    let seen = (1..=3).filter(|&other| other != node);
    Sample {
        node,
        name: format!("node {node}"),
        number: 5,
        seen: seen.map(|other| (other, 4)).collect::<BTreeMap<_, _>>(),
        live: 1,
        stuck,
        ends,
        found: None,
        has_committed: false,
    }
}

/// `p` waits to send on `up`, on which `q` receives; `q` waits to send on `down`, on which `p` receives.
fn deadlock() -> [Sample; 2] {
    const P: u64 = 11;
    const Q: u64 = 22;
    [
        sample(
            1,
            vec![stuck(P, "p", vec![wait(Waiting::Send, "up", &[0])])],
            vec![
                end(crossing("up", true, true), &[P]),
                end(crossing("down", false, false), &[P]),
            ],
        ),
        sample(
            2,
            vec![stuck(Q, "q", vec![wait(Waiting::Send, "down", &[1])])],
            vec![
                end(crossing("up", false, true), &[Q]),
                end(crossing("down", true, false), &[Q]),
            ],
        ),
    ]
}

fn is_found(samples: &[Sample], conditions: Conditions) -> bool {
    let knots = Nodes::new(samples, conditions).find();
    !knots.is_empty()
}

/// Nothing is found, and it is because of the one condition that is left out by `without`.
fn only_prevented_by(samples: &[Sample], without: impl FnOnce(&mut Conditions)) {
    assert!(!is_found(samples, Conditions::ALL), "a false alarm");
    let mut conditions = Conditions::ALL;
    without(&mut conditions);
    assert!(is_found(samples, conditions), "it is not the only one");
}

#[test]
fn a_deadlock_is_found() {
    let samples = deadlock();
    let nodes = Nodes::new(&samples, Conditions::ALL);
    let knots = nodes.find();
    assert_eq!(knots.len(), 1);
    let members: Vec<_> = knots[0].members.keys().copied().collect();
    assert_eq!(members, [(0, 11), (1, 22)]);
}

/// Node 1 has told of two looks, and has not heard since; `p` may have moved before `q` came to wait.
#[test]
fn a_the_last_look_of_each_is_after_the_first_of_all() {
    for late in 0..2 {
        let mut samples = deadlock();
        let other = samples[1 - late].node;
        samples[late].seen.insert(other, 2);
        only_prevented_by(&samples, |it| it.after_all = false);
        samples[late].seen.remove(&other);
        only_prevented_by(&samples, |it| it.after_all = false);
    }
}

/// In one look a process may be seen before it moves, and its channel after it.
#[test]
fn b_nothing_has_changed_between_two_looks() {
    for node in 0..2 {
        let mut samples = deadlock();
        samples[node].stuck[0].since = 5;
        samples[1 - node].seen.insert(samples[node].node, 5);
        only_prevented_by(&samples, |it| it.same = false);
        // A process has just got an end.
        let mut samples = deadlock();
        samples[node].ends[0].since = 5;
        samples[1 - node].seen.insert(samples[node].node, 5);
        only_prevented_by(&samples, |it| it.same = false);
    }
}

/// `q` has taken the message and waits for what `p` sends on another channel; that it was taken, `p` has not heard.
#[test]
fn c_a_taken_that_is_delayed_past_all_looks_is_waited_for() {
    let mut samples = deadlock();
    samples[0].stuck[0].stuck.waits = vec![wait(Waiting::Accepted, "up", &[0])];
    let mine = samples[0].ends[0].standing.as_mut().unwrap();
    mine.open_messages = 1;
    let theirs = samples[1].ends[0].standing.as_mut().unwrap();
    theirs.said += 16;
    only_prevented_by(&samples, |it| it.nothing_under_way = false);
    // Heard, and not acted upon: `p` is about to be woken.
    samples[0].ends[0].standing = None;
    only_prevented_by(&samples, |it| it.nothing_under_way = false);
}

#[test]
fn c_whatever_is_under_way_is_waited_for() {
    let broken: [fn(&mut Quiet); 4] = [
        |it| it.said += 16,
        |it| it.heard += 16,
        |it| it.epoch += 1,
        |it| it.open_messages += 1,
    ];
    for change in broken {
        for (node, end) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let mut samples = deadlock();
            change(samples[node].ends[end].standing.as_mut().unwrap());
            assert!(!is_found(&samples, Conditions::ALL));
        }
    }
    // A process that is not in it may be about to be told: the far side is not done.
    for (node, end) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let mut samples = deadlock();
        samples[node].ends[end].standing = None;
        only_prevented_by(&samples, |it| it.nothing_under_way = false);
    }
}

/// `q` waits to receive on `up` too, in an alternation: as soon as the link comes to it, both go on.
#[test]
fn d_two_who_wait_for_each_other_on_one_channel_meet() {
    let mut samples = deadlock();
    let also = wait(Waiting::Receive, "up", &[0]);
    samples[1].stuck[0].stuck.waits.push(also);
    samples[0].ends[0].end.sends = true;
    samples[1].ends[0].end.receives = true;
    only_prevented_by(&samples, |it| it.no_meeting = false);
}

/// Somebody else has an end, here or there, or can get one.
#[test]
fn e_a_channel_that_is_open_is_a_way_out() {
    for (node, end) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let mut samples = deadlock();
        samples[node].ends[end].end.is_open = true;
        only_prevented_by(&samples, |it| it.all_known = false);
    }
}

/// Node 2 only passes on what node 3 receives, which has told nothing.
#[test]
fn e_whoever_has_an_end_and_has_not_told_may_use_it() {
    let mut samples = deadlock();
    let mut onward = end(crossing("onward", true, true), &[]);
    onward.end.crossing.session = "6".to_owned();
    samples[1].ends.push(onward);
    samples[1].ends[0].end.through = vec![2];
    only_prevented_by(&samples, |it| it.all_known = false);
}

#[test]
fn whoever_can_release_one_wait_of_an_alternation_releases_it() {
    let mut samples = deadlock();
    // 33 is not stuck.
    let mut local = wait(Waiting::Receive, "local", &[]);
    local.releasers = vec![33];
    samples[1].stuck[0].stuck.waits.push(local.clone());
    assert!(!is_found(&samples, Conditions::ALL));
    // Unless all of them are needed.
    for wait in &mut samples[1].stuck[0].stuck.waits {
        wait.wait.is_one_of_all = true;
    }
    assert!(is_found(&samples, Conditions::ALL));
}

#[test]
fn holders_and_poisoners_at_the_far_node_count() {
    let mut samples = deadlock();
    samples[1].ends[0].end.holders.push(33);
    assert!(!is_found(&samples, Conditions::ALL));
    let mut samples = deadlock();
    samples[1].ends[0].end.spoilers.push(33);
    assert!(!is_found(&samples, Conditions::ALL));
    // One who waits for the others is no way out.
    let mut third = wait(Waiting::Receive, "local", &[]);
    third.releasers = vec![22];
    samples[1].stuck.push(stuck(33, "r", vec![third]));
    assert!(is_found(&samples, Conditions::ALL));
}

#[test]
fn who_has_a_message_in_custody_is_who_is_waited_for() {
    let accepted = |custody: Custody| {
        let mut samples = deadlock();
        samples[0].stuck[0].stuck.waits = vec![wait(Waiting::Accepted, "up", &[0])];
        for sample in &mut samples {
            let standing = sample.ends[0].standing.as_mut().unwrap();
            standing.open_messages = 1;
        }
        samples[1].ends[0].end.custody = custody;
        samples
    };
    let held_by = |process| Custody {
        processes: vec![process],
        ..Custody::default()
    };
    assert!(is_found(&accepted(held_by(22)), Conditions::ALL));
    assert!(!is_found(&accepted(held_by(33)), Conditions::ALL));
    assert!(!is_found(&accepted(Custody::default()), Conditions::ALL));
    let unknown = Custody {
        is_unknown: true,
        ..held_by(22)
    };
    assert!(!is_found(&accepted(unknown), Conditions::ALL));
}

#[test]
fn two_nodes_that_say_to_be_the_same_end_are_not_believed() {
    let [one, two] = deadlock();
    let mut liar = two.clone();
    liar.node = 3;
    assert!(!is_found(&[one, two, liar], Conditions::ALL));
}

#[test]
fn a_deadlock_within_one_node_is_for_its_network_to_find() {
    let mut only = sample(1, Vec::new(), Vec::new());
    for (id, other) in [(1, 2), (2, 1)] {
        let mut wait = wait(Waiting::Receive, "local", &[]);
        wait.releasers = vec![other];
        only.stuck.push(stuck(id, "p", vec![wait]));
    }
    assert!(!is_found(&[only], Conditions::ALL));
}

/// Places that do not exist, circles of relays, and as many of all as fit: no panic, and an end.
#[test]
fn nonsense_is_no_deadlock_and_no_end_of_the_program() {
    let mut samples = deadlock();
    samples[0].stuck[0].stuck.waits[0].ends = vec![0, 1, 77, u32::MAX];
    assert!(!is_found(&samples, Conditions::ALL));
    let mut samples = deadlock();
    for sample in &mut samples {
        for end in &mut sample.ends {
            end.end.through = vec![0, 1, 0, 1];
            end.end.beside = vec![1, 0];
        }
    }
    let _ = is_found(&samples, Conditions::ALL);
    let mut samples = deadlock();
    samples[1].ends[0].end.through = vec![9];
    assert!(!is_found(&samples, Conditions::ALL));
}

/// Node 3 waits because of a deadlock of the others, which have told of it before they knew of node 3.
#[test]
fn who_comes_late_tells_the_cycle_that_was_told() {
    let mut samples = deadlock().to_vec();
    let mut far = end(crossing("late", true, true), &[33]);
    let mut near = end(crossing("late", false, true), &[11]);
    for end in [&mut far, &mut near] {
        end.end.crossing.session = "6".to_owned();
    }
    samples[0].ends.push(near);
    let waits = vec![wait(Waiting::Send, "late", &[0])];
    samples.push(sample(3, vec![stuck(33, "r", waits)], vec![far]));
    let tell_of = |samples: &[Sample], told: &[super::sample::Found]| {
        let nodes = Nodes::new(samples, Conditions::ALL);
        let knots = nodes.find();
        super::telling::tell(&samples[0], &nodes, &knots[0], told)
    };
    let mut first = tell_of(&samples[..2], &[]);
    assert_eq!(first.deadlock.cycle_names(), ["p at node 1", "q at node 2"]);
    // Another cycle than would be chosen anew.
    first.deadlock.cycle.rotate_left(1);
    let late = tell_of(&samples, std::slice::from_ref(&first));
    assert_eq!(late.deadlock.cycle_names(), ["q at node 2", "p at node 1"]);
    assert_eq!(late.deadlock.others.len(), 1);
    assert!(late.has_cycle_of(&first) && first.has_cycle_of(&late));
    let mut anew = tell_of(&samples, &[]);
    anew.number += 1;
    assert!(!late.has_cycle_of(&anew));
    // What is told of processes that have moved, or of none, is left aside.
    for spoil in [0, 1] {
        let mut other = first.clone();
        if spoil == 0 {
            other.members[0].turn += 1;
        } else {
            other.deadlock.cycle[0].process_id = 99;
        }
        let anew = tell_of(&samples, &[other]);
        assert_eq!(anew.deadlock.cycle_names(), ["p at node 1", "q at node 2"]);
    }
}

/// As `docs/protocol.md` says.
#[test]
fn a_sample_on_the_wire_is_as_it_is_described() {
    use super::{super::message::Message, sample::Samples};

    let [mut sample, _] = deadlock();
    sample.ends.truncate(1);
    sample.seen = BTreeMap::from([(9, 4)]);
    let mut expected = vec![1]; // one sample
    expected.extend([1, 6]); // the node, and its name
    expected.extend(b"node 1");
    expected.extend([5, 1, 9, 4]); // the look, and what was heard of others
    expected.extend([1, 3, 11, 1, b'p', 7, 1]); // one process, since, number, name, turn, one wait:
    expected.extend([0, 2, b'u', b'p', 1]); // sends on "up", 1
    expected.extend([4, b'a', b'.', b'r', b's', 1, 1]); // at a.rs:1, column 1
    expected.extend([0, 0, 0, 0, 0]); // for nobody here; no flags
    expected.extend([1, 0, 1, 0]); // version 1, no releasers, the end at place 0
    expected.extend([1, 3]); // one end, since
    expected.extend([1, b'5', 1, 2, b'u', b'p', 1, 0, 0]); // its crossing
    expected.extend([1, 0, 1, 11, 0]); // version, not open, one holder, no spoiler
    expected.extend([0, 0, 0, 0, 0, 0, 0]); // through, beside, custody, nobody waits
    expected.extend([1, 1, 40, 40, 0]); // how it stands
    expected.extend([1, 0, 0]); // one process; nothing found
    let bytes = Samples(vec![sample.clone()]).encode().unwrap();
    assert_eq!(bytes, expected);
    assert_eq!(Samples::decode(&bytes).unwrap().0, [sample]);
}

mod strangers {
    use std::{collections::HashMap, time::Instant};

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::{
        super::{
            super::message::Message,
            exchange::{Exchange, ITEMS_MAX, NODES_MAX, SAMPLE_BYTES_MAX, Verdict},
            sample::Samples,
        },
        deadlock,
    };

    /// What a peer makes of samples by changing some of their bytes.
    fn changed() -> impl Strategy<Value = Vec<u8>> {
        let bytes = Samples(deadlock().into()).encode().unwrap().to_vec();
        let changes = prop::collection::vec((0..bytes.len(), any::<u8>()), 0..8);
        (changes, 0..bytes.len()).prop_map(move |(changes, cut)| {
            let mut bytes = bytes.clone();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            if cut % 4 == 0 {
                bytes.truncate(cut);
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn whatever_a_peer_says_is_heard_without_harm(messages in prop::collection::vec(changed(), 1..4)) {
            let mut exchange = Exchange::new("here".to_owned());
            let mut known = HashMap::new();
            for bytes in messages {
                if let Ok(Samples(samples)) = Samples::decode(&Bytes::from(bytes)) {
                    exchange.hear(samples, &mut known);
                    // It has no process of its own in anything.
                    prop_assert_eq!(exchange.judge(Instant::now()), Verdict::Nothing);
                }
                let news = exchange.news(&mut HashMap::new(), usize::MAX);
                prop_assert!(Samples(news).encode().is_ok());
            }
        }
    }

    #[test]
    fn what_is_kept_of_others_is_bounded() {
        let mut exchange = Exchange::new("here".to_owned());
        let mut known = HashMap::new();
        let [sample, _] = deadlock();
        for node in 0..1000 {
            let mut sample = sample.clone();
            sample.node = node;
            // Each second one is too long.
            if node % 2 == 0 {
                let process = sample.stuck[0].clone();
                sample.stuck = vec![process; ITEMS_MAX];
            }
            exchange.hear(vec![sample], &mut known);
        }
        let mut long = sample.clone();
        long.node = 2001;
        long.name = "x".repeat(SAMPLE_BYTES_MAX);
        exchange.hear(vec![long], &mut known);
        let kept = exchange.news(&mut HashMap::new(), usize::MAX);
        assert_eq!(kept.len(), NODES_MAX);
        assert!(kept.iter().all(|it| it.node % 2 == 1 && it.node < 2000));
        assert!(known.len() <= NODES_MAX + 1);
        // A later sample of one that is known takes the place of the earlier one.
        let mut later = kept[0].clone();
        later.number += 1;
        exchange.hear(vec![later.clone()], &mut known);
        let now = exchange.news(&mut HashMap::new(), usize::MAX);
        assert!(now.contains(&later) && now.len() == NODES_MAX);
    }
}
