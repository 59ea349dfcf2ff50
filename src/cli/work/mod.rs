//! `handover work`: joins a job, waits for units, works on one at a time, keeps each result until it is taken.
//!
//! # Invariants
//! - The worker waits for a unit only when it runs nothing and keeps at most `ahead` results.
//! - With `keep_order` it offers only its lowest unit's result, and waits on the rescue channel whenever it
//!   runs nothing, so that a lost unit always finds somebody, however many results are kept for their turn.
//! - It waits for orders always. Paused, or not heard by its coordinator for half of its lease, it waits for no
//!   unit; not heard for the whole lease, it runs none.

mod child;
mod hold;
mod orders;
mod reports;
mod run;
mod stream;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;

use bytes::Bytes;

use self::hold::Hold;
use self::reports::Reports;
use self::run::Runner;
use super::command;
use super::endpoint;
use super::lease::{self, Lease, Standing};
use super::limits;
use super::message::{self, Job, Malformed, Outcome, ResultMeta, UnitMeta, channels};
use super::options::WorkOptions;
use super::processes;
use super::signals::{self, Signals};
use super::values;
use crate::channel::{Held, RecvError};
use crate::net::{Code, Goodbye, Link, LinkEnd};
use crate::{Receiver, Sender};

/// Runs `handover work`.
pub fn main(options: &WorkOptions) -> ExitCode {
    if options.local {
        processes::lead_a_session();
    }
    let _reserved = reports::reserve_descriptor();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("handover: the runtime cannot start: {error}");
            return ExitCode::from(125);
        }
    };
    let local = tokio::task::LocalSet::new();
    let result = local.block_on(&runtime, join(options));
    match result {
        Ok(sentence) => {
            if !options.quiet && !options.local {
                eprintln!("handover: {sentence}");
            }
            ExitCode::SUCCESS
        }
        Err(failure) => {
            // A local worker whose coordinator is gone has nobody to tell.
            if !(options.local && failure.is_loss) {
                eprintln!("handover: {}", failure.sentence);
            }
            ExitCode::from(failure.status)
        }
    }
}

/// Why a worker could not do its part.
struct Failure {
    sentence: String,
    status: u8,
    /// The coordinator went away.
    is_loss: bool,
}

impl Failure {
    fn usage(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            status: 2,
            is_loss: false,
        }
    }

    fn refused(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            status: 1,
            is_loss: false,
        }
    }
}

async fn join(options: &WorkOptions) -> Result<String, Failure> {
    let mut signals = Signals::new().map_err(|error| Failure {
        sentence: format!("signals cannot be received: {error}"),
        status: 125,
        is_loss: false,
    })?;
    let link = tokio::select! {
        link = endpoint::connect(&options.connect, &options.shared, options.limit, name(options)) => link,
        _ = signals.next() => return Ok("asked to leave before it had joined".into()),
    };
    let link = link.map_err(|error| match error {
        endpoint::ConnectError::Usage(sentence) => Failure::usage(sentence),
        endpoint::ConnectError::Failed(sentence) => Failure {
            sentence,
            status: 1,
            is_loss: true,
        },
    })?;
    let job = tokio::select! {
        job = receive_job(&link, options) => job,
        _ = signals.next() => Err(Failure::refused("asked to leave before it had its job")),
    };
    let job = match job {
        Ok(job) => job,
        Err(failure) => {
            link.close(Goodbye::leaving(&failure.sentence)).await;
            return Err(failure);
        }
    };
    if !options.quiet && !options.local {
        let words: Vec<_> = job
            .command
            .iter()
            .map(|word| endpoint::os_string(word))
            .collect();
        let text = String::from_utf8_lossy(&command::quoted(&words)).into_owned();
        eprintln!(
            "handover: joined {}, running: {}",
            options.connect,
            values::printable(&text)
        );
    }
    let worker =
        Worker::new(link, job, options).map_err(|error| Failure::refused(error.to_string()))?;
    worker.work(&mut signals).await
}

fn name(options: &WorkOptions) -> String {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let place = format!("{host}:{}", std::process::id());
    match std::env::var(endpoint::LOCAL_KEY) {
        Ok(key) if options.local => endpoint::local_name(&key, &place),
        _ => format!("worker {place}"),
    }
}

/// Takes the job and checks that it can be done here.
async fn receive_job(link: &Link, options: &WorkOptions) -> Result<Job, Failure> {
    let jobs = link
        .receiver(channels::JOB)
        .map_err(|error| Failure::refused(error.to_string()))?;
    let bytes = tokio::select! {
        bytes = tokio::time::timeout(limits::HANDSHAKE_TIME, jobs.recv_async()) => bytes,
        end = link.closed() => return Err(lost(&end)),
    };
    let bytes = match bytes {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(lost(&link.closed().await)),
        Err(_) => {
            return Err(Failure::refused(
                "nobody there has a job: is it a `handover map`?",
            ));
        }
    };
    let mut job = message::decode_job(&bytes)
        .map_err(|error| Failure::refused(format!("no job: {error}")))?;
    if job.limit > options.limit as u64 {
        let sentence = format!(
            "the job's limit is {} bytes: join with --limit {}",
            job.limit, job.limit
        );
        return Err(Failure::usage(sentence));
    }
    if !options.command.is_empty() {
        job.command = options
            .command
            .iter()
            .map(|word| endpoint::bytes(word))
            .collect();
    }
    let template = command::Template::new(job.command.iter().map(Vec::as_slice));
    if let Some(program) = template.fixed_program() {
        command::find(program).map_err(|error| Failure::usage(error.to_string()))?;
    }
    Ok(job)
}

