//! Whatever nodes say of themselves, of which nothing need be true.

use std::collections::BTreeSet;

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    super::System, Because, Blocked, Bottleneck, ChannelSeen, Crossing, Deadlock, NodeSnapshot,
    ProcessSeen, Snapshot, Undecided, Wait, Waiting, channel, network, node, process, wait,
};

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "a",
            "b",
            "worker",
            "a at a",
            "worker at b",
            "worker #1",
            "",
            "peer `a` over a link"
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
        "x{190,210}",
    ]
}

fn ids() -> impl Strategy<Value = u64> {
    prop_oneof![0..6u64, Just(u64::MAX), any::<u64>()]
}

fn crossings() -> impl Strategy<Value = Crossing> {
    let session = select(vec!["s", "t", ""]);
    let incarnation = select(vec!["0000000000000001", "0000000000000002", "nonsense"]);
    (
        session,
        any::<bool>(),
        names(),
        any::<bool>(),
        names(),
        incarnation,
    )
        .prop_map(
            |(session, is_from_dialer, channel, is_outbound, peer, run)| Crossing {
                session: session.to_owned(),
                is_from_dialer,
                channel,
                is_outbound,
                peer,
                peer_incarnation: run.to_owned(),
            },
        )
}

fn channels() -> impl Strategy<Value = ChannelSeen> {
    let lists = (
        vec(names(), 0..4),
        vec(ids(), 0..4),
        vec(names(), 0..4),
        vec(ids(), 0..4),
        vec(names(), 0..3),
        vec(crossings(), 0..4),
        vec(names(), 0..2),
    );
    let counts = (any::<u32>(), 0..2u32, any::<u64>(), any::<usize>());
    (ids(), names(), lists, counts, any::<f64>()).prop_map(
        |(id, name, lists, (open_ends, outside_poisoners, handed_over, waiting), per_second)| {
            let (senders, sender_ids, receivers, receiver_ids, known_outside, crossings, poisoners) =
                lists;
            ChannelSeen {
                senders,
                sender_ids,
                receivers,
                receiver_ids,
                known_outside,
                crossings,
                poisoners,
                open_ends,
                outside_poisoners,
                handed_over,
                per_second,
                sends_waiting: waiting,
                credit_untaken: waiting,
                ..channel(id, &name)
            }
        },
    )
}

fn waits() -> impl Strategy<Value = Wait> {
    let operation = select(vec![
        Waiting::Send,
        Waiting::Accepted,
        Waiting::Receive,
        Waiting::Demand,
        Waiting::Closing,
    ]);
    let lists = (vec(names(), 0..3), vec(ids(), 0..3));
    (operation, names(), ids(), lists, any::<[bool; 2]>()).prop_map(
        |(operation, name, channel_id, (waits_for, waits_for_ids), [is_open, is_stranded])| Wait {
            waits_for,
            waits_for_ids,
            is_open,
            is_stranded,
            ..wait(operation, &channel(channel_id, &name))
        },
    )
}

fn blocked() -> impl Strategy<Value = Blocked> {
    (names(), ids(), vec(waits(), 0..3)).prop_map(|(process, process_id, waits)| Blocked {
        process,
        process_id,
        waits,
    })
}

fn told() -> impl Strategy<Value = (Option<Deadlock>, Option<Undecided>, Option<Bottleneck>)> {
    let deadlock =
        (vec(blocked(), 0..3), vec(blocked(), 0..3)).prop_map(|(cycle, others)| Deadlock {
            network: String::new(),
            is_total: true,
            cycle,
            others,
        });
    let because =
        (names(), names()).prop_map(|(channel, holder)| Because::HeldBy { channel, holder });
    let undecided = (
        vec(names(), 0..3),
        any::<usize>(),
        vec(because, 0..3),
        any::<usize>(),
    )
        .prop_map(
            |(processes, process_count, because, because_count)| Undecided {
                processes,
                process_count,
                because,
                because_count,
            },
        );
    let bottleneck = (names(), ids()).prop_map(|(process, process_id)| Bottleneck {
        process,
        process_id,
        waited_for_by: f64::MAX,
    });
    (
        option::of(deadlock),
        option::of(undecided),
        option::of(bottleneck),
    )
}

fn snapshots() -> impl Strategy<Value = NodeSnapshot> {
    let processes = (ids(), names(), vec(waits(), 0..3), any::<f64>()).prop_map(
        |(id, name, waits, waited_for_by)| ProcessSeen {
            waited_for_by,
            ..process(id, &name, waits)
        },
    );
    let all = (vec(processes, 0..5), vec(channels(), 0..5));
    (names(), 0..4u64, all, told()).prop_map(
        |(name, incarnation, (processes, channels), (deadlock, undecided, bottleneck))| {
            let snapshot = Snapshot {
                deadlock,
                undecided,
                bottleneck,
                unsent_count: u64::MAX,
                age_ms: u64::MAX,
                ..network(processes, channels)
            };
            node(&name, incarnation, snapshot)
        },
    )
}

/// All that is listed somewhere has the name that is said of it.
fn assert_consistent(system: &System) {
    let snapshot = &system.snapshot;
    let processes: BTreeSet<u64> = snapshot.processes.iter().map(|it| it.id).collect();
    assert_eq!(
        processes.len(),
        snapshot.processes.len(),
        "numbers of processes"
    );
    let channels: BTreeSet<u64> = snapshot.channels.iter().map(|it| it.id).collect();
    assert_eq!(
        channels.len(),
        snapshot.channels.len(),
        "numbers of channels"
    );
    let name_of = |id: u64| {
        snapshot
            .processes
            .iter()
            .find(|it| it.id == id)
            .map(|it| &it.name)
    };
    let check = |names: &[String], ids: &[u64]| {
        assert!(names.is_sorted());
        assert!(names.len() <= ids.len());
        for &id in ids {
            assert!(name_of(id).is_none_or(|name| names.contains(name)));
        }
    };
    for channel in &snapshot.channels {
        check(&channel.senders, &channel.sender_ids);
        check(&channel.receivers, &channel.receiver_ids);
    }
    for wait in snapshot.processes.iter().flat_map(|it| &it.waits) {
        check(&wait.waits_for, &wait.waits_for_ids);
        assert!(wait.channel_id == 0 || channels.contains(&wait.channel_id));
    }
}

proptest! {
    #[test]
    fn whatever_nodes_say_there_is_a_picture(nodes in vec(snapshots(), 0..4)) {
        let listed: usize = nodes.iter().map(|it| it.snapshot.processes.len()).sum();
        let system = System::of(nodes);
        assert_consistent(&system);
        prop_assert!(system.snapshot.processes.len() <= listed + 4 * 5 * 4);
        let text = system.to_string();
        prop_assert!(text.chars().all(|it| it == '\n' || !it.is_control()), "{}", text);
        let dot = system.to_dot();
        prop_assert!(dot.ends_with("}\n"), "{}", dot);
        let _ = system.to_json();
        let _ = system.snapshot.to_prometheus();
    }
}
