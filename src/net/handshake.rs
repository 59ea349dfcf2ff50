//! How a connection becomes a link.

use std::{fmt, future::Future, io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, ToSocketAddrs, lookup_host},
    time::{Instant, timeout_at},
};

use super::{
    admission::{Admission, Entrance},
    config::Config,
    end::{NetError, PlainOffLoopback},
    link::Link,
    road::{AtTheDoor, Reception},
    socket,
    tls::{PeerIdentity, Stream, Tls, TlsError, explain},
};
use crate::wire::{Code, Event, Goodbye, Link as WireLink, TOKEN_BYTES_MAX, Token, Violation};

/// Accepts connections of peers: [`Config::connections_max`] at a time, and
/// [`Config::handshakes_per_second`] in a second.
///
/// Links whose connections break go on on others that are accepted here: when the listener is dropped, its links end with
/// their connections.
pub struct Listener {
    socket: TcpListener,
    config: Arc<Config>,
    admission: Admission,
    reception: Arc<Reception>,
}

/// What a listener has to do with at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The connections that there are, those in their handshake included.
    pub connections: usize,
    /// Those of them that are in their handshake.
    pub handshakes: usize,
}

impl Listener {
    /// Listens at `address`; port 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// That of the operating system, for example if the port is in use; one of kind
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) with a [`PlainOffLoopback`] in it, if there is
    /// neither [`Config::tls`] nor [`Config::plain_off_loopback`] and an address is not loopback.
    pub async fn bind(address: impl ToSocketAddrs, config: Config) -> io::Result<Self> {
        let addresses: Vec<_> = lookup_host(address).await?.collect();
        check_plain(&addresses, &config)
            .map_err(|error| io::Error::new(io::ErrorKind::PermissionDenied, error))?;
        Ok(Self {
            socket: TcpListener::bind(addresses.as_slice()).await?,
            admission: Admission::new(&config),
            reception: Arc::default(),
            config: Arc::new(config),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// That of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// How many connections it has to do with.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (connections, handshakes) = self.admission.in_use();
        Usage {
            connections,
            handshakes,
        }
    }

    /// Waits for a connection, and until there is room for one: see [`Config::connections_max`],
    /// [`Config::handshakes_max`] and [`Config::handshakes_per_second`]. Whoever comes meanwhile waits with the
    /// operating system.
    ///
    /// Nothing has been said on the connection yet; so a peer that is slow to speak holds nobody up, if each
    /// [`Incoming`] is given a task of its own.
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
        let accept = async || self.socket.accept().await;
        let ((stream, address), entrance) = self.admission.admit(accept).await?;
        Ok(Incoming {
            stream,
            address,
            config: Arc::clone(&self.config),
            entrance,
            reception: Arc::clone(&self.reception),
        })
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("socket", &self.socket)
            .field("config", &self.config)
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}

/// A connection on which nothing has been said yet. It counts among those in their handshake.
pub struct Incoming {
    stream: TcpStream,
    address: SocketAddr,
    config: Arc<Config>,
    entrance: Entrance,
    reception: Arc<Reception>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Incoming {
    /// Where the connection comes from.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.address
    }

    /// Hears who the peer is, and answers. Takes [`Config::handshake_timeout`] at most.
    ///
    /// A peer whose connection had broken may come back to go on with a link that this listener has made. Then there is
    /// no new link: that one goes on, and this call says [`NetError::Resumed`].
    ///
    /// # Errors
    ///
    /// [`NetError`]; the peer has been told why if it speaks the protocol.
    ///
    /// # Cancel safety
    ///
    /// The connection is closed if the future is dropped.
    pub async fn handshake(self) -> Result<Link, NetError> {
        // In a box, for it is large, and the caller keeps this future.
        Box::pin(self.shake_hands()).await
    }

    async fn shake_hands(self) -> Result<Link, NetError> {
        let config = &*self.config;
        let deadline = Instant::now() + config.handshake_timeout;
        socket::prepare(&self.stream)?;
        let secured = async {
            match &config.tls {
                Some(tls) => accept_tls(self.stream, tls, config).await,
                None => Ok((Stream::Plain(self.stream), PeerIdentity::nobody())),
            }
        };
        let (stream, identity) = in_time(deadline, config, secured).await?;
        let wire = WireLink::listener(config.settings());
        // The place is the link's; the entrance is free when this returns.
        let place = Some(self.entrance.place);
        let who = (self.address, identity);
        let (wire, stream) = shake_hands(wire, stream, config, deadline).await?;
        let Some(wanted) = wire.wants() else {
            let registry = config.reconnect.then_some(self.reception.registry());
            return Ok(Link::accepted(wire, stream, who, config, place, registry));
        };
        let known = self.reception.registry().find(wanted, &who.1);
        let left = Box::new(AtTheDoor {
            wire,
            stream,
            place,
        });
        let Some(session) = known else {
            left.turn_away().await;
            return Err(NetError::UnknownSession);
        };
        if let Some(left) = session.bring(left) {
            left.turn_away().await;
        }
        Err(NetError::Resumed)
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
    // As for a listener.
    Box::pin(dial_and_shake_hands(address, config)).await
}

async fn dial_and_shake_hands(
    address: impl ToSocketAddrs,
    config: Config,
) -> Result<Link, NetError> {
    let deadline = Instant::now() + config.handshake_timeout;
    let looked_up = async { Ok(lookup_host(address).await?.collect::<Vec<_>>()) };
    let addresses = in_time(deadline, &config, looked_up).await?;
    check_plain(&addresses, &config)?;
    let (stream, who) = connect(&addresses, &config, deadline).await?;
    let wire = WireLink::dialer(config.settings());
    let (wire, stream) = shake_hands(wire, stream, &config, deadline).await?;
    Ok(Link::dialed(wire, stream, who, &config, addresses))
}

/// Connects to the first of `addresses` that answers, and knows the peer by its certificate if the link is TLS.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    config: &Config,
    deadline: Instant,
) -> Result<(Stream, (SocketAddr, PeerIdentity)), NetError> {
    let secured = async {
        let stream = TcpStream::connect(addresses).await?;
        socket::prepare(&stream)?;
        let address = stream.peer_addr()?;
        let (stream, identity) = match &config.tls {
            Some(tls) => {
                let connected = tls.connect(stream, config.expected_peer.as_deref()).await;
                connected.map_err(|error| match error {
                    // What a listener without TLS does at the first bytes.
                    NetError::Hangup => TlsError::NotTls.into(),
                    NetError::Io(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                        TlsError::NotTls.into()
                    }
                    other => other,
                })?
            }
            None => (Stream::Plain(stream), PeerIdentity::nobody()),
        };
        Ok((stream, (address, identity)))
    };
    in_time(deadline, config, secured).await
}

fn check_plain(addresses: &[SocketAddr], config: &Config) -> Result<(), PlainOffLoopback> {
    if config.tls.is_some() || config.plain_off_loopback {
        return Ok(());
    }
    PlainOffLoopback::check(addresses)
}

async fn in_time<T>(
    deadline: Instant,
    config: &Config,
    step: impl Future<Output = Result<T, NetError>>,
) -> Result<T, NetError> {
    timeout_at(deadline, step)
        .await
        .unwrap_or(Err(NetError::Timeout(config.handshake_timeout)))
}

/// The TLS handshake of a listener; a peer that begins with something else is told so, or named.
async fn accept_tls(
    stream: TcpStream,
    tls: &Tls,
    config: &Config,
) -> Result<(Stream, PeerIdentity), NetError> {
    /// The first byte of a TLS connection: a record of the handshake.
    const HANDSHAKE: u8 = 22;
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Err(NetError::Hangup);
    }
    if first == [HANDSHAKE] {
        return tls.accept(stream, config.expected_peer.as_deref()).await;
    }
    // Nothing of this side is told on a plain connection, so it asks for a token that nobody has.
    let nobody = Config {
        token: Token::new([0xff; TOKEN_BYTES_MAX]).ok(),
        ..Config::default()
    };
    let mut wire = WireLink::listener(nobody.settings());
    let mut stream = Stream::Plain(stream);
    match converse(&mut wire, &mut stream).await {
        Ok(()) | Err(NetError::Violation(Violation::Refused)) => {}
        Err(error) => return Err(error),
    }
    wire.goodbye(Goodbye::new(
        Code::Refused,
        "this port asks for TLS: join with a certificate of its authority",
    ));
    last_word(&mut wire, &mut stream).await;
    Err(TlsError::Plain.into())
}

