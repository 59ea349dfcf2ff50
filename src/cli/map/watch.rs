//! Looks at a run from beside: how it stands, and whether its input has ended.

use std::time::Duration;

use super::console::{Progress, Rate, Say};
use super::event::Event;
use super::input::{InputEnd, ProducerWait};
use super::roster::UnitProgress;
use super::run::Shared;
use crate::Receiver;

/// Tells now and then how the run stands.
#[derive(Debug)]
pub struct Watch {
    run: Shared,
    producer: ProducerWait,
    rate: Rate,
}

impl Watch {
    /// Watches a run whose units come from `producer`.
    pub fn new(run: Shared, producer: ProducerWait) -> Self {
        Self {
            run,
            producer,
            rate: Rate::new(),
        }
    }

    /// Tells it again and again, and never ends.
    pub async fn tell(&mut self, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let progress = self.progress();
            // Busy with a slow terminal, the console can do without.
            let _ = self.run.console.try_send(Say::Progress(progress));
        }
    }

    /// How it stood at its end, with the rate of the whole run.
    pub fn last(&mut self) -> Progress {
        let mut last = self.progress();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate is shown in three digits"
        )]
        let finished = last.now.finished as f64;
        last.rate = finished / last.now.elapsed.as_secs_f64().max(1e-6);
        last
    }

    /// Units of which their commands said how far they are.
    fn units(&self) -> Vec<UnitProgress> {
        let seats = self.run.roster.seats();
        let mut units: Vec<_> = seats.iter().filter_map(|seat| seat.progress()).collect();
        units.sort_by_key(|progress| progress.unit);
        units
    }

    /// How it stands.
    pub fn progress(&mut self) -> Progress {
        let now = self.run.ledger.snapshot();
        Progress {
            rate: self.rate.update(now.finished),
            awaits_workers: self.run.listens && now.workers == 0 && now.finished == 0,
            units: self.units(),
            now,
            producer_waited: self.producer.total(),
            keep_order: self.run.keep_order,
        }
    }
}

/// Waits for the end of the input, also while no worker is there to ask for more. True if it failed.
pub async fn input_ends(run: Shared, end: Receiver<InputEnd>) -> bool {
    let Ok(end) = end.recv_async().await else {
        return false;
    };
    let failed = end.is_err();
    if let Err(error) = end {
        run.tell(Event::InputFailed(error.to_string())).await;
    }
    run.ledger.end_input();
    failed
}
