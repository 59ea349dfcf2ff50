//! Every workload, each with all channels that can do it.

use std::fmt;

use super::{
    channels::{
        AsyncChannel, Crossbeam, Crossfire, CrossfireShared, Flume, Handover, Kanal, Std, Tokio,
        prepare_crossfire,
    },
    contender::{Contender, Message},
    run::Run,
    tasks, threads,
};

/// A channel of one capacity, as it is called in tables and options: `handover`, `crossbeam:0`, `flume:64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelId {
    /// The channel without its capacity.
    pub name: &'static str,
    /// How many messages it holds; `None` where a channel can have no buffer.
    pub capacity: Option<usize>,
}

impl ChannelId {
    const fn of<C: Contender>() -> Self {
        Self {
            name: C::NAME,
            capacity: C::CAPACITY,
        }
    }

    /// This crate's own channel.
    #[must_use]
    pub fn is_ours(self) -> bool {
        self == Self::of::<Handover>()
    }

    /// Whether `text` names it: by its name alone, or with its capacity.
    #[must_use]
    pub fn is_called(self, text: &str) -> bool {
        text == self.name || text == self.to_string()
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.capacity {
            Some(capacity) => f.pad(&format!("{}:{capacity}", self.name)),
            None => f.pad(self.name),
        }
    }
}

/// One channel in one workload.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The channel.
    pub channel: ChannelId,
    /// Does the work this many times, or waits for this many milliseconds. Panics if a check fails.
    pub run: fn(count: u64) -> Run,
}

/// What is counted, and what the figure of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// The time of one unit of work, which has this name.
    Time(&'static str),
    /// The processor time of one wait.
    Wait,
}

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// A thread for each party.
    Threads,
    /// A task for each party, all on one thread of tokio's.
    OneThread,
    /// A task for each party, on two threads of tokio's.
    TwoThreads,
}

impl Workers {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Threads, Self::OneThread, Self::TwoThreads];

    /// The first part of a row's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::OneThread => "tasks-1",
            Self::TwoThreads => "tasks-2",
        }
    }

    /// The same in words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::OneThread => "tasks, on one thread of tokio",
            Self::TwoThreads => "tasks, on two threads of tokio",
        }
    }
}

/// One workload, with all channels that can do it.
#[derive(Debug, Clone)]
pub struct Row {
    /// `WORKERS/WORK`, and the size of the messages where there are several: `threads/one-way/8B`.
    pub name: String,
    /// What is done, in a sentence.
    pub what: &'static str,
    /// Who does it.
    pub workers: Workers,
    /// What is counted.
    pub figure: Figure,
    /// The first is ours.
    pub entries: Vec<Entry>,
}

macro_rules! entries {
    ([$($contender:ty),+], |$channel:ident| $run:expr) => {
        vec![$({
            type $channel = $contender;
            Entry { channel: ChannelId::of::<$channel>(), run: $run }
        }),+]
    };
}
/// All that threads can use with one receiver.
macro_rules! for_threads {
    (|$channel:ident| $run:expr) => {
        entries!(
            [Handover, Std<0>, Std<64>, Crossbeam<0>, Crossbeam<64>, Flume<0>, Flume<64>, Kanal<0>, Kanal<64>,
             Crossfire<1>, Crossfire<64>, AsyncChannel<1>, AsyncChannel<64>, Tokio<1>, Tokio<64>],
            |$channel| $run
        )
    };
}
/// Those of them with several receivers.
macro_rules! for_many_threads {
    (|$channel:ident| $run:expr) => {
        entries!(
            [Handover, Crossbeam<0>, Crossbeam<64>, Flume<0>, Flume<64>, Kanal<0>, Kanal<64>,
             CrossfireShared<1>, CrossfireShared<64>, AsyncChannel<1>, AsyncChannel<64>],
            |$channel| $run
        )
    };
}
/// Those of them with a blocking alternation.
macro_rules! for_selecting_threads {
    (|$channel:ident| $run:expr) => {
        entries!(
            [Handover, Crossbeam<0>, Crossbeam<64>, Flume<0>, Flume<64>, Crossfire<1>, Crossfire<64>],
            |$channel| $run
        )
    };
}
/// Each at its least capacity: where no message is under way, the capacity changes nothing.
macro_rules! for_waiting_threads {
    (|$channel:ident| $run:expr) => {
        entries!(
            [Handover, Std<0>, Crossbeam<0>, Flume<0>, Kanal<0>, Crossfire<1>, AsyncChannel<1>, Tokio<1>],
            |$channel| $run
        )
    };
}
/// All that tasks can use with one receiver.
macro_rules! for_tasks {
    (|$channel:ident| $run:expr) => {
        entries!(
            [Handover, Flume<0>, Flume<64>, Kanal<0>, Kanal<64>, Crossfire<1>, Crossfire<64>,
             AsyncChannel<1>, AsyncChannel<64>, Tokio<1>, Tokio<64>],
            |$channel| $run
        )
    };
}
/// Those of them with several receivers.
macro_rules! for_many_tasks {
    (|$channel:ident| $run:expr) => {
        entries!(
            [Handover, Flume<0>, Flume<64>, Kanal<0>, Kanal<64>, CrossfireShared<1>, CrossfireShared<64>,
             AsyncChannel<1>, AsyncChannel<64>],
            |$channel| $run
        )
    };
}

