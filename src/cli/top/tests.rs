//! What stands on the screen, for all that can come and on every size of it.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::client::FetchError;
use super::draw::draw;
use super::sample;
use super::state::{App, Next, Over, Tab};
use super::theme::Theme;
use crate::process::{Because, Snapshot, Undecided};

fn app(snapshot: Snapshot) -> App {
    let mut app = App::new("127.0.0.1:7070".into(), Duration::from_secs(1));
    app.take(Ok(snapshot));
    app
}

fn drawn(app: &mut App, theme: Theme, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, app, theme)).unwrap();
    terminal.backend().buffer().clone()
}

fn rows(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let symbols: Vec<&str> = buffer.content.iter().map(Cell::symbol).collect();
    symbols
        .chunks(width)
        .map(|row| row.concat().trim_end().to_owned())
        .collect()
}

/// What stands on a screen of that size.
fn seen(app: &mut App, width: u16, height: u16) -> Vec<String> {
    rows(&drawn(app, Theme::Colours, width, height))
}

fn press(app: &mut App, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            letter => KeyCode::Char(letter),
        };
        assert_eq!(
            app.press(KeyEvent::new(code, KeyModifiers::NONE)),
            Next::Stay
        );
    }
}

#[track_caller]
fn has(rows: &[String], part: &str) {
    assert!(
        rows.iter().any(|row| row.contains(part)),
        "{part:?} is not in:\n{}",
        rows.join("\n")
    );
}

#[track_caller]
fn lacks(rows: &[String], part: &str) {
    assert!(
        !rows.iter().any(|row| row.contains(part)),
        "{part:?} is in:\n{}",
        rows.join("\n")
    );
}

#[test]
fn a_running_network_on_a_usual_terminal() {
    assert_eq!(
        seen(&mut app(sample::running()), 80, 14),
        [
            "pipeline  running, made 3 min 20 s ago  127.0.0.1:7070, every 1 s",
            "5 processes: 1 running, 1 ready, 2 blocked, 1 outside",
            "12,387 hand-overs a second; bottleneck: collector (1.5 wait for it)",
            " 1 Processes  2 Channels  3 Waits                                         1 of 5",
            "PROCESS        STATE        FOR        WAITED BY v WAITS FOR",
            "collector      > running    2 s        1.5",
            "clock          ~ outside    2 s                    something outside the network",
            "producer       # blocked    2 s                    worker 1 or worker 2 (sending",
            "worker 1       + ready      2 s",
            "worker 2       # blocked    2 s                    collector (sending on \"result",
            "",
            "",
            "",
            "q quit  ? help  / filter  s sort  r reverse  Enter details  p pause",
        ]
    );
}

#[test]
fn what_stands_still_and_is_no_deadlock_is_told_with_the_reason() {
    let mut snapshot = sample::running();
    snapshot.undecided = Some(Undecided {
        processes: vec!["producer".into()],
        process_count: 1,
        because: vec![Because::OpenEnds {
            channel: "jobs".into(),
            ends: 2,
        }],
        because_count: 1,
    });
    let rows = seen(&mut app(snapshot.clone()), 100, 14);
    has(
        &rows,
        "not called a deadlock, though producer waits for what the network cannot see:",
    );
    has(&rows, "(2 ends taken out, or under way in a parcel)");
    // On a small screen the lists come first.
    let rows = seen(&mut app(snapshot), 60, 8);
    has(&rows, "collector");
}

#[test]
fn a_wide_terminal_shows_every_column() {
    let rows = seen(&mut app(sample::running()), 160, 20);
    has(&rows, "KIND");
    has(&rows, "BLOCKED");
    has(
        &rows,
        "worker 1 or worker 2 (sending on \"jobs\" at pipeline.rs:12)",
    );
    has(&rows, "75%");
    has(&rows, "thread");
}

