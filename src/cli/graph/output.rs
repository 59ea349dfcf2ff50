//! A system in each of the formats, and where it goes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::options::{Chosen, Format};
use crate::cli::standard::Standard;
use crate::cli::top::clean;
use crate::cli::{command, limits, values};
use crate::net::System;

/// With what every page begins.
const PAGE: &[u8] =
    b"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=";

/// Writes the system. What is said beside the picture and has no place in it goes to standard error.
///
/// # Errors
/// A sentence and an exit status.
pub async fn write(
    system: &System,
    chosen: Chosen,
    file: Option<&Path>,
) -> Result<(), (String, u8)> {
    let failed = |sentence| (sentence, 1);
    let mut file = file.map(Path::to_owned);
    let text = match chosen.format {
        Format::Text => system.to_string(),
        Format::Json => clean::json(&system.to_json()) + "\n",
        Format::Html => system.snapshot.to_html(&system.notes()),
        Format::Dot => {
            say_notes(system);
            system.to_dot()
        }
        Format::Svg => match command::find(OsStr::new("dot")) {
            Ok(dot) => {
                say_notes(system);
                drawn(&dot, &system.to_dot()).await.map_err(failed)?
            }
            Err(_) => match &file {
                Some(picture) if !chosen.is_explicit => {
                    let page = page_for(picture).map_err(failed)?;
                    eprintln!(
                        "handover: Graphviz (dot) is not installed, so there is no {}: a page for the browser is in {}",
                        picture.display(),
                        page.display()
                    );
                    file = Some(page);
                    system.snapshot.to_html(&system.notes())
                }
                _ => {
                    return Err(failed(
                        "a picture is made by Graphviz, which is not installed: install it (apt install graphviz), or \
                         write a page for the browser (--format html)"
                            .to_owned(),
                    ));
                }
            },
        },
    };
    match file {
        Some(file) => fs::write(&file, text)
            .map_err(|error| failed(format!("{} cannot be written: {error}", file.display()))),
        None => to_standard_output(&text),
    }
}

fn say_notes(system: &System) {
    for note in system.notes() {
        eprintln!("handover: {}", values::printable(&note));
    }
}

fn to_standard_output(text: &str) -> Result<(), (String, u8)> {
    let written = Standard::output().and_then(|mut output| output.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => (String::new(), 141),
        _ => (format!("standard output cannot be written: {error}"), 125),
    })
}

/// The drawing as Graphviz makes it a picture.
async fn drawn(dot: &Path, drawing: &str) -> Result<String, String> {
    let mut child = Command::new(dot)
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{} cannot be run: {error}", dot.display()))?;
    let into = child.stdin.take();
    let telling = async {
        if let Some(mut into) = into {
            // One that does not want all of it says why.
            let _ = into.write_all(drawing.as_bytes()).await;
        }
    };
    let both = async { tokio::join!(telling, child.wait_with_output()).1 };
    let output = match timeout(limits::PICTURE_TIME, both).await {
        Ok(output) => output.map_err(|error| format!("{} has failed: {error}", dot.display()))?,
        Err(_) => {
            return Err(format!(
                "Graphviz has made no picture within {}: there is too much in it; write a page instead (--format html)",
                values::time_in_words(limits::PICTURE_TIME)
            ));
        }
    };
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        let why = values::printable(why.lines().next().unwrap_or_default());
        return Err(format!("Graphviz has failed ({}): {why}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("Graphviz wrote no text: {error}"))
}

/// Where the page goes that takes the place of a picture: beside it, and over nothing but another such page.
fn page_for(picture: &Path) -> Result<PathBuf, String> {
    let page = picture.with_extension("html");
    let is_ours = || -> io::Result<bool> {
        let mut begin = Vec::new();
        File::open(&page)?
            .take(PAGE.len() as u64)
            .read_to_end(&mut begin)?;
        Ok(begin == PAGE)
    };
    match is_ours() {
        Ok(false) => Err(format!(
            "a picture is made by Graphviz, which is not installed (apt install graphviz), and the page in its place \
             would take that of {}: give another name, such as -o FILE.html",
            page.display()
        )),
        _ => Ok(page),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_as_a_page_that_takes_a_picture_s_place_may() {
        let page = System::of(Vec::new()).snapshot.to_html(&[]);
        assert!(page.as_bytes().starts_with(PAGE), "{}", &page[..120]);
    }
}
