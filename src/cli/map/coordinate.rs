//! A run from its start to its end: sets everything up, waits for the verdict, takes everything down.

use std::io;
use std::rc::Rc;
use std::thread::JoinHandle;

use tokio::task::JoinSet;

use super::console::{self, Say, Style};
use super::event::Event;
use super::input::Producer;
use super::joblog::JobLog;
use super::ledger::{Ledger, Verdict};
use super::listen::{self, Admits};
use super::local_workers::{LocalWorkers, Recipe};
use super::output::Destinations;
use super::plan::{Plan, Trouble, internal};
use super::results::Results;
use super::roster::Roster;
use super::run::{Handover, Run, Shared};
use super::watch::{self, Watch};
use crate::cli::endpoint;
use crate::cli::limits;
use crate::cli::message;
use crate::cli::options::MapOptions;
use crate::cli::signals::Signals;
use crate::cli::standard::Standard;
use crate::cli::units::Units;
use crate::net::Listener;

/// Runs a plan and gives the exit status.
///
/// # Errors
/// If it could not be started.
pub fn execute(plan: &Plan<'_>) -> Result<u8, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(internal("no runtime"))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = listen(plan).await?;
        let control = listen_for_control(plan).await?;
        Setup::new(plan)?.coordinate(plan, listener, control).await
    })
}

/// The parts of a run, made and not yet at work.
struct Setup {
    run: Shared,
    watch: Watch,
    watch_every: Option<std::time::Duration>,
    input_end: crate::Receiver<super::input::InputEnd>,
    output: JoinHandle<io::Result<()>>,
    console: JoinHandle<()>,
}

impl Setup {
    fn new(plan: &Plan<'_>) -> Result<Self, Trouble> {
        let options = plan.options;
        let lines = options.progress_every.is_some();
        let style = Style::choose(options.json, options.no_progress, lines);
        let watch_every = match style {
            _ if options.progress_every.is_some() => options.progress_every,
            Style::Plain | Style::Lines => None,
            Style::Live(_) => Some(limits::DRAW_TIME),
            Style::Json => Some(limits::PROGRESS_EVENT_TIME),
        };
        let destinations = destinations(options, &style)?;
        let wants_empty_results = destinations.wants_empty_results();
        let log_template = destinations.log.is_some().then(|| plan.template.clone());
        let (console, console_thread) = console::start(style).map_err(internal("no thread"))?;
        let (output, output_thread) = destinations
            .start()
            .map_err(internal("standard output cannot be written"))?;
        let stdin = Standard::input().map_err(internal("standard input cannot be read"))?;
        let units = Units::new(stdin, plan.splitting, options.limit);
        let producer = Producer::start(units).map_err(internal("no thread"))?;
        let run: Shared = Rc::new(Run {
            ledger: Ledger::new(options.keep_order, options.halt),
            roster: Roster::default(),
            lease: options.lease,
            poison_after: options.poison_after,
            local_key: endpoint::local_key().map_err(internal("no random numbers"))?,
            listens: options.listen.is_some(),
            job: message::encode_job(&plan.job),
            keep_order: options.keep_order,
            hand_most: usize::try_from(options.ahead)
                .unwrap_or(usize::MAX)
                .saturating_add(2),
            to_files: plan.job.to_files,
            tells_each: options.json,
            units: producer.units,
            lost: Handover::default(),
            urgent: Handover::default(),
            output,
            wants_empty_results,
            console,
            log_template,
        });
        let watch = Watch::new(Shared::clone(&run), producer.wait);
        Ok(Self {
            run,
            watch,
            watch_every,
            input_end: producer.end,
            output: output_thread,
            console: console_thread,
        })
    }

    async fn coordinate(
        mut self,
        plan: &Plan<'_>,
        listener: Listener,
        control: Option<Listener>,
    ) -> Result<u8, Trouble> {
        let mut signals = Signals::new().map_err(internal("signals cannot be received"))?;
        let address = listener
            .local_addr()
            .map_err(internal("the listener has no address"))?;
        let run = Shared::clone(&self.run);
        if plan.options.listen.is_some() {
            let tls = plan.tls.is_some();
            run.tell(Event::Listening { address, tls }).await;
        }
        let recipe = Recipe {
            address,
            token: plan.token.clone(),
            limit: plan.options.limit,
            tls: plan.tls.clone(),
        };
        let mut links = JoinSet::new();
        links.spawn_local(listen::serve(Shared::clone(&run), listener, Admits::All));
        if let Some(control) = control {
            let address = control
                .local_addr()
                .map_err(internal("the listener has no address"))?;
            run.tell(Event::Controllable(address)).await;
            let serve = listen::serve(Shared::clone(&run), control, Admits::Controllers);
            links.spawn_local(serve);
        }
        let workers = LocalWorkers::start(&run, &recipe, plan.workers);
        let input =
            tokio::task::spawn_local(watch::input_ends(Shared::clone(&run), self.input_end));
        let verdict = tokio::select! {
            verdict = run.ledger.over() => verdict,
            signal = signals.next() => {
                run.ledger.end(Verdict::Signal(signal));
                run.ledger.over().await
            }
            () = async {
                match self.watch_every {
                    Some(every) => self.watch.tell(every).await,
                    None => std::future::pending().await,
                }
            } => unreachable!("it ends never"),
        };
        // Every link is told, so every worker ends what it runs, and leaves; a second signal does not wait for it.
        let told = async {
            let all = async { while links.join_next().await.is_some() {} };
            drop(tokio::time::timeout(limits::LEAVE_TIME, all).await);
        };
        let hurry = async {
            signals.next().await;
        };
        tokio::join!(told, workers.leave(limits::LEAVE_TIME, hurry));
        input.abort();
        let input_failed = matches!(input.await, Ok(true));
        let _ = run
            .console
            .send_async(Say::Progress(self.watch.last()))
            .await;
        let status = conclude(&run, &verdict, input_failed, self.output).await;
        let _ = run.console.send_async(Say::End).await;
        let _ = self.console.join();
        Ok(status)
    }
}

