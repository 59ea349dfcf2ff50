//! What of a node's waits has stayed the same from one look to the next.

use std::collections::HashMap;

use super::{
    sample::{EndSince, Quiet, StuckSince},
    standing::Ends,
};
use crate::process::{
    Crossing,
    abroad::{Custody, LinkEnd, Stuck, Waits},
};

/// The last look, and since which one things are as they were in it.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// How many looks there were.
    pub(super) looks: u64,
    stuck: HashMap<u64, (Stuck, u64)>,
    ends: HashMap<Crossing, (LinkEnd, Quiet, u64)>,
}

/// What a node may tell of a look: all that was the same in more than one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Steady {
    pub(super) stuck: Vec<StuckSince>,
    pub(super) ends: Vec<EndSince>,
    pub(super) live: u64,
}

impl Track {
    /// Notes a look, and how the link's ends stood just before it.
    ///
    /// Of a node where nobody is stuck nothing is told, unless it `is_asked`: others may wait for each other through it.
    pub(super) fn note(
        &mut self,
        waits: Option<Waits>,
        standings: &[(String, Ends)],
        is_asked: bool,
    ) -> Steady {
        self.looks += 1;
        let number = self.looks;
        let Waits { stuck, ends, live } = waits.unwrap_or_default();
        let stuck: Vec<StuckSince> = stuck
            .into_iter()
            .map(|stuck| {
                let known = self.stuck.get(&stuck.id);
                let known = known.filter(|(before, _)| *before == stuck);
                let since = known.map_or(number, |&(_, since)| since);
                StuckSince { since, stuck }
            })
            .collect();
        let ends: Vec<EndSince> = ends
            .into_iter()
            .map(|end| {
                let standing = standing(standings, &end.crossing);
                let known = self.ends.get(&end.crossing);
                let known =
                    known.filter(|(before, quiet, _)| (before, Some(*quiet)) == (&end, standing));
                let since = known.map_or(number, |&(.., since)| since);
                EndSince {
                    since,
                    end,
                    standing,
                }
            })
            .collect();
        self.stuck = stuck
            .iter()
            .map(|it| (it.stuck.id, (it.stuck.clone(), it.since)))
            .collect();
        self.ends = ends
            .iter()
            .filter_map(|it| {
                Some((
                    it.end.crossing.clone(),
                    (it.end.clone(), it.standing?, it.since),
                ))
            })
            .collect();
        let stuck: Vec<StuckSince> = stuck.into_iter().filter(|it| it.since < number).collect();
        if stuck.is_empty() && !(is_asked && ends.iter().any(|it| !it.end.through.is_empty())) {
            return Steady::default();
        }
        let ends = ends.into_iter().map(|end| {
            if end.standing.is_some() && end.since < number {
                end
            } else {
                unsettled(end.end)
            }
        });
        Steady {
            ends: ends.collect(),
            stuck,
            live,
        }
    }

    /// Whether the process was found at the last look in the same turn.
    pub(super) fn is_stuck(&self, process: u64, turn: u64) -> bool {
        let known = self.stuck.get(&process);
        known.is_some_and(|(stuck, _)| stuck.turn == turn)
    }
}

fn standing(standings: &[(String, Ends)], crossing: &Crossing) -> Option<Quiet> {
    let mut links = standings.iter();
    let (_, ends) = links.find(|(session, _)| *session == crossing.session)?;
    let standing = ends.get(&(crossing.is_outbound, crossing.channel.clone()))?;
    Quiet::of(*standing)
}

/// An end of which nothing can be said yet, in the same words each time.
fn unsettled(end: LinkEnd) -> EndSince {
    EndSince {
        since: 0,
        end: LinkEnd {
            crossing: end.crossing,
            version: 0,
            is_open: true,
            holders: Vec::new(),
            spoilers: Vec::new(),
            through: Vec::new(),
            beside: Vec::new(),
            custody: Custody::default(),
            sends: false,
            receives: false,
        },
        standing: None,
    }
}
