//! Machines, as far as a test can have them: each with a runtime, a network and a node of its own.

use std::{
    net::SocketAddr,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use handover::{
    net::{self, Config, Link, Listener, Node},
    process::{Deadlock, Network, Observer, RunError},
};
use tokio::runtime::{Builder, Runtime};

use super::valve::Valve;

/// The longest that anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Machine {
    pub name: &'static str,
    /// Its one thread drives links, whoever blocks.
    pub runtime: Runtime,
    pub network: Option<Network>,
    pub node: Node,
    pub observer: Observer,
}

impl Machine {
    pub fn new(name: &'static str) -> Self {
        let network = Network::new(name);
        Self {
            name,
            runtime: Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
            node: Node::new(name, &network),
            observer: network.observe(),
            network: Some(network),
        }
    }

    pub fn network(&mut self) -> &mut Network {
        self.network.as_mut().unwrap()
    }

    /// Runs its network on a thread of its own.
    pub fn start(&mut self) -> Running {
        let network = self.network.take().unwrap();
        let (tell, ended) = mpsc::channel();
        let thread = thread::spawn(move || {
            let _ = tell.send((network.run(), Instant::now()));
        });
        Running { ended, thread }
    }

    pub fn config(&self) -> Config {
        Config::default()
            .name(self.name)
            .close_timeout(Duration::from_secs(2))
    }

    /// A link that this machine accepts, and the address to dial it at.
    pub fn listen(&self) -> (SocketAddr, Accepting) {
        let listener = self
            .runtime
            .block_on(Listener::bind("127.0.0.1:0", self.config()))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = self.runtime.spawn(async move {
            let link = listener.accept().await.unwrap().handshake().await.unwrap();
            // The session may go on on another connection.
            tokio::spawn(async move {
                while let Ok(incoming) = listener.accept().await {
                    let _ = incoming.handshake().await;
                }
            });
            link
        });
        (address, accepting)
    }

    pub fn dial(&self, address: SocketAddr) -> Link {
        self.runtime
            .block_on(net::dial(address, self.config()))
            .unwrap()
    }

    pub fn accept(&self, accepting: Accepting) -> Link {
        self.runtime.block_on(accepting).unwrap()
    }
}

pub type Accepting = tokio::task::JoinHandle<Link>;

pub struct Running {
    ended: mpsc::Receiver<(Result<(), RunError>, Instant)>,
    thread: thread::JoinHandle<()>,
}

impl Running {
    pub fn end(self) -> Result<(), RunError> {
        self.end_at().0
    }

    pub fn end_at(self) -> (Result<(), RunError>, Instant) {
        self.ended.recv_timeout(PATIENCE).expect("it ends in time")
    }

    /// The deadlock that has ended it, and when.
    pub fn deadlock(self) -> (Deadlock, Instant) {
        match self.end_at() {
            (Err(RunError::Deadlock(deadlock)), at) => (*deadlock, at),
            (other, _) => panic!("no deadlock, but {other:?}"),
        }
    }

    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Links two machines, and has both nodes join. The first one dials.
pub fn link(dialer: &Machine, listener: &Machine) -> (Link, Link) {
    let (address, accepting) = listener.listen();
    let dialed = dialer.dial(address);
    let accepted = listener.accept(accepting);
    dialer.node.join(&dialed).unwrap();
    listener.node.join(&accepted).unwrap();
    (dialed, accepted)
}

/// The same, through a valve.
pub fn link_through(dialer: &Machine, listener: &Machine) -> (Link, Link, Valve) {
    let (dialed, accepted, valve) = link_apart(dialer, listener);
    dialer.node.join(&dialed).unwrap();
    listener.node.join(&accepted).unwrap();
    (dialed, accepted, valve)
}

/// The same, and no node joins.
pub fn link_apart(dialer: &Machine, listener: &Machine) -> (Link, Link, Valve) {
    link_far(dialer, listener, Duration::ZERO)
}

/// The same, with a way of `delay` in each direction.
pub fn link_far(dialer: &Machine, listener: &Machine, delay: Duration) -> (Link, Link, Valve) {
    let (address, accepting) = listener.listen();
    let valve = Valve::to(address, listener, delay);
    let dialed = dialer.dial(valve.address);
    let accepted = listener.accept(accepting);
    (dialed, accepted, valve)
}

/// Waits until something is so.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
