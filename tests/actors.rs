//! Actors: one message at a time, nothing lost or done twice, and failures that go where they belong.

#![allow(clippy::unwrap_used)]

#[path = "actors/addresses.rs"]
mod addresses;
#[path = "actors/children.rs"]
mod children;
#[path = "actors/limits.rs"]
mod limits;
#[path = "actors/supervision.rs"]
mod supervision;
#[path = "actors/supervisors.rs"]
mod supervisors;
#[path = "actors/waiting.rs"]
mod waiting;

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use handover::{
    pattern::{Actor, ActorError, Address, BlockingAddress, Context, Handler, InHand},
    process::{In, Network, Out, ProcessError, ProcessResult, RunError},
};

const LONG: Duration = Duration::from_hours(1);

/// Gives way so many times.
async fn give_way(mut times: u64) {
    poll_fn(|context| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn run_on(threads: usize, net: Network) -> Result<(), RunError> {
    if threads == 1 {
        net.run()
    } else {
        net.run_threads(threads)
    }
}

type Log = Arc<Mutex<Vec<String>>>;

fn lines(log: &Log) -> Vec<String> {
    log.lock().unwrap().clone()
}

/// Adds up, and writes down what becomes of it.
struct Adder {
    total: u64,
    log: Log,
}

impl Adder {
    fn maker(log: &Log) -> impl FnMut() -> Self + Send + 'static {
        let log = Arc::clone(log);
        move || Self {
            total: 0,
            log: Arc::clone(&log),
        }
    }

    fn note(&self, what: &str) {
        self.log.lock().unwrap().push(what.to_owned());
    }
}

impl Actor for Adder {
    type Ports = ();

    async fn started(&mut self, _: &Context<'_, Self>) -> ProcessResult {
        self.note("started");
        Ok(())
    }

    async fn restarted(&mut self, _: &Context<'_, Self>, reason: &str) -> ProcessResult {
        self.note(&format!("restarted: {reason}"));
        Ok(())
    }

    async fn stopped(&mut self, _: &Context<'_, Self>) -> ProcessResult {
        self.note(&format!("stopped with {}", self.total));
        Ok(())
    }
}

/// A number to add; 13 is an error, 666 a panic, and it gives way in the middle.
struct Add(u64);
struct Total;
struct Quit;

impl Handler<Add> for Adder {
    type Reply = u64;

    async fn handle(
        &mut self,
        add: InHand<'_, Add>,
        _: &Context<'_, Self>,
    ) -> Result<u64, ProcessError> {
        let before = self.total;
        give_way(add.0 % 3).await;
        assert_eq!(self.total, before, "another message came between");
        assert_ne!(add.0, 666, "the number of the beast");
        if add.0 == 13 {
            return Err(ProcessError::msg("thirteen"));
        }
        self.total += add.0;
        Ok(self.total)
    }
}

impl Handler<Total> for Adder {
    type Reply = u64;

    async fn handle(
        &mut self,
        _: InHand<'_, Total>,
        _: &Context<'_, Self>,
    ) -> Result<u64, ProcessError> {
        Ok(self.total)
    }
}

impl Handler<Quit> for Adder {
    type Reply = ();

    async fn handle(
        &mut self,
        _: InHand<'_, Quit>,
        context: &Context<'_, Self>,
    ) -> Result<(), ProcessError> {
        context.stop();
        Ok(())
    }
}

// ---- Messages ----

#[test]
fn what_is_told_asked_and_given_is_done_once_and_in_order() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("sums");
        let adder = Adder::declare(&mut net, "adder").spawn(&mut net, (), Adder::maker(&log));
        net.process("user", adder, async |adder: &Address<Adder>| {
            assert_eq!(adder.ask(Add(1)).await?, 1);
            adder.tell(Add(2)).await?;
            adder.give(Add(3)).await?;
            assert_eq!(adder.ask(Total).await?, 6);
            Ok(())
        });
        run_on(threads, net).unwrap();
        assert_eq!(lines(&log), ["started", "stopped with 6"]);
    }
}

#[test]
fn many_who_tell_one_actor_lose_nothing() {
    const USERS: u64 = 8;
    const EACH: u64 = 200;
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("crowd");
        let adder = Adder::declare(&mut net, "adder");
        for user in 0..USERS {
            net.process(
                format!("user {user}"),
                adder.address(),
                async move |adder: &Address<Adder>| {
                    for n in 0..EACH {
                        match (user + n) % 3 {
                            0 => adder.tell(Add(1)).await?,
                            1 => drop(adder.ask(Add(1)).await?),
                            _ => adder.give(Add(1)).await?,
                        }
                    }
                    Ok(())
                },
            );
        }
        net.thread(
            "thread",
            adder.address(),
            |adder: &BlockingAddress<Adder>| {
                for _ in 0..EACH {
                    adder.tell(Add(1))?;
                    adder.give(Add(1))?;
                }
                Ok(())
            },
        );
        drop(adder.spawn(&mut net, (), Adder::maker(&log)));
        run_on(threads, net).unwrap();
        let all = USERS * EACH + 2 * EACH;
        assert_eq!(
            lines(&log),
            ["started".to_owned(), format!("stopped with {all}")]
        );
    }
}

