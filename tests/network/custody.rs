//! Messages in custody: each answer of whoever holds one, and what its sender hears.

use handover::{
    channel::SendError,
    process::{BlockingIn, BlockingOut, HeldIn, In, Network, Out, Waiting},
};

use crate::support::WAYS;

/// What is done with each of four messages.
fn answer(held: HeldIn<'_, u32>) {
    match *held {
        0 => assert_eq!(held.release(), 0),
        1 => held.hand_back().unwrap(),
        2 => held.in_doubt().unwrap(),
        _ => drop(held),
    }
}

/// What the sender of the four is told.
async fn send_four(out: &Out<u32>) -> Vec<Result<(), SendError<u32>>> {
    let mut told = Vec::new();
    for number in 0..4 {
        told.push(out.send(number).await);
    }
    told
}

#[test]
fn the_sender_hears_what_became_of_its_message() {
    for way in WAYS {
        for is_thread in [false, true] {
            let mut net = Network::new("custody");
            let (out, into) = net.channel::<u32>("numbers");
            if is_thread {
                net.thread("holder", into, |into: &BlockingIn<u32>| {
                    for _ in 0..4 {
                        answer(into.recv_held()?);
                    }
                    Ok(())
                });
            } else {
                net.process("holder", into, async |into: &In<u32>| {
                    for _ in 0..4 {
                        answer(into.recv_held().await?);
                    }
                    Ok(())
                });
            }
            let told = net.process_returning("sender", out, async |out: &Out<u32>| {
                Ok(send_four(out).await)
            });
            way.run(net).unwrap();
            let expected = vec![
                Ok(()),
                Err(SendError::Returned(1)),
                // In doubt, so it is a copy for all that one knows.
                Err(SendError::InDoubt(2)),
                Err(SendError::Returned(3)),
            ];
            assert_eq!(told.take(), Ok(expected), "{way:?}, {is_thread}");
        }
    }
}

#[test]
fn who_waits_for_the_answer_of_a_thread_waits_for_that_thread() {
    for way in WAYS {
        let mut net = Network::new("custody");
        let (out, into) = net.channel::<u32>("there");
        let (back, from) = net.channel::<u32>("back");
        net.thread(
            "holder",
            (into, from),
            |(into, from): &(BlockingIn<u32>, BlockingIn<u32>)| {
                let held = into.recv_held()?;
                from.recv()?;
                let _ = held.release();
                Ok(())
            },
        );
        net.thread(
            "sender",
            (out, back),
            |(out, back): &(BlockingOut<u32>, BlockingOut<u32>)| {
                out.send(1)?;
                Ok(back.send(2)?)
            },
        );
        let deadlock = way.deadlock(net);
        let mut names = deadlock.cycle_names();
        names.sort_unstable();
        assert_eq!(names, ["holder", "sender"], "{way:?}");
        let sender = deadlock.processes().find(|one| one.process == "sender");
        let wait = &sender.unwrap().waits[0];
        assert_eq!(wait.operation, Waiting::Accepted);
        assert_eq!(wait.waits_for, ["holder"]);
    }
}
