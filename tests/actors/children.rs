//! Actors that are started while the network runs: by processes, by threads, by other actors.

use handover::{
    pattern::{
        Actor, ActorError, Address, AddressToken, BlockingAddress, Context, Handler, InHand, Kept,
    },
    process::{Here, Network, Out, Parcel, ProcessError, ProcessResult, RunError},
};

use super::{Add, Adder, LONG, Log, lines, run_on};

/// Has an adder of its own, which it starts when it starts.
struct Parent {
    log: Log,
    child: Option<Kept<Address<Adder>>>,
}

struct Fail;
struct Share;

impl Parent {
    fn maker(log: &Log) -> impl FnMut() -> Self + Send + 'static {
        let log = log.clone();
        move || Self {
            log: log.clone(),
            child: None,
        }
    }
}

impl Actor for Parent {
    type Ports = ();

    async fn started(&mut self, context: &Context<'_, Self>) -> ProcessResult {
        let child = Adder::declare_at(context.here(), "child").start((), Adder::maker(&self.log));
        self.child = Some(context.keep(child));
        Ok(())
    }
}

impl Handler<Add> for Parent {
    type Reply = u64;

    async fn handle(
        &mut self,
        add: InHand<'_, Add>,
        context: &Context<'_, Self>,
    ) -> Result<u64, ProcessError> {
        let child = self.child.as_ref().and_then(|child| context.kept(child));
        let child = child.ok_or_else(|| ProcessError::msg("it has no child"))?;
        Ok(child.ask(Add(add.0)).await?)
    }
}

impl Handler<Fail> for Parent {
    type Reply = ();

    async fn handle(
        &mut self,
        _: InHand<'_, Fail>,
        _: &Context<'_, Self>,
    ) -> Result<(), ProcessError> {
        Err(ProcessError::msg("as it was told"))
    }
}

impl Handler<Share> for Parent {
    type Reply = Parcel<Address<Adder>>;

    async fn handle(
        &mut self,
        _: InHand<'_, Share>,
        context: &Context<'_, Self>,
    ) -> Result<Parcel<Address<Adder>>, ProcessError> {
        let child = self.child.as_ref().and_then(|child| context.kept(child));
        let child = child.ok_or_else(|| ProcessError::msg("it has no child"))?;
        Ok(child.parcel())
    }
}

#[test]
fn a_child_shows_by_the_name_of_its_parent_and_ends_with_it() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("family");
        let parent = Parent::declare(&mut net, "parent").spawn(&mut net, (), Parent::maker(&log));
        let observer = net.observe();
        let after = net.observe();
        net.process("user", parent, async move |parent: &Address<Parent>| {
            assert_eq!(parent.ask(Add(3)).await?, 3);
            let seen = observer.snapshot();
            let names: Vec<_> = seen.processes.iter().map(|process| &process.name).collect();
            assert!(
                names.iter().any(|name| *name == "parent/child"),
                "{names:?}"
            );
            let channel = seen
                .channels
                .iter()
                .find(|channel| channel.name == "parent/child");
            let channel = channel.unwrap();
            assert_eq!(channel.senders, ["parent"]);
            assert_eq!(channel.receivers, ["parent/child"]);
            assert_eq!(channel.open_ends, 0);
            Ok(())
        });
        run_on(threads, net).unwrap();
        assert_eq!(lines(&log), ["started", "stopped with 3"]);
        assert!(after.snapshot().processes.is_empty());
    }
}

#[test]
fn a_parent_that_is_made_anew_has_a_new_child_and_the_old_one_stops() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("family");
        let parent = Parent::declare(&mut net, "parent").restarts(1, LONG);
        net.process(
            "user",
            parent.address(),
            async |parent: &Address<Parent>| {
                assert_eq!(parent.ask(Add(3)).await?, 3);
                assert!(parent.tell(Fail).await.is_err());
                assert_eq!(parent.ask(Add(4)).await?, 4);
                Ok(())
            },
        );
        drop(parent.spawn(&mut net, (), Parent::maker(&log)));
        run_on(threads, net).unwrap();
        let mut log = lines(&log);
        log.sort();
        assert_eq!(
            log,
            ["started", "started", "stopped with 3", "stopped with 4"]
        );
    }
}

#[test]
fn a_child_that_fails_for_good_is_the_failure_of_the_run_by_its_full_name() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("family");
        let parent = Parent::declare(&mut net, "parent").restarts(1, LONG);
        net.process(
            "user",
            parent.address(),
            async |parent: &Address<Parent>| {
                // The child's failure is the parent's too, for it asks with `?`.
                match parent.ask(Add(13)).await {
                    Err(ActorError::Failed { reason, .. }) => {
                        assert!(reason.as_str().contains("thirteen"), "{reason}");
                    }
                    other => panic!("{other:?}"),
                }
                assert_eq!(parent.ask(Add(1)).await?, 1);
                Ok(())
            },
        );
        drop(parent.spawn(&mut net, (), Parent::maker(&log)));
        match run_on(threads, net) {
            Err(RunError::Failed { process, error }) => {
                assert_eq!(process, "parent/child");
                assert_eq!(error.to_string(), "thirteen");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_child_whose_address_others_have_outlives_its_parent() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("family");
        let parent = Parent::declare(&mut net, "parent").spawn(&mut net, (), Parent::maker(&log));
        let here = net.here();
        net.process(
            "user",
            (parent, here),
            async |(parent, here): &(Address<Parent>, Here)| {
                let child = here.adopt(parent.ask(Share).await?);
                parent.stop().await?;
                assert!(parent.has_ended());
                assert_eq!(child.ask(Add(5)).await?, 5);
                Ok(())
            },
        );
        run_on(threads, net).unwrap();
        assert_eq!(lines(&log), ["started", "stopped with 5"]);
    }
}

