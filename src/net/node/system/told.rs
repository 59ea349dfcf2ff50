//! What nodes tell of their networks as a whole: deadlocks, what is undecided, where it is held up.

use std::collections::{BTreeSet, HashMap};

use super::{
    super::NodeSnapshot,
    channels::Joined,
    names::{Names, qualified, short},
};
use crate::process::{Because, Blocked, Deadlock, Undecided, Unsent, Wait};

/// How many of a kind are named, as in the snapshot of one network.
const NAMED_MAX: usize = 32;

/// The deadlocks that nodes report, each once, though several report it.
pub(super) fn deadlocks(
    nodes: &[NodeSnapshot],
    joined: &Joined,
    names: &mut Names,
) -> Vec<Deadlock> {
    let whole = names.by_whole_name();
    let mut known = BTreeSet::new();
    let mut told = abroad(nodes, joined, names, &whole);
    for (at, node) in nodes.iter().enumerate() {
        let Some(deadlock) = &node.snapshot.deadlock else {
            continue;
        };
        let mut blocked = |blocked: &Blocked| {
            let id = whom(names, &whole, at, blocked);
            let waits = blocked.waits.iter();
            Blocked {
                process: names.name(id).to_owned(),
                process_id: id,
                waits: waits.map(|wait| joined.wait(names, at, id, wait)).collect(),
            }
        };
        let deadlock = Deadlock {
            network: node.node.clone(),
            // Of its network; others still run, or may.
            is_total: deadlock.is_total && nodes.len() == 1,
            cycle: deadlock.cycle.iter().map(&mut blocked).collect(),
            others: deadlock.others.iter().map(&mut blocked).collect(),
        };
        let members: BTreeSet<u64> = deadlock.processes().map(|it| it.process_id).collect();
        if known.insert(members) {
            told.push(deadlock);
        }
    }
    told
}

/// The deadlocks through several nodes, each of which is told by all of them with the same cycle.
fn abroad(
    nodes: &[NodeSnapshot],
    joined: &Joined,
    names: &mut Names,
    whole: &HashMap<String, Option<u64>>,
) -> Vec<Deadlock> {
    let mut told: Vec<&Deadlock> = Vec::new();
    for deadlock in nodes.iter().filter_map(|node| node.abroad.as_ref()) {
        // Who has heard of more processes that wait because of it tells of more.
        let known = told
            .iter_mut()
            .find(|it| it.cycle_names() == deadlock.cycle_names());
        match known {
            None => told.push(deadlock),
            Some(known) if known.others.len() < deadlock.others.len() => *known = deadlock,
            Some(_) => {}
        }
    }
    let told = told.into_iter();
    told.map(|deadlock| in_the_picture(deadlock, joined, names, whole))
        .collect()
}

/// A deadlock with the numbers of the picture, where its processes and channels are in it.
fn in_the_picture(
    deadlock: &Deadlock,
    joined: &Joined,
    names: &mut Names,
    whole: &HashMap<String, Option<u64>>,
) -> Deadlock {
    let mut ids: HashMap<u64, u64> = HashMap::new();
    for blocked in deadlock.processes() {
        let known = whole.get(&blocked.process).copied().flatten();
        let id = known.unwrap_or_else(|| names.add(short(&blocked.process)));
        ids.insert(blocked.process_id, id);
    }
    let mut wait = |wait: &Wait| {
        let to = wait.waits_for_ids.iter();
        let to = to.filter_map(|id| ids.get(id).copied()).collect();
        let (waits_for, waits_for_ids) = names.list(to);
        Wait {
            channel: short(&wait.channel),
            channel_id: joined.id_of(&wait.channel),
            waits_for,
            waits_for_ids,
            ..wait.clone()
        }
    };
    let mut blocked = |blocked: &Blocked| Blocked {
        process: short(&blocked.process),
        process_id: ids.get(&blocked.process_id).copied().unwrap_or_default(),
        waits: blocked.waits.iter().map(&mut wait).collect(),
    };
    Deadlock {
        network: short(&deadlock.network),
        is_total: deadlock.is_total,
        cycle: deadlock.cycle.iter().map(&mut blocked).collect(),
        others: deadlock.others.iter().map(&mut blocked).collect(),
    }
}

/// Whom a node means: a process of its own, or one of another node by its whole name, or else somebody unknown.
fn whom(
    names: &mut Names,
    whole: &HashMap<String, Option<u64>>,
    node: usize,
    blocked: &Blocked,
) -> u64 {
    if let Some(own) = names.find(node, blocked.process_id, &blocked.process) {
        return own;
    }
    match whole.get(&blocked.process).copied().flatten() {
        Some(id) => id,
        None => names.number(node, blocked.process_id),
    }
}

/// What keeps it from being called a deadlock, but for what another node has said: who is at the other end of its links.
pub(super) fn undecided(
    nodes: &[NodeSnapshot],
    joined: &Joined,
    names: &Names,
) -> Option<Undecided> {
    let mut all = Undecided {
        processes: Vec::new(),
        process_count: 0,
        because: Vec::new(),
        because_count: 0,
    };
    for (at, node) in nodes.iter().enumerate() {
        let Some(undecided) = &node.snapshot.undecided else {
            continue;
        };
        let first = undecided.processes.iter().take(NAMED_MAX);
        all.processes
            .extend(first.map(|name| match names.named(at, name) {
                Some(id) => names.name(id).to_owned(),
                None => qualified(name, &node.node),
            }));
        all.process_count = all.process_count.saturating_add(undecided.process_count);
        let told = undecided.because.iter().take(NAMED_MAX);
        let told: Vec<_> = told
            .map(|because| reason(at, nodes, joined, because))
            .collect();
        let known = told.iter().filter(|it| it.is_none()).count();
        let count = undecided.because_count.saturating_sub(known);
        all.because_count = all.because_count.saturating_add(count);
        all.because.extend(told.into_iter().flatten());
    }
    all.processes.truncate(NAMED_MAX);
    all.because.truncate(NAMED_MAX);
    (all.process_count > 0).then_some(all)
}

/// A reason in the names of the picture; none if it is one no more.
fn reason(
    node: usize,
    nodes: &[NodeSnapshot],
    joined: &Joined,
    because: &Because,
) -> Option<Because> {
    let mut because = because.clone();
    let is_of_a_channel = because.is_of_a_channel();
    let name = because.name_mut();
    *name = if is_of_a_channel {
        joined.name_of(node, nodes, name)
    } else {
        qualified(name, &nodes[node].node)
    };
    match &because {
        Because::HeldBy { channel, holder } if joined.is_known(channel, holder) => None,
        _ => Some(because),
    }
}

pub(super) fn unsent(nodes: &[NodeSnapshot]) -> Vec<Unsent> {
    let of_node = |node: &NodeSnapshot| {
        let name = node.node.clone();
        let unsent = node.snapshot.unsent.clone().into_iter();
        unsent.take(NAMED_MAX).map(move |unsent| Unsent {
            process: qualified(&unsent.process, &name),
            ..unsent
        })
    };
    nodes.iter().flat_map(of_node).take(NAMED_MAX).collect()
}
