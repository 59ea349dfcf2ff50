//! Pipelines: stages of processes, one after the other, with nothing between them but rendezvous.

mod branch;
mod drain;
mod link;
mod plan;
mod report;
mod run;
mod shapes;
mod source;
mod stages;
mod step;
mod worker;

use std::{
    fmt,
    future::{Future, ready},
    ops::ControlFlow,
    time::Duration,
};

use futures_core::Stream;

use self::{
    link::Pick,
    plan::{Options, Outcome, Plan, Stage, WholePlan},
    step::Mapped,
    worker::Policy,
};
pub use self::{
    report::{PipelineReport, StageReport},
    run::{Assembly, Built, Finished, PipelineError},
    step::{SinkStep, StepOn, StepWith},
    worker::TimeLimit,
};
use crate::{
    process::{InToken, Ports, ProcessError},
    sync::{Arc, Mutex},
};

/// Stages one after the other, each of so many processes of its own, with rendezvous channels between them.
///
/// ```
/// use handover::pattern::Pipeline;
///
/// let lengths = Pipeline::from(["a", "bb", "ccc"])
///     .named("words")
///     .stage("double", 4, |word: &str| word.repeat(2))
///     .ordered()
///     .stage("measure", 2, |word: String| word.len())
///     .ordered()
///     .collect()
///     .run()?;
/// assert_eq!(lengths.value, [2, 4, 6]);
/// println!("{}", lengths.report); // each stage's waits, and the slowest by name
/// # Ok::<(), handover::pattern::PipelineError>(())
/// ```
///
/// There is no buffer anywhere: each process has at most one item in hand, so a pipeline holds at most as many items as
/// it has processes, and the source makes an item only when somebody has taken the one before.
///
/// # Stages
///
/// A stage's function gets an item and returns what becomes of it. Each worker has its own clone of it, so it may have
/// state.
///
/// | | cannot fail | can fail (`Result`) |
/// |---|---|---|
/// | computes | [`stage`](Self::stage) | [`try_stage`](Self::try_stage) |
/// | awaits | [`stage_async`](Self::stage_async) | [`try_stage_async`](Self::try_stage_async) |
/// | has a state | [`stage_with`](Self::stage_with) | [`try_stage_with`](Self::try_stage_with), [`try_stage_with_async`](Self::try_stage_with_async) |
/// | makes several of one | [`flat_stage`](Self::flat_stage) | [`try_flat_stage`](Self::try_flat_stage), [`try_flat_stage_async`](Self::try_flat_stage_async) |
/// | talks to others | | [`try_stage_ports`](Self::try_stage_ports) |
/// | blocks (files, locks) | [`stage_blocking`](Self::stage_blocking) | [`try_stage_blocking`](Self::try_stage_blocking), [`try_stage_with_blocking`](Self::try_stage_with_blocking), [`try_flat_stage_blocking`](Self::try_flat_stage_blocking) |
///
/// The processes of all but the last row run on the threads that the pipeline is run with
/// ([`Assembly::run_threads`]); those of the last have a thread each. Processes are named `<pipeline>/<stage> <number>`,
/// as in `words/double 3`; the source is `<pipeline>/source`, the sink `<pipeline>/sink`.
///
/// # Order
///
/// A stage of several workers passes items on as they are finished. One that was asked to be [`ordered`](Self::ordered),
/// or has one worker, passes them on in the order in which it got them, so an order is kept as far as all stages before
/// keep it. It costs no reorder buffer: items are dealt to the workers in turn and collected in turn, and a worker that
/// has finished before its turn waits with its one result. So a slow item holds up at most as many others as the stage
/// has other workers. Between two such stages of `K` and `M` workers there are `K` times `M` channels.
///
/// # Branches
///
/// Items can be sent [off into a branch](Self::branch) that has a sink of its own, or through one of
/// [two branches that join again](Self::split). Which worker gets which item can be [by key](Self::by_key).
///
/// # What is held
///
/// | process | holds at most |
/// |---|---|
/// | a worker, the source, the sink | one item, or what it has made of one |
/// | a worker that makes several of one | the rest of what it has made of one item, one by one |
/// | what splits, what joins, what takes items in turn for a stage by key | one item |
///
/// # Errors of a stage
///
/// The first one [stops](Self::or_stop) the run, unless the stage is told to [skip](Self::or_skip) them or to
/// [divert](Self::or_divert) them. A panic always stops it.
///
/// # Ends
///
/// When the source has no more, each stage ends after its last item, and the sink after that. When the sink has enough
/// it ends, then each stage when it next has something to pass on, and so the source: what they have in hand by then is
/// dropped, and [`StageReport::in_hand`] counts it.
#[must_use = "it does nothing unless it has a sink and is run"]
pub struct Pipeline<T> {
    name: String,
    stages: Vec<(String, usize)>,
    plan: Plan<T>,
    /// Those of the stage that was added last.
    options: Options,
    /// How the next stage's items find their worker, if by key: what is hashed of an item.
    key: Option<Hashed<T>>,
    /// What was asked of a stage that it cannot do.
    wrong: Option<PipelineError>,
}

