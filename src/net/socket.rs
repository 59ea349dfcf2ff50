//! What is asked of the kernel for each connection.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// The most unsent bytes that the kernel keeps before it calls the socket full: one chunk, so that it does not
/// become the buffer that a small message waits behind.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NOT_SENT_BYTES_MAX: u32 = 64 * 1024;

/// A peer that vanished without a word is noticed after about 30 s + 3 x 10 s.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Frames are gathered into one write already; waiting for more would only delay them.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_notsent_lowat(NOT_SENT_BYTES_MAX)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE_IDLE)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_RETRIES),
    )
}

/// Makes the connection end at once when it is closed, whatever is unsent.
pub(super) fn abandon(stream: &TcpStream) {
    // Should it fail the connection ends a little later.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
