//! The command line of `handover top`.

use std::time::Duration;

use clap::Args;

use crate::cli::{limits, values};

/// Where a program serves its observer unless somebody says otherwise.
const ADDR: &str = "127.0.0.1:7070";

const TOP_HELP: &str = "\
THE PROGRAM
  A program shows itself once it has called serve_observer(ADDR) on its
  network. top only looks: nothing that it does changes the program. A program
  that is not there yet, or goes, is looked for again until it is there.

KEYS
  1 2 3, Tab  processes, channels, who waits for whom
  up down PgUp PgDn Home End (k j g G)  move      Enter  all about the line
  s S  sort by the next, the previous column      r  the other way round
  /    show only what has this text in it (Esc: everything again)
  p    pause: the program is not asked meanwhile  ?  help      q  quit

SIGNS
  > running   + ready, waits for its turn   # blocked at channels
  ~ waits for something outside the network   . not begun   ! deadlocked

EXAMPLES
  handover top
  handover top 7071 --interval 200ms
  handover top 127.0.0.1:7071 --once
  handover top --once > /dev/null; [ $? -eq 1 ] && echo 'it is deadlocked'
  handover top --json | jq -r 'select(.deadlock) | .deadlock.cycle[].process'

ENVIRONMENT
  NO_COLOR  if it is set and not empty, there are no colours

EXIT STATUS
  0 quit; with --once: a snapshot with no deadlock in it, 1 (--once) a
  deadlock, 2 wrong use, 3 (--once) no program there, or no snapshot from it,
  125 internal error, 129 the terminal went away, 130 interrupted, 143
  terminated, 141 the reader of standard output went away";

/// Options of `handover top`.
#[derive(Args, Debug)]
#[command(after_long_help = TOP_HELP, after_help = "--help says more, with keys and examples.")]
pub struct TopOptions {
    /// Where the program serves its observer: HOST:PORT, or a port of this machine
    #[arg(value_name = "ADDR", default_value = ADDR)]
    pub addr: String,

    /// Time from one snapshot to the next, such as 200ms or 5s
    #[arg(short, long, value_name = "D", default_value = "1s", value_parser = interval)]
    pub interval: Duration,

    /// Print one snapshot as text (or with --json as JSON) and end; the exit status tells of a deadlock
    #[arg(long)]
    pub once: bool,

    /// Print snapshots as JSON, one a line
    #[arg(long)]
    pub json: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = values::duration(text)?;
    if interval < limits::INTERVAL_MIN {
        return Err(format!(
            "{text} is less than {}, at which nothing new would show",
            values::time_in_words(limits::INTERVAL_MIN)
        ));
    }
    Ok(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_no_shorter_than_what_shows_something_new() {
        assert_eq!(interval("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(interval("50ms"), Ok(Duration::from_millis(50)));
        assert!(interval("49ms").is_err());
        assert!(interval("0").is_err());
    }
}
