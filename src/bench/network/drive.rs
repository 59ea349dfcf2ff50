//! All contenders of a workload, interleaved round by round.

use std::time::Duration;

use super::{
    contenders::Contender,
    program::{Failed, Runner},
    record::{Order, Record},
    workload::Workload,
};
use crate::bench::measure::fitting_count;

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How often each contender runs, besides the runs that find out how much fits into the time.
    pub rounds: usize,
    /// About how long one run takes, but for [`Workload::Blocked`], whose one lap takes as long as it takes.
    pub run: Duration,
    /// The size of every network whose size is free; `None` for the usual one.
    pub size: Option<usize>,
}

/// What came of a workload.
#[derive(Debug, Clone)]
pub struct WorkloadResult {
    /// Which.
    pub workload: Workload,
    /// How large.
    pub size: usize,
    /// Ours is the first, if it took part.
    pub contenders: Vec<ContenderResult>,
}

/// What came of one contender in a workload.
#[derive(Debug, Clone)]
pub struct ContenderResult {
    /// Who.
    pub contender: Contender,
    /// One for each round.
    pub records: Vec<Record>,
}

/// Measures everybody of `contenders` who takes part in `workload`; `None` if nobody does. In each round everybody
/// runs once, and each round begins with another one. Blocks for about `rounds × contenders × run`.
///
/// # Errors
///
/// If a run fails: then figures of the others would not be of the same work either.
pub fn measure(
    workload: Workload,
    contenders: &[Contender],
    plan: &Plan,
    runner: &dyn Runner,
) -> Result<Option<WorkloadResult>, Failed> {
    let size = match (workload, plan.size) {
        (Workload::CommsTime | Workload::Pipeline, _) | (_, None) => workload.usual_size(),
        (_, Some(size)) => size,
    };
    let takes_part = |one: &&Contender| one.workloads.contains(&workload);
    let mut parties: Vec<Party> = Vec::new();
    for contender in contenders.iter().filter(takes_part) {
        parties.push(Party::prepared(contender, workload, size, plan, runner)?);
    }
    let count = parties.len();
    for round in 0..plan.rounds {
        for turn in 0..count {
            let party = &mut parties[(round + turn) % count];
            let record = runner.run(&party.contender, &party.order)?;
            party.records.push(record);
        }
    }
    let contenders = parties.into_iter().map(|party| ContenderResult {
        contender: party.contender,
        records: party.records,
    });
    Ok((count > 0).then(|| WorkloadResult {
        workload,
        size,
        contenders: contenders.collect(),
    }))
}

struct Party {
    contender: Contender,
    order: Order,
    records: Vec<Record>,
}

impl Party {
    /// Finds out how much the contender does in the time of a run.
    fn prepared(
        contender: &Contender,
        workload: Workload,
        size: usize,
        plan: &Plan,
        runner: &dyn Runner,
    ) -> Result<Self, Failed> {
        let order = |count| Order {
            workload,
            count,
            size,
        };
        let count = match workload {
            Workload::Blocked => 1,
            _ => fitting_count(plan.run, |count| {
                let record = runner.run(contender, &order(count))?;
                Ok(record.elapsed(workload))
            })?,
        };
        Ok(Self {
            contender: *contender,
            order: order(count),
            records: Vec::with_capacity(plan.rounds),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::bench::{network::contenders, run::Run};

    /// Takes a microsecond for a unit, and notes who ran.
    #[derive(Default)]
    struct Notes {
        orders: RefCell<Vec<(&'static str, Order)>>,
        fails: Option<&'static str>,
    }

    impl Runner for Notes {
        fn run(&self, contender: &Contender, order: &Order) -> Result<Record, Failed> {
            self.orders.borrow_mut().push((contender.name, *order));
            if self.fails == Some(contender.name) {
                return Err(Failed {
                    contender: contender.name,
                    order: *order,
                    reason: "it was told to".into(),
                });
            }
            let units = order.workload.units(order.count, order.size);
            let run = Run {
                units,
                elapsed: Duration::from_micros(units),
                cpu: Duration::ZERO,
                polls: None,
            };
            Ok(Record::of_run(contender.name, order, &run))
        }
    }

    const PLAN: Plan = Plan {
        rounds: 3,
        run: Duration::from_millis(400),
        size: Some(50),
    };

    #[test]
    fn every_round_runs_everybody_once_and_begins_with_another() {
        let notes = Notes::default();
        let all = contenders();
        let result = measure(Workload::Blocked, &all, &PLAN, &notes);
        let result = result.unwrap().unwrap();
        let names: Vec<_> = result
            .contenders
            .iter()
            .map(|one| one.contender.name)
            .collect();
        assert!(names.len() >= 3 && names.len() < all.len(), "{names:?}");
        let orders = notes.orders.into_inner();
        assert_eq!(orders.len(), 3 * names.len());
        for (round, orders) in orders.chunks(names.len()).enumerate() {
            for (turn, (name, order)) in orders.iter().enumerate() {
                assert_eq!(*name, names[(round + turn) % names.len()]);
                assert_eq!((order.count, order.size), (1, 50));
            }
        }
        for one in result.contenders {
            assert_eq!(one.records.len(), 3);
        }
    }

    #[test]
    fn a_run_is_as_long_as_planned() {
        let notes = Notes::default();
        let result = measure(Workload::Ring, &contenders(), &PLAN, &notes);
        for one in result.unwrap().unwrap().contenders {
            for record in one.records {
                // 50 processes of a microsecond each.
                assert_eq!(record.count, 400_000 / 50);
            }
        }
    }

    #[test]
    fn whoever_fails_ends_the_measurement_by_name() {
        let notes = Notes {
            fails: Some("go:0"),
            ..Notes::default()
        };
        let failed = measure(Workload::Ring, &contenders(), &PLAN, &notes).unwrap_err();
        let said = failed.to_string();
        assert!(said.starts_with("go:0 in ring"), "{said}");
        assert!(said.ends_with("it was told to"), "{said}");
    }
}
