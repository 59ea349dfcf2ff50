//! What a link keeps that has nothing to do.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use handover::net::{self, Config, Link};

use crate::{
    ALONE,
    counting::live,
    links::{config, soon},
    programs::{Part, resident},
    support::Authority,
};

/// So many links: the test has an end of each, and the part the other.
fn crowd() -> usize {
    let crowd = std::env::var("HANDOVER_MEMORY_LINKS").ok();
    crowd.map_or(2000, |it| it.parse().unwrap())
}

async fn dial_all(address: SocketAddr, config: &Config, count: usize) -> Vec<Link> {
    stream::iter(0..count)
        .map(|_| async { net::dial(address, config.clone()).await.unwrap() })
        .buffer_unordered(32)
        .collect()
        .await
}

fn await_links(holder: &mut Part, count: usize) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while holder.ask("links") != count.to_string() {
        assert!(Instant::now() < deadline, "not all links came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn live_of(holder: &mut Part) -> u64 {
    holder.ask("live").parse().unwrap()
}

/// Makes links that do nothing; what each keeps at the listener and at the dialer.
fn measure(what: &str, env: &[(&str, String)], config: &Config, count: usize) -> [u64; 2] {
    let mut holder = Part::start("holder::holder", &[], env);
    let address = holder.answer().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        // What is made once is made by the first.
        let mut links = soon("the first", dial_all(address, config, 50)).await;
        await_links(&mut holder, 50);
        let before = [live_of(&mut holder), live()];
        let resident_before = resident(holder.id());
        links.extend(dial_all(address, config, count).await);
        await_links(&mut holder, count + 50);
        let each = |after: u64, before: u64| after.saturating_sub(before) / count as u64;
        let listener = each(live_of(&mut holder), before[0]);
        let dialer = each(live(), before[1]);
        let pages = each(resident(holder.id()), resident_before);
        eprintln!("{what}, {count} idle: {listener} bytes each at the listener ({pages} of resident memory), {dialer} at the dialer");
        [listener, dialer]
    })
}

#[test]
fn an_idle_link_keeps_little() {
    let _alone = ALONE.lock();
    let [listener, dialer] = measure("plain links", &[], &config(), crowd());
    assert!(listener <= 4 << 10, "{listener} bytes at the listener");
    assert!(dialer <= 4 << 10, "{dialer} bytes at the dialer");
}

#[test]
fn an_idle_link_of_tls_keeps_little_more() {
    let _alone = ALONE.lock();
    let authority = Authority::new();
    let certified = authority.certify(&["listener"]);
    let env = [
        ("HOLDER_CERTIFICATE", certified.certificate),
        ("HOLDER_KEY", certified.key),
        ("HOLDER_AUTHORITY", authority.pem.clone()),
    ];
    let [listener, dialer] = measure("TLS links", &env, &authority.config("dialer"), crowd() / 4);
    assert!(listener <= 24 << 10, "{listener} bytes at the listener");
    assert!(dialer <= 24 << 10, "{dialer} bytes at the dialer");
}

/// A link that was busy gives its buffers back when it has been idle for a quarter of its lease.
#[test]
fn a_link_that_was_busy_keeps_as_little_when_it_is_idle() {
    const LINKS: usize = 100;
    let _alone = ALONE.lock();
    let lease = Duration::from_secs(2);
    let env = [("HOLDER_LEASE_MS", lease.as_millis().to_string())];
    let mut holder = Part::start("holder::holder", &[], &env);
    let address: SocketAddr = holder.answer().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let config = config().lease(lease);
        let mut busy = Vec::new();
        for number in 1..=LINKS {
            let link = soon("a link", net::dial(address, config.clone()))
                .await
                .unwrap();
            await_links(&mut holder, number);
            holder.ask("receive 1");
            busy.push(link);
        }
        let before = [live_of(&mut holder), live()];
        let senders: Vec<_> = busy
            .iter()
            .map(|link| link.sender("to-0").unwrap())
            .collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        // A message to each that fills the buffers of both sides.
        holder.ask("take");
        for sender in &senders {
            let message = Bytes::from(vec![7; 64_000]);
            soon("a message", sender.send_async(message)).await.unwrap();
        }
        let (mut after, deadline) = ([u64::MAX; 2], Instant::now() + lease * 10);
        let each = |after: u64, before: u64| after.saturating_sub(before) / LINKS as u64;
        while after.iter().any(|each| *each > 4 << 10) {
            assert!(
                Instant::now() < deadline,
                "each keeps {after:?} bytes, at the listener and the dialer"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
            after = [
                each(live_of(&mut holder), before[0]),
                each(live(), before[1]),
            ];
        }
        eprintln!("links that were busy keep {after:?} bytes more, with a channel");
    });
}
