//! A page in the browser that shows a network while it runs, and the same as JSON, text, a drawing and metrics.
//!
//! It is meant for the person who runs the program, on the same machine. So it listens on loopback addresses only,
//! unless it is told otherwise; it answers only what is asked under the name of such an address, so that no page of
//! somebody else's can read it through the person's own browser (DNS rebinding); and there is nothing that could be
//! changed through it.
//!
//! # What it may cost
//!
//! A thread that sleeps until it is asked. Looking locks each channel for a moment; clients, however many and however
//! eager, get one look together, which is not repeated before [`source::FRESH_MIN`] and ten times as long as it took.
//! There are at most [`server::CONNECTIONS_MAX`] connections, each with one request of at most
//! [`server::REQUEST_MAX`] bytes and a few seconds, and no queue: while all are in use nobody is let in.

mod hosts;
mod routes;
mod server;
mod source;

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    thread::JoinHandle,
};

use tokio::sync::oneshot;

use super::{network::Network, snapshot::Observer};
use hosts::Hosts;
use source::Source;

impl Network {
    /// Shows this network in the browser, at the address that is returned with the [`ObserverServer`]; port 0 takes
    /// one that is free (feature `observe`).
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// let net = handover::process::Network::new("pipeline");
    /// let observer = net.serve_observer("127.0.0.1:7070")?;
    /// eprintln!("the network can be seen at {observer}");
    /// # Ok(()) }
    /// ```
    ///
    /// It has a thread of its own, and goes on after the run has ended, so that a deadlock can still be seen, until
    /// what is returned is dropped. Does not block, but for the look-up of a host's name.
    ///
    /// # Errors
    ///
    /// If the address is not loopback, so that others could reach it: then call
    /// [`serve_observer_openly`](Self::serve_observer_openly). If the address cannot be had, or no thread.
    pub fn serve_observer(&self, address: impl ToSocketAddrs) -> io::Result<ObserverServer> {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        if let Some(open) = addresses.iter().find(|a| !hosts::is_loopback(a.ip())) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "an observer at {open} could be reached from other machines, without a password and without \
                     encryption: give it a loopback address such as 127.0.0.1:{port}, or, in a network that you \
                     trust, call `serve_observer_openly`",
                    port = open.port()
                ),
            ));
        }
        ObserverServer::start(self.observe(), &addresses, Hosts::Loopback)
    }

    /// As [`serve_observer`](Self::serve_observer), at any address: whoever can reach it can read the names of the
    /// processes and channels, and the source lines where they wait, for there is neither a password nor encryption.
    ///
    /// It answers only what is asked under an address in figures, or `localhost`: by a name it could be reached through
    /// the browser of somebody who looks at somebody else's page.
    ///
    /// # Errors
    ///
    /// If the address cannot be had, or no thread.
    pub fn serve_observer_openly(&self, address: impl ToSocketAddrs) -> io::Result<ObserverServer> {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        ObserverServer::start(self.observe(), &addresses, Hosts::AnyAddress)
    }
}

/// Serves the view of a network, until it is dropped; made by [`Network::serve_observer`]. It prints as the address to
/// open in a browser.
///
/// | path | what is there |
/// |---|---|
/// | `/` | the page |
/// | `/snapshot.json` | the [`Snapshot`](super::Snapshot) |
/// | `/snapshot.txt` | the same as text |
/// | `/graph.dot` | the same for Graphviz |
/// | `/deadlock.json`, `/deadlock.txt` | the [`Deadlock`](super::Deadlock): `null`, or nothing, if there is none |
/// | `/metrics` | metrics in the text format of Prometheus |
#[must_use = "it serves until it is dropped"]
pub struct ObserverServer {
    address: SocketAddr,
    /// Ends the thread when it is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ObserverServer {
    fn start(observer: Observer, addresses: &[SocketAddr], hosts: Hosts) -> io::Result<Self> {
        let listener = TcpListener::bind(addresses)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = crate::channel::channel::<io::Result<()>>();
        let source = Source::new(observer);
        let thread = std::thread::Builder::new()
            .name("handover-observe".to_owned())
            .spawn(move || server::run(listener, source, hosts, stopped, &tell))?;
        match told.recv() {
            Ok(began) => began?,
            Err(_) => return Err(io::Error::other("the observer's thread has ended at once")),
        }
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The address that it listens at.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ObserverServer {
    /// Waits until its thread has ended, which takes no longer than a look at the network.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic was printed; there is nobody to tell but the person who looks.
            let _ = thread.join();
        }
    }
}

impl fmt::Display for ObserverServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}/", self.address)
    }
}

impl fmt::Debug for ObserverServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserverServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
