//! What a command says of its unit while it works: lines that it writes to an open descriptor.
//!
//! `progress PART [TEXT]`, where PART is `0.4`, `40%` or `4/10`, is state: the newest replaces what nobody took
//! yet. `log TEXT` is handed over: until the coordinator has it, the pipe is not read, and the command waits when
//! the pipe is full.
//!
//! # Invariants
//! - What is held of a command is one read of its pipe, with at most one line that is not ended.
//! - A line that is wrong has no effect but a word to the coordinator, one for each unit.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::unix::pipe::Receiver as PipeReceiver;
use tokio::process::Command;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Sender;
use crate::cli::limits;
use crate::cli::message::{self, ReportMeta};
use crate::cli::values;

/// Where a command finds the descriptor's number.
const VARIABLE: &str = "HANDOVER_REPORTS";

/// The descriptor in a command. One digit, since some shells (dash) know no others in `>&`; not 3 or 4, by which
/// `make` tells its jobs of each other, and not 9, which scripts give to `flock`.
const DESCRIPTOR: RawFd = 7;

/// Keeps this process from using the number for anything that a child needs between fork and exec.
pub fn reserve_descriptor() -> Option<OwnedFd> {
    let nothing = std::fs::File::open("/dev/null").ok()?;
    rustix::io::fcntl_dupfd_cloexec(&nothing, DESCRIPTOR).ok()
}

// ---- The pipe of one command ----

/// The near end of a command's pipe.
#[derive(Debug)]
pub struct ReportPipe {
    from: PipeReceiver,
    /// A line that is not ended yet.
    line: Vec<u8>,
    /// The rest of the line is passed over: it is too long.
    skips: bool,
    /// The last unit of which a wrong line was told.
    told: Option<u64>,
    /// The second that is counted, and the lines in it.
    second: (Instant, u32),
}

/// A new pipe, and its far end.
///
/// # Errors
/// If there can be none.
pub fn pipe() -> io::Result<(ReportPipe, OwnedFd)> {
    let (near, far) = io::pipe()?;
    let pipe = ReportPipe {
        from: PipeReceiver::from_owned_fd(near.into())?,
        line: Vec::new(),
        skips: false,
        told: None,
        second: (Instant::now(), 0),
    };
    Ok((pipe, far.into()))
}

/// Gives a command the far end.
pub fn inherit(command: &mut Command, far_end: OwnedFd) {
    command.env(VARIABLE, DESCRIPTOR.to_string());
    let prepare = move || {
        // SAFETY: the number is this process's own after the fork. The worker keeps it for this (see
        // `reserve_descriptor`), so nothing that is used before the exec is closed by it; and it is never dropped.
        let mut descriptor = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(DESCRIPTOR) });
        rustix::io::dup2(&far_end, &mut descriptor)?;
        // Also where it was that number before, and so is still to be closed by the exec.
        rustix::io::fcntl_setfd(&*descriptor, rustix::io::FdFlags::empty())?;
        Ok(())
    };
    // SAFETY: between fork and exec `prepare` makes two plain system calls on descriptors; it does not allocate,
    // lock, or touch any memory that another thread could have held at the fork.
    unsafe { command.pre_exec(prepare) };
}

impl ReportPipe {
    /// Passes on what comes, for the unit that `number` names, until `ended`; then what the pipe still holds.
    /// Whoever else has the pipe open then is not waited for.
    pub async fn follow(mut self, number: impl Fn() -> u64, ended: &Ended, reports: &Reports) {
        let mut read = [0; limits::REPORT_LINE_BYTES];
        loop {
            tokio::select! {
                biased;
                readable = self.from.readable() => if readable.is_err() { return },
                () = ended.wait() => break,
            }
            match self.from.try_read(&mut read) {
                // Every writer has closed it; the unit may still be at work.
                Ok(0) => break,
                Ok(count) => self.hear(&read[..count], &number, reports).await,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => return,
            }
            self.keep_to_the_rate(ended).await;
        }
        // As much as a pipe holds: a background process that writes on and on does not hold the unit up.
        let mut rest = PIPE_BYTES;
        while let Ok(count @ 1..) = self.from.try_read(&mut read) {
            self.hear(&read[..count], &number, reports).await;
            rest = rest.saturating_sub(count);
            if rest == 0 {
                break;
            }
        }
        if !self.line.is_empty() {
            self.hear(b"\n", &number, reports).await;
        }
    }

