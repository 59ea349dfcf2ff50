//! Who a certificate says that its holder is.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

use super::TlsError;

/// By what a peer is known, to be compared: two links with the same one lead to holders of the same certified key.
///
/// A certificate's identity is its name and its public key, so it outlives a renewal for the same key. That of a
/// peer on plain TCP is nobody's: it equals that of every other such peer, and proves nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PeerIdentity(Option<Arc<Certified>>);

struct Certified {
    /// The first DNS name, in lower case.
    name: String,
    /// The public key with its algorithm, as the certificate has it.
    public_key: Vec<u8>,
    /// The certificate, to ask it for other names.
    certificate: CertificateDer<'static>,
}

impl Certified {
    fn essence(&self) -> (&str, &[u8]) {
        (&self.name, &self.public_key)
    }
}

impl PartialEq for Certified {
    fn eq(&self, other: &Self) -> bool {
        self.essence() == other.essence()
    }
}

impl Eq for Certified {}

impl Hash for Certified {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.essence().hash(state);
    }
}

impl PeerIdentity {
    /// That of a peer on plain TCP.
    pub(in crate::net) fn nobody() -> Self {
        Self(None)
    }

    /// The name that the authority has certified; `None` on plain TCP.
    #[must_use]
    pub fn certificate_name(&self) -> Option<&str> {
        self.0.as_ref().map(|certified| certified.name.as_str())
    }

    /// Whether a certificate proves it.
    #[must_use]
    pub fn is_certified(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the certificate is for `expected`: a DNS name, an address, or the beginning of a DNS name before
    /// a `*`.
    #[must_use]
    pub fn is_for(&self, expected: &str) -> bool {
        let Some(certified) = &self.0 else {
            return false;
        };
        let Ok(certificate) = EndEntityCert::try_from(&certified.certificate) else {
            return false;
        };
        if let Some(beginning) = expected.strip_suffix('*') {
            let beginning = beginning.to_ascii_lowercase();
            return dns_names(&certificate).any(|name| name.starts_with(&beginning));
        }
        ServerName::try_from(expected).is_ok_and(|expected| {
            certificate
                .verify_is_valid_for_subject_name(&expected)
                .is_ok()
        })
    }
}

impl fmt::Debug for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.certificate_name() {
            Some(name) => write!(f, "PeerIdentity({name:?})"),
            None => f.write_str("PeerIdentity(nobody)"),
        }
    }
}

/// The identity in the first certificate of a chain.
pub(super) fn of(chain: &[CertificateDer<'_>]) -> Result<PeerIdentity, TlsError> {
    let first = chain.first().ok_or(TlsError::NoCertificate)?;
    let certificate = EndEntityCert::try_from(first).map_err(TlsError::other)?;
    let name = dns_names(&certificate).next().ok_or(TlsError::NoName)?;
    Ok(PeerIdentity(Some(Arc::new(Certified {
        name,
        public_key: certificate.subject_public_key_info().to_vec(),
        certificate: first.clone().into_owned(),
    }))))
}

/// The DNS names of a certificate, in lower case. A wildcard is no name of anybody.
fn dns_names(certificate: &EndEntityCert<'_>) -> impl Iterator<Item = String> {
    certificate
        .valid_dns_names()
        .filter(|name| !name.contains('*'))
        .map(str::to_ascii_lowercase)
}
