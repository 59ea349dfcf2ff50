//! What the view shows, and how keys and snapshots change it. It draws nothing, and asks nobody.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::client::FetchError;
use super::columns::{self, Column};
use super::list::List;
use super::sources::Reading;
use super::words;
use super::{clean, graph};
use crate::cli::limits;
use crate::process::{ChannelSeen, ProcessSeen, Snapshot};

/// Which of the views is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// The table of processes.
    Processes,
    /// The table of channels.
    Channels,
    /// Who waits for whom.
    Graph,
}

impl Tab {
    /// All, in their order.
    pub const ALL: [Self; 3] = [Self::Processes, Self::Channels, Self::Graph];

    fn step(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}

/// What lies over the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Nothing.
    Nothing,
    /// The keys.
    Help,
    /// All about the selected line, from this line on.
    Details(u16),
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    Stay,
    /// End.
    Quit,
    /// End, as after the signal that Ctrl-C sends elsewhere.
    Interrupt,
}

/// The state of the view.
#[derive(Debug)]
pub struct App {
    /// Whom it asks.
    pub addr: String,
    /// How often.
    pub interval: Duration,
    /// The last snapshot, of which every name is fit for a terminal.
    pub snapshot: Option<Snapshot>,
    /// When it came.
    pub seen_at: Option<Instant>,
    /// Why there is none now.
    pub lost: Option<FetchError>,
    /// The beginning of the deadlock's sentence.
    pub sentence: Option<String>,
    /// The view.
    pub tab: Tab,
    /// What lies over it.
    pub over: Over,
    /// Whether nobody is asked.
    pub is_paused: bool,
    /// What a line must have in it.
    pub filter: String,
    /// Whether the filter is being written.
    pub is_filtering: bool,
    /// The processes, sorted.
    pub processes: List,
    /// The channels, sorted.
    pub channels: List,
    /// The lines of the graph.
    pub graph: List,
    /// What they are; empty until somebody looks.
    pub graph_lines: Vec<graph::Line>,
}

impl App {
    /// Nothing was seen yet.
    pub fn new(addr: String, interval: Duration) -> Self {
        Self {
            addr,
            interval,
            snapshot: None,
            seen_at: None,
            lost: None,
            sentence: None,
            tab: Tab::Processes,
            over: Over::Nothing,
            is_paused: false,
            filter: String::new(),
            is_filtering: false,
            processes: List::new(columns::PROCESSES_BY),
            channels: List::new(columns::CHANNELS_BY),
            graph: List::new(0),
            graph_lines: Vec::new(),
        }
    }

    /// Takes what came of asking.
    pub fn take(&mut self, reading: Reading) {
        match reading {
            Err(error) => self.lost = Some(error),
            Ok(mut snapshot) => {
                clean::snapshot(&mut snapshot);
                // From here on everybody goes by names.
                let snapshot = snapshot.distinct().into_owned();
                self.lost = None;
                self.seen_at = Some(Instant::now());
                self.sentence = snapshot.deadlock.as_ref().map(|deadlock| {
                    let sentence = deadlock.to_string();
                    sentence.chars().take(limits::SENTENCE_LETTERS).collect()
                });
                self.snapshot = Some(snapshot);
                self.arrange();
            }
        }
    }

    /// Sorts and filters what the view shows; what was selected stays selected.
    fn arrange(&mut self) {
        let Some(snapshot) = &self.snapshot else {
            return;
        };
        let deadlocked = words::deadlocked(snapshot);
        let filter = self.filter.to_lowercase();
        match self.tab {
            Tab::Processes => arrange(
                &mut self.processes,
                &snapshot.processes,
                &columns::PROCESSES,
                &deadlocked,
                &|process| process_has(process, &filter, &deadlocked),
                |process| &process.name,
            ),
            Tab::Channels => arrange(
                &mut self.channels,
                &snapshot.channels,
                &columns::CHANNELS,
                &deadlocked,
                &|channel| channel_has(channel, &filter),
                |channel| &channel.name,
            ),
            Tab::Graph => {
                self.graph_lines = graph::lines(snapshot);
                let lines = self.graph_lines.iter().enumerate();
                let shown = lines
                    .filter(|(_, line)| has(&filter, &[&line.name, &line.note]))
                    .map(|(at, _)| at)
                    .collect();
                let lines = &self.graph_lines;
                self.graph.arrange(shown, |at| lines[at].name.clone());
            }
        }
    }

    /// The list of the view.
    pub fn list(&mut self) -> &mut List {
        match self.tab {
            Tab::Processes => &mut self.processes,
            Tab::Channels => &mut self.channels,
            Tab::Graph => &mut self.graph,
        }
    }

