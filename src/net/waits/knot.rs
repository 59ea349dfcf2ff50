//! Deadlocks in the waits of several nodes.
//!
//! As within a network a *knot* is looked for (Chandy, Misra and Haas, 1983): the largest set of stuck processes of
//! which each wait of each member can be released only by members. What is at other machines is seen late, and at
//! different moments, so a knot is a deadlock only if
//!
//! - (a) the last look of each node of it was taken after each other one had looked for the first time, and had told so;
//! - (b) whatever makes it up was the same in the first and the last look of its node, and in all between;
//! - (c) of each channel in it, what one side has said the other has heard, both ways and on the same connection, in the
//!   first look and the last, and neither has more to say or to do: so nothing, and in particular no TAKEN, is under way;
//! - (d) no channel in it has a process that waits to send and one that waits to receive;
//! - (e) of each channel in it all who have an end are known, nobody new can get one, and their nodes have told.
//!
//! By (a) and (b) there was a moment at which all of it was so at once. By (c) nothing was on its way then that could
//! have released a member, and by (d) and (e) nobody but a member could have moved. So no member ever moves again, unless
//! a link ends or a process is ended from outside, which hands nothing over.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::sample::{EndSince, NodeId, Sample};
use crate::process::{
    Waiting,
    abroad::{LinkEnd, StuckWait},
};

/// A stuck process: the place of its node, and its number there.
pub(super) type Who = (usize, u64);

/// Over how many links in a row a channel is followed at most.
const HOPS_MAX: usize = 32;

/// Which of the conditions are asked for: all of them, but in tests of what each is for.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one condition, whatever the others are"
)]
pub(super) struct Conditions {
    pub(super) after_all: bool,
    pub(super) same: bool,
    pub(super) nothing_under_way: bool,
    pub(super) no_meeting: bool,
    pub(super) all_known: bool,
}

impl Conditions {
    pub(super) const ALL: Self = Self {
        after_all: true,
        same: true,
        nothing_under_way: true,
        no_meeting: true,
        all_known: true,
    };
}

/// Processes of several nodes that wait for each other.
#[derive(Debug)]
pub(super) struct Knot {
    /// With what each of their waits has come to.
    pub(super) members: BTreeMap<Who, Vec<Pointer>>,
}

/// Where a wait leads.
#[derive(Debug, Default, Clone)]
pub(super) struct Pointer {
    pub(super) releasers: BTreeSet<Who>,
    /// The ends of the channel that links hold, at all nodes over which it goes.
    pub(super) ends: BTreeSet<Place>,
}

/// Which way a channel is followed from one of its ends, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Purpose {
    /// Whoever can release a process that waits to send, or for somebody to receive.
    Receivers,
    /// Whoever can release a process that waits to receive.
    Senders,
    /// Whoever has the message that was sent.
    Custody,
    /// Whoever can poison it.
    Spoilers,
}

/// What was found on the way from a wait.
#[derive(Default)]
struct Trail {
    releasers: BTreeSet<Who>,
    ends: BTreeSet<Place>,
    visited: HashSet<(usize, u32, Purpose)>,
}

/// An end of a channel: the place of its node, and its own there.
pub(super) type Place = (usize, u32);

/// A crossing: its session, whether it is from the dialer, and its name.
type Key<'a> = (&'a str, bool, &'a str);

fn key(end: &LinkEnd) -> Key<'_> {
    let crossing = &end.crossing;
    (
        &crossing.session,
        crossing.is_from_dialer,
        &crossing.channel,
    )
}

/// All samples together.
pub(super) struct Nodes<'a> {
    samples: Vec<&'a Sample>,
    conditions: Conditions,
    /// Both ends of each crossing: where it is sent, and where it is received.
    crossings: HashMap<Key<'a>, [Vec<Place>; 2]>,
}

/// A wait of a process that may be a member.
struct Edge {
    from: Who,
    is_one_of_all: bool,
    /// Which of the process's waits it is.
    at: usize,
    /// Nobody who can release it is outside.
    trail: Option<Trail>,
}

