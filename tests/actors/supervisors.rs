//! Supervisors: who is made anew, how often, and what becomes of messages meanwhile.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use handover::{
    pattern::{
        Actor, ActorError, Address, AddressToken, BlockingAddress, BlockingStopper, Context,
        Handler, InHand, RestartStrategy, Stopper, SupervisionLimit, Supervisor,
    },
    process::{Here, Network, ProcessError, ProcessResult, RunError},
};

use super::{Add, Adder, LONG, Log, Total, give_way, lines, run_on};

type Three = [Address<Adder>; 3];

fn three(net: &mut Network, supervisor: &Supervisor, log: &Log) -> [AddressToken<Adder>; 3] {
    ["a", "b", "c"].map(|name| {
        let declared = supervisor.declare(net, name);
        declared.spawn(net, (), Adder::maker(log))
    })
}

#[test]
fn the_strategy_says_who_is_made_anew() {
    let strategies = [
        (RestartStrategy::OneForOne, [1, 0, 3]),
        (RestartStrategy::OneForAll, [0, 0, 0]),
        (RestartStrategy::RestForOne, [1, 0, 0]),
    ];
    for threads in [1, 3] {
        for (strategy, after) in strategies {
            let log = Log::default();
            let mut net = Network::new("three");
            let supervisor = Supervisor::new("office", strategy).restarts(2, LONG);
            let ports = three(&mut net, &supervisor, &log);
            let observed = supervisor.clone();
            net.process("user", ports, async move |actors: &Three| {
                for (n, actor) in (1..).zip(actors) {
                    assert_eq!(actor.ask(Add(n)).await?, n);
                }
                assert!(actors[1].tell(Add(13)).await.is_err());
                let mut totals = [0; 3];
                for (total, actor) in totals.iter_mut().zip(actors) {
                    *total = actor.ask(Total).await?;
                }
                assert_eq!(totals, after, "{strategy:?}");
                let report = observed.report();
                assert_eq!(report.restarts, 1);
                let last = report.last.unwrap();
                assert_eq!(last, "`office/b` failed: thirteen");
                let restarts: Vec<_> = report.actors.iter().map(|actor| actor.restarts).collect();
                let expected: Vec<_> = after.iter().map(|&n| u64::from(n == 0)).collect();
                assert_eq!(restarts, expected);
                assert_eq!(report.actors[0].actor, "office/a");
                Ok(())
            });
            run_on(threads, net).unwrap();
            assert_eq!(supervisor.report().restarts, 1);
            let reasons = lines(&log)
                .into_iter()
                .filter(|line| line.starts_with("restarted"));
            for reason in reasons {
                assert!(reason.contains("thirteen"), "{reason}");
            }
        }
    }
}

#[test]
fn one_failure_more_than_the_limit_takes_all_of_it_down_in_order() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("limited");
        let supervisor = Supervisor::new("office", RestartStrategy::OneForOne).restarts(2, LONG);
        let ports = three(&mut net, &supervisor, &log);
        net.process("user", ports, async |[a, b, c]: &Three| {
            // It is the supervisor's limit, whoever fails.
            assert_eq!(c.ask(Add(1)).await?, 1);
            assert!(a.tell(Add(13)).await.is_err());
            assert!(b.tell(Add(666)).await.is_err());
            let third = a.tell(Add(13)).await.unwrap_err();
            assert!(
                matches!(
                    third,
                    ActorError::Failed {
                        message: Some(_),
                        ..
                    }
                ),
                "{third:?}"
            );
            let down = a.tell(Add(1)).await.unwrap_err();
            assert!(matches!(down, ActorError::Down(Add(1), _)), "{down:?}");
            // The others stop with their next message, which comes back.
            match c.tell(Add(2)).await {
                Err(ActorError::Down(Add(2), reason)) => {
                    let reason = reason.as_str();
                    assert!(
                        reason.contains("supervisor `office` has restarted 2 times"),
                        "{reason}"
                    );
                }
                other => panic!("{other:?}"),
            }
            let stopped = c.tell(Add(3)).await.unwrap_err();
            assert!(
                matches!(stopped, ActorError::Stopped(Add(3))),
                "{stopped:?}"
            );
            Ok(())
        });
        match run_on(threads, net) {
            Err(RunError::Failed { process, error }) => {
                assert_eq!(process, "office/a");
                let limit: &SupervisionLimit = error.downcast_ref().unwrap();
                assert_eq!((limit.limit, limit.reason.as_str()), (2, "thirteen"));
                assert_eq!(
                    (limit.supervisor.as_str(), limit.actor.as_str()),
                    ("office", "office/a")
                );
            }
            other => panic!("{other:?}"),
        }
        let report = supervisor.report();
        assert_eq!(report.restarts, 2);
        assert!(
            report
                .down
                .unwrap()
                .contains("`office/a` failed again: thirteen")
        );
        let log = lines(&log);
        assert!(log.contains(&"stopped with 1".to_owned()), "{log:?}");
    }
}

