//! Waits across machines: nodes tell each other which of their processes wait for what may come over a link, and find
//! the deadlocks that pass through several of them.
//!
//! There is no collector. Each node looks at its own network now and then. What was the same in two looks it tells its
//! peers, with the numbers of what it had heard of the others before it looked; and it passes on what it hears. So each
//! node comes to have two looks of every other one, of which it can be seen that all the first were taken before all the
//! last: the double collection of a snapshot algorithm, without rounds (Chandy and Lamport, 1985, say what such a cut
//! must be; [`knot`] says what makes one a deadlock). What is told are newest states, so nothing is queued: a peer that
//! is slow hears less often.
//!
//! A node that has found a deadlock tells that too. Whoever is in it makes sure, of its own part, and says so; of two that
//! are about the same processes the one with the lower number counts. So all report the same one.

mod exchange;
mod knot;
mod sample;
mod standing;
mod telling;
#[cfg(test)]
mod tests;
mod track;

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::spawn_blocking, time::timeout};

use self::{
    exchange::{Exchange, Verdict},
    sample::{NodeId, Samples},
    standing::Ends,
};
use super::{end::NetError, link::Link, shared::Shared};
use crate::{
    channel::{Receiver, Sender},
    process::{Deadlock, Observer},
    sync::{Mutex, time::Stint},
};

/// The channels on which nodes tell each other of their waits, one in each direction.
pub(super) const WAITS: &str = "$waits";

/// How long after a look it is looked again, at most.
const INTERVAL: Duration = Duration::from_millis(100);
/// How soon after a look it is looked again if there is something to be made sure of.
const HASTE: Duration = Duration::from_millis(20);
/// How many times as long as a look takes nothing is looked at.
const RESPITE: u32 = 50;
/// How many bytes are told at once.
const TELL_BYTES_MAX: usize = 1024 * 1024;

/// A node's part in the exchange.
pub(super) struct Waits {
    observer: Observer,
    state: Mutex<State>,
    /// Rises when something can be told, or is to be looked at.
    version: watch::Sender<u64>,
}

struct State {
    exchange: Exchange,
    links: Vec<Joined>,
    is_looking: bool,
}

/// A link over which is told.
struct Joined {
    session: String,
    shared: Weak<Shared>,
}

impl Waits {
    pub(super) fn new(name: String, observer: Observer) -> Arc<Self> {
        Arc::new(Self {
            observer,
            state: Mutex::new(State {
                exchange: Exchange::new(name),
                links: Vec::new(),
                is_looking: false,
            }),
            version: watch::Sender::new(0),
        })
    }

    /// The deadlock through several machines that the node is in.
    pub(super) fn deadlock(&self) -> Option<Deadlock> {
        self.state.lock().exchange.deadlock().cloned()
    }

    /// Tells the link's peer, and hears of it, until the link ends.
    pub(super) fn join(self: &Arc<Self>, link: &Link) -> Result<(), NetError> {
        let runtime = link.runtime();
        let sender = link.sender_of::<Samples>(WAITS)?;
        let receiver = link.receiver_of::<Samples>(WAITS)?;
        let known = Arc::new(Mutex::new(HashMap::new()));
        let begins = {
            let mut state = self.state.lock();
            state.links.push(Joined {
                session: link.session(),
                shared: link.shared(),
            });
            !std::mem::replace(&mut state.is_looking, true)
        };
        let limit = TELL_BYTES_MAX.min(link.peer().message_bytes_max as usize / 2);
        runtime.spawn(Arc::clone(self).tell(sender, Arc::clone(&known), limit));
        runtime.spawn(Arc::clone(self).hear(receiver, known));
        if begins {
            runtime.spawn(Arc::clone(self).look());
        }
        Ok(())
    }

