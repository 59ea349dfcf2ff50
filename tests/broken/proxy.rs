//! A proxy between two ends of a link, which breaks connections where it is told to.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What happens to a connection when so many bytes have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Both sides see a reset.
    Reset,
    /// Both sides see the end of the stream.
    End,
    /// Nothing passes any more in either direction, and neither side is told.
    Silence,
    /// Nothing passes any more in this direction, and neither side is told.
    HalfOpen,
}

/// In which direction the bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToListener,
    ToDialer,
}

/// What is to be done to one connection.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub way: Way,
    /// So many bytes pass before it.
    pub after: u64,
    pub fault: Fault,
}

/// A proxy that carries connections to one address. The first connections are broken by plan, one plan each.
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    plans: Mutex<Vec<Plan>>,
    /// What the newest connection has carried, for plans to be made from it.
    carried: [AtomicU64; 2],
    connections: AtomicUsize,
    faults: AtomicUsize,
}

impl Proxy {
    pub async fn to(target: SocketAddr, mut plans: Vec<Plan>) -> Self {
        plans.reverse();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            plans: Mutex::new(plans),
            carried: [AtomicU64::new(0), AtomicU64::new(0)],
            connections: AtomicUsize::new(0),
            faults: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((near, _)) = listener.accept().await else {
                    return;
                };
                let Ok(far) = TcpStream::connect(target).await else {
                    continue;
                };
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let plan = shared.plans.lock().unwrap().pop();
                for carried in &shared.carried {
                    carried.store(0, Ordering::SeqCst);
                }
                tokio::spawn(carry(near, far, plan, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            state,
            accepting,
        }
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many of them were broken.
    pub fn faults(&self) -> usize {
        self.state.faults.load(Ordering::SeqCst)
    }

    /// How many bytes the newest connection has carried that way.
    pub fn carried(&self, way: Way) -> u64 {
        self.state.carried[way as usize].load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(near: TcpStream, far: TcpStream, plan: Option<Plan>, state: Arc<State>) {
    for stream in [&near, &far] {
        stream.set_nodelay(true).unwrap();
    }
    let (fault, struck) = watch::channel(None);
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let forth = Half {
        way: Way::ToListener,
        plan,
        fault: fault.clone(),
        struck: struck.clone(),
        state: Arc::clone(&state),
    };
    let back = Half {
        way: Way::ToDialer,
        plan,
        fault,
        struck,
        state,
    };
    tokio::join!(
        forth.run(near_read, far_write),
        back.run(far_read, near_write)
    );
}

struct Half {
    way: Way,
    plan: Option<Plan>,
    fault: watch::Sender<Option<Fault>>,
    struck: watch::Receiver<Option<Fault>>,
    state: Arc<State>,
}

impl Half {
    async fn run(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut left = self
            .plan
            .filter(|plan| plan.way == self.way)
            .map_or(u64::MAX, |plan| plan.after);
        let is_planned = self.plan.is_some_and(|plan| plan.way == self.way);
        // One direction that goes silent leaves the other as it is.
        let concerns =
            |fault: &Option<Fault>| fault.is_some_and(|it| it != Fault::HalfOpen || is_planned);
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if left == 0 {
                self.strike();
            }
            let read = tokio::select! {
                biased;
                _ = self.struck.wait_for(concerns) => break,
                read = from.read(&mut buffer) => read,
            };
            let Some(count) = read.ok().filter(|count| *count > 0) else {
                // The other side has closed it, or it was reset.
                let _ = to.shutdown().await;
                return;
            };
            let pass = left.min(count as u64);
            left -= pass;
            let pass = usize::try_from(pass).unwrap();
            if to.write_all(&buffer[..pass]).await.is_err() {
                return;
            }
            self.state.carried[self.way as usize].fetch_add(pass as u64, Ordering::SeqCst);
        }
        let fault = *self.struck.borrow();
        match fault {
            Some(Fault::Reset) => {
                // The sockets go when the other direction has come here too.
                for socket in [SockRef::from(to.as_ref()), SockRef::from(from.as_ref())] {
                    let _ = socket.set_linger(Some(Duration::ZERO));
                }
                to.forget();
            }
            Some(Fault::End) => drop(to.shutdown().await),
            Some(Fault::Silence | Fault::HalfOpen) => {
                // Held, so that neither side sees an end.
                swallow(from).await;
            }
            None => unreachable!("only a fault ends the loop"),
        }
    }

    fn strike(&self) {
        if let Some(plan) = self.plan {
            self.state.faults.fetch_add(1, Ordering::SeqCst);
            self.fault.send_replace(Some(plan.fault));
        }
    }
}

/// Reads on, and passes nothing on, until the connection is closed.
async fn swallow(mut from: OwnedReadHalf) {
    let mut buffer = vec![0; 16 * 1024];
    while from.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}
