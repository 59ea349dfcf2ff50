//! A node's side of a look: a task for each link that it has joined, which sleeps until the peer waits for a snapshot.
//!
//! # Invariants
//!
//! - Nothing is kept for the next who asks: a snapshot is made for one who waits, and dropped if he has gone.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Mutex,
    task::spawn_blocking,
    time::{Instant, sleep, sleep_until},
};

use super::{
    super::{
        end::NetError,
        link::Link,
        message::{CodecError, Message},
    },
    Node, SNAPSHOT, cut,
};
use crate::{
    channel::{OfferError, ReadyError, Sender},
    wire::OpenError,
};

/// Between two looks there is at least so much time.
const REST_MIN: Duration = Duration::from_millis(50);
/// And so many times as long as the last one took.
const RESPITE: u32 = 10;

/// Until when a node rests; locked by whoever looks at it.
#[derive(Default)]
pub(super) struct Rest(Mutex<Option<Instant>>);

/// A [`NodeSnapshot`](super::NodeSnapshot) as it crosses a link: JSON, without anything around it, so that any language
/// can read it.
#[derive(Serialize, Deserialize)]
pub(super) struct SnapshotText(pub(super) Bytes);

impl Message for SnapshotText {
    const NAME: &'static str = "handover.NodeSnapshot";

    fn encode(&self) -> Result<Bytes, CodecError> {
        Ok(self.0.clone())
    }

    fn decode(bytes: &Bytes) -> Result<Self, CodecError> {
        Ok(Self(bytes.clone()))
    }
}

/// Answers until the link ends, or the peer has refused to hear of it.
pub(super) async fn answer(node: Node, link: Link, mut answers: Sender<SnapshotText>) {
    while !tell(&node, &link, &answers).await {
        drop(answers);
        // The peer has closed the channel, and may open it again.
        answers = loop {
            sleep(REST_MIN).await;
            match link.sender_of(SNAPSHOT) {
                Ok(answers) => break answers,
                // The one before is not wholly over.
                Err(NetError::Open(OpenError::InUse(_))) => {}
                Err(_) => return,
            }
        };
    }
}

/// Gives a snapshot whenever the peer waits for one. Returns whether it is over for good.
async fn tell(node: &Node, link: &Link, answers: &Sender<SnapshotText>) -> bool {
    let limit = link.peer().message_bytes_max as usize;
    let has_ended = || link.has_ended().is_some();
    loop {
        match answers.ready_async().await {
            Ok(()) => {}
            Err(ReadyError::Disconnected) => return has_ended(),
            Err(ReadyError::Poisoned(_)) => return true,
        }
        let text = match node.0.rest.look(node, answers, limit).await {
            Look::Text(text) => text,
            Look::Unwanted => continue,
            Look::TooLong => {
                let why = format!("no snapshot is as short as the {limit} bytes that are accepted");
                answers.poison(why);
                return true;
            }
            Look::Failed => {
                answers.poison("the node has failed to look at itself");
                return true;
            }
        };
        match answers.offer_async(SnapshotText(text)).await {
            Err(OfferError::Disconnected(_)) => return has_ended(),
            Err(OfferError::Poisoned(..)) => return true,
            // Whoever has waited has gone, or cannot read it.
            Ok(()) | Err(_) => {}
        }
    }
}

/// What came of a look.
enum Look {
    Text(Bytes),
    /// Nobody waits for it any more.
    Unwanted,
    /// Nothing that the node could say is within the limit.
    TooLong,
    /// It has panicked, or the runtime ends.
    Failed,
}

impl Rest {
    /// Looks at the node once it has rested, for the one who waits at `answers`.
    async fn look(&self, node: &Node, answers: &Sender<SnapshotText>, limit: usize) -> Look {
        let mut rests_until = self.0.lock().await;
        if let Some(instant) = *rests_until {
            sleep_until(instant).await;
        }
        if !answers.is_ready() {
            return Look::Unwanted;
        }
        let began = Instant::now();
        let node = node.clone();
        let look = spawn_blocking(move || cut::fitting(node.snapshot(), limit));
        let look = look.await;
        let ended = Instant::now();
        *rests_until = Some(ended + REST_MIN.max((ended - began) * RESPITE));
        match look {
            Ok(Some(text)) => Look::Text(text.into()),
            Ok(None) => Look::TooLong,
            Err(_) => Look::Failed,
        }
    }
}
