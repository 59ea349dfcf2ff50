//! Numbers and names of the picture, for those that nodes have given.

use std::collections::HashMap;

use super::super::NodeSnapshot;

/// The longest name, in letters: longer ones are cut, for they come from others and stand in many places.
const LETTERS_MAX: usize = 200;

/// So many bytes of names are listed in all, where one name may be listed many times: beyond it lists are cut short.
const LISTED_BYTES_MAX: usize = 256 << 20;

/// All processes: their numbers and names in the picture.
pub(super) struct Names {
    nodes: Vec<OfNode>,
    /// By number, from 1.
    all: Vec<String>,
    /// How many bytes of names may still be listed.
    left: usize,
}

/// What one node calls its processes.
struct OfNode {
    name: String,
    /// The numbers in the picture of the processes that it lists, in its order.
    listed: Vec<u64>,
    /// From its numbers to those of the picture.
    by_number: HashMap<u64, u64>,
    /// From its names, where one is of one process only.
    by_name: HashMap<String, Option<u64>>,
}

impl Names {
    pub(super) fn of(nodes: &[NodeSnapshot]) -> Self {
        let mut all = Self {
            nodes: Vec::new(),
            all: Vec::new(),
            left: LISTED_BYTES_MAX,
        };
        for (at, node) in nodes.iter().enumerate() {
            all.nodes.push(OfNode {
                name: node.node.clone(),
                listed: Vec::new(),
                by_number: HashMap::new(),
                by_name: HashMap::new(),
            });
            for process in &node.snapshot.processes {
                let id = all.add(qualified(&process.name, &node.node));
                let own = &mut all.nodes[at];
                own.listed.push(id);
                own.by_number.entry(process.id).or_insert(id);
                own.by_name
                    .entry(process.name.clone())
                    .and_modify(|id| *id = None)
                    .or_insert(Some(id));
            }
            // Those that have ended meanwhile are named where they are listed as holders.
            for channel in &node.snapshot.channels {
                all.learn(at, &channel.sender_ids, &channel.senders);
                all.learn(at, &channel.receiver_ids, &channel.receivers);
            }
        }
        all
    }

    /// A further process, of the name as it is.
    pub(super) fn add(&mut self, name: String) -> u64 {
        self.all.push(name);
        self.all.len() as u64
    }

    fn learn(&mut self, node: usize, ids: &[u64], names: &[String]) {
        // With fewer names than numbers it is not known whose they are.
        if ids.len() != names.len() {
            return;
        }
        for (&id, name) in ids.iter().zip(names) {
            if !self.nodes[node].by_number.contains_key(&id) {
                let name = qualified(name, &self.nodes[node].name);
                let own = self.add(name);
                self.nodes[node].by_number.insert(id, own);
            }
        }
    }

    pub(super) fn name(&self, id: u64) -> &str {
        let at = usize::try_from(id).unwrap_or(usize::MAX).wrapping_sub(1);
        self.all.get(at).map_or("", String::as_str)
    }

    /// The process that a node lists at a place.
    pub(super) fn listed(&self, node: usize, at: usize) -> u64 {
        self.nodes[node].listed[at]
    }

    /// The process that a node gives a number. One that it lists nowhere has ended.
    pub(super) fn number(&mut self, node: usize, id: u64) -> u64 {
        if let Some(&own) = self.nodes[node].by_number.get(&id) {
            return own;
        }
        let name = qualified("a process that has ended", &self.nodes[node].name);
        let own = self.add(name);
        self.nodes[node].by_number.insert(id, own);
        own
    }

    /// The process that a node gives a number and a name, if that is one of its own.
    pub(super) fn find(&self, node: usize, id: u64, name: &str) -> Option<u64> {
        let own = *self.nodes[node].by_number.get(&id)?;
        let own_name = qualified(name, &self.nodes[node].name);
        (self.name(own) == own_name).then_some(own)
    }

    /// The process that a node gives a name, if only one has it.
    pub(super) fn named(&self, node: usize, name: &str) -> Option<u64> {
        self.nodes[node].by_name.get(name).copied().flatten()
    }

    /// The processes by their names in the picture, where one is of one process only.
    pub(super) fn by_whole_name(&self) -> HashMap<String, Option<u64>> {
        let mut found: HashMap<String, Option<u64>> = HashMap::new();
        for (id, name) in (1..).zip(&self.all) {
            found
                .entry(name.clone())
                .and_modify(|id| *id = None)
                .or_insert(Some(id));
        }
        found
    }

    /// Processes as they stand in a snapshot: names in alphabetical order, each once, and the numbers of all of them in the
    /// order of their names.
    pub(super) fn list(&mut self, mut ids: Vec<u64>) -> (Vec<String>, Vec<u64>) {
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|&id| {
            let bytes = self.name(id).len() + size_of::<String>();
            let has_room = self.left >= bytes;
            self.left -= if has_room { bytes } else { 0 };
            has_room
        });
        ids.sort_by(|&a, &b| self.name(a).cmp(self.name(b)));
        let mut names: Vec<String> = ids.iter().map(|&id| self.name(id).to_owned()).collect();
        names.dedup();
        (names, ids)
    }
}

/// What is called so at a node, in the picture.
pub(super) fn qualified(name: &str, node: &str) -> String {
    format!("{} at {}", short(name), short(node))
}

/// A name that is not too long.
pub(super) fn short(name: &str) -> String {
    match name.char_indices().nth(LETTERS_MAX) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_owned(),
    }
}
