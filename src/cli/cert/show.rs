//! What is in a certificate.

use std::fmt::Write;
use std::net::IpAddr;

use rustls::pki_types::{CertificateDer, pem::PemObject};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

use super::options::ShowOptions;
use super::{files, moment};
use crate::cli::values;

/// What is told of a certificate.
#[derive(Debug)]
pub struct Facts {
    name: String,
    others: Vec<String>,
    issuer: String,
    not_before: i64,
    /// The end of its time, in seconds since 1970.
    pub not_after: i64,
    /// Whether it may sign others.
    pub is_authority: bool,
    /// Its public key with the algorithm.
    pub public_key: Vec<u8>,
    fingerprint: String,
}

/// Reads the certificates of a PEM file.
///
/// # Errors
/// What is wrong with it.
pub fn facts(pem: &str) -> Result<Vec<Facts>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|error| format!("it is no certificate: {error}"))?;
    if found.is_empty() && pem.contains("PRIVATE KEY-----") {
        return Err("it is a private key, and no certificate".into());
    }
    if found.is_empty() {
        return Err("there is no certificate in it".into());
    }
    found.iter().map(read).collect()
}

fn read(der: &CertificateDer<'_>) -> Result<Facts, String> {
    let (_, certificate) = X509Certificate::from_der(der)
        .map_err(|error| format!("its certificate cannot be read: {error}"))?;
    let alternatives = certificate
        .subject_alternative_name()
        .map_err(|error| format!("its certificate cannot be read: {error}"))?;
    let mut names: Vec<String> = alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(name)
        .collect();
    let name = if names.is_empty() {
        named(certificate.subject())
    } else {
        names.remove(0)
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    let hex: Vec<_> = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    Ok(Facts {
        name,
        others: names,
        issuer: named(certificate.issuer()),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        is_authority: certificate.is_ca(),
        public_key: certificate.public_key().raw.to_vec(),
        fingerprint: hex.join(":"),
    })
}

fn name(general: &GeneralName<'_>) -> Option<String> {
    match general {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or(v6).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// The common name, if there is one.
fn named(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next();
    common
        .and_then(|common| common.as_str().ok())
        .map_or_else(|| name.to_string(), ToOwned::to_owned)
}

/// Shows the certificates of a file. Gives what to print.
///
/// # Errors
/// A sentence.
pub fn show(options: &ShowOptions) -> Result<String, String> {
    let path = options.file.display();
    let facts = facts(&files::read(&options.file)?).map_err(|why| format!("{path}: {why}"))?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let shown: Vec<_> = facts.iter().map(|facts| text(facts, now)).collect();
    Ok(shown.join("\n"))
}

fn text(facts: &Facts, now: i64) -> String {
    let mut text = String::new();
    let mut line = |what: &str, is: &str| {
        // What a file says is not to move the cursor about.
        let _ = writeln!(text, "{what:<12} {}", values::printable(is));
    };
    line("name", &facts.name);
    for other in &facts.others {
        line("also for", other);
    }
    if facts.is_authority {
        line("use", "authority");
    }
    line("issuer", &facts.issuer);
    let (mut begin, mut end) = (moment(facts.not_before), moment(facts.not_after));
    if now < facts.not_before {
        begin.push_str(" (not yet)");
    }
    if now > facts.not_after {
        end.push_str(" (it has expired)");
    }
    line("not before", &begin);
    line("not after", &end);
    line("fingerprint", &format!("SHA-256 {}", facts.fingerprint));
    text
}
