//! Addresses that travel in messages.

use handover::{
    pattern::{Actor, ActorError, Address, Context, Handler, InHand, Kept},
    process::{Here, Network, Parcel, ProcessError},
};

use super::{Add, Adder, LONG, Log, Total, lines, run_on};

/// Tells all who have subscribed.
#[derive(Default)]
struct Desk {
    subscribers: Vec<Kept<Address<Adder>>>,
}

struct Subscribe(Parcel<Address<Adder>>);
struct News(u64);
struct Forget;

impl Actor for Desk {
    type Ports = ();
}

impl Handler<Subscribe> for Desk {
    type Reply = ();

    async fn handle(
        &mut self,
        subscribe: InHand<'_, Subscribe>,
        context: &Context<'_, Self>,
    ) -> Result<(), ProcessError> {
        let Subscribe(parcel) = subscribe.take();
        self.subscribers.push(context.keep(parcel));
        Ok(())
    }
}

impl Handler<News> for Desk {
    type Reply = usize;

    async fn handle(
        &mut self,
        news: InHand<'_, News>,
        context: &Context<'_, Self>,
    ) -> Result<usize, ProcessError> {
        for subscriber in &self.subscribers {
            let adder = context.kept(subscriber);
            let adder = adder.ok_or_else(|| ProcessError::msg("it was let go"))?;
            adder.tell(Add(news.0)).await?;
        }
        Ok(self.subscribers.len())
    }
}

impl Handler<Forget> for Desk {
    type Reply = ();

    async fn handle(
        &mut self,
        _: InHand<'_, Forget>,
        context: &Context<'_, Self>,
    ) -> Result<(), ProcessError> {
        for subscriber in self.subscribers.drain(..) {
            context.let_go(&subscriber);
            assert!(context.kept(&subscriber).is_none());
        }
        Ok(())
    }
}

#[test]
fn an_address_travels_in_a_message_and_is_kept() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("news");
        let desk = Desk::declare(&mut net, "desk").spawn(&mut net, (), Desk::default);
        let adder = Adder::declare(&mut net, "adder").spawn(&mut net, (), Adder::maker(&log));
        let observer = net.observe();
        net.process(
            "user",
            (desk, adder),
            async move |(desk, adder): &(Address<Desk>, Address<Adder>)| {
                desk.tell(Subscribe(adder.parcel())).await?;
                assert_eq!(desk.ask(News(7)).await?, 1);
                let seen = observer.snapshot();
                let channel = seen.channels.iter().find(|channel| channel.name == "adder");
                let channel = channel.unwrap();
                assert_eq!(channel.senders, ["desk", "user"]);
                assert_eq!(channel.open_ends, 0);
                assert_eq!(adder.ask(Total).await?, 7);
                desk.tell(Forget).await?;
                assert_eq!(desk.ask(News(8)).await?, 0);
                Ok(())
            },
        );
        run_on(threads, net).unwrap();
        assert_eq!(lines(&log), ["started", "stopped with 7"]);
    }
}

#[test]
fn a_process_that_is_started_later_gets_an_address() {
    let log = Log::default();
    let mut net = Network::new("late");
    let adder = Adder::declare(&mut net, "adder").spawn(&mut net, (), Adder::maker(&log));
    let here = net.here();
    net.process(
        "user",
        (adder, here),
        async |(adder, here): &(Address<Adder>, Here)| {
            here.start("child", adder.parcel(), async |adder: &Address<Adder>| {
                adder.tell(Add(3)).await?;
                Ok(())
            });
            Ok(())
        },
    );
    net.run().unwrap();
    assert_eq!(lines(&log), ["started", "stopped with 3"]);
}

#[test]
fn a_message_that_the_handler_took_does_not_come_back() {
    struct Taker;
    impl Actor for Taker {
        type Ports = ();
    }
    impl Handler<Add> for Taker {
        type Reply = ();
        async fn handle(
            &mut self,
            add: InHand<'_, Add>,
            _: &Context<'_, Self>,
        ) -> Result<(), ProcessError> {
            let Add(n) = add.take();
            Err(ProcessError::msg(n))
        }
    }
    let mut net = Network::new("taken");
    let taker = Taker::declare(&mut net, "taker").restarts(1, LONG);
    net.process("user", taker.address(), async |taker: &Address<Taker>| {
        match taker.tell(Add(1)).await {
            Err(ActorError::Failed {
                message: None,
                reason,
            }) => assert_eq!(reason.as_str(), "1"),
            other => panic!("{other:?}"),
        }
        Ok(())
    });
    drop(taker.spawn(&mut net, (), || Taker));
    net.run().unwrap();
}
