//! Many short runs of random networks: processes, threads and attached processes in one pipeline, on one thread, on
//! several, and in a task of tokio. Each must end as it was planned: all messages through, or the planted deadlock.
//!
//! `MIXES` says how many of them, and `SEED` with which it begins; a failure names its seed.

#![allow(clippy::unwrap_used)]

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use handover::{
    process::{
        Attached, BlockingIn, BlockingOut, Here, In, InToken, Network, Out, OutToken, Parcel,
        RunError,
    },
    select_async,
};

const PATIENCE: Duration = Duration::from_mins(1);

/// Marsaglia's xorshift64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) % bound
    }
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    messages: u64,
    stages: u64,
    /// The source waits for word of each message, and the sink gives it after every second one.
    is_stuck: bool,
    runner: u64,
}

type Job = u64;

fn relay(net: &mut Network, dice: &mut Dice, stage: u64, into: InToken<Job>, out: OutToken<Job>) {
    let name = format!("stage {stage}");
    match dice.below(6) {
        0 => net.thread(
            name,
            (into, out),
            |(into, out): &(BlockingIn<Job>, BlockingOut<Job>)| {
                while let Ok(job) = into.recv() {
                    out.send(job)?;
                }
                Ok(())
            },
        ),
        1 => net.process(
            name,
            (into, out),
            async |(into, out): &(In<Job>, Out<Job>)| {
                // Its sender waits until the next stage has it.
                while let Ok(passed) = into.accept(async |job| out.send(*job).await).await {
                    passed?;
                }
                Ok(())
            },
        ),
        2 => {
            let (never_out, never_in) = net.channel::<Job>(&format!("never {stage}"));
            net.process(
                name,
                (into, out, never_out, never_in),
                async |(into, out, _to, never): &(In<Job>, Out<Job>, Out<Job>, In<Job>)| loop {
                    let job = select_async! {
                        recv(into) -> job => job,
                        recv(never) -> job => job,
                    };
                    match job {
                        Ok(job) => out.send(job).await?,
                        Err(_) => return Ok(()),
                    }
                },
            );
        }
        3 => {
            // One that gives its ends to another that it starts.
            let here = net.here();
            net.process(
                name,
                (into, out, here),
                async |(into, out, here): &(In<Job>, Out<Job>, Here)| {
                    hand_on(here, into.parcel(), out.parcel());
                    Ok(())
                },
            );
        }
        4 => {
            // Several, which may overtake each other.
            for worker in 0..3 {
                net.process(
                    format!("{name}.{worker}"),
                    (into.share(), out.share()),
                    async |(into, out): &(In<Job>, Out<Job>)| {
                        while let Ok(job) = into.recv().await {
                            out.send(job).await?;
                        }
                        Ok(())
                    },
                );
            }
        }
        _ => net.process(
            name,
            (into, out),
            async |(into, out): &(In<Job>, Out<Job>)| {
                while let Ok(job) = into.recv().await {
                    out.send(job).await?;
                }
                Ok(())
            },
        ),
    }
}

fn hand_on(here: &Here, into: Parcel<In<Job>>, out: Parcel<Out<Job>>) {
    here.start(
        "heir",
        (into, out),
        async |(into, out): &(In<Job>, Out<Job>)| {
            while let Ok(job) = into.recv().await {
                out.send(job).await?;
            }
            Ok(())
        },
    );
}

/// Builds it; what is returned is to be polled by tokio.
fn build(plan: Plan, dice: &mut Dice, sum: &Arc<AtomicU64>) -> (Network, Vec<Attached>) {
    let mut net = Network::new("mix");
    let mut attached = Vec::new();
    let (first_out, mut into) = net.channel::<Job>("link 0");
    let (word_out, word_in) = net.channel::<()>("word");
    net.process("source", (first_out, word_in), {
        async move |(jobs, word): &(Out<Job>, In<()>)| {
            for job in 1..=plan.messages {
                jobs.send(job).await?;
                if plan.is_stuck {
                    word.recv().await?;
                }
            }
            Ok(())
        }
    });
    for stage in 0..plan.stages {
        let (out, following) = net.channel::<Job>(&format!("link {}", stage + 1));
        let into = std::mem::replace(&mut into, following);
        if plan.runner == 2 && dice.below(4) == 0 {
            let relay = net.attach(
                format!("attached {stage}"),
                (into, out),
                async |(into, out): &(In<Job>, Out<Job>)| {
                    while let Ok(job) = into.recv().await {
                        out.send(job).await?;
                    }
                    Ok(())
                },
            );
            attached.push(relay.promise_to_poll());
        } else {
            relay(&mut net, dice, stage, into, out);
        }
    }
    let sum = Arc::clone(sum);
    net.process(
        "sink",
        (into, word_out),
        async move |(jobs, word): &(In<Job>, Out<()>)| {
            let mut count = 0_u64;
            while let Ok(job) = jobs.recv().await {
                sum.fetch_add(job, Ordering::Relaxed);
                count += 1;
                if plan.is_stuck && count.is_multiple_of(2) {
                    word.send(()).await?;
                }
            }
            Ok(())
        },
    );
    (net, attached)
}

fn run(plan: Plan, dice: &mut Dice, sum: &Arc<AtomicU64>) -> Result<(), RunError> {
    let (net, attached) = build(plan, dice, sum);
    match plan.runner {
        0 => net.run(),
        1 => net.run_threads(4),
        _ => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(3)
                .enable_time()
                .build()
                .unwrap();
            let others: Vec<_> = attached.into_iter().map(|one| runtime.spawn(one)).collect();
            let result = runtime.block_on(async { runtime.spawn(net.run_async()).await.unwrap() });
            for other in others {
                // After a deadlock their channels are closed.
                let _ = runtime.block_on(other).unwrap();
            }
            result
        }
    }
}

#[test]
fn random_networks_end_as_they_were_planned() {
    let number = |name: &str, default: u64| {
        let text = env::var(name).ok();
        text.map_or(default, |text| text.parse().unwrap())
    };
    let seed = number("SEED", 1);
    for seed in seed..seed + number("MIXES", 60) {
        let (tell, told) = mpsc::channel();
        let running = thread::spawn(move || {
            let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
            let plan = Plan {
                messages: 2 + dice.below(30),
                stages: 1 + dice.below(5),
                is_stuck: dice.below(3) == 0,
                runner: dice.below(3),
            };
            let sum = Arc::new(AtomicU64::new(0));
            let result = run(plan, &mut dice, &sum);
            let _ = tell.send((plan, result, sum.load(Ordering::Relaxed)));
        });
        let Ok((plan, result, sum)) = told.recv_timeout(PATIENCE) else {
            panic!("the run of seed {seed} does not end, or has panicked");
        };
        running.join().unwrap();
        match result {
            Ok(()) if !plan.is_stuck => {
                let all = plan.messages * (plan.messages + 1) / 2;
                assert_eq!(sum, all, "seed {seed}: {plan:?}");
            }
            Err(RunError::Deadlock(_)) if plan.is_stuck => {}
            other => panic!("seed {seed}: {plan:?}: {other:?}"),
        }
    }
}
