//! What one that controls a run and its coordinator say to each other: a request, an answer.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cli::limits;
use crate::cli::message::{Malformed, VERSION};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// How the run stands.
    Status,
    /// That a unit's command be ended.
    Abort(u64),
    /// That workers stop.
    Pause(Whom),
    /// That they go on.
    Resume(Whom),
    /// That they leave.
    Shutdown {
        /// Who.
        whom: Whom,
        /// At once.
        now: bool,
    },
    /// The units that are set aside.
    Poisoned,
}

/// Which workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whom {
    /// All.
    All,
    /// The one of this number or name.
    One(String),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done: a sentence for each worker that it concerned.
    Done(Vec<String>),
    /// It was not, for this reason.
    Refused(String),
    /// How the run stands.
    Status(Box<Status>),
    /// The units that are set aside.
    Poisoned(Poisoned),
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Units finished, with those that failed.
    pub finished: u64,
    /// Units that failed, with those that are poisoned.
    pub failed: u64,
    /// Units that are poisoned.
    pub poisoned: u64,
    /// Units taken from the input and not finished.
    pub in_hand: u64,
    /// Results of workers that had been given up, refused.
    pub late_results: u64,
    /// Units of which a line was reported that is none.
    pub bad_reports: u64,
    /// No further unit is taken from the input.
    pub input_ended: bool,
    /// Whoever joins is paused.
    pub all_paused: bool,
    /// Milliseconds since the start.
    pub elapsed_ms: u64,
    /// Units whose worker was lost and that wait for another, the first of them.
    pub waiting_units: Vec<u64>,
    /// The workers.
    pub workers: Vec<WorkerStatus>,
}

/// How a worker stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The run started it.
    pub local: bool,
    /// What it does.
    pub state: State,
    /// Milliseconds since it does that.
    pub since_ms: u64,
    /// Milliseconds since it was heard.
    pub silent_ms: u64,
    /// The unit that it is at.
    pub unit: Option<u64>,
    /// How far that is, in millionths.
    pub millionths: Option<u32>,
    /// What its command said with that.
    pub text: String,
    /// Units whose results it keeps, or that are on their way to it.
    pub others: u32,
}

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It waits for a unit, or for a result's turn.
    Idle,
    /// It runs a unit.
    Working,
    /// It is stopped.
    Paused,
    /// It leaves when its unit is done.
    Leaving,
}

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Working => "working",
            Self::Paused => "paused",
            Self::Leaving => "leaving",
        }
    }
}

/// Units that are set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poisoned {
    /// How many.
    pub count: u64,
    /// The first of them, each with how often its worker was lost.
    pub units: Vec<(u64, u32)>,
}

/// The bytes of a request or an answer.
pub fn encode(value: &impl Serialize) -> Bytes {
    let mut bytes = VERSION.to_le_bytes().to_vec();
    // Postcard fails on values of unknown length and on a full buffer: there is neither here.
    bytes.extend(postcard::to_stdvec(value).unwrap_or_default());
    bytes.into()
}

/// Reads one. `kind` names it in the error.
///
/// # Errors
/// If it is of another version, or none.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], kind: &'static str) -> Result<T, Malformed> {
    let wrong = Malformed::Bytes(kind);
    let Some((version, rest)) = bytes.split_first_chunk() else {
        return Err(wrong);
    };
    match u16::from_le_bytes(*version) {
        VERSION if bytes.len() <= limits::JOB_BYTES => {}
        VERSION => return Err(wrong),
        version => return Err(Malformed::Version(version)),
    }
    match postcard::take_from_bytes(rest) {
        Ok((value, [])) => Ok(value),
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_said_is_what_is_heard() {
        let request = Request::Shutdown {
            whom: Whom::One("local host:1".into()),
            now: true,
        };
        assert_eq!(
            decode::<Request>(&encode(&request), "request").unwrap(),
            request
        );
        let answer = Answer::Poisoned(Poisoned {
            count: 2,
            units: vec![(1, 3), (u64::MAX, u32::MAX)],
        });
        assert_eq!(
            decode::<Answer>(&encode(&answer), "answer").unwrap(),
            answer
        );
    }

    #[test]
    fn the_longest_status_is_a_message() {
        let worker = |id| WorkerStatus {
            id,
            name: "n".repeat(crate::wire::NAME_BYTES_MAX),
            local: true,
            state: State::Leaving,
            since_ms: u64::MAX,
            silent_ms: u64::MAX,
            unit: Some(u64::MAX),
            millionths: Some(1_000_000),
            text: "t".repeat(limits::PROGRESS_TEXT_BYTES),
            others: u32::MAX,
        };
        let status = Status {
            finished: u64::MAX,
            failed: u64::MAX,
            poisoned: u64::MAX,
            in_hand: u64::MAX,
            late_results: u64::MAX,
            bad_reports: u64::MAX,
            input_ended: true,
            all_paused: true,
            elapsed_ms: u64::MAX,
            waiting_units: vec![u64::MAX; limits::NAMED_POISONED],
            workers: (0..limits::WORKERS as u64)
                .map(|n| worker(u64::MAX - n))
                .collect(),
        };
        let bytes = encode(&Answer::Status(Box::new(status)));
        assert!(bytes.len() <= limits::JOB_BYTES, "{} bytes", bytes.len());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoders_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Request>(&bytes, "request");
            let _ = decode::<Answer>(&bytes, "answer");
        }
    }
}
