//! What the peers of a network have to know of its waits, so that all of them together can see a deadlock that passes
//! through several machines.
//!
//! Of the network's own processes those are named which nobody *in this network* can release: if the links bring
//! nothing, they wait for ever. Who else could is for the peers to say, of which each names the same of its own.
//!
//! One look is not enough to be certain of anything; see [`graph`]. What is found in two looks, and is the
//! same, was so all the time between.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{
    cycle,
    graph::{self, Op, Picture, Several},
    registry::{ChannelEntry, Kind, Registry, Side, Tables},
    report::{Crossing, Wait},
};
use crate::channel::observe::Operation;

/// The waits of a network at (nearly) one moment.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, Default)]
pub(crate) struct Waits {
    /// The processes that nobody in the network can release.
    pub(crate) stuck: Vec<Stuck>,
    /// The ends of channels that links hold.
    pub(crate) ends: Vec<LinkEnd>,
    /// How many processes have not ended.
    pub(crate) live: u64,
}

/// A process that nobody in its network can release.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Stuck {
    /// Its number, which no other process or channel of the network ever has.
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) turn: u64,
    pub(crate) waits: Vec<StuckWait>,
}

/// What such a process waits for.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct StuckWait {
    pub(crate) wait: Wait,
    /// Changes when the holders of the channel's ends do.
    pub(crate) version: u64,
    /// Those in the network who can release it, by number.
    pub(crate) releasers: Vec<u64>,
    /// The ends of its channel that links hold, by their places.
    pub(crate) ends: Vec<u32>,
}

/// An end of a channel that a link holds.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct LinkEnd {
    pub(crate) crossing: Crossing,
    /// Changes when the holders of the channel's ends do.
    pub(crate) version: u64,
    /// Somebody has an end here, or can get one, whom the network does not know.
    pub(crate) is_open: bool,
    /// Those who can release whoever waits at the far end, by number.
    pub(crate) holders: Vec<u64>,
    /// Those who can poison the channel, whoever waits.
    pub(crate) spoilers: Vec<u64>,
    /// The ends over which the channel goes on to further peers, for whoever waits at the far end, by their places.
    pub(crate) through: Vec<u32>,
    /// The other ends of the channel that links hold, which go the same way.
    pub(crate) beside: Vec<u32>,
    /// Who has the messages in custody that came over the link.
    pub(crate) custody: Custody,
    /// A process waits to send on the channel.
    pub(crate) sends: bool,
    /// A process waits to receive on it.
    pub(crate) receives: bool,
}

/// Who has messages in custody that came over links to one channel.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, Default)]
pub(crate) struct Custody {
    pub(crate) processes: Vec<u64>,
    /// Links have some that go on.
    pub(crate) is_through: bool,
    /// It is not known who has one.
    pub(crate) is_unknown: bool,
}

/// Looks once. Nothing, if no link has an end of a channel.
pub(super) fn look(registry: &Registry) -> Option<Waits> {
    registry.read(|tables| {
        let has_crossings = |(_, entry): (u32, &ChannelEntry)| has_crossings(entry);
        if !tables.channels.iter().any(has_crossings) {
            return None;
        }
        let picture = graph::collect(registry, tables);
        Some(View::new(tables, &picture).waits())
    })
}

fn has_crossings(entry: &ChannelEntry) -> bool {
    entry
        .known_outside()
        .iter()
        .any(|outsider| outsider.crossing.is_some())
}

/// Whether somebody has an end of the channel who is neither a process of the network nor a link.
fn is_open(entry: &ChannelEntry) -> bool {
    let known = entry.known_outside().iter();
    let links = known.filter(|outsider| outsider.crossing.is_some()).count();
    entry.open as usize != links || entry.outside_poisoners() > 0
}

struct View<'a> {
    tables: &'a Tables,
    picture: &'a Picture,
    ends: Vec<LinkEnd>,
    /// The places of a channel's link ends.
    places: HashMap<u32, Vec<u32>>,
}

impl<'a> View<'a> {
    fn new(tables: &'a Tables, picture: &'a Picture) -> Self {
        let mut view = Self {
            tables,
            picture,
            ends: Vec::new(),
            places: HashMap::new(),
        };
        for (id, entry) in tables.channels.iter() {
            for outsider in entry.known_outside() {
                if let Some(crossing) = &outsider.crossing {
                    view.add(id, entry, crossing);
                }
            }
        }
        view.connect();
        view.note_custody();
        view
    }

    fn add(&mut self, channel: u32, entry: &ChannelEntry, crossing: &Crossing) {
        let place = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.places.entry(channel).or_default().push(place);
        let side = if crossing.is_outbound {
            Side::Sending
        } else {
            Side::Receiving
        };
        let waits = |operation| {
            let mut ops = self.picture.ops.iter();
            ops.any(|op| op.channel == channel && op.wait.operation == operation)
        };
        let failing = graph::those_that_may_fail(self.tables, entry);
        let spoilers = entry.poisoners().iter().copied().chain(failing);
        self.ends.push(LinkEnd {
            crossing: crossing.clone(),
            version: entry.version,
            is_open: is_open(entry) || self.is_poisoned(channel),
            holders: self.serials(entry.holders(side).iter().copied()),
            spoilers: self.serials(spoilers),
            through: Vec::new(),
            beside: Vec::new(),
            custody: Custody::default(),
            sends: waits(Operation::Send),
            receives: waits(Operation::Receive),
        });
    }

