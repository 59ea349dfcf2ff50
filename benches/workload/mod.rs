//! The work that is measured, the same for every channel, and who takes part in it.

pub mod contender;
mod tasks;
mod threads;

use std::time::Duration;

use contender::{Contender, Crossbeam, Flume, Handover, Kanal, KanalAsync, Message, Std, Tokio};

/// What one run of a workload took.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// From the first send to the last receive.
    pub elapsed: Duration,
    /// Of all threads of the process, in that time.
    pub cpu: Duration,
    /// Of all tasks that took part; `None` for threads.
    pub polls: Option<u64>,
}

/// One channel in one workload.
pub struct Entry {
    /// The channel, as in [`Contender::NAME`].
    pub name: &'static str,
    /// Moves this many messages, or makes this many round trips.
    pub run: fn(count: u64) -> Run,
}

/// One workload, with all channels that can do it.
pub struct Row {
    /// For the tables and for filters.
    pub name: String,
    /// What one unit of the count is.
    pub unit: &'static str,
    /// How many units are enough for one run to take 10 ms or more in every entry.
    pub count: u64,
    /// The first is ours.
    pub entries: Vec<Entry>,
}

macro_rules! entries_of {
    ($module:ident::$work:ident, $message:ty, [$($contender:ty),+]) => {
        vec![$(Entry {
            name: <$contender as Contender>::NAME,
            run: $module::$work::<$contender, $message>,
        }),+]
    };
}
macro_rules! blocking_entries {
    ($module:ident::$work:ident, $message:ty) => {
        entries_of!(
            $module::$work,
            $message,
            [Handover, Std, Crossbeam, Flume, Kanal, Tokio]
        )
    };
}
macro_rules! task_entries {
    ($module:ident::$work:ident, $message:ty) => {
        entries_of!(
            $module::$work,
            $message,
            [Handover, Flume, KanalAsync, Tokio]
        )
    };
}

/// Every workload.
pub fn rows() -> Vec<Row> {
    let mut rows = rows_of::<u64>();
    rows.extend(rows_of::<[u64; 32]>());
    rows.push(Row {
        name: format!("threads, pipeline of {}, {}", threads::STAGES, u64::SIZE),
        unit: "message through all stages",
        count: 1_000,
        entries: blocking_entries!(threads::pipeline, u64),
    });
    rows
}

fn rows_of<M: Message>() -> Vec<Row> {
    vec![
        Row {
            name: format!("threads, one way, {}", M::SIZE),
            unit: "message",
            count: 10_000,
            entries: blocking_entries!(threads::one_way, M),
        },
        Row {
            name: format!("threads, ping-pong, {}", M::SIZE),
            unit: "round trip",
            count: 5_000,
            entries: blocking_entries!(threads::ping_pong, M),
        },
        Row {
            name: format!("tasks, one way, {}", M::SIZE),
            unit: "message",
            count: 100_000,
            entries: task_entries!(tasks::one_way, M),
        },
        Row {
            name: format!("tasks, ping-pong, {}", M::SIZE),
            unit: "round trip",
            count: 50_000,
            entries: task_entries!(tasks::ping_pong, M),
        },
    ]
}

/// The crates that take part, with the versions that were built, as `name version`.
pub fn versions() -> Vec<String> {
    let lock = include_str!("../../Cargo.lock");
    [
        Handover::CRATE,
        Crossbeam::CRATE,
        Flume::CRATE,
        Kanal::CRATE,
        Tokio::CRATE,
    ]
    .iter()
    .map(|name| {
        let version = lock
            .split("[[package]]")
            .filter(|package| package.contains(&format!("\nname = \"{name}\"\n")))
            .find_map(|package| package.split("version = \"").nth(1)?.split('"').next())
            .unwrap_or("?");
        format!("{name} {version}")
    })
    .collect()
}

/// The processor time of all threads of this process up to now.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