    async fn hear(&mut self, bytes: &[u8], number: &impl Fn() -> u64, reports: &Reports) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (part, ends) = match part.strip_suffix(b"\n") {
                Some(part) => (part, true),
                None => (part, false),
            };
            if !self.skips && self.line.len() + part.len() > limits::REPORT_LINE_BYTES {
                self.skips = true;
                self.line.clear();
                let most = values::bytes_in_words(limits::REPORT_LINE_BYTES);
                let why = format!("a line is longer than {most}");
                self.complain(number(), &why, reports).await;
            }
            if !self.skips {
                self.line.extend_from_slice(part);
            }
            if ends {
                if !std::mem::take(&mut self.skips) {
                    let line = std::mem::take(&mut self.line);
                    self.pass_on(number(), &line, reports).await;
                }
                self.second.1 += 1;
            }
        }
    }

    async fn pass_on(&mut self, number: u64, line: &[u8], reports: &Reports) {
        match parse(line) {
            Ok(Some(Report::Progress { millionths, text })) => {
                reports
                    .newest
                    .set(Some((number, millionths, text.to_owned())));
            }
            Ok(Some(Report::Log(text))) => {
                reports.send(text, ReportMeta::Log { number }).await;
            }
            Ok(None) => {}
            Err(why) => self.complain(number, &why, reports).await,
        }
    }

    /// Tells of a wrong line, the first time for a unit.
    async fn complain(&mut self, number: u64, why: &str, reports: &Reports) {
        if self.told.replace(number) != Some(number) {
            reports.send(why, ReportMeta::Bad { number }).await;
        }
    }

    /// After more lines than a second may have, waits until it is over; the pipe fills, and the command waits.
    async fn keep_to_the_rate(&mut self, ended: &Ended) {
        const SECOND: Duration = Duration::from_secs(1);
        let (since, lines) = self.second;
        if lines >= limits::REPORTS_A_SECOND {
            tokio::select! {
                () = tokio::time::sleep_until(since + SECOND) => {}
                () = ended.wait() => {}
            }
        }
        if since.elapsed() >= SECOND {
            self.second = (Instant::now(), 0);
        }
    }
}

/// What a pipe holds on Linux.
const PIPE_BYTES: usize = 64 << 10;

/// Says that a command has ended.
#[derive(Debug, Default)]
pub struct Ended {
    has: Cell<bool>,
    changed: Notify,
}

impl Ended {
    /// It has.
    pub fn set(&self) {
        self.has.set(true);
        self.changed.notify_waiters();
    }

    async fn wait(&self) {
        let changed = self.changed.notified();
        if !self.has.get() {
            changed.await;
        }
    }
}

// ---- One line ----

#[derive(Debug, PartialEq)]
enum Report<'a> {
    Progress { millionths: u32, text: &'a str },
    Log(&'a str),
}

/// Reads a line; an empty one is nothing.
fn parse(line: &[u8]) -> Result<Option<Report<'_>>, String> {
    let Ok(line) = std::str::from_utf8(line) else {
        return Err("a line is not UTF-8".into());
    };
    let line = line.trim();
    let (word, rest) = line
        .split_once(char::is_whitespace)
        .map_or((line, ""), |(word, rest)| (word, rest.trim_start()));
    match word {
        "" => Ok(None),
        "log" => Ok(Some(Report::Log(rest))),
        "progress" => {
            let (part, text) = rest
                .split_once(char::is_whitespace)
                .map_or((rest, ""), |(part, text)| (part, text.trim_start()));
            let millionths = millionths(part)
                .ok_or_else(|| format!("{part:?} is no part of a whole: write 0.4, 40% or 4/10"))?;
            Ok(Some(Report::Progress {
                millionths,
                text: cut(text),
            }))
        }
        word => Err(format!(
            "{:?} is no report: write `progress PART [TEXT]` or `log TEXT`",
            cut(word)
        )),
    }
}

