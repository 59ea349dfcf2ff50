//! My system worked for months, then everybody was waiting for everybody. Why, and what do I do?
//!
//! Instructions go down a chain of processes, and results come back up:
//!
//! ```text
//!   controller <---> relay <---> worker
//! ```
//!
//! The relay has an inbox for both, and passes on what comes. With queues this works until more is under way than
//! they can hold: then one waits to send down while the one below waits to send up, and nothing tells you, except
//! that nothing happens. Without queues the same program stops at the second instruction, in whatever order things
//! happen: in its first test, and with names and source lines.
//!
//! There are two ways to repair it. Either nobody who waits to send stops listening: each offers what it has *and*
//! takes what comes, whichever is possible first. Or each asks the one below and waits for the answer: a server never
//! waits for its client, so there is no circle. That is simpler, and has one instruction under way at a time.
//!
//! ```text
//! cargo run --example bidirectional_chain
//! ```
//!
//! It prints:
//!
//! ```text
//! with queues of 64
//!   2 instructions: all results
//!   64 instructions: all results
//!   1000 instructions: nothing for 2s; slow, or stuck?
//! without queues
//!   2 instructions: deadlock: relay (sending on "to the worker" at bidirectional_chain.rs:144) waits for worker; worker (sending on "to the relay" at bidirectional_chain.rs:156) waits for relay; because of it controller waits for ever too
//! without queues, offering and taking at once
//!   1000 instructions: all results
//! without queues, asking and waiting for the answer
//!   1000 instructions: all results
//! ```

use std::{sync::mpsc, thread, time::Duration};

use handover::{
    process::{In, Network, Out, Process, ProcessResult, RunError},
    select_async,
};

/// How many messages each queue holds, where there are queues.
const QUEUE: usize = 64;
/// More instructions than all queues and hands together hold.
const MANY: usize = 1000;
/// After so long without a sign somebody goes and looks.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> Result<(), RunError> {
    println!("with queues of {QUEUE}");
    for count in [2, QUEUE, MANY] {
        match start_with_queues(count).recv_timeout(PATIENCE) {
            Ok(()) => println!("  {count} instructions: all results"),
            Err(_) => println!("  {count} instructions: nothing for {PATIENCE:?}; slow, or stuck?"),
        }
    }
    println!("without queues");
    show(2, without_queues(2).run())?;
    println!("without queues, offering and taking at once");
    show(MANY, repaired(listening_controller, listening_relay).run())?;
    println!("without queues, asking and waiting for the answer");
    show(MANY, repaired(asking_controller, asking_relay).run())
}

fn show(count: usize, result: Result<(), RunError>) -> Result<(), RunError> {
    match result {
        Ok(()) => println!("  {count} instructions: all results"),
        Err(RunError::Deadlock(deadlock)) => println!("  {count} instructions: {deadlock}"),
        Err(other) => return Err(other),
    }
    Ok(())
}

/// What comes to the relay's inbox.
enum Message {
    Instruction(usize),
    Result(usize),
}

// ---- With queues ----

/// Starts the chain, and tells when the controller has all results, in order. Who is stuck ends with the program.
fn start_with_queues(count: usize) -> mpsc::Receiver<()> {
    let (relay, relay_inbox) = mpsc::sync_channel(QUEUE);
    let (worker, worker_inbox) = mpsc::sync_channel(QUEUE);
    let (controller, results) = mpsc::sync_channel(QUEUE);
    let (tell, told) = mpsc::channel();
    let above_worker = relay.clone();
    thread::spawn(move || {
        for number in 0..count {
            relay.send(Message::Instruction(number)).ok()?;
        }
        for number in 0..count {
            assert_eq!(results.recv().ok()?, number);
        }
        tell.send(()).ok()
    });
    thread::spawn(move || {
        for _ in 0..2 * count {
            match relay_inbox.recv().ok()? {
                Message::Instruction(number) => worker.send(number).ok()?,
                Message::Result(number) => controller.send(number).ok()?,
            }
        }
        Some(())
    });
    thread::spawn(move || {
        for number in worker_inbox {
            above_worker.send(Message::Result(number)).ok()?;
        }
        Some(())
    });
    told
}

