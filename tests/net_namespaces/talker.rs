//! The part that a process plays at one end of a link: it sends numbered messages, takes those of the other side, and
//! tells what became of each.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use handover::{
    channel::{Receiver, SendError, Sender},
    net::{self, Config, Goodbye, Link, Listener},
};

use crate::{programs, space::ADDRESSES};

/// What a side knows of the messages.
#[derive(Debug, Default)]
struct Known {
    sent: Vec<u64>,
    in_doubt: Vec<u64>,
    returned: Vec<u64>,
    taken: Vec<u64>,
    sending_over: bool,
    taking_over: bool,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap()
}

fn config() -> Config {
    let lease = Duration::from_millis(variable("TALK_LEASE_MS").parse().unwrap());
    Config::default()
        .plain_off_loopback(true)
        .lease(lease)
        .handshake_timeout(lease / 6)
        .close_timeout(lease)
}

/// Message `number`: its number, and bytes that follow from it.
fn message(number: u64, most: usize) -> Bytes {
    let lengths = [8, most, 100, most / 3 + 8];
    let length = lengths[usize::try_from(number % 4).unwrap()].max(8);
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(length, (number % 251) as u8);
    bytes.into()
}

async fn send_all(out: Sender<Bytes>, count: u64, most: usize, known: &Mutex<Known>) {
    for number in 1..=count {
        let result = out.send_async(message(number, most)).await;
        let mut known = known.lock().unwrap();
        match result {
            Ok(()) => known.sent.push(number),
            Err(SendError::InDoubt(_)) => {
                known.in_doubt.push(number);
                break;
            }
            Err(_) => {
                known.returned.push(number);
                break;
            }
        }
    }
    drop(out);
    known.lock().unwrap().sending_over = true;
}

async fn take_all(into: Receiver<Bytes>, most: usize, known: &Mutex<Known>) {
    while let Ok(taken) = into.recv_async().await {
        let number = u64::from_be_bytes(taken[..8].try_into().unwrap());
        assert!(taken == message(number, most), "message {number} is whole");
        known.lock().unwrap().taken.push(number);
    }
    known.lock().unwrap().taking_over = true;
}

async fn connect() -> Link {
    if variable("TALK_END") == "0" {
        let listener = Listener::bind((ADDRESSES[0], 7000), config())
            .await
            .unwrap();
        programs::say("ready");
        // Handshakes that broke off are tried again, and others belong to the session that there is.
        let (found, mut links) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let incoming = listener.accept().await.unwrap();
                let found = found.clone();
                tokio::spawn(async move {
                    if let Ok(link) = incoming.handshake().await {
                        let _ = found.send(link).await;
                    }
                });
            }
        });
        links.recv().await.unwrap()
    } else {
        programs::say("ready");
        loop {
            if let Ok(link) = net::dial((ADDRESSES[0], 7000), config()).await {
                return link;
            }
        }
    }
}

#[test]
#[ignore = "a part of the other tests"]
fn talker() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (give, mut orders) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        while let Some(order) = programs::next_order() {
            if give.blocking_send(order).is_err() {
                return;
            }
        }
    });
    runtime.block_on(async {
        let link = connect().await;
        let [count, most]: [usize; 2] =
            ["TALK_COUNT", "TALK_BYTES"].map(|name| variable(name).parse().unwrap());
        let (sends, takes) = if variable("TALK_END") == "0" {
            ("back", "forth")
        } else {
            ("forth", "back")
        };
        let (out, into) = (link.sender(sends).unwrap(), link.receiver(takes).unwrap());
        let known: Arc<Mutex<Known>> = Arc::default();
        let mine = Arc::clone(&known);
        let talk = async move {
            tokio::join!(
                send_all(out, count as u64, most, &mine),
                take_all(into, most, &mine)
            );
        };
        let mut talk = tokio::spawn(talk);
        programs::say("linked");
        loop {
            let Some(order) = orders.recv().await else {
                return;
            };
            match order.as_str() {
                "progress" => {
                    let known = known.lock().unwrap();
                    programs::say(&(known.sent.len() + known.taken.len()).to_string());
                }
                "finish" => {
                    (&mut talk).await.unwrap();
                    let known = known.lock().unwrap();
                    assert!(known.sending_over && known.taking_over);
                    programs::say(&format!(
                        "{:?} {:?} {:?} {:?}",
                        known.sent, known.returned, known.in_doubt, known.taken
                    ));
                }
                "close" => {
                    link.close(Goodbye::done()).await;
                    programs::say(&link.closed().await.to_string());
                }
                "closed" => programs::say(&link.closed().await.to_string()),
                other => panic!("{other}"),
            }
        }
    });
}
