//! Talking to an actor with a limit of time: what comes back, and what becomes of a reply that is late.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::Poll,
    time::{Duration, Instant},
};

use handover::{
    pattern::{
        Actor, ActorError, ActorWatch, Address, AddressToken, Asking, BlockingAddress, Context,
        Handler, InHand, Withdrawn,
    },
    process::{BlockingOut, In, InToken, Network, Out, OutToken, ProcessError},
};

use super::{Add, Adder, LONG, Log, lines, run_on};

const SHORT: Duration = Duration::from_millis(10);

type Unheard = Arc<Mutex<Vec<u64>>>;

/// Handles a message once it is let, and says when it has one in hand.
struct Gate {
    unheard: Unheard,
}

struct Enter(u64);

impl Actor for Gate {
    type Ports = (OutToken<()>, InToken<()>);
}

impl Handler<Enter> for Gate {
    type Reply = u64;

    async fn handle(
        &mut self,
        enter: InHand<'_, Enter>,
        context: &Context<'_, Self>,
    ) -> Result<u64, ProcessError> {
        let (in_hand, leave) = context.ports();
        in_hand.send(()).await?;
        leave.recv().await?;
        Ok(enter.0)
    }

    fn unheard(&mut self, reply: u64, _: &Context<'_, Self>) {
        self.unheard.lock().unwrap().push(reply);
    }
}

/// A gate, with who asks, and who lets.
struct Scene {
    net: Network,
    gate: AddressToken<Gate>,
    in_hand: InToken<()>,
    leave: OutToken<()>,
    unheard: Unheard,
    watch: ActorWatch,
}

fn scene() -> Scene {
    let mut net = Network::new("gate");
    let (says, in_hand) = net.channel("in hand");
    let (leave, let_go) = net.channel("leave");
    let unheard = Unheard::default();
    let declared = Gate::declare(&mut net, "gate");
    let watch = declared.watch();
    let mine = unheard.clone();
    let gate = declared.spawn(&mut net, (says, let_go), move || Gate {
        unheard: mine.clone(),
    });
    Scene {
        net,
        gate,
        in_hand,
        leave,
        unheard,
        watch,
    }
}

#[test]
fn a_question_that_was_taken_and_one_that_was_not_are_told_apart() {
    for threads in [1, 3] {
        let mut scene = scene();
        scene.net.process(
            "user",
            (scene.gate, scene.leave),
            async |(gate, leave): &(Address<Gate>, Out<()>)| {
                let late = gate.ask_timeout(Enter(1), SHORT).await.unwrap_err();
                assert!(matches!(late, ActorError::Timeout(None)), "{late:?}");
                assert!(
                    late.is_timeout() && late.to_string().contains("in hand"),
                    "{late}"
                );
                // The gate has that one in hand, so it takes no other.
                let late = gate.ask_timeout(Enter(2), SHORT).await.unwrap_err();
                assert!(
                    matches!(late, ActorError::Timeout(Some(Enter(2)))),
                    "{late:?}"
                );
                let late = gate.tell_timeout(Enter(3), SHORT).await.unwrap_err();
                assert!(
                    matches!(late, ActorError::Timeout(Some(Enter(3)))),
                    "{late:?}"
                );
                let late = gate.give_timeout(Enter(4), SHORT).await.unwrap_err();
                assert!(
                    matches!(late, ActorError::Timeout(Some(Enter(4)))),
                    "{late:?}"
                );
                let past = Instant::now();
                let late = gate.ask_deadline(Enter(5), past).await.unwrap_err();
                assert_eq!(late.into_message().map(|enter| enter.0), Some(5));
                let late = gate.tell_deadline(Enter(6), past).await.unwrap_err();
                assert_eq!(late.into_message().map(|enter| enter.0), Some(6));
                let late = gate.give_deadline(Enter(7), past).await.unwrap_err();
                assert_eq!(late.into_message().map(|enter| enter.0), Some(7));
                leave.send(()).await?;
                Ok(())
            },
        );
        scene
            .net
            .process("reader", scene.in_hand, async |in_hand: &In<()>| {
                in_hand.recv().await?; // only one was ever in hand
                assert!(in_hand.next().await?.is_none());
                Ok(())
            });
        run_on(threads, scene.net).unwrap();
        // The reply to the first is for nobody, and seen; the gate went on.
        assert_eq!(*scene.unheard.lock().unwrap(), [1]);
        let report = scene.watch.report();
        assert_eq!((report.handled, report.unheard), (1, 1));
    }
}

