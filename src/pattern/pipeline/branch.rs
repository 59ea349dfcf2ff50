//! Where a pipeline splits in two, and where two join again: one process each, with one item in its hand.

use super::{
    link::{After, Crew, Feed, Inlet, Route, Slot, link},
    plan::{Options, Plan, Site, WholePlan},
    report::Gauge,
    worker::{Outlet, Policy, ended, pass},
};
use crate::{
    process::{In, Out, ProcessResult},
    select_async,
    sync::{Arc, Mutex, time},
};

/// Where the first stage of a branch says how it is reached.
type Tap<T> = Arc<Mutex<Option<Route<T>>>>;

/// How a branch begins: at the process that splits, which is called `name`.
pub(super) fn tap<T: Send + 'static>(name: &str) -> (Tap<T>, Plan<T>) {
    let tap = Tap::default();
    let (place, name) = (Arc::clone(&tap), name.to_owned());
    let plan: Plan<T> = Box::new(move |site, _, after| {
        let (routes, feeds) = link(site, &Crew::one(&name), after);
        *place.lock() = routes.into_iter().next();
        feeds
    });
    (tap, plan)
}

/// Which of two an item goes to.
pub(super) type Predicate<T> = Box<dyn FnMut(&T) -> bool + Send>;

/// What splits, without where it splits to.
struct Fork<T> {
    feed: Option<Feed<T>>,
    gauge: Arc<Gauge>,
}

fn fork<T: Send + 'static>(
    site: &mut Site<'_>,
    name: &str,
    (before, before_options): (Plan<T>, Options),
) -> Fork<T> {
    let feeds = before(site, before_options, &After::one(name));
    Fork {
        feed: feeds.into_iter().next(),
        gauge: site.gauge(name),
    }
}

impl<T: Send + 'static> Fork<T> {
    fn add(
        self,
        site: &mut Site<'_>,
        name: String,
        predicate: Predicate<T>,
        (yes, no): (Option<Route<T>>, Option<Route<T>>),
    ) {
        let (Some(feed), Some(yes), Some(no)) = (self.feed, yes, no) else {
            return;
        };
        let gauge = self.gauge;
        let (yes, yes_outlet) = Outlet::new(yes, Policy::Stop, Arc::clone(&gauge));
        let (no, no_outlet) = Outlet::new(no, Policy::Stop, gauge);
        let inlet = Inlet::new(feed.round);
        site.net.process(
            name,
            (feed.ports, yes, no),
            async move |ports: &ForkPorts<T>| {
                split(ports, inlet, predicate, (yes_outlet, no_outlet)).await
            },
        );
    }
}

type ForkPorts<T> = (Vec<In<Slot<T>>>, Vec<Out<Slot<T>>>, Vec<Out<Slot<T>>>);

/// What splits: each item goes to one of two.
async fn split<T>(
    (ins, yes, no): &ForkPorts<T>,
    mut inlet: Inlet,
    mut predicate: Predicate<T>,
    (mut yes_outlet, mut no_outlet): (Outlet<T>, Outlet<T>),
) -> ProcessResult {
    let gauge = Arc::clone(&yes_outlet.gauge);
    let mut began = time::now();
    loop {
        let received = ins[inlet.port()].recv().await;
        let taken = time::now();
        gauge.waited_for_input(taken - began);
        began = taken;
        let item = match received {
            Ok(slot) => inlet.take(slot).0,
            Err(error) => return ended(error),
        };
        // It passes items one by one, so nobody after it counts on those that are left out.
        let Some(item) = item else { continue };
        gauge.took();
        let is_yes = predicate(&item);
        let made = time::now();
        gauge.worked(made - began);
        began = made;
        let item = Some(Ok(item));
        let flow = if is_yes {
            pass(&mut yes_outlet, yes, None, item, true, &mut began).await?
        } else {
            pass(&mut no_outlet, no, None, item, true, &mut began).await?
        };
        if flow.is_break() {
            return Ok(());
        }
        gauge.finished();
    }
}

