//! The answers, for people and for programs.

use std::collections::HashMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

use super::questions::{self, Question};
use super::rival::{Missing, Rival};
use super::rivals;

/// What the program saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// In a word or two; `-` where the rival has no such operation.
    pub verdict: String,
    /// What there is to add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

impl Answer {
    pub(super) fn plain(verdict: impl Into<String>) -> Self {
        Self {
            verdict: verdict.into(),
            because: None,
        }
    }

    pub(super) fn because(verdict: impl Into<String>, because: impl Into<String>) -> Self {
        Self {
            verdict: verdict.into(),
            because: Some(because.into()),
        }
    }

    pub(super) fn yes_or_no(yes: bool) -> Self {
        Self::plain(if yes { "yes" } else { "no" })
    }
}

/// One rival.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// The short name.
    pub id: &'static str,
    /// Where it is from: the package with the version in the lock file that this was built beside, or `std`.
    pub from: String,
    /// The constructor and the capacity that the scripts used.
    pub constructor: &'static str,
}

/// One question, with an answer for each [`Column`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The short name.
    pub id: &'static str,
    /// The question.
    pub question: &'static str,
    /// In the order of the columns.
    pub answers: Vec<Answer>,
}

/// Every question put to every rival.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Table {
    /// The rivals; the first is this crate.
    pub columns: Vec<Column>,
    /// The questions.
    pub rows: Vec<Row>,
}

impl Table {
    /// Runs every script against every rival, which takes about a second.
    ///
    /// A rival that panics in a script has "panics" for an answer; the panic hook has seen it then.
    #[must_use]
    pub fn of_the_field() -> Self {
        let columns = rivals::ALL.iter().map(column).collect();
        let rows = questions::ALL
            .iter()
            .map(|question| Row {
                id: question.id,
                question: question.text,
                answers: rivals::ALL
                    .iter()
                    .map(|rival| asked(question, rival))
                    .collect(),
            })
            .collect();
        Self { columns, rows }
    }

    /// The answer of one rival to one question, by their short names.
    #[must_use]
    pub fn answer(&self, question: &str, rival: &str) -> Option<&Answer> {
        let at = self.columns.iter().position(|column| column.id == rival)?;
        let row = self.rows.iter().find(|row| row.id == question)?;
        row.answers.get(at)
    }

    /// The table as markdown, with its notes below it.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::from("|");
        let mut rule = String::from("\n|---|");
        for column in &self.columns {
            // Writing to a string cannot fail.
            let _ = write!(text, " | {}<br>`{}`", column.from, column.constructor);
            rule.push_str("---|");
        }
        text.push_str(" |");
        text.push_str(&rule);
        text.push('\n');
        let mut notes = Notes::default();
        for row in &self.rows {
            let _ = write!(text, "| {}", row.question);
            for answer in &row.answers {
                let _ = write!(text, " | {}", answer.verdict);
                if let Some(because) = &answer.because {
                    let _ = write!(text, " [{}]", notes.number(because));
                }
            }
            text.push_str(" |\n");
        }
        text.push('\n');
        for (number, note) in (1..).zip(&notes.all) {
            let _ = writeln!(text, "{number}. {note}");
        }
        text
    }
}

/// The notes under the table, each once, numbered as they come.
#[derive(Default)]
struct Notes {
    all: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Notes {
    fn number(&mut self, note: &str) -> usize {
        if let Some(number) = self.numbers.get(note) {
            return *number;
        }
        self.all.push(note.to_owned());
        self.numbers.insert(note.to_owned(), self.all.len());
        self.all.len()
    }
}

fn asked(question: &Question, rival: &Rival) -> Answer {
    match catch_unwind(AssertUnwindSafe(|| (question.ask)(rival))) {
        Ok(Ok(answer)) => answer,
        Ok(Err(Missing(why))) => Answer::because("-", why),
        Err(_) => Answer::plain("panics"),
    }
}

fn column(rival: &Rival) -> Column {
    let from = match rival.package {
        Some(package) => format!("{package} {}", locked_version(package).unwrap_or("?")),
        None => "std".to_owned(),
    };
    Column {
        id: rival.id,
        from,
        constructor: rival.constructor,
    }
}

/// The version of a package in the lock file of this repository.
fn locked_version(package: &str) -> Option<&'static str> {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    let name = format!("name = \"{package}\"");
    LOCK.split("[[package]]")
        .find(|entry| entry.lines().any(|line| line == name))?
        .lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
}
