//! What a node tells its peers of its waits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::message::Message;
use crate::{
    process::{
        Deadlock, Wait,
        abroad::{LinkEnd, Stuck},
    },
    wire::Standing,
};

/// A number that a node has chosen at random.
pub(super) type NodeId = u64;

/// The waits of a node as it has seen them in its look number `number`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) node: NodeId,
    pub(super) name: String,
    /// Looks are counted from 1.
    pub(super) number: u64,
    /// The numbers of the other nodes' samples that it had before it looked.
    pub(super) seen: BTreeMap<NodeId, u64>,
    /// The processes that nobody at the node can release; none if it is not known of all.
    pub(super) stuck: Vec<StuckSince>,
    pub(super) ends: Vec<EndSince>,
    /// How many processes the node has.
    pub(super) live: u64,
    /// What it has found, or was told by others and has made sure of.
    pub(super) found: Option<Found>,
    /// It knows that all the others of that know of it, or has given up to wait for that; and its run has noted it, so that
    /// whatever happens there next happens because of it.
    pub(super) has_committed: bool,
}

/// A process that was found the same in all looks from number `since` on, and in more than one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StuckSince {
    pub(super) since: u64,
    pub(super) stuck: Stuck,
}

/// An end of a channel that was found the same in all looks from number `since` on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EndSince {
    pub(super) since: u64,
    pub(super) end: LinkEnd,
    /// How it stands, if nothing of it was to be done or said at the node.
    pub(super) standing: Option<Quiet>,
}

/// How a channel stands at an end where nothing is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Quiet {
    pub(super) epoch: u64,
    pub(super) said: u64,
    pub(super) heard: u64,
    pub(super) open_messages: u64,
}

impl Quiet {
    pub(super) fn of(standing: Standing) -> Option<Self> {
        standing.is_quiet.then_some(Self {
            epoch: standing.epoch,
            said: standing.said,
            heard: standing.heard,
            open_messages: standing.open_messages as u64,
        })
    }
}

/// A deadlock through several nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    /// Who has found it, and in which of its looks.
    pub(super) finder: NodeId,
    pub(super) number: u64,
    /// The processes in it, in the order of the numbers by which they are told of: from 1.
    pub(super) members: Vec<Member>,
    pub(super) deadlock: Deadlock,
}

/// A process of a deadlock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) node: NodeId,
    /// The process's number there.
    pub(super) process: u64,
    /// Its turn: it has not moved if that is still the same.
    pub(super) turn: u64,
}

impl Found {
    /// By which two are told apart, and of two that are about the same processes the lower one counts.
    pub(super) fn key(&self) -> (NodeId, u64) {
        (self.finder, self.number)
    }

    /// The processes of its cycle, in order.
    pub(super) fn on_cycle(&self) -> impl Iterator<Item = Option<&Member>> {
        self.deadlock.cycle.iter().map(|blocked| {
            // They are called by their places, from 1.
            let at = usize::try_from(blocked.process_id.checked_sub(1)?).ok()?;
            self.members.get(at)
        })
    }

    /// Whether both tell the same cycle, whoever else waits because of it.
    pub(super) fn has_cycle_of(&self, other: &Self) -> bool {
        let is_known = self.on_cycle().all(|member| member.is_some());
        self.key() == other.key() || is_known && self.on_cycle().eq(other.on_cycle())
    }
}

impl Sample {
    /// Whether there is anything in it.
    pub(super) fn tells(&self) -> bool {
        !self.stuck.is_empty() || !self.ends.is_empty()
    }

    /// What comes from a peer is shown to people, so there is nothing in it but text.
    pub(super) fn clean(&mut self) {
        clean(&mut self.name);
        for StuckSince { stuck, .. } in &mut self.stuck {
            clean(&mut stuck.name);
            stuck
                .waits
                .iter_mut()
                .for_each(|it| clean_wait(&mut it.wait));
        }
        if let Some(found) = &mut self.found {
            let Deadlock {
                network,
                cycle,
                others,
                ..
            } = &mut found.deadlock;
            clean(network);
            for blocked in cycle.iter_mut().chain(others) {
                clean(&mut blocked.process);
                blocked.waits.iter_mut().for_each(clean_wait);
            }
        }
    }
}

fn clean_wait(wait: &mut Wait) {
    clean(&mut wait.channel);
    clean(&mut wait.site.file);
    wait.waits_for.iter_mut().for_each(clean);
}

fn clean(text: &mut String) {
    if text.chars().any(char::is_control) {
        *text = text.replace(char::is_control, " ");
    }
}

/// The samples that the peer does not have yet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Samples(pub(super) Vec<Sample>);

impl Message for Samples {
    const NAME: &'static str = "handover.Waits";
}
