//! The halves of channels that go over links, put together.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    super::NodeSnapshot,
    names::{Names, qualified, short},
};
use crate::process::{ChannelSeen, Crossing, Wait, Waiting};

/// For so many at the other side of a link a wait is said to be; of more it stays open.
const FAR_MAX: usize = 64;

/// All channels of the picture.
pub(super) struct Joined {
    pub(super) channels: Vec<ChannelSeen>,
    /// Who is at the other end of a link and did not answer, by name.
    pub(super) unanswered: Vec<String>,
    /// Those at the other end of a link that are in no snapshot: number and name.
    strangers: Vec<(u64, String)>,
    /// What is known of each channel beside what is shown.
    facts: Vec<Facts>,
    /// From a node and its number of a channel to the place of the channel.
    places: HashMap<(usize, u64), usize>,
}

/// What is known of a channel of the picture.
#[derive(Default)]
struct Facts {
    /// It goes over links.
    crosses: bool,
    /// All ends that were open at the nodes are held by somebody whom a node names.
    is_explained: bool,
    /// The nodes that hold an end of it and have answered, as others call them.
    known: BTreeSet<String>,
    /// Who has a sending end.
    senders: HashSet<u64>,
}

impl Joined {
    pub(super) fn of(nodes: &[NodeSnapshot], names: &mut Names) -> Self {
        let halves = halves(nodes);
        let mut joined = Self {
            channels: Vec::new(),
            unanswered: Vec::new(),
            strangers: Vec::new(),
            facts: Vec::new(),
            places: HashMap::new(),
        };
        let mut strangers = Strangers::of(nodes);
        for group in groups(&halves) {
            let place = joined.channels.len();
            for &half in &group.halves {
                let Half { node, channel } = halves[half];
                joined.places.entry((node, channel.id)).or_insert(place);
            }
            let (channel, facts) = one(&halves, &group, nodes, names, &mut strangers);
            joined.channels.push(ChannelSeen {
                id: place as u64 + 1,
                ..channel
            });
            joined.facts.push(facts);
        }
        joined.unanswered = strangers.unanswered.into_iter().collect();
        joined.strangers = strangers
            .numbers
            .values()
            .map(|&id| (id, names.name(id).to_owned()))
            .collect();
        joined.strangers.sort_unstable();
        joined
    }

    pub(super) fn strangers(&self) -> impl Iterator<Item = (u64, &str)> {
        self.strangers.iter().map(|(id, name)| (*id, &**name))
    }

    /// The channel to which a node gives a number, as it is called in the picture.
    fn place(&self, node: usize, id: u64) -> Option<usize> {
        self.places.get(&(node, id)).copied()
    }

    /// Whether an end that a node says is held by `holder` is held by a node that has answered.
    pub(super) fn is_known(&self, channel: &str, holder: &str) -> bool {
        let mut all = self.channels.iter().zip(&self.facts);
        all.any(|(it, facts)| it.name == channel && facts.known.contains(holder))
    }

    /// How the channel is called in the picture that a node calls so.
    pub(super) fn name_of(&self, node: usize, nodes: &[NodeSnapshot], name: &str) -> String {
        let mut all = nodes[node].snapshot.channels.iter();
        let place = all
            .find(|channel| channel.name == name)
            .and_then(|channel| self.place(node, channel.id));
        match place {
            Some(place) => self.channels[place].name.clone(),
            None => qualified(name, &nodes[node].node),
        }
    }

    /// The number of a channel that is called so in the picture; 0 if there is none.
    pub(super) fn id_of(&self, name: &str) -> u64 {
        let found = self.channels.iter().find(|channel| channel.name == name);
        found.map_or(0, |channel| channel.id)
    }

    /// A wait of a process, with those at the other side of links.
    pub(super) fn wait(&self, names: &mut Names, node: usize, process: u64, wait: &Wait) -> Wait {
        let ids = wait.waits_for_ids.iter();
        let mut ids: Vec<u64> = ids.map(|&id| names.number(node, id)).collect();
        let mut is_open = wait.is_open;
        let place = self.place(node, wait.channel_id);
        let channel = place.map(|place| (&self.channels[place], &self.facts[place]));
        if let Some((channel, facts)) = channel
            && wait.is_open
            && !wait.is_stranded
            && facts.crosses
        {
            let holders = match wait.operation {
                Waiting::Receive => &channel.sender_ids,
                Waiting::Closing if !facts.senders.contains(&process) => &channel.sender_ids,
                _ => &channel.receiver_ids,
            };
            ids.extend(holders.iter().take(FAR_MAX));
            // What is with somebody within credit may be handed back by him.
            let may_come_back = wait.operation == Waiting::Receive && channel.credit_untaken > 0;
            is_open = !facts.is_explained || may_come_back || holders.len() > FAR_MAX;
        }
        let (waits_for, waits_for_ids) = names.list(ids);
        Wait {
            channel: match channel {
                Some((channel, _)) => channel.name.clone(),
                None => short(&wait.channel),
            },
            channel_id: place.map_or(0, |place| place as u64 + 1),
            waits_for,
            waits_for_ids,
            is_open,
            ..wait.clone()
        }
    }
}