#[test]
fn a_limit_that_is_passed_is_a_failure_for_the_supervisor_above() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("nested");
        let house = Supervisor::new("house", RestartStrategy::OneForAll).restarts(1, LONG);
        let store = house
            .supervisor("store", RestartStrategy::OneForOne)
            .restarts(1, LONG);
        let left = store
            .declare::<Adder>(&mut net, "left")
            .spawn(&mut net, (), Adder::maker(&log));
        let right =
            store
                .declare::<Adder>(&mut net, "right")
                .spawn(&mut net, (), Adder::maker(&log));
        let door = house
            .declare::<Adder>(&mut net, "door")
            .spawn(&mut net, (), Adder::maker(&log));
        let here = net.here();
        let (below, mine) = (store.clone(), log.clone());
        net.process(
            "user",
            ([left, right, door], here),
            async move |(actors, here): &(Three, Here)| {
                let [left, right, door] = actors;
                for actor in actors {
                    assert_eq!(actor.ask(Add(1)).await?, 1);
                }
                assert!(left.tell(Add(13)).await.is_err());
                assert_eq!((right.ask(Total).await?, door.ask(Total).await?), (1, 1));
                // One too many for the store: all of the house is made anew, and the store counts anew.
                assert!(left.tell(Add(13)).await.is_err());
                for actor in actors {
                    assert_eq!(actor.ask(Add(1)).await?, 1);
                }
                assert!(right.tell(Add(13)).await.is_err());
                assert_eq!((left.ask(Total).await?, door.ask(Total).await?), (1, 1));
                // One too many for both.
                assert!(right.tell(Add(13)).await.is_err());
                let late = below.declare_at::<Adder>(here, "late");
                let late = here.adopt(late.start((), Adder::maker(&mine)));
                assert!(matches!(late.tell(Add(1)).await, Err(ActorError::Down(..))));
                assert!(matches!(door.tell(Add(1)).await, Err(ActorError::Down(..))));
                assert!(matches!(left.tell(Add(1)).await, Err(ActorError::Down(..))));
                Ok(())
            },
        );
        match run_on(threads, net) {
            Err(RunError::Failed { process, error }) => {
                assert_eq!(process, "house/store/right");
                let limit: &SupervisionLimit = error.downcast_ref().unwrap();
                assert_eq!(limit.supervisor, "house");
                assert!(
                    limit
                        .reason
                        .contains("supervisor `house/store` has restarted 1 times")
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!((house.report().restarts, store.report().restarts), (1, 2));
    }
}

/// Does each job once; some attempts fail, and only then: the ledger says what was done.
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
fn whoever_waits_while_all_are_made_anew_loses_nothing_and_has_nothing_done_twice() {
    const USERS: u64 = 6;
    const JOBS: u64 = 100;
    for threads in [1, 3] {
        let done = Arc::new(Mutex::new(BTreeMap::new()));
        let attempts = Arc::new(AtomicUsize::new(0));
        let mut net = Network::new("office");
        let office = Supervisor::new("office", RestartStrategy::OneForAll).restarts(u32::MAX, LONG);
        let clerks = ["left", "right"].map(|name| {
            let (attempts, done) = (attempts.clone(), done.clone());
            let clerk = office.declare(&mut net, name);
            clerk.spawn(&mut net, (), move || Clerk {
                attempts: attempts.clone(),
                done: done.clone(),
            })
        });
        for user in 0..USERS {
            let ports = clerks.each_ref().map(AddressToken::share);
            net.process(
                format!("user {user}"),
                ports,
                async move |clerks: &[Address<Clerk>; 2]| {
                    for n in 0..JOBS {
                        let mut job = Job(user * JOBS + n);
                        while let Err(error) = clerks[(n % 2) as usize].tell(job).await {
                            job = error.into_message().unwrap();
                        }
                    }
                    Ok(())
                },
            );
        }
        run_on(threads, net).unwrap();
        let expected: BTreeMap<u64, u32> = (0..USERS * JOBS).map(|job| (job, 1)).collect();
        assert_eq!(*done.lock().unwrap(), expected);
        let failures = attempts.load(Ordering::SeqCst) as u64 - USERS * JOBS;
        assert!(failures > 0);
        // One that fails while it is due to be made anew is not counted again.
        let counted = office.report().restarts;
        assert!(
            counted > 0 && counted <= failures,
            "{counted} of {failures}"
        );
    }
}

#[test]
fn whoever_has_heard_of_a_failure_meets_no_actor_from_before() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("heard");
        let pair = Supervisor::new("pair", RestartStrategy::OneForAll).restarts(u32::MAX, LONG);
        let left = pair
            .declare::<Adder>(&mut net, "left")
            .spawn(&mut net, (), Adder::maker(&log));
        let right =
            pair.declare::<Adder>(&mut net, "right")
                .spawn(&mut net, (), Adder::maker(&log));
        net.process(
            "user",
            (left, right),
            async |(left, right): &(Address<Adder>, Address<Adder>)| {
                for _ in 0..500 {
                    assert_eq!(right.ask(Add(1)).await?, 1);
                    assert!(left.tell(Add(13)).await.is_err());
                }
                Ok(())
            },
        );
        run_on(threads, net).unwrap();
        assert_eq!(pair.report().restarts, 500);
    }
}

