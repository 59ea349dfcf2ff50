//! What a coordinator and a worker say to each other, and its bytes.
//!
//! A message is `payload ‖ meta ‖ length of meta (u16, little-endian)`: the payload (a unit's or result's own
//! bytes) comes first so that it is neither copied to be sent nor when it has come. A job has no payload;
//! it begins with its version, which every later version must read.
//!
//! What a peer sent is never trusted: a message that is wrong gives a [`Malformed`], which ends its link.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::limits;

/// The version of everything in this file. A worker of another version does not take the job.
pub const VERSION: u16 = 2;

/// The channels of a link between a coordinator and a worker.
pub mod channels {
    /// To the worker, once: the [`super::Job`].
    pub const JOB: &str = "job";
    /// To the worker: [`super::UnitMeta`]. The worker waits here when it is idle.
    pub const UNITS: &str = "units";
    /// To the worker: a unit whose worker was lost and whose result is the next to be written. The worker waits
    /// here whenever it runs nothing, also while it keeps results.
    pub const RESCUE: &str = "rescue";
    /// From the worker: [`super::ResultMeta`]. The coordinator waits here when it can write the result.
    pub const RESULTS: &str = "results";
    /// From the worker: [`super::PieceMeta`].
    pub const PIECES: &str = "pieces";
    /// To the worker: [`super::Control`]. The worker waits here always, whatever it runs. It takes what it has
    /// done, and hands back what it cannot do.
    pub const CONTROL: &str = "control";
    /// From the worker: [`super::ReportMeta`], what its commands say of their units.
    pub const REPORTS: &str = "reports";
    /// From the worker: nothing but that it lives (see `lease.rs`).
    pub const LEASE: &str = "lease";
    /// To the coordinator, from one that controls it and is no worker: a [`super::super::control::Request`].
    pub const REQUESTS: &str = "requests";
    /// From the coordinator to the one that asked: a [`super::super::control::Answer`].
    pub const ANSWERS: &str = "answers";
}

/// A message that is not what its channel carries.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Another version of the program.
    #[error(
        "it speaks version {0} of the job, this is version {VERSION}: use the same handover at both ends"
    )]
    Version(u16),
    /// Not the bytes of such a message.
    #[error("it sent a message that is no {0}")]
    Bytes(&'static str),
}

/// What a worker has to do: the same for all units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
pub struct Job {
    /// The command and its arguments, with `{}` where the unit stands.
    pub command: Vec<Vec<u8>>,
    /// Keep one command running, a unit in, a line out.
    pub stream: bool,
    /// Units (and streamed answers) end with NUL.
    pub null: bool,
    /// Results are wanted in the order of the units.
    pub keep_order: bool,
    /// Finished results to keep while working on.
    pub ahead: u32,
    /// Runs after the first that failed.
    pub retries: u32,
    /// Milliseconds for one run.
    pub timeout_ms: Option<u64>,
    /// Output is sent in pieces, of any size, and not in the result.
    pub to_files: bool,
    /// Most bytes of a result.
    pub limit: u64,
    /// Milliseconds of silence after which the other side is given up.
    pub lease_ms: u64,
}

/// What comes with a unit's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitMeta {
    /// The place in the input, from 1.
    pub number: u64,
    /// Set when the unit had this many bytes, more than the limit: it fails, and its bytes are not sent.
    pub oversized: Option<u64>,
}

/// What comes with a result's bytes (the standard output of its command).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultMeta {
    /// The unit's number.
    pub number: u64,
    /// How the last run ended.
    pub outcome: Outcome,
    /// When the last run started: microseconds since 1970, by the worker's clock.
    pub started_us: u64,
    /// Microseconds that the last run took.
    pub run_us: u64,
    /// Microseconds that all runs took.
    pub work_us: u64,
    /// Runs.
    pub attempts: u32,
    /// Bytes of standard output, also where they went in pieces.
    pub output_bytes: u64,
}