async fn shake_hands(
    mut wire: WireLink,
    mut stream: Stream,
    config: &Config,
    deadline: Instant,
) -> Result<(WireLink, Stream), NetError> {
    let result = in_time(deadline, config, converse(&mut wire, &mut stream)).await;
    if let Err(error) = result {
        wire.goodbye(match &error {
            NetError::Violation(violation) => violation.goodbye(),
            NetError::Timeout(_) => Goodbye::new(Code::Timeout, &error.to_string()),
            _ => Goodbye::leaving(""),
        });
        last_word(&mut wire, &mut stream).await;
        return Err(error);
    }
    Ok((wire, stream))
}

impl AtTheDoor {
    /// Tells a peer that there is no session for it to go on with.
    async fn turn_away(mut self: Box<Self>) {
        self.wire.goodbye(Goodbye::unknown_session());
        last_word(&mut self.wire, &mut self.stream).await;
    }
}

/// Says what there is to say, a few hundred bytes, for which the buffer of a new socket has room; one that has not
/// is not waited for.
pub(super) async fn last_word(wire: &mut WireLink, stream: &mut Stream) {
    let _ = timeout_at(Instant::now(), stream.write(wire.output())).await;
    let _ = timeout_at(Instant::now(), stream.shutdown()).await;
}

/// What the peer said before it closed a connection that cannot be written to: with TLS 1.3, why it refuses this
/// side's certificate.
async fn why_closed(stream: &mut Stream, error: io::Error) -> NetError {
    if matches!(stream, Stream::Plain(_)) {
        return error.into();
    }
    match stream.read(&mut [0]).await.map_err(explain) {
        Err(said @ NetError::Tls(_)) => said,
        _ => error.into(),
    }
}

/// Talks until both sides know each other, or a listener knows with which session its peer wants to go on.
async fn converse(wire: &mut WireLink, stream: &mut Stream) -> Result<(), NetError> {
    loop {
        match wire.poll_event()? {
            Some(Event::Welcome | Event::Resume(_)) => return Ok(()),
            Some(Event::Goodbye(goodbye)) => return Err(NetError::Refused(goodbye)),
            Some(_) | None => {}
        }
        while !wire.output().is_empty() {
            match stream.write(wire.output()).await {
                Ok(count) => wire.wrote(count),
                Err(error) => return Err(why_closed(stream, error).await),
            }
        }
        let count = stream.read(wire.input()).await.map_err(explain)?;
        if count == 0 {
            return Err(NetError::Hangup);
        }
        wire.received(count);
    }
}