const ONE_WAY: &str = "one sends, another receives";
const PING_PONG: &str = "one sends and waits for the answer of another";
const FAN_IN: &str = "four send on one channel, another receives";
const FAN_OUT: &str = "one sends, four receive from one channel";
const PIPELINE: &str = "sixteen pass on what one sends and another receives";
const SELECT_4: &str = "one sends on 4 channels in turn, another waits on all of them";
const SELECT_16: &str = "one sends on 16 channels in turn, another waits on all of them";
const IDLE: &str = "one waits in a receive, with nobody sending";

/// Every workload.
#[must_use]
pub fn rows() -> Vec<Row> {
    prepare_crossfire();
    let mut rows = sized_for_threads::<u64>();
    rows.extend(sized_for_threads::<[u64; 32]>());
    rows.extend(sized_for_threads::<[u64; 512]>());
    rows.extend(others_for_threads());
    rows.extend(for_runtime::<1>(Workers::OneThread));
    rows.extend(for_runtime::<2>(Workers::TwoThreads));
    rows
}

fn row(
    workers: Workers,
    work: &str,
    what: &'static str,
    figure: Figure,
    entries: Vec<Entry>,
) -> Row {
    Row {
        name: format!("{}/{work}", workers.name()),
        what,
        workers,
        figure,
        entries,
    }
}

const MESSAGE: Figure = Figure::Time("message");
const ROUND_TRIP: Figure = Figure::Time("round trip");
const THROUGH_ALL: Figure = Figure::Time("message through all stages");

fn sized_for_threads<M: Message>() -> Vec<Row> {
    let row = |work, what, figure, entries| {
        row(
            Workers::Threads,
            &format!("{work}/{}", M::SIZE),
            what,
            figure,
            entries,
        )
    };
    vec![
        row(
            "one-way",
            ONE_WAY,
            MESSAGE,
            for_threads!(|C| threads::one_way::<C, M>),
        ),
        row(
            "ping-pong",
            PING_PONG,
            ROUND_TRIP,
            for_threads!(|C| threads::ping_pong::<C, M>),
        ),
    ]
}

fn others_for_threads() -> Vec<Row> {
    let row = |work, what, figure, entries| row(Workers::Threads, work, what, figure, entries);
    vec![
        row(
            "fan-in",
            FAN_IN,
            MESSAGE,
            for_threads!(|C| threads::fan_in::<C, u64>),
        ),
        row(
            "fan-out",
            FAN_OUT,
            MESSAGE,
            for_many_threads!(|C| threads::fan_out::<C, u64>),
        ),
        row(
            "pipeline",
            PIPELINE,
            THROUGH_ALL,
            for_threads!(|C| threads::pipeline::<C, u64>),
        ),
        row(
            "select-4",
            SELECT_4,
            MESSAGE,
            for_selecting_threads!(|C| threads::select_4::<C, u64>),
        ),
        row(
            "select-16",
            SELECT_16,
            MESSAGE,
            for_selecting_threads!(|C| threads::select_16::<C, u64>),
        ),
        row(
            "idle",
            IDLE,
            Figure::Wait,
            for_waiting_threads!(|C| threads::idle::<C, u64>),
        ),
    ]
}

