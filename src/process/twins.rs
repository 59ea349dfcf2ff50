//! Telling apart what has one name: where people read it each of such has its number behind its name.
//!
//! Names are for people, and nobody sees to it that no name is given twice. What a report says of them is keyed by
//! numbers; the texts and drawings that are made of it take it [distinct](Snapshot::distinct), so that they may go by
//! names.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use super::{
    report::{Blocked, Deadlock, Wait},
    snapshot::Snapshot,
};

impl Snapshot {
    /// The same, but no two processes have one name, and no two channels: those that had are called by their name and
    /// their number, such as `worker #12`, everywhere.
    #[must_use]
    pub fn distinct(&self) -> Cow<'_, Self> {
        let told = || self.deadlock.iter().flat_map(Deadlock::processes);
        let processes = self.processes.iter().map(|it| (it.id, &*it.name));
        let channels = self.channels.iter().map(|it| (it.id, &*it.name));
        let names = Names {
            processes: numbered(processes.chain(told().map(of_process))),
            channels: numbered(channels.chain(told().flat_map(of_channels))),
        };
        if names.are_all_different() {
            return Cow::Borrowed(self);
        }
        let mut distinct = self.clone();
        for process in &mut distinct.processes {
            names.rename_process(process.id, &mut process.name);
            names.rename_waits(&mut process.waits);
        }
        for channel in &mut distinct.channels {
            names.rename_channel(channel.id, &mut channel.name);
            names.rename_all(&mut channel.sender_ids, &mut channel.senders);
            names.rename_all(&mut channel.receiver_ids, &mut channel.receivers);
        }
        if let Some(deadlock) = &mut distinct.deadlock {
            names.rename_deadlock(deadlock);
        }
        if let Some(bottleneck) = &mut distinct.bottleneck {
            names.rename_process(bottleneck.process_id, &mut bottleneck.process);
        }
        Cow::Owned(distinct)
    }
}

impl Deadlock {
    /// The same, but no two processes have one name, and no two channels: those that had are called by their name and
    /// their number, such as `worker #12`, everywhere.
    #[must_use]
    pub fn distinct(&self) -> Cow<'_, Self> {
        let names = Names {
            processes: numbered(self.processes().map(of_process)),
            channels: numbered(self.processes().flat_map(of_channels)),
        };
        if names.are_all_different() {
            return Cow::Borrowed(self);
        }
        let mut distinct = self.clone();
        names.rename_deadlock(&mut distinct);
        Cow::Owned(distinct)
    }
}

fn of_process(blocked: &Blocked) -> (u64, &str) {
    (blocked.process_id, &blocked.process)
}

fn of_channels(blocked: &Blocked) -> impl Iterator<Item = (u64, &str)> {
    let waits = blocked.waits.iter();
    waits.map(|wait| (wait.channel_id, &*wait.channel))
}

/// What is called by its number too, with that.
struct Names {
    processes: HashMap<u64, String>,
    channels: HashMap<u64, String>,
}

impl Names {
    fn are_all_different(&self) -> bool {
        self.processes.is_empty() && self.channels.is_empty()
    }

    fn rename_process(&self, id: u64, name: &mut String) {
        if let Some(numbered) = self.processes.get(&id) {
            name.clone_from(numbered);
        }
    }

    fn rename_channel(&self, id: u64, name: &mut String) {
        if let Some(numbered) = self.channels.get(&id) {
            name.clone_from(numbered);
        }
    }

    fn rename_deadlock(&self, deadlock: &mut Deadlock) {
        for blocked in deadlock.cycle.iter_mut().chain(&mut deadlock.others) {
            self.rename_process(blocked.process_id, &mut blocked.process);
            self.rename_waits(&mut blocked.waits);
        }
    }

    fn rename_waits(&self, waits: &mut [Wait]) {
        for wait in waits {
            self.rename_channel(wait.channel_id, &mut wait.channel);
            self.rename_all(&mut wait.waits_for_ids, &mut wait.waits_for);
        }
    }

    /// Processes by their numbers, in the order of their names, each of which is there once.
    fn rename_all(&self, ids: &mut Vec<u64>, names: &mut Vec<String>) {
        if !ids.iter().any(|id| self.processes.contains_key(id)) {
            return;
        }
        // Those that keep their names are in the order of them; twins stand together.
        let mut kept: Vec<String> = Vec::new();
        let mut at = ids.iter().peekable();
        for name in names.drain(..) {
            let is_twin = |id: &&u64| {
                let numbered = self.processes.get(id);
                numbered.is_some_and(|numbered| is_numbered(numbered, &name, **id))
            };
            let mut twins = 0;
            while let Some(id) = at.next_if(is_twin) {
                kept.push(self.processes[id].clone());
                twins += 1;
            }
            if twins == 0 {
                at.next();
                kept.push(name);
            }
        }
        let mut both: Vec<(String, u64)> = kept.into_iter().zip(ids.drain(..)).collect();
        both.sort_unstable();
        (*names, *ids) = both.into_iter().unzip();
    }
}

