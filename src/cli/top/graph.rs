//! Who waits for whom, as lines of a tree: below each process stand those that wait for it.
//!
//! A process stands with those below it once; where it is come to again (a process may wait for several) it is only
//! named. So the tree is no larger than the waits, and a cycle ends it.

use std::collections::{HashMap, HashSet};

use super::words::{self, State};
use crate::cli::limits;
use crate::process::{Deadlock, Doing, Snapshot, Wait};

/// A line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How many stand above it.
    pub depth: usize,
    /// What the process is doing; nothing on a line that is no process.
    pub state: Option<State>,
    /// The process, or a heading.
    pub name: String,
    /// What it waits for, or what else is to be said.
    pub note: String,
}

impl Line {
    fn heading(name: &str) -> Self {
        Self {
            depth: 0,
            state: None,
            name: name.into(),
            note: String::new(),
        }
    }
}

struct Node<'a> {
    name: &'a str,
    state: State,
    waits: &'a [Wait],
    /// Who waits for it, and with which of its waits.
    waiters: Vec<(usize, usize)>,
    is_told: bool,
}

/// The tree of a snapshot: from a deadlock's cycle first, then from the bottleneck, then from all others that
/// somebody waits for.
pub fn lines(snapshot: &Snapshot) -> Vec<Line> {
    let mut graph = Graph::new(snapshot);
    if let Some(deadlock) = &snapshot.deadlock {
        graph.cycle(&deadlock.cycle_names());
    }
    let bottleneck = snapshot.bottleneck.as_ref();
    if let Some(node) = bottleneck.and_then(|it| graph.by_name.get(it.process.as_str()).copied())
        && !graph.nodes[node].is_told
    {
        graph.say(Line::heading("bottleneck: most others wait for it"));
        graph.tree(node, 0, String::new());
    }
    graph.rest();
    graph.lines
}

struct Graph<'a> {
    nodes: Vec<Node<'a>>,
    by_name: HashMap<&'a str, usize>,
    lines: Vec<Line>,
    /// How many lines there was no place for.
    left_out: usize,
}

impl<'a> Graph<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let deadlocked = words::deadlocked(snapshot);
        let mut graph = Self {
            nodes: Vec::with_capacity(snapshot.processes.len()),
            by_name: HashMap::with_capacity(snapshot.processes.len()),
            lines: Vec::new(),
            left_out: 0,
        };
        for process in &snapshot.processes {
            let state = State::of(process, &deadlocked);
            // A process that is not blocked waits for nobody, whatever it may be looking at.
            let waits = match process.state {
                Doing::Blocked | Doing::Outside => process.waits.as_slice(),
                Doing::NotBegun | Doing::Running | Doing::Ready => &[],
            };
            graph.add(&process.name, state, waits);
        }
        // After the end of a run its processes may be gone, and the deadlock is all that is left of them.
        for blocked in snapshot.deadlock.iter().flat_map(Deadlock::processes) {
            graph.add(&blocked.process, State::Deadlocked, &blocked.waits);
        }
        graph.join();
        graph
    }

    fn add(&mut self, name: &'a str, state: State, waits: &'a [Wait]) {
        let next = self.nodes.len();
        if *self.by_name.entry(name).or_insert(next) == next {
            self.nodes.push(Node {
                name,
                state,
                waits,
                waiters: Vec::new(),
                is_told: false,
            });
        }
    }

    fn join(&mut self) {
        for waiter in 0..self.nodes.len() {
            let waits = self.nodes[waiter].waits;
            for (at, wait) in waits.iter().enumerate() {
                for name in &wait.waits_for {
                    if let Some(&node) = self.by_name.get(name.as_str()) {
                        let waiters = &mut self.nodes[node].waiters;
                        if waiters.last().is_none_or(|(last, _)| *last != waiter) {
                            waiters.push((waiter, at));
                        }
                    }
                }
            }
        }
    }

    fn say(&mut self, line: Line) {
        if self.lines.len() < limits::GRAPH_LINES {
            self.lines.push(line);
        } else {
            self.left_out += 1;
        }
    }

    /// The cycle in its order, and below each of its members those that wait for it from outside the cycle.
    fn cycle(&mut self, names: &[&str]) {
        let members: Vec<usize> = names
            .iter()
            .filter_map(|name| self.by_name.get(name).copied())
            .collect();
        if members.is_empty() {
            return;
        }
        self.say(Line::heading(
            "deadlock: each waits for the next, the last for the first",
        ));
        for &node in &members {
            self.nodes[node].is_told = true;
        }
        let inside: HashSet<usize> = members.iter().copied().collect();
        for (at, &node) in members.iter().enumerate() {
            let next = self.nodes[members[(at + 1) % members.len()]].name;
            let waits = self.nodes[node].waits;
            let wait = waits
                .iter()
                .find(|wait| wait.waits_for.iter().any(|name| name == next));
            let note = wait.or(waits.first()).map_or_else(String::new, waits_for);
            self.say(self.line(node, 0, note));
            let waiters = self.nodes[node].waiters.clone();
            for (waiter, wait) in waiters {
                if !inside.contains(&waiter) {
                    self.tree(waiter, 1, words::operation(&self.nodes[waiter].waits[wait]));
                }
            }
        }
    }

    fn line(&self, at: usize, depth: usize, note: String) -> Line {
        Line {
            depth,
            state: Some(self.nodes[at].state),
            name: self.nodes[at].name.into(),
            note,
        }
    }

    /// A process, and below it those that wait for it.
    fn tree(&mut self, root: usize, depth: usize, note: String) {
        let mut next = vec![(root, depth, note)];
        while let Some((node, depth, mut note)) = next.pop() {
            let is_again = std::mem::replace(&mut self.nodes[node].is_told, true);
            if is_again && !self.nodes[node].waiters.is_empty() {
                note.push_str(" (those who wait for it stand elsewhere)");
            }
            self.say(self.line(node, depth, note));
            if !is_again {
                let waiters = self.nodes[node].waiters.iter().rev();
                let below = waiters.map(|&(waiter, wait)| {
                    let note = words::operation(&self.nodes[waiter].waits[wait]);
                    (waiter, depth + 1, note)
                });
                next.extend(below.collect::<Vec<_>>());
            }
        }
    }

    /// All that nobody has told of: first those that wait for nobody and are waited for by most.
    fn rest(&mut self) {
        let mut roots: Vec<usize> = (0..self.nodes.len())
            .filter(|&at| self.nodes[at].waits.is_empty() && !self.nodes[at].waiters.is_empty())
            .collect();
        roots.sort_by_key(|&at| std::cmp::Reverse(self.nodes[at].waiters.len()));
        // Then those that wait for somebody whom the network does not know; then what is left of cycles.
        let is_known = |wait: &Wait| !wait.waits_for.is_empty() && !wait.is_open;
        let waiting = (0..self.nodes.len()).filter(|&at| !self.nodes[at].waits.is_empty());
        let (inside, outside): (Vec<_>, Vec<_>) =
            waiting.partition(|&at| self.nodes[at].waits.iter().all(is_known));
        roots.extend(outside.into_iter().chain(inside));
        let mut is_first = !self.lines.is_empty();
        for root in roots {
            if self.nodes[root].is_told {
                continue;
            }
            if std::mem::take(&mut is_first) {
                self.say(Line::heading("others that are waited for"));
            }
            let note = self.nodes[root]
                .waits
                .first()
                .map_or_else(String::new, waits_for);
            self.tree(root, 0, note);
        }
        if self.left_out > 0 {
            let more = words::grouped(self.left_out as u64);
            self.lines
                .push(Line::heading(&format!("and {more} more lines")));
        }
    }
}