/// A branch that ends in a sink of its own.
pub(super) fn branch<T: Send + 'static>(
    name: String,
    before: (Plan<T>, Options),
    predicate: Predicate<T>,
    (yes, branch): (Tap<T>, WholePlan),
) -> Plan<T> {
    Box::new(move |site, _, after| {
        let fork = fork(site, &name, before);
        branch(site, &sink_of(&name));
        let (routes, next) = link(site, &Crew::one(&name), after);
        let yes = yes.lock().take();
        fork.add(site, name, predicate, (yes, routes.into_iter().next()));
        next
    })
}

/// The name of the sink of a branch.
pub(super) fn sink_of(branch: &str) -> String {
    format!("{branch} sink")
}

/// The name of what joins two branches.
pub(super) fn join_of(branch: &str) -> String {
    format!("{branch} join")
}

/// One of two branches: where it begins, and how it is built.
pub(super) type Branch<T, U> = (Tap<T>, (Plan<U>, Options));

/// Two branches that join again.
pub(super) fn split_and_join<T: Send + 'static, U: Send + 'static>(
    name: String,
    before: (Plan<T>, Options),
    predicate: Predicate<T>,
    (yes_tap, (yes, yes_options)): Branch<T, U>,
    (no_tap, (no, no_options)): Branch<T, U>,
) -> Plan<U> {
    Box::new(move |site, _, after| {
        let join = join_of(&name);
        let fork = fork(site, &name, before);
        let one = yes(site, yes_options, &After::one(&join))
            .into_iter()
            .next();
        let other = no(site, no_options, &After::one(&join)).into_iter().next();
        let gauge = site.gauge(&join);
        let (routes, next) = link(site, &Crew::one(&join), after);
        if let (Some(one), Some(other), Some(route)) = (one, other, routes.into_iter().next()) {
            let (outs, outlet) = Outlet::new(route, Policy::Stop, gauge);
            let inlets = [Inlet::new(one.round), Inlet::new(other.round)];
            site.net.process(
                join,
                (one.ports, other.ports, outs),
                async move |ports: &JoinPorts<U>| join_two(ports, inlets, outlet).await,
            );
        }
        let routes = (yes_tap.lock().take(), no_tap.lock().take());
        fork.add(site, name, predicate, routes);
        next
    })
}

type JoinPorts<U> = (Vec<In<Slot<U>>>, Vec<In<Slot<U>>>, Vec<Out<Slot<U>>>);

/// What joins: takes from whichever has an item, until both have ended.
async fn join_two<U>(
    (one, other, outs): &JoinPorts<U>,
    [mut one_inlet, mut other_inlet]: [Inlet; 2],
    mut outlet: Outlet<U>,
) -> ProcessResult {
    let gauge = Arc::clone(&outlet.gauge);
    let (mut has_one, mut has_other) = (true, true);
    let mut began = time::now();
    loop {
        let (from_one, received) = match (has_one, has_other) {
            (true, true) => {
                let (first, second) = (&one[one_inlet.port()], &other[other_inlet.port()]);
                select_async! {
                    recv(first) -> received => (true, received),
                    recv(second) -> received => (false, received),
                }
            }
            (true, false) => (true, one[one_inlet.port()].recv().await),
            (false, true) => (false, other[other_inlet.port()].recv().await),
            (false, false) => return Ok(()),
        };
        let taken = time::now();
        gauge.waited_for_input(taken - began);
        began = taken;
        let (inlet, has) = if from_one {
            (&mut one_inlet, &mut has_one)
        } else {
            (&mut other_inlet, &mut has_other)
        };
        let item = match received {
            Ok(slot) => inlet.take(slot).0,
            Err(error) => {
                ended(error)?;
                *has = false;
                continue;
            }
        };
        let Some(item) = item else { continue };
        gauge.took();
        let passed = pass(&mut outlet, outs, None, Some(Ok(item)), true, &mut began);
        if passed.await?.is_break() {
            return Ok(());
        }
        gauge.finished();
    }
}
