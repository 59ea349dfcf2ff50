//! What a node knows of the waits of all, and what it makes of it.
//!
//! # Invariants
//!
//! - A node that ends because of a deadlock knows before that each other node of it has made sure of it too, unless one
//!   is silent for too long.
//! - What is kept of other nodes is bounded, whatever they say.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use super::{
    super::identity,
    knot::{Conditions, Nodes},
    sample::{Found, NodeId, Sample},
    standing::Ends,
    telling,
    track::{Steady, Track},
};
use crate::process::{Deadlock, abroad::Waits};

/// Of how many other nodes at most it is known what they say.
pub(super) const NODES_MAX: usize = 64;
/// How many processes and ends one node may tell of.
pub(super) const ITEMS_MAX: usize = 4096;
/// What one sample may have on the wire.
pub(super) const SAMPLE_BYTES_MAX: usize = 256 * 1024;
/// For how long it is waited at most until the other nodes say that they know of a deadlock too.
const PATIENCE: Duration = Duration::from_millis(500);
/// And then until their runs have noted it, before what follows from it may disturb them.
const GRACE: Duration = Duration::from_secs(2);

/// What one node knows.
pub(super) struct Exchange {
    track: Track,
    /// What it tells of itself; its number is 0 as long as there was nothing to tell.
    own: Sample,
    others: BTreeMap<NodeId, Sample>,
    /// When each of these was heard of last: so many samples of others had been heard by then.
    heard_of: BTreeMap<NodeId, u64>,
    heard: u64,
    found: Option<Kept>,
    /// Rises with each change of what can be told.
    version: u64,
}

/// A deadlock that the node is in.
struct Kept {
    found: Found,
    at: Instant,
    /// When it was known that all know of it, or that was given up.
    committed: Option<Instant>,
    /// The run has heard of it.
    is_noted: bool,
    is_over: bool,
}

/// What follows for the node itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing new.
    Nothing,
    /// It is in a deadlock, with these of its processes and their turns.
    Committed(Box<Deadlock>, Vec<(u64, u64)>),
    /// All others of that deadlock know it too: what follows from it may follow.
    Final,
}

