//! Several nodes, and the picture that is made of them.

use std::thread;

use handover::{
    net::{Goodbye, Hub, Link, Node, NodeSnapshot, System},
    process::{Doing, In, Network, OnDeadlock, OrEnd, Out, ProcessSeen, RunError},
};

use super::{
    Running, Slip,
    links::{config, pair_of, soon},
    look, look_until,
};

/// Links between a node called `a` and one called `b`, one at each.
async fn between(a: &str, b: &str) -> (Link, Link) {
    pair_of(config().name(a), config().name(b)).await
}

/// A node whose process sends on `to` once for each that it receives on `from`; `first` says whether it begins.
fn relay(name: &str, from: (&Link, &str), to: (&Link, &str), first: bool) -> (Node, Network) {
    let mut net = Network::new(name);
    let node = Node::new(name, &net);
    let into = from.0.inlet::<Slip>(&mut net, from.1).unwrap();
    let out = to.0.outlet::<Slip>(&mut net, to.1).unwrap();
    let relay = async move |(into, out): &(In<Slip>, Out<Slip>)| {
        if first {
            out.send(Slip(0)).await.or_end()?;
        }
        while let Some(slip) = into.next().await? {
            out.send(slip).await.or_end()?;
        }
        Ok(())
    };
    net.process("relay", (into, out), relay);
    (node, net)
}

fn process<'a>(system: &'a System, name: &str) -> &'a ProcessSeen {
    let mut all = system.snapshot.processes.iter();
    all.find(|it| it.name == name)
        .unwrap_or_else(|| panic!("{name} is not in:\n{system}"))
}

/// The only one for whom a process waits, if nobody outside could come as well.
fn waits_for(system: &System, name: &str) -> String {
    let waits = &process(system, name).waits;
    assert_eq!(waits.len(), 1, "{system}");
    assert!(!waits[0].is_open, "{system}");
    waits[0].waits_for.join(" or ")
}

