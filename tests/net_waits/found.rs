//! What is found: the same named cycle at each machine.

use std::{
    thread,
    time::{Duration, Instant},
};

use handover::{
    net::Hub,
    process::{Deadlock, Doing, In, OnDeadlock, Out, ProcessResult, Waiting},
    select_async,
};

use super::{
    Number,
    machines::{Machine, Running, link, link_far, wait_until},
};

/// How soon it is to be known. The links are on one machine, so the round trips do not count.
const SOON: Duration = Duration::from_secs(1);

/// Sends first and receives then, as does whoever is at the other side.
pub async fn greet((out, into): &(Out<Number>, In<Number>)) -> ProcessResult {
    out.send(Number(1)).await?;
    into.recv().await?;
    Ok(())
}

fn sites_are_here(deadlock: &Deadlock) {
    for wait in deadlock.processes().flat_map(|it| &it.waits) {
        assert!(wait.site.file.ends_with("net_waits/found.rs"), "{wait:?}");
        assert!(!wait.is_open, "{wait:?}");
    }
}

#[test]
fn two_machines_that_send_to_each_other_both_tell_of_it() {
    let [mut front, mut back] = ["front", "back"].map(Machine::new);
    let (there, here) = link(&front, &back);
    let up = there.outlet(front.network(), "up").unwrap();
    let down = there.inlet(front.network(), "down").unwrap();
    front.network().process("asker", (up, down), greet);
    let up = here.inlet(back.network(), "up").unwrap();
    let down = here.outlet(back.network(), "down").unwrap();
    back.network().process("teller", (down, up), greet);
    let began = Instant::now();
    let running = [front.start(), back.start()];
    let [(one, at), (other, later)] = running.map(Running::deadlock);
    assert_eq!(one, other, "all tell the same");
    assert_eq!(one.cycle_names(), ["teller at back", "asker at front"]);
    assert_eq!(one.network, "back, front");
    assert!(one.is_total && one.others.is_empty(), "{one}");
    sites_are_here(&one);
    let line = one.cycle[0].waits[0].site.line;
    assert_eq!(
        one.to_string(),
        format!(
            "deadlock: teller at back (sending on \"down\" at found.rs:{line}) waits for asker at front; asker at front \
             (sending on \"up\" at found.rs:{line}) waits for teller at back"
        )
    );
    for at in [at, later] {
        assert!(at - began < SOON, "after {:?}", at - began);
    }
    assert_eq!(front.node.deadlock(), Some(one.clone()));
    assert_eq!(back.node.deadlock(), Some(one));
}

/// Receives, and sends on; the message comes from nowhere.
pub async fn pass_on((into, out): &(In<Number>, Out<Number>)) -> ProcessResult {
    while let Some(number) = into.next().await? {
        out.send(number).await?;
    }
    Ok(())
}

fn same_everywhere(running: impl IntoIterator<Item = Running>, began: Instant) -> Deadlock {
    let all: Vec<_> = running.into_iter().map(Running::deadlock).collect();
    for (deadlock, at) in &all {
        assert_eq!(*deadlock, all[0].0, "all tell the same");
        assert!(*at - began < SOON, "after {:?}", *at - began);
    }
    all.into_iter().next().unwrap().0
}

#[test]
fn a_ring_of_three_machines_in_which_all_receive_is_told_of_by_all() {
    let mut ring = ["a", "b", "c"].map(Machine::new);
    // Each is linked to the next.
    let links = [(0, 1), (1, 2), (2, 0)].map(|(from, to)| link(&ring[from], &ring[to]));
    for (at, machine) in ring.iter_mut().enumerate() {
        let out = links[at].0.outlet(machine.network(), "next").unwrap();
        let into = &links[(at + 2) % 3].1;
        let into = into.inlet(machine.network(), "next").unwrap();
        machine.network().process("clerk", (into, out), pass_on);
    }
    let began = Instant::now();
    let running = ring.each_mut().map(Machine::start);
    let deadlock = same_everywhere(running, began);
    // Each receives from the one before.
    assert_eq!(
        deadlock.cycle_names(),
        ["clerk at a", "clerk at c", "clerk at b"]
    );
    sites_are_here(&deadlock);
}

