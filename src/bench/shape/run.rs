//! Runs a shape over one capacity, and watches it.

use std::mem::size_of;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use super::gauge::{Gauge, resident_bytes};
use super::link::{Held, Rx, Tx, Unit, open};
use super::model::{Capacity, Shape, float};
use super::outcome::{Latency, Memory, Moment, Outcome, Producer, Stage, Units};
use super::stage::{self, Finished, Produced, Spent};

/// As many points as a picture can show; a run is watched that often.
const MOMENTS: u32 = 240;
/// No oftener than this: watching takes time from those who are watched.
const LEAST_INTERVAL: Duration = Duration::from_millis(5);

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Units finished.
    pub done: u64,
    /// Units in all channels.
    pub held: usize,
}

/// Runs one shape over one capacity after the other.
#[derive(Debug)]
pub struct Runner<'a> {
    shape: &'a Shape,
    /// Bytes in memory before the first run, where the system tells.
    resident_before: Option<u64>,
    /// The most bytes in memory during any run so far.
    resident_most: u64,
}

impl<'a> Runner<'a> {
    /// One that has run nothing yet.
    #[must_use]
    pub fn new(shape: &'a Shape) -> Self {
        Self {
            shape,
            resident_before: resident_bytes(),
            resident_most: 0,
        }
    }

    /// Runs the shape over channels of this capacity, and says now and then how far it is.
    ///
    /// Blocks until all units are through, or until [`Shape::limit`].
    ///
    /// # Panics
    ///
    /// If the shape has no stage, or a thread cannot be started.
    pub fn run(&mut self, capacity: Capacity, say: &mut dyn FnMut(Progress)) -> Outcome {
        let (mut outcome, resident) = run(self.shape, capacity, say);
        outcome.memory.resident_growth_bytes = self.growth(resident);
        outcome
    }

    /// How much more memory the process had than before the first run; nothing if an earlier run had as much,
    /// because what that one did not give back cannot be told from what this one used.
    fn growth(&mut self, resident: Option<u64>) -> Option<u64> {
        let (before, peak) = (self.resident_before?, resident?);
        let is_more = peak > self.resident_most;
        self.resident_most = self.resident_most.max(peak);
        is_more.then_some(peak.saturating_sub(before))
    }
}

fn run(shape: &Shape, capacity: Capacity, say: &mut dyn FnMut(Progress)) -> (Outcome, Option<u64>) {
    let channels: Vec<(Tx, Rx, Held)> = shape.work.iter().map(|_| open(capacity)).collect();
    let mut txs = Vec::new();
    let mut rxs = Vec::new();
    let mut views = Vec::new();
    for (tx, rx, held) in channels {
        txs.push(tx);
        rxs.push(rx);
        views.push(held);
    }
    let gauge = Gauge::new(views.len());
    let (produced, spent, finished, watched) = thread::scope(|scope| {
        let (gauge, views) = (&gauge, &views);
        let all_held = || views.iter().map(Held::now).sum::<usize>();
        let mut txs = txs.into_iter();
        let first = txs.next();
        let source = scope.spawn(move || match first {
            Some(tx) => stage::produce(shape, &tx, gauge, all_held),
            None => Produced::default(),
        });
        let mut relays = Vec::new();
        let mut last = None;
        for (number, rx) in rxs.into_iter().enumerate() {
            match txs.next() {
                Some(tx) => {
                    relays.push(scope.spawn(move || stage::relay(shape, number, &rx, &tx, gauge)));
                }
                None => last = Some(scope.spawn(move || stage::finish(shape, number, &rx, gauge))),
            }
        }
        let last = last.expect("a shape has a stage");
        let watched = watch(shape, gauge, views, &last, say);
        let produced = joined(source);
        let mut spent: Vec<Spent> = relays.into_iter().map(joined).collect();
        let (last_spent, finished) = joined(last);
        spent.push(last_spent);
        (produced, spent, finished, watched)
    });
    let held = watched.held.max(produced.held_at_end);
    let memory = Memory {
        held_peak: gauge.peaks(),
        held_together: held,
        held_at_end_of_input: produced.held_at_end,
        unit_bytes: size_of::<Unit>() + shape.unit_bytes,
        held_bytes: held * (size_of::<Unit>() + shape.unit_bytes),
        resident_growth_bytes: None,
    };
    let outcome = Outcome {
        capacity,
        channel: capacity.channel(),
        units: units(shape, &produced, &finished),
        elapsed: finished.last,
        throughput: float(finished.done) / finished.last.as_secs_f64().max(f64::MIN_POSITIVE),
        latency_us: latency(&finished),
        producer: Producer {
            waited: produced.waited,
            longest_wait: produced.longest,
            first_shortage: produced.first_shortage,
        },
        stages: spent.into_iter().map(stage).collect(),
        memory,
        course: watched.course,
    };
    (outcome, watched.resident)
}

/// A panic of a thread of the run goes on in the one that waits for it.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn units(shape: &Shape, produced: &Produced, finished: &Finished) -> Units {
    Units {
        asked: shape.units,
        done: finished.done,
        unfinished: finished.unfinished,
        not_sent: shape.units - produced.sent,
    }
}

fn latency(finished: &Finished) -> Latency {
    let at = |quantile| finished.latency_us.value_at_quantile(quantile);
    Latency {
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        max: finished.latency_us.max(),
    }
}

fn stage(spent: Spent) -> Stage {
    Stage {
        waited_to_receive: spent.receiving,
        worked: spent.working,
        waited_to_send: spent.sending,
    }
}

/// What was seen from outside.
struct Watched {
    course: Vec<Moment>,
    held: usize,
    resident: Option<u64>,
}

/// Looks at the run at even intervals until its last stage has ended, and ends it at its limit.
fn watch<T>(
    shape: &Shape,
    gauge: &Gauge,
    views: &[Held],
    last: &ScopedJoinHandle<'_, T>,
    say: &mut dyn FnMut(Progress),
) -> Watched {
    let interval = (shape.production() / MOMENTS).max(LEAST_INTERVAL);
    let mut watched = Watched {
        course: Vec::new(),
        held: 0,
        resident: None,
    };
    while !last.is_finished() {
        thread::sleep(interval);
        let now = gauge.start.elapsed();
        if now >= shape.limit() {
            gauge.stop();
        }
        let mut held = 0;
        for (channel, gauged) in views.iter().enumerate() {
            let here = gauged.now();
            gauge.saw_held(channel, here);
            held += here;
        }
        if !gauge.is_stopped() {
            watched.course.push(Moment {
                at: now,
                held,
                producer_late: gauge.producer_late(),
            });
        }
        watched.held = watched.held.max(held);
        watched.resident = watched.resident.max(resident_bytes());
        say(Progress {
            done: gauge.done(),
            held,
        });
    }
    watched
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_an_earlier_run_may_have_left_is_not_told() {
        let shape = Shape::default();
        let mut runner = Runner::new(&shape);
        runner.resident_before = Some(100);
        assert_eq!(runner.growth(Some(150)), Some(50));
        assert_eq!(runner.growth(Some(400)), Some(300));
        assert_eq!(runner.growth(Some(390)), None);
        assert_eq!(runner.growth(None), None);
    }
}
