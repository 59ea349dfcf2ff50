//! Drawings for Graphviz: processes and channels as nodes, who holds an end of what as grey lines, and who waits for
//! whom as arrows with words; a deadlock in red.
//!
//! What is called by one name is one node; the nodes have numbers, so no name can be taken for anything but text.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use super::{
    report::{Blocked, Deadlock, Wait},
    snapshot::{ChannelSeen, Doing, ProcessSeen, Snapshot},
    table::{seconds, shown},
};

const RED: &str = "#c62828";
const GREY: &str = "#9e9e9e";
const AMBER: &str = "#b26a00";

impl Snapshot {
    /// The network as a drawing in the language of Graphviz: `dot -Tsvg` makes a picture of it.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut drawing = Drawing::new(&self.network);
        let deadlock = self.deadlock.as_ref();
        drawing.condemned = deadlock.map(condemned).unwrap_or_default();
        drawing.cycle = deadlock.map(cycle_edges).unwrap_or_default();
        for process in &self.processes {
            drawing.process(&process.name, &process_label(process), process.state);
        }
        for channel in &self.channels {
            drawing.channel(&channel.name, &channel_label(channel));
            for sender in &channel.senders {
                drawing.holds(sender, &channel.name, true);
            }
            for receiver in &channel.receivers {
                drawing.holds(receiver, &channel.name, false);
            }
        }
        for process in &self.processes {
            for wait in &process.waits {
                drawing.wait(&process.name, wait);
            }
        }
        drawing.end()
    }
}

impl Deadlock {
    /// The deadlock as a drawing in the language of Graphviz: the cycle in red, and those who wait because of it.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut drawing = Drawing::new(&self.network);
        drawing.condemned = condemned(self);
        drawing.cycle = cycle_edges(self);
        for blocked in self.processes() {
            drawing.process(&blocked.process, &shown(&blocked.process), Doing::Blocked);
        }
        for Blocked { process, waits } in self.processes() {
            for wait in waits {
                drawing.wait(process, wait);
            }
        }
        drawing.end()
    }
}

/// Who can never go on.
fn condemned(deadlock: &Deadlock) -> BTreeSet<String> {
    let all = deadlock.processes().map(|blocked| blocked.process.clone());
    all.collect()
}

/// Who waits for whom around the cycle.
fn cycle_edges(deadlock: &Deadlock) -> BTreeSet<(String, String)> {
    let names = deadlock.cycle_names();
    let after = names.iter().cycle().skip(1);
    let edges = names.iter().zip(after);
    edges
        .map(|(&from, &to)| (from.to_owned(), to.to_owned()))
        .collect()
}

fn process_label(process: &ProcessSeen) -> String {
    let ProcessSeen { state, for_ms, .. } = process;
    format!("{}\n{state} for {}", shown(&process.name), seconds(*for_ms))
}

fn channel_label(channel: &ChannelSeen) -> String {
    let mut label = format!("{}\n{:.1}/s", shown(&channel.name), channel.per_second);
    if channel.open_ends > 0 {
        let _ = write!(label, ", {} open", channel.open_ends);
    }
    if channel.is_poisoned {
        label.push_str(", poisoned");
    }
    label
}

struct Drawing {
    text: String,
    processes: BTreeMap<String, usize>,
    channels: BTreeMap<String, usize>,
    condemned: BTreeSet<String>,
    cycle: BTreeSet<(String, String)>,
}

