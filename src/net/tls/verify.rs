//! How a dialer knows a listener: by the authority, and by a name only where one is expected.
//!
//! `rustls` verifies a server by authority and name together, as the web needs it, where the name is that of the
//! address. Here an address is no identity: a job moves from machine to machine. So the two steps that `rustls`
//! makes of it are called one by one, and the second one only if there is a name to ask for.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::{TlsError, identity, provider};

/// A verifier of listeners; of those named `expected` only, if that is given.
pub(super) fn listener(
    authority: Arc<RootCertStore>,
    expected: Option<&str>,
) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Verifier {
        authority,
        expected: expected.map(ToOwned::to_owned),
        algorithms: provider().signature_verification_algorithms,
    })
}

#[derive(Debug)]
struct Verifier {
    authority: Arc<RootCertStore>,
    expected: Option<String>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.authority,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        let refuse =
            |error| Error::InvalidCertificate(CertificateError::Other(TlsError::carried(error)));
        let identity = identity::of(std::slice::from_ref(end_entity)).map_err(refuse)?;
        match &self.expected {
            Some(expected) if !identity.is_for(expected) => {
                Err(refuse(TlsError::wrong_name(expected, &identity)))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
