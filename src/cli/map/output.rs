//! The consumer: a thread that owns standard output, the result files and the job log.
//!
//! A link's task hands a result over with a send that completes when the result was written. So a slow reader
//! of standard output makes workers wait, and they the producer.

use std::io::{self, IsTerminal, Write};
use std::thread::JoinHandle;

use bytes::Bytes;
use indicatif::ProgressBar;

use super::joblog::JobLog;
use super::results::Results;
use crate::Sender;
use crate::cli::message::{PieceKind, ResultMeta};
use crate::cli::standard::Standard;

/// What is to be written.
#[derive(Debug)]
pub enum Output {
    /// A unit is finished.
    Result {
        /// How.
        meta: ResultMeta,
        /// Its standard output.
        stdout: Bytes,
        /// Its line of the job log, if there is one.
        log: Vec<u8>,
    },
    /// A piece of a unit's output for its files.
    Piece {
        /// The unit.
        number: u64,
        /// What it is a piece of.
        kind: PieceKind,
        /// The piece.
        piece: Bytes,
    },
}

/// Where output goes.
#[derive(Debug)]
pub struct Destinations {
    /// The directory of `--results`.
    pub results: Option<Results>,
    /// The file of `--joblog`.
    pub log: Option<JobLog>,
    /// The progress line, which must make room when standard output is the same terminal.
    pub bar: Option<ProgressBar>,
}

impl Destinations {
    /// Whether a result of no bytes leaves a trace.
    pub fn wants_empty_results(&self) -> bool {
        self.results.is_some() || self.log.is_some()
    }

    /// Starts the thread. It ends when all senders are gone, or with the first error; an output that it could
    /// not write goes back to its sender.
    ///
    /// # Errors
    /// If there can be no thread, or standard output is closed.
    pub fn start(mut self) -> io::Result<(Sender<Output>, JoinHandle<io::Result<()>>)> {
        let mut stdout = Standard::output()?;
        if !io::stdout().is_terminal() {
            self.bar = None;
        }
        let (sender, receiver) = crate::channel::<Output>();
        let thread = std::thread::Builder::new()
            .name("results".into())
            .spawn(move || {
                while let Ok(output) = receiver.recv_held() {
                    self.write(&output, &mut stdout)?;
                    drop(output.release());
                }
                Ok(())
            })?;
        Ok((sender, thread))
    }

    fn write(&mut self, output: &Output, standard: &mut Standard) -> io::Result<()> {
        match output {
            Output::Result { meta, stdout, log } => {
                match (&self.results, &self.bar) {
                    (Some(results), _) => results.finish(meta, stdout)?,
                    (None, Some(bar)) => bar.suspend(|| write_line(standard, stdout))?,
                    (None, None) => standard.write_all(stdout)?,
                }
                match &mut self.log {
                    Some(file) => file.write(log),
                    None => Ok(()),
                }
            }
            Output::Piece {
                number,
                kind,
                piece,
            } => match &self.results {
                Some(results) => results.piece(*number, *kind, piece),
                None => Ok(()),
            },
        }
    }
}

/// Writes a result to a terminal on which the progress line follows: an unfinished line would be drawn over.
fn write_line(terminal: &mut Standard, result: &[u8]) -> io::Result<()> {
    terminal.write_all(result)?;
    if result.is_empty() || result.ends_with(b"\n") {
        return Ok(());
    }
    terminal.write_all(b"\n")
}