    /// Does what a key asks for.
    pub fn press(&mut self, key: KeyEvent) -> Next {
        if key.kind == KeyEventKind::Release {
            return Next::Stay;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Next::Interrupt;
        }
        if self.is_filtering {
            self.press_in_filter(key.code);
            return Next::Stay;
        }
        match (self.over, key.code) {
            (Over::Nothing, KeyCode::Char('q')) => return Next::Quit,
            (Over::Nothing, code) => self.press_in_view(code),
            (Over::Details(from), KeyCode::Down | KeyCode::Char('j')) => {
                self.over = Over::Details(from.saturating_add(1));
            }
            (Over::Details(from), KeyCode::Up | KeyCode::Char('k')) => {
                self.over = Over::Details(from.saturating_sub(1));
            }
            (_, KeyCode::Char('q' | '?') | KeyCode::Esc | KeyCode::Enter) => {
                self.over = Over::Nothing;
            }
            _ => {}
        }
        Next::Stay
    }

    fn press_in_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Char(letter) if !letter.is_control() => self.filter.push(letter),
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Enter => self.is_filtering = false,
            KeyCode::Esc => {
                self.is_filtering = false;
                self.filter.clear();
            }
            _ => return,
        }
        self.arrange();
    }

    fn press_in_view(&mut self, code: KeyCode) {
        match code {
            KeyCode::Char('1') => self.show(Tab::Processes),
            KeyCode::Char('2') => self.show(Tab::Channels),
            KeyCode::Char('3') => self.show(Tab::Graph),
            KeyCode::Tab => self.show(self.tab.step(1)),
            KeyCode::BackTab => self.show(self.tab.step(2)),
            KeyCode::Down | KeyCode::Char('j') => self.list().go(1),
            KeyCode::Up | KeyCode::Char('k') => self.list().go(-1),
            KeyCode::PageDown => self.list().page(1),
            KeyCode::PageUp => self.list().page(-1),
            KeyCode::Home | KeyCode::Char('g') => self.list().go(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.list().go(isize::MAX),
            KeyCode::Char('s') => self.sort(1),
            KeyCode::Char('S') => self.sort(-1),
            KeyCode::Char('r') => {
                let list = self.list();
                list.is_reversed = !list.is_reversed;
                self.arrange();
            }
            KeyCode::Char('/') => self.is_filtering = true,
            KeyCode::Esc => {
                self.filter.clear();
                self.arrange();
            }
            KeyCode::Enter => self.over = Over::Details(0),
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.over = Over::Help,
            _ => {}
        }
    }

    fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.arrange();
    }

    fn sort(&mut self, step: isize) {
        let columns = match self.tab {
            Tab::Processes => columns::PROCESSES.len(),
            Tab::Channels => columns::CHANNELS.len(),
            // It has the order of the tree.
            Tab::Graph => return,
        };
        let list = self.list();
        list.sorted_by = list
            .sorted_by
            .wrapping_add_signed(step + columns.cast_signed())
            % columns;
        list.is_reversed = false;
        self.arrange();
    }
}

fn arrange<T>(
    list: &mut List,
    all: &[T],
    columns: &[Column<T>],
    deadlocked: &HashSet<&str>,
    is_shown: &dyn Fn(&T) -> bool,
    name: fn(&T) -> &String,
) {
    let column = &columns[list.sorted_by];
    let is_descending = column.descends != list.is_reversed;
    let mut shown: Vec<usize> = (0..all.len()).filter(|&at| is_shown(&all[at])).collect();
    shown.sort_by(|&a, &b| {
        let order = (column.compare)(&all[a], &all[b], deadlocked);
        let order = if is_descending {
            order.reverse()
        } else {
            order
        };
        order.then_with(|| match columns::natural(name(&all[a]), name(&all[b])) {
            Ordering::Equal => a.cmp(&b),
            order => order,
        })
    });
    list.arrange(shown, |at| name(&all[at]).clone());
}

/// Whether one of the texts has the filter in it, which is in lower case.
fn has(filter: &str, texts: &[&str]) -> bool {
    filter.is_empty()
        || texts
            .iter()
            .any(|text| text.to_lowercase().contains(filter))
}

fn process_has(process: &ProcessSeen, filter: &str, deadlocked: &HashSet<&str>) -> bool {
    let state = words::State::of(process, deadlocked);
    has(
        filter,
        &[&process.name, words::kind(process.kind), state.word()],
    ) || process.waits.iter().any(|wait| {
        has(filter, &[&wait.channel, &wait.site.to_string()])
            || wait.waits_for.iter().any(|name| has(filter, &[name]))
    })
}

fn channel_has(channel: &ChannelSeen, filter: &str) -> bool {
    let mut ends = channel.senders.iter().chain(&channel.receivers);
    has(filter, &[&channel.name]) || ends.any(|name| has(filter, &[name]))
}
