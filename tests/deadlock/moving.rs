//! Ends that move, and processes that come later: who holds an end at the moment is who can release.

use std::time::Duration;

use handover::process::{Here, In, Network, Out, Parcel};

use crate::ways::{WAYS, others};

type Letter = Parcel<Out<u32>>;

/// While the end is in the letter nobody is listed for it; once it is adopted, the adopter is.
#[test]
fn who_has_adopted_an_end_can_release() {
    for way in WAYS {
        let mut net = Network::new("adopted");
        let (post_out, post_in) = net.channel::<Letter>("post");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        net.process(
            "sender",
            (post_out, x_out),
            async |(post, x): &(Out<Letter>, Out<u32>)| {
                post.send(x.parcel()).await?;
                Ok(())
            },
        );
        net.process("a", (x_in, y_out), async |(x, y): &(In<u32>, Out<u32>)| {
            x.recv().await?;
            y.send(1).await?;
            Ok(())
        });
        net.process(
            "b",
            (post_in, y_in, net.here()),
            async |(post, y, here): &(In<Letter>, In<u32>, Here)| {
                let x = here.adopt(post.recv().await?);
                y.recv().await?;
                x.send(1).await?;
                Ok(())
            },
        );
        let deadlock = way.deadlock(net);
        assert_eq!(deadlock.cycle_names(), ["a", "b"], "{way:?}");
    }
}

#[test]
fn an_end_that_was_adopted_and_given_up_releases_nobody() {
    for way in WAYS {
        let mut net = Network::new("given up");
        let (post_out, post_in) = net.channel::<Letter>("post");
        let (x_out, x_in) = net.channel::<u32>("x");
        net.process(
            "sender",
            (post_out, x_out),
            async |(post, x): &(Out<Letter>, Out<u32>)| {
                post.send(x.parcel()).await?;
                Ok(())
            },
        );
        net.process("a", x_in, async |x: &In<u32>| {
            // The channel is closed once both have given it up.
            assert!(x.recv().await.is_err());
            Ok(())
        });
        net.process(
            "b",
            (post_in, net.here()),
            async |(post, here): &(In<Letter>, Here)| {
                drop(here.adopt(post.recv().await?));
                Ok(())
            },
        );
        way.run(net).unwrap();
    }
}

/// In the hand of a process that has not adopted it the end may go anywhere.
#[test]
fn a_letter_that_was_not_opened_may_release() {
    for way in WAYS {
        let mut net = Network::new("letter");
        let (post_out, post_in) = net.channel::<Letter>("post");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        net.process(
            "sender",
            (post_out, x_out),
            async |(post, x): &(Out<Letter>, Out<u32>)| {
                post.send(x.parcel()).await?;
                Ok(())
            },
        );
        net.process("a", (x_in, y_out), async |(x, y): &(In<u32>, Out<u32>)| {
            x.recv().await?;
            y.send(1).await?;
            Ok(())
        });
        net.process(
            "b",
            (post_in, y_in, net.here()),
            async |(post, y, here): &(In<Letter>, In<u32>, Here)| {
                let letter = post.recv().await?;
                assert!(y.recv_timeout(Duration::from_millis(150)).await.is_err());
                let x = here.adopt(letter);
                x.send(1).await?;
                y.recv().await?;
                Ok(())
            },
        );
        way.run(net).unwrap();
    }
}

#[test]
fn one_that_was_started_can_be_in_a_deadlock() {
    for way in WAYS {
        let mut net = Network::new("started");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        net.process(
            "root",
            (net.here(), x_in, y_out),
            async |(here, x, y): &(Here, In<u32>, Out<u32>)| {
                here.start(
                    "child",
                    (x.parcel(), y.parcel()),
                    async |(x, _y): &(In<u32>, Out<u32>)| {
                        x.recv().await?;
                        Ok(())
                    },
                );
                Ok(())
            },
        );
        net.process(
            "other",
            (x_out, y_in),
            async |(_x, y): &(Out<u32>, In<u32>)| {
                y.recv().await?;
                Ok(())
            },
        );
        let deadlock = way.deadlock(net);
        let mut names = deadlock.cycle_names();
        // The place of the root may be the child's now.
        names.sort_unstable();
        assert_eq!(names, ["other", "root/child"], "{way:?}");
        assert!(others(&deadlock).is_empty());
    }
}

/// Places are used again: who has one now is not taken for who had it before.
#[test]
fn many_come_and_go_beside_two_that_wait_for_one_that_runs() {
    for way in WAYS {
        let mut net = Network::new("reused");
        let (x_out, x_in) = net.channel::<u32>("x");
        let (y_out, y_in) = net.channel::<u32>("y");
        let (z_out, z_in) = net.channel::<u32>("z");
        net.process("a", (x_in, y_out), async |(x, y): &(In<u32>, Out<u32>)| {
            x.recv().await?;
            y.send(1).await?;
            Ok(())
        });
        net.process("b", y_in, async |y: &In<u32>| {
            y.recv().await?;
            Ok(())
        });
        net.process(
            "root",
            (net.here(), x_out, z_out),
            async |(here, x, z): &(Here, Out<u32>, Out<u32>)| {
                for child in 0..3000 {
                    here.start(child, (z.parcel(),), async |(z,): &(Out<u32>,)| {
                        z.send(1).await?;
                        Ok(())
                    });
                    if child % 8 == 0 {
                        z.send(1).await?;
                    }
                }
                x.send(1).await?;
                Ok(())
            },
        );
        net.process("sink", z_in, async |z: &In<u32>| {
            while z.recv().await.is_ok() {}
            Ok(())
        });
        way.run(net).unwrap();
    }
}
