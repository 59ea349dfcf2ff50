//! `--joblog`: a line about each unit, with the columns of GNU parallel.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::cli::message::{Outcome, ResultMeta};

/// The file.
#[derive(Debug)]
pub struct JobLog(File);

impl JobLog {
    /// Begins the file anew, with the names of its columns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = File::create(path)?;
        file.write_all(
            b"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n",
        )?;
        Ok(Self(file))
    }

    /// Writes a unit's line.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.write_all(line)
    }
}

/// A unit's line: `host` ran `command` for it, which was sent `sent` bytes.
pub fn line(meta: &ResultMeta, host: &str, sent: usize, command: &[u8]) -> Vec<u8> {
    let (status, signal) = match meta.outcome {
        Outcome::Exited(status) => (status, 0),
        Outcome::Signalled(signal) => (0, signal),
        // As GNU parallel has it for a job that it killed or could not run.
        Outcome::TimedOut(_) | Outcome::Aborted => (-1, 15),
        Outcome::Poisoned(_) => (-1, 9),
        Outcome::Failed(_) | Outcome::GivenBack => (-1, 0),
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of a clock are exact enough"
    )]
    let (started, run) = (meta.started_us as f64 / 1e6, meta.run_us as f64 / 1e6);
    let (number, received) = (meta.number, meta.output_bytes);
    let mut line = format!(
        "{number}\t{host}\t{started:.3}\t{run:10.3}\t{sent}\t{received}\t{status}\t{signal}\t"
    )
    .into_bytes();
    line.extend(command.iter().map(|byte| {
        if matches!(byte, b'\t' | b'\n' | b'\r') {
            b' '
        } else {
            *byte
        }
    }));
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_nine_columns_whatever_the_command_holds() {
        let meta = ResultMeta {
            number: 3,
            outcome: Outcome::Signalled(9),
            started_us: 1_700_000_000_123_456,
            run_us: 1_500_000,
            work_us: 1_500_000,
            attempts: 1,
            output_bytes: 7,
        };
        let line = line(&meta, ":", 4, b"sh -c 'a\tb\nc'");
        assert_eq!(
            line,
            b"3\t:\t1700000000.123\t     1.500\t4\t7\t0\t9\tsh -c 'a b c'\n"
        );
    }
}
