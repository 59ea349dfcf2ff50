//! How two neighbouring stages are linked, and where an order comes from without a reorder buffer.
//!
//! Items of a stage that keeps order are dealt to its workers in turn, and taken from them in turn: the item with the
//! number `n` goes through worker `n mod K` of `K`. Between two such stages there is a channel from each worker to each
//! worker, so both sides know from `n` alone which channel is next, and nothing is shared. A worker that has finished
//! before its turn waits with its one result in its hand; that is all that is ever held.
//!
//! # Invariants
//!
//! - Between two stages that keep order each number is sent exactly once, as an item or as a gap.
//! - Whoever sends next on such a link, and whoever receives, follow from the number alone.
//! - What comes of one number, if it is several items, goes to one worker, one after the other, and ends with the last of
//!   them or with a gap.
//!
//! A stage whose items go by key has a channel for each worker, and whoever has an item knows from its key which. Where
//! its items have numbers, one process takes them in turn first.

use std::{
    future::ready,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{
    plan::Site,
    step::{One, Plain},
    worker::{Outlet, Policy, Ports, Worker, work},
};
use crate::{
    process::{InToken, Network, OutToken, ProcessError},
    sync::Arc,
};

/// What passes between stages: what a number has come to, or a part of it.
#[derive(Debug)]
pub(super) enum Slot<T> {
    /// The only item of its number, or the last.
    Last(T),
    /// An item after which others of the same number come, or a gap.
    More(T),
    /// No item, or no more, where others count on the number.
    Gap,
}

impl<T> Slot<T> {
    pub(super) fn is_item(&self) -> bool {
        !matches!(self, Self::Gap)
    }
}

/// Where a worker's next item comes from.
#[derive(Debug)]
pub(super) struct Inlet {
    round: Round,
    /// Where the rest of a number comes from.
    at: Option<usize>,
}

impl Inlet {
    pub(super) fn new(round: Round) -> Self {
        Self { round, at: None }
    }

    /// The channel of the next slot.
    pub(super) fn port(&mut self) -> usize {
        *self.at.get_or_insert_with(|| self.round.next())
    }

    /// What is in a slot that came on that channel: an item, and whether no more comes of its number.
    pub(super) fn take<T>(&mut self, slot: Slot<T>) -> (Option<T>, bool) {
        match slot {
            Slot::More(item) => (Some(item), false),
            Slot::Last(item) => {
                self.at = None;
                (Some(item), true)
            }
            Slot::Gap => {
                self.at = None;
                (None, true)
            }
        }
    }
}

/// Which worker of a stage an item goes to.
pub(super) type Pick<T> = Arc<dyn Fn(&T) -> usize + Send + Sync>;

/// Those who come after a stage.
pub(super) struct After<T> {
    pub(super) crew: Crew,
    /// If its items go by key.
    pub(super) pick: Option<Pick<T>>,
}

impl<T> After<T> {
    /// One process.
    pub(super) fn one(name: &str) -> Self {
        Self {
            crew: Crew::one(name),
            pick: None,
        }
    }
}

/// The workers of a stage, as their neighbours see them.
#[derive(Debug, Clone)]
pub(super) struct Crew {
    pub(super) stage: String,
    pub(super) workers: usize,
    keeps_order: bool,
}

impl Crew {
    /// One worker alone keeps order by itself.
    pub(super) fn new(stage: &str, workers: usize, is_ordered: bool) -> Self {
        Self {
            stage: stage.to_owned(),
            workers,
            keeps_order: is_ordered || workers == 1,
        }
    }

    pub(super) fn one(name: &str) -> Self {
        Self::new(name, 1, true)
    }
}

/// A worker's way round its channels.
#[derive(Debug, Clone)]
pub(super) struct Round {
    at: usize,
    step: usize,
    count: usize,
}

impl Round {
    /// That of the worker that has every `step`th number from `first` on, where number `n` uses channel `n mod count`.
    fn new(first: usize, step: usize, count: usize) -> Self {
        Self {
            at: first % count,
            step: step % count,
            count,
        }
    }

    pub(super) fn next(&mut self) -> usize {
        let at = self.at;
        self.at = (at + self.step) % self.count;
        at
    }
}

/// How a worker finds the channel for its next result.
pub(super) enum Choice<T> {
    InTurn(Round),
    /// The workers keep no order among themselves: whoever has a result draws the next number.
    Drawn {
        drawn: Arc<AtomicUsize>,
        count: usize,
    },
    /// By what is in it.
    Picked(Pick<T>),
}

impl<T> Choice<T> {
    pub(super) fn next(&mut self, item: &T) -> usize {
        match self {
            Self::InTurn(round) => round.next(),
            // Nothing else hangs on the number, so no ordering is needed with it.
            Self::Drawn { drawn, count } => drawn.fetch_add(1, Ordering::Relaxed) % *count,
            Self::Picked(pick) => pick(item),
        }
    }

    /// The channel of a number that has no item.
    pub(super) fn next_in_turn(&mut self) -> Option<usize> {
        match self {
            Self::InTurn(round) => Some(round.next()),
            Self::Drawn { .. } | Self::Picked(_) => None,
        }
    }
}

/// Where a worker's results go.
pub(super) struct Route<T> {
    pub(super) ports: Vec<OutToken<Slot<T>>>,
    pub(super) choice: Choice<T>,
    /// Whether what is left out must be told, because others have numbers too.
    pub(super) tells_gaps: bool,
}

/// Where a worker's items come from.
pub(super) struct Feed<T> {
    pub(super) ports: Vec<InToken<Slot<T>>>,
    pub(super) round: Round,
}

/// Links each worker of `from` with those after it; the routes are those of the former, the feeds of the latter.
pub(super) fn link<T: Send + 'static>(
    site: &mut Site<'_>,
    from: &Crew,
    after: &After<T>,
) -> (Vec<Route<T>>, Vec<Feed<T>>) {
    let to = &after.crew;
    match &after.pick {
        Some(pick) if to.workers > 1 => {
            if from.keeps_order && from.workers > 1 {
                sorted(site, from, to, pick)
            } else {
                picked(site.net, from, to, pick)
            }
        }
        _ if from.keeps_order && to.keeps_order => crossed(site.net, from, to),
        _ if to.keeps_order && to.workers > 1 => dealt(site.net, from, to),
        _ => shared(site.net, from, to),
    }
}

