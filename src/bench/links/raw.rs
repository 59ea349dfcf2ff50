//! Bare sockets: blocking ones of the standard library, and those of tokio. A unit, and what confirms it, is a number of
//! 8 bytes without a frame around it.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{SocketAddr, TcpListener as BlockingListener, TcpStream as BlockingStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    contenders::{Contender, Failure, idle_count},
    idle,
    program::Workers,
    record::Record,
    row::{GRANT, MIB, Order, Row, Side},
    watch::Watch,
};
use crate::sync::Mutex;

/// The length of a unit.
const UNIT: usize = 8;

/// What a copy reads at a time.
const READ: usize = 64 * 1024;

/// Plays one side with blocking sockets.
pub(super) fn play_blocking(
    contender: &Contender,
    order: &Order,
    side: &Side,
    _: Option<&Path>,
) -> Result<Option<Record>, Failure> {
    match side {
        Side::Works(address) => {
            let mut stream = BlockingStream::connect(address)?;
            stream.set_nodelay(true)?;
            let taken = match order.row {
                Row::Copy => {
                    let taken = swallow(&mut stream)?;
                    stream.write_all(&[1])?;
                    taken
                }
                _ => echo(&mut stream)?,
            };
            println!("{taken}");
            Ok(None)
        }
        Side::Measures => {
            let listener = BlockingListener::bind("127.0.0.1:0")?;
            let workers = Workers::start(contender, order, listener.local_addr()?)?;
            let (mut stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            let record = match order.row {
                Row::Copy => copy(&mut stream, contender, order)?,
                _ => ping_pong(&mut stream, contender, order)?,
            };
            drop(stream);
            workers.have_taken(order.warm_up() + order.count)?;
            Ok(Some(record))
        }
    }
}

fn echo(stream: &mut BlockingStream) -> Result<u64, Failure> {
    let mut unit = [0; UNIT];
    let mut taken = 0;
    while stream.read_exact(&mut unit).is_ok() {
        stream.write_all(&unit)?;
        taken += 1;
    }
    Ok(taken)
}

fn swallow(stream: &mut BlockingStream) -> Result<u64, Failure> {
    let mut buffer = vec![0; READ];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(bytes / MIB as u64),
            count => bytes += count as u64,
        }
    }
}

fn ping_pong(
    stream: &mut BlockingStream,
    contender: &Contender,
    order: &Order,
) -> Result<Record, Failure> {
    let mut trip = |number: u64| -> Result<(), Failure> {
        let mut back = [0; UNIT];
        stream.write_all(&number.to_be_bytes())?;
        stream.read_exact(&mut back)?;
        if back == number.to_be_bytes() {
            Ok(())
        } else {
            Err("another number came back".into())
        }
    };
    (0..order.warm_up()).try_for_each(&mut trip)?;
    let mut watch = Watch::start();
    for number in 0..order.count {
        let begun = Instant::now();
        trip(number)?;
        watch.note(begun.elapsed());
    }
    Ok(watch.stop(contender.name, order))
}

fn copy(
    stream: &mut BlockingStream,
    contender: &Contender,
    order: &Order,
) -> Result<Record, Failure> {
    let message = vec![1; MIB];
    for _ in 0..order.warm_up() {
        stream.write_all(&message)?;
    }
    let watch = Watch::start();
    for _ in 0..order.count {
        stream.write_all(&message)?;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read_exact(&mut [0])?;
    Ok(watch.stop(contender.name, order))
}

/// Plays one side with sockets of tokio.
pub(super) fn play_on_tokio(
    contender: &Contender,
    order: &Order,
    side: &Side,
    _: Option<&Path>,
) -> Result<Option<Record>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match side {
            Side::Measures => measure(contender, order).await.map(Some),
            Side::Works(address) => {
                work(order, *address).await?;
                Ok(None)
            }
        }
    })
}

async fn measure(contender: &Contender, order: &Order) -> Result<Record, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let workers = Workers::start(contender, order, address)?;
    if order.row == Row::Idle {
        return measure_memory(contender, order, &listener).await;
    }
    let mut streams = Vec::new();
    for _ in 0..order.row.workers() {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    if order.row == Row::Copy {
        return copy_on_tokio(streams.remove(0), contender, order).await;
    }
    let (streams, _) = serve_all(streams, order.warm_up(), order.row.window()).await?;
    let (streams, watch) = serve_all(streams, order.count, order.row.window()).await?;
    let record = watch.stop(contender.name, order);
    drop(streams);
    workers.have_taken(order.warm_up() + order.count)?;
    Ok(record)
}

