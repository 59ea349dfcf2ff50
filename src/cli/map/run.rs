//! What the tasks of a run share: its channels, its ledger, and how a unit goes on to another worker.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::console::Say;
use super::event::Event;
use super::input::Unit;
use super::joblog;
use super::ledger::{Ledger, Verdict};
use super::output::Output;
use super::roster::Roster;
use crate::cli::command::{self, Template};
use crate::cli::message::{Outcome, ResultMeta};
use crate::{Receiver, Sender};

/// A run. All its tasks are on one thread.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
pub struct Run {
    /// What is known of all units.
    pub ledger: Ledger,
    /// Who works.
    pub roster: Roster,
    /// The silence after which a worker is given up.
    pub lease: Duration,
    /// Losses of its worker after which a unit is poisoned.
    pub poison_after: u32,
    /// What the workers that this program starts show, and nobody else can.
    pub local_key: String,
    /// Workers may join from elsewhere.
    pub listens: bool,
    /// The message that tells a worker what to do.
    pub job: Bytes,
    /// Results are wanted in the order of the units.
    pub keep_order: bool,
    /// Most units in one worker's hand: one at work, results kept ahead, and one rescued.
    pub hand_most: usize,
    /// Output goes to files.
    pub to_files: bool,
    /// `FINISHED` events are wanted.
    pub tells_each: bool,
    /// Where units come from: the thread that reads standard input.
    pub units: Receiver<Unit>,
    /// Units whose worker was lost: their holder waits here for an idle worker.
    pub lost: Handover,
    /// A unit whose worker was lost and whose turn it is: for anyone who runs nothing.
    pub urgent: Handover,
    /// Standard output's thread.
    pub output: Sender<Output>,
    /// Set when even a result without bytes goes to that thread.
    pub wants_empty_results: bool,
    /// Standard error's thread.
    pub console: Sender<Say>,
    /// How the job log names a unit's command, if there is one.
    pub log_template: Option<Template>,
}

/// Both ends of a channel between links.
#[derive(Debug)]
pub struct Handover {
    sender: Sender<Unit>,
    /// Where an idle worker's link takes.
    pub receiver: Receiver<Unit>,
}

impl Default for Handover {
    fn default() -> Self {
        let (sender, receiver) = crate::channel();
        Self { sender, receiver }
    }
}

impl Run {
    /// Tells an event. Waits for the terminal, if that is slow.
    pub async fn tell(&self, event: Event) {
        // The console's thread ends only after the run.
        let _ = self.console.send_async(Say::Event(event)).await;
    }

    /// Holds a unit that lost its worker until another takes it.
    ///
    /// # Cancel safety
    /// None: dropped, it drops the unit. It is dropped only when the run is over.
    pub async fn pass_on(&self, unit: Unit) {
        let number = unit.number;
        let _waiting = self.roster.wait_for_another(number);
        let mut unit = Some(unit);
        while unit.is_some() {
            if self.keep_order && self.ledger.turn() == number {
                let _ = self.urgent.sender.send_from(&mut unit).await;
                return;
            }
            // Taken or not, `unit` tells: it is put back when its turn comes before somebody took it.
            tokio::select! {
                biased;
                _ = self.lost.sender.send_from(&mut unit) => return,
                () = self.ledger.turn_is(|turn| self.keep_order && turn == number) => {}
            }
        }
    }

    /// Holds units that lost their worker until each has another, or is poisoned: it has lost too many.
    pub async fn pass_all_on(&self, units: Vec<Unit>, worker: &str) {
        // In ascending order: whoever waits for a higher one waits for the lower one too.
        for unit in units {
            if unit.losses < self.poison_after {
                self.pass_on(unit).await;
                continue;
            }
            if self.keep_order {
                self.ledger.turn_is(|turn| turn == unit.number).await;
            }
            let (number, losses) = (unit.number, unit.losses);
            self.tell(Event::Poisoned {
                unit: number,
                losses,
            })
            .await;
            let outcome = Outcome::Poisoned(losses);
            let meta = ResultMeta {
                number: unit.number,
                outcome,
                started_us: 0,
                run_us: 0,
                work_us: 0,
                attempts: unit.losses,
                output_bytes: 0,
            };
            self.finish(&unit, meta, Bytes::new(), worker).await;
        }
    }

    /// Writes a unit's result and counts it. Returns when it was written.
    ///
    /// # Cancel safety
    /// None: dropped, the result may be written and not counted. It is dropped only when the run is over.
    pub async fn finish(&self, unit: &Unit, meta: ResultMeta, stdout: Bytes, worker: &str) {
        let (number, outcome) = (meta.number, meta.outcome.clone());
        let event = self.tells_each.then(|| Event::Finished {
            unit: number,
            outcome: outcome.clone(),
            worker: worker.into(),
            time: Duration::from_micros(meta.work_us),
            attempts: meta.attempts,
        });
        if !stdout.is_empty() || self.wants_empty_results {
            let log = self.log_line(unit, &meta, worker);
            if self
                .output
                .send_async(Output::Result { meta, stdout, log })
                .await
                .is_err()
            {
                self.ledger.end(Verdict::OutputClosed);
                return;
            }
        }
        if let Some(event) = event {
            self.tell(event).await;
        }
        self.ledger.finish(number, &outcome);
    }

    fn log_line(&self, unit: &Unit, meta: &ResultMeta, worker: &str) -> Vec<u8> {
        let Some(template) = &self.log_template else {
            return Vec::new();
        };
        let words = template
            .fill(unit.number, command::as_argument(unit.payload()))
            .unwrap_or_default();
        // As GNU parallel has it, a colon is this machine.
        let host = worker
            .strip_prefix("worker ")
            .and_then(|name| name.split(':').next())
            .unwrap_or(":");
        joblog::line(meta, host, unit.length, &command::quoted(&words))
    }
}

/// A run, as its tasks hold it.
pub type Shared = Rc<Run>;
