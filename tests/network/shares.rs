//! Shares of an end that a process has, for processes that it starts.

use std::panic::{AssertUnwindSafe, catch_unwind};

use handover::process::{BlockingOut, Here, In, Network, OrEnd, Out};

use crate::support::{WAYS, Way};

#[test]
fn a_process_starts_others_with_shares_of_its_ends() {
    for way in WAYS {
        let mut net = Network::new("growing");
        let (jobs, to_do) = net.channel::<u32>("jobs");
        let (done, results) = net.channel::<u32>("done");
        net.process(
            "foreman",
            (net.here(), to_do, done),
            async |(here, jobs, done): &(Here, In<u32>, Out<u32>)| {
                for worker in 0..10 {
                    here.start(
                        worker,
                        (jobs.token(), done.token()),
                        async |(jobs, done): &(In<u32>, Out<u32>)| {
                            loop {
                                let job = jobs.recv().await.or_end()?;
                                done.send(2 * job).await?;
                            }
                        },
                    );
                }
                Ok(())
            },
        );
        net.process("source", jobs, async |jobs: &Out<u32>| {
            for job in 0..1000 {
                jobs.send(job).await?;
            }
            Ok(())
        });
        // It ends: no end is left over when the workers have.
        let sum = net.process_returning("sum", results, async |results: &In<u32>| {
            let mut sum = 0;
            while let Some(result) = results.next().await? {
                sum += result;
            }
            Ok(sum)
        });
        way.run(net).unwrap();
        assert_eq!(sum.take(), Ok(999_000), "{way:?}");
    }
}

#[test]
fn the_network_knows_who_has_a_share_and_no_end_is_open_meanwhile() {
    for way in WAYS {
        let mut net = Network::new("listed");
        let observer = net.observe();
        let (out, into) = net.channel::<u32>("numbers");
        let (go, wait) = net.channel::<()>("go");
        net.process(
            "root",
            (net.here(), out, wait),
            async move |(here, out, wait): &(Here, Out<u32>, In<()>)| {
                for child in 0..2 {
                    here.start(child, out.token(), async |out: &Out<u32>| {
                        Ok(out.send(1).await?)
                    });
                }
                let snapshot = observer.snapshot();
                let channel = snapshot.channels.iter().find(|one| one.name == "numbers");
                let channel = channel.unwrap();
                assert_eq!(channel.senders, ["root", "root/0", "root/1"]);
                assert_eq!(channel.open_ends, 0);
                Ok(wait.recv().await?)
            },
        );
        net.process(
            "sink",
            (into, go),
            async |(into, go): &(In<u32>, Out<()>)| {
                into.recv().await?;
                into.recv().await?;
                Ok(go.send(()).await?)
            },
        );
        way.run(net).unwrap();
    }
}

#[test]
fn a_deadlock_over_a_share_is_found() {
    for way in WAYS {
        let mut net = Network::new("stuck");
        let (up, from_up) = net.channel::<u32>("up");
        let (down, from_down) = net.channel::<u32>("down");
        net.process(
            "root",
            (net.here(), up, from_down),
            async |(here, up, down): &(Here, Out<u32>, In<u32>)| {
                here.start(
                    "child",
                    (up.token(), down.token()),
                    async |(_up, down): &(Out<u32>, In<u32>)| {
                        down.recv().await?;
                        Ok(())
                    },
                );
                Ok(())
            },
        );
        net.process(
            "peer",
            (down, from_up),
            async |(_down, up): &(Out<u32>, In<u32>)| {
                up.recv().await?;
                Ok(())
            },
        );
        let deadlock = way.deadlock(net);
        let mut names = deadlock.cycle_names();
        names.sort_unstable();
        assert_eq!(names, ["peer", "root/child"], "{way:?}");
    }
}

#[test]
fn a_child_can_have_a_place_of_its_own_and_start_others() {
    for way in WAYS {
        let mut net = Network::new("family");
        let (out, into) = net.channel::<String>("names");
        net.process(
            "a",
            (net.here(), out),
            async |(here, names): &(Here, Out<String>)| {
                here.start(
                    "b",
                    (here.token(), names.token()),
                    async |(here, names): &(Here, Out<String>)| {
                        here.start(
                            "c",
                            (here.token(), names.token()),
                            async |(here, names): &(Here, Out<String>)| {
                                Ok(names.send(here.name()).await?)
                            },
                        );
                        Ok(())
                    },
                );
                Ok(())
            },
        );
        net.process("sink", into, async |names: &In<String>| {
            assert_eq!(names.next().await?.as_deref(), Some("a/b/c"));
            assert_eq!(names.next().await?, None);
            Ok(())
        });
        way.run(net).unwrap();
    }
}

#[test]
fn a_thread_starts_processes_with_shares() {
    for way in WAYS {
        let mut net = Network::new("thread");
        let (out, into) = net.channel::<u32>("numbers");
        net.thread(
            "root",
            (net.here(), out),
            |(here, out): &(Here, BlockingOut<u32>)| {
                for child in 0..10 {
                    here.start(child, out.token(), async move |out: &Out<u32>| {
                        Ok(out.send(child).await?)
                    });
                }
                Ok(())
            },
        );
        let sum = net.process_returning("sum", into, async |into: &In<u32>| {
            let mut sum = 0;
            while let Some(number) = into.next().await? {
                sum += number;
            }
            Ok(sum)
        });
        way.run(net).unwrap();
        assert_eq!(sum.take(), Ok(45), "{way:?}");
    }
}

#[test]
fn an_end_of_one_network_is_of_no_use_in_another() {
    let mut net = Network::new("here");
    let (out, _into) = net.channel::<u32>("numbers");
    net.process("root", out, async |out: &Out<u32>| {
        let mut other = Network::new("there");
        let added = catch_unwind(AssertUnwindSafe(|| {
            other.process("child", out.token(), async |_: &Out<u32>| Ok(()));
        }));
        let message = added.unwrap_err().downcast::<String>().unwrap();
        assert!(
            message.contains("an end of network `here` is given to a process of network `there`"),
            "{message}"
        );
        Ok(())
    });
    Way::OneThread.run(net).unwrap();
}
