//! What is said about a deadlock, word for word, with the places in this file.

use handover::{
    process::{BlockingIn, BlockingOut, In, Network, Out, Waiting},
    select, select_async,
};

use crate::ways::Way;

/// The line of this file that ends in the comment `mark`.
fn line_of(mark: &str) -> usize {
    let mark = format!("// {mark}");
    let mut lines = include_str!("words.rs").lines();
    lines
        .position(|line| line.ends_with(&mark))
        .expect("a line with this mark")
        + 1
}

#[test]
fn two_that_wait_for_each_other() {
    let mut net = Network::new("chain");
    let (up_out, up_in) = net.channel::<u32>("up");
    let (down_out, down_in) = net.channel::<u32>("down");
    let a = line_of("a sends");
    let first = async |(up, down): &(Out<u32>, In<u32>)| {
        up.send(1).await?; // a sends
        down.recv().await?;
        Ok(())
    };
    let b = line_of("b sends");
    let second = async |(up, down): &(In<u32>, Out<u32>)| {
        down.send(1).await?; // b sends
        up.recv().await?;
        Ok(())
    };
    net.process("a", (up_out, down_in), first);
    net.process("b", (up_in, down_out), second);
    let deadlock = Way::OneThread.deadlock(net);
    assert_eq!(
        deadlock.to_string(),
        format!(
            "deadlock: a (sending on \"up\" at words.rs:{a}) waits for b; b (sending on \"down\" at words.rs:{b}) \
             waits for a"
        )
    );
    let wait = &deadlock.cycle[0].waits[0];
    assert_eq!(wait.operation, Waiting::Send);
    assert!(wait.site.file.ends_with("deadlock/words.rs"), "{wait:?}");
    assert_eq!(usize::try_from(wait.site.line).unwrap(), a);
    assert!(!wait.is_open);
}

#[test]
fn an_alternation_and_what_hangs_on_it() {
    let mut net = Network::new("or");
    let (x_out, x_in) = net.channel::<u32>("x");
    let (y_out, y_in) = net.channel::<u32>("y");
    let (z_out, z_in) = net.channel::<u32>("z");
    let receives = line_of("a chooses");
    net.process(
        "a",
        (x_in, y_out, z_out),
        async |(x, y, _z): &(In<u32>, Out<u32>, Out<u32>)| {
            select_async! { // a chooses
                recv(x) -> _ => {}, send(y, &mut Some(1)) -> _ => {}
            }
            Ok(())
        },
    );
    let accepts = line_of("b accepts");
    net.process(
        "b",
        (x_out, y_in, z_in),
        async |(_x, _y, z): &(Out<u32>, In<u32>, In<u32>)| {
            z.accept(async |_| ()).await?; // b accepts
            Ok(())
        },
    );
    let text = Way::OneThread.deadlock(net).to_string();
    assert_eq!(
        text,
        format!(
            "deadlock: a (receiving on \"x\" at words.rs:{receives}, or sending on \"y\" at words.rs:{receives}) waits \
             for b; b (receiving on \"z\" at words.rs:{accepts}) waits for a"
        )
    );
}

#[test]
fn threads_and_those_who_wait_because_of_them() {
    let mut net = Network::new("threads");
    let (x_out, x_in) = net.channel::<u32>("x");
    let (y_out, y_in) = net.channel::<u32>("y");
    let (z_out, z_in) = net.channel::<u32>("z");
    let first = line_of("the thread a receives");
    net.thread(
        "a",
        (x_in, y_out),
        |(x, _y): &(BlockingIn<u32>, BlockingOut<u32>)| {
            x.recv()?; // the thread a receives
            Ok(())
        },
    );
    let second = line_of("the thread b chooses");
    net.thread(
        "b",
        (y_in, x_out, z_out),
        |(y, _x, _z): &(BlockingIn<u32>, BlockingOut<u32>, BlockingOut<u32>)| {
            select! { // the thread b chooses
                recv(y) -> _ => {}
            }
            Ok(())
        },
    );
    net.thread("c", z_in, |z: &BlockingIn<u32>| {
        z.recv()?;
        Ok(())
    });
    // A part of it may be found before the rest has come to wait.
    net.on_deadlock(handover::process::OnDeadlock::Report);
    assert_eq!(
        Way::TwoThreads.deadlock(net).to_string(),
        format!(
            "deadlock: a (receiving on \"x\" at words.rs:{first}) waits for b; b (receiving on \"y\" at \
             words.rs:{second}) waits for a; because of it c waits for ever too"
        )
    );
}

#[test]
fn an_accepted_send_waits_for_its_acceptor() {
    let mut net = Network::new("accepted");
    let (ask_out, ask_in) = net.channel::<u32>("ask");
    let (more_out, more_in) = net.channel::<u32>("more");
    let asks = line_of("the client asks");
    net.process(
        "client",
        (ask_out, more_out),
        async |(ask, _more): &(Out<u32>, Out<u32>)| {
            ask.send(1).await?; // the client asks
            Ok(())
        },
    );
    let wants = line_of("the server wants more");
    net.process(
        "server",
        (ask_in, more_in),
        async |(ask, more): &(In<u32>, In<u32>)| {
            let held = ask.recv_held().await?;
            more.recv().await?; // the server wants more
            let _ = held.release();
            Ok(())
        },
    );
    assert_eq!(
        Way::InsideTokio.deadlock(net).to_string(),
        format!(
            "deadlock: client (sending, accepted, on \"ask\" at words.rs:{asks}) waits for server; server (receiving on \
             \"more\" at words.rs:{wants}) waits for client"
        )
    );
}

#[test]
fn one_waits_for_an_end_that_only_it_could_give_up() {
    let mut net = Network::new("own");
    let (out, into) = net.channel::<u32>("self");
    let place = line_of("narcissus waits");
    net.process(
        "narcissus",
        (out, into),
        async |(out, _into): &(Out<u32>, In<u32>)| {
            out.closed().await; // narcissus waits
            Ok(())
        },
    );
    assert_eq!(
        Way::OneThread.deadlock(net).to_string(),
        format!(
            "deadlock: narcissus (waiting for the other side to go on \"self\" at words.rs:{place}) waits for itself"
        )
    );
}

#[test]
fn a_crowd_that_waits_too_is_named_in_part() {
    let mut net = Network::new("crowd");
    let (out, into) = net.channel::<u32>("self");
    let line = line_of("narcissus sends");
    net.process(
        "narcissus",
        (out, into),
        async |(out, into): &(Out<u32>, In<u32>)| {
            let _ = into;
            out.send(1).await?; // narcissus sends
            Ok(())
        },
    );
    let (echo_out, echo_in) = net.channel::<u32>("echo");
    for number in 0..12 {
        net.process(
            format!("echo {number}"),
            (echo_in.share(), echo_out.share()),
            async |(echo, _): &(In<u32>, Out<u32>)| {
                echo.recv().await?;
                Ok(())
            },
        );
    }
    net.on_deadlock(handover::process::OnDeadlock::Report);
    let text = Way::OneThread.deadlock(net).to_string();
    assert_eq!(
        text,
        format!(
            "deadlock: narcissus (sending on \"self\" at words.rs:{line}) waits for itself; because of it echo 0, echo 1, \
             echo 2, echo 3, echo 4, echo 5, echo 6, echo 7 and 4 more wait for ever too"
        )
    );
}
