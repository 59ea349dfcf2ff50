//! How do I end a network of processes that goes in a circle?
//!
//! In a circle nobody's last end is ever dropped: each process holds the ends that keep the others alive, and all of
//! them wait for ever. *Poison* ends it: whoever wants to stop poisons its channels, and each process that meets
//! poison poisons its other channels and ends.
//!
//! ```text
//! cargo run --example poison
//! ```
//!
//! The network counts up from nought; it is the one with which CSP systems are timed ("commstime"). One number goes
//! round, and a copy of each goes to the consumer:
//!
//! ```text
//!   prefix ---> delta ---> consumer
//!      ^          |
//!      |          v
//!      +----- successor
//! ```
//!
//! `prefix` and `delta` are threads here, the other two are tasks. When the consumer has seen enough it poisons its
//! input. What a process had in hand then comes back to it with the reason, so that nothing is lost.

use std::{error::Error, thread};

use handover::{
    Receiver, Sender, channel,
    channel::{Reason, RecvError, SendError},
};

const ENOUGH: u64 = 10;

/// How a process ended.
struct End {
    process: &'static str,
    /// What it had handed over, or taken, by then.
    numbers: u64,
    /// What came back to it.
    in_hand: Option<u64>,
    reason: Reason,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (to_delta, from_prefix) = channel();
    let (to_successor, for_successor) = channel();
    let (to_consumer, for_consumer) = channel();
    let (to_prefix, from_successor) = channel();

    let prefix = thread::spawn(move || prefix(&from_successor, &to_delta));
    let delta = thread::spawn(move || delta(&from_prefix, &to_consumer, &to_successor));
    let tasks = tokio::runtime::Builder::new_current_thread().build()?;
    let (successor, consumer) = tasks.block_on(async {
        tokio::join!(
            successor(&for_successor, &to_prefix),
            consumer(&for_consumer)
        )
    });
    let prefix = prefix.join().map_err(|_| "prefix panicked")?;
    let delta = delta.join().map_err(|_| "delta panicked")?;

    let sent = prefix.numbers;
    let taken = consumer.numbers;
    let back: Vec<u64> = delta.in_hand.into_iter().collect();
    for end in [consumer, delta, successor, prefix] {
        let in_hand = match end.in_hand {
            Some(number) => format!(" with {number} in hand"),
            None => String::new(),
        };
        println!("{} ended{in_hand}: {}", end.process, end.reason);
    }
    let lost = sent - taken - back.len() as u64;
    println!("{sent} numbers: {taken} taken, {back:?} came back, {lost} lost");
    Ok(())
}

/// Sends a nought, and then what comes to it.
fn prefix(input: &Receiver<u64>, output: &Sender<u64>) -> End {
    let mut numbers = 0;
    let mut in_hand = Some(0);
    let reason = loop {
        if let Some(number) = in_hand.take() {
            match output.send(number) {
                Ok(()) => numbers += 1,
                Err(error) => {
                    let (reason, number) = why_not_sent(error);
                    in_hand = Some(number);
                    break reason;
                }
            }
        }
        match input.recv() {
            Ok(number) => in_hand = Some(number),
            Err(error) => break why_nothing_came(error),
        }
    };
    input.poison(reason.clone());
    output.poison(reason.clone());
    End {
        process: "prefix",
        numbers,
        in_hand,
        reason,
    }
}

/// Sends what comes to it to both its outputs, the consumer's first.
fn delta(input: &Receiver<u64>, consumer: &Sender<u64>, successor: &Sender<u64>) -> End {
    let mut numbers = 0;
    let mut in_hand = None;
    let reason = loop {
        let number = match input.recv() {
            Ok(number) => number,
            Err(error) => break why_nothing_came(error),
        };
        let sent = consumer
            .send(number)
            .inspect(|()| numbers += 1)
            .and_then(|()| successor.send(number));
        if let Err(error) = sent {
            let (reason, number) = why_not_sent(error);
            in_hand = Some(number);
            break reason;
        }
    };
    input.poison(reason.clone());
    consumer.poison(reason.clone());
    successor.poison(reason.clone());
    End {
        process: "delta",
        numbers,
        in_hand,
        reason,
    }
}

/// Adds one.
async fn successor(input: &Receiver<u64>, output: &Sender<u64>) -> End {
    let mut numbers = 0;
    let mut in_hand = None;
    let reason = loop {
        let number = match input.recv_async().await {
            Ok(number) => number,
            Err(error) => break why_nothing_came(error),
        };
        match output.send_async(number + 1).await {
            Ok(()) => numbers += 1,
            Err(error) => {
                let (reason, number) = why_not_sent(error);
                in_hand = Some(number);
                break reason;
            }
        }
    };
    input.poison(reason.clone());
    output.poison(reason.clone());
    End {
        process: "successor",
        numbers,
        in_hand,
        reason,
    }
}

/// Takes numbers until it has seen enough.
async fn consumer(input: &Receiver<u64>) -> End {
    let mut numbers = 0;
    let reason = loop {
        if numbers == ENOUGH {
            break Reason::from(format!("the consumer has seen {ENOUGH} numbers"));
        }
        match input.recv_async().await {
            Ok(number) => {
                println!("{number}");
                numbers += 1;
            }
            Err(error) => break why_nothing_came(error),
        }
    };
    input.poison(reason.clone());
    End {
        process: "consumer",
        numbers,
        in_hand: None,
        reason,
    }
}

fn why_nothing_came(error: RecvError) -> Reason {
    match error {
        RecvError::Poisoned(reason) => reason,
        other => other.to_string().into(),
    }
}

fn why_not_sent(error: SendError<u64>) -> (Reason, u64) {
    let reason = match error.poison() {
        Some(reason) => reason.clone(),
        None => error.to_string().into(),
    };
    (reason, error.into_inner())
}
