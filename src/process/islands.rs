//! Which processes of a network on several threads are run by one of them at a time.
//!
//! Processes that are connected by channels make an *island*: they are run as a network on one thread is, with its
//! speed, and whichever thread has time takes the whole of it. Where that would leave threads without work, it is not
//! done: processes that make up more than a thread's share are run by any thread, each for itself, and so are those
//! among which one may start others, for nobody knows how many they will be.

use super::registry::{Kind, Tables};
use crate::sync::{Arc, home::Home};

/// How many islands there are for a thread, at most: enough that all threads have work to the end, and few enough that
/// a million small ones cost a million homes nothing.
const ISLANDS_A_THREAD: usize = 32;

/// Parts the processes, of which none has begun, into islands of the network that is at home in `whole`. Those that are
/// in none stay there.
pub(super) fn part(tables: &Tables, whole: &Arc<Home>, threads: usize) -> Vec<Arc<Home>> {
    let groups = groups(tables);
    let processes: usize = groups.iter().map(|group| group.members.len()).sum();
    let share = processes.div_ceil(threads);
    let is_island = |group: &&Group| {
        threads == 1 || groups.len() >= threads && group.members.len() <= share && !group.may_grow
    };
    let islands = || groups.iter().filter(is_island);
    // On one thread there is nobody to take one from it.
    let most = if threads == 1 {
        1
    } else {
        ISLANDS_A_THREAD * threads
    };
    let in_islands: usize = islands().map(|group| group.members.len()).sum();
    let enough = in_islands.div_ceil(most);
    let mut homes: Vec<Arc<Home>> = Vec::new();
    let mut settled = 0;
    // Neighbours stay together, for they were made together and stand together.
    for group in islands() {
        if settled >= enough || homes.is_empty() {
            homes.push(Arc::new(Home::island_of(whole)));
            settled = 0;
        }
        let Some(home) = homes.last() else { continue };
        settled += group.members.len();
        for &process in &group.members {
            if let Some(entry) = tables.processes.get(process) {
                // SAFETY: no process has begun, and the tables are locked, under which alone it is asked where one is
                // at home that has not.
                unsafe { entry.task.settle(Arc::clone(home)) };
            }
        }
    }
    homes
}

/// Processes that are connected by channels.
struct Group {
    members: Vec<u32>,
    may_grow: bool,
}

