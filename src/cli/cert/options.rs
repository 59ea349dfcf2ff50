//! The command line of `handover cert`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const HELP: &str = "\
EXAMPLES
  handover cert authority ca
  handover cert peer coordinator --authority ca
  handover cert peer worker-1 --authority ca --days 30
  handover cert show worker-1/peer.pem
    and then, where each of them runs:
  handover map --listen 0.0.0.0:7000 --tls coordinator -- ./convert {}
  handover work --connect HOST:7000 --tls worker-1 --tls-peer coordinator

  There is no list of revoked certificates: give short times, and make a new
  authority if a key got into wrong hands.

EXIT STATUS
  0 done, 2 not done, and why is on standard error";

/// Options of `handover cert`.
#[derive(Args, Debug)]
#[command(after_long_help = HELP, after_help = "--help says more, with examples.")]
pub struct CertOptions {
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// What `handover cert` does.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Make an authority: the one whose certificates peers trust
    Authority(AuthorityOptions),
    /// Make a certificate and key for a peer, for links that it makes and that it takes
    Peer(PeerOptions),
    /// Print what is in a certificate: name, issuer, times and fingerprint
    Show(ShowOptions),
}

/// Options of `handover cert authority`.
#[derive(Args, Debug)]
pub struct AuthorityOptions {
    /// Where to put authority.pem and authority.key; made if it is not there
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// What it is called, for people
    #[arg(long, default_value = "handover authority")]
    pub name: String,

    /// How long it is good
    #[arg(long, value_name = "N", default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,

    /// Replace the files that are there: certificates of the old authority are worth nothing then
    #[arg(long)]
    pub force: bool,
}

/// Options of `handover cert peer`.
#[derive(Args, Debug)]
pub struct PeerOptions {
    /// By what other peers will know it: a DNS name in lower case, such as worker-1 or press.example
    pub name: String,

    /// Where the authority is
    #[arg(long, value_name = "DIR")]
    pub authority: PathBuf,

    /// Where to put peer.pem, peer.key and authority.pem; made if it is not there [default: NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// How long it is good, as long as its authority is
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,

    /// Another name or address for which it is good too; may be given several times
    #[arg(long = "address", value_name = "HOST")]
    pub addresses: Vec<String>,

    /// Replace the files that are there
    #[arg(long)]
    pub force: bool,
}

/// Options of `handover cert show`.
#[derive(Args, Debug)]
pub struct ShowOptions {
    /// A file of certificates, as PEM
    pub file: PathBuf,
}
