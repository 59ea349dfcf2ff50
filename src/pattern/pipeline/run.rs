//! A pipeline that is whole: run by itself, or as a part of a network.

use std::fmt;

use super::{
    plan::{Outcome, SINK, SOURCE, Site, WholePlan},
    report::{PipelineReport, StageGauges, read},
};
use crate::process::{Network, ProcessError, RunError};

/// A pipeline from its source to its sink, ready to run.
#[must_use = "it does nothing unless it is run, or built into a network"]
pub struct Assembly<R> {
    pub(super) name: String,
    /// The stages between source and sink, and how many workers each has.
    pub(super) stages: Vec<(String, usize)>,
    /// What was asked of a stage that it cannot do.
    pub(super) wrong: Option<PipelineError>,
    pub(super) plan: WholePlan,
    pub(super) outcome: Outcome<R>,
}

impl<R> Assembly<R> {
    /// Runs it on this thread until every item has come to the sink, or the sink has enough. Blocks.
    ///
    /// # Errors
    ///
    /// [`PipelineError`]: a stage without workers or with a name that another has, the first error of a stage (where
    /// errors stop the run), the first panic, or a deadlock.
    ///
    /// # Panics
    ///
    /// If a thread of a blocking stage cannot be started.
    pub fn run(self) -> Result<Finished<R>, PipelineError> {
        self.run_with(Network::run)
    }

    /// As [`run`](Self::run), on `threads` threads, of which this one is one.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// If `threads` is zero, or a thread cannot be started.
    pub fn run_threads(self, threads: usize) -> Result<Finished<R>, PipelineError> {
        self.run_with(|net| net.run_threads(threads))
    }

    fn run_with(
        self,
        run: impl FnOnce(Network) -> Result<(), RunError>,
    ) -> Result<Finished<R>, PipelineError> {
        let mut net = Network::new(&self.name);
        let built = self.build(&mut net)?;
        let ended = run(net);
        built.finish(ended)
    }

    /// As [`run`](Self::run), in the task that polls what is returned; its stages can await what that task's runtime
    /// offers.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends all stages where they are; the items that they have in hand are dropped.
    pub async fn run_async(self) -> Result<Finished<R>, PipelineError> {
        let mut net = Network::new(&self.name);
        let built = self.build(&mut net)?;
        let ended = net.run_async().await;
        built.finish(ended)
    }

    /// Builds it into a network, so that it runs and is observed with it. Its processes and channels have the
    /// pipeline's name and a slash before their names.
    ///
    /// # Errors
    ///
    /// [`PipelineError`]: a stage without workers, or with a name that another has. The network is as it was then.
    pub fn build(mut self, net: &mut Network) -> Result<Built<R>, PipelineError> {
        self.check()?;
        let Self {
            name,
            plan,
            outcome,
            ..
        } = self;
        let gauges = net.network(&name, |net| {
            let mut site = Site {
                net,
                gauges: Vec::new(),
            };
            plan(&mut site, SINK);
            site.gauges
        });
        Ok(Built {
            name,
            gauges,
            outcome,
        })
    }

    fn check(&mut self) -> Result<(), PipelineError> {
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        let mut names = vec![SOURCE, SINK];
        for (stage, workers) in &self.stages {
            if *workers == 0 {
                return Err(PipelineError::NoWorkers {
                    stage: stage.clone(),
                });
            }
            if names.contains(&stage.as_str()) {
                return Err(PipelineError::SameName {
                    stage: stage.clone(),
                });
            }
            names.push(stage);
        }
        Ok(())
    }
}

impl<R> fmt::Debug for Assembly<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembly")
            .field("name", &self.name)
            .field("stages", &self.stages)
            .finish_non_exhaustive()
    }
}

/// A pipeline that is part of a network.
pub struct Built<R> {
    name: String,
    gauges: Vec<StageGauges>,
    outcome: Outcome<R>,
}

impl<R> Built<R> {
    /// What it has done so far, and where the time went; at any time, and from any thread.
    #[must_use]
    pub fn report(&self) -> PipelineReport {
        read(&self.name, &self.gauges)
    }

