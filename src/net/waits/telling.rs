//! A deadlock through several nodes in words: the same, whichever of them has found it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    knot::{Knot, Nodes, Pointer, Who},
    sample::{Found, Member, NodeId, Sample},
};
use crate::process::{
    Blocked, Deadlock, Wait,
    abroad::{Stuck, StuckWait, shortest_cycle},
};

/// Tells what a node has found. If some of its processes are told of already, by nodes that did not know of the others
/// yet, their cycle is the cycle.
pub(super) fn tell<'a>(
    finder: &Sample,
    nodes: &Nodes<'_>,
    knot: &Knot,
    told: impl IntoIterator<Item = &'a Found>,
) -> Found {
    let telling = Telling::new(nodes, knot);
    let mut told = told.into_iter();
    let cycle = told.find_map(|found| telling.cycle_of(found));
    let members = telling.order.iter().filter_map(|&who| {
        Some(Member {
            node: nodes.sample(who.0).node,
            process: who.1,
            turn: stuck(nodes, who)?.turn,
        })
    });
    Found {
        finder: finder.node,
        number: finder.number,
        members: members.collect(),
        deadlock: telling.deadlock(cycle),
    }
}

fn stuck<'a>(nodes: &Nodes<'a>, (node, process): Who) -> Option<&'a Stuck> {
    let all = nodes.sample(node).stuck.iter();
    let mut all = all.map(|since| &since.stuck);
    all.find(|stuck| stuck.id == process)
}

struct Telling<'a> {
    nodes: &'a Nodes<'a>,
    knot: &'a Knot,
    /// What the nodes are called.
    names: BTreeMap<usize, String>,
    /// The members in the order of their names, which is the same at all nodes; what they are called by is their place
    /// in it, from 1.
    order: Vec<Who>,
    channels: Channels,
}

impl<'a> Telling<'a> {
    fn new(nodes: &'a Nodes<'a>, knot: &'a Knot) -> Self {
        let names = node_names(nodes, knot);
        let mut order: Vec<Who> = knot.members.keys().copied().collect();
        order.sort_by_cached_key(|&who| {
            let node = nodes.sample(who.0);
            let name = stuck(nodes, who).map(|stuck| stuck.name.clone());
            (node.name.clone(), node.node, name, who.1)
        });
        let mut telling = Self {
            nodes,
            knot,
            names,
            order,
            channels: Channels::default(),
        };
        telling.number_channels();
        telling
    }

    /// Channels are numbered in the order in which they are told of first.
    fn number_channels(&mut self) {
        for pointer in self.knot.members.values().flatten() {
            self.channels.join(&pointer.ends);
        }
        for who in self.order.clone() {
            let Some(stuck) = stuck(self.nodes, who) else {
                continue;
            };
            for (wait, pointer) in stuck.waits.iter().zip(&self.knot.members[&who]) {
                self.channels.number(who.0, wait, pointer);
            }
        }
    }

    fn id(&self, who: Who) -> u64 {
        let at = self.order.iter().position(|&other| other == who);
        at.map_or(0, |at| at as u64 + 1)
    }

    fn name(&self, who: Who) -> String {
        let process = stuck(self.nodes, who).map_or("?", |stuck| &stuck.name);
        let node = self.names.get(&who.0).map_or("?", String::as_str);
        format!("{process} at {node}")
    }

    /// The cycle of what was told already, by places in the order, if all of it is in this knot.
    fn cycle_of(&self, found: &Found) -> Option<Vec<u32>> {
        let cycle = found.on_cycle().map(|member| {
            let member = member?;
            let is_it = |&(node, process): &Who| {
                let turn = stuck(self.nodes, (node, process)).map(|stuck| stuck.turn);
                self.nodes.sample(node).node == member.node
                    && process == member.process
                    && turn == Some(member.turn)
            };
            let at = self.order.iter().position(is_it)?;
            u32::try_from(at).ok()
        });
        let cycle: Vec<u32> = cycle.collect::<Option<_>>()?;
        (!cycle.is_empty()).then_some(cycle)
    }

