//! Which rows and which channels to measure, as a user asks for them.

use std::collections::BTreeSet;

use super::rows::{ChannelId, Row};

/// Why what was asked for cannot be measured.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChoiceError {
    /// No row has this in its name.
    #[error("no row has {wanted:?} in its name; the rows are:\n{}", listed(.rows))]
    NoSuchRow {
        /// What was asked for.
        wanted: String,
        /// The names of all rows.
        rows: Vec<String>,
    },
    /// There is no channel of this name.
    #[error("there is no channel {wanted:?} to measure against; there are:\n{}", listed(.channels))]
    NoSuchChannel {
        /// What was asked for.
        wanted: String,
        /// The names of all channels.
        channels: Vec<String>,
    },
    /// The channels are there, but not in the chosen rows.
    #[error("none of the chosen rows can be done by {against}: see --list for who can do what")]
    NobodyLeft {
        /// The channels that were asked for.
        against: String,
    },
}

fn listed(names: &[String]) -> String {
    format!("  {}", names.join("\n  "))
}

/// Instead of names of channels: ours alone.
pub const NOBODY: &str = "none";

/// The rows that have any of `wanted` in their names (all, if nothing is wanted), each with ours and the channels
/// that are called by `against` (all, if nobody is). A row that none of these can do is left out.
///
/// # Errors
///
/// If a word fits no row or no channel, or if nothing is left.
pub fn choose(
    mut rows: Vec<Row>,
    wanted: &[String],
    against: &[String],
) -> Result<Vec<Row>, ChoiceError> {
    let is_wanted = |row: &Row, word: &String| row.name.contains(word.as_str());
    for word in wanted {
        if !rows.iter().any(|row| is_wanted(row, word)) {
            return Err(ChoiceError::NoSuchRow {
                wanted: word.clone(),
                rows: rows.into_iter().map(|row| row.name).collect(),
            });
        }
    }
    let rivals: BTreeSet<ChannelId> = rows
        .iter()
        .flat_map(|row| row.entries.iter().skip(1))
        .map(|entry| entry.channel)
        .collect();
    for word in against.iter().filter(|word| *word != NOBODY) {
        if !rivals.iter().any(|rival| rival.is_called(word)) {
            return Err(ChoiceError::NoSuchChannel {
                wanted: word.clone(),
                channels: rivals.iter().map(ToString::to_string).collect(),
            });
        }
    }
    if !wanted.is_empty() {
        rows.retain(|row| wanted.iter().any(|word| is_wanted(row, word)));
    }
    if !against.is_empty() {
        for row in &mut rows {
            row.entries.retain(|entry| {
                entry.channel.is_ours() || against.iter().any(|word| entry.channel.is_called(word))
            });
        }
        let least = if against.iter().all(|word| word == NOBODY) {
            1
        } else {
            2
        };
        rows.retain(|row| row.entries.len() >= least);
    }
    if rows.is_empty() {
        return Err(ChoiceError::NobodyLeft {
            against: against.join(", "),
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rows::rows;

    fn chosen(wanted: &[&str], against: &[&str]) -> Result<Vec<(String, usize)>, ChoiceError> {
        let owned =
            |words: &[&str]| -> Vec<String> { words.iter().map(ToString::to_string).collect() };
        let rows = choose(rows(), &owned(wanted), &owned(against))?;
        Ok(rows
            .into_iter()
            .map(|row| (row.name, row.entries.len()))
            .collect())
    }

    #[test]
    fn without_a_wish_everything_is_measured() {
        let all = rows();
        let chosen = chosen(&[], &[]).unwrap();
        assert_eq!(chosen.len(), all.len());
        assert_eq!(chosen[0].1, all[0].entries.len());
    }

    #[test]
    fn a_word_stands_for_every_row_with_it_and_a_channel_for_its_capacities() {
        let chosen = chosen(&["threads/select", "idle"], &["crossbeam", "flume:0"]).unwrap();
        let expected = [
            ("threads/select-4", 4),
            ("threads/select-16", 4),
            ("threads/idle", 3),
        ];
        assert_eq!(
            chosen,
            expected.map(|(name, count)| (name.to_owned(), count))
        );
    }

    #[test]
    fn against_none_leaves_ours_alone() {
        let expected = vec![("threads/fan-in".to_owned(), 1)];
        assert_eq!(chosen(&["threads/fan-in"], &["none"]), Ok(expected));
    }

    #[test]
    fn a_row_that_nobody_asked_for_can_do_is_left_out() {
        let chosen = chosen(&["threads/fan"], &["std"]).unwrap();
        assert_eq!(chosen, [("threads/fan-in".to_owned(), 3)]);
    }

    #[test]
    fn what_fits_nothing_is_told_with_what_there_is() {
        let error = chosen(&["one-way", "two-way"], &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("no row has \"two-way\" in its name"),
            "{error}"
        );
        assert!(error.contains("\n  threads/one-way/8B\n"), "{error}");
        let error = chosen(&[], &["flume:7"]).unwrap_err().to_string();
        assert!(
            error.contains("\"flume:7\"") && error.contains("\n  flume:64\n"),
            "{error}"
        );
        let error = chosen(&["tasks"], &["std"]).unwrap_err().to_string();
        assert!(
            error.contains("none of the chosen rows can be done by std"),
            "{error}"
        );
    }
}
