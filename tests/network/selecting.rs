//! Alternations over a number of ports that is known only at run time.

use std::time::{Duration, Instant};

use handover::{
    channel::{OfProcess, Select, tick},
    process::{BlockingIn, BlockingOut, Here, In, InToken, Network, OrEnd, Out, OutToken, Waiting},
};

use crate::support::{WAYS, Way};

const SOURCES: usize = 5;

fn sources(net: &mut Network, each: u32) -> Vec<InToken<u32>> {
    (0..SOURCES)
        .map(|source| {
            let (out, into) = net.channel::<u32>(&format!("from {source}"));
            net.process(
                format!("source {source}"),
                out,
                async move |out: &Out<u32>| {
                    for number in 0..each {
                        out.send(number).await?;
                    }
                    Ok(())
                },
            );
            into
        })
        .collect()
}

/// What comes from any of those that are still there; `None` once none is.
async fn any(inputs: &mut Vec<&In<u32>>) -> Option<u32> {
    while !inputs.is_empty() {
        let mut choice = Select::of_process();
        for (at, input) in inputs.iter().enumerate() {
            choice = choice.recv(*input, move |number| (at, number));
        }
        match choice.wait().await {
            (_, Ok(number)) => return Some(number),
            (at, Err(_)) => drop(inputs.swap_remove(at)),
        }
    }
    None
}

#[test]
fn a_process_takes_from_whichever_of_many_ports_is_first() {
    for way in WAYS {
        let mut net = Network::new("merge");
        let all = sources(&mut net, 200);
        let sum = net.process_returning("merge", all, async |inputs: &Vec<In<u32>>| {
            let mut inputs = inputs.iter().collect();
            let mut sum = 0;
            while let Some(number) = any(&mut inputs).await {
                sum += number;
            }
            Ok(sum)
        });
        way.run(net).unwrap();
        assert_eq!(sum.take(), Ok(5 * 199 * 200 / 2), "{way:?}");
    }
}

#[test]
fn a_thread_takes_from_whichever_of_many_ports_is_first() {
    for way in WAYS {
        let mut net = Network::new("merge");
        let all = sources(&mut net, 200);
        let sum = net.thread_returning("merge", all, |inputs: &Vec<BlockingIn<u32>>| {
            let mut open: Vec<_> = inputs.iter().collect();
            let mut sum = 0;
            while !open.is_empty() {
                let mut choice = Select::of_thread();
                for (at, input) in open.iter().enumerate() {
                    choice = choice.recv(*input, move |number| (at, number));
                }
                match choice.block() {
                    (_, Ok(number)) => sum += number,
                    (at, Err(_)) => drop(open.swap_remove(at)),
                }
            }
            Ok(sum)
        });
        way.run(net).unwrap();
        assert_eq!(sum.take(), Ok(5 * 199 * 200 / 2), "{way:?}");
    }
}

/// One that offers an item to many workers takes their answers meanwhile; each worker gets one at a time.
#[test]
fn one_wait_offers_to_many_and_takes_from_many() {
    enum Met {
        Sent(usize),
        Answer(usize, u32),
    }
    for way in WAYS {
        let mut net = Network::new("dealer");
        let mut to = Vec::new();
        let mut from = Vec::new();
        for worker in 0..SOURCES {
            let (job_out, job_in) = net.channel::<u32>(&format!("jobs {worker}"));
            let (answer_out, answer_in) = net.channel::<u32>(&format!("answers {worker}"));
            net.process(
                format!("worker {worker}"),
                (job_in, answer_out),
                async |(jobs, answers): &(In<u32>, Out<u32>)| {
                    loop {
                        let job = jobs.recv().await.or_end()?;
                        answers.send(job + 1).await?;
                    }
                },
            );
            to.push(job_out);
            from.push(answer_in);
        }
        let sum = net.process_returning(
            "dealer",
            (to, from),
            async |(to, from): &(Vec<Out<u32>>, Vec<In<u32>>)| {
                let mut busy = [false; SOURCES];
                let mut homes = [Some(0); SOURCES];
                let (mut dealt, mut sum, mut answers) = (0, 0, 0);
                while answers < 300 {
                    let mut choice: Select<'_, Met, OfProcess> = Select::of_process();
                    for (at, home) in homes.iter_mut().enumerate() {
                        if busy[at] {
                            choice =
                                choice.recv(&from[at], move |got| Met::Answer(at, got.unwrap()));
                        } else if dealt < 300 {
                            *home = Some(dealt);
                            choice = choice.send(&to[at], home, move |sent| {
                                sent.unwrap();
                                Met::Sent(at)
                            });
                        }
                    }
                    match choice.wait().await {
                        Met::Sent(at) => {
                            busy[at] = true;
                            dealt += 1;
                        }
                        Met::Answer(at, answer) => {
                            busy[at] = false;
                            answers += 1;
                            sum += answer;
                        }
                    }
                }
                Ok(sum)
            },
        );
        way.run(net).unwrap();
        assert_eq!(sum.take(), Ok(300 * 301 / 2), "{way:?}");
    }
}

