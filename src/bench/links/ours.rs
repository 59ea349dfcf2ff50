//! This crate's links.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    contenders::{Contender, Failure, idle_count},
    idle,
    program::Workers,
    record::Record,
    row::{MIB, Order, Row, Side},
    watch::Watch,
};
use crate::{
    channel::{Receiver, Sender, channel},
    net::{self, Config, Goodbye, Link, Listener, Tls},
    sync::Mutex,
};

/// What the channel of the units is called.
const UNITS: &str = "units";

/// What is granted where messages are long, and some are granted.
const FEW: usize = 4;

/// Idle links give their buffers back after a quarter of it.
const IDLE_LEASE: Duration = Duration::from_secs(8);

/// Plays one side.
pub(super) fn play(
    contender: &Contender,
    order: &Order,
    side: &Side,
    certificates: Option<&Path>,
) -> Result<Option<Record>, Failure> {
    let mut config = Config::default()
        .connections_max(100_000)
        .handshakes_max(1000)
        .handshakes_per_second(1_000_000);
    if order.row == Row::Idle {
        config = config.lease(IDLE_LEASE);
    }
    if let Some(folder) = certificates {
        let tls = Tls::from_files(
            folder.join("peer.pem"),
            folder.join("peer.key"),
            folder.join("authority.pem"),
        )?;
        config = config.tls(tls);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match side {
            Side::Measures => measure(contender, order, config).await.map(Some),
            Side::Works(address) => {
                work(contender, order, *address, config).await?;
                Ok(None)
            }
        }
    })
}

/// How many messages may be under way on each connection.
fn window(contender: &Contender, row: Row) -> usize {
    if contender.name == "handover-4" {
        FEW
    } else {
        row.window()
    }
}

async fn measure(contender: &Contender, order: &Order, config: Config) -> Result<Record, Failure> {
    let listener = Listener::bind("127.0.0.1:0", config).await?;
    let address = listener.local_addr()?;
    let workers = Workers::start(contender, order, address)?;
    if order.row == Row::Idle {
        return measure_memory(contender, order, &listener).await;
    }
    let mut links = Vec::new();
    for _ in 0..order.row.workers() {
        links.push(listener.accept().await?.handshake().await?);
    }
    let message = if order.row == Row::Copy { MIB } else { 8 };
    let (units, source) = channel::<Bytes>();
    for link in &links {
        link.carry_from(UNITS, source.clone())?;
    }
    drop(source);
    let under_way = links.len() * window(contender, order.row);
    send_all(&units, order.warm_up(), under_way, message).await?;
    let watch = send_all(&units, order.count, under_way, message).await?;
    let record = watch.stop(contender.name, order);
    drop(units);
    for link in links {
        link.close(Goodbye::done()).await;
    }
    workers.have_taken(order.warm_up() + order.count)?;
    Ok(record)
}

/// Hands `count` messages over, so many at a time.
async fn send_all(
    units: &Sender<Bytes>,
    count: u64,
    under_way: usize,
    length: usize,
) -> Result<Watch, Failure> {
    let next = Arc::new(AtomicU64::new(0));
    let long: Bytes = vec![1; length].into();
    let watch = Arc::new(Mutex::new(Watch::start()));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..under_way {
        let (next, watch, units, long) = (
            Arc::clone(&next),
            Arc::clone(&watch),
            units.clone(),
            long.clone(),
        );
        senders.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                let message = if length > 8 {
                    long.clone()
                } else {
                    Bytes::copy_from_slice(&number.to_be_bytes())
                };
                let begun = Instant::now();
                if let Err(error) = units.send_async(message).await {
                    return Err(error.to_string());
                }
                watch.lock().note(begun.elapsed());
            }
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    let watch = Arc::into_inner(watch).ok_or("somebody still notes times")?;
    Ok(watch.into_inner())
}

async fn measure_memory(
    contender: &Contender,
    order: &Order,
    listener: &Listener,
) -> Result<Record, Failure> {
    let count = idle_count(order);
    let mut links: Vec<Link> = Vec::with_capacity(count);
    let mut before = None;
    while links.len() < count {
        links.push(listener.accept().await?.handshake().await?);
        // What is made once is made by the first.
        if links.len() as u64 == order.warm_up() {
            before = idle::settled_bytes().await;
        }
    }
    let after = idle::settled_bytes().await;
    let counted = count - usize::try_from(order.warm_up())?;
    Ok(idle::record(contender.name, order, before, after, counted)?)
}

async fn work(
    contender: &Contender,
    order: &Order,
    address: SocketAddr,
    config: Config,
) -> Result<(), Failure> {
    if order.row == Row::Idle {
        let mut links = Vec::new();
        for _ in 0..idle_count(order) {
            links.push(net::dial(address, config.clone()).await?);
        }
        if let Some(link) = links.last() {
            link.closed().await;
        }
        return Ok(());
    }
    let link = net::dial(address, config).await?;
    let units = link.receiver(UNITS)?;
    let window = window(contender, order.row);
    // In a task, for the future that a runtime of one thread blocks on is polled after it has looked at its sockets.
    let taken = tokio::spawn(take_all(units, window, order.row)).await?;
    println!("{}", taken?);
    // A program that went without a word would be waited for.
    link.closed().await;
    Ok(())
}

async fn take_all(units: Receiver<Bytes>, window: usize, row: Row) -> Result<u64, String> {
    if window > 1 {
        units.grant(window);
    }
    let quarter = (window as u64 / 4).max(1);
    let mut taken: u64 = 0;
    while let Ok(unit) = units.recv_async().await {
        if row == Row::Copy && unit.len() != MIB {
            return Err("a message is not as long as it was".into());
        }
        taken += 1;
        // The window is kept open, a quarter of it at a time.
        if window > 1 && taken.is_multiple_of(quarter) {
            units.grant(window / 4);
        }
    }
    Ok(taken)
}
