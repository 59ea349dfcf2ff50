//! The pages of the guide are true: their commands print what they show.

#![allow(clippy::unwrap_used)]

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

/// A command of a page, and what the page says it prints.
struct Shown {
    command: String,
    output: String,
}

/// The commands in the `console` blocks of a page: lines that begin with `$ `, each with its output below.
fn shown_on(page: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside {
            if let Some(command) = line.strip_prefix("$ ") {
                shown.push(Shown {
                    command: command.to_owned(),
                    output: String::new(),
                });
            } else {
                let output = &mut shown.last_mut().unwrap().output;
                output.push_str(line);
                output.push('\n');
            }
        }
    }
    shown
}

/// What a page has whose commands are run one after the other in a new directory, and not in this repository.
const OWN_DIRECTORY: &str = "<!-- In a directory of its own. -->";

/// Runs a command as a reader of the page would, with a limit of five minutes: some begin with a build.
fn run(command: &str, directory: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_handover"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        env::var("PATH").unwrap()
    );
    let output = Command::new("timeout")
        .args(["300", "bash", "-c", command])
        .env("PATH", path)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A text without what differs from day to day: dates, times, and fingerprints.
fn timeless(text: &str) -> String {
    let is_of_the_day = |word: &str| {
        word.len() >= 8
            && word.contains(['-', ':'])
            && word
                .chars()
                .all(|letter| letter.is_ascii_hexdigit() || "-:".contains(letter))
    };
    text.split_inclusive([' ', '\n', ','])
        .map(|word| {
            let bare = word.trim_end_matches([' ', '\n', ',', ':']);
            if is_of_the_day(bare) {
                word.replace(bare, "*")
            } else {
                word.to_owned()
            }
        })
        .collect()
}

#[test]
fn every_command_of_the_guide_prints_what_the_page_shows() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide");
    let mut commands = 0;
    let own = env::temp_dir().join(format!("handover-guide-{}", std::process::id()));
    for entry in fs::read_dir(guide).unwrap() {
        let path = entry.unwrap().path();
        let page = fs::read_to_string(&path).unwrap();
        let mut directory = Path::new(env!("CARGO_MANIFEST_DIR"));
        if page.contains(OWN_DIRECTORY) {
            fs::create_dir_all(&own).unwrap();
            directory = &own;
        }
        for Shown { command, output } in shown_on(&page) {
            assert_eq!(
                timeless(&run(&command, directory)),
                timeless(&output),
                "{}: $ {command}",
                path.display()
            );
            commands += 1;
        }
        let _ = fs::remove_dir_all(&own);
    }
    assert!(commands >= 4, "only {commands} commands were found");
}
