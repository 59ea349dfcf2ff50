//! A network: its channels and processes, from their declaration to the end of the run.

use std::{collections::HashMap, fmt, future::Future, hash::BuildHasher, pin::pin};

use super::{
    attached::Attached,
    body::{Body, Process},
    error::{ProcessResult, RunError},
    executor::{Executor, TURNS_A_POLL, retire},
    here::HereToken,
    outcome::{self, Keep, Nothing, Outcome},
    ports::{self, InToken, OutToken, Ports},
    registry::Registry,
    snapshot::Observer,
    threads::{self, Threads, Unstarted},
    watch::{OnDeadlock, Watch},
    workers,
};
use crate::sync::{Arc, drive, schedule::System, task::TaskRef};

/// Processes, and the channels between them.
///
/// ```
/// use handover::process::{In, Network, Out};
///
/// let mut net = Network::new("sums");
/// let (numbers_out, numbers_in) = net.channel::<u32>("numbers");
/// net.process("source", numbers_out, async |numbers: &Out<u32>| {
///     for number in 1..=4 {
///         numbers.send(number).await?;
///     }
///     Ok(())
/// });
/// let sum = net.process_returning("adder", numbers_in, async |numbers: &In<u32>| {
///     let mut sum = 0;
///     while let Some(number) = numbers.next().await? {
///         sum += number;
///     }
///     Ok(sum)
/// });
/// net.run()?;
/// assert_eq!(sum.take()?, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a network does nothing until it is run"]
pub struct Network {
    registry: Arc<Registry>,
    /// What comes before a name that is given now: the sub-networks that are being built.
    prefix: String,
    names: Names,
    processes: Declared,
    threads: Vec<Unstarted>,
    on_deadlock: OnDeadlock,
}

/// What a name was given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Named {
    Process,
    Channel,
}

/// How often each name was given, by its hash: there may be millions. Should two have the same, one gets a number that
/// it does not need.
#[derive(Default)]
struct Names(HashMap<u64, u32>);

impl Names {
    /// Gives a name; how often it was given by now.
    fn given(&mut self, what: Named, name: &str) -> u32 {
        let hash = self.0.hasher().hash_one((what, name));
        let times = self.0.entry(hash).or_default();
        *times += 1;
        *times
    }
}

/// Processes that were declared and do not run yet.
struct Declared {
    registry: Arc<Registry>,
    tasks: Vec<TaskRef>,
}

impl Declared {
    fn begin(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.begin();
        }
    }
}

impl Drop for Declared {
    /// What does not run is dropped; by itself it would not be, for its ports know the registry that knows it.
    fn drop(&mut self) {
        self.registry.abandon();
        for task in self.tasks.drain(..) {
            // SAFETY: the executor's hold, for nobody has run it.
            let executors = unsafe { TaskRef::from_raw(task.as_ptr()) };
            retire(&self.registry, executors);
        }
    }
}

impl Network {
    /// A network without processes.
    pub fn new(name: &str) -> Self {
        let registry = Arc::new(Registry::new(name));
        Self {
            processes: Declared {
                registry: Arc::clone(&registry),
                tasks: Vec::new(),
            },
            registry,
            prefix: String::new(),
            names: Names::default(),
            threads: Vec::new(),
            on_deadlock: OnDeadlock::Return,
        }
    }