    fn deadlock(&self, cycle: Option<Vec<u32>>) -> Deadlock {
        let all: Vec<u32> = (0..).take(self.order.len()).collect();
        let at: HashMap<Who, u32> = self.order.iter().copied().zip(0..).collect();
        let edges = self.knot.members.iter().filter_map(|(who, waits)| {
            let to = waits.iter().flat_map(|pointer| &pointer.releasers);
            let mut to: Vec<u32> = to.filter_map(|who| at.get(who).copied()).collect();
            to.sort_unstable();
            to.dedup();
            Some((*at.get(who)?, to))
        });
        let cycle = cycle.unwrap_or_else(|| shortest_cycle(&all, &edges.collect()));
        let others = all.iter().filter(|id| !cycle.contains(id));
        let blocked = |&id: &u32| self.blocked(self.order[id as usize]);
        let live: u64 = self
            .names
            .keys()
            .map(|&node| self.nodes.sample(node).live)
            .sum();
        let mut names: Vec<&str> = self.names.values().map(String::as_str).collect();
        names.sort_unstable();
        Deadlock {
            network: names.join(", "),
            is_total: live == self.order.len() as u64,
            cycle: cycle.iter().map(blocked).collect(),
            others: others.map(blocked).collect(),
        }
    }

    fn blocked(&self, who: Who) -> Blocked {
        let stuck = stuck(self.nodes, who);
        let waits = stuck.map_or(&[][..], |stuck| &stuck.waits);
        let pointers = &self.knot.members[&who];
        Blocked {
            process: self.name(who),
            process_id: self.id(who),
            waits: waits
                .iter()
                .zip(pointers)
                .map(|(wait, pointer)| self.wait(who.0, wait, pointer))
                .collect(),
        }
    }

    fn wait(&self, node: usize, wait: &StuckWait, pointer: &Pointer) -> Wait {
        let mut waits_for: Vec<(String, u64)> = pointer
            .releasers
            .iter()
            .map(|&who| (self.name(who), self.id(who)))
            .collect();
        waits_for.sort();
        let waits_for_ids = waits_for.iter().map(|&(_, id)| id).collect();
        let mut waits_for: Vec<String> = waits_for.into_iter().map(|(name, _)| name).collect();
        waits_for.dedup();
        Wait {
            channel_id: self.channels.id(node, wait, pointer),
            waits_for,
            waits_for_ids,
            is_open: false,
            ..wait.wait.clone()
        }
    }
}

/// Nodes by their names; those that have one name are told apart by their numbers.
fn node_names(nodes: &Nodes<'_>, knot: &Knot) -> BTreeMap<usize, String> {
    let places: BTreeSet<usize> = knot.members.keys().map(|&(node, _)| node).collect();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for &place in &places {
        *known.entry(&nodes.sample(place).name).or_default() += 1;
    }
    let name = |place: usize| {
        let sample: &Sample = nodes.sample(place);
        let node: NodeId = sample.node;
        if known.get(&*sample.name).is_some_and(|&count| count > 1) {
            format!("{} #{node:016x}", sample.name)
        } else {
            sample.name.clone()
        }
    };
    places.iter().map(|&place| (place, name(place))).collect()
}

/// Which ends belong to one channel, and its number.
#[derive(Default)]
struct Channels {
    /// To another end of the same channel, or to itself.
    joined: BTreeMap<(usize, u32), (usize, u32)>,
    over_links: BTreeMap<(usize, u32), u64>,
    within: BTreeMap<(usize, u64), u64>,
    last: u64,
}

impl Channels {
    fn root(&self, mut end: (usize, u32)) -> (usize, u32) {
        while let Some(&up) = self.joined.get(&end) {
            if up == end {
                break;
            }
            end = up;
        }
        end
    }

    fn join(&mut self, ends: &BTreeSet<(usize, u32)>) {
        let Some(&first) = ends.first() else {
            return;
        };
        for &end in ends {
            let (a, b) = (self.root(first), self.root(end));
            self.joined.insert(a.max(b), a.min(b));
        }
    }

    fn number(&mut self, node: usize, wait: &StuckWait, pointer: &Pointer) {
        let next = self.last + 1;
        let number = match pointer.ends.first() {
            Some(&end) => *self.over_links.entry(self.root(end)).or_insert(next),
            None => *self
                .within
                .entry((node, wait.wait.channel_id))
                .or_insert(next),
        };
        self.last = self.last.max(number);
    }

    fn id(&self, node: usize, wait: &StuckWait, pointer: &Pointer) -> u64 {
        let id = match pointer.ends.first() {
            Some(&end) => self.over_links.get(&self.root(end)),
            None => self.within.get(&(node, wait.wait.channel_id)),
        };
        id.copied().unwrap_or_default()
    }
}