    fn is_poisoned(&self, channel: u32) -> bool {
        let tally = self.picture.tallies.get(channel as usize);
        tally.is_none_or(|tally| tally.is_none_or(|tally| tally.poisoned))
    }

    /// A channel with several link ends goes on from those that come in to those that go out.
    fn connect(&mut self) {
        let is_outbound = |ends: &[LinkEnd], place: u32| ends[place as usize].crossing.is_outbound;
        for places in self.places.values() {
            for &place in places {
                let others = places.iter().copied().filter(|&other| other != place);
                let (beside, through) = others.partition(|&other| {
                    is_outbound(&self.ends, other) == is_outbound(&self.ends, place)
                });
                let end = &mut self.ends[place as usize];
                (end.beside, end.through) = (beside, through);
            }
        }
    }

    fn note_custody(&mut self) {
        for accepted in &self.picture.foreign_accepted {
            let acceptor = self.serials(accepted.acceptor);
            let entry = self.tables.channels.get(accepted.channel);
            let only_links = entry.is_some_and(|entry| entry.receivers.is_empty());
            for &place in self.places.get(&accepted.channel).into_iter().flatten() {
                let custody = &mut self.ends[place as usize].custody;
                if acceptor.is_empty() {
                    custody.is_through |= only_links;
                    custody.is_unknown |= !only_links;
                }
                custody.processes.extend(&acceptor);
            }
        }
    }

    fn waits(mut self) -> Waits {
        let certain = |seen: &graph::Seen| {
            // What was woken and is not looked at shows only in two looks side by side.
            seen.is_certain() && seen.stranded() == 0
        };
        let members = self.picture.processes.iter();
        let members = members.map(|seen| seen.as_ref().is_some_and(certain));
        let members = graph::shrink_by(self.picture, members.collect(), |op| self.releasers(op));
        let mut waits: HashMap<u32, Vec<&Op>> = HashMap::new();
        for op in &self.picture.ops {
            if members.get(op.process as usize) == Some(&true) {
                waits.entry(op.process).or_default().push(op);
            }
        }
        let stuck = self.tables.processes.iter().filter_map(|(id, entry)| {
            let seen = self.picture.processes.get(id as usize)?.as_ref()?;
            let waits = waits.remove(&id)?;
            let mut waits: Vec<StuckWait> = waits.into_iter().map(|op| self.wait(op)).collect();
            waits.sort_by(|a, b| in_order(a).cmp(&in_order(b)));
            Some(Stuck {
                id: entry.serial,
                name: entry.name.to_string(),
                turn: seen.status.turn() as u64,
                waits,
            })
        });
        let stuck = stuck.collect();
        let kinds = self.tables.processes.iter().map(|(_, entry)| entry.kind);
        Waits {
            stuck,
            live: kinds.filter(|&kind| kind != Kind::Attached).count() as u64,
            ends: std::mem::take(&mut self.ends),
        }
    }

    /// Those in the network who can release an operation; `None` if somebody can who is neither in it nor behind a link.
    fn releasers(&self, op: &Op) -> Option<Several> {
        let entry = self.tables.channels.get(op.channel)?;
        let tally = self.picture.tallies.get(op.channel as usize)?.as_ref()?;
        if is_open(entry) {
            return None;
        }
        match op.wait.operation {
            // Its message is with a link, unless a process of this network could have it, of which nothing is certain.
            Operation::Accepted if !op.has_acceptor() => {
                let only_links = entry.receivers.is_empty() && has_crossings(entry);
                return only_links.then(Several::new);
            }
            Operation::Receive if tally.credit_untaken > 0 => return None,
            _ => {}
        }
        let releasers = graph::known_releasers(self.tables, self.picture, op)?;
        Some(graph::with_those_that_may_fail(self.tables, op, releasers))
    }

    fn wait(&self, op: &Op) -> StuckWait {
        let entry = self.tables.channels.get(op.channel);
        let releasers = self.releasers(op).unwrap_or_default();
        let (waits_for, waits_for_ids) = graph::names(self.tables, releasers.iter().copied());
        // A process of this network has its message, so no link does.
        let is_here = op.wait.operation == Operation::Accepted && op.has_acceptor();
        let ends = self.places.get(&op.channel).filter(|_| !is_here);
        StuckWait {
            wait: Wait {
                is_open: false,
                waits_for,
                waits_for_ids,
                ..graph::describe_op(self.tables, self.picture, op)
            },
            version: entry.map_or(0, |entry| entry.version),
            releasers: self.serials(releasers),
            ends: ends.cloned().unwrap_or_default(),
        }
    }

    /// The numbers that processes keep, in order, each once.
    fn serials(&self, processes: impl IntoIterator<Item = u32>) -> Vec<u64> {
        let entries = processes
            .into_iter()
            .filter_map(|id| self.tables.processes.get(id));
        let mut serials: Vec<u64> = entries.map(|entry| entry.serial).collect();
        serials.sort_unstable();
        serials.dedup();
        serials
    }
}

/// The order of a process's waits, the same in each look.
fn in_order(wait: &StuckWait) -> (u64, &str, u32, u32) {
    let site = &wait.wait.site;
    (wait.wait.channel_id, &site.file, site.line, site.column)
}

/// A shortest cycle among `all`, from the lowest number on; empty if there is none.
pub(crate) fn shortest_cycle(all: &[u32], edges: &HashMap<u32, Vec<u32>>) -> Vec<u32> {
    cycle::shortest(all, edges)
}