// ---- The same without queues ----

fn without_queues(count: usize) -> Network {
    let mut net = Network::new("chain");
    let (relay, relay_inbox) = net.channel("to the relay");
    let (worker, worker_inbox) = net.channel("to the worker");
    let (controller, results) = net.channel("to the controller");
    net.process(
        "controller",
        (relay.share(), results),
        async move |(relay, results): &(Out<Message>, In<usize>)| {
            for number in 0..count {
                relay.send(Message::Instruction(number)).await?;
            }
            for number in 0..count {
                assert_eq!(results.recv().await?, number);
            }
            Ok(())
        },
    );
    net.process(
        "relay",
        (relay_inbox, worker, controller),
        async move |(inbox, worker, controller): &(In<Message>, Out<usize>, Out<usize>)| {
            for _ in 0..2 * count {
                match inbox.recv().await? {
                    Message::Instruction(number) => worker.send(number).await?,
                    Message::Result(number) => controller.send(number).await?,
                }
            }
            Ok(())
        },
    );
    net.process(
        "worker",
        (worker_inbox, relay),
        async |(inbox, relay): &(In<usize>, Out<Message>)| {
            while let Some(number) = inbox.next().await? {
                relay.send(Message::Result(number)).await?;
            }
            Ok(())
        },
    );
    net
}

// ---- Repaired: instructions and results have channels of their own ----

/// What the controller has: where instructions go, and where results come from.
type Top = (Out<usize>, In<usize>);
/// What the relay has: the same as seen from below, and what the controller has, for the worker.
type Middle = (In<usize>, Out<usize>, Out<usize>, In<usize>);

fn repaired<C, R>(controller: C, relay: R) -> Network
where
    C: for<'a> Process<'a, Top> + 'static,
    R: for<'a> Process<'a, Middle> + 'static,
{
    let mut net = Network::new("chain");
    let (to_relay, from_controller) = net.channel("instructions to the relay");
    let (to_worker, from_relay) = net.channel("instructions to the worker");
    let (up_to_relay, from_worker) = net.channel("results to the relay");
    let (to_controller, results) = net.channel("results to the controller");
    net.process("controller", (to_relay, results), controller);
    let middle = (from_controller, to_controller, to_worker, from_worker);
    net.process("relay", middle, relay);
    net.process(
        "worker",
        (from_relay, up_to_relay),
        async |(instructions, results): &(In<usize>, Out<usize>)| {
            while let Some(number) = instructions.next().await? {
                results.send(number).await?;
            }
            Ok(())
        },
    );
    net
}

async fn listening_controller((instructions, results): &Top) -> ProcessResult {
    let mut to_send = 0..MANY;
    let mut instruction = to_send.next();
    let mut received = 0;
    while received < MANY {
        select_async! {
            send(instructions, &mut instruction) -> sent => {
                sent?;
                instruction = to_send.next();
            }
            recv(results) -> result => {
                assert_eq!(result?, received);
                received += 1;
            }
        }
    }
    Ok(())
}

/// Has one hand for each direction, and never waits with only one of them.
async fn listening_relay((from_above, up, down, from_below): &Middle) -> ProcessResult {
    let (mut instruction, mut result) = (None, None);
    let mut passed_up = 0;
    while passed_up < MANY {
        select_async! {
            recv(from_above) -> taken, if instruction.is_none() => instruction = Some(taken?),
            send(down, &mut instruction) -> sent => sent?,
            recv(from_below) -> taken, if result.is_none() => result = Some(taken?),
            send(up, &mut result) -> sent => {
                sent?;
                passed_up += 1;
            }
        }
    }
    Ok(())
}

async fn asking_controller((instructions, results): &Top) -> ProcessResult {
    for number in 0..MANY {
        instructions.send(number).await?;
        assert_eq!(results.recv().await?, number);
    }
    Ok(())
}

/// A server to the controller, and a client of the worker.
async fn asking_relay((from_above, up, down, from_below): &Middle) -> ProcessResult {
    while let Some(instruction) = from_above.next().await? {
        down.send(instruction).await?;
        up.send(from_below.recv().await?).await?;
    }
    Ok(())
}