#[test]
fn a_thread_starts_actors_too_and_a_child_may_restart() {
    let log = Log::default();
    let mut net = Network::new("threads");
    let here = net.here();
    let mine = log.clone();
    net.thread("boss", here, move |here: &Here| {
        let adder = Adder::declare_at(here, "adder").restarts(1, LONG);
        let watch = adder.watch();
        let (done, heard) = here.channel::<u64>("done");
        let address = adder.start((), Adder::maker(&mine));
        here.start(
            "user",
            (address, done),
            async |(adder, done): &(Address<Adder>, Out<u64>)| {
                assert!(adder.tell(Add(13)).await.is_err());
                done.send(adder.ask(Add(2)).await?).await?;
                Ok(())
            },
        );
        // A thread has blocking ports: it is told by a process that it starts.
        let heard = here.adopt(heard).take_out();
        assert_eq!(heard.recv()?, 2);
        let report = watch.report();
        assert_eq!(report.actor, "boss/adder");
        assert_eq!((report.failed, report.restarts), (1, 1));
        Ok(())
    });
    net.run().unwrap();
    let log = lines(&log);
    assert_eq!(log, ["started", "restarted: thirteen", "stopped with 2"]);
}

/// Asks the next one, if there is one.
struct Link;
struct Pass(u32);

impl Actor for Link {
    type Ports = Option<AddressToken<Link>>;
}

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

#[test]
fn children_that_ask_each_other_are_named_with_the_cycle() {
    for threads in [1, 3] {
        let mut net = Network::new("circle");
        net.process("user", net.here(), async |here: &Here| {
            let left = Link::declare_at(here, "left");
            let right = Link::declare_at(here, "right");
            let (to_left, to_right) = (left.address(), right.address());
            let left = here.adopt(left.start(Some(to_right), || Link));
            drop(right.start(Some(to_left), || Link));
            left.ask(Pass(5)).await?;
            Ok(())
        });
        match run_on(threads, net) {
            Err(RunError::Deadlock(deadlock)) => {
                assert_eq!(deadlock.cycle_names(), ["user/left", "user/right"]);
                let text = deadlock.to_string();
                assert!(
                    text.contains("because of it user waits for ever too"),
                    "{text}"
                );
            }
            other => panic!("no deadlock: {other:?}"),
        }
    }
}

#[test]
fn a_share_of_an_address_goes_to_a_child_and_its_channel_is_never_open() {
    for threads in [1, 3] {
        let mut net = Network::new("chain");
        let last = Link::declare(&mut net, "last").spawn(&mut net, None, || Link);
        let here = net.here();
        let observer = net.observe();
        net.process(
            "user",
            (last, here),
            async move |(last, here): &(Address<Link>, Here)| {
                let first = Link::declare_at(here, "first").start(Some(last.token()), || Link);
                let first = here.adopt(first);
                assert_eq!(first.ask(Pass(9)).await?, 1);
                let seen = observer.snapshot();
                let channel = seen.channels.iter().find(|channel| channel.name == "last");
                let mut senders = channel.unwrap().senders.clone();
                senders.sort();
                assert_eq!(senders, ["user", "user/first"]);
                assert_eq!(channel.unwrap().open_ends, 0);
                Ok(())
            },
        );
        run_on(threads, net).unwrap();
    }
}

#[test]
fn a_new_actor_that_is_not_started_has_stopped() {
    let mut net = Network::new("none");
    net.process("user", net.here(), async |here: &Here| {
        let adder = Adder::declare_at(here, "adder");
        let address = here.adopt(adder.address());
        drop(adder);
        let refused = address.tell(Add(1)).await.unwrap_err();
        assert!(
            matches!(refused, ActorError::Stopped(Add(1))),
            "{refused:?}"
        );
        Ok(())
    });
    net.run().unwrap();
}

#[test]
fn many_children_come_and_go_and_nothing_of_them_stays() {
    const CHILDREN: u64 = 300;
    for threads in [1, 3] {
        let log = Log::default();
        let mine = log.clone();
        let mut net = Network::new("crowd");
        let observer = net.observe();
        net.process("user", net.here(), async move |here: &Here| {
            for n in 0..CHILDREN {
                let adder = Adder::declare_at(here, &format!("adder {n}"));
                let adder = here.adopt(adder.start((), Adder::maker(&mine)));
                assert_eq!(adder.ask(Add(n % 5)).await?, n % 5);
                adder.stop().await?;
            }
            let seen = observer.snapshot();
            assert!(seen.channels.len() <= 2, "{:?}", seen.channels.len());
            Ok(())
        });
        run_on(threads, net).unwrap();
        assert_eq!(lines(&log).len() as u64, 2 * CHILDREN);
    }
}

#[test]
fn a_thread_uses_a_share_that_it_was_given() {
    let log = Log::default();
    let mut net = Network::new("shares");
    let adder = Adder::declare(&mut net, "adder").spawn(&mut net, (), Adder::maker(&log));
    let here = net.here();
    net.thread(
        "boss",
        (adder, here),
        |(adder, here): &(BlockingAddress<Adder>, Here)| {
            here.start("child", adder.token(), async |adder: &Address<Adder>| {
                adder.tell(Add(3)).await?;
                Ok(())
            });
            adder.tell(Add(4))?;
            Ok(())
        },
    );
    net.run().unwrap();
    assert_eq!(lines(&log), ["started", "stopped with 7"]);
}
