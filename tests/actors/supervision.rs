//! Failures go where they belong, and what was in hand comes back.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use handover::{
    pattern::{Actor, ActorError, Address, Context, Handler, InHand, RestartLimit},
    process::{Network, ProcessError, RunError},
};

use super::{Add, Adder, LONG, Log, Total, give_way, lines, run_on};

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
