//! The part whose memory is measured: it listens, and does with each link what it is told to.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use handover::{
    channel::{Receiver, Sender},
    net::{Config, Limits, Link, Listener, Tls},
};

use crate::{
    counting::{live, peak},
    programs,
};

/// As many channels as the test is about.
pub const CHANNELS: u16 = 1000;

pub fn limits() -> Limits {
    Limits::default().with_channels(CHANNELS)
}

/// The test's plain configuration; with TLS if the environment has what it needs.
pub fn config() -> Config {
    let config = crate::links::config()
        .limits(limits())
        .connections_max(100_000)
        .handshakes_max(1000)
        .handshakes_per_second(1_000_000);
    let read = |name| std::env::var(name).unwrap();
    let config = match std::env::var("HOLDER_LEASE_MS") {
        Ok(ms) => config.lease(Duration::from_millis(ms.parse().unwrap())),
        Err(_) => config,
    };
    if std::env::var_os("HOLDER_CERTIFICATE").is_none() {
        return config;
    }
    let [certificate, key, authority] =
        ["HOLDER_CERTIFICATE", "HOLDER_KEY", "HOLDER_AUTHORITY"].map(read);
    let tls = Tls::new(certificate.as_bytes(), key.as_bytes(), authority.as_bytes());
    config.tls(tls.unwrap())
}

#[derive(Default)]
struct Held {
    links: Vec<Link>,
    receivers: Vec<Receiver<Bytes>>,
    senders: Vec<Sender<Bytes>>,
}

#[test]
#[ignore = "a part of the other tests"]
fn holder() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let held: Arc<Mutex<Held>> = Arc::default();
    let (give, mut orders) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        while let Some(order) = programs::next_order() {
            if give.blocking_send(order).is_err() {
                return;
            }
        }
    });
    runtime.block_on(async {
        let listener = Listener::bind("127.0.0.1:0", config()).await.unwrap();
        programs::say(&listener.local_addr().unwrap().to_string());
        let links = Arc::clone(&held);
        tokio::spawn(async move {
            loop {
                let incoming = listener.accept().await.unwrap();
                let links = Arc::clone(&links);
                tokio::spawn(async move {
                    if let Ok(link) = incoming.handshake().await {
                        links.lock().unwrap().links.push(link);
                    }
                });
            }
        });
        while let Some(order) = orders.recv().await {
            let answer = obey(&order, &held).await;
            programs::say(&answer);
        }
    });
}

async fn obey(order: &str, held: &Mutex<Held>) -> String {
    let (what, count) = order.split_once(' ').unwrap_or((order, ""));
    let count: usize = count.parse().unwrap_or(0);
    let last = || held.lock().unwrap().links.last().cloned();
    match what {
        "links" => held.lock().unwrap().links.len().to_string(),
        "live" => live().to_string(),
        "peak" => peak().to_string(),
        "receive" => {
            // On so many channels, and on none does anybody wait.
            let link = last().unwrap();
            let receivers = (0..count).map(|n| link.receiver(&format!("to-{n}")).unwrap());
            held.lock().unwrap().receivers.extend(receivers);
            String::new()
        }
        "wait" => {
            // A moment on each channel: what is granted then stands, and nobody comes back to take it.
            let receivers = held.lock().unwrap().receivers.clone();
            let mut waits: Vec<_> = receivers
                .iter()
                .map(|it| Box::pin(it.recv_async()))
                .collect();
            for wait in &mut waits {
                assert!(futures_util::poll!(wait).is_pending());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            String::new()
        }
        "take" => {
            let receivers = held.lock().unwrap().receivers.clone();
            for receiver in receivers {
                tokio::spawn(async move { receiver.recv_async().await });
            }
            String::new()
        }
        "send" => {
            let link = last().unwrap();
            for n in 0..count {
                let sender = link.sender(&format!("from-{n}")).unwrap();
                held.lock().unwrap().senders.push(sender.clone());
                tokio::spawn(async move {
                    let message = Bytes::from(vec![1; 1 << 20]);
                    while sender.send_async(message.clone()).await.is_ok() {}
                });
            }
            String::new()
        }
        "is" => {
            let link = last().unwrap();
            let closed = futures_util::poll!(Box::pin(link.closed()));
            closed.is_ready().to_string()
        }
        "ended" => last().unwrap().closed().await.to_string(),
        "forget" => {
            let old = std::mem::take(&mut *held.lock().unwrap());
            drop(old);
            String::new()
        }
        other => panic!("{other}"),
    }
}
