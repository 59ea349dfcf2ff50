//! A snapshot as metrics, in the text format of Prometheus (version 0.0.4).
//!
//! A series must not occur twice, and two processes may have one name: what is called by one name is one series, with
//! the sum of what is counted and the largest of what is not.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write},
};

use super::snapshot::{Doing, Snapshot};

const STATES: [(Doing, &str); 5] = [
    (Doing::NotBegun, "not_begun"),
    (Doing::Running, "running"),
    (Doing::Ready, "ready"),
    (Doing::Blocked, "blocked"),
    (Doing::Outside, "outside"),
];

impl Snapshot {
    /// The snapshot as metrics in the text format of Prometheus, to be served as
    /// `text/plain; version=0.0.4; charset=utf-8`.
    ///
    /// There are three series for each process and six for each channel, by their names.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut page = Page {
            text: String::new(),
            network: escaped(&self.network),
        };
        page.network_wide(self);
        page.processes(self);
        page.channels(self);
        page.text
    }
}

struct Page {
    text: String,
    network: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP handover_{name} {help}");
        let _ = writeln!(self.text, "# TYPE handover_{name} {kind}");
    }

    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: impl Display) {
        let _ = write!(self.text, "handover_{name}{{network=\"{}\"", self.network);
        if let Some((key, text)) = label {
            let _ = write!(self.text, ",{key}=\"{}\"", escaped(text));
        }
        let _ = writeln!(self.text, "}} {value}");
    }

    fn network_wide(&mut self, snapshot: &Snapshot) {
        self.family("running", "gauge", "Whether the network runs.");
        self.sample("running", None, u8::from(snapshot.is_running));
        self.family(
            "processes",
            "gauge",
            "Processes that have not ended, by what they are doing.",
        );
        for (state, name) in STATES {
            let processes = snapshot.processes.iter();
            let count = processes.filter(|process| process.state == state).count();
            self.sample("processes", Some(("state", name)), count);
        }
        self.family(
            "deadlocked_processes",
            "gauge",
            "Processes that can never go on.",
        );
        let deadlocked = snapshot.deadlock.as_ref();
        let count = deadlocked.map_or(0, |deadlock| deadlock.processes().count());
        self.sample("deadlocked_processes", None, count);
        self.family(
            "unsent_ends_total",
            "counter",
            "Processes that have ended with a message that nobody has taken.",
        );
        self.sample("unsent_ends_total", None, snapshot.unsent_count);
    }

    fn processes(&mut self, snapshot: &Snapshot) {
        let mut by_name: BTreeMap<&str, (f64, f64, u64)> = BTreeMap::new();
        for process in &snapshot.processes {
            let (blocked, by, for_ms) = by_name.entry(&process.name).or_default();
            *blocked = blocked.max(process.blocked_part);
            *by = by.max(process.waited_for_by);
            *for_ms = process.for_ms.max(*for_ms);
        }
        let mut family = |name, help, value: fn(&(f64, f64, u64)) -> f64| {
            self.family(name, "gauge", help);
            for (process, values) in &by_name {
                self.sample(name, Some(("process", process)), value(values));
            }
        };
        family(
            "process_blocked_ratio",
            "The part of the last seconds in which the process was blocked at channels.",
            |values| values.0,
        );
        family(
            "process_waited_for_by",
            "How many others have waited for the process lately, on an average.",
            |values| values.1,
        );
        #[expect(clippy::cast_precision_loss, reason = "some 300,000 years are exact")]
        family(
            "process_unmoved_seconds",
            "For how long the process has not moved.",
            |values| values.2 as f64 / 1_000.0,
        );
    }

    fn channels(&mut self, snapshot: &Snapshot) {
        // Handed over; sends and receives that wait; credit unused and untaken; poisoned.
        let mut by_name: BTreeMap<&str, [u64; 6]> = BTreeMap::new();
        for channel in &snapshot.channels {
            let sums = by_name.entry(&channel.name).or_default();
            let values = [
                channel.handed_over,
                channel.sends_waiting as u64,
                channel.receives_waiting as u64,
                channel.credit_unused as u64,
                channel.credit_untaken as u64,
                u64::from(channel.is_poisoned),
            ];
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = sum.saturating_add(value);
            }
        }
        let families = [
            (
                "channel_handed_over_total",
                "counter",
                "Messages that have changed hands.",
            ),
            (
                "channel_sends_waiting",
                "gauge",
                "Operations that wait to send.",
            ),
            (
                "channel_receives_waiting",
                "gauge",
                "Operations that wait to receive.",
            ),
            (
                "channel_credit_unused",
                "gauge",
                "Credit that no send has used.",
            ),
            (
                "channel_credit_untaken",
                "gauge",
                "Messages within credit that nobody has taken.",
            ),
            (
                "channel_poisoned",
                "gauge",
                "Whether the channel was poisoned.",
            ),
        ];
        for (at, (name, kind, help)) in families.into_iter().enumerate() {
            self.family(name, kind, help);
            for (channel, values) in &by_name {
                self.sample(name, Some(("channel", channel)), values[at]);
            }
        }
    }
}

/// The value of a label: a backslash, a quote and a new line are escaped, and nothing else may be.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::sample, escaped};

    #[test]
    fn the_values_are_those_of_the_snapshot() {
        let text = sample::chain().to_prometheus();
        for line in [
            "handover_running{network=\"chain\"} 0",
            "handover_processes{network=\"chain\",state=\"blocked\"} 3",
            "handover_processes{network=\"chain\",state=\"running\"} 0",
            "handover_deadlocked_processes{network=\"chain\"} 3",
            "handover_unsent_ends_total{network=\"chain\"} 1",
            "handover_process_blocked_ratio{network=\"chain\",process=\"c\"} 0.5",
            "handover_process_waited_for_by{network=\"chain\",process=\"a\"} 1.5",
            "handover_process_unmoved_seconds{network=\"chain\",process=\"a\"} 1.9",
            "# TYPE handover_channel_handed_over_total counter",
            "handover_channel_handed_over_total{network=\"chain\",channel=\"up\"} 7",
            "handover_channel_receives_waiting{network=\"chain\",channel=\"side\"} 1",
            "handover_channel_credit_unused{network=\"chain\",channel=\"side\"} 2",
            "handover_channel_credit_untaken{network=\"chain\",channel=\"side\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "no {line}\nin {text}");
        }
    }

    #[test]
    fn processes_of_one_name_are_one_series() {
        let mut snapshot = sample::chain();
        let mut twin = snapshot.processes[0].clone();
        twin.blocked_part = 0.25;
        snapshot.processes.push(twin);
        let text = snapshot.to_prometheus();
        let series = text
            .lines()
            .filter(|line| line.starts_with("handover_process_blocked_ratio{"))
            .filter(|line| line.contains("process=\"a\""));
        assert_eq!(series.collect::<Vec<_>>().len(), 1);
    }

    #[test]
    fn a_name_cannot_leave_its_label() {
        assert_eq!(
            escaped("a\\b\"} 1\nhandover_running{} 1"),
            "a\\\\b\\\"} 1\\nhandover_running{} 1"
        );
        let lines = |names: &[&str]| sample::named(names).to_prometheus().lines().count();
        let plain: Vec<String> = (0..sample::HOSTILE.len()).map(|n| n.to_string()).collect();
        let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
        assert_eq!(lines(&sample::HOSTILE), lines(&plain));
    }
}