fn lost(end: &LinkEnd) -> Failure {
    let sentence = match end {
        LinkEnd::PeerClosed(goodbye) if !goodbye.reason().is_empty() => goodbye.reason().to_owned(),
        end => format!("the job is lost: {end}"),
    };
    Failure {
        sentence,
        status: 1,
        is_loss: true,
    }
}

type Running = Pin<Box<dyn Future<Output = (Box<Runner>, Option<Bytes>)>>>;
type Sending = Pin<Box<dyn Future<Output = bool>>>;

/// A worker that has its job.
struct Worker {
    link: Link,
    job: Rc<Job>,
    /// `None` once it leaves.
    units: Option<Receiver<Bytes>>,
    rescue: Receiver<Bytes>,
    control: Receiver<Bytes>,
    results: Sender<Bytes>,
    hold: Rc<Hold>,
    lease: Rc<Lease>,
    /// As it was looked at last.
    standing: Standing,
    /// Its unit's command was ended since it stands badly.
    cut_off: bool,
    /// What keeps the lease, and what tells of progress.
    beside: tokio::task::JoinSet<()>,
    /// The runner, while it has no unit.
    runner: Option<Box<Runner>>,
    /// The unit that runs.
    running: Option<(u64, Running)>,
    /// Results that wait to be taken, by number.
    kept: BTreeMap<u64, Bytes>,
    /// The result that is offered, one of those kept.
    sending: Option<(u64, Sending)>,
    finished: u64,
    /// Results that came too late.
    refused: u64,
    quiet: bool,
}

/// Whether a result is one, and not a unit that is given back.
fn is_finished(result: Bytes) -> bool {
    message::decode::<ResultMeta>(result, "result")
        .is_ok_and(|(_, meta)| meta.outcome != Outcome::GivenBack)
}

/// What happened next to a worker.
enum Event {
    LinkEnded(LinkEnd),
    /// By a signal to leave: by Ctrl-C when the unit at hand is done, by any other at once.
    Asked(i32),
    Ordered(Result<Held<Bytes>, RecvError>),
    Stands(Standing),
    Sent(bool),
    Ran((Box<Runner>, Option<Bytes>)),
    Unit(Option<Bytes>),
}

impl Worker {
    fn new(link: Link, job: Job, options: &WorkOptions) -> Result<Self, crate::net::NetError> {
        let job = Rc::new(job);
        let hold = Rc::new(Hold::default());
        let pieces = link.sender(channels::PIECES)?;
        let reports = Reports::new(link.sender(channels::REPORTS)?);
        let beats = link.sender(channels::LEASE)?;
        let length = std::time::Duration::from_millis(job.lease_ms);
        let lease = Rc::new(Lease::new(length, !options.local));
        let mut beside = tokio::task::JoinSet::new();
        let (kept, told) = (Rc::clone(&lease), reports.clone());
        beside.spawn_local(async move { lease::keep(beats, &kept).await });
        beside.spawn_local(async move { told.tell_progress().await });
        Ok(Self {
            units: Some(link.receiver(channels::UNITS)?),
            rescue: link.receiver(channels::RESCUE)?,
            control: link.receiver(channels::CONTROL)?,
            results: link.sender(channels::RESULTS)?,
            runner: Some(Box::new(Runner::new(
                Rc::clone(&job),
                pieces,
                reports,
                Rc::clone(&hold),
            ))),
            link,
            job,
            hold,
            standing: lease.standing(),
            lease,
            cut_off: false,
            beside,
            running: None,
            kept: BTreeMap::new(),
            sending: None,
            finished: 0,
            refused: 0,
            quiet: options.quiet || options.local,
        })
    }

    /// Works until the job is done, the link ends, or somebody asks it to leave.
    async fn work(mut self, signals: &mut Signals) -> Result<String, Failure> {
        loop {
            self.offer_a_result();
            if self.units.is_none() && self.runner.is_some() && self.kept.is_empty() {
                return self.leave().await;
            }
            match self.next_event(signals).await {
                Event::LinkEnded(end) => return self.link_ended(end).await,
                Event::Asked(signals::INTERRUPT) if self.units.is_some() => self.leave_when_done(),
                Event::Asked(_) => return self.give_back().await,
                Event::Ordered(Ok(order)) => {
                    if let Some(end) = self.obey(order).await {
                        return end;
                    }
                }
                Event::Stands(standing) => {
                    if let Some(end) = self.stand(standing).await {
                        return end;
                    }
                }
                Event::Sent(true) => {
                    if let Some((number, _)) = self.sending.take() {
                        let result = self.kept.remove(&number);
                        self.finished += u64::from(result.is_some_and(is_finished));
                    }
                }
                Event::Sent(false) => {
                    if let Some(end) = self.end_or_given_up().await {
                        return self.link_ended(end).await;
                    }
                    if let Some((number, _)) = self.sending.take() {
                        self.kept.remove(&number);
                        self.refused += 1;
                    }
                }
                Event::Unit(None) | Event::Ordered(Err(_)) => {
                    if let Some(end) = self.end_or_given_up().await {
                        return self.link_ended(end).await;
                    }
                }
                Event::Ran((runner, result)) => {
                    self.runner = Some(runner);
                    if let (Some((number, _)), Some(result)) = (self.running.take(), result) {
                        self.kept.insert(number, result);
                    }
                }
                Event::Unit(Some(unit)) => self.begin(unit).await?,
            }
        }
    }

