//! The lines at the top: which network, how it is, and in red what is wrong with it.

use std::time::Instant;

use ratatui::text::Line;

use super::state::App;
use super::theme::Theme;
use super::words;
use crate::cli::values;
use crate::process::Snapshot;

/// The lines, on a screen of that size, of which they leave the greater part.
pub fn lines(app: &App, theme: Theme, width: u16, height: u16) -> Vec<Line<'static>> {
    let room = usize::from(height / 2).max(1);
    let width = usize::from(width);
    let mut lines = Vec::new();
    match &app.snapshot {
        None => {
            let paused = if app.is_paused { "paused: " } else { "" };
            let text = format!("handover top  {}  {paused}no snapshot yet", app.addr);
            lines.push(Line::styled(fill(&text, width), theme.header()));
        }
        Some(snapshot) => of_snapshot(&mut lines, app, snapshot, theme, (width, room)),
    }
    if let Some(error) = &app.lost {
        let ago = app
            .seen_at
            .map(|at| Instant::now().saturating_duration_since(at));
        let seen = ago.map_or(String::new(), |ago| {
            format!(", last seen {} ago", values::time_in_words(ago))
        });
        let text = format!("lost: {error}{seen}; trying again");
        let left = room.saturating_sub(lines.len()).max(1);
        let wrapped = wrap(&text, width, left);
        let lost = wrapped
            .into_iter()
            .map(|text| Line::styled(text, theme.warning()));
        // The first line is the network's; that it is lost comes before all that was.
        let at = lines.len().min(1);
        lines.splice(at..at, lost);
        lines.truncate(room.max(2));
    }
    lines
}

fn of_snapshot(
    lines: &mut Vec<Line<'static>>,
    app: &App,
    snapshot: &Snapshot,
    theme: Theme,
    (width, room): (usize, usize),
) {
    let state = match (app.is_paused, &app.lost) {
        (_, Some(_)) => "lost: ",
        (true, None) => "paused: ",
        (false, None) => "",
    };
    let title = format!(
        "{}  {state}{}  {}, every {}",
        snapshot.network,
        words::running(snapshot),
        app.addr,
        values::time_in_words(app.interval),
    );
    let Some(sentence) = &app.sentence else {
        lines.push(Line::styled(fill(&title, width), theme.header()));
        let counts = wrap(&words::counts(snapshot), width, 2);
        lines.extend(counts.into_iter().map(Line::raw));
        let flow = format!(
            "{}; {}",
            words::hand_overs(snapshot),
            words::bottleneck(snapshot)
        );
        lines.extend(wrap(&flow, width, 2).into_iter().map(Line::raw));
        if let Some(undecided) = &snapshot.undecided {
            let wrapped = wrap(&undecided.to_string(), width, 3).into_iter();
            lines.extend(wrapped.map(|text| Line::styled(text, theme.warning())));
        }
        lines.truncate(room);
        return;
    };
    lines.push(Line::styled(
        fill(&format!("DEADLOCK  {title}"), width),
        theme.alarm(),
    ));
    let red = |text: String| Line::styled(fill(&text, width), theme.alarm());
    // Two lines are for the cycle and for the counts, where there is room.
    let more = usize::from(room > 2) + usize::from(room > 3);
    let wrapped = wrap(sentence, width, room.saturating_sub(1 + more).max(1));
    lines.extend(wrapped.into_iter().map(red));
    if more > 0
        && let Some(deadlock) = &snapshot.deadlock
        && let [first, ..] = deadlock.cycle_names()[..]
    {
        let names = deadlock.cycle_names().join(" -> ");
        let cycle = wrap(&format!("cycle: {names} -> {first}"), width, 1);
        lines.extend(cycle.into_iter().map(red));
    }
    if more > 1 {
        let counts = format!(
            "{}; {}",
            words::counts(snapshot),
            words::hand_overs(snapshot)
        );
        lines.push(Line::raw(counts));
    }
}

/// The text with blanks after it, so that its colour goes to the edge.
fn fill(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(Line::raw(text).width());
    format!("{text}{:blanks$}", "")
}

/// The text in at most so many lines, broken at blanks where that is possible; what does not fit is an ellipsis.
pub fn wrap(text: &str, width: usize, lines: usize) -> Vec<String> {
    let mut wrapped = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        for piece in pieces(word, width) {
            let cells = Line::raw(piece.trim_end()).width();
            if used > 0 && used + cells > width {
                if wrapped.len() == lines {
                    end(&mut wrapped, width);
                    return wrapped;
                }
                wrapped.push(String::new());
                used = 0;
            }
            if let Some(line) = wrapped.last_mut() {
                line.push_str(piece);
            }
            used += Line::raw(piece).width();
        }
    }
    wrapped
}

/// The parts of a word that fit on a line each.
fn pieces(word: &str, width: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut from, mut used) = (0, 0);
    for (at, letter) in word.char_indices() {
        let cells = Line::raw(letter.encode_utf8(&mut [0; 4]) as &str).width();
        if used + cells > width.max(2) && letter != ' ' {
            pieces.push(&word[from..at]);
            (from, used) = (at, 0);
        }
        used += cells;
    }
    pieces.push(&word[from..]);
    pieces
}

/// Puts an ellipsis at the end of the last line.
fn end(wrapped: &mut [String], width: usize) {
    if let Some(line) = wrapped.last_mut() {
        line.truncate(line.trim_end().len());
        while Line::raw(line.as_str()).width() + 1 > width && line.pop().is_some() {}
        line.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_whole_where_there_is_room() {
        let lines = wrap("a deadlock of two", 11, 5);
        assert_eq!(lines, ["a deadlock ", "of two"].map(String::from));
    }

    #[test]
    fn what_does_not_fit_is_an_ellipsis() {
        assert_eq!(wrap("one two three", 7, 1), ["one tw…".to_owned()]);
        assert_eq!(wrap("abcdefghij", 4, 2), ["abcd", "efg…"].map(String::from));
        for width in 0..5 {
            for lines in 1..4 {
                let wrapped = wrap("中文 and a long-winded word", width, lines);
                assert!(wrapped.len() <= lines);
            }
        }
    }
}