#[test]
fn the_channels_show_rates_waits_and_credit() {
    let mut app = app(sample::running());
    press(&mut app, "2");
    let rows = seen(&mut app, 120, 14);
    has(&rows, "CHANNEL");
    has(&rows, "A SECOND v");
    has(&rows, "12,346      1,234,567");
    has(&rows, "1 to send");
    has(&rows, "3 unused");
    has(&rows, "worker 2 -> collector");
    let first = rows.iter().position(|row| row.starts_with("jobs")).unwrap();
    press(&mut app, "r");
    let reversed = seen(&mut app, 120, 14);
    assert_eq!(
        reversed.iter().position(|row| row.starts_with("jobs")),
        Some(first + 1)
    );
}

#[test]
fn the_waits_are_a_tree_below_the_bottleneck() {
    let mut app = app(sample::running());
    press(&mut app, "3");
    let rows = seen(&mut app, 80, 16);
    let at = rows.iter().position(|row| row == "> collector").unwrap();
    assert_eq!(rows[at - 1], "bottleneck: most others wait for it");
    assert_eq!(
        rows[at + 1],
        "└ # worker 2  sending on \"results\" at pipeline.rs:40"
    );
    assert_eq!(
        rows[at + 2],
        "  └ # producer  sending on \"jobs\" at pipeline.rs:12"
    );
}

#[test]
fn a_deadlock_turns_the_header_red_with_its_sentence_and_cycle() {
    let mut app = app(sample::deadlocked());
    let buffer = drawn(&mut app, Theme::Colours, 80, 24);
    let seen = rows(&buffer);
    assert!(
        seen[0].starts_with("DEADLOCK  chain  running"),
        "{}",
        seen[0]
    );
    assert_eq!(
        seen[1],
        "deadlock: a (sending on \"up\" at pipeline.rs:31) waits for b; b (sending on"
    );
    has(&seen, "cycle: a -> b -> a");
    has(&seen, "! deadlocked");
    for y in 0..3 {
        for x in 0..80 {
            assert_eq!(buffer[(x, y)].bg, Color::Red, "{x} {y}");
        }
    }
    press(&mut app, "3");
    let seen = self::seen(&mut app, 80, 24);
    has(
        &seen,
        "deadlock: each waits for the next, the last for the first",
    );
    has(&seen, "└ ! c  receiving on \"news\"");
}

#[test]
fn twins_are_told_apart_by_their_numbers_in_each_view() {
    let mut app = app(sample::twins());
    let rows = seen(&mut app, 120, 24);
    has(&rows, "cycle: a -> twin #12 -> a");
    has(&rows, "because of it twin #13 waits for ever too");
    for id in [12, 13] {
        let mut of_one = rows
            .iter()
            .filter(|row| row.starts_with(&format!("twin #{id} ")));
        assert!(of_one.next().unwrap().contains("! deadlocked"));
        assert_eq!(of_one.next(), None);
    }
    press(&mut app, "2");
    has(&seen(&mut app, 120, 24), "a -> twin #12");
    press(&mut app, "3");
    let rows = seen(&mut app, 120, 24);
    has(&rows, "! twin #12  waits for a (sending on \"down\"");
    has(&rows, "└ ! twin #13  receiving on \"news\"");
}

#[test]
fn without_colours_a_deadlock_is_still_told_apart() {
    let mut app = app(sample::deadlocked());
    for keys in ["1", "2", "3", "?"] {
        press(&mut app, keys);
        let buffer = drawn(&mut app, Theme::Plain, 100, 30);
        for cell in &buffer.content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
        assert!(buffer[(0, 0)].modifier.contains(Modifier::REVERSED));
        has(&rows(&buffer), "DEADLOCK");
    }
}

#[test]
fn a_network_that_has_ended_says_so() {
    let rows = seen(&mut app(sample::ended()), 80, 24);
    has(&rows, "pipeline  ended, made 3 min 20 s ago");
    has(&rows, "0.0 hand-overs a second; nobody is held up");
    has(&rows, "no process");
}

