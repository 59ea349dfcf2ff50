//! The side that looks at a node over a link.

use std::time::Duration;

use tokio::{sync::Mutex, time::timeout};

use super::{
    super::{config::fitting_name, end::NetError, link::Link},
    NodeSnapshot, SNAPSHOT,
    answer::SnapshotText,
};
use crate::channel::{Receiver, RecvError};

/// Where a link's handles get snapshots of the peer: one look at a time.
#[derive(Default)]
pub(in crate::net) struct Window(Mutex<Option<Receiver<SnapshotText>>>);

/// Asks the peer of `link` what it is waiting for, and waits for the answer, for at most `within`.
///
/// The peer answers if its program has [joined](super::Node::join) the link. What it says is its own word: names are any
/// text, and numbers need not fit together.
///
/// # Errors
///
/// [`NetError::NoSnapshot`] if no answer came in time, as from a program that is no node, or if it cannot be read;
/// [`NetError::Ended`] if the link has ended; otherwise as for [`Link::receiver`].
///
/// # Cancel safety
///
/// Dropped, it has no effect on later looks.
pub async fn look(link: &Link, within: Duration) -> Result<NodeSnapshot, NetError> {
    match timeout(within, link.window().look(link)).await {
        Ok(seen) => seen,
        Err(_) => Err(no_snapshot(
            link,
            format!("none came within {within:?}; is its program a node (Node::join)?"),
        )),
    }
}

impl Window {
    async fn look(&self, link: &Link) -> Result<NodeSnapshot, NetError> {
        let mut answers = self.0.lock().await;
        let open = match &mut *answers {
            Some(open) => open,
            none => none.insert(link.receiver_of(SNAPSHOT)?),
        };
        match open.recv_async().await {
            Ok(text) => read(&text.0).map_err(|error| no_snapshot(link, error)),
            Err(end) => {
                // The next look is a new beginning.
                *answers = None;
                Err(why(link, &end))
            }
        }
    }
}

fn read(text: &[u8]) -> Result<NodeSnapshot, String> {
    let mut seen: NodeSnapshot =
        serde_json::from_slice(text).map_err(|error| format!("it cannot be read: {error}"))?;
    seen.node = fitting_name(&seen.node);
    Ok(seen)
}

fn why(link: &Link, end: &RecvError) -> NetError {
    match (link.has_ended(), end) {
        (Some(end), _) => NetError::Ended(end),
        (None, RecvError::Poisoned(reason)) => no_snapshot(link, reason.as_str().to_owned()),
        (None, RecvError::Disconnected) => {
            no_snapshot(link, "it has stopped to give any".to_owned())
        }
    }
}

fn no_snapshot(link: &Link, reason: String) -> NetError {
    NetError::NoSnapshot {
        peer: link.peer().name.clone(),
        reason,
    }
}
