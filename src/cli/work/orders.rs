//! What a worker is ordered to do, by a person or by its lease, and how it leaves.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;

use super::{Failure, Worker};
use crate::channel::Held;
use crate::cli::lease::Standing;
use crate::cli::limits;
use crate::cli::message::{self, Control};
use crate::cli::values::time_in_words;
use crate::net::{Goodbye, LinkEnd};

impl Worker {
    /// Does what the coordinator says, and gives the worker's end if that is to leave at once. An order is taken
    /// when it has its effect, and handed back when it can have none.
    pub(super) async fn obey(&mut self, order: Held<Bytes>) -> Option<Result<String, Failure>> {
        let control = match message::decode((*order).clone(), "order") {
            Ok((_, control)) => control,
            Err(malformed) => return Some(Err(self.reject(&malformed).await)),
        };
        match control {
            Control::Abort(number) if !self.hold.abort(number) => {
                drop(order.hand_back());
                return None;
            }
            Control::Abort(_) | Control::Leave { .. } => {}
            Control::Pause => self.hold.pause(),
            Control::Resume => self.hold.resume(),
        }
        drop(order.release());
        match control {
            Control::Leave { now: true } => Some(self.give_back().await),
            Control::Leave { now: false } => {
                self.leave_when_done();
                None
            }
            _ => None,
        }
    }

    /// Takes no further unit.
    pub(super) fn leave_when_done(&mut self) {
        if self.units.take().is_none() {
            return;
        }
        // A unit that is stopped would never be done.
        self.hold.resume();
        if (self.runner.is_none() || !self.kept.is_empty()) && !self.quiet {
            eprintln!("handover: leaving when the unit at hand is done; again to give it back");
        }
    }

    /// Leaves now: what is at hand goes to others.
    pub(super) async fn give_back(&mut self) -> Result<String, Failure> {
        const WHY: &str = "asked to leave at once";
        self.link.close(Goodbye::leaving(WHY)).await;
        self.end_what_runs().await;
        Ok(self.farewell(WHY))
    }

    /// Leaves with nothing at hand.
    pub(super) async fn leave(&mut self) -> Result<String, Failure> {
        let given_up = self.standing == Standing::GivenUp;
        let why = if given_up {
            "given up: silent for longer than its lease"
        } else {
            "asked to leave"
        };
        self.link.close(Goodbye::leaving(why)).await;
        self.end_what_runs().await;
        let mut sentence = self.farewell(why);
        if !given_up {
            return Ok(sentence);
        }
        if self.refused > 0 {
            let results = if self.refused == 1 {
                "result"
            } else {
                "results"
            };
            let _ = write!(sentence, ", {} late {results} refused", self.refused);
        }
        Err(Failure {
            sentence,
            status: 1,
            is_loss: true,
        })
    }

    /// Acts on how it stands with its coordinator, and gives the worker's end if the link has ended.
    pub(super) async fn stand(&mut self, standing: Standing) -> Option<Result<String, Failure>> {
        let before = std::mem::replace(&mut self.standing, standing);
        match standing {
            Standing::Good => {
                if std::mem::take(&mut self.cut_off) {
                    self.say("the job is in reach again");
                }
            }
            Standing::Doubtful => {}
            Standing::Over => {
                if self.running.is_some() {
                    self.cut_off = true;
                    let lease = Duration::from_millis(self.job.lease_ms);
                    self.say(&format!(
                        "the job is out of reach for its lease of {}: what runs is ended",
                        time_in_words(lease)
                    ));
                }
                self.hold.give_back();
            }
            // If the link is about to end, why it does says more.
            Standing::GivenUp => {
                self.standing = before;
                if let Some(end) = self.end_or_given_up().await {
                    return Some(self.link_ended(end).await);
                }
            }
        }
        None
    }

    /// After the coordinator closed a channel: waits a moment for the end of the link; if it does not come, this
    /// worker was given up, and has only results left, which nobody wants.
    pub(super) async fn end_or_given_up(&mut self) -> Option<LinkEnd> {
        if self.standing == Standing::GivenUp {
            return None;
        }
        if let Ok(end) = tokio::time::timeout(limits::CLOSE_TIME, self.link.closed()).await {
            return Some(end);
        }
        self.standing = Standing::GivenUp;
        self.lease.give_up();
        self.units = None;
        self.hold.give_back();
        None
    }

    fn say(&self, sentence: &str) {
        if !self.quiet {
            eprintln!("handover: {sentence}");
        }
    }
}