async fn listen(plan: &Plan<'_>) -> Result<Listener, Trouble> {
    let config = endpoint::config(
        "handover map".into(),
        plan.token.as_deref(),
        plan.options.limit,
        // Its own workers alone need no more than the token.
        plan.options
            .listen
            .is_some()
            .then_some(&plan.options.shared),
    )
    .map_err(Trouble::Usage)?;
    let admits_own = match (&config.tls, &config.expected_peer) {
        (Some(tls), Some(expected)) => tls.identity().is_for(expected),
        _ => true,
    };
    if plan.workers > 0 && !admits_own {
        return Err(Trouble::Usage(
            "--tls-peer does not admit this program's own certificate, which its local workers show: leave -j out, \
             or --tls-peer"
                .into(),
        ));
    }
    let name = plan.options.listen.as_deref().unwrap_or("127.0.0.1");
    Listener::bind(plan.addresses.as_slice(), config)
        .await
        .map_err(|error| Trouble::Usage(format!("cannot listen at {name}: {error}")))
}

async fn listen_for_control(plan: &Plan<'_>) -> Result<Option<Listener>, Trouble> {
    let Some(addresses) = &plan.control else {
        return Ok(None);
    };
    // Not the token by which the workers of a run that does not listen are known: nobody else can know that.
    let token = plan.options.shared.token.as_deref();
    let config = endpoint::config(
        "handover map".into(),
        token,
        plan.options.limit,
        Some(&plan.options.shared),
    )
    .map_err(Trouble::Usage)?;
    let name = plan.options.control.as_deref().unwrap_or_default();
    match Listener::bind(addresses.as_slice(), config).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => Err(Trouble::Usage(format!(
            "cannot be controlled at {name}: {error}"
        ))),
    }
}

fn destinations(options: &MapOptions, style: &Style) -> Result<Destinations, Trouble> {
    let wrong = |what: &str, path: &std::path::Path, error: io::Error| {
        Trouble::Usage(format!("{what} {} cannot be used: {error}", path.display()))
    };
    let results = options.results.as_deref();
    let results = results
        .map(|path| Results::create(path).map_err(|error| wrong("--results", path, error)))
        .transpose()?;
    let log = options.joblog.as_deref();
    let log = log
        .map(|path| JobLog::create(path).map_err(|error| wrong("--joblog", path, error)))
        .transpose()?;
    Ok(Destinations {
        results,
        log,
        bar: style.bar().cloned(),
    })
}

/// The exit status where units are poisoned.
const POISONED_STATUS: u8 = 3;

/// Ends the run's accounts and gives the exit status.
async fn conclude(
    run: &Run,
    verdict: &Verdict,
    input_failed: bool,
    output: JoinHandle<io::Result<()>>,
) -> u8 {
    let (failed, failures) = run.ledger.failures();
    let (cut_short, status) = match verdict {
        Verdict::Finished if input_failed => (None, 125),
        Verdict::Finished if run.ledger.is_halting() => {
            (Some("stopped soon after a failure".to_owned()), 1)
        }
        Verdict::Finished => (None, u8::from(failed > 0)),
        Verdict::Forsaken => (
            Some("stopped: all workers were asked to leave".to_owned()),
            1,
        ),
        Verdict::Halted => (Some("stopped at once after a failure".to_owned()), 1),
        Verdict::Signal(signal) => (
            Some("interrupted".to_owned()),
            u8::try_from(128 + signal).unwrap_or(125),
        ),
        Verdict::Internal(reason) => (Some(reason.clone()), 125),
        Verdict::OutputClosed => match output.join() {
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => return 141,
            Ok(Err(error)) => (Some(format!("results cannot be written: {error}")), 125),
            _ => (Some("results cannot be written".to_owned()), 125),
        },
    };
    let poisoned = run.ledger.poisoned();
    let status = match (status, poisoned.0) {
        (1, 1..) => POISONED_STATUS,
        _ => status,
    };
    let now = run.ledger.snapshot();
    let summary = Event::Summary {
        finished: now.finished,
        failed,
        failures,
        poisoned,
        late: run.roster.late(),
        cut_short,
        time: now.elapsed,
    };
    run.tell(summary).await;
    status
}
