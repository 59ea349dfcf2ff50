//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::limits;
use super::values::{self, Halt};

/// Hands work over: each unit only to a worker that waits for it.
#[derive(Debug, Parser)]
#[command(name = "handover", version, max_term_width = 110)]
pub struct Program {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Run a command for each unit of standard input, on workers that are idle
    Map(Box<MapOptions>),
    /// Join a `handover map --listen` as a worker
    Work(WorkOptions),
    /// Look at a `handover map` that runs, and steer it: status, abort, pause, resume, shutdown
    Control(super::control::ControlOptions),
    /// Show, live, what a program is doing: who waits for whom, and a deadlock when there is one
    Top(super::top::TopOptions),
    /// Draw who waits for whom in a system of several programs, on whichever machines
    Graph(super::graph::GraphOptions),
    /// Make the certificates by which the ends of a link know each other
    Cert(super::cert::CertOptions),
    /// Measure Handover's channel beside its rivals on this machine
    #[cfg(feature = "bench")]
    Bench(Box<super::bench::BenchOptions>),
    /// Says how to get a program that measures
    #[cfg(not(feature = "bench"))]
    #[command(hide = true, disable_help_flag = true)]
    Bench(NotBuilt),
}

const MAP_HELP: &str = "\
UNITS
  A unit is a line of standard input (-0: a NUL-terminated item; --block: a
  block of lines). CMD gets it on its standard input or, where {} stands in
  ARGS, as that argument ({#} is the unit's number, as is $HANDOVER_UNIT).
  Nothing is queued: standard input is read only as fast as workers take
  units, and a worker takes its next unit when its result was written. What
  CMD leaves in the background ends with the run, unless it used setsid.

EXAMPLES
  seq 1 20 | handover map -- sha256sum
  find . -name '*.flac' -print0 | handover map -0 -- flac -t {}
  zcat access.log.gz | handover map --block 4M -k -- grep -c ' 500 '
  handover map --stream -- python3 -u score.py < requests.txt
  handover map --listen 127.0.0.1:7000 -- ./convert {} < names.txt
    and in other terminals, at any time:
    handover work --connect 127.0.0.1:7000
  handover map --listen 0.0.0.0:7000 --tls coordinator -- ./convert {} < names.txt
    for workers on other machines: `handover cert --help` says how

WHILE IT RUNS
  A command reports by lines such as `progress 40% decoding` or `log text`
  that it writes to the open descriptor of the number $HANDOVER_REPORTS:
    handover map -- sh -c 'echo \"progress 1/2\" >&$HANDOVER_REPORTS; work {}'
  With --listen or --control=ADDR a run can be seen and steered from another
  terminal: `handover control --connect ADDR status`, or abort UNIT (there is
  no other way to end one unit), pause, resume, shutdown, poisoned.

EXIT STATUS
  0 all units succeeded, 1 some failed (a summary names the first few),
  2 wrong use, 3 some are poisoned (each lost --poison-after workers),
  125 internal error, 130 interrupted, 143 terminated, 141 the reader of
  standard output went away";

/// Options of `handover map`.
#[derive(Args, Debug)]
#[command(override_usage = "handover map [OPTIONS] -- CMD [ARGS]...")]
#[command(after_long_help = MAP_HELP, after_help = "--help says more, with examples.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct MapOptions {
    /// Local workers, each runs one CMD at a time: N, or N% of the cores [default: the cores; with --listen: 0]
    #[arg(short, long, visible_short_alias = 'P', value_name = "N", value_parser = values::jobs)]
    pub jobs: Option<usize>,

    /// Write results in the order of the units: a worker keeps its result until its turn
    #[arg(short, long)]
    pub keep_order: bool,

    /// Finished results that each worker may keep while it works on
    ///
    /// The explicit slack: with 0, a worker takes its next unit when its result was written.
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=i64::from(limits::AHEAD)))]
    pub ahead: u32,

    /// Units end with NUL instead of newline
    #[arg(short = '0', long = "null", conflicts_with = "block")]
    pub null: bool,

    /// Units are blocks of about SIZE bytes, cut at line ends [default SIZE: 1M]
    #[arg(long, value_name = "SIZE", num_args = 0..=1, require_equals = false,
          default_missing_value = limits::BLOCK_BYTES, value_parser = values::size)]
    pub block: Option<usize>,

    /// Keep one CMD running for each worker: it reads a unit as a line and answers with one line
    ///
    /// CMD must write its answer out at once (for example python3 -u, sed -u, stdbuf -oL CMD). When it ends,
    /// the unit it was at has failed and CMD is started again. With -0, NUL ends units and answers.
    #[arg(long, conflicts_with = "block")]
    pub stream: bool,

    /// Run a unit up to N times more when it fails, at once and on the same worker
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub retries: u32,

    /// Kill CMD when a unit takes longer than D, such as 10s, 500ms, 2m; the unit has failed
    #[arg(long, value_name = "D", value_parser = values::duration)]
    pub timeout: Option<Duration>,

    /// Set a unit aside that lost its worker N times: it may be the unit that kills them
    ///
    /// Such a unit is poisoned: it is not tried again, it has failed, and the summary and the exit status say so.
    /// A worker counts as lost when it was killed, fell silent, or broke off; not when its command failed.
    #[arg(long, value_name = "N", default_value_t = limits::POISON_AFTER,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub poison_after: u32,

    /// Give a worker up that was silent for D: its unit goes to another, and its late result is refused
    ///
    /// A worker that cannot reach the run for half of D takes no unit, and at the end of D it ends its command.
    #[arg(long, value_name = "D", default_value = limits::LEASE, value_parser = values::lease)]
    pub lease: Duration,

    /// When a unit fails: never stop, stop soon (finish what runs) or now (kill it); soon,fail=3 counts failures
    #[arg(long, value_name = "WHEN", default_value = "never", value_parser = values::halt)]
    pub halt: Halt,

    /// Write each unit's output to DIR/NUMBER/stdout, stderr and status instead; any size. DIR must be new or empty
    #[arg(long, value_name = "DIR")]
    pub results: Option<PathBuf>,

    /// Write a line about each unit to FILE, with the columns of GNU parallel
    #[arg(long, value_name = "FILE")]
    pub joblog: Option<PathBuf>,

    /// Most bytes of a unit and of a result; a larger one fails its unit, the others go on
    #[arg(long, value_name = "SIZE", default_value = limits::UNIT_BYTES, value_parser = values::limit)]
    pub limit: usize,

    /// Print the commands instead of running them
    #[arg(long)]
    pub dry_run: bool,

    /// Let workers join at ADDR, such as 127.0.0.1:7000, at any time (`handover work --connect ADDR`)
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,

    /// Let `handover control` steer the run at ADDR, such as 127.0.0.1:0; where --listen listens it may anyway
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true,
          default_missing_value = "127.0.0.1:0")]
    pub control: Option<String>,

    #[command(flatten)]
    pub shared: SharedOptions,

    /// Write a line about progress every D, and one for each unit that reports its own, also to a file
    #[arg(long, value_name = "D", value_parser = values::duration, conflicts_with = "no_progress")]
    pub progress_every: Option<Duration>,

    /// Show no progress line (it is shown when standard error is a terminal)
    #[arg(long)]
    pub no_progress: bool,

    /// Write events as JSON, one a line, to standard error
    #[arg(long)]
    pub json: bool,

    /// The command, and its arguments, in which {} is the unit and {#} its number
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true)]
    pub command: Vec<OsString>,
}

