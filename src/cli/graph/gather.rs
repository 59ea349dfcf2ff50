//! Asks the nodes of a system, all at once.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::options::GraphOptions;
use crate::cli::endpoint::{self, ConnectError};
use crate::cli::options::SharedOptions;
use crate::cli::top::Client;
use crate::cli::{limits, values};
use crate::net::{self, Goodbye, NodeSnapshot};

/// How the address of an observer's page begins.
const PAGE: &str = "http://";

/// What came of asking.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The answers, in the order in which the addresses were given.
    pub nodes: Vec<NodeSnapshot>,
    /// A sentence for each address that did not answer.
    pub missing: Vec<String>,
}

/// Asks all nodes.
///
/// # Errors
/// A sentence, if what was asked for is wrong.
pub async fn gather(options: &GraphOptions) -> Result<Gathered, String> {
    let within = options.timeout;
    let mut asked = JoinSet::new();
    for (number, addr) in options.connect.iter().cloned().enumerate() {
        if addr.starts_with(PAGE) {
            let client = Client::within(&addr, within)?;
            asked.spawn_blocking(move || (number, page(&client, number)));
        } else {
            endpoint::resolve(&addr, &options.shared)?;
            let shared = options.shared.clone();
            asked.spawn(async move { (number, node(&addr, &shared, within).await) });
        }
    }
    let mut answers = Vec::new();
    while let Some(answer) = asked.join_next().await {
        answers.push(answer.map_err(|error| format!("a question has failed: {error}"))?);
    }
    answers.sort_by_key(|(number, _)| *number);
    let mut gathered = Gathered::default();
    for ((_, answer), addr) in answers.into_iter().zip(&options.connect) {
        match answer {
            Ok(seen) => gathered.nodes.push(seen),
            Err(ConnectError::Usage(sentence)) => return Err(sentence),
            Err(ConnectError::Failed(reason)) => {
                let reason = values::printable(&reason);
                gathered
                    .missing
                    .push(format!("{addr} did not answer: {reason}"));
            }
        }
    }
    Ok(gathered)
}

/// Asks the node that listens at `addr`.
async fn node(
    addr: &str,
    shared: &SharedOptions,
    within: Duration,
) -> Result<NodeSnapshot, ConnectError> {
    let began = Instant::now();
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let name = format!("graph {host}:{}", std::process::id());
    let limit = usize::try_from(limits::SNAPSHOT_BYTES).unwrap_or(usize::MAX);
    let connecting = endpoint::connect(addr, shared, limit, name);
    let link = timeout(within, connecting).await.unwrap_or_else(|_| {
        let time = values::time_in_words(within);
        Err(ConnectError::Failed(format!("no link within {time}")))
    })?;
    let left = within.saturating_sub(began.elapsed());
    let seen = net::look(&link, left).await;
    link.close(Goodbye::done()).await;
    seen.map_err(|error| ConnectError::Failed(error.to_string()))
}

/// Asks the observer of a program, which does not say which run it is: it is taken for one of its own.
fn page(client: &Client, number: usize) -> Result<NodeSnapshot, ConnectError> {
    let snapshot = client
        .fetch()
        .map_err(|error| ConnectError::Failed(error.to_string()))?;
    Ok(NodeSnapshot {
        abroad: None,
        node: snapshot.network.clone(),
        incarnation: u64::MAX - number as u64,
        snapshot,
        processes_left_out: 0,
        channels_left_out: 0,
    })
}
