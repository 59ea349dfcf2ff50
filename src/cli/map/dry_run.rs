//! `--dry-run`: the commands, printed instead of run.

use std::io::{self, BufWriter, Write};

use super::plan::{Plan, Trouble, internal};
use crate::cli::command;
use crate::cli::standard::Standard;
use crate::cli::units::{Cut, Units};
use crate::cli::values;

/// Prints a line for each unit.
pub fn run(plan: &Plan<'_>) -> Result<u8, Trouble> {
    let stdin = Standard::input().map_err(internal("standard input cannot be read"))?;
    let stdout = Standard::output().map_err(internal("standard output cannot be written"))?;
    let mut units = Units::new(stdin, plan.splitting, plan.options.limit);
    let mut stdout = BufWriter::new(stdout);
    let mut number = 0;
    while let Some(cut) = units
        .next()
        .map_err(internal("standard input cannot be read"))?
    {
        number += 1;
        match stdout.write_all(&line(plan, number, &cut)) {
            Ok(()) => {}
            Err(error) => return written(error),
        }
    }
    stdout.flush().map_or_else(written, |()| Ok(0))
}

fn written(error: io::Error) -> Result<u8, Trouble> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(141);
    }
    Err(internal("standard output cannot be written")(error))
}

fn line(plan: &Plan<'_>, number: u64, cut: &Cut) -> Vec<u8> {
    let Cut::Unit(unit) = cut else {
        return format!("# unit {number} is over the limit\n").into_bytes();
    };
    let argument = command::as_argument(unit);
    let mut line = match plan.template.fill(number, argument) {
        Ok(words) => command::quoted(&words),
        Err(nul) => return format!("# unit {number}: {nul}\n").into_bytes(),
    };
    if !plan.template.takes_argument() {
        let bytes = values::bytes_in_words(unit.len());
        line.extend(format!("  # unit {number}: {bytes} on standard input").bytes());
    }
    line.push(b'\n');
    line
}
