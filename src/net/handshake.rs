//! How a connection becomes a link.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    time::timeout,
};

use super::{config::Config, end::NetError, link::Link, socket};
use crate::wire::{Code, Event, Goodbye, Link as WireLink};

/// Accepts connections of peers.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    config: Config,
}

impl Listener {
    /// Listens at `address`; port 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// That of the operating system, for example if the port is in use.
    pub async fn bind(address: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            config,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// That of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits for a connection. Nothing has been said on it yet; so a peer that is slow to speak holds nobody
    /// up, if each [`Incoming`] is given a task of its own.
    ///
    /// # Errors
    ///
    /// That of the operating system, for example if the process has too many files open; the listener is
    /// still good.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost if the future is dropped.
    pub async fn accept(&self) -> io::Result<Incoming> {
        let (stream, address) = self.listener.accept().await?;
        Ok(Incoming {
            stream,
            address,
            config: self.config.clone(),
        })
    }
}

/// A connection on which nothing has been said yet.
#[derive(Debug)]
pub struct Incoming {
    stream: TcpStream,
    address: SocketAddr,
    config: Config,
}

impl Incoming {
    /// Where the connection comes from.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.address
    }

    /// Hears who the peer is, and answers. Takes [`Config::handshake_timeout`] at most.
    ///
    /// # Errors
    ///
    /// [`NetError`]; the peer has been told why if it speaks the protocol.
    ///
    /// # Cancel safety
    ///
    /// The connection is closed if the future is dropped.
    pub async fn handshake(self) -> Result<Link, NetError> {
        let wire = WireLink::listener(self.config.settings());
        shake_hands(
            wire,
            self.stream,
            self.address,
            &self.config,
            self.config.handshake_timeout,
        )
        .await
    }
}

/// Makes a link to the listener at `address`. Takes [`Config::handshake_timeout`] at most.
///
/// # Errors
///
/// [`NetError`].
///
/// # Cancel safety
///
/// The connection is closed if the future is dropped.
pub async fn dial(address: impl ToSocketAddrs, config: Config) -> Result<Link, NetError> {
    let started = tokio::time::Instant::now();
    let stream = timeout(config.handshake_timeout, TcpStream::connect(address))
        .await
        .map_err(|_| NetError::Timeout(config.handshake_timeout))??;
    let address = stream.peer_addr()?;
    let left = config.handshake_timeout.saturating_sub(started.elapsed());
    let wire = WireLink::dialer(config.settings());
    shake_hands(wire, stream, address, &config, left).await
}

async fn shake_hands(
    mut wire: WireLink,
    mut stream: TcpStream,
    address: SocketAddr,
    config: &Config,
    time: Duration,
) -> Result<Link, NetError> {
    socket::prepare(&stream)?;
    let result = timeout(time, converse(&mut wire, &mut stream))
        .await
        .unwrap_or(Err(NetError::Timeout(config.handshake_timeout)));
    if let Err(error) = result {
        wire.goodbye(match &error {
            NetError::Violation(violation) => violation.goodbye(),
            NetError::UnknownSession => Goodbye::unknown_session(),
            NetError::Timeout(_) => Goodbye::new(Code::Timeout, &error.to_string()),
            _ => Goodbye::leaving(""),
        });
        // A few hundred bytes, for which the buffer of a new socket has room; one that has not is not waited
        // for.
        let _ = stream.try_write(wire.output());
        return Err(error);
    }
    Ok(Link::start(wire, stream, address, config))
}

/// Talks until both sides know each other.
async fn converse(wire: &mut WireLink, stream: &mut TcpStream) -> Result<(), NetError> {
    loop {
        match wire.poll_event()? {
            Some(Event::Welcome) => return Ok(()),
            Some(Event::Resume(_)) => return Err(NetError::UnknownSession),
            Some(Event::Goodbye(goodbye)) => return Err(NetError::Refused(goodbye)),
            Some(_) | None => {}
        }
        while !wire.output().is_empty() {
            let count = stream.write(wire.output()).await?;
            wire.wrote(count);
        }
        let count = stream.read(wire.input()).await?;
        if count == 0 {
            return Err(NetError::Hangup);
        }
        wire.received(count);
    }
}
