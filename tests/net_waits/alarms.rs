//! What is no deadlock is not called one, however late the links are.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use handover::{
    process::{In, Out},
    select_async,
};
use tokio::sync::oneshot;

use super::{
    Number,
    machines::{Machine, Running, link, link_through, wait_until},
    valve::{Valve, Way},
};

/// Long enough that each node has looked and told several times.
const LOOKS: Duration = Duration::from_millis(1200);

/// Nobody has found anything, for so long.
fn nothing_is_found(machines: &[&Machine], running: &[Running]) {
    let until = Instant::now() + LOOKS;
    while Instant::now() < until {
        for machine in machines {
            assert_eq!(machine.node.deadlock(), None, "at {}", machine.name);
        }
        assert!(!running.iter().any(Running::has_ended));
        thread::sleep(Duration::from_millis(5));
    }
}

fn has_waited(machine: &Machine, process: &str, channel: &str) -> bool {
    let snapshot = machine.observer.snapshot();
    let waits = |it: &handover::process::ProcessSeen| {
        it.name == process && it.waits.iter().any(|wait| wait.channel == channel)
    };
    snapshot.processes.iter().any(waits)
}

/// Two machines whose link has a valve, and a third one by way of which they hear of each other in any case.
struct Triangle {
    front: Machine,
    back: Machine,
    third: Machine,
    there: handover::net::Link,
    here: handover::net::Link,
    valve: Valve,
    _others: [(handover::net::Link, handover::net::Link); 2],
}

impl Triangle {
    fn new() -> Self {
        let [front, back, third] = ["front", "back", "third"].map(Machine::new);
        let (there, here, valve) = link_through(&front, &back);
        let others = [link(&third, &front), link(&third, &back)];
        Self {
            front,
            back,
            third,
            there,
            here,
            valve,
            _others: others,
        }
    }

    fn machines(&self) -> [&Machine; 3] {
        [&self.front, &self.back, &self.third]
    }
}

/// A place for the end of a signal that an async closure takes out of it.
type Slot<T> = Arc<Mutex<Option<T>>>;

fn signal() -> (oneshot::Sender<()>, Slot<oneshot::Receiver<()>>) {
    let (give, take) = oneshot::channel();
    (give, Arc::new(Mutex::new(Some(take))))
}

async fn wait_for(slot: &Slot<oneshot::Receiver<()>>) {
    let signal = slot.lock().unwrap().take().unwrap();
    let _ = signal.await;
}

/// `q` has taken what `p` sent, and waits for what `p` will send next; all that `p` waits for is to hear of it.
#[test]
fn a_taken_that_is_delayed_past_many_looks_is_no_deadlock() {
    let mut three = Triangle::new();
    let up = three.there.outlet(three.front.network(), "up").unwrap();
    let other = three.there.outlet(three.front.network(), "other").unwrap();
    three.front.network().process(
        "p",
        (up, other),
        async |(up, other): &(Out<Number>, Out<Number>)| {
            up.send(Number(1)).await?;
            other.send(Number(2)).await?;
            Ok(())
        },
    );
    let up = three.here.inlet(three.back.network(), "up").unwrap();
    let other = three.here.inlet(three.back.network(), "other").unwrap();
    let (go, goes) = signal();
    three.back.network().process(
        "q",
        (up, other),
        async move |(up, other): &(In<Number>, In<Number>)| {
            let held = up.recv_held().await?;
            wait_for(&goes).await;
            assert_eq!(held.release(), Number(1));
            assert_eq!(other.recv().await?, Number(2));
            Ok(())
        },
    );
    let running = [three.front.start(), three.back.start()];
    wait_until("the message to be in custody", || {
        let snapshot = three.front.observer.snapshot();
        let channel = snapshot.processes.iter().flat_map(|it| &it.waits);
        channel
            .into_iter()
            .any(|it| it.operation == handover::process::Waiting::Accepted)
    });
    three.valve.shut(Way::ToDialer);
    go.send(()).unwrap();
    wait_until("q to wait for more", || {
        has_waited(&three.back, "q", "other")
    });
    nothing_is_found(&three.machines(), &running);
    three.valve.open(Way::ToDialer);
    for run in running {
        run.end().unwrap();
    }
}

