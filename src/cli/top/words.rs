//! What is said of processes and channels, the same on the screen and in plain text.

use std::collections::HashSet;
use std::time::Duration;

use crate::cli::values;
use crate::process::{
    Bottleneck, ChannelSeen, Deadlock, Doing, Kind, ProcessSeen, Snapshot, Wait, Waiting,
};

/// How many names of those who are waited for are said.
const NAMED: usize = 3;

/// What a process is doing, as a person wants to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It can never go on.
    Deadlocked,
    /// It waits at channels.
    Blocked,
    /// It waits for something else.
    Outside,
    /// It waits for its turn.
    Ready,
    /// It runs.
    Running,
    /// It has not begun.
    NotBegun,
}

impl State {
    /// All, in the order in which they are counted.
    pub const ALL: [Self; 6] = [
        Self::Running,
        Self::Ready,
        Self::Blocked,
        Self::Outside,
        Self::NotBegun,
        Self::Deadlocked,
    ];

    /// That of a process, of which the names of all the deadlocked ones are known.
    pub fn of(process: &ProcessSeen, deadlocked: &HashSet<&str>) -> Self {
        if deadlocked.contains(process.name.as_str()) {
            return Self::Deadlocked;
        }
        match process.state {
            Doing::NotBegun => Self::NotBegun,
            Doing::Running => Self::Running,
            Doing::Ready => Self::Ready,
            Doing::Blocked => Self::Blocked,
            Doing::Outside => Self::Outside,
        }
    }

    /// A sign for it, which every terminal has.
    pub fn sign(self) -> char {
        match self {
            Self::Deadlocked => '!',
            Self::Blocked => '#',
            Self::Outside => '~',
            Self::Ready => '+',
            Self::Running => '>',
            Self::NotBegun => '.',
        }
    }

    /// A word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deadlocked => "deadlocked",
            Self::Blocked => "blocked",
            Self::Outside => "outside",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::NotBegun => "not begun",
        }
    }
}

/// The names of the processes that can never go on.
pub fn deadlocked(snapshot: &Snapshot) -> HashSet<&str> {
    let deadlock = snapshot.deadlock.iter();
    deadlock
        .flat_map(Deadlock::processes)
        .map(|blocked| blocked.process.as_str())
        .collect()
}

/// How many processes are in which state, without the states of none.
pub fn counts(snapshot: &Snapshot) -> String {
    let deadlocked = deadlocked(snapshot);
    let mut counts = [0_u64; State::ALL.len()];
    for process in &snapshot.processes {
        let state = State::of(process, &deadlocked);
        if let Some(at) = State::ALL.iter().position(|other| *other == state) {
            counts[at] += 1;
        }
    }
    let total = match snapshot.processes.len() {
        0 => return "no processes".into(),
        1 => "1 process".into(),
        n => format!("{} processes", grouped(n as u64)),
    };
    let some: Vec<String> = State::ALL
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{} {}", grouped(count), state.word()))
        .collect();
    format!("{total}: {}", some.join(", "))
}

/// Whether the network runs, and how old it is.
pub fn running(snapshot: &Snapshot) -> String {
    let age = values::time_in_words(Duration::from_millis(snapshot.age_ms));
    let waits_to_begin = |process: &ProcessSeen| process.state == Doing::NotBegun;
    match () {
        () if snapshot.is_running => format!("running, made {age} ago"),
        () if !snapshot.processes.is_empty() && snapshot.processes.iter().all(waits_to_begin) => {
            format!("not begun, made {age} ago")
        }
        () => format!("ended, made {age} ago"),
    }
}

/// Hand-overs of all channels together.
pub fn hand_overs(snapshot: &Snapshot) -> String {
    let sum = snapshot
        .channels
        .iter()
        .map(|channel| channel.per_second)
        .sum();
    format!("{} hand-overs a second", rate(sum))
}

/// Where the network is held up, in fewer words than it has for itself.
pub fn bottleneck(snapshot: &Snapshot) -> String {
    match &snapshot.bottleneck {
        Some(Bottleneck {
            process,
            waited_for_by,
            ..
        }) => format!(
            "bottleneck: {process} ({} wait for it)",
            rate(*waited_for_by)
        ),
        None => "nobody is held up to speak of".into(),
    }
}

/// Who polls a process.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Process => "process",
        Kind::Thread => "thread",
        Kind::Attached => "attached",
    }
}

/// Names, of which the first few are said.
pub fn names(names: &[String]) -> String {
    let mut said = names
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(" or ");
    if names.len() > NAMED {
        said.extend([" or ", &grouped((names.len() - NAMED) as u64), " more"]);
    }
    said
}

/// A wait without who is waited for: `sending on "up" at chain.rs:31`.
pub fn operation(wait: &Wait) -> String {
    let verb = match wait.operation {
        // As it stands in the middle of a line.
        Waiting::Accepted => "accepted".to_owned(),
        other => other.to_string(),
    };
    format!("{verb} on \"{}\" at {}", wait.channel, wait.site)
}

