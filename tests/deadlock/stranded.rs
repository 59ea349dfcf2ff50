//! Receives that were polled once and left: woken for a message, they do not look, and nothing has them polled. They
//! keep no other receiver from the message, and no deadlock from being found.

use std::{
    future::{Future, pending, poll_fn},
    pin::Pin,
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, poll, stream::FuturesUnordered};
use handover::{
    channel::Select,
    process::{BlockingOut, Doing, In, Network, Observer, Out, Snapshot},
};

use crate::{
    play::{self, As},
    ways::{WAYS, others},
};

/// When a test gives up.
const LONG: Duration = Duration::from_mins(1);

/// Waits until the network looks like that.
fn until(observer: &Observer, is_so: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let deadline = Instant::now() + LONG;
    loop {
        let snapshot = observer.snapshot();
        if is_so(&snapshot) {
            return snapshot;
        }
        assert!(Instant::now() < deadline, "{snapshot}");
        thread::yield_now();
    }
}

fn is_blocked(snapshot: &Snapshot, name: &str) -> bool {
    let mut processes = snapshot.processes.iter();
    processes.any(|one| one.name == name && one.state == Doing::Blocked)
}

/// `a` leaves what `leave` makes of its port, and waits for `b`; `b` waits for `a` to take its message.
fn a_leaves_and_waits<F>(net: &mut Network, leave: F)
where
    F: for<'a> FnOnce(&'a In<u32>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>
        + Send
        + 'static,
{
    let (x_out, x_in) = net.channel::<u32>("x");
    let (y_out, y_in) = net.channel::<u32>("y");
    let (go_out, go_in) = net.channel::<u32>("go");
    net.process(
        "a",
        (x_in, y_in, go_out),
        async move |(x, y, go): &(In<u32>, In<u32>, Out<u32>)| {
            let mut left = leave(x);
            assert!(poll!(left.as_mut()).is_pending());
            go.send(1).await?;
            y.recv().await?;
            // It would be taken up again.
            left.await;
            Ok(())
        },
    );
    net.process(
        "b",
        (x_out, y_out, go_in),
        async |(x, y, go): &(Out<u32>, Out<u32>, In<u32>)| {
            go.recv().await?;
            x.send(1).await?;
            y.send(1).await?;
            Ok(())
        },
    );
}

fn receive(x: &In<u32>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
    Box::pin(async { drop(x.recv().await) })
}

#[test]
fn a_deadlock_is_found_where_the_one_that_could_take_has_left_its_receive() {
    for way in WAYS {
        let mut net = Network::new("left");
        a_leaves_and_waits(&mut net, receive);
        let deadlock = way.deadlock(net);
        assert_eq!(deadlock.cycle_names(), ["a", "b"], "{deadlock}");
        assert!(deadlock.is_total);
        let [y, x] = &*deadlock.cycle[0].waits else {
            panic!("{deadlock}")
        };
        assert!(!y.is_stranded && x.is_stranded, "{deadlock}");
        assert_eq!((y.channel.as_str(), x.channel.as_str()), ("y", "x"));
        let text = deadlock.to_string();
        assert!(
            text.contains(", and receiving on \"x\" at stranded.rs:")
                && text.contains(", woken and not polled since) waits for b"),
            "{text}"
        );
    }
}

#[test]
fn it_is_found_while_others_run() {
    for way in WAYS {
        let mut net = Network::new("left");
        a_leaves_and_waits(&mut net, receive);
        let _kept = play::add(&mut net, &["c: *{t!}", "d: *{t?}"], As::Processes);
        let deadlock = way.deadlock(net);
        assert_eq!(deadlock.cycle_names(), ["a", "b"], "{deadlock}");
        assert!(!deadlock.is_total && others(&deadlock).is_empty());
    }
}

#[test]
fn an_alternation_that_was_left_is_no_other() {
    for way in WAYS {
        let mut net = Network::new("left");
        a_leaves_and_waits(&mut net, |x| {
            let select = Select::of_process().recv(x, |_| ());
            let select = select.recv(x, |_| ());
            Box::pin(select.wait())
        });
        let deadlock = way.deadlock(net);
        assert_eq!(deadlock.cycle_names(), ["a", "b"], "{deadlock}");
        let stranded = |wait: &&handover::process::Wait| wait.is_stranded;
        assert_eq!(deadlock.cycle[0].waits.iter().filter(stranded).count(), 2);
    }
}

#[test]
fn one_that_has_nothing_but_what_it_left_waits_for_nothing() {
    for way in WAYS {
        let mut net = Network::new("nothing");
        let (x_out, x_in) = net.channel::<u32>("x");
        net.process("a", x_in, async |x: &In<u32>| {
            let mut left = Box::pin(x.recv());
            assert!(poll!(left.as_mut()).is_pending());
            pending::<()>().await;
            Ok(())
        });
        net.process("b", x_out, async |x: &Out<u32>| {
            x.ready().await?;
            x.send(1).await?;
            Ok(())
        });
        let deadlock = way.deadlock(net);
        assert!(deadlock.is_total && deadlock.cycle.is_empty());
        assert_eq!(others(&deadlock), ["a", "b"]);
        let text = deadlock.to_string();
        assert!(
            text.contains("woken and not polled since) waits for nothing that could wake it"),
            "{text}"
        );
    }
}

