//! The bytes of a connection, plain or through TLS.
//!
//! # Invariants
//!
//! - A byte counts as written when the socket has taken it, or the whole TLS record that it is in: so what was
//!   not written cannot be read by the peer, and what was may be.
//! - At most one record is between the two.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsStream;

use crate::wire::Link;

/// The most bytes in a record of TLS.
const RECORD_BYTES_MAX: usize = 16 * 1024;

/// A connection.
#[derive(Debug)]
pub(in crate::net) enum Stream {
    Plain(TcpStream),
    /// In a box, for it is a kilobyte.
    Tls(Box<Encrypted>),
}

#[derive(Debug)]
pub(in crate::net) struct Encrypted {
    stream: TlsStream<TcpStream>,
    /// How many bytes are in a record of which the socket has not taken all.
    sealed: usize,
}

impl Stream {
    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(Encrypted { stream, sealed: 0 }))
    }

    /// Whether a read may give something, so that one that is idle needs no buffer to read into. If not, the task is
    /// woken when it may.
    pub(in crate::net) fn may_be_read(&self, context: &mut Context<'_>) -> bool {
        match self {
            Self::Plain(stream) => stream.poll_read_ready(context).is_ready(),
            // There may be something in the session, beside the socket.
            Self::Tls(_) => true,
        }
    }

    /// Writes once of what `wire` has to say; says how much. Pending if it has nothing to say, too.
    pub(in crate::net) fn poll_write_of(
        &mut self,
        context: &mut Context<'_>,
        wire: &mut Link,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => wire
                .write_with(|slices| {
                    let stream = Pin::new(stream);
                    let written = match slices {
                        [slice] => stream.poll_write(context, slice),
                        _ => stream.poll_write_vectored(context, slices),
                    };
                    let count = match &written {
                        Poll::Ready(Ok(count)) => *count,
                        _ => 0,
                    };
                    (count, written)
                })
                .unwrap_or(Poll::Pending),
            Self::Tls(encrypted) => {
                let bytes = wire.output();
                if bytes.is_empty() {
                    return Poll::Pending;
                }
                let count = ready!(encrypted.poll_write(context, bytes))?;
                wire.wrote(count);
                Poll::Ready(Ok(count))
            }
        }
    }

    /// The socket beneath.
    pub(in crate::net) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(encrypted) => encrypted.stream.get_ref().0,
        }
    }
}

impl Encrypted {
    /// Writes records, each after the one before it has left; counts those that have.
    ///
    /// `bytes` begins with what is sealed already, as it did when that was not yet written.
    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut written = 0;
        while written < bytes.len() {
            match self.poll_record(context, &bytes[written..]) {
                Poll::Ready(Ok(count)) => written += count,
                // The error comes again when what was written has been counted.
                _ if written > 0 => break,
                other => return other,
            }
        }
        Poll::Ready(Ok(written))
    }

    fn poll_record(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut stream = Pin::new(&mut self.stream);
        if self.sealed == 0 {
            let record = &bytes[..bytes.len().min(RECORD_BYTES_MAX)];
            self.sealed = ready!(stream.as_mut().poll_write(context, record))?;
        }
        debug_assert!(
            self.sealed <= bytes.len(),
            "what is sealed is offered again"
        );
        ready!(stream.poll_flush(context))?;
        Poll::Ready(Ok(std::mem::take(&mut self.sealed)))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(encrypted) => Pin::new(&mut encrypted.stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    /// What is not said to be written must be offered again.
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(encrypted) => encrypted.poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(encrypted) => Pin::new(&mut encrypted.stream).poll_flush(context),
        }
    }

    /// Says that nothing more comes; in TLS so that it is known from a connection that was cut.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(encrypted) => Pin::new(&mut encrypted.stream).poll_shutdown(context),
        }
    }
}