/// An error that takes its time to be put into words: until somebody has heard of the failure, if anybody can meanwhile.
#[derive(Debug)]
struct LongWinded(Arc<AtomicBool>);

impl fmt::Display for LongWinded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = Instant::now() + Duration::from_millis(20);
        while !self.0.load(Ordering::SeqCst) && Instant::now() < until {
            thread::yield_now();
        }
        f.write_str("it is a long story")
    }
}

impl std::error::Error for LongWinded {}

struct Speaker(Arc<AtomicBool>);

impl Actor for Speaker {
    type Ports = ();
}

impl Handler<Total> for Speaker {
    type Reply = ();

    async fn handle(
        &mut self,
        _: InHand<'_, Total>,
        _: &Context<'_, Self>,
    ) -> Result<(), ProcessError> {
        Err(LongWinded(self.0.clone()).into())
    }
}

#[test]
fn nobody_hears_of_a_failure_before_the_others_are_marked() {
    let log = Log::default();
    let mut net = Network::new("story");
    let pair = Supervisor::new("pair", RestartStrategy::OneForAll).restarts(u32::MAX, LONG);
    let heard = Arc::new(AtomicBool::new(false));
    let mine = heard.clone();
    let speaker = pair.declare::<Speaker>(&mut net, "speaker");
    let speaker = speaker.spawn(&mut net, (), move || Speaker(mine.clone()));
    let adder = pair
        .declare::<Adder>(&mut net, "adder")
        .spawn(&mut net, (), Adder::maker(&log));
    // A thread hears of it at once.
    net.thread(
        "user",
        (speaker, adder),
        move |(speaker, adder): &(BlockingAddress<Speaker>, BlockingAddress<Adder>)| {
            for _ in 0..5 {
                assert_eq!(adder.ask(Add(1))?, 1);
                assert!(speaker.tell(Total).is_err());
                let total = adder.ask(Total)?;
                heard.store(true, Ordering::SeqCst);
                assert_eq!(total, 0, "it is one from before");
                heard.store(false, Ordering::SeqCst);
            }
            Ok(())
        },
    );
    net.run_threads(3).unwrap();
}