fn is_numbered(numbered: &str, name: &str, id: u64) -> bool {
    numbered == with_number(name, id)
}

fn with_number(name: &str, id: u64) -> String {
    format!("{name} #{id}")
}

/// Those that must be called by their numbers too, so that no two have one name.
fn numbered<'a>(all: impl Iterator<Item = (u64, &'a str)>) -> HashMap<u64, String> {
    let mut by_name: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for (id, name) in all {
        by_name.entry(name).or_default().insert(id);
    }
    let mut numbered: HashMap<u64, String> = HashMap::new();
    let mut is_taken = HashSet::new();
    // Somebody may be called as another is with its number; then it has its number as well.
    loop {
        let before = numbered.len();
        by_name.retain(|name, ids| {
            let is_clear = ids.len() == 1 && !is_taken.contains(*name);
            if !is_clear {
                numbered.extend(ids.iter().map(|&id| (id, with_number(name, id))));
            }
            is_clear
        });
        if numbered.len() == before {
            return numbered;
        }
        is_taken = numbered.values().cloned().collect();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::sample, *};

    fn all_numbered(all: &[(u64, &str)]) -> Vec<(u64, String)> {
        let mut numbered: Vec<_> = numbered(all.iter().copied()).into_iter().collect();
        numbered.sort_unstable();
        numbered
    }

    #[test]
    fn only_those_of_one_name_have_their_numbers() {
        let all = [(1, "a"), (2, "b"), (3, "a"), (1, "a"), (4, "c")];
        let expected = [(1, "a #1".to_owned()), (3, "a #3".to_owned())];
        assert_eq!(all_numbered(&all), expected);
        assert_eq!(all_numbered(&[(1, "a"), (2, "b")]), []);
    }

    #[test]
    fn who_is_called_as_another_is_with_its_number_has_its_own_too() {
        let all = [(1, "a"), (3, "a"), (4, "a #3"), (5, "a #3 #4"), (6, "a #9")];
        let names: BTreeSet<String> = all_numbered(&all).into_iter().map(|it| it.1).collect();
        let expected = ["a #1", "a #3", "a #3 #4", "a #3 #4 #5"];
        assert_eq!(names, expected.map(str::to_owned).into());
    }

    #[test]
    fn what_is_distinct_is_left_as_it_is() {
        let chain = sample::chain();
        assert!(matches!(chain.distinct(), Cow::Borrowed(_)));
        let deadlock = chain.deadlock.unwrap();
        assert!(matches!(deadlock.distinct(), Cow::Borrowed(_)));
    }

    #[test]
    fn twins_have_their_numbers_wherever_they_are_named() {
        let snapshot = sample::twins();
        let distinct = snapshot.distinct();
        let names: Vec<&str> = distinct.processes.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["desk", "clerk #12", "clerk #13"]);
        let channels: Vec<&str> = distinct.channels.iter().map(|it| &*it.name).collect();
        assert_eq!(channels, ["form #21", "form #22"]);
        let waits = &distinct.processes[0].waits;
        assert_eq!(waits[0].channel, "form #21");
        assert_eq!(waits[0].waits_for, ["clerk #12", "clerk #13"]);
        assert_eq!(waits[0].waits_for_ids, [12, 13]);
        assert_eq!(distinct.channels[0].receivers, ["clerk #12", "clerk #13"]);
        assert_eq!(distinct.channels[1].senders, ["clerk #13"]);
        assert_eq!(distinct.channels[1].receivers, ["desk"]);
        let deadlock = distinct.deadlock.as_ref().unwrap();
        assert_eq!(deadlock.cycle_names(), ["desk", "clerk #12"]);
        assert_eq!(deadlock.others[0].process, "clerk #13");
        assert_eq!(distinct.bottleneck.as_ref().unwrap().process, "clerk #13");
        // Once more it changes nothing.
        assert!(matches!(distinct.distinct(), Cow::Borrowed(_)));
    }

    #[test]
    fn among_others_twins_come_in_the_order_of_names() {
        let names = Names {
            processes: numbered([(7, "b"), (5, "b")].into_iter()),
            channels: HashMap::new(),
        };
        let mut ids = vec![9, 5, 7, 2];
        let mut called: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        names.rename_all(&mut ids, &mut called);
        assert_eq!(called, ["a", "b #5", "b #7", "c"]);
        assert_eq!(ids, [9, 5, 7, 2]);
    }
}
