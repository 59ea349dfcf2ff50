//! What is asked of a contender, and the line that it answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{LightProcesses, Processes, stopwatch::Lapped, workload::Workload};
use crate::bench::{run::Run, statistics::nanoseconds_each};

/// What a contender is to do, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The work.
    pub workload: Workload,
    /// How often: numbers for the consumer, messages, laps, round trips of a pair.
    pub count: u64,
    /// Processes of a ring, or pairs; at least 2.
    pub size: usize,
}

/// What came of it: one line of JSON. Times are in nanoseconds for one [unit](Workload::unit).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What was done.
    pub workload: String,
    /// By whom, as it calls itself.
    pub contender: String,
    /// As in the order.
    pub count: u64,
    /// As in the order.
    pub size: usize,
    /// On the clock.
    pub ns_per: f64,
    /// On the processors.
    pub cpu_ns_per: f64,
    /// For a ring: to make one of its processes, up to the end of the first lap.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub build_ns_per: Option<f64>,
    /// For a ring: to end one of its processes, its last hop and giving the memory back included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end_ns_per: Option<f64>,
    /// For a ring: memory of one of its processes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes_per: Option<f64>,
}

impl Record {
    /// Does what was ordered with processes of kind `P`; `None` if that takes light ones.
    #[must_use]
    pub fn of<P: Processes>(contender: &str, order: &Order) -> Option<Self> {
        let run = match order.workload {
            Workload::CommsTime => P::commstime(order.count),
            Workload::Pipeline => P::pipeline(order.count),
            Workload::Pairs(_) | Workload::Ring | Workload::Blocked => return None,
        };
        Some(Self::of_run(contender, order, &run))
    }

    /// Does what was ordered with light processes of kind `P`: they can do everything.
    #[must_use]
    pub fn of_light<P: LightProcesses>(contender: &str, order: &Order) -> Option<Self> {
        Self::of::<P>(contender, order).or_else(|| {
            let Order { count, size, .. } = *order;
            match order.workload {
                Workload::Pairs(threads) => {
                    let run = P::pairs(count, size, threads);
                    Some(Self::of_run(contender, order, &run))
                }
                Workload::Ring | Workload::Blocked => {
                    Some(Self::of_laps(contender, order, &P::ring(count, size)))
                }
                Workload::CommsTime | Workload::Pipeline => None,
            }
        })
    }

    /// Of a run that the order was for.
    pub(super) fn of_run(contender: &str, order: &Order, run: &Run) -> Self {
        Self {
            workload: order.workload.to_string(),
            contender: contender.to_owned(),
            count: order.count,
            size: order.size,
            ns_per: nanoseconds_each(run.elapsed, run.units),
            cpu_ns_per: nanoseconds_each(run.cpu, run.units),
            build_ns_per: None,
            end_ns_per: None,
            bytes_per: None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "bytes far below 2^52")]
    fn of_laps(contender: &str, order: &Order, lapped: &Lapped) -> Self {
        let each = |part: &Run| nanoseconds_each(part.elapsed, part.units);
        Self {
            build_ns_per: Some(each(&lapped.build)),
            end_ns_per: Some(each(&lapped.end)),
            bytes_per: lapped.bytes.map(|bytes| bytes as f64 / order.size as f64),
            ..Self::of_run(contender, order, &lapped.laps)
        }
    }

    /// The time of the part that was against the clock.
    pub(super) fn elapsed(&self, workload: Workload) -> Duration {
        let units = workload.units(self.count, self.size);
        Duration::from_nanos(units).mul_f64(self.ns_per)
    }

    /// Whether it is an answer to this order, with figures that can be.
    #[must_use]
    pub fn answers(&self, contender: &str, order: &Order) -> bool {
        self.workload == order.workload.name()
            && self.contender == contender
            && self.count == order.count
            && self.size == order.size
            && self.ns_per > 0.0
            && self.ns_per.is_finite()
            && self.cpu_ns_per.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: Order = Order {
        workload: Workload::Ring,
        count: 3,
        size: 5,
    };

    fn record(line: &str) -> Record {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn a_line_is_an_answer_only_to_its_own_order() {
        let line = r#"{"workload":"ring","contender":"go:0","count":3,"size":5,"ns_per":412.2,"cpu_ns_per":414}"#;
        let record = record(line);
        assert!(record.answers("go:0", &ORDER));
        assert!(!record.answers("go:64", &ORDER));
        assert!(!record.answers("go:0", &Order { count: 4, ..ORDER }));
        assert!(!record.answers("go:0", &Order { size: 6, ..ORDER }));
        let other = Order {
            workload: Workload::Blocked,
            ..ORDER
        };
        assert!(!record.answers("go:0", &other));
        assert_eq!(record.elapsed(Workload::Ring), Duration::from_nanos(6183));
    }

    #[test]
    fn a_figure_that_cannot_be_is_no_answer() {
        let line = r#"{"workload":"ring","contender":"go:0","count":3,"size":5,"ns_per":0.0,"cpu_ns_per":414}"#;
        assert!(!record(line).answers("go:0", &ORDER));
    }
}
