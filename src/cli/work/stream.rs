//! `--stream`: one process of the command that stays; a unit in, a line out.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

use super::child::{self, CommandChild};
use super::hold::Hold;
use super::reports::{Ended, Reports};
use super::run::{Fault, Pieces, interruption, too_large};
use crate::cli::command::Template;
use crate::cli::limits;
use crate::cli::message::{Job, Outcome};

/// The process, started when the first unit needs it and again after it ended.
#[derive(Debug)]
pub struct StreamCommand {
    job: Rc<Job>,
    template: Template,
    pieces: Pieces,
    reports: Reports,
    hold: Rc<Hold>,
    live: Option<Live>,
}

#[derive(Debug)]
struct Live {
    child: CommandChild,
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// What was read after the last answer.
    held: Vec<u8>,
    /// The unit to which standard error is counted.
    number: Rc<Cell<u64>>,
    stderr: JoinHandle<()>,
    reports: JoinHandle<()>,
}

impl StreamCommand {
    /// Nothing is started yet.
    pub fn new(
        job: Rc<Job>,
        template: Template,
        pieces: Pieces,
        reports: Reports,
        hold: Rc<Hold>,
    ) -> Self {
        Self {
            job,
            template,
            pieces,
            reports,
            hold,
            live: None,
        }
    }

    /// Gives the command a unit and takes its answer, with the answer's terminator. After a fault the process
    /// is ended, since nobody knows which answer it would give next.
    pub async fn ask(
        &mut self,
        number: u64,
        unit: &[u8],
        timeout: Option<Duration>,
    ) -> Result<Vec<u8>, Fault> {
        let terminator = if self.job.null { 0 } else { b'\n' };
        let mut line = unit.strip_suffix(&[terminator]).unwrap_or(unit).to_vec();
        line.push(terminator);
        let limit = usize::try_from(self.job.limit).unwrap_or(usize::MAX);
        let mut current = match self.live.take() {
            Some(kept) => kept,
            None => self.start(number)?,
        };
        current.number.set(number);
        let answer = tokio::select! {
            answer = current.exchange(&line, terminator, limit) => answer,
            fault = interruption(timeout, &self.hold) => Err(fault),
        };
        match answer {
            Ok(Some(answer)) => {
                self.live = Some(current);
                Ok(answer)
            }
            Ok(None) => Err(Fault::Failed(current.died().await)),
            Err(fault) => {
                current.end().await;
                Err(fault)
            }
        }
    }

    fn start(&self, number: u64) -> Result<Live, Fault> {
        let words = self
            .template
            .fill(number, &[])
            .map_err(|nul| Fault::Failed(nul.to_string()))?;
        let (child, streams) =
            CommandChild::start(&words, number, true, &self.hold).map_err(|error| {
                Fault::Failed(format!("{} cannot be started: {error}", words[0].display()))
            })?;
        let number = Rc::new(Cell::new(number));
        let (pieces, current) = (self.pieces.clone(), Rc::clone(&number));
        let stderr = tokio::task::spawn_local(async move {
            let _ = pieces.pass_lines(|| current.get(), streams.stderr).await;
        });
        let (sink, current) = (self.reports.clone(), Rc::clone(&number));
        let reports = tokio::task::spawn_local(async move {
            let never = Ended::default();
            streams
                .reports
                .follow(|| current.get(), &never, &sink)
                .await;
        });
        let stdin = streams
            .stdin
            .ok_or_else(|| Fault::Failed("it has no standard input".into()))?;
        Ok(Live {
            child,
            stdin,
            stdout: streams.stdout,
            held: Vec::new(),
            number,
            stderr,
            reports,
        })
    }

    /// Lets the process end: its input ends, and it has a moment before it is killed.
    pub async fn finish(&mut self) {
        let Some(live) = self.live.take() else { return };
        let Live {
            mut child,
            stdin,
            stdout,
            stderr,
            reports,
            ..
        } = live;
        drop((stdin, stdout));
        if tokio::time::timeout(limits::GRACE, child.wait())
            .await
            .is_err()
        {
            child.end().await;
        }
        stderr.abort();
        reports.abort();
    }
}

impl Live {
    /// Writes a line and reads one; `None` if the command ended before it answered.
    async fn exchange(
        &mut self,
        line: &[u8],
        terminator: u8,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, Fault> {
        if !self.held.is_empty() {
            let reason = "CMD wrote more than one line for the unit before: with --stream it writes exactly one";
            return Err(Fault::Failed(reason.into()));
        }
        let Self {
            stdin,
            stdout,
            held,
            ..
        } = self;
        let write = async {
            // A command that ended is noticed by its missing answer.
            let _ = stdin.write_all(line).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = read_line(stdout, held, terminator, limit) => answer,
            () = write => Ok(None),
        }
    }

    /// Says how the process ended, which closed its output.
    async fn died(mut self) -> String {
        let status = tokio::time::timeout(limits::GRACE, self.child.wait()).await;
        let how = match status {
            Ok(Ok(status)) => match child::outcome(status) {
                Outcome::Exited(code) => {
                    format!("CMD ended with exit status {code} before it answered")
                }
                outcome => format!("CMD was {outcome} before it answered"),
            },
            _ => "CMD closed its output before it answered".into(),
        };
        self.end().await;
        how
    }

    async fn end(self) {
        self.child.end().await;
        // What it wrote last is read by now, or nearly: its pipe has no other writer.
        let _ = tokio::time::timeout(limits::GRACE, self.stderr).await;
        self.reports.abort();
    }
}

/// Reads up to and with the terminator. What follows it stays in `held`.
async fn read_line(
    from: &mut ChildStdout,
    held: &mut Vec<u8>,
    terminator: u8,
    limit: usize,
) -> Result<Option<Vec<u8>>, Fault> {
    let mut searched = 0;
    loop {
        if let Some(at) = held[searched..].iter().position(|byte| *byte == terminator) {
            let rest = held.split_off(searched + at + 1);
            return Ok(Some(std::mem::replace(held, rest)));
        }
        if held.len() > limit {
            return Err(Fault::Failed(too_large(limit)));
        }
        searched = held.len();
        held.reserve(4096);
        if from.read_buf(held).await? == 0 {
            return Ok(None);
        }
    }
}
