//! A snapshot as metrics, in the text format of Prometheus (version 0.0.4).
//!
//! A series must not occur twice, and two processes may have one name: so each series has the number of its process or
//! channel as a label of its own, `id`. Whoever wants them together sums over it.

use std::fmt::{Display, Write};

use super::snapshot::{ChannelSeen, Doing, ProcessSeen, Snapshot};

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
    /// There are three series for each process and six for each channel, by their names and numbers: in
    /// `handover_channel_handed_over_total{network="n",channel="jobs",id="3"}` the `id` is [`ChannelSeen::id`]. A process
    /// that is started anew has a new number, and so new series; `sum by (process)` goes by the name alone.
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

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.text, "handover_{name}{{network=\"{}\"", self.network);
        for (key, text) in labels {
            let _ = write!(self.text, ",{key}=\"{}\"", escaped(text));
        }
        let _ = writeln!(self.text, "}} {value}");
    }

    fn network_wide(&mut self, snapshot: &Snapshot) {
        self.family("running", "gauge", "Whether the network runs.");
        self.sample("running", &[], u8::from(snapshot.is_running));
        self.family(
            "processes",
            "gauge",
            "Processes that have not ended, by what they are doing.",
        );
        for (state, name) in STATES {
            let processes = snapshot.processes.iter();
            let count = processes.filter(|process| process.state == state).count();
            self.sample("processes", &[("state", name)], count);
        }
        self.family(
            "deadlocked_processes",
            "gauge",
            "Processes that can never go on.",
        );
        let deadlocked = snapshot.deadlock.as_ref();
        let count = deadlocked.map_or(0, |deadlock| deadlock.processes().count());
        self.sample("deadlocked_processes", &[], count);
        self.family(
            "unsent_ends_total",
            "counter",
            "Processes that have ended with a message that nobody has taken.",
        );
        self.sample("unsent_ends_total", &[], snapshot.unsent_count);
    }

    fn processes(&mut self, snapshot: &Snapshot) {
        let mut family = |name, help, value: fn(&ProcessSeen) -> f64| {
            self.family(name, "gauge", help);
            for process in &snapshot.processes {
                let id = process.id.to_string();
                let labels = [("process", &*process.name), ("id", &id)];
                self.sample(name, &labels, value(process));
            }
        };
        family(
            "process_blocked_ratio",
            "The part of the last seconds in which the process was blocked at channels.",
            |process| process.blocked_part,
        );
        family(
            "process_waited_for_by",
            "How many others have waited for the process lately, on an average.",
            |process| process.waited_for_by,
        );
        #[expect(clippy::cast_precision_loss, reason = "some 300,000 years are exact")]
        family(
            "process_unmoved_seconds",
            "For how long the process has not moved.",
            |process| process.for_ms as f64 / 1_000.0,
        );
    }

    fn channels(&mut self, snapshot: &Snapshot) {
        let mut family = |name, kind, help, value: fn(&ChannelSeen) -> u64| {
            self.family(name, kind, help);
            for channel in &snapshot.channels {
                let id = channel.id.to_string();
                let labels = [("channel", &*channel.name), ("id", &id)];
                self.sample(name, &labels, value(channel));
            }
        };
        family(
            "channel_handed_over_total",
            "counter",
            "Messages that have changed hands.",
            |channel| channel.handed_over,
        );
        family(
            "channel_sends_waiting",
            "gauge",
            "Operations that wait to send.",
            |channel| channel.sends_waiting as u64,
        );
        family(
            "channel_receives_waiting",
            "gauge",
            "Operations that wait to receive.",
            |channel| channel.receives_waiting as u64,
        );
        family(
            "channel_credit_unused",
            "gauge",
            "Credit that no send has used.",
            |channel| channel.credit_unused as u64,
        );
        family(
            "channel_credit_untaken",
            "gauge",
            "Messages within credit that nobody has taken.",
            |channel| channel.credit_untaken as u64,
        );
        family(
            "channel_poisoned",
            "gauge",
            "Whether the channel was poisoned.",
            |channel| u64::from(channel.is_poisoned),
        );
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
            "handover_process_blocked_ratio{network=\"chain\",process=\"c\",id=\"13\"} 0.5",
            "handover_process_waited_for_by{network=\"chain\",process=\"a\",id=\"11\"} 1.5",
            "handover_process_unmoved_seconds{network=\"chain\",process=\"a\",id=\"11\"} 1.9",
            "# TYPE handover_channel_handed_over_total counter",
            "handover_channel_handed_over_total{network=\"chain\",channel=\"up\",id=\"21\"} 7",
            "handover_channel_receives_waiting{network=\"chain\",channel=\"side\",id=\"23\"} 1",
            "handover_channel_credit_unused{network=\"chain\",channel=\"side\",id=\"23\"} 2",
            "handover_channel_credit_untaken{network=\"chain\",channel=\"side\",id=\"23\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "no {line}\nin {text}");
        }
    }

    #[test]
    fn twins_are_series_of_their_own() {
        let text = sample::twins().to_prometheus();
        let mut series: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, _)| series)
            .collect();
        for id in [12, 13] {
            let one = format!(
                "handover_process_blocked_ratio{{network=\"twins\",process=\"clerk\",id=\"{id}\"}}"
            );
            assert!(series.contains(&&*one), "no {one}\nin {text}");
        }
        let count = series.len();
        series.sort_unstable();
        series.dedup();
        assert_eq!(series.len(), count, "a series occurs twice:\n{text}");
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