/// The start of a text that has room beside a progress.
fn cut(text: &str) -> &str {
    let most = limits::PROGRESS_TEXT_BYTES.min(text.len());
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// A part of a whole, in millionths.
fn millionths(part: &str) -> Option<u32> {
    let part = if let Some(percent) = part.strip_suffix('%') {
        number(percent)? / 100.0
    } else if let Some((done, all)) = part.split_once('/') {
        let (done, all) = (number(done)?, number(all)?);
        if all <= 0.0 {
            return None;
        }
        done / all
    } else {
        number(part)?
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is from 0 to 1,000,000"
    )]
    (0.0..=1.0)
        .contains(&part)
        .then(|| (part * 1e6).round() as u32)
}

/// A number without a sign, an exponent or a word such as `inf`.
fn number(text: &str) -> Option<f64> {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    text.chars()
        .all(digits)
        .then(|| text.parse().ok())
        .flatten()
}

// ---- To the coordinator ----

/// Where the reports of a worker's commands go.
#[derive(Clone, Debug)]
pub struct Reports {
    channel: Sender<Bytes>,
    newest: Rc<Newest>,
}

/// The newest progress that was not told yet: of which unit, in millionths, and the text.
#[derive(Debug, Default)]
struct Newest {
    progress: RefCell<Option<(u64, u32, String)>>,
    changed: Notify,
}

impl Newest {
    fn set(&self, progress: Option<(u64, u32, String)>) {
        *self.progress.borrow_mut() = progress;
        self.changed.notify_waiters();
    }

    async fn wait(&self) {
        loop {
            let changed = self.changed.notified();
            if self.progress.borrow().is_some() {
                return;
            }
            changed.await;
        }
    }
}

impl Reports {
    /// They go over `channel`.
    pub fn new(channel: Sender<Bytes>) -> Self {
        Self {
            channel,
            newest: Rc::default(),
        }
    }

    /// Another unit begins: what was not told of the one before is of no use.
    pub fn begin(&self) {
        self.newest.set(None);
    }

    /// Tells the newest progress whenever the coordinator waits for one. Never ends.
    pub async fn tell_progress(&self) {
        loop {
            self.newest.wait().await;
            if self.channel.ready_async().await.is_err() {
                return pending().await;
            }
            let newest = self.newest.progress.take();
            if let Some((number, millionths, text)) = newest {
                self.send(&text, ReportMeta::Progress { number, millionths })
                    .await;
                tokio::time::sleep(limits::PROGRESS_TIME).await;
            }
        }
    }

    /// That nobody takes it any more is found out elsewhere, by the end of the link.
    async fn send(&self, text: &str, meta: ReportMeta) {
        let message = message::encode(text.as_bytes().to_vec(), &meta);
        let _ = self.channel.send_async(message).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn progress(millionths: u32, text: &str) -> Report<'_> {
        Report::Progress { millionths, text }
    }