/// `q` may receive from `p`, which has not heard of it; and `q` waits for `p` elsewhere too.
#[test]
fn a_grant_that_is_delayed_is_no_deadlock() {
    for way in [Way::ToDialer, Way::ToListener] {
        let mut three = Triangle::new();
        let up = three.there.outlet(three.front.network(), "up").unwrap();
        let other = three.there.outlet(three.front.network(), "other").unwrap();
        let (begin, begins) = signal();
        three.front.network().process(
            "p",
            (up, other),
            async move |(up, other): &(Out<Number>, Out<Number>)| {
                wait_for(&begins).await;
                up.send(Number(1)).await?;
                other.send(Number(2)).await?;
                Ok(())
            },
        );
        let up = three.here.inlet(three.back.network(), "up").unwrap();
        let other = three.here.inlet(three.back.network(), "other").unwrap();
        let (go, goes) = signal();
        three.back.network().process(
            "q",
            (up, other),
            async move |(up, other): &(In<Number>, In<Number>)| {
                wait_for(&goes).await;
                let first = select_async! {
                    recv(up) -> number => number?,
                    recv(other) -> number => number?,
                };
                assert_eq!(first, Number(1));
                assert_eq!(other.recv().await?, Number(2));
                Ok(())
            },
        );
        let running = [three.front.start(), three.back.start()];
        if way == Way::ToDialer {
            // The grant is on its way.
            begin.send(()).unwrap();
            wait_until("p to send", || has_waited(&three.front, "p", "up"));
            three.valve.shut(way);
            go.send(()).unwrap();
            wait_until("q to receive", || has_waited(&three.back, "q", "up"));
        } else {
            // The message is.
            go.send(()).unwrap();
            wait_until("q to receive", || has_waited(&three.back, "q", "up"));
            thread::sleep(Duration::from_millis(50));
            three.valve.shut(way);
            begin.send(()).unwrap();
            wait_until("p to send", || has_waited(&three.front, "p", "up"));
        }
        nothing_is_found(&three.machines(), &running);
        three.valve.open(way);
        for run in running {
            run.end().unwrap();
        }
    }
}

/// Whoever waits for a machine that tells nothing waits, and is not deadlocked, whatever others think.
#[test]
fn a_node_that_has_not_joined_is_a_way_out_until_it_has() {
    let [mut front, mut back, third] = ["front", "back", "third"].map(Machine::new);
    let (there, here, _valve) = super::machines::link_apart(&front, &back);
    front.node.join(&there).unwrap();
    let _others = [link(&third, &front)];
    for (machine, link, [out, into]) in [
        (&mut front, &there, ["up", "down"]),
        (&mut back, &here, ["down", "up"]),
    ] {
        let ports = (
            link.outlet(machine.network(), out).unwrap(),
            link.inlet(machine.network(), into).unwrap(),
        );
        machine
            .network()
            .process("clerk", ports, super::found::greet);
    }
    let running = [front.start(), back.start()];
    nothing_is_found(&[&front, &back, &third], &running);
    back.node.join(&here).unwrap();
    for run in running {
        let (deadlock, _) = run.deadlock();
        assert_eq!(deadlock.cycle_names(), ["clerk at back", "clerk at front"]);
    }
}

/// Each of them waits most of the time, and never for good.
#[test]
fn traffic_is_no_deadlock() {
    let [mut front, mut back] = ["front", "back"].map(Machine::new);
    let (there, here, valve) = link_through(&front, &back);
    let ports = (
        there.outlet(front.network(), "up").unwrap(),
        there.inlet(front.network(), "down").unwrap(),
    );
    front.network().process(
        "asker",
        ports,
        async |(up, down): &(Out<Number>, In<Number>)| {
            let end = Instant::now() + LOOKS;
            let mut count = 0;
            while Instant::now() < end || count < 4 {
                up.send(Number(count)).await?;
                assert_eq!(down.recv().await?, Number(count));
                count += 1;
            }
            Ok(())
        },
    );
    let ports = (
        here.inlet(back.network(), "up").unwrap(),
        here.outlet(back.network(), "down").unwrap(),
    );
    back.network().process("echo", ports, super::found::pass_on);
    let running = [front.start(), back.start()];
    // Each waits for longer than it takes to look and to tell.
    let end = Instant::now() + LOOKS;
    for (turn, way) in [Way::ToListener, Way::ToDialer]
        .into_iter()
        .cycle()
        .enumerate()
    {
        if Instant::now() >= end {
            break;
        }
        valve.shut(way);
        thread::sleep(Duration::from_millis(150 + 37 * (turn as u64 % 5)));
        valve.open(way);
        thread::sleep(Duration::from_millis(3));
    }
    for run in running {
        run.end().unwrap();
    }
}