    /// Makes a channel without a buffer: the right to send on it, and the right to receive.
    ///
    /// Both are *tokens*, which do nothing until a process is given them. For several senders or receivers share them
    /// ([`OutToken::share`], [`InToken::share`]). A side whose token no process is given is closed from the beginning.
    ///
    /// Reports tell channels apart by their names: the second of the same name is called `name (2)`.
    #[must_use = "a channel of which nobody has an end is none"]
    pub fn channel<T: Send + 'static>(&mut self, name: &str) -> (OutToken<T>, InToken<T>) {
        let name = self.name(Named::Channel, name);
        ports::tokens(&self.registry, &name)
    }

    /// The right to adopt ends and to start processes, for a process that is given it; see [`Here`](super::Here).
    #[must_use]
    pub fn here(&self) -> HereToken {
        HereToken(())
    }

    /// Adds a process: `process` is called with its ports once the network runs, and what it returns is polled by the
    /// network's scheduler.
    ///
    /// The process borrows its ports, so none can leave it. If it returns an error, or panics, it has failed: it
    /// poisons the channels that it holds ends of, and the run says so at its end. That the other side of a channel is
    /// gone is such an error too, unless the process says that it is its [end](super::OrEnd).
    ///
    /// Reports tell processes apart by their names: the second of the same name is called `name (2)`.
    ///
    /// # Panics
    ///
    /// If a port belongs to another network.
    pub fn process<P, F>(&mut self, name: impl fmt::Display, ports: P, process: F)
    where
        P: Ports,
        F: for<'a> Process<'a, P::Async> + 'static,
    {
        self.add(name, ports, process, Nothing);
    }

    /// Adds a process whose result is wanted: what it returns is in the [`Outcome`] once it has ended. Otherwise as
    /// [`process`](Self::process).
    ///
    /// ```
    /// use handover::process::{In, Network, Out};
    ///
    /// let mut net = Network::new("sums");
    /// let (numbers_out, numbers_in) = net.channel::<u64>("numbers");
    /// net.process("source", numbers_out, async |numbers: &Out<u64>| {
    ///     for number in 1..=4 {
    ///         numbers.send(number).await?;
    ///     }
    ///     Ok(())
    /// });
    /// let sum = net.process_returning("sum", numbers_in, async |numbers: &In<u64>| {
    ///     let mut sum = 0;
    ///     while let Some(number) = numbers.next().await? {
    ///         sum += number;
    ///     }
    ///     Ok(sum)
    /// });
    /// net.run()?;
    /// assert_eq!(sum.take()?, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If a port belongs to another network.
    pub fn process_returning<P, R, F>(
        &mut self,
        name: impl fmt::Display,
        ports: P,
        process: F,
    ) -> Outcome<R>
    where
        P: Ports,
        R: Send + 'static,
        F: for<'a> Process<'a, P::Async, R> + 'static,
    {
        let (keeper, outcome) = outcome::place();
        self.add(name, ports, process, keeper);
        outcome
    }

    fn add<P, R, F>(&mut self, name: impl fmt::Display, ports: P, process: F, keeper: impl Keep<R>)
    where
        P: Ports,
        R: Send + 'static,
        F: for<'a> Process<'a, P::Async, R> + 'static,
    {
        let name = self.name(Named::Process, name);
        let home = Arc::clone(&self.registry.home);
        let body = Body::new(&self.registry, home, &name, ports, process, keeper);
        let tasks = &mut self.processes.tasks;
        tasks.extend(body.map(Body::into_task));
    }

    /// Adds a process that blocks: it gets a thread of its own, and ports whose operations block.
    ///
    /// Otherwise as [`process`](Self::process). The run waits for it to end; when a deadlock ends the run, its
    /// channels are poisoned, and it is waited for nevertheless.
    ///
    /// # Panics
    ///
    /// If a port belongs to another network.
    pub fn thread<P, F>(&mut self, name: impl fmt::Display, ports: P, process: F)
    where
        P: Ports,
        F: FnOnce(&P::Blocking) -> ProcessResult + Send + 'static,
    {
        let name = self.name(Named::Process, name);
        let thread = threads::unstarted(&self.registry, name, ports, process, Nothing);
        self.threads.push(thread);
    }

    /// Adds a process that blocks, and whose result is wanted: what it returns is in the [`Outcome`] once it has ended.
    /// Otherwise as [`thread`](Self::thread).
    ///
    /// ```
    /// use handover::process::{BlockingIn, Network, Out};
    ///
    /// let mut net = Network::new("words");
    /// let (words_out, words_in) = net.channel::<&str>("words");
    /// net.process("source", words_out, async |words: &Out<&'static str>| {
    ///     words.send("from hand").await?;
    ///     words.send("to hand").await?;
    ///     Ok(())
    /// });
    /// let text = net.thread_returning("text", words_in, |words: &BlockingIn<&'static str>| {
    ///     let mut text = Vec::new();
    ///     while let Some(word) = words.next()? {
    ///         text.push(word);
    ///     }
    ///     Ok(text.join(" "))
    /// });
    /// net.run()?;
    /// assert_eq!(text.take()?, "from hand to hand");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If a port belongs to another network.
    pub fn thread_returning<P, R, F>(
        &mut self,
        name: impl fmt::Display,
        ports: P,
        process: F,
    ) -> Outcome<R>
    where
        P: Ports,
        R: Send + 'static,
        F: FnOnce(&P::Blocking) -> ProcessResult<R> + Send + 'static,
    {
        let (keeper, outcome) = outcome::place();
        let name = self.name(Named::Process, name);
        let thread = threads::unstarted(&self.registry, name, ports, process, keeper);
        self.threads.push(thread);
        outcome
    }

    /// Adds a process that an executor of the caller's polls, so that its waits are visible: spawn what is returned
    /// there. It begins when the network runs.
    ///
    /// # Panics
    ///
    /// If a port belongs to another network.
    pub fn attach<P, F>(&mut self, name: impl fmt::Display, ports: P, process: F) -> Attached
    where
        P: Ports,
        F: for<'a> Process<'a, P::Async> + 'static,
    {
        self.attach_returning(name, ports, process)
    }

    /// As [`attach`](Self::attach), of a process that returns something: whoever awaits it gets that.
    ///
    /// # Panics
    ///
    /// If a port belongs to another network.
    pub fn attach_returning<P, R, F>(
        &mut self,
        name: impl fmt::Display,
        ports: P,
        process: F,
    ) -> Attached<R>
    where
        P: Ports,
        R: 'static,
        F: for<'a> Process<'a, P::Async, R> + 'static,
    {
        let name = self.name(Named::Process, name);
        Attached::new(&self.registry, &name, ports, process)
    }

    /// Builds a part of the network, whose channels and processes have `name` and a slash before their names.
    pub fn network<R>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.prefix.len();
        self.prefix.push_str(name);
        self.prefix.push('/');
        let result = build(self);
        self.prefix.truncate(length);
        result
    }

    /// Says what follows when some processes are deadlocked while others still run. The default is
    /// [`OnDeadlock::Return`]. When no process can go on the run ends in any case, but for [`OnDeadlock::Ignore`].
    pub fn on_deadlock(&mut self, policy: OnDeadlock) -> &mut Self {
        self.on_deadlock = policy;
        self
    }

    /// A look into the network, from any thread and at any time.
    #[must_use]
    pub fn observe(&self) -> Observer {
        Observer::new(Arc::clone(&self.registry))
    }

    /// The full name of what is called `name` in this part of the network. One that is taken already gets a number.
    fn name(&mut self, what: Named, name: impl fmt::Display) -> String {
        let name = format!("{}{name}", self.prefix);
        let first = self.names.given(what, &name);
        if first == 1 {
            return name;
        }
        let numbered = (first..).map(|number| format!("{name} ({number})"));
        let mut free = numbered.skip_while(|numbered| self.names.given(what, numbered) > 1);
        free.next().unwrap_or(name)
    }

    /// Runs the network on this thread until all its processes have ended. Blocks.
    ///
    /// # Errors
    ///
    /// [`RunError::Deadlock`] when processes wait for each other and nobody else can release them, with the cycle in it:
    /// within 100 ms, unless there are so many processes that looking that often would take more than a fiftieth of a
    /// processor. [`RunError::Failed`] or [`RunError::Panicked`] for the first process that failed, after all
    /// have ended.
    ///
    /// # Panics
    ///
    /// If a thread of the network cannot be started.
    pub fn run(self) -> Result<(), RunError> {
        let run = self.begin(None);
        let mut run = pin!(run);
        match drive(run.as_mut(), None) {
            Some(result) => result,
            None => unreachable!("there is no deadline"),
        }
    }

    /// Runs the network in the task that polls what is returned, until all its processes have ended: so it can await
    /// sockets and timers of that task's runtime, with no hop between threads.
    ///
    /// A poll takes some ten microseconds at most, if no process computes for long. Dropping the future ends all
    /// processes where they are.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// If a thread of the network cannot be started.
    pub fn run_async(self) -> impl Future<Output = Result<(), RunError>> + Send {
        self.begin(Some(TURNS_A_POLL))
    }

    /// Runs the network on `threads` threads, of which this one is one, until all its processes have ended. Blocks.
    ///
    /// A process runs on one of them at a time, and may change between them. Processes that are connected by channels
    /// are run together: by one thread at a time, and as fast as [`run`](Self::run) runs them, while other threads run
    /// others. Where that would leave a thread without work it is not done, and each process is run by any thread: of
    /// those that are connected, when they are more than a thread's share of all, when one of them has a
    /// [`Here`](super::Here) and may start others, or when there are fewer such groups than threads.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// If `threads` is zero, or a thread cannot be started.
    pub fn run_threads(self, threads: usize) -> Result<(), RunError> {
        assert!(threads > 0, "a network runs on one thread at least");
        let Self {
            registry,
            processes,
            threads: blocking,
            on_deadlock,
            names,
            ..
        } = self;
        drop(names);
        // First, for an attached process begins at once, and may start others.
        registry.home.share();
        registry.part(threads);
        registry.begin();
        let watch = Watch::new(Arc::clone(&registry), on_deadlock);
        processes.begin();
        let _watching = watch.start();
        let blocking = Threads::start(&registry, blocking);
        workers::run(&registry, &watch, threads);
        let joined = drive(pin!(blocking.join()), None);
        debug_assert!(joined.is_some(), "there is no deadline");
        registry.result()
    }

    pub(super) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    /// The first process that is a thread.
    pub(super) fn first_thread(&self) -> Option<String> {
        self.threads.first().map(|thread| thread.name.clone())
    }

    /// Lets the processes begin, and nobody else; returns what follows when some are deadlocked.
    pub(super) fn begin_processes(self) -> OnDeadlock {
        self.processes.begin();
        self.on_deadlock
    }

    fn begin(self, turns_a_poll: Option<u32>) -> impl Future<Output = Result<(), RunError>> + Send {
        let Self {
            registry,
            processes,
            threads,
            on_deadlock,
            ..
        } = self;
        async move {
            registry.begin();
            let watch = Watch::new(Arc::clone(&registry), on_deadlock);
            let system = Arc::new(System);
            let executor = Executor::new(
                Arc::clone(&registry),
                Arc::clone(&watch),
                system,
                turns_a_poll,
            );
            processes.begin();
            let _watching = watch.start();
            let threads = Threads::start(&registry, threads);
            executor.await;
            threads.join().await;
            registry.result()
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("name", &self.registry.name)
            .finish_non_exhaustive()
    }
}
