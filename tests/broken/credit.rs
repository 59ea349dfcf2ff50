//! Messages under way within a grant, through a proxy that breaks their connections.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use handover::net::{self, Config, Goodbye, Link, Listener};

use crate::{
    links::{config, soon},
    number,
    proxy::{Fault, Plan, Proxy, Way},
    read,
};

const MESSAGES: u64 = 24;

fn resuming() -> Config {
    config()
        .lease(Duration::from_secs(20))
        .handshake_timeout(Duration::from_secs(5))
}

/// Messages through a proxy that breaks connections by plan, within a grant of 8; each is taken once, in order. Returns
/// the proxy.
async fn through(plans: Vec<Plan>) -> Proxy {
    let listener = Listener::bind("127.0.0.1:0", resuming()).await.unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap(), plans).await;
    let (accepted, mut links) = tokio::sync::mpsc::channel(1);
    let accepting = tokio::spawn(async move {
        loop {
            let incoming = listener.accept().await.unwrap();
            let accepted = accepted.clone();
            tokio::spawn(async move {
                if let Ok(link) = incoming.handshake().await {
                    let _ = accepted.send(link).await;
                }
            });
        }
    });
    let dialed = loop {
        if let Ok(link) = net::dial(proxy.address, resuming()).await {
            break link;
        }
    };
    let far = loop {
        let link: Link = soon("the link", links.recv()).await.unwrap();
        if link.peer().session == dialed.peer().session {
            break link;
        }
    };
    let tx = dialed.sender("units").unwrap();
    let rx = far.receiver("units").unwrap();
    rx.grant(8);
    let taking = async {
        for n in 0..MESSAGES {
            let message = rx.recv_async().await.unwrap();
            assert_eq!(read(&message), n);
            rx.grant(1);
        }
    };
    let sending = stream::iter(0..MESSAGES)
        .map(|n| tx.send_async(number(n)))
        .buffered(12)
        .for_each(|sent| async { sent.unwrap() });
    soon("the messages", async { tokio::join!(taking, sending) }).await;
    drop(tx);
    soon("the end", rx.recv_async()).await.unwrap_err();
    tokio::join!(dialed.close(Goodbye::done()), far.closed());
    accepting.abort();
    proxy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_at_any_byte_loses_doubles_and_reorders_nothing_of_what_is_under_way() {
    let whole = through(Vec::new()).await;
    let plans: Vec<Plan> = [Way::ToListener, Way::ToDialer]
        .into_iter()
        .flat_map(|way| {
            let carried = whole.carried(way);
            (60..carried).step_by(3).map(move |after| Plan {
                way,
                after,
                fault: if after % 2 == 0 {
                    Fault::Reset
                } else {
                    Fault::End
                },
            })
        })
        .collect();
    let count = plans.len();
    let faults: usize = stream::iter(plans)
        .map(|plan| async move { through(vec![plan]).await.faults() })
        .buffer_unordered(8)
        .fold(0, |sum, faults| async move { sum + faults })
        .await;
    println!("{count} runs, {faults} connections broken");
    assert!(faults >= 100, "{faults} faults in {count} runs");
}
