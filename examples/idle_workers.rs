//! How do I give work only to workers that are idle?
//!
//! One producer, a few workers, units of very different length. No unit may be stuck behind a long one, results
//! come back while work goes out, an abort reaches a busy worker, and the producer needs neither a thread for
//! each worker nor a poll loop.
//!
//! All workers take from *one* channel. A send completes only when somebody took the unit, and a busy worker
//! takes nothing, so whoever takes is idle: there is nothing to keep a list of. The producer waits on one thread
//! for whichever comes first, an idle worker or news from a busy one.
//!
//! ```text
//! cargo run --example idle_workers
//! ```
//!
//! It prints who took which unit. One unit has no end: it keeps its worker, and nothing else waits for that. Once
//! all the others are done the producer aborts it. At the end it prints how much each worker did, the most units
//! that were in hand at once (never more than there are workers), and how long the producer had a unit in its
//! hand and nobody to give it to: the shortage of workers.

use std::{
    error::Error,
    pin::pin,
    thread,
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use handover::{Receiver, Sender, channel};

const WORKERS: usize = 4;
const UNITS: usize = 24;
/// The unit that never ends by itself.
const ENDLESS: usize = 3;

struct Unit {
    number: usize,
    /// How much there is to compute; `None` has no end.
    steps: Option<u64>,
}

/// What a worker tells the producer.
enum Event {
    Took { worker: usize, unit: usize },
    Finished { worker: usize, result: u64 },
    Aborted { worker: usize, unit: usize },
}

fn main() -> Result<(), Box<dyn Error>> {
    let (work, units) = channel();
    let (tell, events) = channel();
    let mut aborts = Vec::new();
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        let (abort, aborted) = channel();
        aborts.push(abort);
        let (units, tell) = (units.clone(), tell.clone());
        workers.push(thread::spawn(move || {
            // The producer is gone: so is the reason to work.
            let _ = work_off(worker, &units, &aborted, &tell);
        }));
    }
    drop((units, tell));

    // Any executor will do. This one runs the producer on this thread, and parks it while nothing happens.
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let summary = runtime.block_on(produce(work, &events, &aborts))?;
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")?;
    }
    summary.print();
    Ok(())
}

/// A worker: takes a unit when it is idle, and looks between two steps whether it is to stop.
fn work_off(
    worker: usize,
    units: &Receiver<Unit>,
    aborted: &Receiver<()>,
    tell: &Sender<Event>,
) -> Result<(), Box<dyn Error>> {
    for unit in units {
        tell.send(Event::Took {
            worker,
            unit: unit.number,
        })
        .map_err(|_| "the producer is gone")?;
        let event = match compute(&unit, || aborted.try_recv().is_ok()) {
            Some(result) => Event::Finished { worker, result },
            None => Event::Aborted {
                worker,
                unit: unit.number,
            },
        };
        tell.send(event).map_err(|_| "the producer is gone")?;
    }
    Ok(())
}

/// Stands for real work. `None` if it was told to stop.
fn compute(unit: &Unit, is_aborted: impl Fn() -> bool) -> Option<u64> {
    let mut value = unit.number as u64;
    let mut step = 0;
    while unit.steps != Some(step) {
        for _ in 0..10_000 {
            value = value.rotate_left(5).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        if is_aborted() {
            return None;
        }
        step += 1;
    }
    Some(value)
}

/// The producer: hands out every unit, hears every event, and aborts the endless unit when only that is left.
async fn produce(
    work: Sender<Unit>,
    events: &Receiver<Event>,
    aborts: &[Sender<()>],
) -> Result<Summary, Box<dyn Error>> {
    let began = Instant::now();
    let mut summary = Summary::default();
    let mut units = (0..UNITS).map(|number| Unit {
        number,
        // Some units are a hundred times longer than others.
        steps: (number != ENDLESS).then_some(if number % 5 == 0 { 100 } else { 1 }),
    });
    let mut in_hand = units.next();
    let mut keeper_of_endless = None;
    while in_hand.is_some() || summary.under_way > 1 || keeper_of_endless.is_none() {
        let offering = in_hand.is_some();
        let event = if offering {
            let offered = Instant::now();
            // Whichever comes first. Both can be dropped: what was not taken is in `in_hand` again, and what
            // was not received is still its worker's.
            let first = {
                let event = pin!(events.recv_async());
                let offer = pin!(work.send_from(&mut in_hand));
                match select(event, offer).await {
                    Either::Left((event, _)) => Some(event?),
                    Either::Right((sent, _)) => {
                        sent.map_err(|_| "every worker is gone")?;
                        None
                    }
                }
            };
            summary.without_idle_worker += offered.elapsed();
            first
        } else {
            Some(events.recv_async().await?)
        };
        match event {
            Some(Event::Took { worker, unit }) => {
                println!("unit {unit:2} was taken by worker {worker}");
                if unit == ENDLESS {
                    keeper_of_endless = Some(worker);
                }
            }
            Some(Event::Finished { worker, result }) => summary.count_finished(worker, result),
            Some(Event::Aborted { .. }) | None => {}
        }
        // After the event: who has just been heard to finish may have taken the next unit in the same moment.
        if offering && in_hand.is_none() {
            summary.count_taken();
            in_hand = units.next();
        }
    }
    // Nothing is left but the endless unit. Its worker is busy, and hears this all the same.
    let keeper = keeper_of_endless.ok_or("the endless unit was handed out")?;
    aborts[keeper]
        .send_async(())
        .await
        .map_err(|_| "the worker is gone")?;
    if let Event::Aborted { worker, unit } = events.recv_async().await? {
        println!("unit {unit:2} was aborted by worker {worker}");
        summary.under_way -= 1;
    }
    // Dropping the last sender is the end of work: each worker's loop ends.
    drop(work);
    summary.elapsed = began.elapsed();
    Ok(summary)
}

#[derive(Default)]
struct Summary {
    finished: [usize; WORKERS],
    /// Units taken and not finished.
    under_way: usize,
    most_under_way: usize,
    /// Of all results, so that the work is not for nothing.
    checksum: u64,
    without_idle_worker: Duration,
    elapsed: Duration,
}

impl Summary {
    fn count_taken(&mut self) {
        self.under_way += 1;
        self.most_under_way = self.most_under_way.max(self.under_way);
    }

    fn count_finished(&mut self, worker: usize, result: u64) {
        self.under_way -= 1;
        self.finished[worker] += 1;
        self.checksum ^= result;
    }

    fn print(&self) {
        for (worker, finished) in self.finished.iter().enumerate() {
            println!("worker {worker} finished {finished} units");
        }
        println!(
            "finished in all: {} of {UNITS}",
            self.finished.iter().sum::<usize>()
        );
        println!("most units in hand at once: {}", self.most_under_way);
        println!(
            "of {:.1?} the producer waited {:.1?} for an idle worker (checksum {:016x})",
            self.elapsed, self.without_idle_worker, self.checksum
        );
    }
}