fn waits_for(wait: &Wait) -> String {
    format!("waits for {}", words::wait(wait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::sample;
    use crate::process::Waiting;

    /// The lines as a person reads them.
    fn read(snapshot: &Snapshot) -> Vec<String> {
        let text = |line: &Line| {
            let sign = line.state.map_or(' ', State::sign);
            format!(
                "{}{sign} {} {}",
                "  ".repeat(line.depth),
                line.name,
                line.note
            )
        };
        lines(snapshot)
            .iter()
            .map(text)
            .map(|line| line.trim().to_owned())
            .collect()
    }

    #[test]
    fn below_the_bottleneck_stand_those_that_wait_for_it() {
        let lines = lines(&sample::running());
        let depths: Vec<(usize, &str)> = lines
            .iter()
            .map(|line| (line.depth, line.name.as_str()))
            .collect();
        assert_eq!(
            depths,
            [
                (0, "bottleneck: most others wait for it"),
                (0, "collector"),
                (1, "worker 2"),
                (2, "producer"),
                (0, "others that are waited for"),
                (0, "worker 1"),
                (1, "producer"),
            ]
        );
    }

    #[test]
    fn a_cycle_comes_first_with_who_hangs_on_it() {
        assert_eq!(
            read(&sample::deadlocked()),
            [
                "deadlock: each waits for the next, the last for the first",
                "! a waits for b (sending on \"up\" at pipeline.rs:31)",
                "! c receiving on \"news\" at pipeline.rs:50",
                "! b waits for a (sending on \"down\" at pipeline.rs:44)",
            ]
        );
    }

    #[test]
    fn a_deadlock_shows_also_when_its_processes_are_gone() {
        let mut after = sample::deadlocked();
        let before = read(&after);
        after.processes.clear();
        assert_eq!(read(&after), before);
    }

    #[test]
    fn a_cycle_that_is_not_proved_a_deadlock_ends() {
        let mut snapshot = sample::deadlocked();
        snapshot.deadlock = None;
        snapshot.processes[0].waits = vec![sample::wait(Waiting::Send, "self", 1, &["a", "b"])];
        let lines = read(&snapshot);
        assert_eq!(
            lines.iter().filter(|line| line.starts_with("# b")).count(),
            1,
            "{lines:?}"
        );
        assert!(
            lines.iter().any(|line| line.contains("stand elsewhere")),
            "{lines:?}"
        );
    }

    #[test]
    fn a_chain_of_thousands_is_as_deep_as_it_is() {
        let lines = lines(&sample::large(10_000));
        assert_eq!(lines.last().map(|line| line.depth), Some(10_000));
        assert_eq!(lines.len(), 10_002);
    }

    #[test]
    fn more_lines_than_there_may_be_are_counted() {
        let mut snapshot = sample::large(0);
        let all: Vec<String> = (0..200).map(|at| format!("server {at}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        for name in &all {
            let server = sample::process_seen(name, Doing::Running, vec![]);
            snapshot.processes.push(server);
        }
        for at in 0..200 {
            let waits = vec![sample::wait(Waiting::Send, "any", 1, &all)];
            let client = sample::process_seen(&format!("client {at}"), Doing::Blocked, waits);
            snapshot.processes.push(client);
        }
        let lines = lines(&snapshot);
        assert_eq!(lines.len(), limits::GRAPH_LINES + 1);
        // The bottleneck and its heading, a heading, 200 servers each with 200 clients.
        let more = words::grouped((2 + 1 + 200 * 201 - limits::GRAPH_LINES) as u64);
        assert_eq!(lines.last().unwrap().name, format!("and {more} more lines"));
    }
}
