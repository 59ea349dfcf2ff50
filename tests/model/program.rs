//! Random programs: what each step does, and how often it is drawn.

use proptest::prelude::*;

/// How many channels a program has; few, so that its operations meet.
pub(crate) const CHANNELS: usize = 2;

/// How many operations may be under way at once.
pub(crate) const SLOTS: usize = 6;

/// How long a program may be.
pub(crate) const STEPS_MAX: usize = 80;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Sending,
    Receiving,
}

/// How a message is sent, which decides where it is when the send is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendWay {
    Async,
    From,
    Sink,
}

/// One guard of an alternation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) channel: usize,
    pub(crate) side: Side,
}

/// The guards of an alternation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guards {
    pub(crate) all: Vec<Guard>,
    /// Before which of them a timer stands that is due, or after them all.
    pub(crate) timer: Option<usize>,
    pub(crate) biased: bool,
}

/// An operation that may wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Send(usize, SendWay),
    /// By a deadline that has passed when the future is polled first; into its home if so asked.
    SendInTime(usize, SendWay),
    Recv(usize),
    RecvInTime(usize),
    /// A stream, of which each message is an operation of its own.
    Stream(usize),
    Hold(usize),
    /// Takes into custody, pauses once, and releases.
    Accept(usize),
    Select(Guards),
    Ready(usize),
    Closed(usize, Side),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Release,
    HandBack,
    Doubt,
    Drop,
}

/// How an operation that does not wait looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    Try,
    /// With a deadline that has passed when the operation has begun to wait.
    Timeout,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Makes the future; it does nothing before it is polled.
    Begin(Operation),
    /// Makes the future and polls it.
    Start(Operation),
    /// Polls one of the operations under way, woken or not.
    Poll(usize),
    /// Polls one of those that were woken.
    PollWoken(usize),
    /// Cancels one of the operations under way.
    Drop(usize),
    Send(usize, Haste),
    Recv(usize, Haste),
    SelectNow(Guards, Haste),
    /// One of this side closes the channel to both.
    Poison(usize, Side),
    Grant(usize, usize),
    Revoke(usize, usize),
    /// Takes so many of the messages that were sent within credit and that no receiver will take.
    Drain(usize, Side, usize),
    CloneEnd(usize, Side),
    DropEnd(usize, Side),
    /// Answers for one of the messages in custody.
    Answer(usize, Answer),
    /// Polls all that were woken, until none is: then nobody may wait who could go on.
    Settle,
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Sending), Just(Side::Receiving)]
}

fn guards() -> impl Strategy<Value = Guards> {
    let guard = (0..CHANNELS, side()).prop_map(|(channel, side)| Guard { channel, side });
    let all = prop::collection::vec(guard, 1..=4);
    // With a timer that is due it never waits, so that is rarer.
    let timer = prop_oneof![5 => Just(None), 1 => (0..=4usize).prop_map(Some)];
    (all, timer, any::<bool>()).prop_map(|(all, timer, biased)| Guards { all, timer, biased })
}

fn haste() -> impl Strategy<Value = Haste> {
    // A deadline costs a wait that is spun for, so it is rarer.
    prop_oneof![6 => Just(Haste::Try), 1 => Just(Haste::Timeout)]
}

fn operation() -> impl Strategy<Value = Operation> {
    let way = prop_oneof![
        Just(SendWay::Async),
        Just(SendWay::From),
        Just(SendWay::Sink)
    ];
    let timed = prop_oneof![Just(SendWay::Async), Just(SendWay::From)];
    prop_oneof![
        6 => (0..CHANNELS, way).prop_map(|(channel, way)| Operation::Send(channel, way)),
        1 => (0..CHANNELS, timed).prop_map(|(channel, way)| Operation::SendInTime(channel, way)),
        4 => (0..CHANNELS).prop_map(Operation::Recv),
        1 => (0..CHANNELS).prop_map(Operation::RecvInTime),
        2 => (0..CHANNELS).prop_map(Operation::Stream),
        3 => (0..CHANNELS).prop_map(Operation::Hold),
        2 => (0..CHANNELS).prop_map(Operation::Accept),
        5 => guards().prop_map(Operation::Select),
        1 => (0..CHANNELS).prop_map(Operation::Ready),
        1 => (0..CHANNELS, side()).prop_map(|(channel, side)| Operation::Closed(channel, side)),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        2 => Just(Answer::Release),
        2 => Just(Answer::HandBack),
        2 => Just(Answer::Doubt),
        1 => Just(Answer::Drop),
    ]
}

