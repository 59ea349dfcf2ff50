//! What a peer may do with which channels.

use bytes::Bytes;
use futures_util::FutureExt;
use handover::net::{
    Access,
    Direction::{FromPeer, ToPeer},
    NetError,
};

use crate::{
    links::{channel_over, config, pair_of, soon},
    support::Authority,
};

fn rules() -> Access {
    Access::new()
        .allow("worker-*", ToPeer, "units")
        .allow("worker-*", FromPeer, "results/*")
}

#[tokio::test]
async fn a_peer_uses_the_channels_that_it_may() {
    let authority = Authority::new();
    let coordinator = authority.config("coordinator").access(rules());
    let (a, b) = pair_of(authority.config("worker-1"), coordinator).await;
    for (from, to, name) in [(&b, &a, "units"), (&a, &b, "results/1")] {
        let (tx, rx) = channel_over(from, to, name);
        let exchange = async { tokio::join!(tx.send_async(Bytes::new()), rx.recv_async()) };
        let (sent, received) = soon("a message", exchange).await;
        sent.unwrap();
        received.unwrap();
    }
}

#[tokio::test]
async fn a_peer_that_opens_a_channel_that_it_may_not_is_refused_by_name() {
    let authority = Authority::new();
    for (peer, channel) in [("worker-1", "orders"), ("press", "results/1")] {
        let coordinator = authority.config("coordinator").access(rules());
        // It is not what a peer calls itself that counts.
        let (a, b) = pair_of(authority.config(peer).name("worker-1"), coordinator).await;
        let tx = a.sender(channel).unwrap();
        let error = soon("a send", tx.send_async(Bytes::from_static(b"x"))).await;
        let error = error.unwrap_err();
        let reason = error.poison().unwrap().to_string();
        assert_eq!(
            reason,
            format!(
                "the peer refuses the channel: {peer:?} may not send on channel {channel:?} here"
            )
        );
        assert_eq!(error.into_inner(), "x");
        // The link goes on with what it may.
        assert!(b.closed().now_or_never().is_none());
        assert!(a.closed().now_or_never().is_none());
    }
}

#[tokio::test]
async fn this_side_opens_no_channel_that_its_peer_may_not_use() {
    let authority = Authority::new();
    let coordinator = authority.config("coordinator").access(rules());
    let (_a, b) = pair_of(authority.config("worker-1"), coordinator).await;
    let error = b.sender("orders").unwrap_err();
    assert!(
        matches!(&error, NetError::NotAllowed { peer, direction: ToPeer, channel }
            if peer == "worker-1" && channel == "orders"),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "\"worker-1\" may not receive on channel \"orders\": the access rules of this side do not allow it"
    );
    let error = b.receiver("units").unwrap_err();
    assert!(matches!(
        &error,
        NetError::NotAllowed {
            direction: FromPeer,
            ..
        }
    ));
    b.sender("units").unwrap();
    b.receiver("results/1").unwrap();
}

#[tokio::test]
async fn a_dialer_s_rules_hold_as_a_listener_s_do_and_on_plain_tcp_the_given_name_counts() {
    let dialer = config().access(Access::new().allow("coordinator", ToPeer, "*"));
    let (a, b) = pair_of(dialer, config().name("coordinator")).await;
    a.sender("anything").unwrap();
    let tx = b.sender("results").unwrap();
    soon("the refusal", tx.closed_async()).await;
    let reason = tx.poison_reason().unwrap().to_string();
    assert!(reason.contains("\"results\""), "{reason}");
}
