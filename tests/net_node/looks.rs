//! One node, and those who look at it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use handover::{
    net::{
        self, Access, CodecError, Config, Goodbye, Limits, Message, NetError, Node, NodeSnapshot,
    },
    process::{In, Network, Out},
};
use serde::{Deserialize, Serialize};

use super::{
    PATIENCE,
    links::{config, is_pending, pair, pair_of, settle, soon},
    look, quiet, reason,
};

/// As a program in another language has it: bytes, of which it knows what they are.
#[derive(Debug, Serialize, Deserialize)]
struct Text(Bytes);

impl Message for Text {
    const NAME: &'static str = "handover.NodeSnapshot";

    fn encode(&self) -> Result<Bytes, CodecError> {
        Ok(self.0.clone())
    }

    fn decode(bytes: &Bytes) -> Result<Self, CodecError> {
        Ok(Self(bytes.clone()))
    }
}

/// Pairs of processes that have not begun.
fn large(pairs: usize) -> Network {
    let mut net = Network::new("large");
    for number in 0..pairs {
        let (out, into) = net.channel::<u32>(&format!("channel {number}"));
        let sender = async |out: &Out<u32>| Ok(out.send(1).await?);
        net.process(format!("sender {number}"), out, sender);
        let receiver = async |into: &In<u32>| {
            into.recv().await?;
            Ok(())
        };
        net.process(format!("receiver {number}"), into, receiver);
    }
    net
}

#[tokio::test]
async fn whoever_is_at_the_other_end_of_a_joined_link_sees_the_node() {
    let (a, b) = pair().await;
    let net = large(1);
    let node = Node::new("kitchen\n", &net);
    assert_eq!(node.name(), "kitchen");
    node.join(&b).unwrap();
    let seen = look(&a).await;
    let own = node.snapshot();
    assert_eq!(seen.node, "kitchen");
    assert_eq!(seen.incarnation, a.peer().incarnation);
    assert_eq!(seen.incarnation, own.incarnation);
    let names = |seen: &NodeSnapshot| {
        let all = seen.snapshot.processes.iter();
        all.map(|it| it.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&seen), ["sender 0", "receiver 0"]);
    assert_eq!(names(&own), names(&seen));
    assert_eq!(seen.snapshot.channels, own.snapshot.channels);
    assert_eq!((seen.processes_left_out, seen.channels_left_out), (0, 0));
    // The other way there is no node.
    let error = net::look(&b, Duration::from_millis(50)).await.unwrap_err();
    assert!(reason(&error).contains("none came within 50ms"), "{error}");
    assert!(reason(&error).contains("Node::join"), "{error}");
    // Until there is one.
    quiet("counter").join(&a).unwrap();
    assert_eq!(look(&b).await.node, "counter");
}

#[tokio::test]
async fn a_link_is_joined_once() {
    let (a, b) = pair_of(config().name("visitor"), config()).await;
    let node = quiet("a");
    node.join(&b).unwrap();
    for again in [node, quiet("another")] {
        let error = again.join(&b).unwrap_err();
        assert!(
            matches!(&error, NetError::Joined(peer) if peer == "visitor"),
            "{error}"
        );
    }
    assert_eq!(look(&a).await.node, "a");
}

#[tokio::test]
async fn a_link_that_has_ended_says_so() {
    let (a, b) = pair().await;
    quiet("a").join(&b).unwrap();
    look(&a).await;
    let mut looking = Box::pin(net::look(&b, PATIENCE));
    assert!(is_pending(&mut looking).await);
    a.close(Goodbye::done()).await;
    soon("the end", b.closed()).await;
    for error in [
        looking.await.unwrap_err(),
        net::look(&a, PATIENCE).await.unwrap_err(),
        quiet("late").join(&b).unwrap_err(),
    ] {
        assert!(matches!(error, NetError::Ended(_)), "{error}");
    }
}

/// To be joined is the permission, and no rule is needed beside it.
#[tokio::test]
async fn rules_of_access_do_not_concern_it() {
    let strict = || config().access(Access::new());
    let (a, b) = pair_of(strict(), strict()).await;
    assert!(matches!(
        a.sender("units"),
        Err(NetError::NotAllowed { .. })
    ));
    quiet("a").join(&b).unwrap();
    assert_eq!(look(&a).await.node, "a");
}

#[tokio::test]
async fn a_look_that_is_given_up_leaves_nothing_in_the_way_of_the_next() {
    let (a, b) = pair().await;
    let node = quiet("a");
    let mut early = Box::pin(net::look(&a, PATIENCE));
    assert!(is_pending(&mut early).await);
    drop(early);
    node.join(&b).unwrap();
    for turns in 0..60 {
        // Given up after more and more turns.
        let giving_up = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            seen = net::look(&a, PATIENCE) => drop(seen.unwrap()),
            () = giving_up => {}
        }
    }
    assert_eq!(look(&a).await.node, "a");
    // Two at a time: one after the other.
    let both = async { tokio::join!(look(&a), look(&a)) };
    let (first, second) = soon("both", both).await;
    assert_eq!((first.node, second.node), ("a".to_owned(), "a".to_owned()));
}

