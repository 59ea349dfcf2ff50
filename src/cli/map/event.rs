//! What happens in a run: told to people in sentences, to programs as JSON (`--json`).

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::console::seconds;
use crate::cli::limits;
use crate::cli::message::Outcome;
use crate::cli::values::printable;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Workers may join here.
    Listening {
        /// The address.
        address: SocketAddr,
        /// With a certificate only.
        tls: bool,
    },
    /// A worker joined.
    Joined {
        /// Its name.
        worker: String,
        /// It was started by this program.
        local: bool,
    },
    /// A worker left, or was lost.
    Left {
        /// Its name.
        worker: String,
        /// It was started by this program.
        local: bool,
        /// Why.
        why: String,
        /// The units that it had in hand, which go to others.
        units: Vec<u64>,
    },
    /// The run may be controlled here.
    Controllable(SocketAddr),
    /// Somebody gave an order.
    Ordered {
        /// Who.
        controller: String,
        /// What became of it, in a sentence.
        what: String,
    },
    /// A unit's command reported a line for people.
    Log {
        /// The unit.
        unit: u64,
        /// The line.
        text: String,
    },
    /// A unit's command reported a line that is none.
    BadReport {
        /// The unit.
        unit: u64,
        /// What was wrong.
        why: String,
    },
    /// A result came from a worker that was given up.
    Late {
        /// The unit.
        unit: u64,
        /// The worker.
        worker: String,
    },
    /// A worker gave a unit back, which goes to another.
    GivenBack {
        /// The unit.
        unit: u64,
        /// The worker.
        worker: String,
    },
    /// A unit lost its worker too often.
    Poisoned {
        /// The unit.
        unit: u64,
        /// How often.
        losses: u32,
    },
    /// Somebody came who is no worker.
    Stranger {
        /// From here.
        address: SocketAddr,
        /// What was wrong.
        why: String,
    },
    /// A unit is finished.
    Finished {
        /// Its number.
        unit: u64,
        /// How.
        outcome: Outcome,
        /// Who worked on it.
        worker: String,
        /// For how long, all runs together.
        time: Duration,
        /// Runs.
        attempts: u32,
    },
    /// Standard input could not be read to its end.
    InputFailed(String),
    /// The run is over.
    Summary {
        /// Units finished.
        finished: u64,
        /// Those of them that failed.
        failed: u64,
        /// The first few of those.
        failures: Vec<(u64, Outcome)>,
        /// Those of the failed that are poisoned, as many as are named.
        poisoned: (u64, Vec<(u64, u32)>),
        /// Results that came too late and were refused.
        late: u64,
        /// Why it was over before the input was, if it was.
        cut_short: Option<String>,
        /// How long it took.
        time: Duration,
    },
}

impl Event {
    /// What a person wants to know of it, if anything.
    pub fn sentence(&self) -> Option<String> {
        match self {
            Self::Listening {
                address,
                tls: false,
            } => Some(format!(
                "workers may join at any time, over plain TCP, with: handover work --connect {address}"
            )),
            Self::Listening { address, tls: true } => Some(format!(
                "workers may join at any time, over TLS, with: handover work --connect {address} --tls DIR"
            )),
            Self::Joined { worker, local, .. } => (!local).then(|| format!("{worker} joined")),
            Self::Left {
                worker,
                local,
                why,
                units,
            } => {
                let handed_on = match units.as_slice() {
                    [] if *local => return None,
                    [] => String::new(),
                    [unit] => format!("; unit {unit} goes to another"),
                    units => format!("; units {} go to others", list(units.iter())),
                };
                Some(format!("{worker} left: {why}{handed_on}"))
            }
            Self::Controllable(address) => Some(format!(
                "control it with: handover control --connect {address} status"
            )),
            Self::Ordered { controller, what } => Some(format!("{controller}: {what}")),
            Self::Log { unit, text } => Some(format!("unit {unit} says: {}", printable(text))),
            Self::BadReport { unit, why } => Some(format!(
                "unit {unit} reported what is no report: {} (said once; handover control status counts)",
                printable(why)
            )),
            Self::Late { unit, worker } => Some(format!(
                "the result of unit {unit} came from {worker}, which was given up: refused"
            )),
            Self::GivenBack { unit, worker } => Some(format!(
                "{worker} was cut off and gave unit {unit} back; it goes to another"
            )),
            Self::Stranger { address, why } => Some(format!("turned {address} away: {why}")),
            // The summary names the poisoned.
            Self::Finished { .. } | Self::Poisoned { .. } => None,
            Self::InputFailed(why) => Some(format!("standard input cannot be read: {why}")),
            Self::Summary {
                finished,
                failed,
                failures,
                poisoned,
                late,
                cut_short,
                ..
            } => {
                let mut parts =
                    Vec::from_iter(summary(*finished, *failed, failures, cut_short.as_deref()));
                parts.extend(poisoned_units(poisoned));
                parts.extend((*late > 0).then(|| {
                    let results = if *late == 1 { "result" } else { "results" };
                    format!("{late} late {results} refused")
                }));
                (!parts.is_empty()).then(|| parts.join("; "))
            }
        }
    }