/// What a program without the measurements takes, in order to say that it is one.
#[cfg(not(feature = "bench"))]
#[derive(Args, Debug)]
pub struct NotBuilt {
    /// Anything
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub ignored: Vec<OsString>,
}

const WORK_HELP: &str = "\
  Ctrl-C finishes the unit at hand and leaves; a second Ctrl-C gives the unit
  back, for another worker. `handover control` can ask for the same, and can
  end the unit at hand, or pause the worker, while its command runs. A worker
  that cannot reach its job for half of the job's lease takes no unit, and at
  the end of the lease it ends its command: the unit is another's by then.

EXAMPLES
  handover work --connect 127.0.0.1:7000
  handover work --connect 127.0.0.1:7000 -- ./convert --threads 8 {}
  handover work --connect far.example:7000 --tls worker-1 --tls-peer coordinator
  for i in 1 2 3 4; do handover work --connect 127.0.0.1:7000 & done

EXIT STATUS
  0 the job is done, or the worker was asked to leave; 1 the job was stopped,
  lost, or refused this worker; 2 wrong use; 125 internal error";

/// Options of `handover work`.
#[derive(Args, Debug)]
#[command(override_usage = "handover work [OPTIONS] --connect ADDR [-- CMD [ARGS]...]")]
#[command(after_long_help = WORK_HELP, after_help = "--help says more, with examples.")]
pub struct WorkOptions {
    /// Where `handover map --listen` listens
    #[arg(long, value_name = "ADDR")]
    pub connect: String,