#[test]
fn before_the_first_snapshot_and_after_the_last_one_it_says_what_is_wrong() {
    let mut app = App::new("127.0.0.1:7070".into(), Duration::from_secs(1));
    has(
        &seen(&mut app, 80, 24),
        "handover top  127.0.0.1:7070  no snapshot yet",
    );
    let gone = || FetchError::Unreachable {
        addr: "127.0.0.1:7070".into(),
        reason: "connection refused".into(),
    };
    app.take(Err(gone()));
    has(
        &seen(&mut app, 80, 24),
        "lost: there is no program at 127.0.0.1:7070: connection refused",
    );
    app.take(Ok(sample::running()));
    lacks(&seen(&mut app, 80, 24), "lost");
    app.take(Err(gone()));
    app.seen_at = Instant::now().checked_sub(Duration::from_secs(75));
    let rows = seen(&mut app, 80, 24);
    has(&rows, "pipeline  lost: running");
    has(&rows, "15 s ago; trying again");
    has(&rows, "collector");
    app.take(Ok(sample::deadlocked()));
    let rows = seen(&mut app, 80, 24);
    lacks(&rows, "lost");
    has(&rows, "DEADLOCK");
}

#[test]
fn no_size_and_no_snapshot_panics_and_every_screen_is_text() {
    let snapshots = [
        sample::running(),
        sample::deadlocked(),
        sample::ended(),
        sample::large(100),
        sample::hostile(),
    ];
    let sizes = [
        (0, 0),
        (1, 1),
        (2, 3),
        (5, 2),
        (10, 5),
        (40, 10),
        (80, 24),
        (200, 60),
        (300, 1),
        (1, 99),
    ];
    for snapshot in snapshots {
        for keys in [
            "", "2", "3", "?", "\n", "2\n", "3\n", "/work", "/w\n3", "p", "G\t",
        ] {
            let mut app = app(snapshot.clone());
            for lost in [false, true] {
                if lost {
                    app.take(Err(FetchError::NoAnswer {
                        addr: "there".into(),
                        time: Duration::from_secs(10),
                    }));
                }
                press(&mut app, keys);
                for (width, height) in sizes {
                    let buffer = drawn(&mut app, Theme::Colours, width, height);
                    for cell in &buffer.content {
                        let symbol = cell.symbol();
                        assert!(!symbol.chars().any(char::is_control), "{symbol:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn hostile_names_are_written_out() {
    let mut app = app(sample::hostile());
    has(
        &seen(&mut app, 200, 24),
        r"\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\t\u{9b}31m\u{202e}gnirts",
    );
}

#[test]
fn a_small_terminal_has_what_matters() {
    let rows = seen(&mut app(sample::deadlocked()), 40, 10);
    assert!(rows[0].starts_with("DEADLOCK  chain"), "{}", rows[0]);
    has(&rows, "a (sending on");
    has(&rows, "! deadlocked");
    assert!(rows[9].starts_with("q quit"), "{}", rows[9]);
}

#[test]
fn ten_thousand_processes_scroll() {
    let mut app = app(sample::large(10_000));
    let rows = seen(&mut app, 80, 24);
    has(&rows, "10,001 processes: 1 running, 10,000 blocked");
    has(&rows, "1 of 10,001");
    press(&mut app, "sss");
    while app.processes.sorted_by != 0 {
        press(&mut app, "s");
    }
    press(&mut app, "G");
    let rows = seen(&mut app, 80, 24);
    has(&rows, "10,001 of 10,001");
    has(&rows, "cell 10000");
    has(&rows, "cell 9999");
    app.press(KeyEvent::new(KeyCode::PageUp, KeyModifiers::NONE));
    lacks(&seen(&mut app, 80, 24), "10,001 of 10,001");
    press(&mut app, "3G");
    let rows = seen(&mut app, 80, 24);
    has(&rows, "(10000 deep) # cell 0");
}

#[test]
fn a_filter_shows_only_what_has_it_in_it() {
    let mut app = app(sample::running());
    press(&mut app, "/COLL");
    let rows = seen(&mut app, 120, 20);
    has(&rows, "/COLL_");
    has(&rows, "collector");
    has(&rows, "worker 2"); // It waits for the collector.
    lacks(&rows, "clock");
    press(&mut app, "\n");
    has(&seen(&mut app, 120, 20), "only \"COLL\"");
    press(&mut app, "/xyz\n");
    has(&seen(&mut app, 120, 20), "no process with that in it");
    press(&mut app, "\u{1b}");
    has(&seen(&mut app, 120, 20), "clock");
    press(&mut app, "/q");
    assert!(app.is_filtering, "a q in the filter is a letter");
}

#[test]
fn the_selected_process_stays_selected_while_the_order_changes() {
    let mut app = app(sample::running());
    press(&mut app, "jj");
    let name = |app: &App| {
        let at = app.processes.selected().unwrap();
        app.snapshot.as_ref().unwrap().processes[at].name.clone()
    };
    let before = name(&app);
    let mut later = sample::running();
    later.processes.reverse();
    later.processes[0].waited_for_by = 9.0;
    app.take(Ok(later));
    assert_eq!(name(&app), before);
}

#[test]
fn every_column_can_be_sorted_by_in_both_directions() {
    for tab in ["1", "2"] {
        let mut app = app(sample::running());
        press(&mut app, tab);
        let columns = if app.tab == Tab::Processes { 7 } else { 6 };
        let first = app.list().sorted_by;
        let mut orders = Vec::new();
        for _ in 0..columns {
            press(&mut app, "s");
            let rows = seen(&mut app, 200, 20);
            let is_marked = |row: &String| {
                let row = format!("{row} ");
                row.contains(" v ") || row.contains(" ^ ")
            };
            assert_eq!(
                rows.iter().filter(|row| is_marked(row)).count(),
                1,
                "{rows:?}"
            );
            orders.push(app.list().shown.clone());
            press(&mut app, "r");
            assert_eq!(app.list().shown.len(), orders[orders.len() - 1].len());
        }
        assert_eq!(app.list().sorted_by, first);
        press(&mut app, "S");
        assert_eq!(app.list().sorted_by, (first + columns - 1) % columns);
        orders.dedup();
        assert!(orders.len() > 1, "they are all the same: {orders:?}");
    }
}

#[test]
fn details_say_all_about_the_selected_line() {
    let mut app = app(sample::running());
    press(&mut app, "/producer\n\n");
    let rows = seen(&mut app, 80, 24);
    has(&rows, "thread, # blocked for 2 s, 7 turns");
    has(&rows, "  at src/pipeline.rs:12:9");
    has(&rows, "    worker 2");
    press(&mut app, "q");
    assert_eq!(app.over, Over::Nothing);
    press(&mut app, "\u{1b}2\n");
    has(
        &seen(&mut app, 80, 24),
        "1,234,567 hand-overs, 12,346 a second lately",
    );
}

#[test]
fn the_keys_are_told_and_end_the_view() {
    let mut app = app(sample::running());
    press(&mut app, "?");
    has(&seen(&mut app, 80, 24), "quit");
    press(&mut app, "?");
    press(&mut app, "p");
    assert!(app.is_paused);
    has(&seen(&mut app, 80, 24), "paused: running");
    let key = |code, modifiers| KeyEvent::new(code, modifiers);
    assert_eq!(
        app.press(key(KeyCode::Char('q'), KeyModifiers::NONE)),
        Next::Quit
    );
    let interrupt = key(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(app.press(interrupt), Next::Interrupt);
    press(&mut app, "/");
    assert_eq!(app.press(interrupt), Next::Interrupt);
}