impl<'a> Nodes<'a> {
    pub(super) fn new(
        samples: impl IntoIterator<Item = &'a Sample>,
        conditions: Conditions,
    ) -> Self {
        let samples: Vec<&Sample> = samples.into_iter().collect();
        let mut crossings: HashMap<Key<'_>, [Vec<Place>; 2]> = HashMap::new();
        for (node, sample) in samples.iter().enumerate() {
            for (place, EndSince { end, .. }) in (0..).zip(&sample.ends) {
                let ends = crossings.entry(key(end)).or_default();
                ends[usize::from(!end.crossing.is_outbound)].push((node, place));
            }
        }
        Self {
            samples,
            conditions,
            crossings,
        }
    }

    pub(super) fn sample(&self, node: usize) -> &'a Sample {
        self.samples[node]
    }

    /// Finds the knots that pass through links, for which all conditions hold.
    pub(super) fn find(&self) -> Vec<Knot> {
        let edges = self.edges();
        let members = shrink(self.stuck(), &edges);
        let mut knots = Vec::new();
        for part in parts(&members, &edges) {
            let inside: Vec<&Edge> = edges
                .iter()
                .filter(|edge| part.contains(&edge.from))
                .collect();
            if self.is_proved(&part, &inside) {
                knots.push(knot(&part, &inside));
            }
        }
        knots
    }

    fn stuck(&self) -> HashSet<Who> {
        let nodes = self.samples.iter().enumerate();
        let all = nodes.flat_map(|(node, sample)| {
            sample.stuck.iter().map(move |since| (node, since.stuck.id))
        });
        all.collect()
    }

    fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (node, sample) in self.samples.iter().enumerate() {
            for since in &sample.stuck {
                for (at, wait) in since.stuck.waits.iter().enumerate() {
                    edges.push(Edge {
                        from: (node, since.stuck.id),
                        is_one_of_all: wait.wait.is_one_of_all,
                        at,
                        trail: self.trail(node, wait),
                    });
                }
            }
        }
        edges
    }

    /// Who can release a wait; `None` if somebody can of whom nothing is certain.
    fn trail(&self, node: usize, wait: &StuckWait) -> Option<Trail> {
        let mut trail = Trail::default();
        let here = wait.releasers.iter().map(|&process| (node, process));
        trail.releasers.extend(here);
        for &place in &wait.ends {
            let is_outbound = self.end(node, place)?.end.crossing.is_outbound;
            let purpose = match (wait.wait.operation, is_outbound) {
                (Waiting::Accepted, true) => Purpose::Custody,
                // Poison does not touch what was accepted.
                (Waiting::Accepted, false) => continue,
                (Waiting::Send | Waiting::Demand | Waiting::Closing, true) => Purpose::Receivers,
                (Waiting::Receive | Waiting::Closing, false) => Purpose::Senders,
                _ => Purpose::Spoilers,
            };
            self.follow(node, place, purpose, HOPS_MAX, &mut trail)?;
        }
        let is_accepted = wait.wait.operation == Waiting::Accepted;
        // Whoever has the message is known by now.
        (!is_accepted || !trail.releasers.is_empty()).then_some(trail)
    }

    fn end(&self, node: usize, place: u32) -> Option<&'a EndSince> {
        self.samples[node].ends.get(place as usize)
    }

    /// The far end of a crossing, if its node has told of it.
    fn far(&self, end: &LinkEnd) -> Option<Place> {
        let [sending, receiving] = self.crossings.get(&key(end))?;
        // If two say that they are the same end, one of them is not what it says.
        let ([sending], [receiving]) = (&sending[..], &receiving[..]) else {
            return None;
        };
        Some(if end.crossing.is_outbound {
            *receiving
        } else {
            *sending
        })
    }

    /// Follows a channel over the link that holds an end of it. `None` if somebody is there of whom nothing is certain.
    fn follow(
        &self,
        node: usize,
        place: u32,
        purpose: Purpose,
        hops: usize,
        trail: &mut Trail,
    ) -> Option<()> {
        if !trail.visited.insert((node, place, purpose)) {
            return Some(());
        }
        let near = self.end(node, place)?;
        let Some((far_node, far_place)) = self.far(&near.end) else {
            return (!self.conditions.all_known).then_some(());
        };
        let far = self.end(far_node, far_place)?;
        if self.conditions.all_known && (near.end.is_open || far.end.is_open) || hops == 0 {
            return None;
        }
        let processes = |all: &'a [u64]| all.iter().map(move |&process| (far_node, process));
        if purpose == Purpose::Custody && !self.conditions.nothing_under_way {
            // As it would seem if nobody knew of TAKEN.
            trail.releasers.extend(processes(&far.end.holders));
        }
        let open = self.at_rest(near, far)?;
        trail.ends.extend([(node, place), (far_node, far_place)]);
        // Who has custody is known where messages come in.
        let (at, custodian) = if near.end.crossing.is_outbound {
            (far_node, &far.end)
        } else {
            (node, &near.end)
        };
        if open > 0 && purpose != Purpose::Spoilers {
            let custody = &custodian.custody;
            if custody.is_unknown || custody.processes.is_empty() && !custody.is_through {
                return None;
            }
            let processes = custody.processes.iter().map(|&process| (at, process));
            trail.releasers.extend(processes);
            if custody.is_through {
                for &next in &custodian.through {
                    self.follow(at, next, Purpose::Custody, hops - 1, trail)?;
                }
            }
        }
        if purpose == Purpose::Custody {
            return Some(());
        }
        trail.releasers.extend(processes(&far.end.spoilers));
        if purpose != Purpose::Spoilers {
            let would_meet = match purpose {
                Purpose::Receivers => far.end.receives,
                _ => far.end.sends,
            };
            if self.conditions.no_meeting && would_meet {
                return None;
            }
            trail.releasers.extend(processes(&far.end.holders));
        }
        for &next in &far.end.through {
            self.follow(far_node, next, purpose, hops - 1, trail)?;
        }
        for &next in &far.end.beside {
            self.follow(far_node, next, Purpose::Spoilers, hops - 1, trail)?;
        }
        Some(())
    }

    /// How many messages of a channel have no outcome, if nothing of it is under way between its two ends.
    fn at_rest(&self, near: &EndSince, far: &EndSince) -> Option<u64> {
        if !self.conditions.nothing_under_way {
            return Some(far.standing.map_or(0, |standing| standing.open_messages));
        }
        let (near, far) = (near.standing?, far.standing?);
        let is_at_rest = near.epoch == far.epoch
            && near.said == far.heard
            && near.heard == far.said
            && near.open_messages == far.open_messages;
        is_at_rest.then_some(near.open_messages)
    }

    /// Whether all of a knot was so at one moment.
    fn is_proved(&self, part: &BTreeSet<Who>, edges: &[&Edge]) -> bool {
        let mut ends = edges
            .iter()
            .filter_map(|edge| edge.trail.as_ref())
            .flat_map(|trail| &trail.ends)
            .peekable();
        if ends.peek().is_none() {
            // A deadlock within one network is for that to find.
            return false;
        }
        // The look from which on all that is in it at a node was as it is.
        let mut first: BTreeMap<usize, u64> = BTreeMap::new();
        let mut note = |node, since: u64| {
            let first = first.entry(node).or_default();
            *first = since.max(*first);
        };
        for &(node, place) in ends {
            if let Some(end) = self.end(node, place) {
                note(node, end.since);
            }
        }
        for &(node, process) in part {
            let all = self.samples[node].stuck.iter();
            for since in all.filter(|since| since.stuck.id == process) {
                note(node, since.since);
            }
        }
        let has_seen = |node: usize, other: NodeId, since: u64| {
            let seen = self.samples[node].seen.get(&other);
            seen.is_some_and(|&seen| seen >= since)
        };
        first.iter().all(|(&node, &since)| {
            let sample = self.samples[node];
            let is_same = !self.conditions.same || since < sample.number;
            let mut others = first.keys().filter(|&&other| other != node);
            let is_after = !self.conditions.after_all
                || others.all(|&other| has_seen(other, sample.node, since));
            is_same && is_after
        })
    }
}

