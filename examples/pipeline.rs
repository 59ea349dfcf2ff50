//! Which stage of my chain is the slow one?
//!
//! With queues between the stages it hides until they are full. Without them it shows at once: the stages before
//! the slowest one wait to *send*, those after it wait to *receive*, and it waits for nobody.
//!
//! ```text
//! cargo run --example pipeline              the stage "resize" is slow
//! cargo run --example pipeline -- encode    any of read, decode, resize, encode, write
//! ```
//!
//! It prints, for each stage, how long it worked and how long it waited on either side, and then the name of the
//! slowest stage, found from the waits alone: it is the one before which they wait to send, and after which they wait
//! to receive.

use std::{
    error::Error,
    thread,
    time::{Duration, Instant},
};

use handover::{Receiver, Sender, channel};

const STAGES: [&str; 5] = ["read", "decode", "resize", "encode", "write"];
const IMAGES: usize = 60;
const QUICK: Duration = Duration::from_millis(1);
const SLOW: Duration = Duration::from_millis(6);

/// What passes through; every stage changes it.
#[derive(Default)]
struct Image {
    changes: usize,
}

/// Where a stage's time went.
#[derive(Default)]
struct Times {
    receiving: Duration,
    working: Duration,
    sending: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let slow = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "resize".to_owned());
    if !STAGES.contains(&slow.as_str()) {
        return Err(format!(
            "{slow} is not a stage; the stages are {}",
            STAGES.join(", ")
        )
        .into());
    }

    let mut stages = Vec::new();
    let mut input: Option<Receiver<Image>> = None;
    for (place, name) in STAGES.into_iter().enumerate() {
        let work = if name == slow { SLOW } else { QUICK };
        let is_last = place + 1 == STAGES.len();
        let (tx, rx) = channel();
        let output = (!is_last).then_some(tx);
        let from = input.replace(rx);
        stages.push(thread::spawn(move || {
            run_stage(from.as_ref(), work, output.as_ref())
        }));
    }
    drop(input);

    let mut times = Vec::new();
    for stage in stages {
        times.push(stage.join().map_err(|_| "a stage panicked")?);
    }
    println!("stage    waited to receive    worked    waited to send");
    for (name, times) in STAGES.iter().zip(&times) {
        println!(
            "{name:8} {:14} ms {:6} ms {:14} ms",
            times.receiving.as_millis(),
            times.working.as_millis(),
            times.sending.as_millis()
        );
    }
    println!("slowest: {}", STAGES[slowest(&times)]);
    Ok(())
}

/// One stage: takes an image, works on it, hands it on. The first makes the images, the last keeps them.
fn run_stage(
    input: Option<&Receiver<Image>>,
    work: Duration,
    output: Option<&Sender<Image>>,
) -> Times {
    let mut times = Times::default();
    let mut made = (0..IMAGES).map(|_| Image::default());
    loop {
        let began = Instant::now();
        let next = match input {
            Some(input) => input.recv().ok(),
            None => made.next(),
        };
        let received = Instant::now();
        times.receiving += received - began;
        let Some(mut image) = next else {
            return times;
        };
        process(&mut image, work);
        let worked = Instant::now();
        times.working += worked - received;
        if let Some(output) = output {
            if output.send(image).is_err() {
                return times;
            }
            times.sending += worked.elapsed();
        } else {
            assert_eq!(image.changes, STAGES.len(), "no stage was left out");
        }
    }
}

/// Stands for real work.
fn process(image: &mut Image, work: Duration) {
    thread::sleep(work);
    image.changes += 1;
}

/// The stage with the most waiting towards it: to send before it, and to receive after it. How long a stage has worked
/// is not asked, and a machine that is busy with something else, which delays now this stage and now that, decides
/// nothing.
fn slowest(times: &[Times]) -> usize {
    let towards = |place: usize| -> Duration {
        let before = times[..place].iter().map(|stage| stage.sending);
        let after = times[place + 1..].iter().map(|stage| stage.receiving);
        before.chain(after).sum()
    };
    (0..times.len())
        .max_by_key(|&place| towards(place))
        .unwrap_or_default()
}
