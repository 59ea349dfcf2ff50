//! Lets workers in: the coordinator's listener.

use std::time::Duration;

use tokio::task::JoinSet;

use super::event::Event;
use super::link_task;
use super::run::Shared;
use crate::cli::limits;
use crate::net::{Incoming, Listener};

/// Time before another try when no connection can be accepted, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Lets workers in until the run is over, and then until each has been told so.
pub async fn serve(run: Shared, listener: Listener) {
    let mut links = JoinSet::new();
    let mut handshakes = JoinSet::new();
    loop {
        let room = handshakes.len() < limits::HANDSHAKES && run.ledger.workers() < limits::WORKERS;
        tokio::select! {
            _ = run.ledger.over() => break,
            incoming = listener.accept(), if room => match incoming {
                Ok(incoming) => drop(handshakes.spawn_local(meet(Shared::clone(&run), incoming))),
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(met) = handshakes.join_next() => {
                if let Ok(Some(link)) = met {
                    links.spawn_local(link_task::serve(Shared::clone(&run), link));
                }
            }
            Some(_) = links.join_next() => {}
        }
    }
    drop(listener);
    drop(handshakes);
    while links.join_next().await.is_some() {}
}

/// Finds out whether somebody is a worker. Takes no longer than the time for a handshake.
async fn meet(run: Shared, incoming: Incoming) -> Option<crate::net::Link> {
    let address = incoming.peer_addr();
    match incoming.handshake().await {
        Ok(link) => Some(link),
        Err(error) => {
            run.tell(Event::Stranger {
                address,
                why: error.to_string(),
            })
            .await;
            None
        }
    }
}