/// Hands `count` units out over all streams; at most `window` are under way on each.
async fn serve_all(
    streams: Vec<TcpStream>,
    count: u64,
    window: usize,
) -> Result<(Vec<TcpStream>, Watch), Failure> {
    let next = Arc::new(AtomicU64::new(0));
    let watch = Arc::new(Mutex::new(Watch::start()));
    let mut serving = tokio::task::JoinSet::new();
    for stream in streams {
        let next = Arc::clone(&next);
        let watch = Arc::clone(&watch);
        serving.spawn(serve(stream, next, count, window, watch));
    }
    let mut streams = Vec::new();
    while let Some(served) = serving.join_next().await {
        streams.push(served??);
    }
    let watch = Arc::into_inner(watch).ok_or("somebody still notes times")?;
    Ok((streams, watch.into_inner()))
}

async fn serve(
    mut stream: TcpStream,
    next: Arc<AtomicU64>,
    count: u64,
    window: usize,
    watch: Arc<Mutex<Watch>>,
) -> std::io::Result<TcpStream> {
    let mut under_way: VecDeque<Instant> = VecDeque::with_capacity(window);
    let mut output = Vec::with_capacity(window * UNIT);
    let mut input = [0; GRANT * UNIT];
    let mut filled = 0;
    loop {
        output.clear();
        while under_way.len() < window {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            output.extend_from_slice(&number.to_be_bytes());
            under_way.push_back(Instant::now());
        }
        if under_way.is_empty() {
            return Ok(stream);
        }
        stream.write_all(&output).await?;
        let read = stream.read(&mut input[filled..]).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let mut watch = watch.lock();
        for begun in under_way.drain(..filled / UNIT) {
            watch.note(begun.elapsed());
        }
        input.copy_within(filled / UNIT * UNIT..filled, 0);
        filled %= UNIT;
    }
}

async fn copy_on_tokio(
    mut stream: TcpStream,
    contender: &Contender,
    order: &Order,
) -> Result<Record, Failure> {
    let message = vec![1; MIB];
    for _ in 0..order.warm_up() {
        stream.write_all(&message).await?;
    }
    let watch = Watch::start();
    for _ in 0..order.count {
        stream.write_all(&message).await?;
    }
    stream.shutdown().await?;
    stream.read_u8().await?;
    Ok(watch.stop(contender.name, order))
}

async fn measure_memory(
    contender: &Contender,
    order: &Order,
    listener: &TcpListener,
) -> Result<Record, Failure> {
    let count = idle_count(order);
    let mut before = None;
    for number in 1..=count {
        let (mut stream, _) = listener.accept().await?;
        // As each link has a task that waits for what comes.
        tokio::spawn(async move { stream.read_u8().await });
        if number as u64 == order.warm_up() {
            before = idle::settled_bytes().await;
        }
    }
    let after = idle::settled_bytes().await;
    let counted = count - usize::try_from(order.warm_up())?;
    Ok(idle::record(contender.name, order, before, after, counted)?)
}

async fn work(order: &Order, address: SocketAddr) -> Result<(), Failure> {
    if order.row == Row::Idle {
        let mut streams = Vec::new();
        for _ in 0..idle_count(order) {
            streams.push(TcpStream::connect(address).await?);
        }
        if let Some(stream) = streams.last_mut() {
            // Its end is what is waited for.
            let _ = stream.read_u8().await;
        }
        return Ok(());
    }
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let taken = if order.row == Row::Copy {
        let mut buffer = vec![0; READ];
        let mut bytes = 0;
        loop {
            match stream.read(&mut buffer).await? {
                0 => break,
                count => bytes += count as u64,
            }
        }
        stream.write_u8(1).await?;
        bytes / MIB as u64
    } else {
        echo_on_tokio(&mut stream).await?
    };
    println!("{taken}");
    Ok(())
}

/// Confirms every unit, all that have come at once.
async fn echo_on_tokio(stream: &mut TcpStream) -> Result<u64, Failure> {
    let mut buffer = [0; GRANT * UNIT];
    let (mut filled, mut taken) = (0, 0);
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap_or(0);
        if read == 0 {
            return Ok(taken);
        }
        filled += read;
        let whole = filled / UNIT * UNIT;
        stream.write_all(&buffer[..whole]).await?;
        taken += (whole / UNIT) as u64;
        buffer.copy_within(whole..filled, 0);
        filled -= whole;
    }
}