/// `a` was first in line and does not look; `c` waits behind it, and gets the message.
fn another_takes(
    leave: impl Fn(&mut Network, handover::process::InToken<u32>, handover::process::InToken<u32>),
) {
    for way in WAYS {
        let mut net = Network::new("held up");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        let (go_out, go_in) = net.channel::<u32>("go");
        leave(&mut net, x_in.share(), y_in);
        net.process(
            "c",
            (x_in, y_out, go_in),
            async |(x, y, go): &(In<u32>, Out<u32>, In<u32>)| {
                go.recv().await?;
                assert_eq!(x.recv().await?, 7);
                y.send(1).await?;
                Ok(())
            },
        );
        let observer = net.observe();
        net.thread(
            "b",
            (x_out, go_out),
            move |(x, go): &(BlockingOut<u32>, BlockingOut<u32>)| {
                until(&observer, |snapshot| {
                    let mut processes = snapshot.processes.iter();
                    let a = processes.find(|one| one.name == "a");
                    a.is_some_and(|a| a.turns > 0 && a.state != Doing::Running)
                });
                go.send(1)?;
                until(&observer, |snapshot| {
                    let mut processes = snapshot.processes.iter();
                    let c = processes.find(|one| one.name == "c");
                    c.is_some_and(|c| c.waits.iter().any(|wait| wait.channel == "x"))
                });
                x.send(7)?;
                Ok(())
            },
        );
        way.run(net).unwrap();
    }
}

#[test]
fn a_message_is_not_held_up_by_one_that_was_woken_and_does_not_look() {
    another_takes(|net, x, y| {
        net.process("a", (x, y), async |(x, y): &(In<u32>, In<u32>)| {
            let mut left = Box::pin(x.recv());
            assert!(poll!(left.as_mut()).is_pending());
            y.recv().await?;
            Ok(())
        });
    });
}

/// Its waker is not the process's own: nothing is known of it but that it does not look.
#[test]
fn neither_by_one_in_a_set_that_nobody_polls() {
    another_takes(|net, x, y| {
        net.process("a", (x, y), async |(x, y): &(In<u32>, In<u32>)| {
            let mut left: FuturesUnordered<_> = std::iter::once(x.recv()).collect();
            assert!(poll!(left.next()).is_pending());
            y.recv().await?;
            Ok(())
        });
    });
}

/// It is seen while it lasts, and is no reason for an alarm: `a` is released, and takes it up again.
#[test]
fn one_that_was_left_is_seen_and_goes_on_when_its_process_does() {
    for way in WAYS {
        let mut net = Network::new("seen");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        net.process("a", (x_in, y_in), async |(x, y): &(In<u32>, In<u32>)| {
            let mut left = Box::pin(x.recv());
            assert!(poll!(left.as_mut()).is_pending());
            y.recv().await?;
            assert_eq!(left.await?, 7);
            Ok(())
        });
        net.process("b", x_out, async |x: &Out<u32>| {
            x.ready().await?;
            x.send(7).await?;
            Ok(())
        });
        let observer = net.observe();
        net.thread("c", y_out, move |y: &BlockingOut<u32>| {
            let snapshot = until(&observer, |snapshot| {
                let mut processes = snapshot.processes.iter();
                let a = processes.find(|one| one.name == "a");
                is_blocked(snapshot, "a")
                    && a.is_some_and(|a| a.waits.iter().any(|w| w.is_stranded))
            });
            let text = snapshot.to_string();
            assert!(text.contains("woken and not polled since\n"), "{text}");
            for _ in 0..100 {
                assert_eq!(observer.look(), None);
            }
            y.send(1)?;
            Ok(())
        });
        way.run(net).unwrap();
    }
}

/// It looks at what it left whenever it is polled, and is polled for what it was woken for.
#[test]
fn one_that_is_polled_by_hand_is_not_taken_for_left() {
    for way in WAYS {
        let mut net = Network::new("by hand");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        net.process("a", (x_in, y_out), async |(x, y): &(In<u32>, Out<u32>)| {
            for n in 0..200 {
                let mut first = Box::pin(x.recv());
                let mut second = Box::pin(x.recv());
                let got = poll_fn(|context| {
                    if let Poll::Ready(got) = first.as_mut().poll(context) {
                        return Poll::Ready(got);
                    }
                    second.as_mut().poll(context)
                })
                .await?;
                assert_eq!(got, n);
                y.send(n).await?;
            }
            Ok(())
        });
        net.process("b", (x_out, y_in), async |(x, y): &(Out<u32>, In<u32>)| {
            for n in 0..200 {
                x.send(n).await?;
                y.recv().await?;
            }
            Ok(())
        });
        let observer = net.observe();
        let watcher = thread::spawn(move || {
            while observer.snapshot().age_ms < 50 || observer.snapshot().is_running {
                assert_eq!(observer.look(), None);
            }
        });
        way.run(net).unwrap();
        watcher.join().unwrap();
    }
}
