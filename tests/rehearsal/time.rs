//! Time is virtual, for all that a process does with it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use handover::{
    channel::{RecvTimeoutError, SendTimeoutError, now, sleep, sleep_until, tick},
    process::{
        In, Network, OnDeadlock, Out, ProcessError,
        rehearsal::{Rehearsal, Replay, Seeded},
    },
    select_async,
};

use crate::{deadlock, told};

const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn days_of_sleep_end_at_once_and_the_hand_overs_tell_their_times() {
    let began = Instant::now();
    let mut net = Network::new("days");
    let (out, into) = net.channel::<u32>("numbers");
    net.process("slow", out, async |out: &Out<u32>| {
        for number in 1..=3 {
            sleep(number * 24 * HOUR).await;
            out.send(number).await?;
        }
        Ok(())
    });
    net.process("patient", into, async |into: &In<u32>| {
        while into.recv().await.is_ok() {}
        Ok(())
    });
    let run = Rehearsal::new().run(net, Seeded::new(1));
    run.result.as_ref().unwrap();
    assert_eq!(run.time, 6 * 24 * HOUR);
    assert_eq!(
        told(&run),
        [
            "86400s: slow -> patient on \"numbers\"",
            "259200s: slow -> patient on \"numbers\"",
            "518400s: slow -> patient on \"numbers\"",
        ]
    );
    // Not how fast it is, but that it has not waited.
    assert!(began.elapsed() < HOUR);
}

#[test]
fn timeouts_deadlines_timers_and_beats_go_by_the_virtual_clock() {
    let mut net = Network::new("all of them");
    let (idle_out, idle_in) = net.channel::<u32>("idle");
    let (full_out, full_in) = net.channel::<u32>("full");
    let times = net.process_returning(
        "clock",
        (idle_in, full_out),
        async |(idle, full): &(In<u32>, Out<u32>)| {
            let began = now();
            let mut times = Vec::new();
            let mut note = || times.push(now() - began);
            let timeout = idle.recv_timeout(HOUR).await;
            assert!(matches!(timeout, Err(RecvTimeoutError::Timeout)));
            note();
            let timeout = full.send_timeout(1, HOUR).await;
            assert!(matches!(timeout, Err(SendTimeoutError::Timeout(1))));
            note();
            let deadline = idle.recv_deadline(now() + HOUR).await;
            assert!(matches!(deadline, Err(RecvTimeoutError::Timeout)));
            note();
            select_async! {
                recv(idle) -> message => panic!("{message:?}"),
                after(HOUR) => {}
            }
            note();
            let at = now() + HOUR;
            select_async! {
                recv(idle) -> message => panic!("{message:?}"),
                at(at) -> told => assert_eq!(told, at),
            }
            note();
            let beat = tick(HOUR);
            sleep(3 * HOUR + HOUR / 2).await;
            // One that is due stays due, and the beat is kept.
            assert_eq!(beat.wait_async().await - began, 6 * HOUR);
            note();
            beat.wait_async().await;
            note();
            sleep_until(began + 10 * HOUR).await;
            note();
            Ok(times)
        },
    );
    net.process(
        "idler",
        (idle_out, full_in),
        async |_: &(Out<u32>, In<u32>)| {
            sleep(24 * HOUR).await;
            Ok(())
        },
    );
    let run = Rehearsal::new().run(net, Replay::default());
    run.result.unwrap();
    let hours = [1.0, 2.0, 3.0, 4.0, 5.0, 8.5, 9.0, 10.0];
    assert_eq!(
        times.take().unwrap(),
        hours.map(|hours| HOUR.mul_f64(hours))
    );
    assert_eq!(run.time, 24 * HOUR);
}

#[test]
fn what_is_set_earlier_and_taken_back_moves_nothing() {
    let mut net = Network::new("taken back");
    let (out, into) = net.channel::<u32>("numbers");
    net.process("sender", out, async |out: &Out<u32>| {
        sleep(SECOND).await;
        out.send_timeout(1, 24 * HOUR).await?;
        Ok(())
    });
    net.process("receiver", into, async |into: &In<u32>| {
        assert_eq!(into.recv_timeout(HOUR).await, Ok(1));
        Ok(())
    });
    let run = Rehearsal::new().run(net, Replay::default());
    run.result.unwrap();
    assert_eq!(run.time, SECOND);
}

