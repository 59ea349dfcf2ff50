//! P3 over several machines: a node tells whoever it lets look who waits for whom in it.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod links;

#[path = "net_node/looks.rs"]
mod looks;
#[path = "net_node/systems.rs"]
mod systems;

use std::{
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use handover::{
    net::{self, Link, Message, NetError, Node, NodeSnapshot},
    process::{Network, RunError},
};
use serde::{Deserialize, Serialize};

/// The longest that a fact may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Slip(u32);

impl Message for Slip {
    const NAME: &'static str = "test.Slip";
}

/// A network that runs on a thread of its own.
struct Running(Receiver<Result<(), RunError>>);

impl Running {
    fn start(net: Network) -> Self {
        let (tell, ended) = mpsc::channel();
        thread::spawn(move || tell.send(net.run()));
        Self(ended)
    }

    fn end(self) {
        self.0
            .recv_timeout(PATIENCE)
            .expect("it ends in time")
            .unwrap();
    }
}

async fn look(link: &Link) -> NodeSnapshot {
    net::look(link, PATIENCE).await.unwrap()
}

/// Looks until what is seen is as it should be.
async fn look_until(link: &Link, is_so: impl Fn(&NodeSnapshot) -> bool) -> NodeSnapshot {
    links::soon("what is to be seen", async {
        loop {
            let seen = look(link).await;
            if is_so(&seen) {
                return seen;
            }
        }
    })
    .await
}

/// A node of a network that does nothing.
fn quiet(name: &str) -> Node {
    Node::new(name, &Network::new("quiet"))
}

fn reason(error: &NetError) -> &str {
    match error {
        NetError::NoSnapshot { reason, .. } => reason,
        other => panic!("{other}"),
    }
}
