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

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{
    process::{InToken, Network, OutToken},
    sync::Arc,
};

/// What passes between stages: an item, or `None` where one was left out that others count on.
pub(super) type Slot<T> = Option<T>;

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
pub(super) enum Choice {
    InTurn(Round),
    /// The workers keep no order among themselves: whoever has a result draws the next number.
    Drawn {
        drawn: Arc<AtomicUsize>,
        count: usize,
    },
}

impl Choice {
    pub(super) fn next(&mut self) -> usize {
        match self {
            Self::InTurn(round) => round.next(),
            // Nothing else hangs on the number, so no ordering is needed with it.
            Self::Drawn { drawn, count } => drawn.fetch_add(1, Ordering::Relaxed) % *count,
        }
    }
}

/// Where a worker's results go.
pub(super) struct Route<T> {
    pub(super) ports: Vec<OutToken<Slot<T>>>,
    pub(super) choice: Choice,
    /// Whether what is left out must be told, because others have numbers too.
    pub(super) tells_gaps: bool,
}

/// Where a worker's items come from.
pub(super) struct Feed<T> {
    pub(super) ports: Vec<InToken<Slot<T>>>,
    pub(super) round: Round,
}

/// Links each worker of `from` with those of `to`; the routes are those of the former, the feeds of the latter.
pub(super) fn link<T: Send + 'static>(
    net: &mut Network,
    from: &Crew,
    to: &Crew,
) -> (Vec<Route<T>>, Vec<Feed<T>>) {
    if from.keeps_order && to.keeps_order {
        crossed(net, from, to)
    } else if to.keeps_order && to.workers > 1 {
        dealt(net, from, to)
    } else {
        shared(net, from, to)
    }
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
    let (outs, feeds): (Vec<_>, Vec<_>) = (1..=to.workers)
        .map(|other| {
            let (out, into) = net.channel(&format!("{} > {} {other}", from.stage, to.stage));
            let feed = Feed {
                ports: vec![into],
                round: Round::new(0, 0, 1),
            };
            (out, feed)
        })
        .unzip();
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