#[test]
fn none_of_those_that_are_always_ready_is_left_out() {
    for way in WAYS {
        let mut net = Network::new("fair");
        let mut all = Vec::new();
        for source in 0..2 {
            let (out, into) = net.channel::<usize>(&format!("from {source}"));
            net.process(
                format!("source {source}"),
                out,
                async move |out: &Out<usize>| {
                    loop {
                        out.send(source).await.or_end()?;
                    }
                },
            );
            all.push(into);
        }
        let counts = net.process_returning("merge", all, async |inputs: &Vec<In<usize>>| {
            let mut counts = [0; 2];
            for _ in 0..2000 {
                let mut choice = Select::of_process();
                for input in inputs {
                    choice = choice.recv(input, |from| from);
                }
                counts[choice.wait().await?] += 1;
            }
            Ok(counts)
        });
        way.run(net).unwrap();
        let counts = counts.take().unwrap();
        assert!(
            counts.iter().all(|&count| count > 200),
            "{way:?}: {counts:?}"
        );
    }
}

#[test]
fn timers_stand_beside_ports() {
    for way in WAYS {
        let mut net = Network::new("timed");
        let (silent, into) = net.channel::<u32>("silent");
        let (over, is_over) = net.channel::<()>("over");
        net.process(
            "silent",
            (silent, is_over),
            async |(_silent, is_over): &(Out<u32>, In<()>)| {
                is_over.closed().await;
                Ok(())
            },
        );
        let met = net.process_returning(
            "patient",
            (into, over),
            async |(into, _over): &(In<u32>, Out<()>)| {
                let beat = tick(Duration::from_millis(1));
                let mut met = Vec::new();
                let after = Select::of_process()
                    .recv(into, |_| "message")
                    .after(Duration::from_millis(1), |_| "after");
                met.push(after.wait().await);
                let at = Select::of_process()
                    .recv(into, |_| "message")
                    .at(Instant::now(), |_| "at");
                met.push(at.wait().await);
                let ticked = Select::of_process()
                    .recv(into, |_| "message")
                    .tick(&beat, |_| "tick");
                met.push(ticked.wait().await);
                let now = Select::of_process().recv(into, |_| "message").now();
                met.push(now.unwrap_or("nothing now"));
                Ok(met)
            },
        );
        way.run(net).unwrap();
        let expected = vec!["after", "at", "tick", "nothing now"];
        assert_eq!(met.take(), Ok(expected), "{way:?}");
    }
}

type Boss = (In<u32>, Vec<Out<u32>>, Out<u32>, In<u32>);

