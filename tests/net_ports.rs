//! Remote channels with types, as ports of networks, and shared by one owner: what holds of a channel holds of them.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod links;

#[path = "net_ports/apart.rs"]
mod apart;
#[path = "net_ports/hub.rs"]
mod hub;
#[path = "net_ports/ledger.rs"]
mod ledger;
#[path = "net_ports/ports.rs"]
mod ports;
#[path = "broken/proxy.rs"]
#[allow(dead_code)]
mod proxy;
#[path = "net_ports/typed.rs"]
mod typed;

use handover::net::Message;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Order {
    dish: String,
    table: u32,
}

impl Message for Order {
    const NAME: &'static str = "restaurant.Order";
}

fn order(table: u32) -> Order {
    Order {
        dish: "soup".to_owned(),
        table,
    }
}
