//! Supervisors: what else is made anew when an actor fails, and how often that may be.
//!
//! A supervisor is no process. Whoever fails notes it here, before anybody else hears of the failure, and marks those
//! that are to be made anew with it; each looks at its mark when it takes its next message. So supervision adds no channel
//! and no wait, a cycle of actors is reported as without it, and nobody who waits for the failed actor can hold it up.
//!
//! # Invariants
//!
//! - A mark is set before the sender of the message that the actor failed with hears of that. So whoever has heard of it
//!   meets no actor from before.
//! - Never more than one of these locks is held.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Weak,
    time::{Duration, Instant},
};

use super::{
    Actor, ActorReport, DeclaredActor, NewActor,
    gauge::Gauge,
    restarts::{Failure, Restarts},
    stopper::{StopperToken, Stops},
};
use crate::{
    channel::Reason,
    process::{Here, Network, ProcessError},
    sync::{Arc, AtomicBool, Mutex, Ordering},
};

/// Who is made anew when one actor of a [`Supervisor`] fails. The names are those of Erlang/OTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartStrategy {
    /// Only the one that failed.
    OneForOne,
    /// All.
    OneForAll,
    /// The one that failed, and those that were declared after it.
    RestForOne,
}

/// Actors that are made anew together, so often at most.
///
/// ```
/// use std::time::Duration;
///
/// use handover::{
///     pattern::{Actor, Address, Context, Handler, InHand, RestartStrategy, Supervisor},
///     process::{Network, ProcessError},
/// };
///
/// #[derive(Default)]
/// struct Shelf(u32);
/// struct Put(u32);
///
/// impl Actor for Shelf {
///     type Ports = ();
/// }
///
/// impl Handler<Put> for Shelf {
///     type Reply = u32;
///     async fn handle(&mut self, put: InHand<'_, Put>, _: &Context<'_, Self>) -> Result<u32, ProcessError> {
///         if put.0 > 100 {
///             return Err(ProcessError::msg("too heavy"));
///         }
///         self.0 += put.0;
///         Ok(self.0)
///     }
/// }
///
/// let mut net = Network::new("house");
/// let store = Supervisor::new("store", RestartStrategy::OneForAll).restarts(3, Duration::from_secs(60));
/// let left = store.declare(&mut net, "left").spawn(&mut net, (), Shelf::default);
/// let right = store.declare(&mut net, "right").spawn(&mut net, (), Shelf::default);
/// net.process("user", (left, right), async |(left, right): &(Address<Shelf>, Address<Shelf>)| {
///     assert_eq!(left.ask(Put(1)).await?, 1);
///     assert!(right.tell(Put(101)).await.is_err()); // its message comes back
///     assert_eq!(left.ask(Put(1)).await?, 1); // both were made anew
///     Ok(())
/// });
/// net.run()?;
/// assert_eq!(store.report().restarts, 1);
/// # Ok::<(), handover::process::RunError>(())
/// ```
///
/// # What becomes of messages
///
/// A restarted actor keeps its channel: whoever waits for it goes on waiting, and meets the new one. The message in hand
/// of the one that *failed* goes back to whoever waits for it, with [`ActorError::Failed`](super::ActorError::Failed),
/// unless its handler had [taken](super::InHand::take) it; one that was [given](super::Address::give) is gone with the
/// actor. The others that are made anew with it finish what they have in hand, as they were, and are made anew before
/// the next message that they take: between two messages an actor does nothing, so that differs from *at once* only for
/// its hooks and for what its destructor frees.
///
/// # Limit
///
/// One failure more than the limit goes up: to the supervisor [above](Self::supervisor), for which this one is one that
/// failed, and which restarts all of it; or, where there is none, the actor's process fails with [`SupervisionLimit`],
/// which is the failure of the run, and the others of this supervisor [stop](Actor::stopped) with the next message, which
/// goes back with [`ActorError::Down`](super::ActorError::Down).
///
/// An actor that has a limit [of its own](DeclaredActor::restarts) too comes here when that is passed.
///
/// # Cost
///
/// It is no process and has no channel, so it adds no wait, and a deadlock among its actors is reported as it would be
/// without it. Its name stands before those of its actors, as in `store/left`. A message costs one look at a flag.
#[derive(Clone)]
pub struct Supervisor(Arc<Group>);

struct Group {
    name: String,
    strategy: RestartStrategy,
    above: Option<(Supervisor, u64)>,
    state: Mutex<State>,
}

struct State {
    limit: Restarts,
    /// By the order in which they were declared.
    members: BTreeMap<u64, Member>,
    numbers: u64,
    restarts: u64,
    last: Option<String>,
    /// Once it may not be restarted any more.
    down: Option<Reason>,
    stops: Vec<(String, Arc<dyn Stops>)>,
}

#[derive(Clone)]
enum Member {
    Actor { mark: Arc<Mark>, gauge: Arc<Gauge> },
    Group(Weak<Group>),
}

