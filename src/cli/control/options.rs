//! The command line of `handover control`.

use clap::{Args, Subcommand};

use crate::cli::options::SharedOptions;

const CONTROL_HELP: &str = "\
THE RUN
  A `handover map` can be controlled where it listens for workers (--listen),
  or at an address of its own (--control=ADDR); it says where. WORKER is the
  number that status shows, or the worker's name.

EXAMPLES
  handover control --connect 127.0.0.1:7000 status
  handover control --connect 127.0.0.1:7000 status --json | jq .workers
  handover control --connect 127.0.0.1:7000 abort 17
  handover control --connect 127.0.0.1:7000 pause --all
  handover control --connect 127.0.0.1:7000 shutdown 2 --now

EXIT STATUS
  0 done, 1 not done (a sentence says why) or no run there, 2 wrong use,
  125 internal error, 141 the reader of standard output went away";

/// Options of `handover control`.
#[derive(Args, Debug)]
#[command(override_usage = "handover control --connect ADDR [OPTIONS] COMMAND")]
#[command(after_long_help = CONTROL_HELP, after_help = "--help says more, with examples.")]
pub struct ControlOptions {
    /// Where the run listens
    #[arg(long, value_name = "ADDR")]
    pub connect: String,

    #[command(flatten)]
    pub shared: SharedOptions,

    /// Write the answer as JSON
    #[arg(long, global = true)]
    pub json: bool,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the run and its workers: what each is at, how far, and since when
    Status,
    /// End the command of a unit that runs; the unit has failed as aborted, and its worker goes on with the next
    Abort {
        /// The unit's number
        #[arg(value_name = "UNIT")]
        unit: u64,
    },
    /// Stop what a worker runs (SIGSTOP), and give it no unit; time limits stand still meanwhile
    Pause(Target),
    /// Let a worker go on
    Resume(Target),
    /// Have a worker leave: when its unit is done, or at once (--now), giving the unit back for another
    ///
    /// No other takes the place of a local worker that was asked to leave. A paused worker goes on with its unit.
    Shutdown {
        /// Who
        #[command(flatten)]
        target: Target,
        /// At once: what it runs is ended, and goes to another
        #[arg(long)]
        now: bool,
    },
    /// List the units that lost too many workers and are not tried again
    Poisoned,
}

/// Which workers.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct Target {
    /// A worker: its number or name in the status
    #[arg(value_name = "WORKER")]
    pub worker: Option<String>,
    /// All workers; with pause and resume, also those that join later
    #[arg(long)]
    pub all: bool,
}