/// All of them, in the order of their first members.
fn groups(tables: &Tables) -> Vec<Group> {
    let is_ours = |id: u32| {
        let entry = tables.processes.get(id);
        entry.is_some_and(|entry| entry.kind == Kind::Process)
    };
    let mut connected = Connected::new(tables.processes.bound());
    for (_, channel) in tables.channels.iter() {
        let of_ours = |holders: &[u32]| holders.iter().copied().find(|&id| is_ours(id));
        // Where a side is held by others alone, nobody on the other side talks to one of ours here.
        let (Some(sender), Some(_)) = (of_ours(&channel.senders), of_ours(&channel.receivers))
        else {
            continue;
        };
        for &other in channel.senders.iter().chain(&channel.receivers) {
            if is_ours(other) {
                connected.unite(sender, other);
            }
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of = vec![None; tables.processes.bound()];
    for (id, entry) in tables.processes.iter() {
        if entry.kind != Kind::Process {
            continue;
        }
        let at = *group_of[connected.root(id) as usize].get_or_insert_with(|| {
            groups.push(Group {
                members: Vec::new(),
                may_grow: false,
            });
            groups.len() - 1
        });
        groups[at].members.push(id);
        groups[at].may_grow |= entry.may_start;
    }
    groups
}

/// Which numbers are connected (union-find with path halving; Tarjan and van Leeuwen, 1984).
struct Connected(Vec<u32>);

impl Connected {
    fn new(count: usize) -> Self {
        Self((0..).take(count).collect())
    }

    /// The least of those that `id` is connected with.
    fn root(&mut self, mut id: u32) -> u32 {
        while self.0[id as usize] != id {
            let next = self.0[self.0[id as usize] as usize];
            self.0[id as usize] = next;
            id = next;
        }
        id
    }

    fn unite(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other) as usize] = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{
        HereToken,
        body::Body,
        executor::end_all,
        outcome::Nothing,
        ports::{Ports, tokens},
        registry::Registry,
    };

    struct Parted(Arc<Registry>);

    impl Parted {
        fn new() -> Self {
            Self(Arc::new(Registry::new("parted")))
        }

        fn process<P: Ports + 'static>(&self, name: &str, ports: P) {
            let home = Arc::clone(&self.0.home);
            let idle = async |_: &P::Async| Ok(());
            assert!(Body::new(&self.0, home, name, ports, idle, Nothing).is_some());
        }

        /// So many processes, of which each is connected with the next.
        fn chain(&self, name: &str, length: usize) {
            let links: Vec<_> = (0..=length).map(|_| tokens::<u32>(&self.0, name)).collect();
            for both in links.windows(2) {
                self.process(name, (both[0].1.share(), both[1].0.share()));
            }
        }

        /// How many processes of each name are in each island, in the order of the processes; island 0 is none.
        fn part(&self, threads: usize) -> Vec<(String, usize)> {
            self.0.part(threads);
            let homes = self.0.islands();
            self.0.read(|tables| {
                let of = |entry: &crate::process::registry::ProcessEntry| {
                    let home = entry.task.home().unwrap();
                    let island = homes.iter().position(|other| Arc::ptr_eq(other, home));
                    (
                        entry.name.to_string(),
                        island.map_or(0, |island| island + 1),
                    )
                };
                tables
                    .processes
                    .iter()
                    .map(|(_, entry)| of(entry))
                    .collect()
            })
        }
    }

    impl Drop for Parted {
        fn drop(&mut self) {
            end_all(&self.0);
        }
    }

    fn named(parts: &[(&str, usize)]) -> Vec<(String, usize)> {
        let owned = |&(name, island): &(&str, usize)| (name.to_owned(), island);
        parts.iter().map(owned).collect()
    }

    #[test]
    fn what_is_connected_is_one_island_and_what_is_more_than_its_share_is_none() {
        let parted = Parted::new();
        parted.chain("a", 2);
        parted.chain("long", 6);
        parted.chain("b", 1);
        let expected = [
            ("a", 1),
            ("a", 1),
            ("long", 0),
            ("long", 0),
            ("long", 0),
            ("long", 0),
            ("long", 0),
            ("long", 0),
            ("b", 2),
        ];
        assert_eq!(parted.part(2), named(&expected));
    }

    #[test]
    fn where_there_are_fewer_groups_than_threads_there_is_no_island() {
        let parted = Parted::new();
        parted.chain("a", 1);
        parted.chain("b", 1);
        assert_eq!(parted.part(3), named(&[("a", 0), ("b", 0)]));
    }

    #[test]
    fn those_among_which_one_may_start_others_are_no_island() {
        let parted = Parted::new();
        let (out, into) = tokens::<u32>(&parted.0, "jobs");
        parted.process("starts", (HereToken(()), into));
        parted.process("tells", out);
        parted.chain("a", 2);
        let expected = [("starts", 0), ("tells", 0), ("a", 1), ("a", 1)];
        assert_eq!(parted.part(2), named(&expected));
    }

    #[test]
    fn on_one_thread_all_are_one_island() {
        let parted = Parted::new();
        parted.process("starts", HereToken(()));
        parted.chain("a", 2);
        assert_eq!(parted.part(1), named(&[("starts", 1), ("a", 1), ("a", 1)]));
    }

    #[test]
    fn those_who_all_send_to_nobody_of_ours_are_not_connected() {
        let parted = Parted::new();
        let (out, _) = tokens::<u32>(&parted.0, "log");
        for name in ["a", "b"] {
            parted.process(name, out.share());
        }
        assert_eq!(parted.part(2), named(&[("a", 1), ("b", 2)]));
    }

    #[test]
    fn many_small_ones_share_some_homes() {
        let parted = Parted::new();
        for _ in 0..1_000 {
            parted.chain("a", 1);
        }
        let parts = parted.part(2);
        let most = parts.iter().map(|(_, island)| *island).max().unwrap();
        assert!((32..=64).contains(&most), "{most}");
        let of_first = parts.iter().filter(|(_, island)| *island == 1).count();
        assert_eq!(of_first, 1_000_usize.div_ceil(64));
    }
}