/// A channel as one node sees it.
#[derive(Clone, Copy)]
struct Half<'a> {
    node: usize,
    channel: &'a ChannelSeen,
}

fn halves(nodes: &[NodeSnapshot]) -> Vec<Half<'_>> {
    let of_node = |(node, seen)| {
        let seen: &NodeSnapshot = seen;
        let channels = seen.snapshot.channels.iter();
        channels.map(move |channel| Half { node, channel })
    };
    nodes.iter().enumerate().flat_map(of_node).collect()
}

/// By what the two nodes at the ends of a link know the same crossing.
type Key<'a> = (&'a str, bool, &'a str);

fn key(crossing: &Crossing) -> Key<'_> {
    (
        &crossing.session,
        crossing.is_from_dialer,
        &crossing.channel,
    )
}

/// Halves that are one channel.
#[derive(Default)]
struct Group<'a> {
    halves: Vec<usize>,
    /// The crossings of which both sides are known.
    met: BTreeSet<Key<'a>>,
}

/// The channels, in the order of their first halves.
fn groups<'a>(halves: &[Half<'a>]) -> Vec<Group<'a>> {
    let mut ends: BTreeMap<Key<'a>, [Vec<usize>; 2]> = BTreeMap::new();
    for (at, half) in halves.iter().enumerate() {
        for crossing in &half.channel.crossings {
            let side = usize::from(crossing.is_outbound);
            ends.entry(key(crossing)).or_default()[side].push(at);
        }
    }
    let mut union = Union::of(halves.len());
    ends.retain(|_, [into, out]| !into.is_empty() && !out.is_empty());
    for [into, out] in ends.values() {
        for &half in into.iter().chain(out) {
            union.join(out[0], half);
        }
    }
    let mut groups: BTreeMap<usize, Group<'a>> = BTreeMap::new();
    for (at, half) in halves.iter().enumerate() {
        let group = groups.entry(union.first(at)).or_default();
        group.halves.push(at);
        let crossings = half.channel.crossings.iter().map(key);
        group
            .met
            .extend(crossings.filter(|key| ends.contains_key(key)));
    }
    groups.into_values().collect()
}

/// Which belong together: each leads to one before it, the first to itself.
struct Union(Vec<usize>);

