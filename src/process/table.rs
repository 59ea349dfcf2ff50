//! A snapshot as text that a person can read.

use std::fmt::{self, Write};

use super::{
    report::Wait,
    snapshot::{ChannelSeen, ProcessSeen, Snapshot},
};

/// How many names a line lists.
const NAMES_MAX: usize = 4;
/// How wide a column gets, in letters.
const WIDTH_MAX: usize = 40;

impl fmt::Display for Snapshot {
    /// Who waits for whom, since when and at which line; the channels; where it is held up; and the deadlock, first of
    /// all, if there is one. What has one name has its number with it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.distinct().write(f)
    }
}

impl Snapshot {
    /// As text in which processes and channels are told apart by their names.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_running {
            "running"
        } else {
            "not running"
        };
        writeln!(
            f,
            "network \"{}\": {state}, {} old, {} processes, {} channels",
            shown(&self.network),
            seconds(self.age_ms),
            self.processes.len(),
            self.channels.len()
        )?;
        if let Some(deadlock) = &self.deadlock {
            writeln!(f, "{}", shown(&deadlock.to_string()))?;
        }
        if let Some(undecided) = &self.undecided {
            writeln!(f, "{}", shown(&undecided.to_string()))?;
        }
        if let Some(bottleneck) = &self.bottleneck {
            writeln!(f, "bottleneck: {}", shown(&bottleneck.to_string()))?;
        }
        if let Some(unsent) = self.unsent_in_words() {
            writeln!(f, "{}", shown(&unsent))?;
        }
        if !self.processes.is_empty() {
            f.write_char('\n')?;
            table(f, process_rows(&self.processes))?;
        }
        if !self.channels.is_empty() {
            f.write_char('\n')?;
            table(f, channel_rows(&self.channels))?;
        }
        Ok(())
    }
}

fn process_rows(processes: &[ProcessSeen]) -> Vec<Vec<String>> {
    let head = ["process", "state", "for", "blocked", "waits"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for process in processes {
        let mut first = vec![
            shown(&process.name),
            process.state.to_string(),
            seconds(process.for_ms),
            format!("{:.0} %", process.blocked_part * 100.0),
        ];
        let mut waits = process.waits.iter().map(wait_in_words);
        first.push(waits.next().unwrap_or_default());
        rows.push(first);
        let joints = process.waits.iter().skip(1).map(|wait| {
            if wait.is_one_of_all || wait.is_stranded {
                "and"
            } else {
                "or"
            }
        });
        for (joint, another) in joints.zip(waits) {
            let mut row = vec![String::new(); 4];
            row.push(format!("{joint} {another}"));
            rows.push(row);
        }
    }
    rows
}

fn wait_in_words(wait: &Wait) -> String {
    if wait.is_stranded {
        return shown(&wait.to_string());
    }
    let mut names = listed(&wait.waits_for, " or ");
    if wait.is_open {
        let or = if names.is_empty() { "" } else { " or " };
        names = format!("{names}{or}somebody outside");
    }
    let wait = shown(&wait.to_string());
    if names.is_empty() {
        return format!("{wait}, for nobody");
    }
    format!("{wait}, for {names}")
}

fn channel_rows(channels: &[ChannelSeen]) -> Vec<Vec<String>> {
    let head = [
        "channel",
        "senders",
        "receivers",
        "handed over",
        "per second",
        "wait to send",
        "wait to receive",
        "credit",
        "",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for channel in channels {
        let mut notes = Vec::new();
        if channel.open_ends > 0 {
            notes.push(format!("{} open", channel.open_ends));
        }
        if !channel.known_outside.is_empty() {
            notes.push(format!(
                "held by {}",
                listed(&channel.known_outside, " and ")
            ));
        }
        if channel.is_poisoned {
            notes.push("poisoned".to_owned());
        } else if !channel.poisoners.is_empty() || channel.outside_poisoners > 0 {
            let mut names = listed(&channel.poisoners, " or ");
            if channel.outside_poisoners > 0 {
                names.push_str(if names.is_empty() { "" } else { " or " });
                names.push_str("somebody outside");
            }
            notes.push(format!("{names} may poison it"));
        }
        rows.push(vec![
            shown(&channel.name),
            listed(&channel.senders, ", "),
            listed(&channel.receivers, ", "),
            channel.handed_over.to_string(),
            format!("{:.1}", channel.per_second),
            channel.sends_waiting.to_string(),
            channel.receives_waiting.to_string(),
            match (channel.credit_unused, channel.credit_untaken) {
                (0, 0) => "-".to_owned(),
                (unused, untaken) => format!("{unused} unused, {untaken} untaken"),
            },
            notes.join(", "),
        ]);
    }
    rows
}

/// The first few names, and how many more there are.
fn listed(names: &[String], between: &str) -> String {
    let first: Vec<_> = names.iter().take(NAMES_MAX).map(|n| shown(n)).collect();
    let mut listed = first.join(between);
    if names.len() > NAMES_MAX {
        let _ = write!(listed, " and {} more", names.len() - NAMES_MAX);
    }
    listed
}

/// Columns as wide as what is in them, but for the last.
fn table(f: &mut fmt::Formatter<'_>, rows: Vec<Vec<String>>) -> fmt::Result {
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count().min(WIDTH_MAX));
        }
    }
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A time as a person says it.
pub(super) fn seconds(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds / 100 % 10),
        60_000..3_600_000 => format!(
            "{} min {} s",
            milliseconds / 60_000,
            milliseconds / 1_000 % 60
        ),
        _ => format!(
            "{} h {} min",
            milliseconds / 3_600_000,
            milliseconds / 60_000 % 60
        ),
    }
}

