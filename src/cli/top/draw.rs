//! Draws the view. Nothing here assumes that there is room: what does not fit is left out.

use std::collections::HashSet;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table};

use super::columns::{self, Column, Width};
use super::header;
use super::list::List;
use super::over;
use super::state::{App, Over, Tab};
use super::theme::Theme;
use super::words::{self, State};
use crate::process::ProcessSeen;

/// How deep the tree of the graph is indented at most, in levels; deeper than that, a number says it.
const INDENT_MAX: usize = 12;

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, app: &mut App, theme: Theme) {
    let area = frame.area();
    if area.width == 0 || area.height == 0 {
        return;
    }
    let header = header::lines(app, theme, area.width, area.height);
    let header_height = u16::try_from(header.len()).unwrap_or(u16::MAX);
    let [top, tabs, body, bottom] = Layout::vertical([
        Constraint::Length(header_height.min(area.height)),
        Constraint::Length(u16::from(area.height > 6)),
        Constraint::Fill(1),
        Constraint::Length(u16::from(area.height > 3)),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(header), top);
    frame.render_widget(tab_line(app, theme, area.width), tabs);
    match app.over {
        Over::Nothing => view(frame, body, app, theme),
        Over::Help => over::help(frame, body),
        Over::Details(_) => over::details(frame, body, app, theme),
    }
    frame.render_widget(foot_line(app), bottom);
}

fn tab_line(app: &App, theme: Theme, width: u16) -> Line<'static> {
    let mut spans = Vec::new();
    for (at, tab) in Tab::ALL.into_iter().enumerate() {
        let name = match tab {
            Tab::Processes => "Processes",
            Tab::Channels => "Channels",
            Tab::Graph => "Waits",
        };
        let style = if tab == app.tab {
            Theme::chosen()
        } else {
            Style::new()
        };
        spans.push(Span::styled(format!(" {} {name} ", at + 1), style));
    }
    if !app.filter.is_empty() && !app.is_filtering {
        spans.push(Span::styled(
            format!("  only \"{}\"", app.filter),
            theme.warning(),
        ));
    }
    let mut line = Line::from(spans);
    let list = match app.tab {
        Tab::Processes => &app.processes,
        Tab::Channels => &app.channels,
        Tab::Graph => &app.graph,
    };
    if !list.shown.is_empty() {
        let at = words::grouped(list.selected as u64 + 1);
        let place = format!("{at} of {}", words::grouped(list.shown.len() as u64));
        let room = usize::from(width).saturating_sub(line.width());
        if place.len() < room {
            line.push_span(Span::styled(format!("{place:>room$}"), Theme::dim()));
        }
    }
    line
}

fn foot_line(app: &App) -> Line<'static> {
    if app.is_filtering {
        return Line::from(vec![
            Span::styled("/", Theme::key()),
            Span::raw(app.filter.clone()),
            Span::styled("_", Theme::chosen()),
            Span::styled("  Enter keep  Esc everything", Theme::dim()),
        ]);
    }
    let keys: &[(&str, &str)] = match (app.over, app.tab) {
        (Over::Nothing, Tab::Graph) => &[
            ("q", "quit"),
            ("?", "help"),
            ("/", "filter"),
            ("Enter", "details"),
            ("p", "pause"),
        ],
        (Over::Nothing, _) => &[
            ("q", "quit"),
            ("?", "help"),
            ("/", "filter"),
            ("s", "sort"),
            ("r", "reverse"),
            ("Enter", "details"),
            ("p", "pause"),
        ],
        _ => &[("Esc", "back")],
    };
    let mut line = Line::default();
    for (key, what) in keys {
        line.push_span(Span::styled(*key, Theme::key()));
        line.push_span(Span::raw(format!(" {what}  ")));
    }
    line
}

