//! Who may come in, and as whom: a peer is who its certificate says, opens only what it may, and those who come in
//! numbers, slowly, or with nonsense keep nobody else out.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod links;

#[path = "net_security/access.rs"]
mod access;
#[path = "net_security/certificates.rs"]
mod certificates;
#[path = "net_security/crowds.rs"]
mod crowds;
#[path = "net_security/encrypted.rs"]
mod encrypted;
#[path = "net_security/plain.rs"]
mod plain;
#[path = "net_security/support.rs"]
mod support;
