//! What the pumps ask of what they share with the driver, and what they tell it.
//!
//! # Invariants
//!
//! - What became of a message that was sent is told once.
//! - No more messages stand granted than receivers have granted in advance, or one, while one waits.

use std::{collections::VecDeque, task::Poll};

use bytes::Bytes;

use super::{
    core::{Core, Verdict},
    port::{Port, Revoke},
    shared::Shared,
};
use crate::{
    channel::Reason,
    wire::{CREDIT_MESSAGES_MAX, Link as WireLink, MessageTooLong, SendId, Settlement},
};

/// What a pump that waits for messages of the peer is told.
pub(super) enum Next {
    Message(Arrived),
    /// What was granted was asked back, and nothing of it is to come any more.
    TakenBack,
    /// None will come.
    Over,
}

/// A message that has arrived.
pub(super) struct Arrived {
    pub(super) sequence: u64,
    pub(super) bytes: Bytes,
    /// Others have arrived too, or are granted and may.
    pub(super) is_followed: bool,
}

impl Shared {
    /// Moves to `known` what has become known of messages that were sent. Returns whether the peer has granted another;
    /// false if it never will.
    pub(super) fn credit(&self, key: u16, known: &mut VecDeque<(u64, Verdict)>) -> Poll<bool> {
        self.with(|core| {
            let parting = core.parting.is_some();
            let Core { wire, ports, .. } = core;
            let Some(Some(Port::Out(port))) = ports.get_mut(usize::from(key)) else {
                return Poll::Ready(false);
            };
            let shut = port.closed || parting;
            if std::mem::take(&mut port.news) || shut {
                let (id, closed) = (port.id, port.closed);
                port.under_way.retain(|(sequence, outcome)| {
                    let verdict = match outcome {
                        Some(settlement) => Some((*settlement).into()),
                        None => unsettled(wire, id, *sequence, closed, parting),
                    };
                    known.extend(verdict.map(|verdict| (*sequence, verdict)));
                    verdict.is_none()
                });
            }
            if shut {
                Poll::Ready(false)
            } else if wire.has_credit(port.id) {
                Poll::Ready(true)
            } else {
                Poll::Pending
            }
        })
    }

    /// Whether no message may begin on this channel any more.
    pub(super) fn is_shut(&self, key: u16) -> bool {
        self.with(|core| {
            core.parting.is_some()
                || !matches!(core.port(key), Some(Port::Out(port)) if !port.closed)
        })
    }

    /// Begins to send a message, for which there is credit; `None` if the channel is shut.
    pub(super) fn send(&self, key: u16, message: Bytes) -> Result<Option<u64>, MessageTooLong> {
        self.with(|core| {
            let Some(Port::Out(port)) = core.port(key) else {
                return Ok(None);
            };
            let (id, closed) = (port.id, port.closed);
            if closed || core.parting.is_some() || !core.wire.has_credit(id) {
                return Ok(None);
            }
            let sequence = core.wire.send(id, message)?;
            if let Some(Port::Out(port)) = core.port_mut(key) {
                port.under_way.push_back((sequence, None));
            }
            Ok(Some(sequence))
        })
    }

    /// What is to be said of a message if the link ends now.
    pub(super) fn verdict(&self, key: u16, sequence: u64) -> Verdict {
        self.with(|core| {
            let parting = core.parting.is_some();
            let Some(Port::Out(port)) = core.port(key) else {
                return Verdict::InDoubt;
            };
            let index = port.under_way.binary_search_by_key(&sequence, |it| it.0);
            let outcome = index.ok().and_then(|index| port.under_way[index].1);
            let outcome = outcome.map(Verdict::from);
            outcome
                .or_else(|| unsettled(&core.wire, port.id, sequence, port.closed, parting))
                .unwrap_or_else(|| core.outcome(key, sequence))
        })
    }

    /// The next message that arrived. Until one has, the peer is granted as many as receivers have granted in advance,
    /// `in_advance`, or one, for a receiver waits.
    pub(super) fn arrived(&self, key: u16, in_advance: usize) -> Poll<Next> {
        self.with(|core| {
            let parting = core.parting.is_some();
            let Core {
                wire,
                ports,
                is_short,
                ..
            } = core;
            let Some(Some(Port::In(port))) = ports.get_mut(usize::from(key)) else {
                return Poll::Ready(Next::Over);
            };
            if parting {
                return Poll::Ready(Next::Over);
            }
            let standing = port.id.map_or(0, |id| wire.standing(id));
            if let Some((sequence, bytes)) = port.arrived.pop_front() {
                return Poll::Ready(Next::Message(Arrived {
                    sequence,
                    bytes,
                    is_followed: standing > 0 || !port.arrived.is_empty(),
                }));
            }
            if port.closed {
                return Poll::Ready(Next::Over);
            }
            match port.revoke {
                Revoke::No => {}
                Revoke::Answered if standing == 0 => {
                    port.revoke = Revoke::No;
                    return Poll::Ready(Next::TakenBack);
                }
                Revoke::Asked | Revoke::Answered => return Poll::Pending,
            }
            if let Some(id) = port.id {
                let wanted = in_advance.clamp(1, CREDIT_MESSAGES_MAX) as u64;
                let more = wanted.saturating_sub(standing);
                if more > 0 && wire.grant(id, more) < more {
                    port.is_short = true;
                    *is_short = true;
                }
            }
            Poll::Pending
        })
    }

