//! Channels over TCP and TLS: `wire` says what is right, and this drives it with sockets.
//!
//! A remote channel is a channel. [`Link::sender`] and [`Link::receiver`] give ordinary local ends whose other
//! end is the link, so `sender.send_async(message).await` on one machine completes exactly when a process on
//! the other has taken the message. Nothing is kept in between: a message leaves the sender's hand only when
//! the far receiver waits, and crosses within what that receiver granted.
//!
//! ```
//! use bytes::Bytes;
//! use handover::net::{self, Config, Listener};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let listener = Listener::bind("127.0.0.1:0", Config::default()).await?;
//! let address = listener.local_addr()?;
//! let worker = tokio::spawn(async move {
//!     let link = net::dial(address, Config::default()).await?;
//!     let units = link.receiver("units")?;
//!     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(units.recv_async().await?)
//! });
//! let link = listener.accept().await?.handshake().await?;
//! let units = link.sender("units")?;
//! units.send_async(Bytes::from("sweep the yard")).await?; // the worker has it
//! assert_eq!(worker.await??, "sweep the yard");
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! # Who is at the other end
//!
//! With [`Config::tls`] both sides show a certificate of an authority that the other trusts, and a peer is who its
//! certificate says it is. Without it a link is plain TCP, on which a peer is whoever it says it is: that is for
//! peers on one machine, and anywhere else only if [`Config::plain_off_loopback`] says so. [`Access`] says which
//! peers may use which channels. A listener takes in only so many peers at a time, and so fast; others wait.
//!
//! # When a connection breaks
//!
//! That is not an error yet. A link is a *session*, which goes on on another connection: the dialer makes it, again and
//! again with longer pauses, until the [lease](Config::lease) is over in which nothing was heard of the peer. What had not
//! arrived is sent again, what had is not, and each outcome is told. While the peer is silent for more than half the lease
//! none of its messages is taken, for soon it may give up. [`Config::reconnect`] turns this off.
//!
//! The next connection comes by way of the [`Listener`]: it must be there, and accept. Where it was dropped, its links end
//! with their connections. A peer of such a link, or of a process that has ended, cannot know that it waits in vain, and
//! does so for its lease; unless another listens at that address, who does not know the session, and says so at once.
//!
//! # When a link ends
//!
//! However it ends, every local end that it held is dropped, so that local peers see it as disconnected, and
//! each message under way is accounted for:
//!
//! - one whose last byte the socket had not taken, or that the peer said goodbye without taking, fails with
//!   [`SendError::Returned`](crate::channel::SendError::Returned);
//! - one that had left in whole, with nothing heard of it, fails with
//!   [`SendError::InDoubt`](crate::channel::SendError::InDoubt);
//! - one that was arriving, or had arrived and nobody took, is thrown away: its sender knows.
//!
//! # A receive that is given up
//!
//! When a local receiver waits, the link grants one message. If that receive is then dropped, the grant stands, and at
//! most that one message may cross. Nobody waits for it, so it is *declined*: its sender waits on as if it had never
//! crossed, and an alternation that sent it looks at all its guards again. Nothing waits in a link for somebody to come.
//!
//! # Credit
//!
//! What a receiver [grants](crate::channel::Receiver::grant), its link grants the peer, up to 64 messages at a time. So
//! many sends complete when the message is within the grant, as inside one process, and none of them waits for the round
//! trip of the one before. A credit that is [revoked](crate::channel::Receiver::revoke) stands with the peer: what comes
//! for it is declined. Without a grant nothing is ahead of the take.

mod access;
mod admission;
mod asking;
mod config;
mod core;
mod driver;
mod end;
mod ends;
mod gone;
mod handshake;
mod hub;
mod identity;
mod link;
mod message;
mod node;
mod port;
mod pump;
mod pumping;
mod road;
mod shared;
mod socket;
mod tls;
mod waits;
mod wakes;

pub use access::{Access, Direction};
pub use config::Config;
pub use end::{LinkEnd, NetError, PlainOffLoopback};
pub use handshake::{Incoming, Listener, Usage, dial};
pub use hub::Hub;
pub use link::{Link, Peer};
pub use message::{CodecError, Message};
pub use node::{Node, NodeSeen, NodeSnapshot, System, look};
pub use tls::{PeerIdentity, Tls, TlsError, TlsSetupError};

pub use crate::wire::{Code, Counters, Goodbye, Limits, Token, TokenTooLong, Violation};