fn for_runtime<const N: usize>(workers: Workers) -> Vec<Row> {
    let mut rows = sized_for_tasks::<u64, N>(workers);
    rows.extend(sized_for_tasks::<[u64; 32], N>(workers));
    rows.extend(sized_for_tasks::<[u64; 512], N>(workers));
    let row = |work, what, figure, entries| row(workers, work, what, figure, entries);
    rows.extend([
        row(
            "fan-in",
            FAN_IN,
            MESSAGE,
            for_tasks!(|C| tasks::fan_in::<C, u64, N>),
        ),
        row(
            "fan-out",
            FAN_OUT,
            MESSAGE,
            for_many_tasks!(|C| tasks::fan_out::<C, u64, N>),
        ),
        row(
            "pipeline",
            PIPELINE,
            THROUGH_ALL,
            for_tasks!(|C| tasks::pipeline::<C, u64, N>),
        ),
        row(
            "select-4",
            SELECT_4,
            MESSAGE,
            for_tasks!(|C| tasks::select_4::<C, u64, N>),
        ),
        row(
            "select-16",
            SELECT_16,
            MESSAGE,
            for_tasks!(|C| tasks::select_16::<C, u64, N>),
        ),
    ]);
    rows
}

fn sized_for_tasks<M: Message, const N: usize>(workers: Workers) -> Vec<Row> {
    let row = |work, what, figure, entries| {
        row(
            workers,
            &format!("{work}/{}", M::SIZE),
            what,
            figure,
            entries,
        )
    };
    vec![
        row(
            "one-way",
            ONE_WAY,
            MESSAGE,
            for_tasks!(|C| tasks::one_way::<C, M, N>),
        ),
        row(
            "ping-pong",
            PING_PONG,
            ROUND_TRIP,
            for_tasks!(|C| tasks::ping_pong::<C, M, N>),
        ),
    ]
}

/// The crates that take part, with the versions of the lock file, as `name version`.
#[must_use]
pub fn versions() -> Vec<String> {
    let lock = include_str!("../../Cargo.lock");
    [
        Handover::CRATE,
        Crossbeam::<0>::CRATE,
        Flume::<0>::CRATE,
        Kanal::<0>::CRATE,
        Crossfire::<1>::CRATE,
        AsyncChannel::<1>::CRATE,
        Tokio::<1>::CRATE,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_another_name_and_begins_with_ours() {
        let rows = rows();
        let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names.len(), rows.len());
        for row in &rows {
            assert!(row.name.starts_with(row.workers.name()));
            let channels: BTreeSet<ChannelId> =
                row.entries.iter().map(|entry| entry.channel).collect();
            assert_eq!(channels.len(), row.entries.len(), "{}", row.name);
            assert!(row.entries[0].channel.is_ours(), "{}", row.name);
            assert!(row.entries.len() > 6, "{}", row.name);
        }
    }

    #[test]
    fn a_channel_is_called_by_its_name_with_or_without_its_capacity() {
        let crossbeam = ChannelId::of::<Crossbeam<64>>();
        assert!(crossbeam.is_called("crossbeam") && crossbeam.is_called("crossbeam:64"));
        assert!(!crossbeam.is_called("crossbeam:6") && !crossbeam.is_called("cross"));
    }

    #[test]
    fn the_version_of_every_crate_is_known() {
        for version in versions() {
            assert!(!version.ends_with('?'), "{version}");
        }
    }

    #[test]
    fn every_channel_keeps_the_checks_of_every_row() {
        for row in rows() {
            for entry in &row.entries {
                // Not a multiple of the lanes, so that their ends differ.
                let run = (entry.run)(37);
                let expected = if row.figure == Figure::Wait { 1 } else { 37 };
                assert_eq!(run.units, expected, "{} {}", row.name, entry.channel);
                assert_eq!(
                    run.polls.is_some(),
                    row.workers != Workers::Threads,
                    "{}",
                    row.name
                );
            }
        }
    }
}
