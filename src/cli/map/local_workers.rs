//! The workers on this machine: child processes, each the leader of a session of its own.
//!
//! When one ends, whatever is left in its session is killed, and another takes its place.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::ledger::Verdict;
use super::run::Shared;
use crate::cli::endpoint::{LOCAL_KEY, TlsFiles};
use crate::cli::limits;
use crate::cli::processes;

/// What every local worker is started with.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Where the coordinator listens.
    pub address: SocketAddr,
    /// What it wants to be shown. In the environment: other users can read command lines.
    pub token: Option<String>,
    /// The message limit.
    pub limit: usize,
    /// With what the coordinator speaks TLS, and so its own workers too.
    pub tls: Option<TlsFiles>,
}

/// The local workers of a run.
#[derive(Debug)]
pub struct LocalWorkers {
    slots: JoinSet<()>,
}

impl LocalWorkers {
    /// Starts `count` of them.
    pub fn start(run: &Shared, recipe: &Recipe, count: usize) -> Self {
        let mut slots = JoinSet::new();
        let left = Rc::new(Cell::new(count));
        for _ in 0..count {
            let (run, recipe, left) = (Shared::clone(run), recipe.clone(), Rc::clone(&left));
            slots.spawn_local(async move {
                keep_one(&run, &recipe).await;
                left.set(left.get() - 1);
                if left.get() == 0 && !run.listens {
                    run.ledger.end(Verdict::Forsaken);
                }
            });
        }
        Self { slots }
    }

    /// Waits until all have left, which they do when their links end. Those that stay are killed, with what
    /// they run, after `patience`, or when `hurry` completes.
    pub async fn leave(mut self, patience: Duration, hurry: impl Future<Output = ()>) {
        let all = async { while self.slots.join_next().await.is_some() {} };
        tokio::select! {
            () = all => return,
            () = tokio::time::sleep(patience) => {}
            () = hurry => {}
        }
        // Dropped, each slot kills its worker's session.
        self.slots.shutdown().await;
    }
}

/// Keeps one worker running until the run is over, or it is asked to leave.
async fn keep_one(run: &Shared, recipe: &Recipe) {
    let (mut failed_starts, mut vain_deaths) = (0, 0);
    loop {
        let (joined, finished) = (run.ledger.joined(), run.ledger.finished());
        let mut worker = match Worker::start(recipe, &run.local_key) {
            Ok(worker) => worker,
            Err(error) => {
                let reason = format!("a local worker cannot be started: {error}");
                return run.ledger.end(Verdict::Internal(reason));
            }
        };
        let pid = worker.child.id().unwrap_or_default();
        run.roster.started(pid);
        let ended = tokio::select! {
            status = worker.ended() => Some(status),
            () = run.roster.is_condemned(pid) => None,
        };
        let status = if let Some(status) = ended {
            status
        } else {
            worker.kill();
            worker.ended().await
        };
        if run.roster.ended(pid) || run.ledger.is_over() {
            return;
        }
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        let progress = run.ledger.finished() > finished;
        let started = run.ledger.joined() > joined;
        // While the others get units done, a start that fails is no reason to give the job up.
        failed_starts = if started || progress {
            0
        } else {
            failed_starts + 1
        };
        vain_deaths = if progress { 0 } else { vain_deaths + 1 };
        let reason = match () {
            () if failed_starts >= limits::FAILED_STARTS => {
                format!("local workers end before they have joined ({how})")
            }
            // Each of the units may cost as many as it needs to be poisoned.
            () if vain_deaths >= limits::VAIN_DEATHS.max(run.poison_after.saturating_add(1)) => {
                format!("local workers end again and again ({how})")
            }
            () => {
                if !started {
                    tokio::time::sleep(limits::RESTART_PAUSE).await;
                }
                continue;
            }
        };
        return run.ledger.end(Verdict::Internal(reason));
    }
}

/// A worker process. Dropped, it is killed with its session.
struct Worker {
    child: Child,
    session: Option<Pid>,
}

impl Worker {
    fn start(recipe: &Recipe, key: &str) -> io::Result<Self> {
        let mut command = Command::new(own_program()?);
        command
            .arg0("handover")
            .args(["work", "--local", "--connect", &recipe.address.to_string()])
            .args(["--limit", &recipe.limit.to_string()])
            .env(LOCAL_KEY, key)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        for name in TlsFiles::VARIABLES {
            command.env_remove(name);
        }
        match &recipe.tls {
            Some(tls) => command
                .arg("--tls-certificate")
                .arg(&tls.certificate)
                .arg("--tls-key")
                .arg(&tls.key)
                .arg("--tls-authority")
                .arg(&tls.authority),
            // The listener may be on another address than loopback, but then the user has agreed already.
            None => command.arg("--insecure-plain-tcp"),
        };
        match &recipe.token {
            Some(token) => command.env("HANDOVER_TOKEN", token),
            None => command.env_remove("HANDOVER_TOKEN"),
        };
        let child = command.spawn()?;
        let session = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        Ok(Self { child, session })
    }

    /// Kills it with its session.
    fn kill(&mut self) {
        if let Some(session) = self.session {
            kill_session(session);
        }
        let _ = self.child.start_kill();
    }

    async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        if let Some(session) = self.session.take() {
            kill_session(session);
        }
        status
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(session) = self.session {
            kill_session(session);
            // It may not have become a session's leader yet.
            let _ = self.child.start_kill();
        }
    }
}

/// Kills all processes of a session, and those that they start meanwhile.
fn kill_session(session: Pid) {
    // A process that forks while it is looked for is found at the next look; killed ones cannot fork.
    for _ in 0..100 {
        if processes::signal_session(session, Signal::KILL) == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// This program, also when its file was replaced meanwhile.
fn own_program() -> io::Result<OsString> {
    if cfg!(target_os = "linux") {
        Ok("/proc/self/exe".into())
    } else {
        std::env::current_exe().map(Into::into)
    }
}
