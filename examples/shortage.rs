//! How do I know that there are too few workers?
//!
//! A sensor gives a sample every 10 ms, and a worker needs 35 ms for one: two workers are too few. With a queue
//! between them every send succeeds at once, and nobody is told anything; what grows is the time for which a sample
//! has lain in the queue before anybody looks at it. It grows as long as the queue lasts.
//!
//! Without a queue, a send completes when a worker takes the sample. The sensor offers each until the next one is
//! due. If nobody has taken it by then there are too few workers, and the sensor knows it, at the first sample that
//! is too much. It still has the sample, and decides what becomes of it: this one drops it for the fresh one.
//!
//! The program is the same both times. The queue is *credit* that the workers grant: so many sends may complete
//! before anybody takes the message.
//!
//! ```text
//! cargo run --example shortage
//! ```
//!
//! It prints, with slightly different figures each time:
//!
//! ```text
//! 2 workers, a queue of 0:
//!   too few workers: nobody takes sample 2 (44ms after the start)
//!   34 of 60 samples were taken
//!   the first was 6ms old then, and the last 5ms
//! 2 workers, a queue of 1000:
//!   the sensor has noticed nothing: each send was done in time
//!   60 of 60 samples were taken
//!   the first was 210µs old then, and the last 443ms
//! ```

use std::{
    error::Error,
    thread,
    time::{Duration, Instant},
};

use handover::{
    channel::{SendTimeoutError, tick},
    process::{BlockingIn, BlockingOut, In, Network, Out, Outcome, ProcessResult},
};

const PERIOD: Duration = Duration::from_millis(10);
const WORK: Duration = Duration::from_millis(35);
const WORKERS: usize = 2;
const SAMPLES: usize = 60;

struct Sample {
    number: usize,
    due: Instant,
}

/// The number of a sample that was taken, and how old it was then.
type Taken = (usize, Duration);

fn main() -> Result<(), Box<dyn Error>> {
    for queue in [0, 1000] {
        println!("{WORKERS} workers, a queue of {queue}:");
        let (network, taken) = network(queue);
        network.run()?;
        tell(&taken.take()?);
    }
    Ok(())
}

fn network(queue: usize) -> (Network, Outcome<Vec<Taken>>) {
    let mut net = Network::new("shortage");
    let (samples, to_work_on) = net.channel("samples");
    let (taken, to_note) = net.channel("taken");
    net.process("sensor", samples, sensor);
    for number in 0..WORKERS {
        net.thread(
            format!("worker {number}"),
            (to_work_on.share(), taken.share()),
            move |(samples, taken): &(BlockingIn<Sample>, BlockingOut<Taken>)| {
                samples.grant(queue / WORKERS);
                work(samples, taken)
            },
        );
    }
    let notes = net.process_returning("notes", to_note, notes);
    (net, notes)
}

async fn sensor(samples: &Out<Sample>) -> ProcessResult {
    // Before anybody is there nobody can be missing.
    samples.ready().await?;
    let began = Instant::now();
    let beat = tick(PERIOD);
    let mut knows_shortage = false;
    for number in 0..SAMPLES {
        let due = beat.wait_async().await;
        let sent = samples.send_deadline(Sample { number, due }, due + PERIOD);
        match sent.await {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(sample)) => {
                if !knows_shortage {
                    let number = sample.number;
                    let after = began.elapsed();
                    println!(
                        "  too few workers: nobody takes sample {number} ({after:.0?} after the start)"
                    );
                    knows_shortage = true;
                }
            }
            Err(other) => return Err(other.into()),
        }
    }
    if !knows_shortage {
        println!("  the sensor has noticed nothing: each send was done in time");
    }
    Ok(())
}

fn work(samples: &BlockingIn<Sample>, taken: &BlockingOut<Taken>) -> ProcessResult {
    while let Some(sample) = samples.next()? {
        taken.send((sample.number, sample.due.elapsed()))?;
        // Stands for real work.
        thread::sleep(WORK);
    }
    Ok(())
}

async fn notes(taken: &In<Taken>) -> ProcessResult<Vec<Taken>> {
    let mut all = Vec::new();
    while let Some(one) = taken.next().await? {
        all.push(one);
    }
    all.sort_unstable();
    Ok(all)
}

fn tell(taken: &[Taken]) {
    println!("  {} of {SAMPLES} samples were taken", taken.len());
    if let [(_, first), .., (_, last)] = taken {
        println!("  the first was {first:.0?} old then, and the last {last:.0?}");
    }
}
