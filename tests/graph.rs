//! `handover graph` as a person uses it: real programs in one system, and the command that draws it.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "not each test needs all of it")]
mod web;

mod cargo;

#[path = "graph/formats.rs"]
mod formats;
#[path = "graph/missing.rs"]
mod missing;
#[path = "graph/support.rs"]
mod support;
#[path = "graph/tls.rs"]
mod tls;
