//! The snapshots of several nodes as one picture.
//!
//! # Invariants
//!
//! - No numbers of two nodes are taken for the same, whatever they say; all that is listed is listed by numbers of the
//!   picture.
//! - What is said of a wait is at most what the nodes have said: it is closed only if each end of its channel that was
//!   open to a node is held by somebody whom another node has named.

mod channels;
mod names;
mod told;

use std::{
    collections::BTreeSet,
    fmt::{self, Write},
};

use serde::{Deserialize, Serialize};

use self::{channels::Joined, names::Names};
use super::NodeSnapshot;
use crate::process::{Bottleneck, Deadlock, Doing, Kind, ProcessSeen, Snapshot};

/// Several nodes at about one moment, as one network: who waits for whom, on whichever machine.
///
/// Processes are called by their names and their nodes, `cook at kitchen`. The two halves of a channel that goes over a
/// link are one channel, and so are all that a hub brings together. Whoever is at the other end of a link, and is in none
/// of the snapshots, is drawn as a process: ``peer `store` (did not answer)``.
///
/// Each node was looked at a little earlier or later than the others, so a message that was under way may be seen twice or
/// not at all, and a circle of waits in the picture is no proof of a deadlock. What a node has proved is in `deadlock`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct System {
    /// The nodes, each once.
    pub nodes: Vec<NodeSeen>,
    /// Peers of which an end of a channel leads to, and that have not answered, by name.
    pub unanswered: Vec<String>,
    /// All of it as one network. Its deadlock is the first that a node reports.
    pub snapshot: Snapshot,
    /// The other deadlocks that nodes report, each once.
    pub more_deadlocks: Vec<Deadlock>,
}

/// A node of a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSeen {
    /// Its name.
    pub name: String,
    /// The number of its program's run.
    #[serde(with = "super::hexadecimal")]
    pub incarnation: u64,
    /// The name of its network.
    pub network: String,
    /// How many of its processes are not in the picture.
    pub processes_left_out: u64,
    /// How many of its channels are not in the picture.
    pub channels_left_out: u64,
}

impl System {
    /// The picture of what these nodes have said. One that is there twice, with the same name and the same run, counts once.
    #[must_use]
    pub fn of(nodes: Vec<NodeSnapshot>) -> Self {
        let mut known = BTreeSet::new();
        let mut nodes = nodes;
        nodes.retain(|node| known.insert((node.incarnation, node.node.clone())));
        let mut names = Names::of(&nodes);
        let joined = Joined::of(&nodes, &mut names);
        let mut processes = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            for (number, process) in node.snapshot.processes.iter().enumerate() {
                let waits = process.waits.iter();
                let id = names.listed(at, number);
                processes.push(ProcessSeen {
                    id,
                    name: names.name(id).to_owned(),
                    waits: waits
                        .map(|wait| joined.wait(&mut names, at, id, wait))
                        .collect(),
                    ..process.clone()
                });
            }
        }
        processes.extend(joined.strangers().map(|(id, name)| stranger(id, name)));
        let mut deadlocks = told::deadlocks(&nodes, &joined, &mut names).into_iter();
        let deadlock = deadlocks.next();
        let snapshot = Snapshot {
            network: of_all(&nodes),
            age_ms: nodes.iter().map(|it| it.snapshot.age_ms).max().unwrap_or(0),
            is_running: nodes.iter().any(|it| it.snapshot.is_running),
            undecided: match deadlock {
                Some(_) => None,
                None => told::undecided(&nodes, &joined, &names),
            },
            deadlock,
            bottleneck: Bottleneck::of(&processes),
            processes,
            unsent: told::unsent(&nodes),
            unsent_count: nodes
                .iter()
                .fold(0, |sum, it| it.snapshot.unsent_count.saturating_add(sum)),
            channels: joined.channels,
        };
        Self {
            unanswered: joined.unanswered,
            nodes: nodes.into_iter().map(NodeSeen::from).collect(),
            snapshot,
            more_deadlocks: deadlocks.collect(),
        }
    }

    /// The system as a drawing in the language of Graphviz; see [`Snapshot::to_dot`].
    #[must_use]
    pub fn to_dot(&self) -> String {
        self.snapshot.to_dot()
    }

    /// The system as a JSON object, with the names of the fields as they are here.
    ///
    /// # Panics
    ///
    /// Never: it is plain data.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("it is plain data, whose keys are text")
    }

    /// What is to be said beside the picture, in sentences: who did not answer, what was left out, and further deadlocks.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for peer in &self.unanswered {
            notes.push(format!("peer `{peer}` did not answer"));
        }
        for node in &self.nodes {
            let (processes, channels) = (node.processes_left_out, node.channels_left_out);
            if processes > 0 || channels > 0 {
                notes.push(format!(
                    "{} has left out {processes} processes and {channels} channels: there are too many for a message",
                    node.name
                ));
            }
        }
        notes.extend(self.more_deadlocks.iter().map(ToString::to_string));
        notes
    }
}

impl fmt::Display for System {
    /// The notes, a line each, then the text of the snapshot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in self.notes() {
            writeln!(f, "{}", on_one_line(&note))?;
        }
        write!(f, "{}", self.snapshot)
    }
}

/// Text on one line, as it is but for what would command a terminal.
fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

impl From<NodeSnapshot> for NodeSeen {
    fn from(seen: NodeSnapshot) -> Self {
        Self {
            name: seen.node,
            incarnation: seen.incarnation,
            network: seen.snapshot.network,
            processes_left_out: seen.processes_left_out,
            channels_left_out: seen.channels_left_out,
        }
    }
}

/// How many nodes the name of a system names.
const NODES_NAMED: usize = 4;

fn of_all(nodes: &[NodeSnapshot]) -> String {
    let names: Vec<&str> = nodes.iter().map(|it| &*it.node).take(NODES_NAMED).collect();
    let mut all = names.join(", ");
    if nodes.len() > names.len() {
        let _ = write!(all, " and {} more", nodes.len() - names.len());
    }
    all
}

/// Whoever is at the other end of a link, as a process of which nothing is known.
fn stranger(id: u64, name: &str) -> ProcessSeen {
    ProcessSeen {
        id,
        name: name.to_owned(),
        kind: Kind::Attached,
        state: Doing::Outside,
        for_ms: 0,
        turns: 0,
        waits: Vec::new(),
        blocked_part: 0.0,
        waited_for_by: 0.0,
    }
}

#[cfg(test)]
mod tests;