fn view(frame: &mut Frame<'_>, area: Rect, app: &mut App, theme: Theme) {
    let Some(snapshot) = &app.snapshot else {
        return;
    };
    let deadlocked = words::deadlocked(snapshot);
    let empty = match app.tab {
        Tab::Processes if app.processes.shown.is_empty() => Some("no process"),
        Tab::Channels if app.channels.shown.is_empty() => Some("no channel"),
        Tab::Graph if app.graph.shown.is_empty() => Some("nobody waits for anybody"),
        _ => None,
    };
    if let Some(what) = empty {
        let of_filter = if app.filter.is_empty() {
            ""
        } else {
            " with that in it (Esc: everything)"
        };
        frame.render_widget(
            Line::styled(format!("{what}{of_filter}"), Theme::dim()),
            area,
        );
        return;
    }
    match app.tab {
        Tab::Processes => {
            let style = |process: &ProcessSeen| theme.state(State::of(process, &deadlocked));
            let what = (snapshot.processes.as_slice(), columns::PROCESSES.as_slice());
            table(
                frame,
                area,
                &mut app.processes,
                what,
                &deadlocked,
                theme,
                &style,
            );
        }
        Tab::Channels => {
            let what = (snapshot.channels.as_slice(), columns::CHANNELS.as_slice());
            table(
                frame,
                area,
                &mut app.channels,
                what,
                &deadlocked,
                theme,
                &|channel| {
                    if channel.is_poisoned {
                        theme.state(State::Deadlocked)
                    } else {
                        Style::new()
                    }
                },
            );
        }
        Tab::Graph => graph(frame, area, app, theme),
    }
}

fn table<T>(
    frame: &mut Frame<'_>,
    area: Rect,
    list: &mut List,
    (all, columns): (&[T], &'static [Column<T>]),
    deadlocked: &HashSet<&str>,
    theme: Theme,
    style: &dyn Fn(&T) -> Style,
) {
    let fitting: Vec<(usize, &Column<T>)> = columns
        .iter()
        .enumerate()
        .filter(|(at, column)| {
            area.width >= column.from || *at == list.sorted_by && area.width >= 56
        })
        .collect();
    let widths = fitting.iter().map(|(_, column)| match column.width {
        Width::Cells(cells) => Constraint::Length(cells),
        Width::Shares(shares) => Constraint::Fill(shares),
    });
    let titles = fitting.iter().map(|(at, column)| {
        let is_descending = column.descends != list.is_reversed;
        match (*at == list.sorted_by, is_descending) {
            (false, _) => column.title.to_owned(),
            (true, true) => format!("{} v", column.title),
            (true, false) => format!("{} ^", column.title),
        }
    });
    let head = Row::new(titles).style(theme.head());
    let window = list.window(usize::from(area.height.saturating_sub(1)));
    let rows: Vec<Row<'_>> = window
        .map(|place| {
            let item = &all[list.shown[place]];
            let cells = fitting
                .iter()
                .map(|(_, column)| (column.text)(item, deadlocked));
            let style = style(item);
            Row::new(cells).style(if place == list.selected {
                Theme::selected(style)
            } else {
                style
            })
        })
        .collect();
    frame.render_widget(Table::new(rows, widths).header(head), area);
}

fn graph(frame: &mut Frame<'_>, area: Rect, app: &mut App, theme: Theme) {
    let window = app.graph.window(usize::from(area.height));
    let lines: Vec<Line<'_>> = window
        .map(|place| {
            let line = &app.graph_lines[app.graph.shown[place]];
            let style = line.state.map_or(theme.head(), |state| theme.state(state));
            let style = if place == app.graph.selected {
                Theme::selected(style)
            } else {
                style
            };
            let sign = line
                .state
                .map_or(String::new(), |state| format!("{} ", state.sign()));
            let mut spans = vec![Span::styled(branch(line.depth), Theme::dim())];
            spans.push(Span::styled(format!("{sign}{}", line.name), style));
            spans.push(Span::raw(format!("  {}", line.note)));
            Line::from(spans)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn branch(depth: usize) -> String {
    match depth {
        0 => String::new(),
        1..=INDENT_MAX => format!("{}└ ", "  ".repeat(depth - 1)),
        deeper => format!("{}└ ({deeper} deep) ", "  ".repeat(INDENT_MAX - 1)),
    }
}
