//! What does one hand-over cost?
//!
//! The benchmark with which CSP systems have been timed since occam ("commstime"). Four processes count up from
//! nought; all they do is communicate:
//!
//! ```text
//!   prefix ---> delta ---> consumer
//!      ^          |
//!      |          v
//!      +----- successor
//! ```
//!
//! For each number that the consumer gets there are four communications. When it has enough it ends, and with it its
//! end of the channel: `delta` ends because nobody takes its numbers any more, and so on round the circle.
//!
//! ```text
//! cargo run --release --example commstime               a hundred thousand numbers
//! cargo run --release --example commstime -- 1000000    as many as you like
//! ```
//!
//! It prints one line, with figures of your machine:
//!
//! ```text
//! 400000 communications, 41.6 ns each
//! ```

use std::{error::Error, time::Instant};

use handover::process::{In, Network, OrEnd, Out, ProcessResult};

/// Before the clock is read, so that everything is in its place.
const WARM_UP: u64 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let numbers = match std::env::args().nth(1) {
        Some(numbers) => numbers.parse()?,
        None => 100_000,
    };
    let mut net = Network::new("commstime");
    let (to_delta, from_prefix) = net.channel("prefix to delta");
    let (to_consumer, from_delta) = net.channel("delta to consumer");
    let (to_successor, also_from_delta) = net.channel("delta to successor");
    let (to_prefix, from_successor) = net.channel("successor to prefix");
    net.process("prefix", (from_successor, to_delta), prefix);
    net.process("delta", (from_prefix, to_consumer, to_successor), delta);
    net.process("successor", (also_from_delta, to_prefix), successor);
    net.process("consumer", from_delta, async move |input: &In<u64>| {
        consumer(input, numbers).await
    });
    net.run()?;
    Ok(())
}

/// Sends a nought, and then what comes to it.
async fn prefix((input, output): &(In<u64>, Out<u64>)) -> ProcessResult {
    let mut number = 0;
    loop {
        output.send(number).await.or_end()?;
        number = input.recv().await.or_end()?;
    }
}

/// Sends what comes to it to both its outputs, the consumer's first.
async fn delta((input, consumer, successor): &(In<u64>, Out<u64>, Out<u64>)) -> ProcessResult {
    loop {
        let number = input.recv().await.or_end()?;
        consumer.send(number).await.or_end()?;
        successor.send(number).await.or_end()?;
    }
}

/// Adds one.
async fn successor((input, output): &(In<u64>, Out<u64>)) -> ProcessResult {
    loop {
        let number = input.recv().await.or_end()?;
        output.send(number + 1).await.or_end()?;
    }
}

async fn consumer(input: &In<u64>, numbers: u64) -> ProcessResult {
    for expected in 0..WARM_UP {
        assert_eq!(input.recv().await?, expected);
    }
    let began = Instant::now();
    for expected in WARM_UP..WARM_UP + numbers {
        assert_eq!(input.recv().await?, expected);
    }
    let communications = 4 * numbers;
    #[expect(clippy::cast_precision_loss, reason = "it is for people to read")]
    let each = began.elapsed().as_nanos() as f64 / communications as f64;
    println!("{communications} communications, {each:.1} ns each");
    Ok(())
}