impl Union {
    fn of(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn first(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// Who is at the other end of links and in no snapshot.
struct Strangers {
    /// The runs of the programs that have answered, and as how many nodes.
    answered: BTreeMap<String, usize>,
    unanswered: BTreeSet<String>,
    /// By name and run.
    numbers: BTreeMap<(String, String), u64>,
}

impl Strangers {
    fn of(nodes: &[NodeSnapshot]) -> Self {
        let mut answered = BTreeMap::new();
        for node in nodes {
            *answered.entry(run(node)).or_default() += 1;
        }
        Self {
            answered,
            unanswered: BTreeSet::new(),
            numbers: BTreeMap::new(),
        }
    }

    /// Who is at the other end of a crossing of `node`.
    fn number(&mut self, node: &NodeSnapshot, crossing: &Crossing, names: &mut Names) -> u64 {
        let peer = short(&crossing.peer);
        let answers = self.answered.get(&crossing.peer_incarnation).copied();
        // A program may have several nodes, and a link between two of them.
        let own = usize::from(crossing.peer_incarnation == run(node));
        let has_answered = answers.unwrap_or(0) > own;
        if !has_answered {
            self.unanswered.insert(peer.clone());
        }
        let key = (peer.clone(), crossing.peer_incarnation.clone());
        *self.numbers.entry(key).or_insert_with(|| {
            names.add(if has_answered {
                format!("peer `{peer}` (outside of its network)")
            } else {
                format!("peer `{peer}` (did not answer)")
            })
        })
    }
}

/// The run of a node's program, as crossings have it.
fn run(node: &NodeSnapshot) -> String {
    format!("{:016x}", node.incarnation)
}

/// A channel made of its halves.
fn one(
    halves: &[Half<'_>],
    group: &Group<'_>,
    nodes: &[NodeSnapshot],
    names: &mut Names,
    strangers: &mut Strangers,
) -> (ChannelSeen, Facts) {
    let mut facts = Facts::default();
    let all = || group.halves.iter().map(|&half| halves[half]);
    let (mut senders, mut receivers, mut poisoners) = (Vec::new(), Vec::new(), Vec::new());
    let (mut known_outside, mut open, mut missing) = (Vec::new(), 0u32, Vec::new());
    let mut is_explained = true;
    for Half { node, channel } in all() {
        senders.extend(channel.sender_ids.iter().map(|&id| names.number(node, id)));
        receivers.extend(
            channel
                .receiver_ids
                .iter()
                .map(|&id| names.number(node, id)),
        );
        for poisoner in &channel.poisoners {
            poisoners.push(qualified(poisoner, &nodes[node].node));
        }
        let mut met = 0;
        let mut holders: BTreeMap<String, usize> = BTreeMap::new();
        for crossing in &channel.crossings {
            facts.crosses = true;
            // Whoever it is, he is in the picture.
            *holders.entry(holder(&crossing.peer)).or_default() += 1;
            if group.met.contains(&key(crossing)) {
                met += 1;
                facts.known.insert(holder(&crossing.peer));
            } else {
                missing.push(crossing.clone());
                let stranger = strangers.number(&nodes[node], crossing, names);
                let side = if crossing.is_outbound {
                    &mut receivers
                } else {
                    &mut senders
                };
                side.push(stranger);
            }
        }
        let outside = channel.known_outside.iter();
        known_outside.extend(
            outside
                .filter(|it| !take_one(&mut holders, it))
                .map(|it| qualified(it, &nodes[node].node)),
        );
        // Of a node that has left something out not all holders are known.
        is_explained &= nodes[node].processes_left_out == 0;
        open = open.saturating_add(channel.open_ends.saturating_sub(met));
        is_explained &= channel.outside_poisoners == 0 && channel.poisoners.is_empty();
    }
    facts.is_explained = is_explained && open == 0 && missing.is_empty();
    known_outside.sort_unstable();
    poisoners.sort_unstable();
    poisoners.dedup();
    let (senders, sender_ids) = names.list(senders);
    if facts.crosses {
        facts.senders.extend(&sender_ids);
    }
    let (receivers, receiver_ids) = names.list(receivers);
    // What has crossed was handed over once on each side.
    let most = |of: fn(&ChannelSeen) -> u64| all().map(|it| of(it.channel)).max().unwrap_or(0);
    let sum = |of: fn(&ChannelSeen) -> usize| {
        all().fold(0usize, |sum, it| sum.saturating_add(of(it.channel)))
    };
    let channel = ChannelSeen {
        id: 0,
        name: name(all(), group, nodes),
        senders,
        sender_ids,
        receivers,
        receiver_ids,
        open_ends: open,
        known_outside,
        crossings: missing,
        poisoners,
        outside_poisoners: all().fold(0, |sum, it| {
            it.channel.outside_poisoners.saturating_add(sum)
        }),
        handed_over: most(|it| it.handed_over),
        per_second: all().map(|it| it.channel.per_second).fold(0.0, f64::max),
        sends_waiting: sum(|it| it.sends_waiting),
        receives_waiting: sum(|it| it.receives_waiting),
        credit_unused: sum(|it| it.credit_unused),
        credit_untaken: sum(|it| it.credit_untaken),
        is_poisoned: all().any(|it| it.channel.is_poisoned),
    };
    (channel, facts)
}

/// How a network calls a peer that holds an end of a channel.
fn holder(peer: &str) -> String {
    format!("peer `{peer}` over a link")
}

fn take_one(holders: &mut BTreeMap<String, usize>, name: &str) -> bool {
    match holders.get_mut(name) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    }
}

/// A channel of one node is called by the node; one of several by the name that they have for it.
fn name<'a>(
    halves: impl Iterator<Item = Half<'a>>,
    group: &Group<'_>,
    nodes: &[NodeSnapshot],
) -> String {
    let mut named: Vec<Half<'_>> = halves.collect();
    named.sort_by_key(|half| &half.channel.name);
    match named.first() {
        Some(half) if group.halves.len() == 1 => {
            qualified(&half.channel.name, &nodes[half.node].node)
        }
        Some(half) => short(&half.channel.name),
        None => String::new(),
    }
}
