//! A shortest cycle in a wait-for graph: what a report tells first.

use std::collections::{HashMap, HashSet, VecDeque};

/// How many processes a shortest cycle is looked for from: in a large knot any short one will do.
const STARTS_MAX: usize = 64;

/// A shortest cycle among `all`, from the process with the lowest number on; empty if there is none.
pub(super) fn shortest(all: &[u32], edges: &HashMap<u32, Vec<u32>>) -> Vec<u32> {
    let edges = on_the_way_to_cycles(all, edges);
    // A walk among these never ends, so it comes to go round in a cycle; that is where to look first.
    let first = all.iter().filter(|id| edges.contains_key(id));
    let mut starts: Vec<u32> = first
        .take(STARTS_MAX)
        .filter_map(|&id| on_cycle(id, &edges))
        .collect();
    starts.sort_unstable();
    starts.dedup();
    let cycles = starts.iter().filter_map(|&start| from(start, &edges));
    let shortest = cycles.min_by_key(Vec::len).unwrap_or_default();
    rotated(shortest)
}

/// The edges from which a cycle can be reached: who waits for nobody is left out, again and again.
fn on_the_way_to_cycles(all: &[u32], edges: &HashMap<u32, Vec<u32>>) -> HashMap<u32, Vec<u32>> {
    let inside: HashSet<u32> = all.iter().copied().collect();
    let mut left: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut back: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut ends = Vec::new();
    for &from in all {
        let to = edges.get(&from).into_iter().flatten().copied();
        let to: Vec<u32> = to.filter(|id| inside.contains(id)).collect();
        for &id in &to {
            back.entry(id).or_default().push(from);
        }
        if to.is_empty() {
            ends.push(from);
        } else {
            left.insert(from, to);
        }
    }
    let mut degree: HashMap<u32, usize> = left.iter().map(|(&id, to)| (id, to.len())).collect();
    while let Some(end) = ends.pop() {
        for from in back.remove(&end).unwrap_or_default() {
            if let Some(degree) = degree.get_mut(&from) {
                *degree -= 1;
                if *degree == 0 {
                    left.remove(&from);
                    ends.push(from);
                }
            }
        }
    }
    let kept: HashSet<u32> = left.keys().copied().collect();
    for to in left.values_mut() {
        to.retain(|id| kept.contains(id));
    }
    left
}

fn on_cycle(start: u32, edges: &HashMap<u32, Vec<u32>>) -> Option<u32> {
    let next = |id: u32| edges.get(&id)?.first().copied();
    // Brent's way of finding a cycle with two pointers.
    let (mut slow, mut fast) = (start, next(start)?);
    let (mut power, mut length) = (1_u64, 1_u64);
    while slow != fast {
        if power == length {
            slow = fast;
            power *= 2;
            length = 0;
        }
        fast = next(fast)?;
        length += 1;
    }
    Some(slow)
}

/// The shortest way from `start` back to it.
fn from(start: u32, edges: &HashMap<u32, Vec<u32>>) -> Option<Vec<u32>> {
    let mut came_from: HashMap<u32, u32> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(here) = queue.pop_front() {
        for &there in edges.get(&here).into_iter().flatten() {
            if there == start {
                let mut way = vec![here];
                let mut at = here;
                while at != start {
                    at = *came_from.get(&at)?;
                    way.push(at);
                }
                way.reverse();
                return Some(way);
            }
            came_from.entry(there).or_insert_with(|| {
                queue.push_back(there);
                here
            });
        }
    }
    None
}

fn rotated(mut cycle: Vec<u32>) -> Vec<u32> {
    let first = cycle.iter().enumerate().min_by_key(|(_, id)| **id);
    if let Some((at, _)) = first {
        cycle.rotate_left(at);
    }
    cycle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortest_of(edges: &[(u32, &[u32])]) -> Vec<u32> {
        let all: Vec<u32> = edges.iter().map(|(from, _)| *from).collect();
        let edges = edges.iter().map(|(from, to)| (*from, to.to_vec()));
        shortest(&all, &edges.collect())
    }

    #[test]
    fn a_cycle_is_found_behind_an_edge_that_leads_nowhere() {
        assert_eq!(
            shortest_of(&[(1, &[9, 2]), (2, &[3]), (3, &[1]), (9, &[])]),
            [1, 2, 3]
        );
    }

    #[test]
    fn the_shorter_of_two_is_told() {
        let edges: &[(u32, &[u32])] = &[(1, &[2]), (2, &[3]), (3, &[1]), (4, &[5]), (5, &[4])];
        assert_eq!(shortest_of(edges), [4, 5]);
    }

    #[test]
    fn where_there_is_none_none_is_found() {
        assert_eq!(shortest_of(&[(1, &[2]), (2, &[3]), (3, &[])]), [0; 0]);
    }
}
