//! Runs the command once for each unit, or keeps one running (`--stream`), and makes results.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::child::{self, CommandChild, Streams};
use super::hold::{Cut, Hold};
use super::reports::{Ended, Reports};
use super::stream::StreamCommand;
use crate::Sender;
use crate::cli::command::{self, Template};
use crate::cli::limits;
use crate::cli::message::{self, Job, Outcome, PieceKind, PieceMeta, ResultMeta, UnitMeta};
use crate::cli::values;

/// Works on units, one at a time.
#[derive(Debug)]
pub struct Runner {
    job: Rc<Job>,
    template: Template,
    pieces: Pieces,
    reports: Reports,
    hold: Rc<Hold>,
    kept_running: StreamCommand,
}

/// Why a run gave no exit status.
#[derive(Debug)]
pub enum Fault {
    /// It took too long.
    TimedOut(Duration),
    /// It was cut short.
    Cut(Cut),
    /// For this reason.
    Failed(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// One run of one unit.
struct Attempt {
    outcome: Outcome,
    output: Vec<u8>,
    output_bytes: u64,
}

impl Runner {
    /// Works as `job` says, in `hold`; the pieces of its output go to `pieces`.
    pub fn new(job: Rc<Job>, pieces: Sender<Bytes>, reports: Reports, hold: Rc<Hold>) -> Self {
        let template = Template::new(job.command.iter().map(Vec::as_slice));
        let pieces = Pieces { channel: pieces };
        let kept_running = StreamCommand::new(
            Rc::clone(&job),
            template.clone(),
            pieces.clone(),
            reports.clone(),
            Rc::clone(&hold),
        );
        Self {
            job,
            template,
            pieces,
            reports,
            hold,
            kept_running,
        }
    }

    /// Works on a unit, which the hold has, until it succeeds or has no more retries, and gives its result's
    /// message; `None` if it was told to stop meanwhile.
    pub async fn work(&mut self, meta: &UnitMeta, unit: &[u8]) -> Option<Bytes> {
        let begun = Instant::now();
        self.reports.begin();
        let mut attempts = 0;
        loop {
            let (started, clock) = (SystemTime::now(), Instant::now());
            attempts += 1;
            let mut attempt = match self.attempt(meta, unit).await {
                Ok(attempt) => attempt,
                Err(Fault::Cut(Cut::Stopped)) => return None,
                Err(Fault::Cut(Cut::Aborted)) => Attempt::without_output(Outcome::Aborted),
                Err(Fault::Cut(Cut::GivenBack)) => Attempt::without_output(Outcome::GivenBack),
                Err(Fault::TimedOut(limit)) => {
                    Attempt::without_output(Outcome::TimedOut(millis(limit)))
                }
                Err(Fault::Failed(reason)) => Attempt::without_output(Outcome::failed(reason)),
            };
            let again = !attempt.outcome.is_success()
                && attempts <= self.job.retries
                && meta.oversized.is_none();
            if again && self.hold.cut().is_none() {
                continue;
            }
            // Whoever had it aborted was told so: that its command ended meanwhile comes too late.
            if self.hold.finish() == Some(Cut::Aborted) && attempt.outcome != Outcome::Aborted {
                attempt = Attempt::without_output(Outcome::Aborted);
            }
            let meta = ResultMeta {
                number: meta.number,
                outcome: attempt.outcome,
                started_us: started
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .map_or(0, micros),
                run_us: micros(clock.elapsed()),
                work_us: micros(begun.elapsed()),
                attempts,
                output_bytes: attempt.output_bytes,
            };
            if self.job.keep_order {
                self.pieces
                    .send(meta.number, PieceKind::Finished, Vec::new())
                    .await;
            }
            return Some(message::encode(attempt.output, &meta));
        }
    }

    async fn attempt(&mut self, meta: &UnitMeta, unit: &[u8]) -> Result<Attempt, Fault> {
        if self.job.to_files {
            self.pieces
                .send(meta.number, PieceKind::Start, Vec::new())
                .await;
        }
        if let Some(bytes) = meta.oversized {
            let limit = values::bytes_in_words(self.limit());
            return Err(Fault::Failed(format!(
                "the unit has {bytes} bytes, the limit is {limit} (see --limit)"
            )));
        }
        self.hold.goes_on().await;
        if let Some(cut) = self.hold.cut() {
            return Err(Fault::Cut(cut));
        }
        let timeout = self.job.timeout_ms.map(Duration::from_millis);
        if self.job.stream {
            let answer = self.kept_running.ask(meta.number, unit, timeout).await?;
            return Ok(Attempt {
                outcome: Outcome::Exited(0),
                output_bytes: answer.len() as u64,
                output: answer,
            });
        }
        let argument = command::as_argument(unit);
        let words = self
            .template
            .fill(meta.number, argument)
            .map_err(|nul| Fault::Failed(nul.to_string()))?;
        let input = (!self.template.takes_argument()).then_some(unit);
        let (mut child, streams) =
            CommandChild::start(&words, meta.number, input.is_some(), &self.hold).map_err(
                |error| Fault::Failed(format!("{} cannot be started: {error}", words[0].display())),
            )?;
        let done = tokio::select! {
            done = self.converse(meta.number, &mut child, streams, input.unwrap_or_default()) => done,
            fault = interruption(timeout, &self.hold) => Err(fault),
        };
        if done.is_err() {
            child.end().await;
        }
        done
    }

    /// Feeds the command, reads what it writes, and waits for its end.
    async fn converse(
        &self,
        number: u64,
        child: &mut CommandChild,
        streams: Streams,
        input: &[u8],
    ) -> Result<Attempt, Fault> {
        let stdout = async {
            if self.job.to_files {
                let count = self
                    .pieces
                    .pass(number, PieceKind::Stdout, streams.stdout)
                    .await?;
                return Ok((Vec::new(), count));
            }
            let output = gather(streams.stdout, self.limit()).await?;
            let count = output.len() as u64;
            Ok::<_, Fault>((output, count))
        };
        let stderr = async {
            if self.job.to_files {
                self.pieces
                    .pass(number, PieceKind::Stderr, streams.stderr)
                    .await
                    .map(drop)
            } else {
                self.pieces.pass_lines(|| number, streams.stderr).await
            }
            .map_err(Fault::from)
        };
        let status = async { child.wait().await.map_err(Fault::from) };
        let ended = Ended::default();
        let reports = async {
            streams
                .reports
                .follow(|| number, &ended, &self.reports)
                .await;
            Ok(())
        };
        let command = async {
            let done = tokio::try_join!(feed(streams.stdin, input), stdout, stderr, status);
            ended.set();
            done
        };
        let (((), (output, output_bytes), (), status), ()) = tokio::try_join!(command, reports)?;
        Ok(Attempt {
            outcome: child::outcome(status),
            output,
            output_bytes,
        })
    }

    fn limit(&self) -> usize {
        usize::try_from(self.job.limit).unwrap_or(usize::MAX)
    }

    /// Ends what is kept running.
    pub async fn finish(&mut self) {
        self.kept_running.finish().await;
    }
}

impl Attempt {
    fn without_output(outcome: Outcome) -> Self {
        Self {
            outcome,
            output: Vec::new(),
            output_bytes: 0,
        }
    }
}

/// Waits for what may cut a run short.
pub async fn interruption(timeout: Option<Duration>, hold: &Hold) -> Fault {
    let late = async {
        match timeout {
            Some(limit) => {
                hold.has_run(limit).await;
                limit
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        limit = late => Fault::TimedOut(limit),
        cut = hold.is_cut() => Fault::Cut(cut),
    }
}

/// Writes a unit to a command. One that does not want all of it is no fault.
async fn feed(stdin: Option<ChildStdin>, input: &[u8]) -> Result<(), Fault> {
    let Some(mut stdin) = stdin else {
        return Ok(());
    };
    match stdin.write_all(input).await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Reads a command's output as far as the limit allows.
async fn gather(mut stdout: ChildStdout, limit: usize) -> Result<Vec<u8>, Fault> {
    let mut output = Vec::new();
    loop {
        if output.capacity() - output.len() < READ_MIN {
            output.reserve(output.len().max(2 * READ_MIN));
        }
        if stdout.read_buf(&mut output).await? == 0 {
            return Ok(output);
        }
        if output.len() > limit {
            return Err(Fault::Failed(too_large(limit)));
        }
    }
}

/// Bytes to leave room for in a read.
const READ_MIN: usize = 4096;

/// Says that a result is over the limit.
pub fn too_large(limit: usize) -> String {
    let limit = values::bytes_in_words(limit);
    format!(
        "its output is larger than the limit of {limit} (see --limit, or --results for any size)"
    )
}

/// Where the pieces of a command's output go.
#[derive(Clone, Debug)]
pub struct Pieces {
    channel: Sender<Bytes>,
}

impl Pieces {
    /// Hands one piece over. That nobody takes it any more is found out elsewhere, by the end of the link.
    async fn send(&self, number: u64, kind: PieceKind, piece: Vec<u8>) {
        let _ = self
            .channel
            .send_async(message::encode(piece, &PieceMeta { number, kind }))
            .await;
    }

    /// Hands all that `from` gives over, as it comes, and says how much it was.
    async fn pass(
        &self,
        number: u64,
        kind: PieceKind,
        mut from: impl tokio::io::AsyncRead + Unpin,
    ) -> io::Result<u64> {
        let mut count = 0;
        loop {
            let mut piece = Vec::with_capacity(limits::PIECE_BYTES);
            if from.read_buf(&mut piece).await? == 0 {
                return Ok(count);
            }
            count += piece.len() as u64;
            self.send(number, kind, piece).await;
        }
    }

    /// Hands standard error over as it comes, cut at line ends so that the lines of several units do not mix.
    /// A line longer than a piece is cut where the piece is full.
    pub async fn pass_lines(
        &self,
        number: impl Fn() -> u64,
        mut from: ChildStderr,
    ) -> io::Result<()> {
        let mut held = Vec::new();
        loop {
            held.reserve(limits::PIECE_BYTES - held.len());
            let ended = (&mut from)
                .take((limits::PIECE_BYTES - held.len()) as u64)
                .read_buf(&mut held)
                .await?
                == 0;
            let whole = match held.iter().rposition(|byte| *byte == b'\n') {
                Some(at) if !ended => at + 1,
                None if !ended && held.len() < limits::PIECE_BYTES => 0,
                _ => held.len(),
            };
            if whole > 0 {
                let rest = held.split_off(whole);
                self.send(
                    number(),
                    PieceKind::Stderr,
                    std::mem::replace(&mut held, rest),
                )
                .await;
            }
            if ended {
                return Ok(());
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
