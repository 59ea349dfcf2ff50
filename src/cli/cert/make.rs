//! Makes an authority, and certificates for its peers.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use rustls::pki_types::ServerName;
use time::{Duration, OffsetDateTime};

use super::files::{self, AUTHORITY, AUTHORITY_KEY, New, PEER, PEER_KEY, Readers};
use super::options::{AuthorityOptions, PeerOptions};
use super::{day, show};
use crate::cli::command;

/// How much earlier than now a certificate begins: clocks differ.
const CLOCKS_DIFFER: Duration = Duration::minutes(5);

/// The longest common name that X.509 allows.
const COMMON_NAME_MAX: usize = 64;

fn failed(error: impl std::fmt::Display) -> String {
    format!("the certificate cannot be made: {error}")
}

/// Makes an authority. Gives what to print.
///
/// # Errors
/// A sentence.
pub fn authority(options: &AuthorityOptions) -> Result<String, String> {
    let AuthorityOptions {
        directory,
        name,
        days,
        force,
    } = options;
    if name.is_empty()
        || name.chars().count() > COMMON_NAME_MAX
        || name.chars().any(char::is_control)
    {
        return Err(format!(
            "an authority's name has 1 to {COMMON_NAME_MAX} printable characters"
        ));
    }
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    // It signs peers, and no further authorities.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCKS_DIFFER;
    params.not_after = now + Duration::days(i64::from(*days));
    let certificate = params.self_signed(&key).map_err(failed)?;
    let made = [
        New {
            name: AUTHORITY_KEY,
            text: &key.serialize_pem(),
            readers: Readers::Owner,
        },
        New {
            name: AUTHORITY,
            text: &certificate.pem(),
            readers: Readers::All,
        },
    ];
    files::write_all(directory, &made, *force)?;
    let word = word(directory);
    Ok(format!(
        "made the authority {name:?}, good until {}:\n\
         \x20 {}: its certificate, by which peers know each other\n\
         \x20 {}: its key; whoever has it can be any peer, so keep it from all of them\n\
         next, once for each peer:\n\
         \x20 handover cert peer NAME --authority {word}\n",
        day(params.not_after),
        directory.join(AUTHORITY).display(),
        directory.join(AUTHORITY_KEY).display(),
    ))
}

/// Makes a certificate and key for a peer. Gives what to print.
///
/// # Errors
/// A sentence.
pub fn peer(options: &PeerOptions) -> Result<String, String> {
    let name = peer_name(&options.name)?;
    let mut names = vec![name.to_owned()];
    for address in &options.addresses {
        ServerName::try_from(address.as_str()).map_err(|_| {
            format!("{address:?} is no address: write a host name or an IP address")
        })?;
        names.push(address.clone());
    }
    let authority = Authority::load(&options.authority)?;
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name = if name.len() <= COMMON_NAME_MAX {
        common_name(name)
    } else {
        DistinguishedName::new()
    };
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc();
    if authority.not_after <= now {
        return Err(format!(
            "the authority in {} was good until {}: make a new one, with handover cert authority",
            options.authority.display(),
            day(authority.not_after)
        ));
    }
    params.not_before = now - CLOCKS_DIFFER;
    // No longer than its authority.
    params.not_after = (now + Duration::days(i64::from(options.days))).min(authority.not_after);
    let issuer = Issuer::from_ca_cert_pem(&authority.pem, authority.key).map_err(failed)?;
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    let directory = options.out.clone().unwrap_or_else(|| PathBuf::from(name));
    let made = [
        New {
            name: PEER_KEY,
            text: &key.serialize_pem(),
            readers: Readers::Owner,
        },
        New {
            name: PEER,
            text: &certificate.pem(),
            readers: Readers::All,
        },
        New {
            name: AUTHORITY,
            text: &authority.pem,
            readers: Readers::All,
        },
    ];
    files::write_all(&directory, &made, options.force)?;
    let word = word(&directory);
    Ok(format!(
        "made the certificate of {name}, good until {}:\n\
         \x20 {}: its certificate\n\
         \x20 {}: its key, which nobody but {name} should have\n\
         \x20 {}: the authority's certificate, by which it knows others\n\
         next, where {name} runs, one of:\n\
         \x20 handover map --listen ADDR --tls {word} -- CMD\n\
         \x20 handover work --connect ADDR --tls {word}\n",
        day(params.not_after),
        directory.join(PEER).display(),
        directory.join(PEER_KEY).display(),
        directory.join(AUTHORITY).display(),
    ))
}

/// A path as one would type it in a shell.
fn word(path: &Path) -> String {
    String::from_utf8_lossy(&command::quoted(&[path.as_os_str().to_owned()])).into_owned()
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Checks that a peer can be known by this name.
fn peer_name(name: &str) -> Result<&str, String> {
    let is_dns = matches!(ServerName::try_from(name), Ok(ServerName::DnsName(_)));
    // The directory of that name, too, is to be one.
    if is_dns && !name.starts_with('.') && !name.chars().any(|letter| letter.is_ascii_uppercase()) {
        return Ok(name);
    }
    Err(format!(
        "{name:?} is no name for a peer: it is a DNS name in lower case, of letters, digits, '-' and '.'"
    ))
}

/// An authority, with its key.
struct Authority {
    pem: String,
    key: KeyPair,
    not_after: OffsetDateTime,
}

impl Authority {
    fn load(directory: &Path) -> Result<Self, String> {
        let (path, key_path) = (directory.join(AUTHORITY), directory.join(AUTHORITY_KEY));
        if !path.exists() {
            return Err(format!(
                "there is no authority in {}: make one, with handover cert authority {}",
                directory.display(),
                word(directory)
            ));
        }
        let pem = files::read(&path)?;
        let key = KeyPair::from_pem(&files::read(&key_path)?)
            .map_err(|error| format!("{} is no key: {error}", key_path.display()))?;
        let facts = show::facts(&pem).map_err(|why| format!("{}: {why}", path.display()))?;
        let facts = facts
            .first()
            .ok_or_else(|| format!("{}: it is empty", path.display()))?;
        if facts.public_key != key.subject_public_key_info() {
            return Err(format!(
                "{} is not the key of {}",
                key_path.display(),
                path.display()
            ));
        }
        if !facts.is_authority {
            return Err(format!("{} is no authority's certificate", path.display()));
        }
        Ok(Self {
            not_after: OffsetDateTime::from_unix_timestamp(facts.not_after).map_err(failed)?,
            pem,
            key,
        })
    }
}