/// Throws out who can be released by somebody outside, until nobody is left to be thrown out.
fn shrink(members: HashSet<Who>, edges: &[Edge]) -> HashSet<Who> {
    let mut shrinking = Shrinking {
        members,
        needed: HashMap::new(),
        is_released: vec![false; edges.len()],
        gone: Vec::new(),
    };
    // Which waits are released by whom, so that each is looked at once for each of its releasers.
    let mut waiting_for: HashMap<Who, Vec<usize>> = HashMap::new();
    for edge in edges.iter().filter(|edge| edge.is_one_of_all) {
        *shrinking.needed.entry(edge.from).or_default() += 1;
    }
    for (at, edge) in edges.iter().enumerate() {
        let Some(trail) = &edge.trail else {
            shrinking.release(at, edge);
            continue;
        };
        for &releaser in &trail.releasers {
            if shrinking.members.contains(&releaser) {
                waiting_for.entry(releaser).or_default().push(at);
            } else {
                shrinking.release(at, edge);
            }
        }
    }
    while let Some(one) = shrinking.gone.pop() {
        for at in waiting_for.remove(&one).unwrap_or_default() {
            shrinking.release(at, &edges[at]);
        }
    }
    shrinking.members
}

/// A set of processes that gets smaller.
struct Shrinking {
    members: HashSet<Who>,
    /// Of a process that needs several operations all done: how many of them nobody outside can release. While there is
    /// one, the others do not help.
    needed: HashMap<Who, usize>,
    is_released: Vec<bool>,
    /// Who was thrown out, and those who wait for it have not been looked at.
    gone: Vec<Who>,
}