    /// Tells a peer what it does not know, whenever there is something and it listens.
    async fn tell(
        self: Arc<Self>,
        sender: Sender<Samples>,
        known: Arc<Mutex<HashMap<NodeId, u64>>>,
        limit: usize,
    ) {
        let mut version = self.version.subscribe();
        loop {
            version.mark_unchanged();
            let is_told = {
                let state = self.state.lock();
                let mut known = known.lock().clone();
                state.exchange.news(&mut known, limit).is_empty()
            };
            if is_told {
                tokio::select! {
                    () = sender.closed_async() => return,
                    changed = version.changed() => if changed.is_err() { return },
                }
                continue;
            }
            // What is told is the newest when the peer listens, not when there was something.
            if sender.ready_async().await.is_err() {
                return;
            }
            let news = {
                let state = self.state.lock();
                state.exchange.news(&mut known.lock(), limit)
            };
            if !news.is_empty() && sender.send_async(Samples(news)).await.is_err() {
                return;
            }
        }
    }

    /// Hears what a peer tells.
    async fn hear(
        self: Arc<Self>,
        receiver: Receiver<Samples>,
        known: Arc<Mutex<HashMap<NodeId, u64>>>,
    ) {
        while let Ok(Samples(samples)) = receiver.recv_async().await {
            let verdict = {
                let mut state = self.state.lock();
                state.exchange.hear(samples, &mut known.lock());
                state.exchange.judge(Instant::now())
            };
            self.act(verdict);
            self.note_change();
        }
    }

    /// Looks at the node's own network, until there is no link left.
    async fn look(self: Arc<Self>) {
        let mut version = self.version.subscribe();
        loop {
            let began = Instant::now();
            let this = Arc::clone(&self);
            let Ok(Some(cost)) = spawn_blocking(move || this.look_once()).await else {
                return;
            };
            let rest = cost.saturating_mul(RESPITE);
            let hasty = began + HASTE.max(rest);
            let usual = began + INTERVAL.max(rest);
            loop {
                version.mark_unchanged();
                let until = if self.state.lock().exchange.is_in_haste() {
                    hasty
                } else {
                    usual
                };
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() || timeout(left, version.changed()).await.is_err() {
                    break;
                }
            }
        }
    }

    /// Returns how much of a processor's time it has cost; nothing if there is nobody to tell any more.
    fn look_once(&self) -> Option<Duration> {
        let stint = Stint::begin();
        // How the links stand is seen first: what they were about to do then shows in the network.
        let standings: Vec<(String, Ends)> = {
            let mut state = self.state.lock();
            state.links.retain(|link| link.shared.strong_count() > 0);
            if state.links.is_empty() {
                state.is_looking = false;
                return None;
            }
            let links: Vec<_> = state
                .links
                .iter()
                .map(|link| (link.session.clone(), link.shared.upgrade()))
                .collect();
            drop(state);
            let standings = links.into_iter().filter_map(|(session, shared)| {
                let standings = shared?.standings();
                Some((session, standings))
            });
            standings.collect()
        };
        let waits = self.observer.waits();
        let verdict = {
            let mut state = self.state.lock();
            let is_noted = self.observer.is_abroad_noted();
            state.exchange.note(waits, &standings, is_noted);
            state.exchange.judge(Instant::now())
        };
        self.act(verdict);
        self.note_change();
        let (on_processor, by_the_clock) = stint.end();
        // A look that was held up by other work is not to be told from a long one there.
        Some(on_processor.unwrap_or(by_the_clock.min(HASTE / RESPITE)))
    }

    fn act(&self, verdict: Verdict) {
        match verdict {
            Verdict::Nothing => {}
            Verdict::Committed(deadlock, processes) => {
                self.observer.note_abroad(*deadlock, processes);
            }
            Verdict::Final => self.observer.finish_abroad(),
        }
    }

    fn note_change(&self) {
        let now = self.state.lock().exchange.version();
        self.version.send_if_modified(|version| {
            let is_new = *version != now;
            *version = now;
            is_new
        });
    }
}
