//! Who takes part in what.

use super::{
    ours::OnNetwork,
    record::{Order, Record},
    tasks::OnTokio,
    threads::OnThreads,
    workload::{Threads, Workload},
};
use crate::bench::channels::{Crossbeam, Handover, Kanal, Tokio};

/// What this crate's network is called.
const OURS: &str = "handover";

/// The same without the search for deadlocks: what the difference is, the search costs.
const UNSEARCHED: &str = "handover-unsearched";

/// Processes and channels of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Contender {
    /// Its channel, and the capacity if it can have some.
    pub name: &'static str,
    /// What its processes are.
    pub processes: &'static str,
    /// How it is run.
    pub means: Means,
    /// What it takes part in.
    pub workloads: &'static [Workload],
}

/// How a contender is run.
#[derive(Debug, Clone, Copy)]
pub enum Means {
    /// In a copy of this program. `None` for what it cannot do.
    Here(fn(contender: &str, order: &Order) -> Option<Record>),
    /// In the program of `benches/peers/network.go`, with channels of this capacity.
    Go {
        /// Of each channel.
        capacity: usize,
    },
}

impl Contender {
    /// Whether it is this crate's network.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.name == OURS
    }
}

/// All that are measured at the least capacity: everything.
const EVERYTHING: &[Workload] = &Workload::ALL;

/// Where a buffer could make a difference: nowhere else is there more than one message under way.
const IN_A_ROW: &[Workload] = &[Workload::CommsTime, Workload::Pipeline];

/// Where the search for deadlocks could cost something: all but what is over before it was looked twice.
const SEARCHED: &[Workload] = &[
    Workload::CommsTime,
    Workload::Pipeline,
    Workload::Ring,
    Workload::Pairs(Threads::One),
    Workload::Pairs(Threads::Two),
];

const PROCESSES: &str = "processes";
const TASKS: &str = "tasks of tokio";
const THREADS: &str = "threads";
const GOROUTINES: &str = "goroutines";

/// Everybody; ours is the first.
#[must_use]
pub fn contenders() -> Vec<Contender> {
    let here = |name, processes, means, workloads| Contender {
        name,
        processes,
        means: Means::Here(means),
        workloads,
    };
    let go = |name, capacity, workloads| Contender {
        name,
        processes: GOROUTINES,
        means: Means::Go { capacity },
        workloads,
    };
    vec![
        here(OURS, PROCESSES, Record::of_light::<OnNetwork>, EVERYTHING),
        here(
            UNSEARCHED,
            PROCESSES,
            Record::of_light::<OnNetwork<false>>,
            SEARCHED,
        ),
        here(
            "kanal:0",
            TASKS,
            Record::of_light::<OnTokio<Kanal<0>>>,
            EVERYTHING,
        ),
        here(
            "kanal:64",
            TASKS,
            Record::of_light::<OnTokio<Kanal<64>>>,
            IN_A_ROW,
        ),
        here(
            "tokio:1",
            TASKS,
            Record::of_light::<OnTokio<Tokio<1>>>,
            EVERYTHING,
        ),
        here(
            "tokio:64",
            TASKS,
            Record::of_light::<OnTokio<Tokio<64>>>,
            IN_A_ROW,
        ),
        here(
            "handover-channel",
            TASKS,
            Record::of_light::<OnTokio<Handover>>,
            EVERYTHING,
        ),
        here(
            "crossbeam:0",
            THREADS,
            Record::of::<OnThreads<Crossbeam<0>>>,
            IN_A_ROW,
        ),
        here(
            "crossbeam:64",
            THREADS,
            Record::of::<OnThreads<Crossbeam<64>>>,
            IN_A_ROW,
        ),
        go("go:0", 0, EVERYTHING),
        go("go:64", 64, IN_A_ROW),
    ]
}

/// The contender with this name.
#[must_use]
pub fn find(name: &str) -> Option<Contender> {
    contenders().into_iter().find(|other| other.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_contender_has_another_name_by_which_it_is_found() {
        let all = contenders();
        let names: BTreeSet<&str> = all.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(all[0].is_ours());
        for one in all {
            assert_eq!(find(one.name).unwrap().processes, one.processes);
        }
    }

    #[test]
    fn every_contender_keeps_the_checks_of_what_it_takes_part_in() {
        for one in contenders() {
            let Means::Here(work) = one.means else {
                continue;
            };
            for workload in one.workloads {
                let order = Order {
                    workload: *workload,
                    count: 37,
                    size: 5,
                };
                let record = work(one.name, &order).unwrap();
                assert!(record.answers(one.name, &order), "{record:?}");
                let of_ring = workload.is_of_a_ring();
                assert_eq!(record.build_ns_per.is_some(), of_ring, "{record:?}");
                assert_eq!(record.end_ns_per.is_some(), of_ring, "{record:?}");
            }
        }
    }
}
