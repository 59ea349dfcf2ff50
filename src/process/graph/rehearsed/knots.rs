//! What a look must not take for a deadlock, and what it must.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, mpsc},
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use super::{
    super::{super::*, At, Seen, collect},
    Gate, HOOK, Stage,
};
use crate::select_async;

/// The two pictures of a look, of which this is the second.
#[derive(Default)]
struct Second(bool);

impl Second {
    fn is_it(&mut self, at: At) -> bool {
        self.0 |= at == At::Between;
        self.0
    }
}

fn names(deadlock: Option<Deadlock>) -> Vec<String> {
    let deadlock = deadlock.expect("they are deadlocked");
    let mut names: Vec<String> = deadlock.processes().map(|it| it.process.clone()).collect();
    names.sort_unstable();
    names
}

/// A token goes around a ring of so many processes, and each keeps it until its gate is opened. Process and channel
/// have the number of their place.
fn ring(size: u32) -> (Stage, Vec<Gate>) {
    let gates: Vec<Gate> = (0..size).map(|_| Gate::default()).collect();
    let mut net = Network::new("ring");
    let (mut outs, ins): (Vec<_>, Vec<_>) = (0..size)
        .map(|at| net.channel::<()>(&at.to_string()))
        .unzip();
    // The channel that leads to the next.
    outs.rotate_left(1);
    for (at, (from, to)) in ins.into_iter().zip(outs).enumerate() {
        let gate = gates[at].clone();
        net.process(
            at,
            (from, to),
            async move |(from, to): &(In<()>, Out<()>)| {
                let mut has_token = at == 0;
                loop {
                    if !has_token {
                        from.recv().await?;
                    }
                    gate.pass().await;
                    to.send(()).await?;
                    has_token = false;
                }
            },
        );
    }
    (Stage::of(net), gates)
}

/// What makes a look at a ring see each of its processes blocked, and each of their waits, though the token was always
/// in somebody's hand: it is passed on from whoever is about to be looked at. In both pictures, or only in the first.
fn passed_on(stage: &Stage, gates: &[Gate], in_both: bool) -> impl FnMut(At) + 'static {
    let (stage, gates) = (stage.clone(), gates.to_vec());
    let mut second = Second::default();
    move |at| {
        if second.is_it(at) && !in_both {
            return;
        }
        let (At::Process(number) | At::Channel(number)) = at else {
            return;
        };
        let gate = &gates[number as usize];
        if gate.has_somebody_waiting() {
            stage.open(gate);
        }
    }
}

#[test]
fn who_was_seen_blocked_and_has_moved_before_the_second_picture_is_in_no_deadlock() {
    for size in 2..=3 {
        for laps in 0..4 {
            let (stage, gates) = ring(size);
            for step in 0..laps * size {
                stage.open(&gates[(step % size) as usize]);
            }
            let found = stage.look(passed_on(&stage, &gates, false));
            assert_eq!(found, None);
        }
    }
}

#[test]
fn who_was_seen_blocked_twice_and_has_moved_between_is_in_no_deadlock() {
    for size in 2..=3 {
        for laps in 0..4 {
            let (stage, gates) = ring(size);
            for step in 0..laps * size {
                stage.open(&gates[(step % size) as usize]);
            }
            let found = stage.look(passed_on(&stage, &gates, true));
            assert_eq!(found, None);
        }
    }
}

/// What of `picture` a network would be accused of without any other proof.
fn seen_of(stage: &Stage, process: u32, meanwhile: impl FnMut(At) + 'static) -> Seen {
    HOOK.set(Some(Box::new(meanwhile)));
    let registry = stage.observer.registry();
    let seen = registry.read(|tables| {
        let picture = collect(registry, tables);
        picture.processes[process as usize].unwrap()
    });
    HOOK.set(None);
    seen
}

/// `ear` waits at two channels for whatever comes first; on the first of them somebody sends who is no process.
fn ear() -> (Stage, crate::channel::Sender<()>) {
    let mut net = Network::new("ear");
    let (left_out, left) = net.channel::<()>("left");
    let (right_out, right) = net.channel::<()>("right");
    net.process(
        "ear",
        (left, right),
        async |(left, right): &(In<()>, In<()>)| {
            loop {
                select_async! {
                    recv(left) -> message => message?,
                    recv(right) -> message => message?,
                }
            }
        },
    );
    let (told, out) = mpsc::channel();
    net.process(
        "mouth",
        (left_out, right_out),
        async move |(left, _right): &(Out<()>, Out<()>)| {
            told.send(left.take_out())?;
            Gate::default().pass().await;
            Ok(())
        },
    );
    let stage = Stage::of(net);
    (stage, out.recv().unwrap())
}