    /// Nobody waits for what else was granted: the peer is asked for it, so that no message crosses in vain.
    pub(super) fn revoke(&self, key: u16) {
        self.with(|core| {
            if let Some(Some(Port::In(port))) = core.ports.get_mut(usize::from(key))
                && port.revoke == Revoke::No
                && let Some(id) = port.id
            {
                port.revoke = Revoke::Asked;
                core.wire.revoke(id);
            }
        });
    }

    /// Nobody takes the message at once that the pump has: those behind it are declined, for their senders may turn to
    /// others. Or it waits no more.
    pub(super) fn hold_up(&self, key: u16, is_held_up: bool) {
        self.with(|core| {
            let Some(Port::In(port)) = core.port_mut(key) else {
                return;
            };
            port.is_held_up = is_held_up;
            if !is_held_up {
                port.is_patient = false;
            }
            if is_held_up && let Some(id) = port.id {
                for (sequence, _) in std::mem::take(&mut port.arrived) {
                    core.wire.settle(id, sequence, Settlement::Declined);
                }
            }
        });
    }

    /// Whether message `sequence` may be taken by a process of this side: not while the peer was silent for long. If it
    /// never may, what it comes to.
    pub(super) fn may_be_taken(
        &self,
        key: u16,
        sequence: u64,
    ) -> Poll<Result<(), Option<Settlement>>> {
        self.with(|core| {
            let is_wanted_back = matches!(
                core.port(key),
                Some(Port::In(port)) if port.wanted_back == Some(sequence)
            );
            if core.parting.is_some() {
                Poll::Ready(Err(None))
            } else if is_wanted_back {
                Poll::Ready(Err(Some(Settlement::Returned)))
            } else if core.may_take {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
    }

    /// Whether no message will arrive on this channel beyond one that has.
    pub(super) fn is_over(&self, key: u16) -> bool {
        self.with(|core| {
            core.parting.is_some()
                || !matches!(core.port(key), Some(Port::In(port)) if !port.closed)
        })
    }

    pub(super) fn is_parting(&self) -> bool {
        self.with(|core| core.parting.is_some())
    }

    /// Whether the sender wants message `sequence` back.
    pub(super) fn is_wanted_back(&self, key: u16, sequence: u64) -> bool {
        self.with(
            |core| matches!(core.port(key), Some(Port::In(port)) if port.wanted_back == Some(sequence)),
        )
    }

    /// Whether an end that has a message for which nobody waits should wait until it is known what became of those that
    /// this side has sent. Of two processes that are about to send to each other, and could each receive instead, one
    /// must be so patient, and the other not: the listener's side is.
    pub(super) fn is_to_be_patient(&self, key: u16) -> bool {
        self.with(|core| {
            let patient = core.is_listener && core.awaits_an_outcome();
            if let Some(Port::In(port)) = core.port_mut(key) {
                port.is_patient = patient;
            }
            patient
        })
    }

    /// Why the channel was poisoned at the peer, if it was.
    pub(super) fn poison(&self, key: u16) -> Option<Reason> {
        self.with(|core| match core.port(key)? {
            Port::In(port) => port.poison.clone(),
            Port::Out(port) => port.poison.clone(),
        })
    }

    /// Notes that a message did not come over the step between a value and its bytes.
    pub(super) fn note_unreadable(&self, what: String) {
        let old = self.with(|core| core.unreadable.replace(what));
        drop(old);
    }

    /// Tells the peer what became of a message. Returns whether another has arrived, or is granted and may.
    pub(super) fn settle(&self, key: u16, sequence: u64, settlement: Settlement) -> bool {
        self.with(|core| {
            let Core { wire, ports, .. } = core;
            let Some(Some(Port::In(port))) = ports.get(usize::from(key)) else {
                return false;
            };
            let Some(id) = port.id else {
                return false;
            };
            wire.settle(id, sequence, settlement);
            !port.arrived.is_empty() || wire.standing(id) > 0
        })
    }

    /// Removes a port whose pump has ended, and closes its channel.
    pub(super) fn close_port(&self, key: u16, poison: Option<&Reason>) {
        self.with(|core| {
            self.note_gone(core, key, poison);
            core.close(key, poison);
        });
        // The link may have nothing left to do.
        self.wakes.call();
    }
}

/// What is known of a message of which the peer has said nothing: while the link parts, what has not left stays here.
fn unsettled(
    wire: &WireLink,
    channel: SendId,
    sequence: u64,
    closed: bool,
    parting: bool,
) -> Option<Verdict> {
    let stays = closed || (parting && !wire.has_left(channel, sequence));
    stays.then_some(Verdict::NotTaken)
}
