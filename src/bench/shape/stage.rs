//! The threads of a run: the producer, the stages, and how they work and wait.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};

use super::gauge::{Gauge, nanoseconds};
use super::link::{NotNow, Rx, Tx, Unit};
use super::model::Shape;

/// The histogram holds latencies up to an hour; more counts as an hour.
const LATENCY_US_MAX: u64 = 3_600_000_000;

/// How a stage spent its time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    pub receiving: Duration,
    pub working: Duration,
    pub sending: Duration,
}

/// What the producer has seen.
#[derive(Clone, Debug, Default)]
pub struct Produced {
    /// Units that went into the pipeline.
    pub sent: u64,
    /// The time that its sends waited.
    pub waited: Duration,
    /// The longest that a send waited.
    pub longest: Duration,
    /// When a send first had waited longer than the time between two units.
    pub first_shortage: Option<Duration>,
    /// What all channels held when the last was sent.
    pub held_at_end: usize,
}

/// What came out.
pub struct Finished {
    pub latency_us: Histogram<u64>,
    pub done: u64,
    /// Units that came out without work, because time was up.
    pub unfinished: u64,
    /// When the last one was finished.
    pub last: Duration,
}

/// Works for given times. What a sleep took too long is taken off the next ones, so that the average holds
/// although a timer is late by tens of microseconds.
struct Worker {
    spin: bool,
    overslept: Duration,
}

impl Worker {
    fn work(&mut self, time: Duration) {
        if self.spin {
            let enough = thread_time() + time;
            while thread_time() < enough {
                hint::spin_loop();
            }
            return;
        }
        let Some(wanted) = time
            .checked_sub(self.overslept)
            .filter(|time| !time.is_zero())
        else {
            self.overslept = self.overslept.saturating_sub(time);
            return;
        };
        let start = Instant::now();
        thread::sleep(wanted);
        self.overslept = start.elapsed().saturating_sub(wanted);
    }
}

/// The processor time of this thread: it stands still while another thread has the core, as computing does.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Offers each unit when it is due, or as soon after as it is taken.
pub fn produce(shape: &Shape, tx: &Tx, gauge: &Gauge, held: impl Fn() -> usize) -> Produced {
    let mut produced = Produced::default();
    let gap = shape.gap();
    for due in shape.schedule() {
        gauge.next_is_due(nanoseconds(due));
        if let Some(early) = due.checked_sub(gauge.start.elapsed()) {
            thread::sleep(early);
        }
        if gauge.is_stopped() {
            break;
        }
        let unit = Unit {
            due_ns: nanoseconds(due),
            // Written to, so that the memory is really used.
            payload: vec![1; shape.unit_bytes].into(),
        };
        let before = Instant::now();
        // Tried first, so that a wait is one that the channel imposed, and not a thread that lost its core.
        let waited = match tx.try_send(unit) {
            Ok(()) => Duration::ZERO,
            Err(NotNow::Wait(unit)) => {
                if !tx.send(unit) {
                    break;
                }
                before.elapsed()
            }
            Err(NotNow::Never) => break,
        };
        gauge.saw_held(0, tx.held());
        produced.sent += 1;
        produced.waited += waited;
        produced.longest = produced.longest.max(waited);
        if waited > gap && produced.first_shortage.is_none() {
            produced.first_shortage = Some(before.duration_since(gauge.start) + gap);
        }
    }
    gauge.end_of_input();
    produced.held_at_end = held();
    produced
}

/// One stage that hands on; `number` is from 0.
pub fn relay(shape: &Shape, number: usize, rx: &Rx, tx: &Tx, gauge: &Gauge) -> Spent {
    let mut spent = Spent::default();
    let mut worker = Worker {
        spin: shape.spin,
        overslept: Duration::ZERO,
    };
    while let Some(unit) = receive_and_work(shape, number, rx, gauge, &mut worker, &mut spent) {
        let before = Instant::now();
        if !tx.send(unit) {
            break;
        }
        spent.sending += before.elapsed();
        gauge.saw_held(number + 1, tx.held());
    }
    spent
}

/// The last stage, which counts.
pub fn finish(shape: &Shape, number: usize, rx: &Rx, gauge: &Gauge) -> (Spent, Finished) {
    let mut spent = Spent::default();
    let mut worker = Worker {
        spin: shape.spin,
        overslept: Duration::ZERO,
    };
    let mut finished = Finished {
        latency_us: Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)
            .expect("the bounds and three digits are within its own limits"),
        done: 0,
        unfinished: 0,
        last: Duration::ZERO,
    };
    while let Some(unit) = receive_and_work(shape, number, rx, gauge, &mut worker, &mut spent) {
        if gauge.is_stopped() {
            finished.unfinished += 1;
            continue;
        }
        let now = gauge.now_ns();
        let late_us = now.saturating_sub(unit.due_ns) / 1000;
        finished.latency_us.saturating_record(late_us);
        finished.done += 1;
        finished.last = Duration::from_nanos(now);
        gauge.finish_one();
        drop(unit.payload);
    }
    (spent, finished)
}

fn receive_and_work(
    shape: &Shape,
    number: usize,
    rx: &Rx,
    gauge: &Gauge,
    worker: &mut Worker,
    spent: &mut Spent,
) -> Option<Unit> {
    let before = Instant::now();
    let unit = rx.recv()?;
    let received = Instant::now();
    spent.receiving += received.duration_since(before);
    if !gauge.is_stopped() {
        worker.work(shape.work[number]);
        spent.working += received.elapsed();
    }
    Some(unit)
}