/// A name on one line, as it is but for what would command a terminal or turn the line around.
pub(super) fn shown(name: &str) -> String {
    let mut shown = String::with_capacity(name.len());
    for letter in name.chars() {
        let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || turns {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::sample, seconds, shown};

    #[test]
    fn a_person_reads_who_waits_for_whom_since_when_and_where() {
        let text = sample::chain().to_string();
        let expected = "\
network \"chain\": not running, 2.0 s old, 3 processes, 3 channels
deadlock: a (sending on \"up\" at chain.rs:31) waits for b; b (sending on \"down\" at chain.rs:44) waits for a; \
because of it c waits for ever too
bottleneck: a (waited for by 1.5 others on an average)
ended with a message that nobody has taken: d (at chain.rs:70)

process  state    for     blocked  waits
a        blocked  1.9 s   100 %    sending on \"up\" at chain.rs:31, for b
b        blocked  1.9 s   100 %    sending on \"down\" at chain.rs:44, for a
c        blocked  300 ms  50 %     receiving on \"side\" at chain.rs:60, for a

channel  senders  receivers  handed over  per second  wait to send  wait to receive  credit
up       a        b          7            0.0         1             0                -
down     b        a          0            0.0         1             0                -
side     a        c          3            12.5        0             1                2 unused, 1 untaken  1 open
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_hostile_name_stays_on_its_line() {
        let snapshot = sample::hostile();
        let text = snapshot.to_string();
        // The head, why it is not called a deadlock, and two tables with a line of heads each.
        let lines = 2 + 2 * 2 + snapshot.processes.len() + snapshot.channels.len();
        assert_eq!(text.lines().count(), lines, "{text}");
        assert!(
            text.chars()
                .all(|letter| letter == '\n' || !letter.is_control())
        );
    }

    #[test]
    fn what_commands_a_terminal_is_shown_and_not_sent() {
        assert_eq!(shown("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(shown("\u{202e}txt"), "\\u{202e}txt");
        assert_eq!(shown("Größe \"2\" 名"), "Größe \"2\" 名");
    }

    #[test]
    fn times_are_said_in_the_unit_that_fits() {
        assert_eq!(seconds(0), "0 ms");
        assert_eq!(seconds(999), "999 ms");
        assert_eq!(seconds(1_050), "1.0 s");
        assert_eq!(seconds(61_000), "1 min 1 s");
        assert_eq!(seconds(3_720_000), "1 h 2 min");
    }
}
