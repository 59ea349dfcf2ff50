//! Who waits for whom, where there are many: lists that are made in one go, and thrown away together.

use std::num::NonZeroUsize;

/// What waits for each process: a list for each of them, all in two allocations.
pub(super) struct Waiters {
    /// The last link of each list.
    last: Vec<Option<NonZeroUsize>>,
    /// What waits, and the link before; the numbers of links begin with 1.
    links: Vec<(usize, Option<NonZeroUsize>)>,
}

impl Waiters {
    /// For processes with numbers below this.
    pub(super) fn of(processes: usize) -> Self {
        Self {
            last: vec![None; processes],
            links: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, process: u32, waiter: usize) {
        let last = &mut self.last[process as usize];
        self.links.push((waiter, *last));
        *last = NonZeroUsize::new(self.links.len());
    }

    /// What waits for this process, the last one first.
    pub(super) fn at(&self, process: u32) -> impl Iterator<Item = usize> {
        let mut next = self.last[process as usize];
        std::iter::from_fn(move || {
            let (waiter, before) = self.links[next?.get() - 1];
            next = before;
            Some(waiter)
        })
    }

    pub(super) fn has_any(&self, process: u32) -> bool {
        self.last[process as usize].is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Waiters;

    #[test]
    fn each_process_has_a_list_of_its_own() {
        let mut waiters = Waiters::of(3);
        for (process, waiter) in [(0, 7), (2, 0), (0, 8), (2, 9), (0, 7)] {
            waiters.add(process, waiter);
        }
        let at = |process| waiters.at(process).collect::<Vec<_>>();
        assert_eq!([at(0), at(1), at(2)], [vec![7, 8, 7], vec![], vec![9, 0]]);
        assert!(waiters.has_any(0) && !waiters.has_any(1) && waiters.has_any(2));
    }
}
