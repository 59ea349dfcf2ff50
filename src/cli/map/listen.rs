//! Lets workers in, and those that control the run: the coordinator's listeners.

use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::controller;
use super::event::Event;
use super::link_task;
use super::run::Shared;
use crate::cli::limits;
use crate::cli::message::channels;
use crate::net::{Goodbye, Incoming, Link, Listener};
use crate::{Receiver, Sender};

/// Time before another try when no connection can be accepted, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Who may come to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admits {
    /// Workers, and those that control the run.
    All,
    /// Only the latter.
    Controllers,
}

/// Somebody who has come, and shown what for.
enum Guest {
    /// Waits for a job.
    Worker(Link, Sender<Bytes>),
    /// Has asked for something.
    Controller(Link, Receiver<Bytes>, Bytes),
}

/// Lets them in until the run is over, and then until each has been told so.
pub async fn serve(run: Shared, listener: Listener, admits: Admits) {
    let (mut workers, mut controllers) = (JoinSet::new(), JoinSet::new());
    let mut handshakes = JoinSet::new();
    loop {
        // A worker that was given up is counted while its link lives.
        let room = handshakes.len() < limits::HANDSHAKES
            && workers.len() < limits::WORKERS
            && controllers.len() < limits::CONTROLLERS;
        tokio::select! {
            _ = run.ledger.over() => break,
            incoming = listener.accept(), if room => match incoming {
                Ok(incoming) => {
                    handshakes.spawn_local(meet(Shared::clone(&run), incoming, admits));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(met) = handshakes.join_next() => match met {
                Ok(Some(Guest::Worker(link, job))) => {
                    workers.spawn_local(link_task::serve(Shared::clone(&run), link, job));
                }
                Ok(Some(Guest::Controller(link, requests, first))) => {
                    let run = Shared::clone(&run);
                    controllers.spawn_local(controller::serve(run, link, requests, first));
                }
                _ => {}
            },
            Some(_) = workers.join_next() => {}
            Some(_) = controllers.join_next() => {}
        }
    }
    drop(listener);
    drop(handshakes);
    while workers.join_next().await.is_some() {}
    while controllers.join_next().await.is_some() {}
}

/// Finds out what somebody has come for. Takes no longer than twice the time for a handshake.
async fn meet(run: Shared, incoming: Incoming, admits: Admits) -> Option<Guest> {
    let address = incoming.peer_addr();
    let why = match incoming.handshake().await {
        Ok(link) => match know(link, admits).await {
            Ok(guest) => return Some(guest),
            Err(why) => why,
        },
        Err(error) => error.to_string(),
    };
    run.tell(Event::Stranger { address, why }).await;
    None
}

/// A worker is who waits for a job, a controller who asks: so nobody has to say what it is.
async fn know(link: Link, admits: Admits) -> Result<Guest, String> {
    let ends = link
        .sender(channels::JOB)
        .and_then(|job| Ok((job, link.receiver(channels::REQUESTS)?)));
    let (job, requests) = ends.map_err(|error| error.to_string())?;
    let known = tokio::select! {
        ready = job.ready_async() => ready.is_ok().then_some(None),
        first = requests.recv_async() => first.ok().map(Some),
        () = tokio::time::sleep(limits::HANDSHAKE_TIME) => {
            let why = "it neither takes a job nor asks for anything";
            link.close(Goodbye::leaving(why)).await;
            return Err(why.into());
        }
    };
    match known {
        Some(Some(first)) => Ok(Guest::Controller(link, requests, first)),
        Some(None) if admits == Admits::All => Ok(Guest::Worker(link, job)),
        Some(None) => {
            let why = "no worker joins here: it is an address for `handover control`";
            link.close(Goodbye::leaving(why)).await;
            Err("it is a worker, and this is the address for control".into())
        }
        None => Err(link.closed().await.to_string()),
    }
}
