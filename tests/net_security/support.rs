//! Authorities and the certificates that they give, and peers that speak TLS in ways of their own.
#![allow(dead_code)]

use std::{io, net::SocketAddr, sync::Arc};

use handover::net::{self, Config, Link, Listener, NetError, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::links::soon;

/// One that signs certificates.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
pub struct Certified {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        Self::named("an authority")
    }

    pub fn named(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    pub fn certify(&self, names: &[&str]) -> Certified {
        self.certify_for_years(names, 2000, 3000)
    }

    pub fn certify_for_years(&self, names: &[&str], from: i32, until: i32) -> Certified {
        self.certify_key(names, &KeyPair::generate().unwrap(), from, until)
    }

    pub fn certify_key(&self, names: &[&str], key: &KeyPair, from: i32, until: i32) -> Certified {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        Certified {
            certificate: params.signed_by(key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// What a program uses that has this certificate and trusts this authority.
    pub fn tls_of(&self, certified: &Certified) -> Tls {
        let Certified { certificate, key } = certified;
        Tls::new(certificate.as_bytes(), key.as_bytes(), self.pem.as_bytes()).unwrap()
    }

    pub fn tls(&self, name: &str) -> Tls {
        self.tls_of(&self.certify(&[name]))
    }

    pub fn config(&self, name: &str) -> Config {
        crate::links::config().tls(self.tls(name))
    }
}

/// What comes of a link between the two: for the dialer, and for the listener.
pub async fn meet(
    dialer: Config,
    accepter: Config,
) -> (Result<Link, NetError>, Result<Link, NetError>) {
    let (listener, address) = crate::links::listen(accepter).await;
    let accept = async { listener.accept().await.unwrap().handshake().await };
    soon("the handshake", async {
        tokio::join!(net::dial(address, dialer), accept)
    })
    .await
}

/// Takes in whoever comes, each in a task of its own, for as long as the test runs; keeps the links of those who
/// get through.
pub fn serve(listener: Listener) -> Arc<Listener> {
    let listener = Arc::new(listener);
    let shared = Arc::clone(&listener);
    tokio::spawn(async move {
        while let Ok(incoming) = shared.accept().await {
            tokio::spawn(async move {
                if let Ok(link) = incoming.handshake().await {
                    link.closed().await;
                }
            });
        }
    });
    listener
}

/// A TLS client that is no link: it trusts everybody, and shows `certified`, or nothing.
pub fn raw_client(certified: Option<&Certified>, protocol: &[u8]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsAll));
    let mut config = match certified {
        Some(certified) => builder
            .with_client_auth_cert(
                CertificateDer::pem_slice_iter(certified.certificate.as_bytes())
                    .map(Result::unwrap)
                    .collect(),
                PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap(),
            )
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    config
}

pub async fn raw_dial(
    address: SocketAddr,
    config: ClientConfig,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("whoever").unwrap();
    Box::pin(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

#[derive(Debug)]
struct TrustsAll;

impl ServerCertVerifier for TrustsAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