    /// It as JSON.
    pub fn json(&self) -> Value {
        match self {
            Self::Listening { address, tls } => {
                json!({"event": "listening", "address": address.to_string(), "tls": tls})
            }
            Self::Joined { worker, local } => {
                json!({"event": "joined", "worker": worker, "local": local})
            }
            Self::Left {
                worker,
                local,
                why,
                units,
            } => {
                json!({"event": "left", "worker": worker, "local": local, "why": why, "units": units})
            }
            Self::Controllable(address) => {
                json!({"event": "controllable", "address": address.to_string()})
            }
            Self::Ordered { controller, what } => {
                json!({"event": "ordered", "controller": controller, "what": what})
            }
            Self::Log { unit, text } => json!({"event": "log", "unit": unit, "text": text}),
            Self::BadReport { unit, why } => {
                json!({"event": "bad_report", "unit": unit, "why": why})
            }
            Self::Late { unit, worker } => {
                json!({"event": "late", "unit": unit, "worker": worker})
            }
            Self::GivenBack { unit, worker } => {
                json!({"event": "given_back", "unit": unit, "worker": worker})
            }
            Self::Poisoned { unit, losses } => {
                json!({"event": "poisoned", "unit": unit, "losses": losses})
            }
            Self::Stranger { address, why } => {
                json!({"event": "stranger", "address": address.to_string(), "why": why})
            }
            Self::Finished {
                unit,
                outcome,
                worker,
                time,
                attempts,
            } => json!({
                "event": "finished",
                "unit": unit,
                "success": outcome.is_success(),
                "outcome": outcome.to_string(),
                "worker": worker,
                "seconds": seconds(*time),
                "attempts": attempts,
            }),
            Self::InputFailed(why) => json!({"event": "input_failed", "why": why}),
            Self::Summary {
                finished,
                failed,
                failures,
                poisoned,
                late,
                cut_short,
                time,
            } => json!({
                "event": "summary",
                "finished": finished,
                "failed": failed,
                "failures": failures
                    .iter()
                    .map(|(unit, outcome)| json!({"unit": unit, "outcome": outcome.to_string()}))
                    .collect::<Vec<_>>(),
                "poisoned": poisoned.0,
                "poisoned_units": poisoned.1.iter().map(|(unit, _)| *unit).collect::<Vec<_>>(),
                "late_results": late,
                "cut_short": cut_short,
                "seconds": seconds(*time),
            }),
        }
    }
}

fn summary(
    finished: u64,
    failed: u64,
    failures: &[(u64, Outcome)],
    cut_short: Option<&str>,
) -> Option<String> {
    let failed_units = (failed > 0).then(|| {
        let named = list(
            failures
                .iter()
                .map(|(unit, outcome)| format!("unit {unit} ({outcome})")),
        );
        let more = failed - failures.len() as u64;
        let more = if more > 0 {
            format!(", and {more} more")
        } else {
            String::new()
        };
        let units = if finished == 1 { "unit" } else { "units" };
        format!("{failed} of {finished} {units} failed: {named}{more}")
    });
    match (cut_short, failed_units) {
        (Some(why), Some(failed)) => Some(format!("{why}; {failed}")),
        (Some(why), None) => Some(why.into()),
        (None, failed) => failed,
    }
}

/// The units that were set aside.
fn poisoned_units((count, units): &(u64, Vec<(u64, u32)>)) -> Option<String> {
    if *count == 0 {
        return None;
    }
    let named = units.iter().take(limits::NAMED_FAILURES);
    let more = count - named.len() as u64;
    let more = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    let named = list(named.map(|(unit, _)| unit));
    Some(format!(
        "{count} poisoned and not tried again: {named}{more}"
    ))
}

fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_the_first_failures() {
        let failures = vec![(7, Outcome::Exited(1)), (12, Outcome::TimedOut(10_000))];
        assert_eq!(
            summary(10_000, 3, &failures, None).unwrap(),
            "3 of 10000 units failed: unit 7 (exit status 1), unit 12 (killed after 10 s, its time limit), and 1 \
             more"
        );
        assert_eq!(summary(5, 0, &[], None), None);
        assert_eq!(
            summary(5, 0, &[], Some("interrupted")).unwrap(),
            "interrupted"
        );
    }

    #[test]
    fn a_lost_worker_is_told_with_the_units_that_it_had() {
        let left = |units: &[u64], local| Event::Left {
            worker: "w".into(),
            local,
            why: "gone".into(),
            units: units.to_vec(),
        };
        assert_eq!(
            left(&[4], true).sentence().unwrap(),
            "w left: gone; unit 4 goes to another"
        );
        assert_eq!(
            left(&[4, 9], false).sentence().unwrap(),
            "w left: gone; units 4, 9 go to others"
        );
        assert_eq!(left(&[], true).sentence(), None);
        assert_eq!(left(&[], false).sentence().unwrap(), "w left: gone");
    }
}