impl Shrinking {
    /// Somebody outside can release this wait.
    fn release(&mut self, at: usize, edge: &Edge) {
        if std::mem::replace(&mut self.is_released[at], true) {
            return;
        }
        if edge.is_one_of_all {
            let left = self.needed.entry(edge.from).or_default();
            *left = left.saturating_sub(1);
            if *left > 0 {
                return;
            }
        }
        if self.members.remove(&edge.from) {
            self.gone.push(edge.from);
        }
    }
}

/// The members in parts of which none waits for another.
fn parts(members: &HashSet<Who>, edges: &[Edge]) -> Vec<BTreeSet<Who>> {
    let mut beside: HashMap<Who, Vec<Who>> = HashMap::new();
    for edge in edges.iter().filter(|edge| members.contains(&edge.from)) {
        for &to in edge.trail.iter().flat_map(|trail| &trail.releasers) {
            beside.entry(edge.from).or_default().push(to);
            beside.entry(to).or_default().push(edge.from);
        }
    }
    let mut left: BTreeSet<Who> = members.iter().copied().collect();
    let mut parts = Vec::new();
    while let Some(first) = left.pop_first() {
        let mut part = BTreeSet::from([first]);
        let mut open = vec![first];
        while let Some(one) = open.pop() {
            for &other in beside.get(&one).into_iter().flatten() {
                if left.remove(&other) {
                    part.insert(other);
                    open.push(other);
                }
            }
        }
        parts.push(part);
    }
    parts
}

fn knot(part: &BTreeSet<Who>, edges: &[&Edge]) -> Knot {
    let mut members: BTreeMap<Who, Vec<Pointer>> =
        part.iter().map(|&who| (who, Vec::new())).collect();
    for edge in edges {
        if let (Some(waits), Some(trail)) = (members.get_mut(&edge.from), &edge.trail) {
            waits.resize_with(waits.len().max(edge.at + 1), Pointer::default);
            waits[edge.at] = Pointer {
                releasers: trail.releasers.clone(),
                ends: trail.ends.clone(),
            };
        }
    }
    Knot { members }
}