/// What a key comes to.
type Hashed<T> = Arc<dyn Fn(&T) -> u64 + Send + Sync>;

impl<T: Send + 'static> Pipeline<T> {
    fn begin(plan: Plan<T>) -> Self {
        Self {
            name: "pipeline".to_owned(),
            stages: Vec::new(),
            plan,
            options: Options::default(),
            key: None,
            wrong: None,
        }
    }

    /// Begins with what an iterator gives. It is asked for the next item when somebody has taken the one before. If it
    /// blocks, use [`from_blocking`](Self::from_blocking).
    pub fn from<I>(source: I) -> Self
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        Self::begin(plan::iterator(source.into_iter().map(Ok)))
    }

    /// Begins with what an iterator gives, which may be errors; for them the source is a stage as any other, and its
    /// name is `source`.
    pub fn from_results<I, E>(source: I) -> Self
    where
        I: IntoIterator<Item = Result<T, E>>,
        I::IntoIter: Send + 'static,
        E: Into<ProcessError>,
    {
        let items = source.into_iter();
        Self::begin(plan::iterator(items.map(|item| item.map_err(Into::into))))
    }

    /// As [`from`](Self::from), for an iterator that blocks: it gets a thread of its own.
    pub fn from_blocking<I>(source: I) -> Self
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        Self::begin(plan::blocking_iterator(source.into_iter().map(Ok)))
    }

    /// As [`from_results`](Self::from_results), for an iterator that blocks: it gets a thread of its own.
    pub fn from_results_blocking<I, E>(source: I) -> Self
    where
        I: IntoIterator<Item = Result<T, E>>,
        I::IntoIter: Send + 'static,
        E: Into<ProcessError>,
    {
        let items = source.into_iter();
        let items = items.map(|item| item.map_err(Into::into));
        Self::begin(plan::blocking_iterator(items))
    }

    /// Begins with what a stream gives.
    pub fn from_stream<S>(source: S) -> Self
    where
        S: Stream<Item = T> + Send + 'static,
    {
        let source = Box::pin(source);
        Self::begin(plan::stream(Box::pin(Mapped { source, map: Ok })))
    }

    /// Begins with what a stream gives, which may be errors; see [`from_results`](Self::from_results).
    pub fn from_result_stream<S, E>(source: S) -> Self
    where
        S: Stream<Item = Result<T, E>> + Send + 'static,
        E: Into<ProcessError> + 'static,
    {
        let source = Box::pin(source);
        let map = |item: Result<T, E>| item.map_err(Into::into);
        Self::begin(plan::stream(Box::pin(Mapped { source, map })))
    }

    /// Begins with what comes on a channel of the network that the pipeline is [built](Assembly::build) into.
    ///
    /// # Panics
    ///
    /// [`Assembly::build`] panics if the port belongs to another network.
    pub fn from_port(port: InToken<T>) -> Self {
        Self::begin(plan::port(port))
    }

    /// Names the pipeline. Without it, it is `pipeline`.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    // ---- What the stage that was added last is to be like ----

    /// Has the stage before pass items on in the order in which it got them; see [Order](Self#order).
    ///
    /// A stage of several workers whose items go [by key](Self::by_key) cannot; it is refused when the pipeline is built.
    pub fn ordered(mut self) -> Self {
        if self.options.is_by_key {
            let stage = self.last_stage();
            self.wrong
                .get_or_insert(PipelineError::OrderedByKey { stage });
        }
        self.options.is_ordered = true;
        self
    }

    /// Gives the stage before at most `limit` for each item: it is cut off where it awaits, and the item ends in the error
    /// [`TimeLimit`], with which is done what is done with [errors](Self#errors-of-a-stage) of that stage.
    ///
    /// It is for stages that await. One that does not cannot be cut off; it is refused when the pipeline is built. A state
    /// that the stage's function [borrows](Self::try_stage_with_async) is as the function has left it.
    ///
    /// ```
    /// use std::{future::pending, time::Duration};
    ///
    /// use handover::pattern::Pipeline;
    ///
    /// let done = Pipeline::from([1, 2, 3])
    ///     .stage_async("ask", 2, |n| async move {
    ///         if n == 2 {
    ///             pending::<()>().await; // nobody ever answers that
    ///         }
    ///         n
    ///     })
    ///     .ordered()
    ///     .within(Duration::from_millis(5))
    ///     .or_skip()
    ///     .collect()
    ///     .run()?;
    /// assert_eq!(done.value, [1, 3]);
    /// # Ok::<(), handover::pattern::PipelineError>(())
    /// ```
    pub fn within(mut self, limit: Duration) -> Self {
        if !self.options.awaits {
            let stage = self.last_stage();
            self.wrong.get_or_insert(PipelineError::NoLimit { stage });
        }
        self.options.limit = Some(limit);
        self
    }

    fn last_stage(&self) -> String {
        let last = self.stages.last();
        last.map_or_else(|| plan::SOURCE.to_owned(), |(stage, _)| stage.clone())
    }

    /// Has the first error of the stage before (or of the source) end the run. It is the default.
    pub fn or_stop(mut self) -> Self {
        self.options.policy = Policy::Stop;
        self.options.take_error = None;
        self
    }

    /// Has items that end in an error in the stage before (or in the source) left out, and
    /// [counted](StageReport::skipped).
    pub fn or_skip(mut self) -> Self {
        self.options.policy = Policy::Skip;
        self.options.take_error = None;
        self
    }

    /// Has errors of the stage before (or of the source) handed to `take`, in a process of its own,
    /// `<pipeline>/<stage> errors`, and [counted](StageReport::diverted). The worker waits until its error is taken.
    ///
    /// When `take` has had enough, the next error ends the run.
    pub fn or_divert<S: SinkStep>(
        mut self,
        mut take: impl FnMut(ProcessError) -> S + Send + 'static,
    ) -> Self {
        self.options.policy = Policy::Divert;
        self.options.take_error = Some(Box::new(move |error| take(error).flow()));
        self
    }

    // ---- Sinks ----

    fn end<R>(self, plan: impl FnOnce((Plan<T>, Options), Outcome<R>) -> WholePlan) -> Assembly<R> {
        let outcome: Outcome<R> = Arc::new(Mutex::new(None));
        Assembly {
            name: self.name,
            stages: self.stages,
            wrong: self.wrong,
            plan: plan((self.plan, self.options), Arc::clone(&outcome)),
            outcome,
        }
    }

    /// Ends in a sink, which gets each item. It says how it goes on by what it returns: see [`SinkStep`].
    pub fn sink<S: SinkStep>(self, mut step: impl FnMut(T) -> S + Send + 'static) -> Assembly<()> {
        let step = move |(): &mut (), item| ready(step(item).flow());
        self.end(|before, outcome| plan::sink(before, outcome, (), step))
    }

    /// Ends in a sink that awaits.
    pub fn sink_async<S, F, Fut>(self, mut step: F) -> Assembly<()>
    where
        S: SinkStep,
        F: FnMut(T) -> Fut + Send + 'static,
        Fut: Future<Output = S> + Send + 'static,
    {
        let step = move |(): &mut (), item| {
            let done = step(item);
            async move { done.await.flow() }
        };
        self.end(|before, outcome| plan::sink(before, outcome, (), step))
    }

    /// Ends in a sink that has ports of its own, declared as those of any process: the address of an actor, a channel to
    /// other processes. For a pipeline that is [built](Assembly::build) into the network of those ports.
    ///
    /// `step` is an async closure with the types of its parameters written out:
    /// `async |index: &Address<Index>, entry: Entry| index.tell(entry).await`.
    ///
    /// # Panics
    ///
    /// [`Assembly::build`] panics if a port belongs to another network.
    pub fn sink_ports<P, F>(self, ports: P, step: F) -> Assembly<()>
    where
        P: Ports + 'static,
        F: for<'a> StepWith<'a, P::Async, T, Output: SinkStep> + 'static,
    {
        self.end(|before, outcome| plan::sink_with(before, outcome, ports, step))
    }

    /// Ends in a sink that blocks: it has a thread of its own.
    pub fn sink_blocking<S: SinkStep>(
        self,
        mut step: impl FnMut(T) -> S + Send + 'static,
    ) -> Assembly<()> {
        let step = move |item| step(item).flow();
        self.end(|before, outcome| plan::blocking_sink(before, outcome, step))
    }

    /// Ends in a function that is called with each item.
    pub fn for_each(self, step: impl FnMut(T) + Send + 'static) -> Assembly<()> {
        self.sink(step)
    }

    /// Ends in a value that every item is added to.
    pub fn fold<R, F>(self, first: R, mut add: F) -> Assembly<R>
    where
        R: Send + 'static,
        F: FnMut(&mut R, T) + Send + 'static,
    {
        let step = move |value: &mut R, item| {
            add(value, item);
            ready(Ok(ControlFlow::Continue(())))
        };
        self.end(|before, outcome| plan::sink(before, outcome, first, step))
    }

    /// Ends in a vector of all items. It is the one place of a pipeline that grows.
    pub fn collect(self) -> Assembly<Vec<T>> {
        self.fold(Vec::new(), Vec::push)
    }
}

impl<T> fmt::Debug for Pipeline<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("name", &self.name)
            .field("stages", &self.stages)
            .finish_non_exhaustive()
    }
}