    #[test]
    fn a_part_is_written_in_three_ways() {
        for (line, millionths, text) in [
            ("progress 0.4", 400_000, ""),
            ("progress 40% decoding", 400_000, "decoding"),
            ("progress 4/10  two words ", 400_000, "two words"),
            ("progress 0", 0, ""),
            ("progress 1", 1_000_000, ""),
            ("progress 100%", 1_000_000, ""),
            ("progress 0/7", 0, ""),
        ] {
            assert_eq!(
                parse(line.as_bytes()),
                Ok(Some(progress(millionths, text))),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_no_part_of_a_whole_is_said_to_be_none() {
        for part in [
            "", "40", "101%", "-1", "1/0", "5/4", "inf", "nan", "1e-3", "x", "/", "%", ".",
        ] {
            assert!(
                parse(format!("progress {part} text").as_bytes()).is_err(),
                "{part}"
            );
        }
        assert!(parse(b"progress\xff 1").is_err());
        assert!(parse(b"hello").is_err());
    }

    #[test]
    fn a_log_is_its_text() {
        assert_eq!(parse(b"log a  b"), Ok(Some(Report::Log("a  b"))));
        assert_eq!(parse(b"log"), Ok(Some(Report::Log(""))));
        assert_eq!(parse(b"  "), Ok(None));
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let line = format!("progress 1/2 {}", "é".repeat(300));
        let text = "é".repeat(limits::PROGRESS_TEXT_BYTES / 2);
        assert_eq!(parse(line.as_bytes()), Ok(Some(progress(500_000, &text))));
    }

    /// Writes to a pipe and closes it; gives what is passed on as (kind, unit, text).
    fn passed_on(written: &[u8]) -> Vec<(&'static str, u64, String)> {
        use std::io::Write;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let (near, far) = pipe().unwrap();
            std::fs::File::from(far).write_all(written).unwrap();
            let (sender, receiver) = crate::channel();
            let reports = Reports::new(sender);
            let newest = Rc::clone(&reports.newest);
            let follow = async move { near.follow(|| 7, &Ended::default(), &reports).await };
            let hear = async {
                let mut heard = Vec::new();
                while let Ok(message) = receiver.recv_async().await {
                    let (text, meta) = message::decode(message, "report").unwrap();
                    let text = String::from_utf8(text.to_vec()).unwrap();
                    heard.push(match meta {
                        ReportMeta::Log { number } => ("log", number, text),
                        ReportMeta::Bad { number } => ("bad", number, text),
                        ReportMeta::Progress { number, .. } => ("progress", number, text),
                    });
                }
                heard
            };
            let ((), mut heard) = tokio::join!(follow, hear);
            let newest = newest.progress.take();
            heard.extend(newest.map(|(number, _, text)| ("newest", number, text)));
            heard
        })
    }

    #[test]
    fn only_the_newest_progress_is_kept_and_every_log_is_passed_on() {
        let heard = passed_on(b"progress 1/2 a\nlog b\nprogress 1 c\n\nlog d\nlog e");
        let expected = [("log", "b"), ("log", "d"), ("log", "e"), ("newest", "c")];
        assert_eq!(
            heard,
            expected.map(|(kind, text)| (kind, 7, text.to_owned()))
        );
    }

    #[test]
    fn a_wrong_line_is_told_once_and_those_after_it_are_heard() {
        let long = b"log ".repeat(limits::REPORT_LINE_BYTES);
        let written = [b"log a\n", &long[..], b"\nwhat\nlog b\nprogress 7\n"].concat();
        let heard = passed_on(&written);
        let expected = [
            ("log", "a"),
            ("bad", "a line is longer than 1 KiB"),
            ("log", "b"),
        ];
        assert_eq!(
            heard,
            expected.map(|(kind, text)| (kind, 7, text.to_owned()))
        );
    }

    #[test]
    fn after_too_many_lines_in_a_second_the_pipe_is_not_read_until_it_is_over_or_the_command_is() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let (mut near, _far) = pipe().unwrap();
            let ended = Ended::default();
            let is_over = |near: &mut ReportPipe| {
                let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
                std::pin::pin!(near.keep_to_the_rate(&ended))
                    .poll(context)
                    .is_ready()
            };
            // A second that begins in an hour is not over, however slow the machine is.
            let later = Instant::now() + Duration::from_hours(1);
            near.second = (later, limits::REPORTS_A_SECOND - 1);
            assert!(is_over(&mut near));
            near.second.1 += 1;
            assert!(!is_over(&mut near));
            ended.set();
            assert!(is_over(&mut near));
        });
    }

    #[test]
    fn a_line_as_long_as_a_line_may_be_is_heard() {
        let text = "x".repeat(limits::REPORT_LINE_BYTES - 4);
        let heard = passed_on(format!("log {text}\nlog {text}x\n").as_bytes());
        let kinds: Vec<_> = heard
            .iter()
            .map(|(kind, _, text)| (*kind, text.len()))
            .collect();
        assert_eq!(kinds[0], ("log", limits::REPORT_LINE_BYTES - 4));
        assert_eq!(kinds[1].0, "bad");
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&line);
        }

        #[test]
        fn no_part_makes_it_panic(part in "[0-9./%]{0,12}") {
            let _ = parse(format!("progress {part}").as_bytes());
        }
    }
}
