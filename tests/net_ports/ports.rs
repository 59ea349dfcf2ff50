//! Remote channels as ports of networks: two networks, each on a thread and a runtime of its own.

use std::{sync::mpsc, thread, time::Duration};

use handover::{
    channel::SendError,
    net::{self, Code, Goodbye, Link, Listener},
    process::{Because, BlockingIn, In, Network, OrEnd, Out, RunError},
    select_async,
};
use tokio::runtime::{Builder, Handle, Runtime};

use super::{
    Order,
    links::{config, settle},
    order,
};

/// The longest that a run may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A runtime whose one thread drives links, whoever blocks.
fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Two linked machines, as far as a test can have them: each has a runtime of its own. The one that dials is called
/// `counter`, the other `kitchen`.
struct Machines {
    counter: (Runtime, Link),
    kitchen: (Runtime, Link),
}

fn machines() -> Machines {
    let (counter, kitchen) = (runtime(), runtime());
    let listener = kitchen
        .block_on(Listener::bind("127.0.0.1:0", config().name("kitchen")))
        .unwrap();
    let address = listener.local_addr().unwrap();
    let accepting =
        kitchen.spawn(async move { listener.accept().await.unwrap().handshake().await.unwrap() });
    let dialed = counter
        .block_on(net::dial(address, config().name("counter")))
        .unwrap();
    let accepted = kitchen.block_on(accepting).unwrap();
    Machines {
        counter: (counter, dialed),
        kitchen: (kitchen, accepted),
    }
}

/// Runs a network on a thread of its own.
fn start(run: impl FnOnce() -> Result<(), RunError> + Send + 'static) -> Running {
    let (tell, ended) = mpsc::channel();
    thread::spawn(move || {
        let _ = tell.send(run());
    });
    Running(ended)
}

struct Running(mpsc::Receiver<Result<(), RunError>>);

impl Running {
    fn end(self) -> Result<(), RunError> {
        self.0.recv_timeout(PATIENCE).expect("it ends in time")
    }
}

/// How the networks of a test are run.
type Run = fn(Network, &Handle) -> Result<(), RunError>;

const RUNS: [(&str, Run); 3] = [
    ("run", |net, _| net.run()),
    ("run_threads", |net, _| net.run_threads(2)),
    ("run_async", |net, runtime| {
        runtime.block_on(net.run_async())
    }),
];

#[test]
fn processes_of_two_networks_exchange_typed_messages() {
    for (how, run) in RUNS {
        let Machines { counter, kitchen } = machines();
        let mut front = Network::new("front");
        let orders = counter.1.outlet::<Order>(&mut front, "orders").unwrap();
        let plates = counter.1.inlet::<Order>(&mut front, "plates").unwrap();
        front.process(
            "waiter",
            (orders, plates),
            async |(orders, plates): &(Out<Order>, In<Order>)| {
                for table in 0..100 {
                    orders.send(order(table)).await?;
                    assert_eq!(plates.recv().await?, order(table + 1000));
                }
                Ok(())
            },
        );
        let mut back = Network::new("back");
        let orders = kitchen.1.inlet::<Order>(&mut back, "orders").unwrap();
        let plates = kitchen.1.outlet::<Order>(&mut back, "plates").unwrap();
        let served = back.process_returning(
            "cook",
            (orders, plates),
            async |(orders, plates): &(In<Order>, Out<Order>)| {
                let mut served = 0;
                while let Some(mut order) = orders.next().await? {
                    order.table += 1000;
                    plates.send(order).await?;
                    served += 1;
                }
                Ok(served)
            },
        );
        // The runtimes stay: a link whose runtime is gone is broken off.
        let [there, here] = [&counter.0, &kitchen.0].map(|it| it.handle().clone());
        let front = start(move || run(front, &there));
        let back = start(move || run(back, &here));
        front.end().unwrap_or_else(|error| panic!("{how}: {error}"));
        back.end().unwrap_or_else(|error| panic!("{how}: {error}"));
        assert_eq!(served.take().unwrap(), 100, "{how}");
    }
}