/// Asks the next one, and fails if that fails.
struct Asker;

impl Actor for Asker {
    type Ports = AddressToken<Adder>;
}

impl Handler<Add> for Asker {
    type Reply = u64;

    async fn handle(
        &mut self,
        add: InHand<'_, Add>,
        context: &Context<'_, Self>,
    ) -> Result<u64, ProcessError> {
        Ok(context.ports().ask(Add(add.0)).await?)
    }
}

#[test]
fn one_that_fails_because_another_has_failed_is_not_counted_again() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("chain");
        let all = Supervisor::new("all", RestartStrategy::OneForAll).restarts(1, LONG);
        let adder = all
            .declare::<Adder>(&mut net, "adder")
            .spawn(&mut net, (), Adder::maker(&log));
        let asker = all
            .declare::<Asker>(&mut net, "asker")
            .spawn(&mut net, adder, || Asker);
        net.process("user", asker, async |asker: &Address<Asker>| {
            match asker.ask(Add(13)).await {
                Err(ActorError::Failed {
                    message: Some(Add(13)),
                    ..
                }) => {}
                other => panic!("{other:?}"),
            }
            assert_eq!(asker.ask(Add(1)).await?, 1);
            Ok(())
        });
        run_on(threads, net).unwrap();
        let report = all.report();
        assert_eq!(report.restarts, 1);
        assert_eq!(report.down, None);
    }
}

/// Has a life of so many starts.
struct Weak(Arc<AtomicUsize>);

impl Actor for Weak {
    type Ports = ();

    async fn started(&mut self, _: &Context<'_, Self>) -> ProcessResult {
        if self.0.fetch_add(1, Ordering::SeqCst) < 3 {
            return Err(ProcessError::msg("too weak to begin"));
        }
        Ok(())
    }
}

impl Handler<Total> for Weak {
    type Reply = usize;

    async fn handle(
        &mut self,
        _: InHand<'_, Total>,
        _: &Context<'_, Self>,
    ) -> Result<usize, ProcessError> {
        Ok(self.0.load(Ordering::SeqCst))
    }
}

#[test]
fn one_that_cannot_begin_is_tried_again_until_the_limit_and_its_senders_wait() {
    for (limit, is_enough) in [(3, true), (2, false)] {
        let starts = Arc::new(AtomicUsize::new(0));
        let mut net = Network::new("weak");
        let supervisor = Supervisor::new("ward", RestartStrategy::OneForOne).restarts(limit, LONG);
        let weak = supervisor.declare::<Weak>(&mut net, "weak");
        let mine = starts.clone();
        let weak = weak.spawn(&mut net, (), move || Weak(mine.clone()));
        net.process("user", weak, async move |weak: &Address<Weak>| {
            match weak.ask(Total).await {
                Ok(starts) => assert!(is_enough && starts == 4, "{starts}"),
                Err(ActorError::Down(Total, _)) => assert!(!is_enough),
                Err(other) => panic!("{other:?}"),
            }
            Ok(())
        });
        assert_eq!(net.run().is_ok(), is_enough);
        assert_eq!(supervisor.report().restarts, u64::from(limit));
    }
}

#[test]
fn a_panic_of_what_makes_it_is_a_failure_of_the_actor() {
    let log = Log::default();
    let made = AtomicUsize::new(0);
    let mut net = Network::new("maker");
    let adder = Adder::declare(&mut net, "adder").restarts(2, LONG);
    net.process("user", adder.address(), async |adder: &Address<Adder>| {
        assert!(adder.tell(Add(13)).await.is_err());
        assert_eq!(adder.ask(Add(1)).await?, 1);
        Ok(())
    });
    let mut maker = Adder::maker(&log);
    drop(adder.spawn(&mut net, (), move || {
        assert_ne!(made.fetch_add(1, Ordering::SeqCst), 1, "no clay left");
        maker()
    }));
    net.run().unwrap();
    assert!(lines(&log)[1].contains("no clay left"), "{:?}", lines(&log));
}

