//! The command line of `handover graph`.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::options::SharedOptions;
use crate::cli::{limits, values};

const GRAPH_HELP: &str = "\
THE SYSTEM
  A program is a node of a system once it has made a Node of its network and
  joined its links to it; then whoever is at the other end of such a link may
  look at it. graph looks at all ADDRs at once, and makes one picture of what
  they say: processes as `name at node`, and channels between machines whole.
  A program that serves an observer (serve_observer) is looked at by the
  address of its page, http://127.0.0.1:7070/ (give one address of a program,
  or it is drawn twice). graph only looks.

  Every node was looked at a moment earlier or later than the others, so a
  circle in the picture is no proof. What is red was proved to be a deadlock.

FORMATS
  text  tables, and sentences: what a terminal gets
  dot   for Graphviz: what a pipe gets
  svg   a picture, made by Graphviz (`dot`), which has to be installed. Where
        it is not, -o NAME.svg writes the page to NAME.html instead
  html  a page for the browser in one file, which needs nothing else
  json  the nodes, and all of it as one snapshot, with the names of
        `handover top --json`
  With -o FILE the format is what FILE ends in, unless --format says it.

EXAMPLES
  handover graph --connect 10.0.0.1:7000 --connect 10.0.0.2:7000 --tls me
  handover graph --connect 127.0.0.1:7101 127.0.0.1:7102 -o system.html
  handover graph --connect 127.0.0.1:7101 | dot -Tpng > system.png
  handover graph --connect 127.0.0.1:7101 --json | jq '.snapshot.deadlock'

EXIT STATUS
  0 all answered, 1 some did not (a sentence for each; what the others say is
  drawn) or the picture could not be made, 2 wrong use, 125 internal error,
  141 the reader of standard output went away";

/// Options of `handover graph`.
#[derive(Args, Debug)]
#[command(override_usage = "handover graph --connect ADDR... [OPTIONS]")]
#[command(after_long_help = GRAPH_HELP, after_help = "--help says more, with examples.")]
pub struct GraphOptions {
    /// Where a node listens: HOST:PORT, or the address of an observer's page; several, or given several times
    #[arg(long, value_name = "ADDR", required = true, num_args = 1..)]
    pub connect: Vec<String>,

    #[command(flatten)]
    pub shared: SharedOptions,

    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// What to write [default: by the end of FILE; without FILE text on a terminal, and dot elsewhere]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Time for all nodes to answer, such as 500ms or 30s
    #[arg(long, value_name = "D", default_value = limits::NODE_TIME, value_parser = values::duration)]
    pub timeout: Duration,
}

/// What a system is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Dot,
    Svg,
    Html,
    Json,
}

/// What to write, and whether somebody has asked for that very thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub format: Format,
    pub is_explicit: bool,
}

impl GraphOptions {
    /// What to write, if standard output is a terminal or not.
    ///
    /// # Errors
    /// A sentence, if the name of the file does not say it.
    pub fn chosen(&self, is_terminal: bool) -> Result<Chosen, String> {
        let explicit = |format| Chosen {
            format,
            is_explicit: true,
        };
        if self.json {
            return Ok(explicit(Format::Json));
        }
        if let Some(format) = self.format {
            return Ok(explicit(format));
        }
        let format = match &self.output {
            None if is_terminal => Format::Text,
            None => Format::Dot,
            Some(file) => {
                let end = file.extension().map(OsStr::to_ascii_lowercase);
                match end.as_deref().and_then(|end| end.to_str()) {
                    Some("dot" | "gv") => Format::Dot,
                    Some("svg") => Format::Svg,
                    Some("html" | "htm") => Format::Html,
                    Some("json") => Format::Json,
                    Some("txt") => Format::Text,
                    _ => {
                        return Err(format!(
                            "what to write to {} is not known: end its name in .html, .svg, .dot, .json or .txt, or \
                             give --format",
                            file.display()
                        ));
                    }
                }
            }
        };
        Ok(Chosen {
            format,
            is_explicit: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::options::{Action, Program};

    fn options(args: &[&str]) -> GraphOptions {
        let args = ["handover", "graph", "--connect", "a:1"].iter().chain(args);
        match Program::try_parse_from(args).unwrap().action {
            Action::Graph(options) => options,
            _ => unreachable!(),
        }
    }

    #[test]
    fn what_is_written_is_what_was_asked_for_or_what_the_file_is_called() {
        let chosen = |args: &[&str]| options(args).chosen(false).map(|it| it.format);
        assert_eq!(chosen(&[]), Ok(Format::Dot));
        assert_eq!(
            options(&[]).chosen(true).map(|it| it.format),
            Ok(Format::Text)
        );
        assert_eq!(chosen(&["-o", "a.b/x.SVG"]), Ok(Format::Svg));
        assert_eq!(chosen(&["-o", "x.html"]), Ok(Format::Html));
        assert_eq!(chosen(&["-o", "x.gv"]), Ok(Format::Dot));
        assert_eq!(
            chosen(&["-o", "x.svg", "--format", "text"]),
            Ok(Format::Text)
        );
        assert_eq!(chosen(&["--json"]), Ok(Format::Json));
        assert!(chosen(&["-o", "x"]).is_err());
        assert!(chosen(&["-o", "x.png"]).is_err());
    }

    #[test]
    fn addresses_are_given_together_or_one_by_one() {
        let both = options(&["--connect", "b:2", "c:3", "--timeout", "1s"]);
        assert_eq!(both.connect, ["a:1", "b:2", "c:3"]);
        assert_eq!(both.timeout, Duration::from_secs(1));
        assert!(Program::try_parse_from(["handover", "graph"]).is_err());
    }
}
