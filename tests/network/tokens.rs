//! Tokens: where they can be used, and what is said where they cannot.

use std::panic::{AssertUnwindSafe, catch_unwind};

use handover::process::{BlockingIn, Here, In, Network, Out};

use crate::support::within;

fn words_of(action: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(action)).unwrap_err();
    payload.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn a_token_of_another_network_is_refused() {
    let mut ours = Network::new("ours");
    let mut theirs = Network::new("theirs");
    let (out, into) = theirs.channel::<u32>("numbers");
    let words = "a port of network `theirs` is given to a process of network `ours`: channels between networks are \
                 made outside of both";
    let process = || ours.process("p", out.share(), async |_: &Out<u32>| Ok(()));
    assert_eq!(words_of(process), words);
    let thread = || ours.thread("t", into.share(), |_: &BlockingIn<u32>| Ok(()));
    assert_eq!(words_of(thread), words);
    let attached = || drop(ours.attach("a", into.share(), async |_: &In<u32>| Ok(())));
    assert_eq!(words_of(attached), words);
    // What was refused leaves nothing behind: neither a process nor a place of one.
    assert!(ours.observe().snapshot().processes.is_empty());
    within(move || ours.run()).unwrap();
    within(move || theirs.run()).unwrap();
}

/// A place that is kept for a process which never comes would make every deadlock look partial.
#[test]
fn a_deadlock_beside_a_token_that_was_refused_is_total() {
    let mut net = Network::new("ours");
    let (foreign, _into) = Network::new("theirs").channel::<u32>("numbers");
    words_of(|| net.process("p", foreign, async |_: &Out<u32>| Ok(())));
    let (out, into) = net.channel::<u32>("self");
    net.process(
        "narcissus",
        (out, into),
        async |(out, _into): &(Out<u32>, In<u32>)| {
            out.send(1).await?;
            Ok(())
        },
    );
    assert!(crate::ways::Way::OneThread.deadlock(net).is_total);
}

#[test]
fn a_token_is_inert_once_the_network_runs() {
    let mut net = Network::new("begun");
    let (out, into) = net.channel::<u32>("numbers");
    net.process("source", out.share(), async |numbers: &Out<u32>| {
        numbers.send(1).await?;
        Ok(())
    });
    net.process("sink", (into, net.here()), async move |(numbers, here): &(In<u32>, Here)| {
        numbers.recv().await?;
        let words = words_of(|| here.start("late", out, async |_: &Out<u32>| Ok(())));
        assert_eq!(
            words,
            "a token of network `begun` is used after the network began to run: a process that runs gives others a \
             share of its own port (`port.token()`, or `port.parcel()` to be sent)"
        );
        // It keeps no channel open.
        assert!(numbers.recv().await.is_err());
        Ok(())
    });
    within(move || net.run()).unwrap();
}

#[test]
fn a_parcel_of_another_network_is_refused() {
    let mut theirs = Network::new("theirs");
    let (out, into) = theirs.channel::<u32>("numbers");
    let (give, given) = handover::channel();
    theirs.process("source", out, async move |numbers: &Out<u32>| {
        give.send_async(numbers.parcel()).await?;
        numbers.send(1).await?;
        Ok(())
    });
    theirs.process("sink", into, async |numbers: &In<u32>| {
        numbers.recv().await?;
        // The parcel was dropped where it was refused, so nobody else has an end.
        assert!(numbers.recv().await.is_err());
        Ok(())
    });
    let mut ours = Network::new("ours");
    ours.process("thief", ours.here(), async move |here: &Here| {
        let parcel = given.recv_async().await?;
        let words = words_of(|| drop(here.adopt(parcel)));
        assert_eq!(
            words,
            "a parcel of network `theirs` is adopted in network `ours`"
        );
        Ok(())
    });
    let other = std::thread::spawn(move || within(move || theirs.run()));
    within(move || ours.run()).unwrap();
    other.join().unwrap().unwrap();
}

#[test]
fn a_channel_that_nobody_is_given_is_forgotten() {
    let mut net = Network::new("forgotten");
    let (_out, into) = net.channel::<u32>("numbers");
    let (_o, _i) = net.channel::<u32>("nobody's");
    let observer = net.observe();
    net.process("sink", into, async move |numbers: &In<u32>| {
        let names: Vec<_> = observer
            .snapshot()
            .channels
            .into_iter()
            .map(|one| one.name)
            .collect();
        assert_eq!(names, ["numbers"]);
        assert!(numbers.recv().await.is_err());
        Ok(())
    });
    within(move || net.run()).unwrap();
}