    async fn next_event(&mut self, signals: &mut Signals) -> Event {
        // What a worker took that is cut off could be another's already.
        let given_up = self.standing == Standing::GivenUp;
        let takes = self.standing == Standing::Good && !self.hold.is_paused();
        let idle = self.runner.is_some() && takes;
        let ahead = usize::try_from(self.job.ahead).unwrap_or(usize::MAX);
        let wants_unit = idle && self.kept.len() <= ahead && self.units.is_some();
        let Self {
            link,
            sending,
            running,
            rescue,
            control,
            units,
            lease,
            standing,
            ..
        } = self;
        let sent = async {
            match sending {
                Some((_, sending)) => sending.await,
                None => std::future::pending().await,
            }
        };
        let ran = async {
            match running {
                Some((_, running)) => running.await,
                None => std::future::pending().await,
            }
        };
        let unit = async {
            match units {
                Some(units) => units.recv_async().await.ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = signals.next() => Event::Asked(signal),
            ok = sent => Event::Sent(ok),
            done = ran => Event::Ran(done),
            now = lease.changed_from(*standing) => Event::Stands(now),
            order = control.recv_held_async(), if !given_up => Event::Ordered(order),
            unit = rescue.recv_async(), if idle && self.job.keep_order => match unit {
                Ok(unit) => Event::Unit(Some(unit)),
                Err(_) => Event::Unit(None),
            },
            unit = unit, if wants_unit => Event::Unit(unit),
            end = link.closed() => Event::LinkEnded(end),
        }
    }

    /// Offers the lowest result that is kept, if it may go: in order, nothing goes before a unit that runs.
    fn offer_a_result(&mut self) {
        if self.sending.is_some() {
            return;
        }
        let Some((number, result)) = self.kept.first_key_value() else {
            return;
        };
        let runs_earlier = self
            .running
            .as_ref()
            .is_some_and(|(running, _)| running < number);
        if self.job.keep_order && runs_earlier {
            return;
        }
        let (results, result) = (self.results.clone(), result.clone());
        let sending = Box::pin(async move { results.send_async(result).await.is_ok() });
        self.sending = Some((*number, sending));
    }

    async fn begin(&mut self, unit: Bytes) -> Result<(), Failure> {
        let (unit, meta) = match message::decode::<UnitMeta>(unit, "unit") {
            Ok(decoded) => decoded,
            Err(malformed) => return Err(self.reject(&malformed).await),
        };
        let Some(mut runner) = self.runner.take() else {
            return Err(self
                .reject(&Malformed::Bytes("unit that it was asked for"))
                .await);
        };
        let number = meta.number;
        if self.job.keep_order
            && self
                .sending
                .as_ref()
                .is_some_and(|(later, _)| number < *later)
        {
            // The offer of a later result is withdrawn. Its turn cannot have come before this unit's, so
            // nobody has granted it and it has not left.
            self.sending = None;
        }
        self.hold.begin(number);
        let run = async move {
            let result = runner.work(&meta, &unit).await;
            (runner, result)
        };
        self.running = Some((number, Box::pin(run)));
        Ok(())
    }

    async fn reject(&mut self, malformed: &Malformed) -> Failure {
        let sentence = format!("left {}: {malformed}", self.link.peer().name);
        self.link
            .close(Goodbye::new(Code::Violation, &sentence))
            .await;
        self.end_what_runs().await;
        Failure::refused(sentence)
    }

    async fn link_ended(&mut self, end: LinkEnd) -> Result<String, Failure> {
        self.end_what_runs().await;
        match end {
            LinkEnd::PeerClosed(goodbye) if goodbye.code() == Code::Done => {
                Ok(self.farewell("the job is done"))
            }
            end => Err(lost(&end)),
        }
    }

    fn farewell(&self, why: &str) -> String {
        let units = if self.finished == 1 { "unit" } else { "units" };
        format!("{why}; {} {units} finished here", self.finished)
    }

    async fn end_what_runs(&mut self) {
        self.hold.stop();
        self.beside.abort_all();
        if let Some((_, running)) = self.running.take() {
            let (runner, _) = running.await;
            self.runner = Some(runner);
        }
        if let Some(runner) = &mut self.runner {
            runner.finish().await;
        }
        // What commands left in the background ends with the job.
        processes::kill_session_mates();
    }
}