impl Member {
    fn order(&self, order: &Order) {
        match self {
            Self::Actor { mark, .. } => mark.order(order.clone()),
            Self::Group(group) => {
                if let Some(group) = group.upgrade() {
                    group.order(order);
                }
            }
        }
    }
}

/// What an actor is to do before its next message.
#[derive(Debug, Clone)]
pub(super) enum Order {
    Renew(Reason),
    Stop(Reason),
}

#[derive(Debug, Default)]
struct Mark {
    is_set: AtomicBool,
    order: Mutex<Option<Order>>,
}

impl Mark {
    fn order(&self, order: Order) {
        let mut place = self.order.lock();
        // Nothing is after a stop.
        if !matches!(&*place, Some(Order::Stop(_))) {
            *place = Some(order);
        }
        self.is_set.store(true, Ordering::Release);
    }

    fn take(&self) -> Option<Order> {
        // Whoever has heard of a failure has heard of it after the mark was set.
        if !self.is_set.load(Ordering::Acquire) {
            return None;
        }
        let mut place = self.order.lock();
        self.is_set.store(false, Ordering::Release);
        place.take()
    }
}

/// The failure of an actor whose supervisor has restarted as often as it may.
#[derive(Debug, thiserror::Error)]
#[error(
    "supervisor `{supervisor}` has restarted {limit} times within {period:?}, and `{actor}` failed again: {reason}"
)]
pub struct SupervisionLimit {
    /// The supervisor, by its full name.
    pub supervisor: String,
    /// How often it may restart.
    pub limit: u32,
    /// Within which time.
    pub period: Duration,
    /// The actor that failed, by its full name.
    pub actor: String,
    /// How it failed.
    pub reason: String,
}

impl Supervisor {
    /// A supervisor that may not restart anything yet; see [`restarts`](Self::restarts).
    #[must_use]
    pub fn new(name: &str, strategy: RestartStrategy) -> Self {
        Self::within(name.to_owned(), strategy, None)
    }

    fn within(name: String, strategy: RestartStrategy, above: Option<(Self, u64)>) -> Self {
        Self(Arc::new(Group {
            name,
            strategy,
            above,
            state: Mutex::new(State {
                limit: Restarts::new(0, Duration::ZERO),
                members: BTreeMap::new(),
                numbers: 0,
                restarts: 0,
                last: None,
                down: None,
                stops: Vec::new(),
            }),
        }))
    }

    /// Has it restart at most `limit` times within any `period`. Without this the first failure goes up.
    #[must_use]
    pub fn restarts(self, limit: u32, period: Duration) -> Self {
        self.0.state.lock().limit = Restarts::new(limit, period);
        self
    }

    /// A supervisor below this one, which is for this one what an actor is: one that has failed when its limit is passed.
    /// Its full name is this one's, a slash, and `name`.
    #[must_use]
    pub fn supervisor(&self, name: &str, strategy: RestartStrategy) -> Self {
        let number = self.0.number();
        let full = format!("{}/{name}", self.0.name);
        let below = Self::within(full, strategy, Some((self.clone(), number)));
        let member = Member::Group(Arc::downgrade(&below.0));
        let mut state = self.0.state.lock();
        state.members.insert(number, member);
        let down = state.down.clone();
        drop(state);
        if let Some(reason) = down {
            below.0.order(&Order::Stop(reason));
        }
        below
    }

    /// Names an actor that it supervises, as [`Actor::declare`] does. Its name is the supervisor's, a slash, and `name`.
    pub fn declare<A: Actor>(&self, net: &mut Network, name: &str) -> DeclaredActor<A> {
        let name = format!("{}/{name}", self.0.name);
        let declared = DeclaredActor::new(net, &name);
        let stops = declared.stops();
        let mut supervisor = Some(self);
        while let Some(Self(group)) = supervisor {
            let entry = (name.clone(), Arc::clone(&stops));
            group.state.lock().stops.push(entry);
            supervisor = group.above.as_ref().map(|(above, _)| above);
        }
        declared.supervised(|gauge| self.take_in(gauge))
    }

