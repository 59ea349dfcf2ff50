//! The command line of `handover bench`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

const BENCH_HELP: &str = "\
HOW IT MEASURES
  Every channel does the same work with the same checks: messages must come
  complete and in order. In each round every channel runs once, and each round
  begins with another one; `times ours` is taken within a round. What is shown
  is the median of the rounds and, beside it, the quartiles. A channel of
  capacity 0 is called crossbeam:0, one that buffers 64 messages crossbeam:64;
  crossfire, async-channel and tokio have no capacity below 1. `processor ns`
  is what all threads used for one unit, `polls` how often all tasks were
  polled for it: a send that completes when the message was taken needs two
  polls a message one way, and one poll means that it completed before.
  Give the machine nothing else to do meanwhile.

EXAMPLES
  handover bench --quick
  handover bench threads/ping-pong select --against crossbeam,flume:64
  handover bench tasks-1/one-way --json | jq '.channels[] | {channel, ns}'
  handover bench threads --svg threads.svg

EXIT STATUS
  0 measured, 2 wrong use, 125 internal error or a channel that failed its
  checks, 130 interrupted, 143 terminated, 141 the reader of standard output
  went away";

/// Options of `handover bench`.
#[derive(Args, Debug)]
#[command(override_usage = "handover bench [OPTIONS] [ROW]...")]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_long_help = BENCH_HELP, after_help = "--help says more, with examples.")]
pub struct BenchOptions {
    /// Another measurement than the rows
    #[command(subcommand)]
    pub other: Option<Other>,

    /// Rows to measure: those with ROW in their names [default: all]
    #[arg(value_name = "ROW")]
    pub rows: Vec<String>,

    /// Channels to measure beside ours, such as crossbeam,flume:64; none for ours alone [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub against: Vec<String>,

    /// Measure for less than a minute instead of about ten: good for a first look
    #[arg(long)]
    pub quick: bool,

    /// Rounds, in each of which every channel runs once [default: 15; with --quick: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub rounds: Option<u16>,

    /// Draw a picture of all that was measured to FILE
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Print a JSON object for each row, one a line
    #[arg(long)]
    pub json: bool,

    /// List the rows, and who can do them
    #[arg(long, conflicts_with_all = ["json", "svg"])]
    pub list: bool,
}

/// Measurements beside the rows: a subcommand each.
#[derive(Debug, Subcommand)]
pub enum Other {
    /// Run a pipeline of your own shape over several capacities: what a buffer hides
    Shape(Box<super::shape::ShapeOptions>),
}

impl Other {
    /// Runs it.
    pub fn main(&self) -> ExitCode {
        match self {
            Self::Shape(options) => super::shape::main(options),
        }
    }
}