#[test]
fn the_report_of_a_deadlock_has_all_branches() {
    for way in WAYS {
        let mut net = Network::new("stuck");
        let (to_boss, boss_in) = net.channel::<u32>("to the boss");
        let mut outs = Vec::new();
        for worker in 0..3 {
            let (out, into) = net.channel::<u32>(&format!("to {worker}"));
            net.process(
                format!("worker {worker}"),
                (to_boss.share(), into),
                async |(boss, _jobs): &(Out<u32>, In<u32>)| Ok(boss.send(1).await?),
            );
            outs.push(out);
        }
        drop(to_boss);
        let (never, nothing) = net.channel::<u32>("never");
        net.process(
            "boss",
            (boss_in, outs, never, nothing),
            async |(_in, outs, _never, nothing): &Boss| {
                let mut homes = [Some(1); 3];
                let mut choice = Select::of_process();
                for (out, home) in outs.iter().zip(&mut homes) {
                    choice = choice.send(out, home, |_| ());
                }
                choice = choice.recv(nothing, |_| ());
                choice.wait().await;
                Ok(())
            },
        );
        let deadlock = way.deadlock(net);
        let boss = deadlock.processes().find(|one| one.process == "boss");
        let mut waits: Vec<_> = boss
            .unwrap()
            .waits
            .iter()
            .map(|wait| (wait.operation, wait.channel.as_str(), wait.site.line > 1))
            .collect();
        waits.sort_by_key(|wait| wait.1);
        let expected = [
            (Waiting::Receive, "never", true),
            (Waiting::Send, "to 0", true),
            (Waiting::Send, "to 1", true),
            (Waiting::Send, "to 2", true),
        ];
        assert_eq!(waits, expected, "{way:?}");
    }
}

#[test]
fn a_wait_of_which_one_branch_can_be_met_is_no_deadlock() {
    for way in WAYS {
        let mut net = Network::new("free");
        let observer = net.observe();
        let (never, nothing) = net.channel::<u32>("never");
        let (out, into) = net.channel::<u32>("numbers");
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        net.process("source", out, async move |out: &Out<u32>| {
            told.await?;
            Ok(out.send(7).await?)
        });
        let got = net.process_returning(
            "waits",
            (never, vec![nothing, into]),
            async |(_never, inputs): &(Out<u32>, Vec<In<u32>>)| {
                let mut choice = Select::of_process();
                for input in inputs {
                    choice = choice.recv(input, |number| number);
                }
                Ok(choice.wait().await?)
            },
        );
        let looker = std::thread::spawn(move || {
            let deadline = Instant::now() + Duration::from_mins(1);
            let waits = || {
                let snapshot = observer.snapshot();
                let waits = snapshot.processes.iter().find(|one| one.name == "waits");
                waits.is_some_and(|one| one.waits.len() == 2)
            };
            while !waits() {
                assert!(Instant::now() < deadline);
                std::thread::yield_now();
            }
            for _ in 0..100 {
                assert_eq!(observer.look(), None);
            }
            tell.send(()).unwrap();
        });
        way.run(net).unwrap();
        looker.join().unwrap();
        assert_eq!(got.take(), Ok(7), "{way:?}");
    }
}

#[test]
fn adopted_ends_stand_in_it_too() {
    let mut net = Network::new("adopted");
    net.process("root", net.here(), async |here: &Here| {
        let (out, into) = here.channel::<u32>("numbers");
        here.start("child", out, async |out: &Out<u32>| Ok(out.send(7).await?));
        let into = here.adopt(into);
        let got = Select::of_process().recv(&into, |got| got);
        assert_eq!(got.wait().await, Ok(7));
        Ok(())
    });
    Way::OneThread.run(net).unwrap();
}

#[test]
fn a_thread_offers_what_it_has_until_it_is_taken() {
    for way in WAYS {
        let mut net = Network::new("offers");
        let mut tokens: Vec<OutToken<u32>> = Vec::new();
        let mut sums = Vec::new();
        for sink in 0..3 {
            let (out, into) = net.channel::<u32>(&format!("to {sink}"));
            tokens.push(out);
            let sum = net.process_returning(sink, into, async |into: &In<u32>| {
                let mut sum = 0;
                while let Some(number) = into.next().await? {
                    sum += number;
                }
                Ok(sum)
            });
            sums.push(sum);
        }
        net.thread("offers", tokens, |outs: &Vec<BlockingOut<u32>>| {
            for number in 0..300 {
                let mut homes = [Some(number); 3];
                let mut choice = Select::of_thread();
                for (out, home) in outs.iter().zip(&mut homes) {
                    choice = choice.send(out, home, |sent| sent);
                }
                let sent = choice.block_timeout(Duration::from_mins(1));
                sent.unwrap()?;
                assert_eq!(homes.iter().flatten().count(), 2, "one was taken");
            }
            Ok(())
        });
        way.run(net).unwrap();
        let sum: u32 = sums.iter().map(|sum| sum.take().unwrap()).sum();
        assert_eq!(sum, 299 * 300 / 2, "{way:?}");
    }
}