#[test]
fn an_actor_whose_reply_came_too_late_answers_the_next_question() {
    for threads in [1, 3] {
        let mut scene = scene();
        scene.net.process(
            "user",
            (scene.gate, scene.leave, scene.in_hand),
            async |(gate, leave, in_hand): &(Address<Gate>, Out<()>, In<()>)| {
                for n in 0..20 {
                    // Taken in any case: the time is up while the gate says that it has it in hand.
                    let late = gate.ask_timeout(Enter(n), SHORT / 10).await.unwrap_err();
                    if late.into_message().is_some() {
                        continue;
                    }
                    in_hand.recv().await?;
                    leave.send(()).await?;
                }
                // Somebody is in time.
                let mut ask = pin!(gate.ask_timeout(Enter(100), LONG));
                poll_fn(|context| {
                    assert!(ask.as_mut().poll(context).is_pending());
                    Poll::Ready(())
                })
                .await;
                in_hand.recv().await?;
                leave.send(()).await?;
                assert_eq!(ask.await?, 100);
                Ok(())
            },
        );
        run_on(threads, scene.net).unwrap();
        let unheard = scene.unheard.lock().unwrap().len() as u64;
        let report = scene.watch.report();
        assert_eq!((report.unheard, report.handled), (unheard, unheard + 1));
    }
}

#[test]
fn what_is_told_has_no_reply_that_could_be_unheard() {
    let mut scene = scene();
    scene.net.process(
        "user",
        (scene.gate, scene.leave, scene.in_hand),
        async |(gate, leave, in_hand): &(Address<Gate>, Out<()>, In<()>)| {
            while gate
                .tell_timeout(Enter(1), SHORT)
                .await
                .unwrap_err()
                .into_message()
                .is_some()
            {}
            in_hand.recv().await?;
            leave.send(()).await?;
            Ok(())
        },
    );
    scene.net.run().unwrap();
    let report = scene.watch.report();
    assert_eq!((report.handled, report.unheard), (1, 0));
    assert!(scene.unheard.lock().unwrap().is_empty());
}

#[test]
fn a_thread_gives_up_in_time_too() {
    for threads in [1, 3] {
        let mut scene = scene();
        scene.net.thread(
            "user",
            (scene.gate, scene.leave),
            |(gate, leave): &(BlockingAddress<Gate>, BlockingOut<()>)| {
                let late = loop {
                    match gate.ask_timeout(Enter(1), SHORT).unwrap_err() {
                        ActorError::Timeout(Some(Enter(1))) => {}
                        other => break other,
                    }
                };
                assert!(matches!(late, ActorError::Timeout(None)), "{late:?}");
                let late = gate.ask_timeout(Enter(2), SHORT).unwrap_err();
                assert!(
                    matches!(late, ActorError::Timeout(Some(Enter(2)))),
                    "{late:?}"
                );
                let late = gate.tell_timeout(Enter(3), SHORT).unwrap_err();
                assert_eq!(late.into_message().map(|enter| enter.0), Some(3));
                let late = gate.give_timeout(Enter(4), SHORT).unwrap_err();
                assert_eq!(late.into_message().map(|enter| enter.0), Some(4));
                let past = Instant::now();
                assert!(gate.ask_deadline(Enter(5), past).unwrap_err().is_timeout());
                assert!(gate.tell_deadline(Enter(6), past).unwrap_err().is_timeout());
                assert!(gate.give_deadline(Enter(7), past).unwrap_err().is_timeout());
                leave.send(())?;
                Ok(())
            },
        );
        scene
            .net
            .process("reader", scene.in_hand, async |in_hand: &In<()>| {
                in_hand.recv().await?;
                assert!(in_hand.next().await?.is_none());
                Ok(())
            });
        run_on(threads, scene.net).unwrap();
        assert_eq!(*scene.unheard.lock().unwrap(), [1]);
    }
}