/// A wait: `b (sending on "up" at chain.rs:31)`.
pub fn wait(wait: &Wait) -> String {
    let whom = match (wait.waits_for.is_empty(), wait.is_open) {
        (true, true) => "somebody outside".into(),
        (true, false) => "nobody who is left".into(),
        (false, true) => format!("{} or somebody outside", names(&wait.waits_for)),
        (false, false) => names(&wait.waits_for),
    };
    format!("{whom} ({})", operation(wait))
}

/// All that a process waits for, in one line.
pub fn waits(process: &ProcessSeen) -> String {
    match process.waits.as_slice() {
        [] if process.state == Doing::Outside => "something outside the network".into(),
        [] if process.state == Doing::Blocked => "nothing that could wake it".into(),
        [] => String::new(),
        [one] => wait(one),
        [first, rest @ ..] => format!("{}; or {} more", wait(first), grouped(rest.len() as u64)),
    }
}

/// For how long, from milliseconds.
pub fn time(milliseconds: u64) -> String {
    values::time_in_words(Duration::from_millis(milliseconds))
}

/// A part, such as 0.5, as `50%`.
pub fn percent(part: f64) -> String {
    format!("{:.0}%", part.clamp(0.0, 1.0) * 100.0)
}

/// A rate: with a digit after the point where it is small.
pub fn rate(per_second: f64) -> String {
    if per_second >= 100.0 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate of that many, and a conversion that stays within bounds"
        )]
        return grouped(per_second.round() as u64);
    }
    // Adding makes of a negative zero, which is the sum of nothing, one that looks like it.
    format!("{:.1}", per_second.max(0.0) + 0.0)
}

/// A number with a comma at each thousand.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Who waits at a channel.
pub fn waiting(channel: &ChannelSeen) -> String {
    match (channel.sends_waiting, channel.receives_waiting) {
        (0, 0) => String::new(),
        (sends, 0) => format!("{sends} to send"),
        (0, receives) => format!("{receives} to receive"),
        (sends, receives) => format!("{sends} to send, {receives} to receive"),
    }
}

/// The slack that a channel has by its receivers' leave.
pub fn credit(channel: &ChannelSeen) -> String {
    match (channel.credit_unused, channel.credit_untaken) {
        (0, 0) => String::new(),
        (unused, 0) => format!("{unused} unused"),
        (0, untaken) => format!("{untaken} untaken"),
        (unused, untaken) => format!("{unused} unused, {untaken} untaken"),
    }
}

/// From whom to whom a channel goes.
pub fn ends(channel: &ChannelSeen) -> String {
    let side = |side: &[String]| match side {
        [] => "nobody".to_owned(),
        some => names(some).replace(" or ", ", "),
    };
    let mut text = format!("{} -> {}", side(&channel.senders), side(&channel.receivers));
    if channel.open_ends > 0 {
        text.extend([", ", &channel.open_ends.to_string(), " open"]);
    }
    if channel.is_poisoned {
        text.push_str(", poisoned");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::sample;

    #[test]
    fn numbers_are_grouped_and_rates_are_rounded() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(rate(12.34), "12.3");
        assert_eq!(rate(-1.0), "0.0");
        assert_eq!(rate([].iter().sum()), "0.0");
        assert_eq!(rate(41234.4), "41,234");
        assert_eq!(rate(f64::INFINITY), grouped(u64::MAX));
        assert_eq!(percent(1e300), "100%");
    }

    #[test]
    fn a_wait_says_where_and_for_whom() {
        let snapshot = sample::running();
        let worker = sample::process(&snapshot, "worker 2");
        assert_eq!(
            waits(worker),
            "collector (sending on \"results\" at pipeline.rs:40)"
        );
        assert_eq!(
            waits(sample::process(&snapshot, "clock")),
            "something outside the network"
        );
        assert_eq!(waits(sample::process(&snapshot, "collector")), "");
    }

    #[test]
    fn processes_are_counted_by_what_they_do() {
        assert_eq!(
            counts(&sample::running()),
            "5 processes: 1 running, 1 ready, 2 blocked, 1 outside"
        );
        assert_eq!(
            counts(&sample::deadlocked()),
            "4 processes: 1 outside, 3 deadlocked"
        );
    }

    #[test]
    fn a_network_that_does_not_run_has_ended_or_not_begun() {
        assert_eq!(running(&sample::running()), "running, made 3 min 20 s ago");
        assert_eq!(running(&sample::ended()), "ended, made 3 min 20 s ago");
        let mut early = sample::running();
        early.is_running = false;
        for process in &mut early.processes {
            process.state = Doing::NotBegun;
        }
        assert_eq!(running(&early), "not begun, made 3 min 20 s ago");
    }
}