#[test]
fn an_ask_that_is_given_up_before_it_is_taken_never_happened() {
    let log = Log::default();
    let mut net = Network::new("given up");
    let declared = Adder::declare(&mut net, "adder");
    // Before the actor, so that it begins before it.
    net.process(
        "user",
        declared.address(),
        async |adder: &Address<Adder>| {
            {
                // The actor has not been polled yet: nobody takes it.
                let mut ask = Box::pin(adder.ask(Add(1)));
                poll_fn(|context| {
                    assert!(ask.as_mut().poll(context).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
            assert_eq!(adder.ask(Total).await?, 0);
            Ok(())
        },
    );
    drop(declared.spawn(&mut net, (), Adder::maker(&log)));
    net.run().unwrap();
}

#[test]
fn an_ask_that_is_given_up_in_the_middle_is_handled_to_its_end() {
    let log = Log::default();
    let mut net = Network::new("given up");
    let adder = Adder::declare(&mut net, "adder").spawn(&mut net, (), Adder::maker(&log));
    net.process("user", adder, async |adder: &Address<Adder>| {
        assert_eq!(adder.ask(Total).await?, 0);
        let mut ask = Box::pin(adder.ask(Add(2))); // gives way twice
        let mut polls = 0;
        poll_fn(|context| {
            assert!(ask.as_mut().poll(context).is_pending());
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 2 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        drop(ask);
        assert_eq!(adder.ask(Total).await?, 2);
        Ok(())
    });
    net.run().unwrap();
}

// ---- The end ----

#[test]
fn a_stop_comes_after_what_is_under_way_and_the_later_ones_hear_of_it() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("stop");
        let adder = Adder::declare(&mut net, "adder");
        let (told_out, told_in) = net.channel::<()>("told");
        net.process(
            "stopper",
            (adder.address(), told_in),
            async |(adder, told): &(Address<Adder>, In<()>)| {
                told.recv().await?;
                adder.stop().await?;
                let refused = adder.ask(Add(5)).await.unwrap_err();
                assert!(matches!(refused, ActorError::Stopped(Add(5))));
                adder.stop().await?;
                Ok(())
            },
        );
        net.process(
            "user",
            (adder.address(), told_out),
            async |(adder, told): &(Address<Adder>, Out<()>)| {
                adder.give(Add(2)).await?;
                told.send(()).await?;
                Ok(())
            },
        );
        drop(adder.spawn(&mut net, (), Adder::maker(&log)));
        run_on(threads, net).unwrap();
        assert_eq!(lines(&log), ["started", "stopped with 2"]);
    }
}

#[test]
fn an_actor_can_stop_itself() {
    let log = Log::default();
    let mut net = Network::new("quit");
    let adder = Adder::declare(&mut net, "adder").spawn(&mut net, (), Adder::maker(&log));
    net.process("user", adder, async |adder: &Address<Adder>| {
        adder.tell(Add(4)).await?;
        adder.tell(Quit).await?;
        let refused = adder.tell(Add(5)).await.unwrap_err();
        assert_eq!(refused.into_message().map(|add| add.0), Some(5));
        Ok(())
    });
    net.run().unwrap();
    assert_eq!(lines(&log), ["started", "stopped with 4"]);
}

#[test]
fn an_actor_whom_nobody_knows_stops_at_once() {
    let log = Log::default();
    let mut net = Network::new("lonely");
    drop(Adder::declare(&mut net, "adder").spawn(&mut net, (), Adder::maker(&log)));
    net.run().unwrap();
    assert_eq!(lines(&log), ["started", "stopped with 0"]);
}

#[test]
fn a_user_that_fails_does_not_take_the_actor_down() {
    let log = Log::default();
    let mut net = Network::new("users");
    let adder = Adder::declare(&mut net, "adder");
    net.process("bad", adder.address(), async |adder: &Address<Adder>| {
        adder.tell(Add(1)).await?;
        Err(ProcessError::msg("of no account"))
    });
    net.process("good", adder.address(), async |adder: &Address<Adder>| {
        for _ in 0..20 {
            adder.tell(Add(1)).await?;
        }
        Ok(())
    });
    drop(adder.spawn(&mut net, (), Adder::maker(&log)));
    match net.run() {
        Err(RunError::Failed { process, .. }) => assert_eq!(process, "bad"),
        other => panic!("{other:?}"),
    }
    assert_eq!(lines(&log), ["started", "stopped with 21"]);
}