impl Exchange {
    pub(super) fn new(name: String) -> Self {
        Self {
            track: Track::default(),
            own: Sample {
                node: identity::random(),
                name,
                number: 0,
                seen: BTreeMap::new(),
                stuck: Vec::new(),
                ends: Vec::new(),
                live: 0,
                found: None,
                has_committed: false,
            },
            others: BTreeMap::new(),
            heard_of: BTreeMap::new(),
            heard: 0,
            found: None,
            version: 0,
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The deadlock through several machines that the node is in.
    pub(super) fn deadlock(&self) -> Option<&Deadlock> {
        let kept = self.found.as_ref()?;
        kept.committed.map(|_| &kept.found.deadlock)
    }

    /// Whether it should be looked again soon: something is to be told, or to be made sure of.
    pub(super) fn is_in_haste(&self) -> bool {
        self.lacks_a_look() || self.found.as_ref().is_some_and(|kept| !kept.is_over)
    }

    // ---- Looking ----

    /// Notes a look at the node's own network, before which the ends of its links stood so.
    pub(super) fn note(
        &mut self,
        waits: Option<Waits>,
        standings: &[(String, Ends)],
        is_noted: bool,
    ) {
        self.change(|kept| kept.is_noted = is_noted && kept.committed.is_some());
        let is_asked = self.others.values().any(|other| !other.stuck.is_empty());
        let mut steady = self.track.note(waits, standings, is_asked);
        if steady.stuck.len() + steady.ends.len() > ITEMS_MAX {
            steady = Steady::default();
        }
        let is_news = steady.stuck != self.own.stuck
            || steady.ends != self.own.ends
            || self.said()
                != (
                    self.own.found.as_ref().map(Found::key),
                    self.own.has_committed,
                );
        if !is_news && !self.lacks_a_look() {
            return;
        }
        let of_interest = self.others.values().filter(|other| other.tells());
        let mut own = Sample {
            number: self.track.looks,
            seen: of_interest
                .map(|other| (other.node, other.number))
                .collect(),
            stuck: steady.stuck,
            ends: steady.ends,
            live: steady.live,
            found: self.found.as_ref().map(|kept| kept.found.clone()),
            has_committed: self.found.as_ref().is_some_and(|kept| kept.is_noted),
            ..self.own.clone()
        };
        if bytes_of(&own) > SAMPLE_BYTES_MAX {
            (own.stuck, own.ends) = (Vec::new(), Vec::new());
        }
        self.own = own;
        self.version += 1;
    }

    fn said(&self) -> (Option<(NodeId, u64)>, bool) {
        let kept = self.found.as_ref();
        (
            kept.map(|kept| kept.found.key()),
            kept.is_some_and(|kept| kept.is_noted),
        )
    }

    /// Whether another node has told of something after which this one has not looked.
    fn lacks_a_look(&self) -> bool {
        self.own.tells()
            && self.others.values().any(|other| {
                let stuck = other.stuck.iter().map(|it| it.since);
                let since = stuck.chain(other.ends.iter().map(|it| it.since)).max();
                let seen = self.own.seen.get(&other.node).copied().unwrap_or(0);
                since.is_some_and(|since| seen < since)
            })
    }

    // ---- Telling and hearing ----

    /// What a peer that has samples of these numbers does not know yet, within `bytes`, and notes that it does.
    pub(super) fn news(&self, known: &mut HashMap<NodeId, u64>, bytes: usize) -> Vec<Sample> {
        let mut left = bytes;
        let mut news = Vec::new();
        let told = self.others.values().chain([&self.own]);
        for sample in told.filter(|sample| sample.number > 0) {
            let has = known.get(&sample.node).copied().unwrap_or(0);
            let size = bytes_of(sample);
            if sample.number <= has || size > left {
                continue;
            }
            left -= size;
            known.insert(sample.node, sample.number);
            news.push(sample.clone());
        }
        news
    }

    /// Hears what a peer has to tell, which so has it itself.
    pub(super) fn hear(&mut self, samples: Vec<Sample>, known: &mut HashMap<NodeId, u64>) {
        for mut sample in samples {
            let items = sample.stuck.len() + sample.ends.len() + sample.seen.len();
            if sample.node == self.own.node
                || items > ITEMS_MAX
                || bytes_of(&sample) > SAMPLE_BYTES_MAX
            {
                continue;
            }
            let has = known.entry(sample.node).or_default();
            *has = sample.number.max(*has);
            let before = self.others.get(&sample.node);
            if before.is_none_or(|before| before.number < sample.number) {
                if before.is_none() && self.others.len() >= NODES_MAX {
                    self.forget_one();
                }
                sample.clean();
                self.heard += 1;
                self.heard_of.insert(sample.node, self.heard);
                self.others.insert(sample.node, sample);
                self.version += 1;
            }
        }
        known.retain(|node, _| *node == self.own.node || self.others.contains_key(node));
    }

    /// Forgets the node of which nothing new was heard for the longest time: probably it is no more.
    fn forget_one(&mut self) {
        let oldest = self.heard_of.iter().min_by_key(|&(_, heard)| heard);
        if let Some((&node, _)) = oldest {
            self.heard_of.remove(&node);
            self.others.remove(&node);
        }
    }

    // ---- Judging ----

    /// Sees what follows from all that is known.
    pub(super) fn judge(&mut self, now: Instant) -> Verdict {
        self.find(now);
        let Some(kept) = &self.found else {
            return Verdict::Nothing;
        };
        let says = |is_so: fn(&Sample) -> bool| {
            let nodes = kept.found.members.iter().map(|member| member.node);
            let mut others = nodes.filter(|&node| node != self.own.node);
            others.all(|node| {
                let other = self.others.get(&node);
                let agrees = |it: &Sample| {
                    let found = it.found.as_ref();
                    found.is_some_and(|found| found.has_cycle_of(&kept.found))
                };
                other.is_some_and(|it| agrees(it) && is_so(it))
            })
        };
        match kept.committed {
            None if says(|_| true) || now >= kept.at + PATIENCE => {
                let own = self.own.node;
                let members = kept.found.members.iter();
                let here = members.filter(|member| member.node == own);
                let here = here.map(|member| (member.process, member.turn)).collect();
                let deadlock = Box::new(kept.found.deadlock.clone());
                self.change(|kept| kept.committed = Some(now));
                Verdict::Committed(deadlock, here)
            }
            Some(at) if !kept.is_over && (says(|it| it.has_committed) || now >= at + GRACE) => {
                self.change(|kept| kept.is_over = true);
                Verdict::Final
            }
            _ => Verdict::Nothing,
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Kept)) {
        if let Some(kept) = &mut self.found {
            change(kept);
        }
    }

    /// Looks for a deadlock of which this node is a part, unless it is known.
    fn find(&mut self, now: Instant) {
        let holds_still = |kept: &Kept| holds(&self.own, &self.track, &kept.found);
        let kept = self.found.as_ref();
        let before = kept.map(|kept| kept.found.key());
        match kept {
            // One that is no more, and of which nothing was said, was none, or its nodes have ended.
            Some(kept) if kept.committed.is_none() && !holds_still(kept) => self.found = None,
            Some(kept) if kept.committed.is_none() => {}
            // One of which all is said is told until there is another.
            Some(kept) if kept.is_over && !holds_still(kept) => {}
            Some(_) => return,
            None => {}
        }
        let told = self
            .others
            .values()
            .filter_map(|other| other.found.as_ref());
        let told = told.filter(|found| holds(&self.own, &self.track, found));
        let first = told.min_by_key(|found| found.key());
        let is_better = |found: &Found| {
            let kept = self.found.as_ref();
            kept.is_none_or(|kept| kept.is_over || found.key() < kept.found.key())
        };
        let found = match first.filter(|found| is_better(found)) {
            Some(found) => Some(found.clone()),
            None if first.is_none() && self.found.as_ref().is_none_or(|kept| kept.is_over) => {
                self.find_anew()
            }
            None => None,
        };
        if let Some(found) = found {
            let open = self.found.as_ref().filter(|kept| !kept.is_over);
            let at = open.map_or(now, |kept| kept.at);
            self.found = Some(Kept {
                found,
                at,
                committed: None,
                is_noted: false,
                is_over: false,
            });
        }
        if self.found.as_ref().map(|kept| kept.found.key()) != before {
            // It is told with the next look.
            self.version += 1;
        }
    }

    fn find_anew(&self) -> Option<Found> {
        if self.own.stuck.is_empty() {
            return None;
        }
        let others = self.others.values().filter(|other| other.tells());
        let nodes = Nodes::new([&self.own].into_iter().chain(others), Conditions::ALL);
        let mut knots = nodes.find().into_iter();
        let ours = knots.find(|knot| knot.members.keys().any(|&(node, _)| node == 0))?;
        let told = self.others.values().filter_map(|it| it.found.as_ref());
        let found = telling::tell(&self.own, &nodes, &ours, told);
        // What was told may be older than the last look.
        holds(&self.own, &self.track, &found).then_some(found)
    }
}

/// Whether this node is in a deadlock, as far as it can see by itself: its processes have not moved.
fn holds(own: &Sample, track: &Track, found: &Found) -> bool {
    let members = found.members.iter();
    let mut here = members.filter(|member| member.node == own.node).peekable();
    here.peek().is_some() && here.all(|member| track.is_stuck(member.process, member.turn))
}

fn bytes_of(sample: &Sample) -> usize {
    postcard::experimental::serialized_size(sample).unwrap_or(usize::MAX)
}