/// Whoever looks without pause gets a look after each rest, and the others theirs in between.
#[tokio::test]
async fn a_node_rests_between_two_looks() {
    const LOOKS: u32 = 4;
    let node = quiet("a");
    let (a, b) = pair().await;
    let (c, d) = pair().await;
    node.join(&b).unwrap();
    node.join(&d).unwrap();
    let began = Instant::now();
    let many = async |link| {
        for _ in 0..LOOKS {
            look(link).await;
        }
    };
    soon("the looks", async { tokio::join!(many(&a), many(&c)) }).await;
    // Before the first there is no rest.
    let least = Duration::from_millis(50) * (2 * LOOKS - 1);
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    // Nobody looks, and nothing crosses.
    settle(&a, &b).await;
    let before = (a.counters(), b.counters());
    settle(&a, &b).await;
    assert_eq!((a.counters(), b.counters()), before);
}

#[tokio::test]
async fn what_is_too_long_for_the_peer_is_cut_short() {
    let net = large(200);
    let node = Node::new("large", &net);
    let of = |bytes| config().limits(Limits::default().with_message_bytes(bytes));
    let (whole, b) = pair_of(config(), config()).await;
    node.join(&b).unwrap();
    assert_eq!(look(&whole).await.snapshot.processes.len(), 400);
    let (a, b) = pair_of(of(10_000), config()).await;
    node.join(&b).unwrap();
    let seen = look(&a).await;
    let (kept, left) = (
        seen.snapshot.processes.len() as u64,
        seen.processes_left_out,
    );
    assert!(kept > 5, "{kept}");
    assert_eq!(kept + left, 400);
    assert_eq!(
        seen.snapshot.channels.len() as u64 + seen.channels_left_out,
        200
    );
    let notes = net::System::of(vec![seen]).notes();
    assert!(
        notes[0].starts_with(&format!("large has left out {left} processes and ")),
        "{notes:?}"
    );
    // Less than any snapshot has.
    let (a, b) = pair_of(of(100), config()).await;
    node.join(&b).unwrap();
    let error = net::look(&a, PATIENCE).await.unwrap_err();
    assert!(reason(&error).contains("100 bytes"), "{error}");
}

#[tokio::test]
async fn another_language_reads_it_as_json_and_may_close_and_open_the_channel() {
    let (a, b) = pair().await;
    quiet("a").join(&b).unwrap();
    for _ in 0..3 {
        // Which is free again when the last one is over.
        let snapshots = soon("the channel", async {
            loop {
                match a.receiver_of::<Text>("$snapshot") {
                    Ok(snapshots) => return snapshots,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
        .await;
        let Text(text) = soon("a snapshot", snapshots.recv_async()).await.unwrap();
        let seen: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(seen["node"], "a");
        assert_eq!(
            seen["incarnation"],
            format!("{:016x}", a.peer().incarnation)
        );
        assert_eq!(seen["snapshot"]["network"], "quiet");
        assert_eq!(seen["processes_left_out"], 0);
    }
}

#[tokio::test]
async fn what_a_bad_peer_says_is_an_error_or_a_snapshot() {
    let (a, b) = pair().await;
    let snapshots = b.sender_of::<Text>("$snapshot").unwrap();
    let mut hostile = quiet("a").snapshot();
    hostile.node = format!("\u{1b}[2J{}", "x".repeat(1 << 20));
    hostile.snapshot.age_ms = u64::MAX;
    let hostile = serde_json::to_string(&hostile).unwrap();
    let deep = "[".repeat(1 << 20);
    for text in ["", "{}", "nonsense", "\u{0}", &*deep, "null"] {
        let told = snapshots.send_async(Text(Bytes::copy_from_slice(text.as_bytes())));
        let both = async { tokio::join!(told, net::look(&a, PATIENCE)) };
        let error = soon("an answer", both).await.1.unwrap_err();
        assert!(reason(&error).starts_with("it cannot be read: "), "{error}");
    }
    let told = snapshots.send_async(Text(hostile.into()));
    let both = async { tokio::join!(told, look(&a)) };
    let seen: NodeSnapshot = soon("an answer", both).await.1;
    assert!(seen.node.len() <= 128 && !seen.node.contains('\u{1b}'));
    // Other messages than a snapshot's: both hear of it.
    let (a, b) = pair_of(Config::default(), config()).await;
    let _other = b.sender("$snapshot").unwrap();
    let error = net::look(&a, PATIENCE).await.unwrap_err();
    assert!(
        reason(&error).contains("handover.NodeSnapshot version 1"),
        "{error}"
    );
}
