//! Drawings for Graphviz: processes and channels as nodes, who holds an end of what as grey lines, and who waits for
//! whom as arrows with words; a deadlock in red.
//!
//! The nodes are called by the numbers of processes and channels, so no name can be taken for anything but text; where
//! two have one name, both have their numbers behind it.

use std::{collections::BTreeSet, fmt::Write};

use super::{
    report::{Deadlock, Wait},
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
        self.distinct().draw()
    }

    fn draw(&self) -> String {
        let mut drawing = Drawing::new(&self.network);
        let deadlock = self.deadlock.as_ref();
        drawing.condemned = deadlock.map(condemned).unwrap_or_default();
        drawing.cycle = deadlock.map(cycle_edges).unwrap_or_default();
        for process in &self.processes {
            drawing.process(process.id, &process_label(process), process.state);
        }
        for channel in &self.channels {
            let id = channel.id;
            drawing.channel(id, &channel_label(channel));
            for (sender, name) in channel.sender_ids.iter().zip(&channel.senders) {
                drawing.known(*sender, name);
                drawing.line(&format!("p{sender} -> c{id} [color=\"{GREY}\"]"));
            }
            for (receiver, name) in channel.receiver_ids.iter().zip(&channel.receivers) {
                drawing.known(*receiver, name);
                drawing.line(&format!("c{id} -> p{receiver} [color=\"{GREY}\"]"));
            }
        }
        for process in &self.processes {
            for wait in &process.waits {
                drawing.wait(process.id, wait);
            }
        }
        drawing.end()
    }
}

impl Deadlock {
    /// The deadlock as a drawing in the language of Graphviz: the cycle in red, and those who wait because of it.
    #[must_use]
    pub fn to_dot(&self) -> String {
        self.distinct().draw()
    }

    fn draw(&self) -> String {
        let mut drawing = Drawing::new(&self.network);
        drawing.condemned = condemned(self);
        drawing.cycle = cycle_edges(self);
        for blocked in self.processes() {
            drawing.process(blocked.process_id, &shown(&blocked.process), Doing::Blocked);
        }
        for blocked in self.processes() {
            for wait in &blocked.waits {
                drawing.wait(blocked.process_id, wait);
            }
        }
        drawing.end()
    }
}

/// Who can never go on.
fn condemned(deadlock: &Deadlock) -> BTreeSet<u64> {
    let all = deadlock.processes().map(|blocked| blocked.process_id);
    all.collect()
}

/// Who waits for whom around the cycle.
fn cycle_edges(deadlock: &Deadlock) -> BTreeSet<(u64, u64)> {
    let ids = deadlock.cycle.iter().map(|blocked| blocked.process_id);
    let after = ids.clone().cycle().skip(1);
    ids.zip(after).collect()
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
    /// Those that were drawn.
    processes: BTreeSet<u64>,
    condemned: BTreeSet<u64>,
    cycle: BTreeSet<(u64, u64)>,
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
            processes: BTreeSet::new(),
            condemned: BTreeSet::new(),
            cycle: BTreeSet::new(),
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str("  ");
        self.text.push_str(line);
        self.text.push_str(";\n");
    }

    fn process(&mut self, id: u64, label: &str, state: Doing) {
        if !self.processes.insert(id) {
            return;
        }
        let is_condemned = self.condemned.contains(&id);
        let fill = match state {
            _ if is_condemned => "#ffcdd2",
            Doing::Blocked => "#ffe0b2",
            Doing::Running => "#c8e6c9",
            Doing::Ready => "#dcedc8",
            Doing::Outside => "#bbdefb",
            Doing::NotBegun => "#eeeeee",
        };
        let (color, width) = if is_condemned { (RED, 2) } else { ("black", 1) };
        let label = quoted(label);
        self.line(&format!(
            "p{id} [shape=box, style=\"rounded,filled\", fillcolor=\"{fill}\", color=\"{color}\", \
             penwidth={width}, label={label}]"
        ));
    }

    fn channel(&mut self, id: u64, label: &str) {
        let label = quoted(label);
        self.line(&format!(
            "c{id} [shape=ellipse, color=\"{GREY}\", fontsize=10, label={label}]"
        ));
    }

    /// One that was not drawn yet (it has ended by now) is drawn with its name alone.
    fn known(&mut self, id: u64, name: &str) {
        self.process(id, &shown(name), Doing::NotBegun);
    }

    fn wait(&mut self, from: u64, wait: &Wait) {
        let label = quoted(&shown(&wait.to_string()));
        for (&to, name) in wait.waits_for_ids.iter().zip(&wait.waits_for) {
            self.known(to, name);
            let (color, width) = if self.cycle.contains(&(from, to)) {
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

    use super::{super::sample, GREY, quoted};

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
            assert!(red[0].starts_with("  p11 -> p12 "), "{dot}");
            assert!(
                red[0].contains("sending on \\\"up\\\" at chain.rs:31"),
                "{dot}"
            );
            assert!(red[1].starts_with("  p12 -> p11 "), "{dot}");
            let amber = dot.lines().filter(|line| line.contains("#b26a00"));
            assert_eq!(amber.count(), 1, "c waits because of a:\n{dot}");
        }
    }

    #[test]
    fn twins_are_two_nodes_and_each_has_its_own_waits() {
        let dot = sample::twins().to_dot();
        let has = |start: &str, part: &str| {
            dot.lines()
                .any(|line| line.starts_with(start) && line.contains(part))
        };
        for clerk in [12, 13] {
            assert!(
                has(&format!("  p{clerk} ["), &format!("\"clerk #{clerk}\\n")),
                "{dot}"
            );
            assert!(has(&format!("  c21 -> p{clerk} ["), GREY), "{dot}");
        }
        assert!(has("  p11 -> p12 [", "penwidth=3"), "{dot}");
        assert!(has("  p11 -> p13 [", "penwidth=1"), "{dot}");
        assert!(has("  c22 [", "\"form #22\\n"), "{dot}");
        let nodes = dot.lines().filter(|line| line.contains("shape="));
        assert_eq!(nodes.count(), 5, "{dot}");
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
