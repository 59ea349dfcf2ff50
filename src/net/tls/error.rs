//! What can be wrong with certificates, this side's own and the peer's.

use std::{fmt, io, path::PathBuf, sync::Arc};

use rustls::{AlertDescription, CertificateError, Error, OtherError};

use super::PeerIdentity;
use crate::net::NetError;

/// Why a [`Tls`](super::Tls) was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsSetupError {
    /// A file cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The certificate chain is none.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
    /// The certificate has no DNS name as subject alternative name.
    #[error(
        "the certificate has no DNS name as subject alternative name, by which peers would know this side"
    )]
    NoName,
    /// The private key is none.
    #[error("the private key cannot be used: {0}")]
    Key(String),
    /// The key does not belong to the certificate.
    #[error("the private key is not that of the certificate")]
    Mismatch,
    /// The authority's certificates are none.
    #[error("the authority's certificate cannot be used: {0}")]
    Authority(String),
}

impl TlsSetupError {
    /// What `rustls` says of a certificate together with its key.
    pub(super) fn pair(error: Error) -> Self {
        match error {
            Error::InconsistentKeys(_) => Self::Mismatch,
            other => Self::Key(other.to_string()),
        }
    }
}

/// Why a TLS handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer shows no certificate.
    #[error("the peer shows no certificate: it needs one of this side's authority")]
    NoCertificate,
    /// The peer's certificate is not signed by the authority that this side trusts.
    #[error("the peer's certificate is of another authority than the one that this side trusts")]
    UnknownAuthority,
    /// The time of the peer's certificate is over.
    #[error("the peer's certificate has expired: renew it")]
    Expired,
    /// The time of the peer's certificate has not begun.
    #[error("the peer's certificate is not valid yet: compare the clocks of both machines")]
    NotYetValid,
    /// The peer's certificate has no DNS name.
    #[error("the peer's certificate has no DNS name, by which the peer would be known")]
    NoName,
    /// The peer is somebody else.
    #[error("the peer is {found:?}, and {expected:?} is expected")]
    WrongName {
        /// Who was expected.
        expected: String,
        /// Who came.
        found: String,
    },
    /// The peer speaks this protocol without TLS.
    #[error("the peer speaks plain TCP, and this port asks for TLS: give it a certificate")]
    Plain,
    /// The peer speaks TLS, and something else over it.
    #[error("the peer speaks TLS, and not the handover protocol over it")]
    OtherProtocol,
    /// The peer does not speak TLS, or closed the connection before it did.
    #[error("the peer does not speak TLS: it may be on plain TCP, or no handover at all")]
    NotTls,
    /// The peer refused this side's certificate, and said why.
    #[error("the peer refused the connection: {0}")]
    Refused(&'static str),
    /// Something else.
    #[error("TLS failed: {0}")]
    Other(String),
}

impl TlsError {
    pub(super) fn other(error: impl fmt::Display) -> Self {
        Self::Other(error.to_string())
    }

    pub(super) fn wrong_name(expected: &str, found: &PeerIdentity) -> Self {
        Self::WrongName {
            expected: expected.to_owned(),
            found: found.certificate_name().unwrap_or_default().to_owned(),
        }
    }

    /// It as an error that `rustls` carries from a verifier to [`explain`].
    pub(super) fn carried(self) -> OtherError {
        OtherError(Arc::new(self))
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::AlertReceived(alert) => Self::of_alert(*alert),
            Error::InvalidMessage(_) => Self::NotTls,
            Error::NoApplicationProtocol => Self::OtherProtocol,
            other => Self::other(other),
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            // Of an authority of the same name, the signature is what differs.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::UnknownAuthority
            }
            CertificateError::Other(carried) => match carried.0.downcast_ref::<Self>() {
                Some(error) => error.clone(),
                None => Self::other(error),
            },
            other => Self::Other(format!("the peer's certificate cannot be used: {other}")),
        }
    }

    fn of_alert(alert: AlertDescription) -> Self {
        match alert {
            AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
                Self::Refused("it asks for a certificate")
            }
            AlertDescription::CertificateExpired => Self::Refused(
                "this side's certificate has expired or is not valid yet (renew it, or compare the clocks)",
            ),
            AlertDescription::UnknownCA | AlertDescription::DecryptError => {
                Self::Refused("this side's certificate is of another authority than the peer's")
            }
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied => {
                Self::Refused("it does not accept this side's certificate")
            }
            AlertDescription::ProtocolVersion => Self::Refused("it does not speak TLS 1.3"),
            AlertDescription::NoApplicationProtocol => Self::OtherProtocol,
            other => Self::Other(format!("the peer said {other:?}")),
        }
    }
}

/// What an error of a TLS stream means.
pub(in crate::net) fn explain(error: io::Error) -> NetError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(error) => TlsError::of(error).into(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => NetError::Hangup,
        None => NetError::Io(error),
    }
}
