//! Actors: one message at a time, nothing lost or done twice, and failures that go where they belong.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use handover::{
    pattern::{
        Actor, ActorError, Address, AddressToken, BlockingAddress, Context, DeclaredActor, Handler,
        InHand, Kept, RestartLimit,
    },
    process::{Deadlock, Here, In, Network, Out, Parcel, ProcessError, ProcessResult, RunError},
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
    let adder = Adder::declare(&mut net, "adder").spawn(&mut net, (), Adder::maker(&log));
    net.process("user", adder, async |adder: &Address<Adder>| {
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
    });
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

// ---- Supervision ----

#[test]
fn the_message_in_hand_comes_back_and_the_others_meet_the_new_actor() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("supervised");
        let adder = Adder::declare(&mut net, "adder").restarts(2, LONG);
        net.process("user", adder.address(), async |adder: &Address<Adder>| {
            adder.tell(Add(1)).await?;
            match adder.ask(Add(13)).await {
                Err(ActorError::Failed {
                    message: Some(Add(13)),
                    reason,
                }) => assert_eq!(reason.as_str(), "thirteen"),
                other => panic!("{other:?}"),
            }
            // A new one, which knows nothing of the old one.
            assert_eq!(adder.ask(Add(2)).await?, 2);
            match adder.tell(Add(666)).await {
                Err(error @ ActorError::Failed { .. }) => {
                    assert!(error.to_string().contains("it panicked"), "{error}");
                    assert_eq!(error.into_message().map(|add| add.0), Some(666));
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(adder.ask(Total).await?, 0);
            Ok(())
        });
        drop(adder.spawn(&mut net, (), Adder::maker(&log)));
        run_on(threads, net).unwrap();
        let log = lines(&log);
        assert_eq!(log.len(), 4, "{log:?}");
        assert_eq!(log[..2], ["started", "restarted: thirteen"]);
        assert!(log[2].contains("the number of the beast"), "{log:?}");
        assert_eq!(log[3], "stopped with 0");
    }
}

#[test]
fn one_failure_more_than_the_limit_goes_up() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("limited");
        let adder = Adder::declare(&mut net, "adder").restarts(2, LONG);
        net.process("user", adder.address(), async |adder: &Address<Adder>| {
            for _ in 0..3 {
                let failed = adder.tell(Add(13)).await.unwrap_err();
                assert!(matches!(failed, ActorError::Failed { .. }), "{failed:?}");
            }
            // It was the third time: it is down for good.
            let down = adder.tell(Add(1)).await.unwrap_err();
            assert!(matches!(down, ActorError::Down(Add(1), _)), "{down:?}");
            Ok(())
        });
        drop(adder.spawn(&mut net, (), Adder::maker(&log)));
        match run_on(threads, net) {
            Err(RunError::Failed { process, error }) => {
                assert_eq!(process, "adder");
                let limit: &RestartLimit = error.downcast_ref().unwrap();
                assert_eq!((limit.limit, limit.reason.as_str()), (2, "thirteen"));
            }
            other => panic!("{other:?}"),
        }
        let restarts = lines(&log)
            .iter()
            .filter(|line| line.starts_with("restarted"))
            .count();
        assert_eq!(restarts, 2);
    }
}

#[test]
fn restarts_of_long_ago_do_not_count() {
    let log = Log::default();
    let mut net = Network::new("patient");
    // Within no time at all: each failure is alone in its period once the clock has moved.
    let adder = Adder::declare(&mut net, "adder").restarts(1, Duration::ZERO);
    net.process("user", adder.address(), async |adder: &Address<Adder>| {
        for _ in 0..5 {
            assert!(adder.tell(Add(13)).await.is_err());
            let then = std::time::Instant::now();
            while then.elapsed().is_zero() {
                give_way(1).await;
            }
        }
        assert_eq!(adder.ask(Total).await?, 0);
        Ok(())
    });
    drop(adder.spawn(&mut net, (), Adder::maker(&log)));
    net.run().unwrap();
    assert_eq!(lines(&log).len(), 7);
}

#[test]
fn without_supervision_the_first_failure_is_the_runs() {
    let fail = |n: u64| {
        let mut net = Network::new("bare");
        let adder = Adder::declare(&mut net, "adder");
        net.process(
            "user",
            adder.address(),
            async move |adder: &Address<Adder>| {
                assert!(adder.tell(Add(n)).await.is_err());
                Ok(())
            },
        );
        drop(adder.spawn(&mut net, (), Adder::maker(&Log::default())));
        net.run().unwrap_err()
    };
    match fail(13) {
        RunError::Failed { process, error } => {
            assert_eq!(process, "adder");
            assert_eq!(error.to_string(), "thirteen");
        }
        other => panic!("{other:?}"),
    }
    match fail(666) {
        RunError::Panicked { process, message } => {
            assert_eq!(process, "adder");
            assert!(message.contains("the number of the beast"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

/// Does each job once; every seventh attempt fails, and only then: the ledger says what was done.
struct Clerk {
    attempts: Arc<AtomicUsize>,
    done: Arc<Mutex<BTreeMap<u64, u32>>>,
}

struct Job(u64);

impl Actor for Clerk {
    type Ports = ();
}

impl Handler<Job> for Clerk {
    type Reply = ();

    async fn handle(
        &mut self,
        job: InHand<'_, Job>,
        _: &Context<'_, Self>,
    ) -> Result<(), ProcessError> {
        give_way(job.0 % 3).await;
        let attempt = self.attempts.fetch_add(1, Ordering::SeqCst);
        if attempt % 7 == 3 {
            return Err(ProcessError::msg("dropped the pen"));
        }
        assert_ne!(attempt % 7, 5, "spilled the ink");
        *self.done.lock().unwrap().entry(job.0).or_default() += 1;
        Ok(())
    }
}

#[test]
fn who_tells_again_what_came_back_has_each_job_done_exactly_once() {
    const USERS: u64 = 5;
    const JOBS: u64 = 100;
    for threads in [1, 3] {
        let done = Arc::new(Mutex::new(BTreeMap::new()));
        let attempts = Arc::new(AtomicUsize::new(0));
        let mut net = Network::new("office");
        let clerk = Clerk::declare(&mut net, "clerk").restarts(u32::MAX, LONG);
        for user in 0..USERS {
            net.process(
                format!("user {user}"),
                clerk.address(),
                async move |clerk: &Address<Clerk>| {
                    for n in 0..JOBS {
                        let mut job = Job(user * JOBS + n);
                        while let Err(error) = clerk.tell(job).await {
                            job = error.into_message().unwrap();
                        }
                    }
                    Ok(())
                },
            );
        }
        let (tried, ledger) = (Arc::clone(&attempts), Arc::clone(&done));
        drop(clerk.spawn(&mut net, (), move || Clerk {
            attempts: Arc::clone(&tried),
            done: Arc::clone(&ledger),
        }));
        run_on(threads, net).unwrap();
        let done = done.lock().unwrap();
        let expected: BTreeMap<u64, u32> = (0..USERS * JOBS).map(|job| (job, 1)).collect();
        assert_eq!(*done, expected);
        assert!(attempts.load(Ordering::SeqCst) as u64 > USERS * JOBS);
    }
}

// ---- Who waits for whom ----

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
            text.contains("left (sending, accepted, on \"right\" at actors.rs:"),
            "{text}"
        );
        assert!(
            text.contains("right (sending on \"left\" at actors.rs:"),
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

// ---- Addresses in messages ----

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
