//! A proxy between two ends of a link that can be shut in either direction, and cut.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::machines::Machine;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToListener,
    ToDialer,
}

pub struct Valve {
    pub address: SocketAddr,
    shut: [watch::Sender<bool>; 2],
    /// Rises with each cut.
    cuts: watch::Sender<usize>,
    accepting: JoinHandle<()>,
}

impl Valve {
    /// Carries connections to `target`, on the runtime of `machine`; all that passes is later by `delay`.
    pub fn to(target: SocketAddr, machine: &Machine, delay: Duration) -> Self {
        let listener = machine
            .runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let shut = [watch::Sender::new(false), watch::Sender::new(false)];
        let cuts = watch::Sender::new(0);
        let (gates, cut) = (shut.clone(), cuts.clone());
        let accepting = machine.runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(target).await else {
                    continue;
                };
                for stream in [&near, &far] {
                    stream.set_nodelay(true).unwrap();
                }
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                let [forth, back] = gates.each_ref().map(watch::Sender::subscribe);
                let delayed = |write| Delayed { write, delay };
                tokio::spawn(carry(near_read, delayed(far_write), forth, cut.subscribe()));
                tokio::spawn(carry(far_read, delayed(near_write), back, cut.subscribe()));
            }
        });
        Self {
            address,
            shut,
            cuts,
            accepting,
        }
    }

    /// Nothing more passes that way, and neither side is told.
    pub fn shut(&self, way: Way) {
        self.shut[way as usize].send_replace(true);
    }

    pub fn open(&self, way: Way) {
        self.shut[way as usize].send_replace(false);
    }

    /// All connections are reset.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Valve {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A side to which bytes come late.
struct Delayed {
    write: OwnedWriteHalf,
    delay: Duration,
}

async fn carry(
    mut from: OwnedReadHalf,
    to: Delayed,
    mut shut: watch::Receiver<bool>,
    mut cut: watch::Receiver<usize>,
) {
    let Delayed {
        write: mut to,
        delay,
    } = to;
    // What has come, and when it goes on.
    let mut late: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let passing = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if shut.wait_for(|is_shut| !is_shut).await.is_err() {
                return;
            }
            // What comes while it is shut does not pass either.
            let next = late.front().map_or_else(Instant::now, |&(at, _)| at);
            tokio::select! {
                () = sleep_until(next), if !late.is_empty() => {}
                read = from.read(&mut buffer) => match read {
                    Ok(count) if count > 0 => {
                        late.push_back((Instant::now() + delay, buffer[..count].to_vec()));
                    }
                    _ => break,
                },
                _ = shut.changed() => continue,
            }
            while let Some((_, bytes)) = late.pop_front_if(|(at, _)| *at <= Instant::now()) {
                if shut.wait_for(|is_shut| !is_shut).await.is_err()
                    || to.write_all(&bytes).await.is_err()
                {
                    return;
                }
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::select! {
        () = passing => return,
        changed = cut.changed() => if changed.is_err() { return },
    }
    for socket in [SockRef::from(to.as_ref()), SockRef::from(from.as_ref())] {
        let _ = socket.set_linger(Some(Duration::ZERO));
    }
    to.forget();
}