    /// What the pipeline has come to, from what the run of its network has come to.
    ///
    /// # Errors
    ///
    /// [`PipelineError`], for the error that ended the run. Where it was one of this pipeline's processes it names the
    /// stage. [`PipelineError::Unfinished`] if the run succeeded without the pipeline: its network did not run.
    pub fn finish(self, ended: Result<(), RunError>) -> Result<Finished<R>, PipelineError> {
        if let Err(error) = ended {
            return Err(self.explain(error));
        }
        let report = self.report();
        let value = self.outcome.lock().take();
        match value {
            Some(value) => Ok(Finished { value, report }),
            None => Err(PipelineError::Unfinished {
                pipeline: self.name,
            }),
        }
    }

    /// The stage that a process belongs to, if it is one of this pipeline.
    fn stage_of(&self, process: &str) -> Option<String> {
        let (without_last, last) = process.rsplit_once(' ').unwrap_or((process, ""));
        let is_number = last.parse::<usize>().is_ok();
        let is_of = |gauges: &StageGauges| {
            // Its one process has the name of the stage; after that of several comes a number; what takes errors says so.
            let name = match (gauges.is_numbered, last) {
                (_, "errors") => without_last,
                (true, _) if is_number => without_last,
                (true, _) => return false,
                (false, _) => process,
            };
            let before = name.strip_suffix(&format!("{}/{}", self.name, gauges.stage));
            // The pipeline may be built into a part of a network, whose name comes first.
            before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        let found = self.gauges.iter().find(|gauges| is_of(gauges))?;
        Some(found.stage.clone())
    }

    fn explain(&self, error: RunError) -> PipelineError {
        match error {
            RunError::Failed { process, error } => match self.stage_of(&process) {
                Some(stage) => PipelineError::Failed {
                    stage,
                    process,
                    error,
                },
                None => PipelineError::Run(RunError::Failed { process, error }),
            },
            RunError::Panicked { process, message } => match self.stage_of(&process) {
                Some(stage) => PipelineError::Panicked {
                    stage,
                    process,
                    message,
                },
                None => PipelineError::Run(RunError::Panicked { process, message }),
            },
            other => PipelineError::Run(other),
        }
    }
}

impl<R> fmt::Debug for Built<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Built")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A pipeline that has ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished<R> {
    /// What its sink has come to.
    pub value: R,
    /// What each stage has done, and where its time went.
    pub report: PipelineReport,
}

/// Why a pipeline did not begin, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// A stage has no workers, so nothing could pass it.
    #[error("stage `{stage}` has 0 workers; give it 1 at least")]
    NoWorkers {
        /// The stage.
        stage: String,
    },
    /// A stage of several workers whose items go by key was asked to keep the order of all of them.
    #[error(
        "stage `{stage}` goes by key, so it keeps the order of each key, and cannot keep that of all items; leave \
         `ordered` out, or `by_key`"
    )]
    OrderedByKey {
        /// The stage.
        stage: String,
    },
    /// A limit of time was asked of a stage whose function does not await, so that nothing can cut it off.
    #[error(
        "stage `{stage}` does not await, so it cannot be cut off after a time; make it a stage that awaits"
    )]
    NoLimit {
        /// The stage.
        stage: String,
    },
    /// Two stages have the same name, or a stage has that of the source or of the sink.
    #[error("two stages are named `{stage}`; `source` and `sink` are taken")]
    SameName {
        /// The name.
        stage: String,
    },
    /// A stage failed. It was the first error of the run.
    #[error("stage `{stage}` failed (process `{process}`): {error}")]
    Failed {
        /// The stage.
        stage: String,
        /// Which of its processes, by its full name.
        process: String,
        /// What it returned.
        error: ProcessError,
    },
    /// A stage panicked.
    #[error("stage `{stage}` panicked (process `{process}`): {message}")]
    Panicked {
        /// The stage.
        stage: String,
        /// Which of its processes, by its full name.
        process: String,
        /// What the panic said.
        message: String,
    },
    /// The network of the pipeline ended for another reason.
    #[error(transparent)]
    Run(RunError),
    /// The network of the pipeline ended without an error, and the pipeline did not: it was not run.
    #[error("pipeline `{pipeline}` has not ended; run its network first")]
    Unfinished {
        /// The pipeline.
        pipeline: String,
    },
}
