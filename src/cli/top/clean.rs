//! Takes from the names of a program whatever could steer a terminal, or make one name look like another.
//!
//! It is done once, when a snapshot arrives for the eyes of a person, so that nothing further on can forget it.

use std::fmt::Write as _;

use crate::process::{Because, Blocked, Snapshot, Wait};

/// Whether a terminal may do something else with it than show it where it stands.
fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            // Marks that change the direction of what follows, and those that have no width.
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes out what steers: a line feed becomes `\n`, an escape `\u{1b}`.
pub fn text(text: &mut String) {
    if !text.contains(steers) {
        return;
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if steers(letter) {
            clean.extend(letter.escape_default());
        } else {
            clean.push(letter);
        }
    }
    *text = clean;
}

/// Writes out what steers in every name of a snapshot.
pub fn snapshot(snapshot: &mut Snapshot) {
    text(&mut snapshot.network);
    for process in &mut snapshot.processes {
        text(&mut process.name);
        waits(&mut process.waits);
    }
    for channel in &mut snapshot.channels {
        text(&mut channel.name);
        channel.senders.iter_mut().for_each(text);
        channel.receivers.iter_mut().for_each(text);
        channel.poisoners.iter_mut().for_each(text);
        channel.known_outside.iter_mut().for_each(text);
        for crossing in &mut channel.crossings {
            text(&mut crossing.session);
            text(&mut crossing.channel);
        }
    }
    if let Some(deadlock) = &mut snapshot.deadlock {
        text(&mut deadlock.network);
        deadlock.cycle.iter_mut().for_each(blocked);
        deadlock.others.iter_mut().for_each(blocked);
    }
    if let Some(undecided) = &mut snapshot.undecided {
        undecided.processes.iter_mut().for_each(text);
        for because in &mut undecided.because {
            text(because.name_mut());
            if let Because::HeldBy { holder, .. } = because {
                text(holder);
            }
        }
    }
    if let Some(bottleneck) = &mut snapshot.bottleneck {
        text(&mut bottleneck.process);
    }
    for unsent in &mut snapshot.unsent {
        text(&mut unsent.process);
        text(&mut unsent.site.file);
    }
}

fn blocked(blocked: &mut Blocked) {
    text(&mut blocked.process);
    waits(&mut blocked.waits);
}

fn waits(waits: &mut [Wait]) {
    for wait in waits {
        text(&mut wait.channel);
        text(&mut wait.site.file);
        wait.waits_for.iter_mut().for_each(text);
    }
}

/// The same for JSON, in which only strings can have such letters: each becomes `\uXXXX`, and means what it did.
pub fn json(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    for letter in line.chars() {
        if steers(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(clean, "\\u{unit:04x}");
            }
        } else {
            clean.push(letter);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::sample;

    #[test]
    fn what_steers_a_terminal_is_written_out_and_the_rest_stays() {
        let cleaned = |name: &str| {
            let mut name = name.to_owned();
            text(&mut name);
            name
        };
        assert_eq!(cleaned("Prüfer 3 \u{4e2d}"), "Prüfer 3 \u{4e2d}");
        assert_eq!(cleaned("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
        assert_eq!(cleaned("\u{9b}2J\u{202e}x"), "\\u{9b}2J\\u{202e}x");
    }

    #[test]
    fn every_name_of_a_snapshot_is_cleaned() {
        let mut hostile = sample::hostile();
        let before = serde_json::to_string(&hostile).unwrap();
        assert!(before.contains("\\u001b"));
        snapshot(&mut hostile);
        let after = serde_json::to_value(&hostile).unwrap();
        assert_no_control(&after);
    }

    fn assert_no_control(value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => assert!(!text.contains(steers), "{text:?}"),
            serde_json::Value::Array(items) => items.iter().for_each(assert_no_control),
            serde_json::Value::Object(items) => items.values().for_each(assert_no_control),
            _ => {}
        }
    }

    #[test]
    fn json_is_free_of_them_too_and_means_the_same() {
        let hostile = sample::hostile();
        let line = json(&serde_json::to_string(&hostile).unwrap());
        assert!(!line.contains(steers));
        let again: Snapshot = serde_json::from_str(&line).unwrap();
        assert_eq!(again, hostile);
    }
}