#[test]
fn actors_are_stopped_in_order_and_what_was_taken_is_done() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("closing");
        let supervisor = Supervisor::new("office", RestartStrategy::OneForAll).restarts(2, LONG);
        let ports = three(&mut net, &supervisor, &log);
        let users = ports.each_ref().map(AddressToken::share);
        let stopper = supervisor.stopper();
        net.process(
            "closer",
            (ports, stopper),
            async |(actors, stopper): &(Three, Stopper)| {
                for (n, actor) in (1..).zip(actors) {
                    actor.give(Add(n)).await?;
                }
                stopper.stop().await?;
                stopper.stop().await?; // so be it
                for actor in actors {
                    assert!(actor.has_ended());
                }
                Ok(())
            },
        );
        // Who has their addresses still keeps none of them.
        net.process("user", users, async |actors: &Three| {
            for actor in actors {
                while actor.tell(Add(0)).await.is_ok() {}
            }
            Ok(())
        });
        run_on(threads, net).unwrap();
        let log = lines(&log);
        let stops: Vec<_> = log
            .iter()
            .filter(|line| line.starts_with("stopped"))
            .collect();
        assert_eq!(
            stops,
            ["stopped with 3", "stopped with 2", "stopped with 1"]
        );
    }
}

#[test]
fn whoever_stops_a_supervisor_stops_those_below_in_the_same_order() {
    let log = Log::default();
    let mut net = Network::new("closing");
    let house = Supervisor::new("house", RestartStrategy::OneForAll);
    let store = house.supervisor("store", RestartStrategy::OneForAll);
    let a = house
        .declare::<Adder>(&mut net, "a")
        .spawn(&mut net, (), Adder::maker(&log));
    let b = store
        .declare::<Adder>(&mut net, "b")
        .spawn(&mut net, (), Adder::maker(&log));
    let c = house
        .declare::<Adder>(&mut net, "c")
        .spawn(&mut net, (), Adder::maker(&log));
    net.process(
        "closer",
        ([a, b, c], (store.stopper(), house.stopper())),
        async |(actors, (store, house)): &(Three, (Stopper, Stopper))| {
            for (n, actor) in (1..).zip(actors) {
                actor.tell(Add(n)).await?;
            }
            assert_eq!(format!("{store:?}"), r#"["house/store/b"]"#);
            house.stop().await?;
            store.stop().await?; // so be it
            Ok(())
        },
    );
    net.run().unwrap();
    let log = lines(&log);
    assert_eq!(
        log[3..],
        ["stopped with 3", "stopped with 2", "stopped with 1"]
    );
}

#[test]
fn a_stop_that_fails_is_named_and_the_others_are_stopped() {
    struct Stubborn;
    impl Actor for Stubborn {
        type Ports = ();
        async fn stopped(&mut self, _: &Context<'_, Self>) -> ProcessResult {
            Err(ProcessError::msg("not yet"))
        }
    }
    let log = Log::default();
    let mut net = Network::new("closing");
    let office = Supervisor::new("office", RestartStrategy::OneForAll).restarts(2, LONG);
    drop(
        office
            .declare::<Adder>(&mut net, "first")
            .spawn(&mut net, (), Adder::maker(&log)),
    );
    drop(
        office
            .declare::<Stubborn>(&mut net, "second")
            .spawn(&mut net, (), || Stubborn),
    );
    net.thread("closer", office.stopper(), |stopper: &BlockingStopper| {
        let error = stopper.stop().unwrap_err();
        assert_eq!(error.actor, "office/second");
        assert!(matches!(error.error, ActorError::Failed { .. }), "{error}");
        Ok(())
    });
    match net.run() {
        Err(RunError::Failed { process, .. }) => assert_eq!(process, "office/second"),
        other => panic!("{other:?}"),
    }
    assert_eq!(lines(&log), ["started", "stopped with 0"]);
}

#[test]
fn an_actor_that_begins_later_is_supervised_as_the_others_are() {
    for threads in [1, 3] {
        let log = Log::default();
        let mine = log.clone();
        let mut net = Network::new("late");
        let pair = Supervisor::new("pair", RestartStrategy::OneForAll).restarts(1, LONG);
        let first =
            pair.declare::<Adder>(&mut net, "first")
                .spawn(&mut net, (), Adder::maker(&log));
        let here = net.here();
        let supervisor = pair.clone();
        net.process(
            "user",
            (first, here),
            async move |(first, here): &(Address<Adder>, Here)| {
                let late = supervisor.declare_at::<Adder>(here, "late");
                let late = here.adopt(late.start((), Adder::maker(&mine)));
                assert_eq!(first.ask(Add(1)).await?, 1);
                assert!(late.tell(Add(13)).await.is_err());
                assert_eq!(first.ask(Add(1)).await?, 1);
                let report = supervisor.report();
                let names: Vec<_> = report.actors.iter().map(|actor| &*actor.actor).collect();
                assert_eq!(names, ["pair/first", "user/late"]);
                late.stop().await?;
                // Its place is given up with it, at the end of its process.
                while supervisor.report().actors.len() > 1 {
                    give_way(1).await;
                }
                Ok(())
            },
        );
        run_on(threads, net).unwrap();
        assert_eq!(pair.report().restarts, 1);
    }
}

struct Link;
struct Pass(u32);

impl Actor for Link {
    type Ports = AddressToken<Link>;
}

impl Handler<Pass> for Link {
    type Reply = ();

    async fn handle(
        &mut self,
        pass: InHand<'_, Pass>,
        context: &Context<'_, Self>,
    ) -> Result<(), ProcessError> {
        context.ports().ask(Pass(pass.0 + 1)).await?;
        Ok(())
    }
}

#[test]
fn a_deadlock_of_supervised_actors_is_their_cycle_and_nothing_more() {
    for threads in [1, 3] {
        let log = Log::default();
        let mut net = Network::new("circle");
        let all = Supervisor::new("all", RestartStrategy::OneForAll).restarts(9, LONG);
        let (left, right) = (
            all.declare(&mut net, "left"),
            all.declare(&mut net, "right"),
        );
        let idle = all
            .declare::<Adder>(&mut net, "idle")
            .spawn(&mut net, (), Adder::maker(&log));
        let (to_left, to_right) = (left.address(), right.address());
        net.process("user", left.address(), async |left: &Address<Link>| {
            left.ask(Pass(0)).await?;
            Ok(())
        });
        // While others of the same supervisor go on.
        net.process("busy", idle, async |idle: &Address<Adder>| {
            loop {
                idle.ask(Add(1)).await?;
            }
        });
        drop(left.spawn(&mut net, to_right, || Link));
        drop(right.spawn(&mut net, to_left, || Link));
        match run_on(threads, net) {
            Err(RunError::Deadlock(deadlock)) => {
                assert_eq!(deadlock.cycle_names(), ["all/left", "all/right"]);
                assert!(!deadlock.is_total);
            }
            other => panic!("no deadlock: {other:?}"),
        }
    }
}

#[test]
fn a_limit_of_its_own_comes_before_that_of_the_supervisor() {
    let log = Log::default();
    let mut net = Network::new("both");
    let pair = Supervisor::new("pair", RestartStrategy::OneForAll).restarts(1, LONG);
    let left = pair.declare::<Adder>(&mut net, "left").restarts(1, LONG);
    let left = left.spawn(&mut net, (), Adder::maker(&log));
    let right = pair
        .declare::<Adder>(&mut net, "right")
        .spawn(&mut net, (), Adder::maker(&log));
    net.process(
        "user",
        (left, right),
        async |(left, right): &(Address<Adder>, Address<Adder>)| {
            assert_eq!(right.ask(Add(1)).await?, 1);
            assert!(left.tell(Add(13)).await.is_err());
            assert_eq!(right.ask(Total).await?, 1);
            assert!(left.tell(Add(13)).await.is_err());
            assert_eq!(right.ask(Total).await?, 0);
            Ok(())
        },
    );
    net.run().unwrap();
    assert_eq!(pair.report().restarts, 1);
}
