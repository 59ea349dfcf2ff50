//! TLS beneath a link: both sides show a certificate of the authority that the other trusts, or there is no link.
//!
//! TLS 1.3 only, by `rustls`. Sessions are never resumed, so each connection shows its certificates anew and a
//! listener keeps nothing of a peer that has gone.

mod error;
mod identity;
mod stream;
mod verify;

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

pub(super) use error::explain;
pub use error::{TlsError, TlsSetupError};
pub use identity::PeerIdentity;
pub(super) use stream::Stream;

/// So that a certificate of the same authority that serves something else cannot be led here, nor ours there.
const PROTOCOL: &[u8] = b"handover";

/// The certificate and key by which a program is known to its peers, and the authority by which it knows them.
///
/// Both sides of a link need one: a listener asks every peer for a certificate, and a dialer asks the listener.
/// `handover cert` makes such files, and any other authority's do as well: the certificate needs a DNS name as
/// subject alternative name, of which the first is the peer's name.
///
/// ```no_run
/// use handover::net::{Config, Tls};
///
/// let tls = Tls::from_files("press-4/peer.pem", "press-4/peer.key", "press-4/authority.pem")?;
/// let config = Config::default().tls(tls).expect_peer("coordinator");
/// # Ok::<(), handover::net::TlsSetupError>(())
/// ```
///
/// Clones share everything. Its `Debug` shows the name alone.
#[derive(Clone)]
pub struct Tls(Arc<Parts>);

struct Parts {
    authority: Arc<RootCertStore>,
    server: Arc<ServerConfig>,
    /// Without a verifier's expectation, which differs from link to link.
    client: ClientConfig,
    identity: PeerIdentity,
}

impl Tls {
    /// From PEM: this side's certificate with the intermediate ones that lead to its authority, its private key
    /// (PKCS #8, PKCS #1 or SEC1), and the certificates of the authorities whose peers are admitted.
    ///
    /// # Errors
    ///
    /// [`TlsSetupError`], which says which of the three is wrong, and how.
    pub fn new(
        certificate_chain_pem: &[u8],
        key_pem: &[u8],
        authority_pem: &[u8],
    ) -> Result<Self, TlsSetupError> {
        let chain = certificates(certificate_chain_pem).map_err(TlsSetupError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem)
            .map_err(|error| TlsSetupError::Key(error.to_string()))?;
        let mut authority = RootCertStore::empty();
        for certificate in certificates(authority_pem).map_err(TlsSetupError::Authority)? {
            authority
                .add(certificate)
                .map_err(|error| TlsSetupError::Authority(error.to_string()))?;
        }
        let identity = identity::of(&chain).map_err(|error| match error {
            TlsError::NoName => TlsSetupError::NoName,
            other => TlsSetupError::Certificate(other.to_string()),
        })?;
        let authority = Arc::new(authority);
        let server = server_config(&authority, chain.clone(), key.clone_key())?;
        let client = client_config(&authority, chain, key)?;
        Ok(Self(Arc::new(Parts {
            authority,
            server: Arc::new(server),
            client,
            identity,
        })))
    }

    /// The same from files. They are read once.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if a file cannot be read.
    pub fn from_files(
        certificate_chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
        authority: impl AsRef<Path>,
    ) -> Result<Self, TlsSetupError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| TlsSetupError::Unreadable {
                path: path.into(),
                error,
            })
        };
        Self::new(
            &read(certificate_chain.as_ref())?,
            &read(key.as_ref())?,
            &read(authority.as_ref())?,
        )
    }

    /// What peers know this side by.
    #[must_use]
    pub fn identity(&self) -> &PeerIdentity {
        &self.0.identity
    }

    /// Goes through the TLS handshake as the side that was connected to.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
        expected: Option<&str>,
    ) -> Result<(Stream, PeerIdentity), super::NetError> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.0.server));
        // In a box: it has the whole connection in it, and so would all futures that wait for it.
        let accepted = Box::pin(acceptor.accept(stream));
        let stream = accepted.await.map_err(explain)?;
        let (stream, identity) = admitted(stream.into())?;
        // The peer's HELLO has been asked for and nothing said yet; a dialer checks in the handshake already.
        if let Some(expected) = expected.filter(|expected| !identity.is_for(expected)) {
            return Err(TlsError::wrong_name(expected, &identity).into());
        }
        Ok((stream, identity))
    }

    /// Goes through the TLS handshake as the side that connected.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        expected: Option<&str>,
    ) -> Result<(Stream, PeerIdentity), super::NetError> {
        let mut config = self.0.client.clone();
        let authority = Arc::clone(&self.0.authority);
        config
            .dangerous()
            .set_certificate_verifier(verify::listener(authority, expected));
        // It is neither sent nor checked: who the listener is was said by `expected`.
        let nobody = ServerName::try_from("handover.invalid").map_err(TlsError::other)?;
        let connector = TlsConnector::from(Arc::new(config));
        let connected = Box::pin(connector.connect(nobody, stream));
        let stream = connected.await.map_err(explain)?;
        admitted(stream.into())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.identity).finish()
    }
}

/// Who is at the other end of a stream whose certificates were verified.
fn admitted(stream: TlsStream<TcpStream>) -> Result<(Stream, PeerIdentity), super::NetError> {
    let (_, session) = stream.get_ref();
    if session.alpn_protocol() != Some(PROTOCOL) {
        return Err(TlsError::OtherProtocol.into());
    }
    let chain = session.peer_certificates().unwrap_or_default();
    let identity = identity::of(chain)?;
    Ok((Stream::tls(stream), identity))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in it".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}

/// Never the process's default provider, which another part of the program may choose.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn server_config(
    authority: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsSetupError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(authority), provider())
        .build()
        .map_err(|error| TlsSetupError::Authority(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsSetupError::pair)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(TlsSetupError::pair)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client_config(
    authority: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, TlsSetupError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsSetupError::pair)?
        .dangerous()
        .with_custom_certificate_verifier(verify::listener(Arc::clone(authority), None))
        .with_client_auth_cert(chain, key)
        .map_err(TlsSetupError::pair)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}
