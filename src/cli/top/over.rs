//! What can lie over the view: the keys, and all about the selected line.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use super::state::{App, Over, Tab};
use super::theme::Theme;
use super::words::{self, State};
use crate::process::{ChannelSeen, Doing, ProcessSeen, Snapshot};

/// How many names of one kind are listed.
const NAMED: usize = 200;

const KEYS: [&str; 15] = [
    "1 2 3 Tab   processes, channels, who waits for whom",
    "up down k j move        PgUp PgDn g G  further",
    "Enter       all about the selected line",
    "s S         sort by the next, the previous column",
    "r           sort the other way round",
    "/           show only what has a text in it; Esc: everything",
    "p           pause: the program is not asked meanwhile",
    "q           quit",
    "",
    "> running   + ready     # blocked at channels",
    "~ waits for something outside the network",
    ". not begun   ! deadlocked: it can never go on",
    "",
    "WAITED BY: how many others have waited for it lately, directly or",
    "through others, on an average. BLOCKED: the part of the last seconds.",
];

/// The keys.
pub fn help(frame: &mut Frame<'_>, area: Rect) {
    frame.render_widget(Paragraph::new(KEYS.map(Line::raw).to_vec()), area);
}

/// All about the selected line.
pub fn details(frame: &mut Frame<'_>, area: Rect, app: &mut App, theme: Theme) {
    let Some(snapshot) = &app.snapshot else {
        return;
    };
    let selected = match app.tab {
        Tab::Processes => app.processes.selected(),
        Tab::Channels => app.channels.selected(),
        Tab::Graph => app.graph.selected(),
    };
    let lines = match (app.tab, selected) {
        (_, None) => vec!["nothing is selected".to_owned()],
        (Tab::Processes, Some(at)) => of_process(&snapshot.processes[at], snapshot),
        (Tab::Channels, Some(at)) => of_channel(&snapshot.channels[at]),
        (Tab::Graph, Some(at)) => {
            let line = &app.graph_lines[at];
            let mut all = snapshot.processes.iter();
            match all.find(|process| line.state.is_some() && process.name == line.name) {
                Some(process) => of_process(process, snapshot),
                None => vec![line.name.clone(), line.note.clone()],
            }
        }
    };
    let mut lines: Vec<Line<'_>> = lines.into_iter().map(Line::raw).collect();
    if let Some(first) = lines.first_mut() {
        *first = std::mem::take(first).style(theme.head());
    }
    let Over::Details(from) = app.over else {
        return;
    };
    let last = u16::try_from(lines.len().saturating_sub(1)).unwrap_or(u16::MAX);
    app.over = Over::Details(from.min(last));
    let text = Paragraph::new(lines).wrap(Wrap { trim: false });
    frame.render_widget(text.scroll((from.min(last), 0)), area);
}

fn of_process(process: &ProcessSeen, snapshot: &Snapshot) -> Vec<String> {
    let state = State::of(process, &words::deadlocked(snapshot));
    let mut lines = vec![
        process.name.clone(),
        format!(
            "{}, {} {} for {}, {} turns",
            words::kind(process.kind),
            state.sign(),
            state.word(),
            words::time(process.for_ms),
            words::grouped(process.turns),
        ),
        format!(
            "lately blocked for {} of the time, waited for by {} others on an average",
            words::percent(process.blocked_part),
            words::rate(process.waited_for_by),
        ),
    ];
    if process.waits.is_empty() {
        lines.push(match process.state {
            Doing::Blocked | Doing::Outside => format!("waits for {}", words::waits(process)),
            _ => "waits for nothing".into(),
        });
    }
    for wait in &process.waits {
        lines.push(String::new());
        let site = &wait.site;
        lines.push(format!("{} on \"{}\"", wait.operation, wait.channel));
        lines.push(format!("  at {}:{}:{}", site.file, site.line, site.column));
        lines.push("  for:".into());
        lines.extend(listed(
            &wait.waits_for,
            if wait.is_open {
                "somebody outside"
            } else {
                "nobody"
            },
        ));
        if wait.is_open && !wait.waits_for.is_empty() {
            lines.push("    or somebody outside".into());
        }
    }
    lines
}

fn of_channel(channel: &ChannelSeen) -> Vec<String> {
    let mut lines = vec![
        channel.name.clone(),
        format!(
            "{} hand-overs, {} a second lately",
            words::grouped(channel.handed_over),
            words::rate(channel.per_second)
        ),
        format!(
            "{} operations wait to send, {} to receive",
            channel.sends_waiting, channel.receives_waiting
        ),
        format!(
            "credit: {} unused, {} sent and not taken",
            channel.credit_unused, channel.credit_untaken
        ),
        format!("{} open ends", channel.open_ends),
    ];
    if channel.is_poisoned {
        lines.push("poisoned".into());
    }
    lines.push("from:".into());
    lines.extend(listed(&channel.senders, "nobody"));
    lines.push("to:".into());
    lines.extend(listed(&channel.receivers, "nobody"));
    lines
}

fn listed(names: &[String], none: &str) -> Vec<String> {
    if names.is_empty() {
        return vec![format!("    {none}")];
    }
    let mut lines: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|name| format!("    {name}"))
        .collect();
    if names.len() > NAMED {
        lines.push(format!("    and {} more", names.len() - NAMED));
    }
    lines
}