#[test]
fn select_custody_timeouts_and_blocking_threads_work_across() {
    let Machines { counter, kitchen } = machines();
    let mut front = Network::new("front");
    let orders = counter.1.outlet::<Order>(&mut front, "orders").unwrap();
    let late = counter.1.outlet::<Order>(&mut front, "late").unwrap();
    let (local_out, local_in) = front.channel::<u32>("local");
    front.process("clock", local_out, async |local: &Out<u32>| {
        local.send(5).await?;
        Ok(())
    });
    front.process(
        "waiter",
        (orders, late, local_in),
        async |(orders, late, local): &(Out<Order>, Out<Order>, In<u32>)| {
            let (mut sent, mut has_heard) = (0, false);
            while sent < 3 {
                let mut home = Some(order(sent));
                if has_heard {
                    orders.send_from(&mut home).await?;
                    sent += 1;
                } else {
                    select_async! {
                        send(orders, &mut home) -> done => { done?; sent += 1; },
                        recv(local) -> number => has_heard = number? == 5,
                    }
                }
            }
            if !has_heard {
                assert_eq!(local.recv().await?, 5);
            }
            // One that is handed back is here again.
            assert_eq!(
                orders.send(order(9)).await,
                Err(SendError::Returned(order(9)))
            );
            // Nobody waits there yet.
            let error = late.send_timeout(order(7), Duration::from_millis(5)).await;
            assert!(error.unwrap_err().is_timeout());
            orders.send(order(10)).await?;
            late.send(order(8)).await?;
            Ok(())
        },
    );
    let mut back = Network::new("back");
    let orders = kitchen.1.inlet::<Order>(&mut back, "orders").unwrap();
    let late = kitchen.1.inlet::<Order>(&mut back, "late").unwrap();
    let (tell, told) = back.channel::<()>("told");
    back.process(
        "cook",
        (orders, tell),
        async |(orders, tell): &(In<Order>, Out<()>)| {
            assert_eq!(orders.recv().await?, order(0));
            assert_eq!(orders.accept(async |it| it.table).await?, 1);
            assert_eq!(orders.recv_held().await?.release(), order(2));
            let held = orders.recv_held().await?;
            assert_eq!(*held, order(9));
            assert_eq!(held.hand_back(), Ok(()));
            assert_eq!(orders.recv().await?, order(10));
            tell.send(()).await?;
            assert!(orders.next().await?.is_none(), "it has closed");
            Ok(())
        },
    );
    back.thread(
        "blocker",
        (late, told),
        |(late, told): &(BlockingIn<Order>, BlockingIn<()>)| {
            told.recv()?;
            assert_eq!(late.recv()?, order(8));
            assert!(late.next()?.is_none(), "it has closed");
            Ok(())
        },
    );
    let front = start(move || front.run());
    let back = start(move || back.run());
    front.end().unwrap();
    back.end().unwrap();
}

/// Both wait for what the other machine does, for ever: that is no deadlock that one of them could prove, and the report
/// names who could end it.
#[test]
fn a_wait_for_a_peer_is_no_deadlock_and_names_it() {
    let Machines { counter, kitchen } = machines();
    let mut back = Network::new("back");
    let orders = kitchen.1.inlet::<Order>(&mut back, "orders").unwrap();
    let plates = kitchen.1.outlet::<Order>(&mut back, "plates").unwrap();
    back.process("cook", orders, async |orders: &In<Order>| {
        orders.next().await?;
        Ok(())
    });
    back.process("runner", plates, async |plates: &Out<Order>| {
        plates.send(order(1)).await.or_end()?;
        Ok(())
    });
    let observer = back.observe();
    let back = start(move || back.run());
    // Looked at again and again: a thread looks every 40 ms, and each snapshot looks too.
    let deadline = std::time::Instant::now() + PATIENCE;
    let undecided = loop {
        let snapshot = observer.snapshot();
        assert_eq!(snapshot.deadlock, None);
        match snapshot.undecided {
            Some(undecided) if undecided.process_count == 2 && undecided.because.len() >= 2 => {
                break undecided;
            }
            _ => assert!(
                std::time::Instant::now() < deadline,
                "{:?}",
                observer.snapshot()
            ),
        }
        thread::yield_now();
    };
    for channel in ["orders", "plates"] {
        let held = Because::HeldBy {
            channel: channel.to_owned(),
            holder: "peer `counter` over a link".to_owned(),
        };
        assert!(undecided.because.contains(&held), "{undecided}");
    }
    let snapshot = observer.snapshot();
    let seen = snapshot
        .channels
        .iter()
        .find(|it| it.name == "orders")
        .unwrap();
    assert_eq!(seen.open_ends, 1);
    assert_eq!(seen.known_outside, ["peer `counter` over a link"]);
    let text = snapshot.to_string();
    assert!(
        text.contains("held by peer `counter` over a link"),
        "{text}"
    );
    // The peer goes: both hear it, and the run ends.
    let (runtime, link) = counter;
    runtime.block_on(link.close(Goodbye::new(Code::Done, "")));
    back.end().unwrap();
}