#[test]
fn within_the_limit_all_is_as_without_it() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("in time");
        let adder = Adder::declare(&mut net, "adder").restarts(1, LONG);
        net.process("user", adder.address(), async |adder: &Address<Adder>| {
            assert_eq!(adder.ask_timeout(Add(1), LONG).await?, 1);
            adder.tell_timeout(Add(2), Duration::MAX).await?;
            adder.give_timeout(Add(3), LONG).await?;
            assert_eq!(adder.ask_timeout(Add(4), LONG).await?, 10);
            match adder.ask_timeout(Add(13), LONG).await {
                Err(ActorError::Failed {
                    message: Some(Add(13)),
                    ..
                }) => {}
                other => panic!("{other:?}"),
            }
            adder.stop().await?;
            match adder.give_timeout(Add(1), LONG).await {
                Err(ActorError::Stopped(Add(1))) => {}
                other => panic!("{other:?}"),
            }
            Ok(())
        });
        drop(adder.spawn(&mut net, (), Adder::maker(&log)));
        run_on(threads, net).unwrap();
        assert_eq!(lines(&log).last().unwrap(), "stopped with 0");
    }
}

/// Asks the next one, but not for ever.
struct Careful;
struct Pass(u32);

impl Actor for Careful {
    type Ports = AddressToken<Careful>;
}

impl Handler<Pass> for Careful {
    type Reply = u32;

    async fn handle(
        &mut self,
        pass: InHand<'_, Pass>,
        context: &Context<'_, Self>,
    ) -> Result<u32, ProcessError> {
        let asked = context.ports().ask_timeout(Pass(pass.0 + 1), SHORT).await;
        Ok(asked.unwrap_or(pass.0)) // in time it had nothing, or its friend has stopped meanwhile
    }
}

#[test]
fn a_circle_with_limits_of_time_is_no_deadlock() {
    for threads in [1, 3] {
        let mut net = Network::new("circle");
        let (left, right) = (
            Careful::declare(&mut net, "left"),
            Careful::declare(&mut net, "right"),
        );
        let (to_left, to_right) = (left.address(), right.address());
        net.process("user", left.address(), async |left: &Address<Careful>| {
            let depth = left.ask(Pass(0)).await?;
            assert!(
                depth <= 1,
                "nobody is asked in the middle of a message: {depth}"
            );
            // Nobody else ends them, for they have each other's addresses.
            left.stop().await?;
            Ok(())
        });
        drop(left.spawn(&mut net, to_right, || Careful));
        drop(right.spawn(&mut net, to_left, || Careful));
        run_on(threads, net).unwrap();
    }
}

#[test]
fn a_question_that_is_withdrawn_says_how_far_it_had_come() {
    for threads in [1, 3] {
        let mut scene = scene();
        scene.net.process(
            "user",
            (scene.gate, scene.leave, scene.in_hand),
            async |(gate, leave, in_hand): &(Address<Gate>, Out<()>, In<()>)| {
                let begin = async |asking: &mut Pin<&mut Asking<'_, Gate, Enter>>| {
                    poll_fn(|context| {
                        assert!(asking.as_mut().poll(context).is_pending());
                        Poll::Ready(())
                    })
                    .await;
                };
                let mut taken = pin!(gate.ask(Enter(1)));
                begin(&mut taken).await;
                in_hand.recv().await?; // the gate has it
                let mut waiting = pin!(gate.ask(Enter(2)));
                begin(&mut waiting).await;
                match waiting.withdraw() {
                    Withdrawn::Question(Enter(2)) => {}
                    _ => panic!("nobody has it"),
                }
                assert!(matches!(taken.withdraw(), Withdrawn::Taken));
                leave.send(()).await?;
                let mut answered = pin!(gate.ask(Enter(3)));
                begin(&mut answered).await;
                in_hand.recv().await?;
                leave.send(()).await?;
                // It is answered once the gate is at its next message.
                gate.give(Enter(4)).await?;
                assert!(matches!(answered.withdraw(), Withdrawn::Answer(3)));
                in_hand.recv().await?;
                leave.send(()).await?;
                Ok(())
            },
        );
        run_on(threads, scene.net).unwrap();
        assert_eq!(*scene.unheard.lock().unwrap(), [1]);
    }
}