    #[command(flatten)]
    pub shared: SharedOptions,

    /// Most bytes of a unit and of a result; at least that of the job
    #[arg(long, value_name = "SIZE", default_value = limits::UNIT_BYTES, value_parser = values::limit)]
    pub limit: usize,

    /// Say nothing on standard error
    #[arg(short, long)]
    pub quiet: bool,

    /// This worker was started by `handover map` on the same machine
    #[arg(long, hide = true)]
    pub local: bool,

    /// Run this command instead of the job's own
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    pub command: Vec<OsString>,
}

/// Options that both ends of a link have.
#[derive(Args, Clone, Debug)]
pub struct SharedOptions {
    /// Secret that whoever joins must show, the same at both ends; better in the environment, where `ps` does not show it
    #[arg(
        long,
        env = "HANDOVER_TOKEN",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub token: Option<String>,

    #[command(flatten)]
    pub tls: TlsOptions,

    /// Allow an ADDR other than loopback without TLS
    ///
    /// Everybody who can reach ADDR, or is on the way, can read and change units and results, can read the token
    /// too, and so can run commands on the workers. Use it in a network that you trust, or through a tunnel.
    #[arg(long, alias = "plain-tcp")]
    pub insecure_plain_tcp: bool,
}

/// By what an end of a link is known, and by what it knows the other. The help stands once, under `--tls`.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsOptions {
    /// Use TLS with the peer.pem, peer.key and authority.pem in DIR, which `handover cert peer` makes
    ///
    /// Both ends show a certificate, and each admits only peers of its authority.
    #[arg(long, env = "HANDOVER_TLS", value_name = "DIR")]
    pub tls: Option<PathBuf>,

    /// Use TLS with this certificate chain, as PEM [default with --tls: DIR/peer.pem]
    #[arg(long, env = "HANDOVER_TLS_CERTIFICATE", value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,

    /// The certificate's private key, as PEM [default with --tls: DIR/peer.key]
    #[arg(long, env = "HANDOVER_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Certificates of the authorities that the other end may have, as PEM [default with --tls: DIR/authority.pem]
    #[arg(long, env = "HANDOVER_TLS_AUTHORITY", value_name = "FILE")]
    pub tls_authority: Option<PathBuf>,

    /// Admit only a peer whose certificate is for NAME; worker-* is any name that begins with worker-
    #[arg(long, env = "HANDOVER_TLS_PEER", value_name = "NAME")]
    pub tls_peer: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Program::command().debug_assert();
    }

    fn map(args: &[&str]) -> MapOptions {
        let args = ["handover", "map"].iter().chain(args);
        match Program::try_parse_from(args).unwrap().action {
            Action::Map(options) => *options,
            _ => unreachable!(),
        }
    }

    #[test]
    fn what_follows_the_command_is_its_own() {
        let options = map(&["-j2", "-k", "--", "grep", "-k", "--halt", "{}"]);
        assert_eq!(options.command, ["grep", "-k", "--halt", "{}"]);
        let options = map(&["-j2", "sh", "-c", "exit 3"]);
        assert_eq!(options.command, ["sh", "-c", "exit 3"]);
    }

    #[test]
    fn a_block_has_a_default_size() {
        assert_eq!(map(&["--block", "--", "wc"]).block, Some(1 << 20));
        assert_eq!(map(&["--block", "64k", "--", "wc"]).block, Some(65536));
        assert_eq!(map(&["--", "wc"]).block, None);
    }

    #[test]
    fn an_unknown_option_is_wrong_use() {
        assert!(Program::try_parse_from(["handover", "map", "--bogus", "--", "true"]).is_err());
        assert!(Program::try_parse_from(["handover", "map"]).is_err());
        assert!(
            Program::try_parse_from(["handover", "map", "-0", "--block", "1k", "--", "true"])
                .is_err()
        );
    }
}
