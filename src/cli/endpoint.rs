//! The two ends of a link, as the command line names them.

use std::ffi::{OsStr, OsString};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::limits;
use super::options::SharedOptions;
use crate::net::{self, Config, Limits, Link, Token};

/// Why there is no link.
#[derive(Debug)]
pub enum ConnectError {
    /// What was asked for is wrong.
    Usage(String),
    /// It did not work.
    Failed(String),
}

/// The addresses that `addr` means.
///
/// # Errors
/// A sentence, if it means none, or one that is not loopback and `--plain-tcp` was not given.
pub fn resolve(addr: &str, shared: &SharedOptions) -> Result<Vec<SocketAddr>, String> {
    let addresses: Vec<_> = addr
        .to_socket_addrs()
        .map_err(|error| {
            format!("{addr:?} is no address: {error} (write HOST:PORT, such as 127.0.0.1:7000)")
        })?
        .collect();
    let far = addresses.iter().find(|address| !address.ip().is_loopback());
    match far {
        _ if addresses.is_empty() => Err(format!("{addr:?} means no address")),
        Some(far) if !shared.plain_tcp => Err(format!(
            "{} is not on this machine, and the link is not encrypted: whoever is on the way can read units and \
             results, and run commands on the workers. If you trust that network, add --plain-tcp (and --token)",
            far.ip()
        )),
        _ => Ok(addresses),
    }
}

/// How this side of a link presents itself, and what it accepts.
///
/// # Errors
/// A sentence, if the token cannot be one.
pub fn config(name: String, token: Option<&str>, limit: usize) -> Result<Config, String> {
    let token = token
        .map(Token::new)
        .transpose()
        .map_err(|error| format!("the token cannot be used: {error}"))?;
    // A message carries a unit or result, its line end and its meta; a job is a message too.
    let message_bytes = (limit + limits::META_BYTES).max(limits::JOB_BYTES);
    let message_bytes = u32::try_from(message_bytes).unwrap_or(u32::MAX);
    let config = Config::default()
        .name(name)
        .limits(Limits::default().with_message_bytes(message_bytes))
        .handshake_timeout(limits::HANDSHAKE_TIME)
        .close_timeout(limits::CLOSE_TIME);
    Ok(match token {
        Some(token) => config.token(token),
        None => config,
    })
}

/// Joins the one that listens at `addr`.
///
/// # Errors
/// If that is not possible.
pub async fn connect(
    addr: &str,
    shared: &SharedOptions,
    limit: usize,
    name: String,
) -> Result<Link, ConnectError> {
    let addresses = resolve(addr, shared).map_err(ConnectError::Usage)?;
    let config = config(name, shared.token.as_deref(), limit).map_err(ConnectError::Usage)?;
    let mut reason = String::new();
    for address in addresses {
        match net::dial(address, config.clone()).await {
            Ok(link) => return Ok(link),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(ConnectError::Failed(format!(
        "cannot join {addr}: {reason}"
    )))
}

/// A word of a command line from its bytes.
pub fn os_string(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

/// The bytes of a word of a command line.
pub fn bytes(word: &OsStr) -> Vec<u8> {
    word.as_bytes().to_vec()
}
