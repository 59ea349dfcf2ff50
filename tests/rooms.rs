//! The rooms of the house stand in dependency order: a lower one never imports a higher one.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Lowest first, as in `docs/architecture.md`.
const ROOMS: [&str; 12] = [
    "sync", "channel", "process", "pattern", "explore", "model", "wire", "net", "raft", "queue",
    "bench", "cli",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The room that a file under `src` belongs to; `lib.rs` and `main.rs` belong to none.
fn room_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(source()).unwrap();
    let first = inside.components().next().unwrap().as_os_str();
    let name = Path::new(first).file_stem().unwrap().to_str().unwrap();
    ROOMS.contains(&name).then(|| name.to_owned())
}

/// The code of a file without its comments, as one run of text without white space.
fn code(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<String>()
        .split_whitespace()
        .collect()
}

/// The first name of each path that starts at `crate::` (or, from outside, `handover::`).
fn names_under_crate(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for root in ["crate::", "handover::"] {
        for (at, _) in code.match_indices(root) {
            let rest = &code[at + root.len()..];
            match rest.strip_prefix('{') {
                Some(group) => names.extend(top_level_names(group)),
                None => names.push(leading_name(rest)),
            }
        }
    }
    names
}

fn leading_name(text: &str) -> String {
    text.chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}

/// The names at the top level of `a::b, c::{d, e}, f}`.
fn top_level_names(group: &str) -> Vec<String> {
    let mut names = vec![leading_name(group)];
    let mut depth = 1;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(leading_name(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[test]
fn a_room_imports_only_lower_rooms() {
    let rank: BTreeMap<&str, usize> = ROOMS.iter().copied().zip(0..).collect();
    let mut files = Vec::new();
    rust_files(&source(), &mut files);
    let mut checked = 0;
    for file in files {
        let Some(room) = room_of(&file) else { continue };
        checked += 1;
        for name in names_under_crate(&code(&file)) {
            let Some(other) = rank.get(name.as_str()) else {
                continue;
            };
            assert!(
                *other <= rank[room.as_str()],
                "{} is in `{room}` and imports the higher room `{name}`",
                file.display()
            );
        }
    }
    assert!(checked > 10, "only {checked} files were looked at");
}

#[test]
fn the_table_of_contents_lists_the_rooms_in_order() {
    let contents = fs::read_to_string(source().join("lib.rs")).unwrap();
    let listed: Vec<&str> = contents
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix("pub ").unwrap_or(line);
            line.strip_prefix("mod ")?.strip_suffix(';')
        })
        .collect();
    let expected: Vec<&str> = ROOMS
        .into_iter()
        .filter(|room| listed.contains(room))
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn an_import_is_seen_in_every_form_it_can_take() {
    let seen = |code: &str| names_under_crate(&code.split_whitespace().collect::<String>());
    assert_eq!(seen("use crate::net::Link;"), ["net"]);
    assert_eq!(
        seen("use crate::{channel::{Sender, Held}, wire, sync};"),
        ["channel", "wire", "sync"]
    );
    assert_eq!(seen("let x = crate::cli::main();"), ["cli"]);
    assert_eq!(seen("use handover::net;"), ["net"]);
}