/// A channel for each receiving worker, and whoever has an item knows whose it is.
fn picked<T: Send + 'static>(
    net: &mut Network,
    from: &Crew,
    to: &Crew,
    pick: &Pick<T>,
) -> (Vec<Route<T>>, Vec<Feed<T>>) {
    let (outs, feeds) = one_each(net, from, to);
    let routes = (0..from.workers)
        .map(|_| Route {
            ports: outs.iter().map(OutToken::share).collect(),
            choice: Choice::Picked(Arc::clone(pick)),
            tells_gaps: false,
        })
        .collect();
    (routes, feeds)
}

/// As [`picked`], where the items have numbers: one process takes them in turn, so that those of a key keep their order.
fn sorted<T: Send + 'static>(
    site: &mut Site<'_>,
    from: &Crew,
    to: &Crew,
    pick: &Pick<T>,
) -> (Vec<Route<T>>, Vec<Feed<T>>) {
    let name = keys_of(&to.stage);
    let sorter = Crew::one(&name);
    let (routes, taken) = crossed(site.net, from, &sorter);
    let gauge = site.gauge(&name);
    let (passed, feeds) = picked(site.net, &sorter, to, pick);
    if let (Some(feed), Some(route)) = (taken.into_iter().next(), passed.into_iter().next()) {
        let (outs, outlet) = Outlet::new(route, Policy::Stop, gauge);
        let worker = Worker {
            inlet: Inlet::new(feed.round),
            outlet,
            limit: None,
        };
        site.net.process(
            name,
            (feed.ports, outs, None::<OutToken<ProcessError>>),
            async move |ports: &Ports<T, T>| {
                work(ports, worker, Plain(|item| ready(Ok(One(item))))).await
            },
        );
    }
    (routes, feeds)
}

/// The name of what takes the items in turn for a stage by key.
pub(super) fn keys_of(stage: &str) -> String {
    format!("{stage} keys")
}

/// A channel from each to each.
fn crossed<T: Send + 'static>(
    net: &mut Network,
    from: &Crew,
    to: &Crew,
) -> (Vec<Route<T>>, Vec<Feed<T>>) {
    let mut feeds: Vec<Feed<T>> = (0..to.workers)
        .map(|worker| Feed {
            ports: Vec::with_capacity(from.workers),
            round: Round::new(worker, to.workers, from.workers),
        })
        .collect();
    let routes = (0..from.workers)
        .map(|worker| {
            let ports = feeds.iter_mut().enumerate().map(|(other, feed)| {
                let (out, into) = net.channel(&format!(
                    "{} {} > {} {}",
                    from.stage,
                    worker + 1,
                    to.stage,
                    other + 1
                ));
                feed.ports.push(into);
                out
            });
            Route {
                ports: ports.collect(),
                choice: Choice::InTurn(Round::new(worker, from.workers, to.workers)),
                tells_gaps: from.workers > 1,
            }
        })
        .collect();
    (routes, feeds)
}

/// A channel for each receiving worker, and whoever has a result draws whose turn it is.
fn dealt<T: Send + 'static>(
    net: &mut Network,
    from: &Crew,
    to: &Crew,
) -> (Vec<Route<T>>, Vec<Feed<T>>) {
    let drawn = Arc::new(AtomicUsize::new(0));
    let (outs, feeds) = one_each(net, from, to);
    let routes = (0..from.workers)
        .map(|_| Route {
            ports: outs.iter().map(OutToken::share).collect(),
            choice: Choice::Drawn {
                drawn: Arc::clone(&drawn),
                count: to.workers,
            },
            tells_gaps: false,
        })
        .collect();
    (routes, feeds)
}

/// A channel for each receiving worker.
fn one_each<T: Send + 'static>(
    net: &mut Network,
    from: &Crew,
    to: &Crew,
) -> (Vec<OutToken<Slot<T>>>, Vec<Feed<T>>) {
    (1..=to.workers)
        .map(|other| {
            let (out, into) = net.channel(&format!("{} > {} {other}", from.stage, to.stage));
            let feed = Feed {
                ports: vec![into],
                round: Round::new(0, 0, 1),
            };
            (out, feed)
        })
        .unzip()
}

/// One channel for all.
fn shared<T: Send + 'static>(
    net: &mut Network,
    from: &Crew,
    to: &Crew,
) -> (Vec<Route<T>>, Vec<Feed<T>>) {
    let (out, into) = net.channel(&format!("{} > {}", from.stage, to.stage));
    let routes = (0..from.workers)
        .map(|_| Route {
            ports: vec![out.share()],
            choice: Choice::InTurn(Round::new(0, 0, 1)),
            tells_gaps: false,
        })
        .collect();
    let feeds = (0..to.workers)
        .map(|_| Feed {
            ports: vec![into.share()],
            round: Round::new(0, 0, 1),
        })
        .collect();
    (routes, feeds)
}