/// How a unit ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Its command ended with this status; 0 is success.
    Exited(i32),
    /// Its command was killed by this signal.
    Signalled(i32),
    /// Its command took longer than this many milliseconds.
    TimedOut(u64),
    /// The command was not run, or its output was no result, for this reason.
    Failed(String),
    /// Somebody had its command ended (`handover control abort`).
    Aborted,
    /// So many workers were lost with it that nobody gets it any more. Said by the coordinator only.
    Poisoned(u32),
    /// No end: the worker was cut off, ended the command, and gives the unit back for another.
    GivenBack,
}

impl Outcome {
    /// A failure for a reason, which is cut to a sentence's length.
    pub fn failed(reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        let end = (0..=limits::REASON_BYTES.min(reason.len()))
            .rev()
            .find(|at| reason.is_char_boundary(*at));
        reason.truncate(end.unwrap_or(0));
        Self::Failed(reason)
    }

    /// Whether the unit succeeded.
    pub fn is_success(&self) -> bool {
        *self == Self::Exited(0)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Signalled(signal) => write!(f, "killed by signal {signal}"),
            Self::TimedOut(ms) => {
                let limit = super::values::time_in_words(Duration::from_millis(*ms));
                write!(f, "killed after {limit}, its time limit")
            }
            Self::Failed(reason) => f.write_str(&super::values::printable(reason)),
            Self::Aborted => f.write_str("aborted"),
            Self::Poisoned(losses) => write!(f, "poisoned: its worker was lost {losses} times"),
            Self::GivenBack => f.write_str("given back"),
        }
    }
}

/// What comes with a piece of a command's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceMeta {
    /// The unit's number.
    pub number: u64,
    /// What it is a piece of.
    pub kind: PieceKind,
}

/// What a piece belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PieceKind {
    /// Nothing yet: a run begins, and what earlier runs of the unit wrote is void. Said only with `to_files`.
    Start,
    /// Nothing more: the unit is done, and its result waits for its turn. Said only with `keep_order`: so the
    /// coordinator knows that the worker runs nothing, whatever it may have granted earlier.
    Finished,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a worker is told while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// End the command of this unit, which is then [`Outcome::Aborted`]. Handed back if it does not run.
    Abort(u64),
    /// Stop what runs, and take nothing.
    Pause,
    /// Go on.
    Resume,
    /// Leave: when the unit at hand is done, or at once, giving it back.
    Leave {
        /// At once.
        now: bool,
    },
}

/// What a command said of its unit. The text is the message's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReportMeta {
    /// It is so far. Only the newest counts.
    Progress {
        /// The unit's number.
        number: u64,
        /// Millionths of the whole.
        millionths: u32,
    },
    /// A line for people.
    Log {
        /// The unit's number.
        number: u64,
    },
    /// A line that was not understood: the first of its unit, and why.
    Bad {
        /// The unit's number.
        number: u64,
    },
}

/// The bytes of a message without a payload.
pub fn encode_alone(meta: &impl Serialize) -> Bytes {
    encode(Vec::new(), meta)
}

/// The bytes of a job.
pub fn encode_job(job: &Job) -> Bytes {
    let mut bytes = VERSION.to_le_bytes().to_vec();
    bytes.extend(encoded(job));
    bytes.into()
}

/// Reads a job.
///
/// # Errors
/// If it is of another version, or no job.
pub fn decode_job(bytes: &[u8]) -> Result<Job, Malformed> {
    let (version, rest) = bytes.split_first_chunk().ok_or(Malformed::Bytes("job"))?;
    let version = u16::from_le_bytes(*version);
    if version != VERSION {
        return Err(Malformed::Version(version));
    }
    decoded(rest, "job").and_then(|job: Job| {
        let sensible = !job.command.is_empty()
            && job.ahead <= limits::AHEAD
            && job.limit <= limits::UNIT_BYTES_MAX as u64
            && (limits::LEASE_MIN..=limits::LEASE_MAX)
                .contains(&Duration::from_millis(job.lease_ms))
            && bytes.len() <= limits::JOB_BYTES;
        if sensible {
            Ok(job)
        } else {
            Err(Malformed::Bytes("job"))
        }
    })
}