/// As P4 promises: a second and four round trips.
#[test]
fn over_long_ways_it_is_known_in_a_second_and_four_round_trips() {
    const WAY: Duration = Duration::from_millis(120);

    let mut ring = ["a", "b", "c"].map(Machine::new);
    let links = [(0, 1), (1, 2), (2, 0)].map(|(from, to)| {
        let far = link_far(&ring[from], &ring[to], WAY);
        ring[from].node.join(&far.0).unwrap();
        ring[to].node.join(&far.1).unwrap();
        far
    });
    for (at, machine) in ring.iter_mut().enumerate() {
        let out = links[at].0.outlet(machine.network(), "next").unwrap();
        let into = &links[(at + 2) % 3].1;
        let into = into.inlet(machine.network(), "next").unwrap();
        machine.network().process("clerk", (into, out), pass_on);
    }
    let began = Instant::now();
    let running = ring.each_mut().map(Machine::start);
    let mut known_at = [None; 3];
    while known_at.contains(&None) {
        assert!(began.elapsed() < SOON + 8 * WAY, "{known_at:?}");
        for (known_at, machine) in known_at.iter_mut().zip(&ring) {
            if known_at.is_none() && machine.node.deadlock().is_some() {
                *known_at = Some(began.elapsed());
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    println!("known after {known_at:?}");
    let all = running.map(|it| it.deadlock().0);
    assert!(all.iter().all(|it| *it == all[0]));
}

/// The ends are linked to the middle, and know nothing of each other.
#[test]
fn a_cycle_is_found_through_a_machine_in_the_middle() {
    let [mut left, mut middle, mut right] = ["left", "middle", "right"].map(Machine::new);
    let (to_left, left_link) = link(&middle, &left);
    let (to_right, right_link) = link(&middle, &right);
    let (from_left, into_left) = (
        to_left.inlet(middle.network(), "forth").unwrap(),
        to_left.outlet(middle.network(), "back").unwrap(),
    );
    let (from_right, into_right) = (
        to_right.inlet(middle.network(), "back").unwrap(),
        to_right.outlet(middle.network(), "forth").unwrap(),
    );
    middle
        .network()
        .process("forth", (from_left, into_right), pass_on);
    middle
        .network()
        .process("back", (from_right, into_left), pass_on);
    let ports = (
        left_link.inlet(left.network(), "back").unwrap(),
        left_link.outlet(left.network(), "forth").unwrap(),
    );
    left.network().process("end", ports, pass_on);
    let ports = (
        right_link.inlet(right.network(), "forth").unwrap(),
        right_link.outlet(right.network(), "back").unwrap(),
    );
    right.network().process("end", ports, pass_on);
    let began = Instant::now();
    let running = [left.start(), middle.start(), right.start()];
    let deadlock = same_everywhere(running, began);
    let mut names = deadlock.cycle_names();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "back at middle",
            "end at left",
            "end at right",
            "forth at middle"
        ]
    );
}

/// Whoever has the message in custody waits for its sender.
#[test]
fn an_accepted_send_waits_for_whoever_holds_its_message() {
    let [mut front, mut back] = ["front", "back"].map(Machine::new);
    let (there, here) = link(&front, &back);
    let up = there.outlet(front.network(), "up").unwrap();
    let down = there.outlet(front.network(), "down").unwrap();
    front
        .network()
        .process("asker", (up, down), async |(up, down): &Two| {
            up.send(Number(1)).await?;
            down.send(Number(2)).await?;
            Ok(())
        });
    let up = here.inlet(back.network(), "up").unwrap();
    let down = here.inlet(back.network(), "down").unwrap();
    back.network().process(
        "teller",
        (up, down),
        async |(up, down): &(In<Number>, In<Number>)| {
            let held = up.recv_held().await?;
            // It would come after the first one only.
            down.recv().await?;
            let Number(_) = held.release();
            Ok(())
        },
    );
    let began = Instant::now();
    let deadlock = same_everywhere([front.start(), back.start()], began);
    assert_eq!(deadlock.cycle_names(), ["teller at back", "asker at front"]);
    assert_eq!(deadlock.cycle[1].waits[0].operation, Waiting::Accepted);
}

type Two = (Out<Number>, Out<Number>);

/// Alternations wait for any of several: all of these must be in it.
#[test]
fn alternations_on_both_machines_are_looked_at_whole() {
    let [mut front, mut back] = ["front", "back"].map(Machine::new);
    let (there, here) = link(&front, &back);
    let ends = |at: &mut Machine, link: &handover::net::Link, names: [&str; 2]| {
        names.map(|name| link.inlet::<Number>(at.network(), name).unwrap())
    };
    let [a, b] = ends(&mut front, &there, ["a", "b"]);
    let [c, d] = ends(&mut back, &here, ["c", "d"]);
    let out = ["c", "d"].map(|name| there.outlet::<Number>(front.network(), name).unwrap());
    front.network().process(
        "chooser",
        (vec![a, b], out.into_iter().collect::<Vec<_>>()),
        choose,
    );
    let out = ["a", "b"].map(|name| here.outlet::<Number>(back.network(), name).unwrap());
    back.network().process(
        "chooser",
        (vec![c, d], out.into_iter().collect::<Vec<_>>()),
        choose,
    );
    let began = Instant::now();
    let deadlock = same_everywhere([front.start(), back.start()], began);
    assert_eq!(
        deadlock.cycle_names(),
        ["chooser at back", "chooser at front"]
    );
    assert_eq!(deadlock.cycle[0].waits.len(), 2, "{deadlock}");
}

/// Receives from either, and would send then.
async fn choose((into, out): &(Vec<In<Number>>, Vec<Out<Number>>)) -> ProcessResult {
    let number = select_async! {
        recv(into[0]) -> number => number?,
        recv(into[1]) -> number => number?,
    };
    out[0].send(number).await?;
    out[1].send(number).await?;
    Ok(())
}

/// A machine owns the channel on which two others wait for each other; nobody new can get an end of it.
#[test]
fn a_shared_channel_is_no_way_out_once_its_hub_has_closed_it() {
    let [mut left, mut owner, mut right] = ["left", "owner", "right"].map(Machine::new);
    let hub = Hub::new();
    let (out, into) = hub.channel_in::<Number>(owner.network(), "shared").unwrap();
    drop((out, into));
    let (idle_out, idle_in) = owner.network().channel::<Number>("idle");
    // Whoever owns a channel has a process, or its run would be over.
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    owner.network().process(
        "keeper",
        (idle_out, idle_in),
        async move |_: &(Out<Number>, In<Number>)| {
            let _ = stopped.await;
            Ok(())
        },
    );
    let asked = |machine: &mut Machine, is_to_send: bool| {
        let (address, accepting) = owner.listen();
        let dialed = machine.dial(address);
        let accepted = owner.accept(accepting);
        machine.node.join(&dialed).unwrap();
        owner.node.join(&accepted).unwrap();
        let hub = hub.clone();
        owner.runtime.spawn(async move {
            let _ = hub.attend(&accepted).await;
        });
        let network = machine.network.as_mut().unwrap();
        machine.runtime.block_on(async {
            if is_to_send {
                (
                    Some(
                        dialed
                            .ask_outlet::<Number>(network, "shared")
                            .await
                            .unwrap(),
                    ),
                    None,
                )
            } else {
                (
                    None,
                    Some(dialed.ask_inlet::<Number>(network, "shared").await.unwrap()),
                )
            }
        })
    };
    let owner_running = {
        let (out, _) = asked(&mut left, true);
        let (_, into) = asked(&mut right, false);
        let (there, here) = link(&left, &right);
        let back = there.inlet::<Number>(left.network(), "back").unwrap();
        left.network()
            .process("sender", (back, out.unwrap()), pass_on);
        let back = here.outlet::<Number>(right.network(), "back").unwrap();
        right
            .network()
            .process("receiver", (into.unwrap(), back), pass_on);
        owner.start()
    };
    let running = [left.start(), right.start()];
    // As long as the hub has it, somebody may come and send.
    let both_wait = || {
        [&left, &right].iter().all(|machine| {
            let snapshot = machine.observer.snapshot();
            snapshot
                .processes
                .iter()
                .any(|it| it.state == Doing::Blocked)
        })
    };
    wait_until("both to wait", both_wait);
    thread::sleep(Duration::from_millis(700));
    assert!(!running.iter().any(Running::has_ended), "it is open");
    assert!(hub.close("shared"));
    let began = Instant::now();
    let deadlock = same_everywhere(running, began);
    assert_eq!(
        deadlock.cycle_names(),
        ["sender at left", "receiver at right"]
    );
    assert!(stop.send(()).is_ok());
    owner_running.end().unwrap();
}

/// Some go on, so the runs do not end by themselves.
#[test]
fn a_part_of_each_network_may_be_deadlocked() {
    let [mut front, mut back] = ["front", "back"].map(Machine::new);
    let (there, here) = link(&front, &back);
    for (machine, link, names) in [
        (&mut front, &there, ["up", "down"]),
        (&mut back, &here, ["down", "up"]),
    ] {
        machine.network().on_deadlock(OnDeadlock::Report);
        let out = link.outlet(machine.network(), names[0]).unwrap();
        let into = link.inlet(machine.network(), names[1]).unwrap();
        machine.network().process("stuck", (out, into), greet);
    }
    let (stops, stopped): (Vec<_>, Vec<_>) = (0..2)
        .map(|_| tokio::sync::oneshot::channel::<()>())
        .unzip();
    for (machine, stopped) in [&mut front, &mut back].into_iter().zip(stopped) {
        machine.network().process("busy", (), async move |(): &()| {
            let _ = stopped.await;
            Ok(())
        });
    }
    let began = Instant::now();
    let running = [front.start(), back.start()];
    for machine in [&front, &back] {
        wait_until("the snapshot to tell", || {
            machine.observer.snapshot().deadlock.is_some()
        });
    }
    assert!(began.elapsed() < SOON, "after {:?}", began.elapsed());
    let told = [&front, &back].map(|machine| machine.observer.snapshot().deadlock.unwrap());
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0].cycle_names(), ["stuck at back", "stuck at front"]);
    assert!(!told[0].is_total);
    thread::sleep(Duration::from_millis(100));
    assert!(!running.iter().any(Running::has_ended));
    // A link that ends lets them go.
    runtime_close(&front, &there);
    drop(stops);
    for run in running {
        let _ = run.end();
    }
}

fn runtime_close(machine: &Machine, link: &handover::net::Link) {
    machine
        .runtime
        .block_on(link.close(handover::net::Goodbye::done()));
}

#[test]
fn two_nodes_of_one_name_are_told_apart() {
    let [mut one, mut other] = ["twin", "twin"].map(Machine::new);
    let (there, here) = link(&one, &other);
    let up = there.outlet(one.network(), "up").unwrap();
    let down = there.inlet(one.network(), "down").unwrap();
    one.network().process("clerk", (up, down), greet);
    let up = here.inlet(other.network(), "up").unwrap();
    let down = here.outlet(other.network(), "down").unwrap();
    other.network().process("clerk", (down, up), greet);
    let deadlock = same_everywhere([one.start(), other.start()], Instant::now());
    let names = deadlock.cycle_names();
    assert_ne!(names[0], names[1]);
    assert!(names.iter().all(|name| name.starts_with("clerk at twin #")));
}
