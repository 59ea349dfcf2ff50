//! Patterns that people reach for, thin on top of the channels: fan-in, fan-out and request/reply; and on top of
//! processes: pipelines and actors.
//!
//! None of them has a queue: whatever must wait stays with its owner, who waits. Those on channels start no thread and no
//! task: what somebody has to carry from one channel to another is carried by whoever calls `run`.
//!
//! | to | use |
//! |---|---|
//! | ask a question and wait for its answer | [`request_reply`] |
//! | hand each message to all of many receivers | [`broadcast()`] |
//! | take from many receivers as from one | [`merge()`] |
//! | split one receiver into several, by what is in the message | [`partition()`], [`partition_by`] |
//! | have items pass stages of several workers each, in order or not | [`Pipeline`] |
//! | keep a state that others reach by typed messages | [`Actor`] |
//! | have actors made anew together when one fails | [`Supervisor`] |

#[cfg(not(loom))]
mod actor;
mod broadcast;
mod call;
#[cfg(not(loom))]
mod in_time;
mod merge;
mod partition;
#[cfg(not(loom))]
mod pipeline;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
pub use self::actor::{
    Actor, ActorError, ActorReport, ActorWatch, Address, AddressShare, AddressToken, Asking,
    BlockingAddress, BlockingStopper, Context, DeclaredActor, Handler, InHand, Kept, KeptPort,
    NewActor, RestartLimit, RestartStrategy, StopError, Stopper, StopperToken, SupervisionLimit,
    Supervisor, SupervisorReport,
};
#[cfg(not(loom))]
pub use self::pipeline::{
    Assembly, Built, Finished, Pipeline, PipelineError, PipelineReport, SinkStep, StageReport,
    StepOn, StepWith, TimeLimit,
};
pub use self::{
    broadcast::{
        Broadcast, BroadcastError, Delivery, DeliveryFuture, Missed, Partial, Subscribers,
        broadcast,
    },
    call::{CallError, CallFuture, Client, Reply, Request, Server, Withdrawn, request_reply},
    merge::{Merge, MergeStream, merge},
    partition::{Outlet, Partition, partition, partition_by},
};