/// Its alarm is with the rehearsal, and is taken back there.
#[test]
fn a_wait_that_outlives_its_rehearsal_goes_on_in_the_time_of_the_system() {
    let kept = Arc::new(Mutex::new(None));
    let place = Arc::clone(&kept);
    let mut net = Network::new("kept");
    net.process("keeper", (), async move |(): &()| {
        let mut wait = Box::pin(sleep_until(now() + SECOND / 1_000));
        let mut far = Box::pin(sleep(24 * 365 * HOUR));
        assert!(futures_util::poll!(wait.as_mut()).is_pending());
        assert!(futures_util::poll!(far.as_mut()).is_pending());
        *place.lock().unwrap() = Some((wait, far));
        Ok(())
    });
    let run = Rehearsal::new().run(net, Replay::default());
    run.result.unwrap();
    assert_eq!(run.time, Duration::ZERO);
    let (wait, far) = kept.lock().unwrap().take().unwrap();
    drop(far);
    let mut net = Network::new("real");
    net.process("heir", (), async move |(): &()| {
        wait.await;
        Ok(())
    });
    net.run().unwrap();
}

#[test]
fn the_age_and_the_rates_of_a_snapshot_are_virtual() {
    let mut net = Network::new("age");
    let observer = net.observe();
    let looks = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&looks);
    net.process("sleeper", (), async move |(): &()| {
        sleep(HOUR).await;
        seen.lock().unwrap().push(observer.snapshot().age_ms);
        Ok(())
    });
    let run = Rehearsal::new().run(net, Replay::default());
    run.result.unwrap();
    assert_eq!(*looks.lock().unwrap(), [3_600_000]);
}

#[test]
fn what_the_stages_of_a_pipeline_take_is_virtual_to_the_nanosecond() {
    use handover::pattern::Pipeline;

    let mut net = Network::new("steps");
    let built = Pipeline::from(0..3_u64)
        .stage_async("slow", 1, async |number| {
            sleep(HOUR).await;
            number
        })
        .collect()
        .build(&mut net)
        .unwrap();
    let run = Rehearsal::new().run(net, Seeded::new(2));
    run.result.unwrap();
    let done = built.finish(Ok(())).unwrap();
    assert_eq!(done.value, [0, 1, 2]);
    let slow = done.report.stage("slow").unwrap();
    assert_eq!(slow.working, 3 * HOUR);
    assert_eq!(slow.waited_for_input, Duration::ZERO);
    let source = done.report.stage("source").unwrap();
    assert_eq!(source.waited_for_output, 2 * HOUR);
}

/// Restarts within a second are counted by the virtual clock: a failure each hour is never one too many.
#[test]
fn an_actor_is_restarted_by_the_virtual_clock() {
    use handover::pattern::{Actor, Address, Context, Handler, InHand};

    struct Frail;
    struct Fail;

    impl Actor for Frail {
        type Ports = ();
    }

    impl Handler<Fail> for Frail {
        type Reply = ();

        async fn handle(
            &mut self,
            _: InHand<'_, Fail>,
            _: &Context<'_, Self>,
        ) -> Result<(), ProcessError> {
            Err(ProcessError::msg("frail"))
        }
    }

    let failures = |apart: Duration| {
        let mut net = Network::new("frail");
        let actor = Frail::declare(&mut net, "frail").restarts(1, SECOND);
        let address = actor.spawn(&mut net, (), || Frail);
        net.process("tormentor", address, async move |frail: &Address<Frail>| {
            for _ in 0..3 {
                let _ = frail.ask(Fail).await;
                sleep(apart).await;
            }
            Ok(())
        });
        Rehearsal::new().run(net, Replay::default()).result
    };
    failures(HOUR).unwrap();
    let error = failures(SECOND / 10).unwrap_err().to_string();
    assert!(error.contains("restarted 1 times within 1s"), "{error}");
}

#[test]
fn a_deadlock_is_found_where_all_wait_and_told_with_its_time() {
    let mut net = Network::new("pair");
    let (up_out, up_in) = net.channel::<u32>("up");
    let (down_out, down_in) = net.channel::<u32>("down");
    net.process(
        "a",
        (up_out, down_in),
        async |(up, down): &(Out<u32>, In<u32>)| {
            sleep(2 * HOUR).await;
            up.send(1).await?;
            down.recv().await?;
            Ok(())
        },
    );
    net.process(
        "b",
        (down_out, up_in),
        async |(down, up): &(Out<u32>, In<u32>)| {
            down.send(1).await?;
            up.recv().await?;
            Ok(())
        },
    );
    let run = Rehearsal::new().run(net, Seeded::new(3));
    let (found, words) = deadlock(&run);
    assert!(found.is_total);
    assert_eq!(found.cycle_names(), ["a", "b"]);
    assert!(
        words.starts_with("after 7200s: deadlock: a (sending"),
        "{words}"
    );
    assert_eq!(run.time, 2 * HOUR);
}