#[test]
fn a_wait_that_was_claimed_does_not_count_before_its_task_is_woken() {
    let (stage, out) = ear();
    assert_eq!(seen_of(&stage, 0, |_| {}).found(), 2);
    let sends = thread::spawn(move || out.send(()));
    // It has claimed the waits of `ear`, which has not had its turn.
    let deadline = Instant::now() + Duration::from_mins(1);
    let seen = loop {
        let seen = seen_of(&stage, 0, |_| {});
        if seen.is_injected || seen.found() < 2 {
            break seen;
        }
        assert!(Instant::now() < deadline, "nobody has sent");
        thread::yield_now();
    };
    assert_eq!(seen.found(), 0, "a peer has claimed them: {seen:?}");
    // Whether it is about to wake it cannot be seen here; that somebody outside may be is enough.
    assert!(stage.look(|_| {}).is_none(), "{seen:?}");
    assert!(stage.go_on().is_pending());
    sends.join().unwrap().unwrap();
}

#[test]
fn a_wake_from_elsewhere_that_is_heard_in_the_middle_of_a_look_is_not_missed() {
    let (stage, gates) = ring(2);
    let before = seen_of(&stage, 0, |_| {});
    assert!(!before.is_injected);
    gates[0].open();
    let goes_on = stage.clone();
    let seen = seen_of(&stage, 0, move |at| {
        if at == At::Status(0) {
            assert!(goes_on.go_on().is_pending());
        }
    });
    assert!(
        seen.is_injected || seen.status != before.status,
        "it was woken before the look began: {seen:?}"
    );
}

#[test]
fn a_clone_of_a_waker_keeps_its_process_out_until_it_is_given_back() {
    let kept = Arc::new(Mutex::new(None::<Waker>));
    let mut net = Network::new("kept");
    let (up_out, up) = net.channel::<()>("up");
    let (down_out, down) = net.channel::<()>("down");
    let keeps = Arc::clone(&kept);
    net.process(
        "a",
        (up, down_out),
        async move |(up, _down): &(In<()>, Out<()>)| {
            poll_fn(|context| {
                *keeps.lock().unwrap() = Some(context.waker().clone());
                Poll::Ready(())
            })
            .await;
            up.recv().await?;
            Ok(())
        },
    );
    net.process(
        "b",
        (down, up_out),
        async |(down, _up): &(In<()>, Out<()>)| {
            down.recv().await?;
            Ok(())
        },
    );
    let stage = Stage::of(net);
    assert_eq!(stage.look(|_| {}), None, "somebody may wake it");
    // Given back after the first picture was taken: that one says nothing then, so nothing is said.
    let gives_back = Arc::clone(&kept);
    let found = stage.look(move |at| {
        if at == At::Channel(0) {
            drop(gives_back.lock().unwrap().take());
        }
    });
    assert_eq!(found, None);
    assert_eq!(names(stage.look(|_| {})), ["a", "b"]);
}

#[test]
fn who_waits_at_a_channel_that_is_not_the_networks_too_is_in_no_deadlock() {
    let (outside, elsewhere) = crate::channel::<()>();
    let mut net = Network::new("elsewhere");
    let (up_out, up) = net.channel::<()>("up");
    let (down_out, down) = net.channel::<()>("down");
    net.process(
        "a",
        (up, down_out),
        async move |(up, _down): &(In<()>, Out<()>)| {
            select_async! {
                recv(up) -> message => message?,
                recv(elsewhere) -> message => message?,
            }
            Ok(())
        },
    );
    net.process(
        "b",
        (down, up_out),
        async |(down, _up): &(In<()>, Out<()>)| {
            down.recv().await?;
            Ok(())
        },
    );
    let stage = Stage::of(net);
    let seen = seen_of(&stage, 0, |_| {});
    assert!(seen.found() == 1 && !seen.is_shut(), "{seen:?}");
    assert_eq!(stage.look(|_| {}), None);
    drop(outside);
}

/// `a` and `b` wait for each other, but that `c` could release `a`.
fn two_and_one(c: impl for<'a> Process<'a, Out<()>> + 'static) -> Stage {
    let mut net = Network::new("two and one");
    let (up_out, up) = net.channel::<()>("up");
    let (down_out, down) = net.channel::<()>("down");
    net.process("c", up_out.share(), c);
    net.process(
        "a",
        (up, down_out),
        async |(up, down): &(In<()>, Out<()>)| {
            up.recv().await?;
            down.send(()).await?;
            up.recv().await?;
            Ok(())
        },
    );
    net.process(
        "b",
        (down, up_out),
        async |(down, _up): &(In<()>, Out<()>)| {
            down.recv().await?;
            Gate::default().pass().await;
            Ok(())
        },
    );
    Stage::of(net)
}

