//! The two ends of a link, as the command line names them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use ring::rand::{Random, SystemRandom};

use super::limits;
use super::options::{SharedOptions, TlsOptions};
use crate::net::{self, Config, Limits, Link, Peer, Tls, Token};

/// Why there is no link.
#[derive(Debug)]
pub enum ConnectError {
    /// What was asked for is wrong.
    Usage(String),
    /// It did not work.
    Failed(String),
}

/// The files of an end that speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub authority: PathBuf,
}

impl TlsFiles {
    /// The environment variables of these options.
    pub const VARIABLES: [&str; 5] = [
        "HANDOVER_TLS",
        "HANDOVER_TLS_CERTIFICATE",
        "HANDOVER_TLS_KEY",
        "HANDOVER_TLS_AUTHORITY",
        "HANDOVER_TLS_PEER",
    ];

    /// Those that the options name, if they ask for TLS.
    ///
    /// # Errors
    /// A sentence, if they ask for it and do not name all.
    pub fn of(options: &TlsOptions) -> Result<Option<Self>, String> {
        let file = |named: &Option<PathBuf>, default: &str| {
            let in_directory = || {
                options
                    .tls
                    .as_ref()
                    .map(|directory| directory.join(default))
            };
            named.clone().or_else(in_directory)
        };
        let files = (
            file(&options.tls_certificate, "peer.pem"),
            file(&options.tls_key, "peer.key"),
            file(&options.tls_authority, "authority.pem"),
        );
        match files {
            (Some(certificate), Some(key), Some(authority)) => Ok(Some(Self {
                certificate,
                key,
                authority,
            })),
            (None, None, None) if options.tls_peer.is_none() => Ok(None),
            _ => Err(
                "TLS needs a certificate, a key and an authority: give --tls DIR, as handover cert peer makes it, \
                 or --tls-certificate, --tls-key and --tls-authority"
                    .into(),
            ),
        }
    }

    fn load(&self) -> Result<Tls, String> {
        Tls::from_files(&self.certificate, &self.key, &self.authority).map_err(|error| {
            format!(
                "TLS cannot be used with {}, {} and {}: {error}",
                self.certificate.display(),
                self.key.display(),
                self.authority.display()
            )
        })
    }
}

/// The addresses that `addr` means.
///
/// # Errors
/// A sentence, if it means none, or one that is not loopback and neither TLS nor `--insecure-plain-tcp` was given.
pub fn resolve(addr: &str, shared: &SharedOptions) -> Result<Vec<SocketAddr>, String> {
    let secure = TlsFiles::of(&shared.tls)?.is_some();
    if secure && shared.insecure_plain_tcp {
        return Err(
            "a link has TLS or it is plain: leave out --insecure-plain-tcp or the options of TLS"
                .into(),
        );
    }
    let addresses: Vec<_> = addr
        .to_socket_addrs()
        .map_err(|error| {
            format!("{addr:?} is no address: {error} (write HOST:PORT, such as 127.0.0.1:7000)")
        })?
        .collect();
    let far = addresses.iter().find(|address| !address.ip().is_loopback());
    match far {
        _ if addresses.is_empty() => Err(format!("{addr:?} means no address")),
        Some(far) if !secure && !shared.insecure_plain_tcp => Err(format!(
            "{} is not on this machine, and the link is not encrypted: whoever is on the way can read and change \
             units and results, and run commands on the workers. Use TLS: --tls DIR (handover cert --help says how \
             to make one). Or, if you trust that network, add --insecure-plain-tcp (and --token)",
            far.ip()
        )),
        _ => Ok(addresses),
    }
}

