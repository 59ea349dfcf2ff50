//! Actors that ask each other: the cycle is named, and where there is none nothing is.

use handover::{
    pattern::{Actor, Address, AddressToken, Context, DeclaredActor, Handler, InHand},
    process::{Deadlock, InToken, Network, Out, ProcessError, RunError, Waiting},
};

use super::{give_way, run_on};

/// Asks the next one, if there is one and the message says so.
struct Link;

impl Actor for Link {
    type Ports = Option<AddressToken<Link>>;
}

struct Pass(u32);

impl Handler<Pass> for Link {
    type Reply = u32;

    async fn handle(
        &mut self,
        pass: InHand<'_, Pass>,
        context: &Context<'_, Self>,
    ) -> Result<u32, ProcessError> {
        match context.ports() {
            Some(next) if pass.0 > 0 => Ok(next.ask(Pass(pass.0 - 1)).await? + 1),
            _ => Ok(0),
        }
    }
}

fn deadlock_of(threads: usize, net: Network) -> Deadlock {
    match run_on(threads, net) {
        Err(RunError::Deadlock(deadlock)) => *deadlock,
        other => panic!("no deadlock: {other:?}"),
    }
}

#[test]
fn two_actors_that_ask_each_other_are_named_with_the_cycle() {
    for threads in [1, 3] {
        let mut net = Network::new("circle");
        let left = Link::declare(&mut net, "left");
        let right = Link::declare(&mut net, "right");
        let (to_left, to_right) = (left.address(), right.address());
        net.process("user", left.address(), async |left: &Address<Link>| {
            left.ask(Pass(5)).await?;
            Ok(())
        });
        drop(left.spawn(&mut net, Some(to_right), || Link));
        drop(right.spawn(&mut net, Some(to_left), || Link));
        let deadlock = deadlock_of(threads, net);
        // `right` waits for `left` to take; `left` was accepted, and waits for the one that accepted it.
        assert_eq!(deadlock.cycle_names(), ["left", "right"]);
        let text = deadlock.to_string();
        assert!(
            text.contains("left (sending, accepted, on \"right\" at waiting.rs:"),
            "{text}"
        );
        assert!(
            text.contains("right (sending on \"left\" at waiting.rs:"),
            "{text}"
        );
        assert!(
            text.contains("because of it user waits for ever too"),
            "{text}"
        );
    }
}

#[test]
fn a_cycle_is_found_while_others_go_on() {
    let mut net = Network::new("partial");
    let names = ["a", "b", "c"];
    let actors = names.map(|name| Link::declare(&mut net, name));
    let mut following: Vec<_> = actors.iter().map(DeclaredActor::address).collect();
    following.rotate_left(1);
    net.process("user", actors[0].address(), async |a: &Address<Link>| {
        a.ask(Pass(9)).await?;
        Ok(())
    });
    for (actor, following) in actors.into_iter().zip(following) {
        drop(actor.spawn(&mut net, Some(following), || Link));
    }
    let other = Link::declare(&mut net, "other").spawn(&mut net, None, || Link);
    net.process("busy", other, async |other: &Address<Link>| {
        loop {
            other.ask(Pass(1)).await?;
        }
    });
    let deadlock = deadlock_of(2, net);
    assert!(!deadlock.is_total);
    assert_eq!(deadlock.cycle_names(), ["a", "b", "c"]);
}

#[test]
fn an_actor_that_asks_itself_waits_for_itself() {
    let mut net = Network::new("alone");
    let link = Link::declare(&mut net, "narcissus");
    let own = link.address();
    net.process("user", link.address(), async |link: &Address<Link>| {
        link.ask(Pass(1)).await?;
        Ok(())
    });
    drop(link.spawn(&mut net, Some(own), || Link));
    let text = deadlock_of(1, net).to_string();
    assert!(
        text.contains("narcissus (sending on \"narcissus\""),
        "{text}"
    );
    assert!(text.contains("waits for itself"), "{text}");
}

#[test]
fn actors_in_an_order_ask_downwards_without_a_deadlock() {
    for threads in [1, 3] {
        let mut net = Network::new("chain");
        let actors: Vec<_> = (0..5)
            .map(|n| Link::declare(&mut net, &format!("link {n}")))
            .collect();
        let following: Vec<_> = actors.iter().skip(1).map(DeclaredActor::address).collect();
        for user in 0..4 {
            net.process(
                format!("user {user}"),
                actors[0].address(),
                async |first: &Address<Link>| {
                    for _ in 0..50 {
                        assert_eq!(first.ask(Pass(9)).await?, 4);
                    }
                    Ok(())
                },
            );
        }
        let following = following.into_iter().map(Some).chain([None]);
        for (actor, following) in actors.into_iter().zip(following) {
            drop(actor.spawn(&mut net, following, || Link));
        }
        run_on(threads, net).unwrap();
    }
}

/// Has what it is told in hand until it is let go.
struct Gate;
struct Enter;

impl Actor for Gate {
    type Ports = InToken<()>;
}

impl Handler<Enter> for Gate {
    type Reply = ();

    async fn handle(
        &mut self,
        _: InHand<'_, Enter>,
        context: &Context<'_, Self>,
    ) -> Result<(), ProcessError> {
        Ok(context.ports().recv().await?)
    }
}

#[test]
fn whoever_waits_for_a_busy_actor_is_seen_to_wait_for_it() {
    const USERS: usize = 3;
    for threads in [1, 3] {
        let mut net = Network::new("busy");
        let (leave, let_go) = net.channel::<()>("leave");
        let gate = Gate::declare(&mut net, "gate");
        for user in 0..USERS {
            net.process(
                format!("user {user}"),
                gate.address(),
                async |gate: &Address<Gate>| Ok(gate.tell(Enter).await?),
            );
        }
        let observer = net.observe();
        net.process("judge", leave, async move |leave: &Out<()>| {
            for left in (1..=USERS).rev() {
                // All who are left come to wait, one of them for the gate to be done with its message.
                let waiting = loop {
                    let seen = observer.snapshot();
                    let waiting: Vec<_> = seen
                        .processes
                        .iter()
                        .flat_map(|process| {
                            process.waits.iter().filter(|wait| wait.channel == "gate")
                        })
                        .filter(|wait| matches!(wait.operation, Waiting::Send | Waiting::Accepted))
                        .cloned()
                        .collect();
                    let accepted = waiting
                        .iter()
                        .filter(|wait| wait.operation == Waiting::Accepted);
                    if accepted.count() == 1 && waiting.len() == left {
                        break waiting;
                    }
                    give_way(1).await;
                };
                for wait in waiting {
                    assert_eq!(wait.waits_for, ["gate"], "{wait:?}");
                    assert!(wait.site.file.ends_with("waiting.rs"), "{wait:?}");
                }
                leave.send(()).await?;
            }
            Ok(())
        });
        drop(gate.spawn(&mut net, let_go, || Gate));
        run_on(threads, net).unwrap();
    }
}