/// Two that wait for each other beside one that sleeps: found before it wakes.
fn partial(policy: OnDeadlock) -> Network {
    let mut net = Network::new("partial");
    let (left_out, left_in) = net.channel::<u32>("left");
    let (right_out, right_in) = net.channel::<u32>("right");
    for (name, ports) in [("a", (left_in, right_out)), ("b", (right_in, left_out))] {
        net.process(name, ports, async |(into, out): &(In<u32>, Out<u32>)| {
            into.recv().await?;
            out.send(1).await?;
            Ok(())
        });
    }
    net.process("sleeper", (), async |(): &()| {
        for _ in 0..5 {
            sleep(HOUR).await;
        }
        Ok(())
    });
    net.on_deadlock(policy);
    net
}

#[test]
fn a_partial_deadlock_is_found_while_others_sleep() {
    let run = Rehearsal::new().run(partial(OnDeadlock::Return), Replay::default());
    let (found, _) = deadlock(&run);
    assert!(!found.is_total);
    assert_eq!(found.cycle_names(), ["a", "b"]);
    assert_eq!(run.time, Duration::ZERO);
}

#[test]
fn a_closure_is_called_once_and_the_others_go_on_in_their_time() {
    let called = Arc::new(Mutex::new(Vec::new()));
    let calls = Arc::clone(&called);
    let here = std::thread::current().id();
    let policy = OnDeadlock::Call(Box::new(move |deadlock| {
        assert_eq!(std::thread::current().id(), here);
        calls.lock().unwrap().push(deadlock.is_total);
    }));
    let run = Rehearsal::new().run(partial(policy), Replay::default());
    // Once the sleeper has ended, it is all that are left.
    assert!(deadlock(&run).0.is_total);
    assert_eq!(run.time, 5 * HOUR);
    assert_eq!(*called.lock().unwrap(), [false]);
}

#[test]
fn where_others_go_on_for_ever_it_is_found_between_turns_if_asked_for() {
    let net = || {
        let mut net = partial(OnDeadlock::Return);
        let (there_out, there_in) = net.channel::<u32>("there");
        net.process("ping", there_out, async |out: &Out<u32>| {
            loop {
                out.send(1).await?;
            }
        });
        net.process("pong", there_in, async |into: &In<u32>| {
            loop {
                into.recv().await?;
            }
        });
        net
    };
    let rehearsal = Rehearsal::new().turns_max(2_000);
    let run = rehearsal.run(net(), Seeded::new(5));
    let error = run.result.unwrap_err().to_string();
    assert!(error.contains("after 2000 turns"), "{error}");
    let run = rehearsal
        .looks_between_turns(true)
        .run(net(), Seeded::new(5));
    assert_eq!(deadlock(&run).0.cycle_names(), ["a", "b"]);
}

#[test]
fn time_may_pass_while_others_could_run_if_that_is_a_choice() {
    // Whether the sender is in time is left open.
    let net = || {
        let mut net = Network::new("late");
        let (out, into) = net.channel::<u32>("numbers");
        net.process("sender", out, async |out: &Out<u32>| {
            let _ = out.send(1).await;
            Ok(())
        });
        let met = net.process_returning("receiver", into, async |into: &In<u32>| {
            Ok(into.recv_timeout(SECOND).await.is_ok())
        });
        (net, met)
    };
    let outcomes = |rehearsal: Rehearsal| {
        let mut seen = std::collections::BTreeSet::new();
        let mut script = Some(Vec::new());
        while let Some(now) = script {
            let (net, met) = net();
            let run = rehearsal.run(net, Replay::new(now));
            run.result.as_ref().unwrap();
            seen.insert((met.take().unwrap(), run.time.as_secs()));
            script = run.next_choices();
        }
        seen.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(outcomes(Rehearsal::new()), [(true, 0)]);
    // It may be taken after its time too, for a receiver that is woken late looks for a message first.
    let lax = outcomes(Rehearsal::new().time_may_pass(true));
    assert_eq!(lax, [(false, 1), (true, 0), (true, 1)]);
}