impl Drawing {
    fn new(name: &str) -> Self {
        let name = quoted(&shown(name));
        let text = format!(
            "digraph {name} {{\n  label={name};\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n  \
             edge [fontname=\"sans-serif\", fontsize=10];\n"
        );
        Self {
            text,
            processes: BTreeMap::new(),
            channels: BTreeMap::new(),
            condemned: BTreeSet::new(),
            cycle: BTreeSet::new(),
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str("  ");
        self.text.push_str(line);
        self.text.push_str(";\n");
    }

    fn process(&mut self, name: &str, label: &str, state: Doing) {
        if self.processes.contains_key(name) {
            return;
        }
        let number = self.processes.len();
        self.processes.insert(name.to_owned(), number);
        let fill = match state {
            _ if self.condemned.contains(name) => "#ffcdd2",
            Doing::Blocked => "#ffe0b2",
            Doing::Running => "#c8e6c9",
            Doing::Ready => "#dcedc8",
            Doing::Outside => "#bbdefb",
            Doing::NotBegun => "#eeeeee",
        };
        let (color, width) = if self.condemned.contains(name) {
            (RED, 2)
        } else {
            ("black", 1)
        };
        let label = quoted(label);
        self.line(&format!(
            "p{number} [shape=box, style=\"rounded,filled\", fillcolor=\"{fill}\", color=\"{color}\", \
             penwidth={width}, label={label}]"
        ));
    }

    fn channel(&mut self, name: &str, label: &str) {
        if self.channels.contains_key(name) {
            return;
        }
        let number = self.channels.len();
        self.channels.insert(name.to_owned(), number);
        let label = quoted(label);
        self.line(&format!(
            "c{number} [shape=ellipse, color=\"{GREY}\", fontsize=10, label={label}]"
        ));
    }

    /// The number of a process; one that was not drawn yet (it has ended by now) is drawn with its name alone.
    fn number(&mut self, name: &str) -> usize {
        self.process(name, &shown(name), Doing::NotBegun);
        self.processes[name]
    }

    fn holds(&mut self, process: &str, channel: &str, is_sender: bool) {
        let process = self.number(process);
        let channel = self.channels[channel];
        self.line(&if is_sender {
            format!("p{process} -> c{channel} [color=\"{GREY}\"]")
        } else {
            format!("c{channel} -> p{process} [color=\"{GREY}\"]")
        });
    }

    fn wait(&mut self, waiter: &str, wait: &Wait) {
        let from = self.number(waiter);
        let label = quoted(&shown(&wait.to_string()));
        for other in &wait.waits_for {
            let to = self.number(other);
            let edge = (waiter.to_owned(), other.clone());
            let (color, width) = if self.cycle.contains(&edge) {
                (RED, 3)
            } else {
                (AMBER, 1)
            };
            self.line(&format!(
                "p{from} -> p{to} [style=dashed, constraint=false, color=\"{color}\", fontcolor=\"{color}\", \
                 penwidth={width}, label={label}]"
            ));
        }
    }

    fn end(mut self) -> String {
        self.text.push_str("}\n");
        self.text
    }
}

/// Text as a string of the language: neither a quote, nor an escape, nor an entity of HTML in it means anything.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '&' => quoted.push_str("&amp;"),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };

    use super::{super::sample, quoted};

    #[test]
    fn a_name_is_never_anything_but_text() {
        assert_eq!(quoted("plain"), "\"plain\"");
        assert_eq!(quoted("\"]; evil [\""), "\"\\\"]; evil [\\\"\"");
        assert_eq!(quoted("two\nlines\\n"), "\"two\\nlines\\\\n\"");
        assert_eq!(quoted("&lt;b&gt;"), "\"&amp;lt;b&amp;gt;\"");
    }

    #[test]
    fn the_cycle_of_a_deadlock_is_red_and_other_waits_are_not() {
        let snapshot = sample::chain();
        for dot in [snapshot.to_dot(), snapshot.deadlock.unwrap().to_dot()] {
            let red: Vec<&str> = dot
                .lines()
                .filter(|line| line.contains("penwidth=3"))
                .collect();
            assert_eq!(red.len(), 2, "{dot}");
            assert!(red[0].starts_with("  p0 -> p1 "), "{dot}");
            assert!(
                red[0].contains("sending on \\\"up\\\" at chain.rs:31"),
                "{dot}"
            );
            assert!(red[1].starts_with("  p1 -> p0 "), "{dot}");
            let amber = dot.lines().filter(|line| line.contains("#b26a00"));
            assert_eq!(amber.count(), 1, "c waits because of a:\n{dot}");
        }
    }

    /// Graphviz itself reads what hostile names make; without it the test says so and ends.
    #[test]
    fn graphviz_draws_hostile_names_as_they_are() {
        let dot = Command::new("dot")
            .arg("-Tsvg")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut dot) = dot else {
            eprintln!("skipped: `dot` of Graphviz is not installed");
            return;
        };
        let snapshot = sample::hostile();
        let mut into = dot.stdin.take().unwrap();
        into.write_all(snapshot.to_dot().as_bytes()).unwrap();
        drop(into);
        let output = dot.wait_with_output().unwrap();
        assert!(output.status.success());
        let svg = String::from_utf8(output.stdout).unwrap();
        let drawing = roxmltree::Document::parse_with_options(
            &svg,
            roxmltree::ParsingOptions {
                allow_dtd: true,
                ..Default::default()
            },
        )
        .unwrap();
        let texts: Vec<&str> = drawing
            .descendants()
            .filter(|node| node.has_tag_name("text"))
            .filter_map(|node| node.text())
            .collect();
        let spaced = |text: &str| text.replace('\u{a0}', " ");
        let has = |name: &str| texts.iter().any(|text| spaced(text) == name);
        for name in sample::HOSTILE {
            assert!(has(&super::shown(name)), "{name:?} is not among {texts:#?}");
        }
        let boxes = drawing
            .descendants()
            .filter(|node| node.attribute("class") == Some("node"));
        let expected = snapshot.processes.len() + snapshot.channels.len();
        assert_eq!(boxes.count(), expected, "no name made a node");
    }
}