fn credits() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0), 4 => Just(1), 3 => Just(2), 2 => Just(3)]
}

/// A receiver that drains is gone afterwards.
fn drainer() -> impl Strategy<Value = Side> {
    prop_oneof![3 => Just(Side::Sending), 1 => Just(Side::Receiving)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => operation().prop_map(Step::Begin),
        24 => operation().prop_map(Step::Start),
        12 => (0..SLOTS).prop_map(Step::Poll),
        16 => (0..SLOTS).prop_map(Step::PollWoken),
        5 => (0..SLOTS).prop_map(Step::Drop),
        3 => (0..CHANNELS, haste()).prop_map(|(channel, haste)| Step::Send(channel, haste)),
        4 => (0..CHANNELS, haste()).prop_map(|(channel, haste)| Step::Recv(channel, haste)),
        3 => (guards(), haste()).prop_map(|(guards, haste)| Step::SelectNow(guards, haste)),
        2 => (0..CHANNELS, side()).prop_map(|(channel, side)| Step::CloneEnd(channel, side)),
        1 => (0..CHANNELS, side()).prop_map(|(channel, side)| Step::DropEnd(channel, side)),
        8 => (0..SLOTS, answer()).prop_map(|(pick, answer)| Step::Answer(pick, answer)),
        1 => (0..CHANNELS, side()).prop_map(|(channel, side)| Step::Poison(channel, side)),
        5 => (0..CHANNELS, credits()).prop_map(|(channel, n)| Step::Grant(channel, n)),
        2 => (0..CHANNELS, credits()).prop_map(|(channel, n)| Step::Revoke(channel, n)),
        2 => (0..CHANNELS, drainer(), 0..4usize)
            .prop_map(|(channel, side, most)| Step::Drain(channel, side, most)),
        3 => Just(Step::Settle),
    ]
}

/// A kind of step that a program may do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feature {
    /// Polls that nobody was woken for: they also hide that somebody was not woken.
    PollForNothing,
    Cancel,
    Close,
    Passing,
    Custody,
    Watching,
    Alternating,
    Fairness,
    Receiving,
    Poison,
    Credit,
    /// Deadlines and timers that are past.
    Timing,
}

/// What a step needs; most programs lack something, so that what they have meets more often.
fn feature(step: &Step) -> Option<Feature> {
    match step {
        Step::Begin(operation) | Step::Start(operation) => match operation {
            Operation::Hold(_) | Operation::Accept(_) => Some(Feature::Custody),
            Operation::Ready(_) | Operation::Closed(..) => Some(Feature::Watching),
            Operation::Select(guards) if guards.timer.is_some() => Some(Feature::Timing),
            Operation::Select(guards) if guards.biased => Some(Feature::Alternating),
            Operation::Select(_) => Some(Feature::Fairness),
            Operation::SendInTime(..) | Operation::RecvInTime(_) => Some(Feature::Timing),
            Operation::Recv(_) | Operation::Stream(_) => Some(Feature::Receiving),
            Operation::Send(..) => None,
        },
        Step::Poll(_) => Some(Feature::PollForNothing),
        Step::Drop(_) => Some(Feature::Cancel),
        Step::DropEnd(..) | Step::Drain(_, Side::Receiving, _) => Some(Feature::Close),
        Step::Send(..) | Step::Recv(..) | Step::SelectNow(..) => Some(Feature::Passing),
        Step::Poison(..) => Some(Feature::Poison),
        Step::Grant(..) | Step::Revoke(..) | Step::Drain(_, Side::Sending, _) => {
            Some(Feature::Credit)
        }
        Step::PollWoken(_) | Step::CloneEnd(..) | Step::Answer(..) | Step::Settle => None,
    }
}

/// A random program: random steps, without those of the features that this program lacks.
pub(crate) fn program() -> impl Strategy<Value = Vec<Step>> {
    let steps = prop::collection::vec(step(), 1..=STEPS_MAX);
    (any::<u16>(), steps).prop_map(|(lacks, steps)| {
        let has =
            |step: &Step| feature(step).is_none_or(|feature| lacks & (1 << feature as u16) == 0);
        steps.into_iter().filter(has).collect()
    })
}