#[test]
fn a_deadlock_beside_a_remote_port_is_told() {
    let Machines { kitchen, counter } = machines();
    let mut back = Network::new("back");
    let orders = kitchen.1.inlet::<Order>(&mut back, "orders").unwrap();
    back.process("cook", orders, async |orders: &In<Order>| {
        orders.next().await?;
        Ok(())
    });
    let (up_out, up_in) = back.channel::<u32>("up");
    let (down_out, down_in) = back.channel::<u32>("down");
    back.process(
        "a",
        (up_out, down_in),
        async |(up, down): &(Out<u32>, In<u32>)| {
            up.send(1).await?;
            down.recv().await?;
            Ok(())
        },
    );
    back.process(
        "b",
        (down_out, up_in),
        async |(down, up): &(Out<u32>, In<u32>)| {
            down.send(1).await?;
            up.recv().await?;
            Ok(())
        },
    );
    let Err(RunError::Deadlock(deadlock)) = start(move || back.run()).end() else {
        panic!("a and b are deadlocked")
    };
    assert_eq!(deadlock.cycle_names(), ["a", "b"]);
    drop(counter);
}

#[test]
fn a_process_that_fails_poisons_the_far_end_with_its_reason() {
    let Machines { counter, kitchen } = machines();
    let mut back = Network::new("back");
    let orders = kitchen.1.inlet::<Order>(&mut back, "orders").unwrap();
    back.process("cook", orders, async |orders: &In<Order>| {
        orders.recv().await?;
        Err(std::io::Error::other("the stove is cold").into())
    });
    let mut front = Network::new("front");
    let orders = counter.1.outlet::<Order>(&mut front, "orders").unwrap();
    let heard = front.process_returning("waiter", orders, async |orders: &Out<Order>| {
        orders.send(order(1)).await?;
        let error = orders.send(order(2)).await.unwrap_err();
        Ok(error.poison().map(ToString::to_string))
    });
    let front = start(move || front.run());
    let back = start(move || back.run());
    assert!(matches!(back.end(), Err(RunError::Failed { .. })));
    front.end().unwrap();
    let heard = heard.take().unwrap().expect("it was poisoned");
    assert!(heard.contains("the stove is cold"), "{heard}");
}

#[test]
fn a_network_that_is_never_run_gives_its_ends_up() {
    let Machines { counter, kitchen } = machines();
    let tx = counter.1.sender_of::<Order>("orders").unwrap();
    let mut never = Network::new("never");
    let token = kitchen.1.inlet::<Order>(&mut never, "orders").unwrap();
    never.process("cook", token, async |orders: &In<Order>| {
        orders.recv().await?;
        Ok(())
    });
    // The peer has opened the channel, too: one that nobody has is waited for.
    let opened = settle(&counter.1, &kitchen.1);
    counter.0.block_on(opened);
    drop(never);
    let sent = counter
        .0
        .block_on(async { tokio::time::timeout(PATIENCE, tx.send_async(order(1))).await });
    assert_eq!(
        sent.expect("it hears it"),
        Err(SendError::Disconnected(order(1)))
    );
}

#[test]
fn a_far_end_that_is_there_first_waits_for_the_network_to_run() {
    let Machines { counter, kitchen } = machines();
    let mut back = Network::new("back");
    let orders = kitchen.1.inlet::<Order>(&mut back, "orders").unwrap();
    let tx = counter.1.sender_of::<Order>("orders").unwrap();
    let sending = counter
        .0
        .spawn(async move { tx.send_async(order(1)).await });
    // Only now is there a process: before that the channel seems to have no receiver.
    let taken = back.process_returning("cook", orders, async |orders: &In<Order>| {
        Ok(orders.recv().await?)
    });
    start(move || back.run()).end().unwrap();
    assert_eq!(taken.take().unwrap(), order(1));
    counter.0.block_on(sending).unwrap().unwrap();
    drop(kitchen);
}