#[test]
fn who_ends_between_the_pictures_leaves_the_others_deadlocked_and_is_not_among_them() {
    let gate = Gate::default();
    let passes = gate.clone();
    let stage = two_and_one(async move |_: &Out<()>| {
        passes.pass().await;
        Ok(())
    });
    let (ends, goes_on) = (gate.clone(), stage.clone());
    let found = stage.look(move |at| {
        if at == At::Between {
            goes_on.open(&ends);
        }
    });
    // It was there in the first picture: the next look is the first that can be certain.
    assert_eq!(found, None);
    assert_eq!(names(stage.look(|_| {})), ["a", "b"]);
}

#[test]
fn who_releases_one_between_the_pictures_and_ends_leaves_no_deadlock() {
    let gate = Gate::default();
    let passes = gate.clone();
    let stage = two_and_one(async move |up: &Out<()>| {
        passes.pass().await;
        up.send(()).await?;
        Ok(())
    });
    let goes_on = stage.clone();
    let found = stage.look(move |at| {
        if at == At::Between {
            goes_on.open(&gate);
        }
    });
    assert_eq!(found, None);
    // `b` waits for something outside by now, and could release `a`.
    assert_eq!(stage.look(|_| {}), None);
}

#[test]
fn who_is_started_between_the_pictures_with_an_end_can_release_by_it() {
    let gate = Gate::default();
    let passes = gate.clone();
    let mut net = Network::new("started");
    let (up_out, up) = net.channel::<()>("up");
    let (down_out, down) = net.channel::<()>("down");
    let here = net.here();
    net.process(
        "c",
        (up_out.share(), here),
        async move |(up, here): &(Out<()>, Here)| {
            passes.pass().await;
            here.start("d", up.parcel(), async |up: &Out<()>| {
                Gate::default().pass().await;
                up.send(()).await?;
                Ok(())
            });
            Ok(())
        },
    );
    net.process(
        "a",
        (up, down_out),
        async |(up, _down): &(In<()>, Out<()>)| {
            up.recv().await?;
            Ok(())
        },
    );
    net.process(
        "b",
        (down, up_out),
        async |(down, _up): &(In<()>, Out<()>)| {
            down.recv().await?;
            Ok(())
        },
    );
    let stage = Stage::of(net);
    let goes_on = stage.clone();
    let found = stage.look(move |at| {
        if at == At::Between {
            goes_on.open(&gate);
        }
    });
    assert_eq!(found, None);
    assert_eq!(stage.look(|_| {}), None, "`d` may send at any time");
}

#[test]
fn those_who_did_not_move_are_deadlocked_however_others_move_during_the_look() {
    let (mut net, gates) = (
        Network::new("two rings"),
        [Gate::default(), Gate::default()],
    );
    // A token between two, as in `ring`, and beside it two that wait for each other.
    let (there_out, there) = net.channel::<()>("there");
    let (back_out, back) = net.channel::<()>("back");
    for (at, (from, to)) in [(back, there_out), (there, back_out)]
        .into_iter()
        .enumerate()
    {
        let gate = gates[at].clone();
        net.process(
            at,
            (from, to),
            async move |(from, to): &(In<()>, Out<()>)| {
                let mut has_token = at == 0;
                loop {
                    if !has_token {
                        from.recv().await?;
                    }
                    gate.pass().await;
                    to.send(()).await?;
                    has_token = false;
                }
            },
        );
    }
    let (up_out, up) = net.channel::<()>("up");
    let (down_out, down) = net.channel::<()>("down");
    for (name, from, to) in [("a", up, down_out), ("b", down, up_out)] {
        net.process(name, (from, to), async |(from, _to): &(In<()>, Out<()>)| {
            from.recv().await?;
            Ok(())
        });
    }
    let stage = Stage::of(net);
    let goes_on = stage.clone();
    let found = stage.look(move |at| {
        if !matches!(at, At::Status(_)) {
            let gate = gates.iter().find(|gate| gate.has_somebody_waiting());
            goes_on.open(gate.unwrap());
        }
    });
    assert!(found.as_ref().is_some_and(|it| !it.is_total), "{found:?}");
    assert_eq!(names(found), ["a", "b"]);
}
