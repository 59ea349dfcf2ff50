//! Stages with a state, stages that make several items of one, stages by key, and branches.

use std::{
    future::{Future, ready},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    Assembly, Pipeline, StepOn, branch,
    plan::{self, Options, Plan},
    step::{Many, One},
};
use crate::{process::ProcessError, sync::Arc};

impl<T: Send + 'static> Pipeline<T> {
    // ---- With a state ----

    /// Adds a stage of `workers` processes that each have a state of their own, such as a decoder or a connection: `make`
    /// makes it in the worker's process, when that begins.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use handover::pattern::Pipeline;
    ///
    /// // How often a word has come by now; the workers share the words among them.
    /// let words = Pipeline::from(["a", "b", "a", "a"]);
    /// let counted = words.by_key(|word: &&str| *word).stage_with("count", 2, HashMap::new, |seen, word| {
    ///     let times = seen.entry(word).or_insert(0);
    ///     *times += 1;
    ///     (word, *times)
    /// });
    /// let mut done = counted.collect().run()?;
    /// done.value.sort_unstable();
    /// assert_eq!(done.value, [("a", 1), ("a", 2), ("a", 3), ("b", 1)]);
    /// # Ok::<(), handover::pattern::PipelineError>(())
    /// ```
    pub fn stage_with<S, U, M, F>(
        self,
        name: &str,
        workers: usize,
        mut make: M,
        mut step: F,
    ) -> Pipeline<U>
    where
        S: Send + 'static,
        U: Send + 'static,
        M: FnMut() -> S + Clone + Send + 'static,
        F: FnMut(&mut S, T) -> U + Clone + Send + 'static,
    {
        let make = move || Ok::<S, ProcessError>(make());
        let step = move |state: &mut S, item| Ok::<U, ProcessError>(step(state, item));
        self.try_stage_with(name, workers, make, step)
    }

    /// As [`stage_with`](Self::stage_with), of which both can fail. That the state cannot be made ends the run, whatever is
    /// done with the errors of items.
    pub fn try_stage_with<S, U, E, D, M, F>(
        self,
        name: &str,
        workers: usize,
        mut make: M,
        mut step: F,
    ) -> Pipeline<U>
    where
        S: Send + 'static,
        U: Send + 'static,
        E: Into<ProcessError>,
        D: Into<ProcessError>,
        M: FnMut() -> Result<S, D> + Clone + Send + 'static,
        F: FnMut(&mut S, T) -> Result<U, E> + Clone + Send + 'static,
    {
        let make = move || make().map_err(Into::into);
        let step = move |state: &mut S, item| step(state, item).map_err(Into::into);
        self.then(name, workers, false, |stage| {
            plan::state_stage(stage, make, step)
        })
    }

    /// As [`try_stage_with`](Self::try_stage_with), of a stage that awaits. `step` is an async closure with the types of its
    /// parameters written out.
    ///
    /// ```
    /// use handover::{pattern::Pipeline, process::ProcessError};
    ///
    /// struct Connection; // to a database, say
    ///
    /// impl Connection {
    ///     fn open() -> Result<Self, ProcessError> {
    ///         Ok(Self)
    ///     }
    ///
    ///     async fn row(&mut self, id: u32) -> Result<String, ProcessError> {
    ///         Ok(format!("row {id}"))
    ///     }
    /// }
    ///
    /// let rows = Pipeline::from(1..=3)
    ///     .try_stage_with_async("query", 2, Connection::open, async |connection: &mut Connection, id: u32| {
    ///         connection.row(id).await
    ///     })
    ///     .ordered()
    ///     .collect()
    ///     .run()?;
    /// assert_eq!(rows.value, ["row 1", "row 2", "row 3"]);
    /// # Ok::<(), handover::pattern::PipelineError>(())
    /// ```
    pub fn try_stage_with_async<S, U, E, D, M, F>(
        self,
        name: &str,
        workers: usize,
        mut make: M,
        step: F,
    ) -> Pipeline<U>
    where
        S: Send + 'static,
        U: Send + 'static,
        E: Into<ProcessError> + 'static,
        D: Into<ProcessError>,
        M: FnMut() -> Result<S, D> + Clone + Send + 'static,
        F: for<'a> StepOn<'a, S, T, Output = Result<U, E>> + Clone + 'static,
    {
        let make = move || make().map_err(Into::into);
        self.then(name, workers, true, |stage| {
            plan::async_state_stage(stage, make, step)
        })
    }

    /// As [`try_stage_with`](Self::try_stage_with), of a stage that blocks: each worker has a thread of its own, on which its
    /// state is made, and which it never leaves.
    pub fn try_stage_with_blocking<S, U, E, D, M, F>(
        self,
        name: &str,
        workers: usize,
        mut make: M,
        mut step: F,
    ) -> Pipeline<U>
    where
        S: 'static,
        U: Send + 'static,
        E: Into<ProcessError>,
        D: Into<ProcessError>,
        M: FnMut() -> Result<S, D> + Clone + Send + 'static,
        F: FnMut(&mut S, T) -> Result<U, E> + Clone + Send + 'static,
    {
        let make = move || {
            let mut state = make().map_err(Into::into)?;
            Ok(move |item| step(&mut state, item).map(One).map_err(Into::into))
        };
        self.then(name, workers, false, |stage| {
            plan::blocking_stage(stage, make)
        })
    }

    // ---- Several of one ----

    /// Adds a stage that makes any number of items of one, as `flat_map` does.
    ///
    /// The next of them is asked for when somebody has taken the one before, so a lazy iterator makes each when it is
    /// wanted. In an [`ordered`](Self::ordered) stage those of one item stay together, where it came in; with several
    /// workers they then all go to one worker of the next ordered stage. A worker of a stage that is alone, or not ordered,
    /// passes each on by itself.
    ///
    /// ```
    /// use handover::pattern::Pipeline;
    ///
    /// let words = Pipeline::from(["to hand", "from hand"])
    ///     .flat_stage("split", 2, |line: &str| line.split(' '))
    ///     .ordered()
    ///     .collect()
    ///     .run()?;
    /// assert_eq!(words.value, ["to", "hand", "from", "hand"]);
    /// # Ok::<(), handover::pattern::PipelineError>(())
    /// ```
    pub fn flat_stage<I, F>(self, name: &str, workers: usize, mut step: F) -> Pipeline<I::Item>
    where
        I: IntoIterator<Item: Send + 'static, IntoIter: Send + 'static>,
        F: FnMut(T) -> I + Clone + Send + 'static,
    {
        self.try_flat_stage(name, workers, move |item| Ok::<I, ProcessError>(step(item)))
    }

    /// As [`flat_stage`](Self::flat_stage), of a stage that can fail.
    pub fn try_flat_stage<I, E, F>(
        self,
        name: &str,
        workers: usize,
        mut step: F,
    ) -> Pipeline<I::Item>
    where
        I: IntoIterator<Item: Send + 'static, IntoIter: Send + 'static>,
        E: Into<ProcessError>,
        F: FnMut(T) -> Result<I, E> + Clone + Send + 'static,
    {
        let step = move |item| {
            let items = step(item).map(IntoIterator::into_iter);
            ready(items.map_err(Into::into))
        };
        self.then(name, workers, false, |stage| plan::flat_stage(stage, step))
    }

    /// As [`try_flat_stage`](Self::try_flat_stage), of a stage that awaits.
    pub fn try_flat_stage_async<I, E, F, Fut>(
        self,
        name: &str,
        workers: usize,
        mut step: F,
    ) -> Pipeline<I::Item>
    where
        I: IntoIterator<Item: Send + 'static, IntoIter: Send + 'static>,
        E: Into<ProcessError>,
        F: FnMut(T) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<I, E>> + Send + 'static,
    {
        let step = move |item| {
            let items = step(item);
            async move {
                let items = items.await.map(IntoIterator::into_iter);
                items.map_err(Into::into)
            }
        };
        self.then(name, workers, true, |stage| plan::flat_stage(stage, step))
    }

    /// As [`try_flat_stage`](Self::try_flat_stage), of a stage that blocks, as its iterators may: each worker has a thread of
    /// its own.
    pub fn try_flat_stage_blocking<I, E, F>(
        self,
        name: &str,
        workers: usize,
        mut step: F,
    ) -> Pipeline<I::Item>
    where
        I: IntoIterator<Item: Send + 'static, IntoIter: Send + 'static> + 'static,
        E: Into<ProcessError>,
        F: FnMut(T) -> Result<I, E> + Clone + Send + 'static,
    {
        let make = move || {
            Ok(move |item| {
                let items = step(item).map(|items| Many(items.into_iter()));
                items.map_err(Into::into)
            })
        };
        self.then(name, workers, false, |stage| {
            plan::blocking_stage(stage, make)
        })
    }

    // ---- By key ----

    /// Has the items of the next stage go to its workers by key: those with equal keys to the same worker, in the order in
    /// which the stage before passes them on. Which one that is stays the same from run to run of a program.
    ///
    /// The stage may have any shape, one [with a state](Self::stage_with) above all. It keeps the order of each key, and not
    /// that of all items ([`ordered`](Self::ordered) is refused). An item whose worker is at work is waited for, and nobody
    /// passes it: where most items have one key, one worker does most of the work, and the report says so.
    ///
    /// If the stage before is ordered and has several workers, one process more, `<stage> keys`, takes its items in turn.
    pub fn by_key<K, F>(mut self, key: F) -> Self
    where
        K: Hash,
        F: Fn(&T) -> K + Send + Sync + 'static,
    {
        self.key = Some(Arc::new(move |item| {
            let mut hasher = DefaultHasher::new();
            key(item).hash(&mut hasher);
            hasher.finish()
        }));
        self
    }

    // ---- Branches ----

    fn part<U: Send + 'static>(&self, plan: Plan<U>) -> Pipeline<U> {
        Pipeline {
            name: self.name.clone(),
            ..Pipeline::begin(plan)
        }
    }

    /// Sends the items that `predicate` is true of off into a branch with a sink of its own; the others go on. One process
    /// called `name` decides on each, in the order in which they come.
    ///
    /// The stages of the branch stand among those of the pipeline, by their names; its sink is called `<name> sink`. The
    /// pipeline ends when both ends have. A branch that nobody takes from holds the others up, visibly: nothing is
    /// buffered. If one end has had enough, all ends when the next item for it comes.
    ///
    /// ```
    /// use handover::pattern::Pipeline;
    ///
    /// let small = Pipeline::from(1..=10)
    ///     .branch("large", |n| *n > 5, |large| {
    ///         large.stage("halve", 2, |n| n / 2).for_each(|n| println!("{n}"))
    ///     })
    ///     .collect()
    ///     .run()?;
    /// assert_eq!(small.value, [1, 2, 3, 4, 5]);
    /// assert_eq!(small.report.stage("large sink").unwrap().passed, 5);
    /// # Ok::<(), handover::pattern::PipelineError>(())
    /// ```
    pub fn branch(
        mut self,
        name: &str,
        predicate: impl FnMut(&T) -> bool + Send + 'static,
        build: impl FnOnce(Self) -> Assembly<()>,
    ) -> Self {
        let (tap, begin) = branch::tap(name);
        let part = build(self.part(begin));
        self.stages.push((name.to_owned(), 1));
        self.stages.push((branch::sink_of(name), 1));
        self.stages.extend(part.stages);
        let before = (self.plan, self.options);
        let plan = branch::branch(
            name.to_owned(),
            before,
            Box::new(predicate),
            (tap, part.plan),
        );
        Self {
            name: self.name,
            stages: self.stages,
            plan,
            options: Options::default(),
            key: None,
            wrong: self.wrong.or(part.wrong),
        }
    }

    /// Sends the items that `predicate` is true of through the stages of one branch, and the others through those of another;
    /// where they end both join. One process called `name` decides on each, and one called `<name> join` takes from
    /// whichever branch has an item.
    ///
    /// The order of items within a branch is kept as far as its stages keep it; none is kept between the two.
    ///
    /// ```
    /// use handover::pattern::Pipeline;
    ///
    /// let mut all = Pipeline::from(1..=4)
    ///     .split(
    ///         "parity",
    ///         |n| n % 2 == 0,
    ///         |even| even.stage("halve", 2, |n| n / 2),
    ///         |odd| odd, // as they are
    ///     )
    ///     .collect()
    ///     .run()?;
    /// all.value.sort_unstable();
    /// assert_eq!(all.value, [1, 1, 2, 3]);
    /// # Ok::<(), handover::pattern::PipelineError>(())
    /// ```
    pub fn split<U: Send + 'static>(
        mut self,
        name: &str,
        predicate: impl FnMut(&T) -> bool + Send + 'static,
        yes: impl FnOnce(Self) -> Pipeline<U>,
        no: impl FnOnce(Self) -> Pipeline<U>,
    ) -> Pipeline<U> {
        let (yes_tap, begin) = branch::tap(name);
        let yes = yes(self.part(begin));
        let (no_tap, begin) = branch::tap(name);
        let no = no(self.part(begin));
        self.stages.push((name.to_owned(), 1));
        self.stages.push((branch::join_of(name), 1));
        self.stages.extend(yes.stages);
        self.stages.extend(no.stages);
        let wrong = self.wrong.or(yes.wrong).or(no.wrong);
        let plan = branch::split_and_join(
            name.to_owned(),
            (self.plan, self.options),
            Box::new(predicate),
            (yes_tap, (yes.plan, yes.options)),
            (no_tap, (no.plan, no.options)),
        );
        Pipeline {
            name: self.name,
            stages: self.stages,
            plan,
            options: Options::default(),
            key: None,
            wrong,
        }
    }
}