    /// Names an actor that it supervises and that begins while the network runs, as [`Actor::declare_at`] does.
    ///
    /// It comes after those that were declared before. Like every process that is started so, it has the name of whoever
    /// starts it before its own, and not that of the supervisor. Stop it with its address: a [`Stopper`](super::Stopper)
    /// knows only those that were declared before the run.
    pub fn declare_at<'a, A: Actor>(&self, here: &'a Here, name: &str) -> NewActor<'a, A> {
        NewActor::new(here, name).supervised(|gauge| self.take_in(gauge))
    }

    /// The right to stop the actors that were declared by now, those of supervisors below among them, for a process that is
    /// to end them in order.
    pub fn stopper(&self) -> StopperToken {
        StopperToken::new(self.0.state.lock().stops.clone())
    }

    /// What it has done by now; from any thread and at any time, also after the run.
    #[must_use]
    pub fn report(&self) -> SupervisorReport {
        let state = self.0.state.lock();
        let gauges: Vec<Arc<Gauge>> = state
            .members
            .values()
            .filter_map(|member| match member {
                Member::Actor { gauge, .. } => Some(Arc::clone(gauge)),
                Member::Group(_) => None,
            })
            .collect();
        let (restarts, last) = (state.restarts, state.last.clone());
        let down = state.down.as_ref().map(ToString::to_string);
        drop(state);
        SupervisorReport {
            supervisor: self.0.name.clone(),
            restarts,
            last,
            down,
            actors: gauges.iter().map(|gauge| gauge.read()).collect(),
        }
    }

    fn take_in(&self, gauge: &Arc<Gauge>) -> Membership {
        let mark = Arc::<Mark>::default();
        let number = self.0.number();
        let member = Member::Actor {
            mark: Arc::clone(&mark),
            gauge: Arc::clone(gauge),
        };
        let mut state = self.0.state.lock();
        state.members.insert(number, member);
        let down = state.down.clone();
        drop(state);
        if let Some(reason) = down {
            mark.order(Order::Stop(reason));
        }
        Membership {
            group: Arc::clone(&self.0),
            number,
            mark,
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("name", &self.0.name)
            .field("strategy", &self.0.strategy)
            .finish_non_exhaustive()
    }
}

impl Group {
    fn number(&self) -> u64 {
        let mut state = self.state.lock();
        state.numbers += 1;
        state.numbers
    }

    /// Gives an order to all of it; it begins to count its restarts anew.
    fn order(&self, order: &Order) {
        let mut state = self.state.lock();
        state.limit.forget();
        if let Order::Stop(reason) = order {
            state.down = Some(reason.clone());
        }
        let members: Vec<Member> = state.members.values().cloned().collect();
        drop(state);
        for member in members {
            member.order(order);
        }
    }

    /// The member with this number has failed: orders what follows, or says why nothing is to follow but the end.
    fn failed(
        &self,
        number: u64,
        actor: &str,
        reason: &str,
        now: Instant,
    ) -> Result<(), SupervisionLimit> {
        let mut state = self.state.lock();
        if state.limit.allow_one(now) {
            state.restarts += 1;
            state.last = Some(format!("`{actor}` failed: {reason}"));
            let members: Vec<Member> = match self.strategy {
                RestartStrategy::OneForOne => {
                    state.members.get(&number).cloned().into_iter().collect()
                }
                RestartStrategy::OneForAll => state.members.values().cloned().collect(),
                RestartStrategy::RestForOne => state
                    .members
                    .range(number..)
                    .map(|(_, member)| member.clone())
                    .collect(),
            };
            drop(state);
            let order = Order::Renew(format!("`{actor}` failed: {reason}").into());
            for member in members {
                member.order(&order);
            }
            return Ok(());
        }
        let error = SupervisionLimit {
            supervisor: self.name.clone(),
            limit: state.limit.limit,
            period: state.limit.period,
            actor: actor.to_owned(),
            reason: reason.to_owned(),
        };
        drop(state);
        if let Some((above, number)) = &self.above {
            return above.0.failed(*number, actor, &error.to_string(), now);
        }
        self.order(&Order::Stop(error.to_string().into()));
        Err(error)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some((above, number)) = &self.above {
            let member = above.0.state.lock().members.remove(number);
            drop(member);
        }
    }
}

/// The place of an actor in its supervisor.
pub(super) struct Membership {
    group: Arc<Group>,
    number: u64,
    mark: Arc<Mark>,
}

impl Membership {
    /// What the actor is to do before its next message, if anything.
    pub(super) fn take_order(&self) -> Option<Order> {
        self.mark.take()
    }

    /// The actor has failed. `Ok` if it is to be made anew.
    pub(super) fn failed(
        &self,
        actor: &str,
        failure: &Failure,
        now: Instant,
    ) -> Result<(), Failure> {
        let failed = self
            .group
            .failed(self.number, actor, &failure.to_string(), now);
        // It is made anew for its own failure; an order to do so was for the others.
        match (failed, self.mark.take()) {
            (Err(error), _) => Err(Failure::Error(ProcessError::from(error))),
            (Ok(()), Some(Order::Stop(reason))) => Err(Failure::Error(ProcessError::msg(reason))),
            (Ok(()), _) => Ok(()),
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let member = self.group.state.lock().members.remove(&self.number);
        drop(member);
    }
}

/// What a supervisor has done by now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SupervisorReport {
    /// The supervisor, by its full name.
    pub supervisor: String,
    /// For how many failures it has restarted, however many actors were made anew for each.
    pub restarts: u64,
    /// The last of them.
    pub last: Option<String>,
    /// Why it restarts nothing any more.
    pub down: Option<String>,
    /// Its actors that have not ended, in the order in which they were declared.
    pub actors: Vec<ActorReport>,
}

impl fmt::Display for SupervisorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} restarts", self.supervisor, self.restarts)?;
        if let Some(last) = &self.last {
            write!(f, "; the last because {last}")?;
        }
        if let Some(down) = &self.down {
            write!(f, "; down: {down}")?;
        }
        for actor in &self.actors {
            write!(f, "\n  {actor}")?;
        }
        Ok(())
    }
}
