//! Everybody waits for everybody: who is it, and where in the source?
//!
//! Five philosophers sit at a round table, with a fork between each two. Each takes the fork on the left, then the
//! one on the right, eats, and lays both down. Sooner or later all have their left forks, and nobody ever eats again.
//! The repair is Scholten's, from Hoare's book: a butler puts out one chair too few. Of four who sit, one can get
//! both forks.
//!
//! What only one may have at a time is a process here, which offers it. Whoever takes the message *in custody* has
//! the thing, and the process waits until it is released; so the network knows who has what.
//!
//! ```text
//! cargo run --example dining_philosophers
//! ```
//!
//! It prints:
//!
//! ```text
//! 5 philosophers, 5 chairs:
//!   fork 0 (sending, accepted, on "fork 0" at dining_philosophers.rs:91) waits for philosopher 0
//!   philosopher 0 (receiving on "fork 1" at dining_philosophers.rs:103) waits for fork 1
//!   fork 1 (sending, accepted, on "fork 1" at dining_philosophers.rs:91) waits for philosopher 1
//!   philosopher 1 (receiving on "fork 2" at dining_philosophers.rs:103) waits for fork 2
//!   fork 2 (sending, accepted, on "fork 2" at dining_philosophers.rs:91) waits for philosopher 2
//!   philosopher 2 (receiving on "fork 3" at dining_philosophers.rs:103) waits for fork 3
//!   fork 3 (sending, accepted, on "fork 3" at dining_philosophers.rs:91) waits for philosopher 3
//!   philosopher 3 (receiving on "fork 4" at dining_philosophers.rs:103) waits for fork 4
//!   fork 4 (sending, accepted, on "fork 4" at dining_philosophers.rs:91) waits for philosopher 4
//!   philosopher 4 (receiving on "fork 0" at dining_philosophers.rs:103) waits for fork 0
//! 5 philosophers, 4 chairs:
//!   meals: [1000, 1000, 1000, 1000, 1000]
//! ```

use std::error::Error;

use handover::process::{In, Network, Out, Outcome, ProcessResult, RunError};

const PHILOSOPHERS: usize = 5;
/// After that many meals a philosopher is content.
const MEALS: usize = 1000;

/// How many each has had, after the dinner.
type Meals = Vec<Outcome<usize>>;

fn main() -> Result<(), Box<dyn Error>> {
    for chairs in [PHILOSOPHERS, PHILOSOPHERS - 1] {
        println!("{PHILOSOPHERS} philosophers, {chairs} chairs:");
        let (dinner, meals) = dinner(chairs);
        match dinner.run() {
            Ok(()) => {
                let meals: Result<Vec<usize>, _> = meals.iter().map(Outcome::take).collect();
                println!("  meals: {:?}", meals?);
            }
            Err(RunError::Deadlock(deadlock)) => {
                for blocked in &deadlock.cycle {
                    println!("  {blocked}");
                }
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

fn dinner(chairs: usize) -> (Network, Meals) {
    let mut net = Network::new("dinner");
    let (offered_chair, chair) = net.channel("chair");
    for number in 0..chairs {
        net.process(format!("chair {number}"), offered_chair.share(), thing);
    }
    let mut forks = Vec::new();
    for number in 0..PHILOSOPHERS {
        let name = format!("fork {number}");
        let (offered_fork, fork) = net.channel(&name);
        net.process(name, offered_fork, thing);
        forks.push(fork);
    }
    let mut meals = Vec::new();
    for number in 0..PHILOSOPHERS {
        let left = forks[number].share();
        let right = forks[(number + 1) % PHILOSOPHERS].share();
        let place = (chair.share(), left, right);
        let name = format!("philosopher {number}");
        meals.push(net.process_returning(name, place, philosopher));
    }
    (net, meals)
}

/// What only one at a time may have; it waits for the next when it was released.
async fn thing(takers: &Out<()>) -> ProcessResult {
    // Until nobody is left who could want it.
    while takers.send(()).await.is_ok() {}
    Ok(())
}

/// Where one may have a chair, the left and the right fork.
type Place = (In<()>, In<()>, In<()>);

async fn philosopher((chair, left, right): &Place) -> ProcessResult<usize> {
    let mut meals = 0;
    while meals < MEALS {
        let chair = chair.recv_held().await?;
        let left = left.recv_held().await?;
        let right = right.recv_held().await?;
        meals += 1;
        for taken in [right, left, chair] {
            let () = taken.release();
        }
    }
    Ok(meals)
}
