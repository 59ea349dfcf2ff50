//! What a pipeline has done, and where its time went.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::sync::Arc;

/// What one worker counts. It alone writes; whoever looks sees numbers that were true a moment ago.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    taken: AtomicU64,
    finished: AtomicU64,
    passed: AtomicU64,
    skipped: AtomicU64,
    diverted: AtomicU64,
    input_ns: AtomicU64,
    working_ns: AtomicU64,
    output_ns: AtomicU64,
}

/// Adds to a number that nobody else writes.
fn add(number: &AtomicU64, n: u64) {
    // Each number stands for itself, so nothing has to be seen in an order.
    number.store(number.load(Ordering::Relaxed) + n, Ordering::Relaxed);
}

fn add_time(number: &AtomicU64, time: Duration) {
    add(number, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
}

impl Gauge {
    pub(super) fn took(&self) {
        add(&self.taken, 1);
    }

    pub(super) fn finished(&self) {
        add(&self.finished, 1);
    }

    pub(super) fn passed(&self) {
        add(&self.passed, 1);
    }

    pub(super) fn skipped(&self) {
        add(&self.skipped, 1);
    }

    pub(super) fn diverted(&self) {
        add(&self.diverted, 1);
    }

    pub(super) fn waited_for_input(&self, time: Duration) {
        add_time(&self.input_ns, time);
    }

    pub(super) fn worked(&self, time: Duration) {
        add_time(&self.working_ns, time);
    }

    pub(super) fn waited_for_output(&self, time: Duration) {
        add_time(&self.output_ns, time);
    }
}

/// The gauges of a stage.
#[derive(Debug, Clone)]
pub(super) struct StageGauges {
    pub(super) stage: String,
    pub(super) workers: Vec<Arc<Gauge>>,
    /// Whether its processes have numbers after its name.
    pub(super) is_numbered: bool,
}

impl StageGauges {
    fn read(&self) -> StageReport {
        let sum = |number: fn(&Gauge) -> &AtomicU64| -> u64 {
            let each = self.workers.iter();
            each.map(|gauge| number(gauge).load(Ordering::Relaxed))
                .sum()
        };
        StageReport {
            stage: self.stage.clone(),
            workers: self.workers.len(),
            taken: sum(|gauge| &gauge.taken),
            finished: sum(|gauge| &gauge.finished),
            passed: sum(|gauge| &gauge.passed),
            skipped: sum(|gauge| &gauge.skipped),
            diverted: sum(|gauge| &gauge.diverted),
            waited_for_input: Duration::from_nanos(sum(|gauge| &gauge.input_ns)),
            working: Duration::from_nanos(sum(|gauge| &gauge.working_ns)),
            waited_for_output: Duration::from_nanos(sum(|gauge| &gauge.output_ns)),
        }
    }
}

pub(super) fn read(pipeline: &str, gauges: &[StageGauges]) -> PipelineReport {
    PipelineReport {
        pipeline: pipeline.to_owned(),
        stages: gauges.iter().map(StageGauges::read).collect(),
    }
}

/// What each stage of a pipeline has done, and where its time went.
///
/// It prints as a table, with the slowest stage below.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PipelineReport {
    /// The pipeline, by its name.
    pub pipeline: String,
    /// The source, the stages in their order, and the sink.
    pub stages: Vec<StageReport>,
}

/// What a stage has done, and where the time of its workers went. Times are those of all its workers added up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StageReport {
    /// The stage, by its name.
    pub stage: String,
    /// How many processes it has.
    pub workers: usize,
    /// Items that it took; of a source, that it made.
    pub taken: u64,
    /// Items that it is done with: what came of them was passed on, left out or diverted.
    pub finished: u64,
    /// Items that it passed on; of a stage that makes [several of one](super::Pipeline::flat_stage) all of them, of a sink
    /// those that it finished with.
    pub passed: u64,
    /// Items that ended in an error that was left out.
    pub skipped: u64,
    /// Items that ended in an error that was diverted.
    pub diverted: u64,
    /// How long its workers waited for an item.
    pub waited_for_input: Duration,
    /// How long they worked. Of an async stage it has its own waits in it; where several processes share a thread it
    /// is the time of the stage's own code only if that does not wait.
    pub working: Duration,
    /// How long they waited for somebody to take what they had finished.
    pub waited_for_output: Duration,
}

impl StageReport {
    /// Items that it has taken and is not done with: those that its workers have in hand, or had when
    /// the run ended early. Never more than [`workers`](Self::workers).
    #[must_use]
    pub fn in_hand(&self) -> u64 {
        // The numbers are not read at one moment.
        self.taken.saturating_sub(self.finished)
    }

    /// Its work for each worker: no run of the pipeline can be shorter.
    #[must_use]
    pub fn work_a_worker(&self) -> Duration {
        let workers = u32::try_from(self.workers.max(1)).unwrap_or(u32::MAX);
        self.working / workers
    }
}

impl PipelineReport {
    /// The stage that holds the others up: the one with most work for each of its workers. `None` if none has worked.
    #[must_use]
    pub fn slowest(&self) -> Option<&StageReport> {
        self.stages
            .iter()
            .max_by_key(|stage| stage.work_a_worker())
            .filter(|stage| !stage.working.is_zero())
    }

    /// A stage, by its name.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&StageReport> {
        self.stages.iter().find(|stage| stage.stage == name)
    }
}

impl fmt::Display for PipelineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.stages.iter().map(|stage| stage.stage.len()).max();
        let width = width.unwrap_or(0).max("stage".len());
        writeln!(
            f,
            "{:width$}  workers     taken    passed  waited for input      worked  waited for output",
            "stage"
        )?;
        for stage in &self.stages {
            writeln!(
                f,
                "{:width$}  {:7}  {:8}  {:8}  {:13.1} ms  {:7.1} ms  {:14.1} ms",
                stage.stage,
                stage.workers,
                stage.taken,
                stage.passed,
                stage.waited_for_input.as_secs_f64() * 1e3,
                stage.working.as_secs_f64() * 1e3,
                stage.waited_for_output.as_secs_f64() * 1e3,
            )?;
        }
        let slowest = self.slowest().map_or("none", |stage| stage.stage.as_str());
        write!(f, "slowest: {slowest}")
    }
}