/// How this side of a link presents itself, and what it accepts. Without `shared` it is on this machine alone, and
/// plain.
///
/// # Errors
/// A sentence, if the token cannot be one, or TLS cannot be used.
pub fn config(
    name: String,
    token: Option<&str>,
    limit: usize,
    shared: Option<&SharedOptions>,
) -> Result<Config, String> {
    let token = token
        .map(Token::new)
        .transpose()
        .map_err(|error| format!("the token cannot be used: {error}"))?;
    // A message carries a unit or result, its line end and its meta; a job is a message too.
    let message_bytes = (limit + limits::META_BYTES).max(limits::JOB_BYTES);
    let message_bytes = u32::try_from(message_bytes).unwrap_or(u32::MAX);
    let mut config = Config::default()
        .name(name)
        .limits(Limits::default().with_message_bytes(message_bytes))
        .handshake_timeout(limits::HANDSHAKE_TIME)
        .close_timeout(limits::CLOSE_TIME)
        .connections_max(limits::WORKERS + limits::HANDSHAKES)
        .handshakes_max(limits::HANDSHAKES)
        // Who is lost is replaced: its units go to others at once.
        .reconnect(false)
        .plain_off_loopback(shared.is_some_and(|shared| shared.insecure_plain_tcp));
    if let Some(token) = token {
        config = config.token(token);
    }
    if let Some(shared) = shared {
        if let Some(files) = TlsFiles::of(&shared.tls)? {
            config = config.tls(files.load()?);
        }
        if let Some(name) = &shared.tls.tls_peer {
            config = config.expect_peer(name);
        }
    }
    Ok(config)
}

/// Where a worker that `map` started finds what it shows to prove that.
pub const LOCAL_KEY: &str = "HANDOVER_LOCAL_KEY";

/// A key by which the workers that this program starts are known from those that only say so.
///
/// # Errors
/// If the operating system has no random numbers.
pub fn local_key() -> io::Result<String> {
    let bytes: Random<[u8; 16]> = ring::rand::generate(&SystemRandom::new())
        .map_err(|_| io::Error::other("the system has none"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes.expose())))
}

/// What a worker that `map` started, and gave `key`, calls itself: the key stands where it is not cut off.
pub fn local_name(key: &str, place: &str) -> String {
    format!("local {key} {place}")
}

/// What a worker is called, and whether it was started here, which `key` shows. Where a certificate says who it is, that
/// takes the place of the host that it names; one that was started here shows this program's certificate, and keeps its
/// own name. Nobody else is called `local`.
pub fn worker_name(peer: &Peer, key: &str) -> (String, bool) {
    name_of(&peer.own_name, peer.certificate_name.as_deref(), key)
}

fn name_of(own: &str, certificate: Option<&str>, key: &str) -> (String, bool) {
    if let Some(place) = own.strip_prefix(&local_name(key, "")) {
        return (format!("local {place}"), true);
    }
    let (kind, rest) = own.split_once(' ').unwrap_or_default();
    let name = match (certificate, rest.rsplit_once(':')) {
        (Some(name), Some((_, process))) if kind == "worker" => format!("worker {name}:{process}"),
        (Some(name), _) => name.into(),
        (None, _) if kind == "worker" => own.into(),
        (None, _) => {
            let first = own.split_whitespace().next().unwrap_or_default();
            if first.eq_ignore_ascii_case("local") {
                format!("worker {own}")
            } else {
                own.into()
            }
        }
    };
    (name, false)
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
    let config =
        config(name, shared.token.as_deref(), limit, Some(shared)).map_err(ConnectError::Usage)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_the_key_is_local() {
        let key = local_key().unwrap();
        let name = |own: &str, certificate| name_of(own, certificate, &key);
        let local = local_name(&key, "desk:12");
        for certificate in [None, Some("coordinator")] {
            assert_eq!(name(&local, certificate), ("local desk:12".into(), true));
        }
        let guessed = local_name(&local_key().unwrap(), "desk:12");
        for own in ["local desk:12", " LOCAL desk:12", "local", &guessed] {
            assert_eq!(name(own, None), (format!("worker {own}"), false));
        }
        let others = [
            ("local desk:12", Some("far"), "far"),
            ("worker desk:12", None, "worker desk:12"),
            ("worker desk:12", Some("far"), "worker far:12"),
            ("snake desk:12", None, "snake desk:12"),
            ("snake desk:12", Some("far"), "far"),
        ];
        for (own, certificate, called) in others {
            assert_eq!(name(own, certificate), (called.into(), false));
        }
    }
}