/// The bytes of a message: `payload` with its `meta` after it.
pub fn encode(mut payload: Vec<u8>, meta: &impl Serialize) -> Bytes {
    let meta = encoded(meta);
    let length = u16::try_from(meta.len()).unwrap_or(u16::MAX);
    debug_assert!(meta.len() <= limits::META_BYTES);
    payload.reserve_exact(meta.len() + 2);
    payload.extend_from_slice(&meta);
    payload.extend_from_slice(&length.to_le_bytes());
    payload.into()
}

/// Reads a message: its payload and its meta. `kind` names it in the error.
///
/// # Errors
/// If it is none of that kind.
pub fn decode<M: DeserializeOwned>(
    mut message: Bytes,
    kind: &'static str,
) -> Result<(Bytes, M), Malformed> {
    let wrong = Malformed::Bytes(kind);
    let Some((rest, length)) = message.split_last_chunk() else {
        return Err(wrong);
    };
    let length = usize::from(u16::from_le_bytes(*length));
    if length > limits::META_BYTES {
        return Err(wrong);
    }
    let Some(start) = rest.len().checked_sub(length) else {
        return Err(wrong);
    };
    let meta = decoded(&rest[start..], kind)?;
    message.truncate(start);
    Ok((message, meta))
}

fn encoded(value: &impl Serialize) -> Vec<u8> {
    // Postcard fails on values of unknown length and on a full buffer: there is neither here.
    postcard::to_stdvec(value).unwrap_or_default()
}

fn decoded<T: DeserializeOwned>(bytes: &[u8], kind: &'static str) -> Result<T, Malformed> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(Malformed::Bytes(kind)),
    }
}

#[cfg(test)]
mod specified;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn job() -> Job {
        Job {
            command: vec![b"sh".to_vec(), b"\xff{}".to_vec()],
            stream: false,
            null: true,
            keep_order: true,
            ahead: 3,
            retries: 2,
            timeout_ms: Some(1500),
            to_files: false,
            limit: 1 << 24,
            lease_ms: 30_000,
        }
    }

    #[test]
    fn what_was_said_is_what_is_heard() {
        assert_eq!(decode_job(&encode_job(&job())).unwrap(), job());
        let meta = UnitMeta {
            number: 9,
            oversized: None,
        };
        let (payload, heard) =
            decode::<UnitMeta>(encode(b"a\0b\n".to_vec(), &meta), "unit").unwrap();
        assert_eq!((&payload[..], heard), (&b"a\0b\n"[..], meta));
        let meta = ResultMeta {
            number: u64::MAX,
            outcome: Outcome::failed("é".repeat(1000)),
            started_us: u64::MAX,
            run_us: u64::MAX,
            work_us: u64::MAX,
            attempts: u32::MAX,
            output_bytes: u64::MAX,
        };
        let message = encode(Vec::new(), &meta);
        assert!(message.len() <= limits::META_BYTES);
        assert_eq!(
            decode::<ResultMeta>(message, "result").unwrap(),
            (Bytes::new(), meta)
        );
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = encode_job(&job()).to_vec();
        bytes[0] = 77;
        let error = decode_job(&bytes).unwrap_err();
        assert!(error.to_string().contains("version 77"), "{error}");
    }

    #[test]
    fn a_reason_from_elsewhere_cannot_steer_a_terminal() {
        assert_eq!(
            Outcome::Failed("a\x1b[2Jb".into()).to_string(),
            "a\\u{1b}[2Jb"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoders_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_job(&bytes);
            let _ = decode::<UnitMeta>(bytes.clone().into(), "unit");
            let _ = decode::<ResultMeta>(bytes.clone().into(), "result");
            let _ = decode::<PieceMeta>(bytes.clone().into(), "piece");
            let _ = decode::<Control>(bytes.clone().into(), "order");
            let _ = decode::<ReportMeta>(bytes.into(), "report");
        }
    }
}
