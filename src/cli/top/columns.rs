//! The columns of the two tables: what stands in them, by what they sort, and which give way on a narrow screen.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::words::{self, State};
use crate::process::{ChannelSeen, ProcessSeen};

/// How wide a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// So many cells.
    Cells(u16),
    /// So many shares of what is left.
    Shares(u16),
}

/// A column of a table of `T`.
pub struct Column<T: 'static> {
    /// What stands above it.
    pub title: &'static str,
    /// How wide it is.
    pub width: Width,
    /// The width of the screen from which on it is there.
    pub from: u16,
    /// Whether the largest comes first when it is sorted by.
    pub descends: bool,
    /// What stands in it.
    pub text: fn(&T, &HashSet<&str>) -> String,
    /// In which order two stand, ascending.
    pub compare: fn(&T, &T, &HashSet<&str>) -> Ordering,
}

/// Those of the processes.
pub static PROCESSES: [Column<ProcessSeen>; 7] = [
    Column {
        title: "PROCESS",
        width: Width::Shares(3),
        from: 0,
        descends: false,
        text: |it, _| it.name.clone(),
        compare: |a, b, _| natural(&a.name, &b.name),
    },
    Column {
        title: "KIND",
        width: Width::Cells(8),
        from: 130,
        descends: false,
        text: |it, _| words::kind(it.kind).into(),
        compare: |a, b, _| words::kind(a.kind).cmp(words::kind(b.kind)),
    },
    Column {
        title: "STATE",
        width: Width::Cells(12),
        from: 0,
        descends: false,
        text: |it, deadlocked| {
            let state = State::of(it, deadlocked);
            format!("{} {}", state.sign(), state.word())
        },
        compare: |a, b, deadlocked| State::of(a, deadlocked).cmp(&State::of(b, deadlocked)),
    },
    Column {
        title: "FOR",
        width: Width::Cells(10),
        from: 56,
        descends: true,
        text: |it, _| words::time(it.for_ms),
        compare: |a, b, _| a.for_ms.cmp(&b.for_ms),
    },
    Column {
        title: "BLOCKED",
        width: Width::Cells(9),
        from: 116,
        descends: true,
        text: |it, _| words::percent(it.blocked_part),
        compare: |a, b, _| a.blocked_part.total_cmp(&b.blocked_part),
    },
    Column {
        title: "WAITED BY",
        width: Width::Cells(11),
        from: 76,
        descends: true,
        text: |it, _| match it.waited_for_by {
            few if few < 0.05 => String::new(),
            by => words::rate(by),
        },
        compare: |a, b, _| a.waited_for_by.total_cmp(&b.waited_for_by),
    },
    Column {
        title: "WAITS FOR",
        width: Width::Shares(6),
        from: 0,
        descends: false,
        text: |it, _| words::waits(it),
        compare: |a, b, _| words::waits(a).cmp(&words::waits(b)),
    },
];

/// By which column processes are sorted at first: who is waited for by most.
pub const PROCESSES_BY: usize = 5;

/// Those of the channels.
pub static CHANNELS: [Column<ChannelSeen>; 6] = [
    Column {
        title: "CHANNEL",
        width: Width::Shares(3),
        from: 0,
        descends: false,
        text: |it, _| it.name.clone(),
        compare: |a, b, _| natural(&a.name, &b.name),
    },
    Column {
        title: "A SECOND",
        width: Width::Cells(11),
        from: 0,
        descends: true,
        text: |it, _| words::rate(it.per_second),
        compare: |a, b, _| a.per_second.total_cmp(&b.per_second),
    },
    Column {
        title: "TOTAL",
        width: Width::Cells(14),
        from: 64,
        descends: true,
        text: |it, _| words::grouped(it.handed_over),
        compare: |a, b, _| a.handed_over.cmp(&b.handed_over),
    },
    Column {
        title: "WAITING",
        width: Width::Shares(2),
        from: 0,
        descends: true,
        text: |it, _| words::waiting(it),
        compare: |a, b, _| {
            let all = |it: &ChannelSeen| it.sends_waiting.saturating_add(it.receives_waiting);
            all(a).cmp(&all(b))
        },
    },
    Column {
        title: "CREDIT",
        width: Width::Shares(2),
        from: 90,
        descends: true,
        text: |it, _| words::credit(it),
        compare: |a, b, _| {
            let all = |it: &ChannelSeen| it.credit_unused.saturating_add(it.credit_untaken);
            all(a).cmp(&all(b))
        },
    },
    Column {
        title: "FROM -> TO",
        width: Width::Shares(4),
        from: 76,
        descends: false,
        text: |it, _| words::ends(it),
        compare: |a, b, _| words::ends(a).cmp(&words::ends(b)),
    },
];

/// By which column channels are sorted at first: the busiest.
pub const CHANNELS_BY: usize = 1;

/// Names in the order in which a person has them: `worker 2` before `worker 10`.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut a_left, mut b_left) = (a, b);
    loop {
        let (Some(a_first), Some(b_first)) = (a_left.chars().next(), b_left.chars().next()) else {
            return a_left.len().cmp(&b_left.len()).then_with(|| a.cmp(b));
        };
        if a_first.is_ascii_digit() && b_first.is_ascii_digit() {
            let (a_number, a_rest) = number(a_left);
            let (b_number, b_rest) = number(b_left);
            // Without leading zeros the longer one is the larger.
            let order = a_number
                .len()
                .cmp(&b_number.len())
                .then(a_number.cmp(b_number));
            if order.is_ne() {
                return order;
            }
            (a_left, b_left) = (a_rest, b_rest);
        } else if a_first == b_first {
            let length = a_first.len_utf8();
            (a_left, b_left) = (&a_left[length..], &b_left[length..]);
        } else {
            return a_first.cmp(&b_first);
        }
    }
}

fn number(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_numbers_stand_in_the_order_of_the_numbers() {
        let mut names = ["w 10", "w 9", "w 010", "v", "w 9b", "w", ""];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["", "v", "w", "w 9", "w 9b", "w 010", "w 10"]);
    }

    #[test]
    fn the_first_columns_to_sort_by_are_those_that_matter() {
        assert_eq!(PROCESSES[PROCESSES_BY].title, "WAITED BY");
        assert_eq!(CHANNELS[CHANNELS_BY].title, "A SECOND");
    }
}