fn waits(seen: &NodeSnapshot) -> bool {
    let mut all = seen.snapshot.processes.iter();
    all.all(|it| it.state == Doing::Blocked || it.state == Doing::Outside)
        && seen
            .snapshot
            .processes
            .iter()
            .all(|it| !it.waits.is_empty())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_of_which_each_waits_for_the_other() {
    let (ab, ba) = between("a", "b").await;
    let (a, net_a) = relay("a", (&ab, "down"), (&ab, "up"), false);
    let (b, net_b) = relay("b", (&ba, "up"), (&ba, "down"), false);
    a.join(&ab).unwrap();
    b.join(&ba).unwrap();
    let running = [Running::start(net_a), Running::start(net_b)];
    // Both receive first, for ever.
    let seen = vec![look_until(&ba, waits).await, look_until(&ab, waits).await];
    let system = System::of(seen);
    assert_eq!(waits_for(&system, "relay at a"), "relay at b");
    assert_eq!(waits_for(&system, "relay at b"), "relay at a");
    let names: Vec<_> = system
        .snapshot
        .channels
        .iter()
        .map(|it| &*it.name)
        .collect();
    assert_eq!(names, ["down", "up"]);
    assert_eq!(system.unanswered, [""; 0]);
    assert!(system.snapshot.channels.iter().all(|it| it.open_ends == 0));
    // And with one of the two the other is known by its name.
    let system = System::of(vec![look(&ba).await]);
    assert_eq!(system.unanswered, ["b"]);
    let wait = &process(&system, "relay at a").waits[0];
    assert_eq!(wait.waits_for, ["peer `b` (did not answer)"]);
    assert!(wait.is_open);
    ab.close(Goodbye::done()).await;
    running.into_iter().for_each(Running::end);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_in_a_ring_that_all_send() {
    let (ab, ba) = between("a", "b").await;
    let (bc, cb) = between("b", "c").await;
    let (ca, ac) = between("c", "a").await;
    let (a, net_a) = relay("a", (&ac, "ca"), (&ab, "ab"), true);
    let (b, net_b) = relay("b", (&ba, "ab"), (&bc, "bc"), true);
    let (c, net_c) = relay("c", (&cb, "bc"), (&ca, "ca"), true);
    // Somebody else looks.
    let mut looks = Vec::new();
    for node in [&a, &b, &c] {
        let (link, theirs) = between("visitor", node.name()).await;
        node.join(&theirs).unwrap();
        looks.push(link);
    }
    let running = [net_a, net_b, net_c].map(Running::start);
    let mut seen = Vec::new();
    for link in &looks {
        // It is undecided once it has rested.
        let rests = |seen: &NodeSnapshot| waits(seen) && seen.snapshot.undecided.is_some();
        seen.push(look_until(link, rests).await);
    }
    let system = System::of(seen);
    for (name, next) in [("a", "b"), ("b", "c"), ("c", "a")] {
        let expected = format!("relay at {next}");
        assert_eq!(waits_for(&system, &format!("relay at {name}")), expected);
    }
    // No node has proved anything, and nothing is left that keeps it from being one.
    assert_eq!(system.snapshot.deadlock, None);
    let undecided = system.snapshot.undecided.unwrap();
    assert_eq!((undecided.process_count, undecided.because_count), (3, 0));
    for link in [&ab, &bc, &ca] {
        link.close(Goodbye::done()).await;
    }
    running.into_iter().for_each(Running::end);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_s_channel_is_one_whoever_has_its_ends() {
    let hub = Hub::new();
    let mut net = Network::new("owner");
    let (out, into) = hub.channel_in::<Slip>(&mut net, "slips").unwrap();
    drop((out, into));
    let owner = Node::new("owner", &net);
    let mut all = Vec::new();
    let mut running = Vec::new();
    let (looking, theirs) = between("visitor", "owner").await;
    owner.join(&theirs).unwrap();
    for (name, sends) in [("first", true), ("second", true), ("third", false)] {
        let (link, theirs) = between(name, "owner").await;
        let attending = hub.clone();
        let of_hub = theirs.clone();
        tokio::spawn(async move { attending.attend(&of_hub).await });
        let mut net = Network::new(name);
        let node = Node::new(name, &net);
        node.join(&link).unwrap();
        if sends {
            let out = link.ask_outlet::<Slip>(&mut net, "slips");
            let out = soon("an end", out).await.unwrap();
            net.process("worker", out, async |out: &Out<Slip>| {
                while out.send(Slip(1)).await.is_ok() {}
                Ok(())
            });
        } else {
            // Somebody who has an end and takes nothing.
            let into = link.ask_inlet::<Slip>(&mut net, "slips");
            let into = soon("an end", into).await.unwrap();
            let (never, rest) = net.channel::<Slip>("never");
            net.process("other", never, async |never: &Out<Slip>| {
                let _ = never.send(Slip(0)).await;
                Ok(())
            });
            net.process(
                "worker",
                (into, rest),
                async |(into, rest): &(In<Slip>, In<Slip>)| {
                    rest.recv().await?;
                    while into.next().await?.is_some() {}
                    Ok(())
                },
            );
        }
        running.push((net, sends));
        all.push((link, theirs));
    }
    let running: Vec<Running> = [net]
        .into_iter()
        .chain(running.into_iter().map(|(net, _)| net))
        .map(Running::start)
        .collect();
    let mut seen = vec![look(&looking).await];
    for (_, theirs) in &all {
        seen.push(look(theirs).await);
    }
    let system = System::of(seen);
    let slips: Vec<_> = system
        .snapshot
        .channels
        .iter()
        .filter(|it| it.name.starts_with("slips"))
        .collect();
    assert_eq!(slips.len(), 1, "{system}");
    assert_eq!(slips[0].senders, ["worker at first", "worker at second"]);
    assert_eq!(slips[0].receivers, ["worker at third"]);
    assert_eq!(system.unanswered, [""; 0]);
    hub.close("slips");
    for (link, _) in &all {
        link.close(Goodbye::done()).await;
    }
    running.into_iter().for_each(Running::end);
}

/// One node is deadlocked, by itself, and the other waits because of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_at_one_node_is_told_with_the_name_of_the_node() {
    let (ab, ba) = between("a", "b").await;
    let mut net_a = Network::new("a");
    let a = Node::new("a", &net_a);
    let (up_out, up_in) = net_a.channel::<Slip>("up");
    let (down_out, down_in) = net_a.channel::<Slip>("down");
    let news = ab.outlet::<Slip>(&mut net_a, "news").unwrap();
    // What is sent nobody takes, for both send first.
    let left = async |(up, down, news): &(Out<Slip>, In<Slip>, Out<Slip>)| {
        up.send(Slip(1)).await?;
        down.recv().await?;
        news.send(Slip(2)).await?;
        Ok(())
    };
    net_a.process("left", (up_out, down_in, news), left);
    let right = async |(down, up): &(Out<Slip>, In<Slip>)| {
        down.send(Slip(1)).await?;
        up.recv().await?;
        Ok(())
    };
    net_a.process("right", (down_out, up_in), right);
    let mut net_b = Network::new("b");
    let b = Node::new("b", &net_b);
    let news = ba.inlet::<Slip>(&mut net_b, "news").unwrap();
    net_b.process("reader", news, async |news: &In<Slip>| {
        let _ = news.recv().await;
        Ok(())
    });
    a.join(&ab).unwrap();
    b.join(&ba).unwrap();
    let running = Running::start(net_b);
    // As long as somebody may go on it is not the end of the run.
    let (go, told) = tokio::sync::oneshot::channel::<()>();
    net_a.process("idle", (), async move |(): &()| {
        let _ = told.await;
        Ok(())
    });
    net_a.on_deadlock(OnDeadlock::Report);
    let standing = thread::spawn(move || net_a.run());
    let is_told = |seen: &NodeSnapshot| seen.snapshot.deadlock.is_some();
    let seen = vec![look_until(&ba, is_told).await, look_until(&ab, waits).await];
    let system = System::of(seen);
    let deadlock = system.snapshot.deadlock.as_ref().unwrap();
    let mut members = deadlock.cycle_names();
    members.sort_unstable();
    assert_eq!(members, ["left at a", "right at a"]);
    assert!(system.to_string().contains("deadlock: "), "{system}");
    assert_eq!(system.to_dot().matches("penwidth=3").count(), 2);
    assert_eq!(waits_for(&system, "reader at b"), "left at a");
    ab.close(Goodbye::done()).await;
    running.end();
    drop(go);
    let end = tokio::task::spawn_blocking(move || standing.join().unwrap());
    let end = soon("the end", end).await.unwrap();
    assert!(matches!(end, Err(RunError::Deadlock(_))), "{end:?}");
}
