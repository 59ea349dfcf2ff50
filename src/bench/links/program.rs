//! The programs, and all contenders of a row interleaved round by round.

use std::{
    io::Read,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{
    contenders::{Contender, Failure, Means},
    library::Library,
    record::Record,
    row::{Order, Row},
};
use crate::bench::{measure::fitting_count, network::output};

/// The variable in which a program finds the folder of its certificates.
const CERTIFICATES: &str = "HANDOVER_BENCH_CERTIFICATES";

/// The workers of a run, which are copies of this program. Those that have not ended when it is dropped are ended.
pub(super) struct Workers(Vec<Child>);

impl Workers {
    /// Starts as many as the row needs.
    pub(super) fn start(
        contender: &Contender,
        order: &Order,
        address: SocketAddr,
    ) -> std::io::Result<Self> {
        let mut workers = Self(Vec::new());
        for _ in 0..order.row.workers() {
            let worker = Command::new(std::env::current_exe()?)
                .args([Programs::WORKER, contender.name, order.row.name()])
                .args([order.count.to_string(), address.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()?;
            workers.0.push(worker);
        }
        Ok(workers)
    }

    /// Waits for the workers, whose connections have ended, and checks that they have taken `count` units in all.
    pub(super) fn have_taken(mut self, count: u64) -> Result<(), Failure> {
        let mut taken = 0;
        for worker in &mut self.0 {
            let mut said = String::new();
            let mut stdout = worker.stdout.take().ok_or("a worker has no output")?;
            stdout.read_to_string(&mut said)?;
            taken += said.trim().parse::<u64>()?;
        }
        if taken == count {
            Ok(())
        } else {
            Err(format!("the workers have taken {taken} units of {count}").into())
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            // It may have ended; then there is nothing to end.
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// Where the programs are.
#[derive(Debug)]
pub struct Programs {
    /// The one that, called with [`Programs::ONE`], a contender, a row and a count, measures and prints a [`Record`].
    pub here: PathBuf,
    /// Those of the libraries, called with a row and a count.
    pub libraries: Vec<Library>,
    /// The folder with `peer.pem`, `peer.key` and `authority.pem`.
    pub certificates: PathBuf,
    /// The longest that a run may take.
    pub limit: Duration,
}

/// A run that gave no figure.
#[derive(Debug, thiserror::Error)]
#[error("{contender} in {} ({} times): {reason}", order.row.name(), order.count)]
pub struct RunError {
    /// Who.
    pub contender: &'static str,
    /// In what.
    pub order: Order,
    /// Why.
    pub reason: String,
}

impl Programs {
    /// Tells the program to measure one run.
    pub const ONE: &'static str = "--one";

    /// Tells the program to be a worker: with a contender, a row, a count and the address of who measures.
    pub const WORKER: &'static str = "--worker";

    /// Where a program that plays a side finds the certificates of a contender that needs some.
    #[must_use]
    pub fn certificates_here(contender: &Contender) -> Option<PathBuf> {
        let folder = std::env::var_os(CERTIFICATES).map(PathBuf::from);
        folder.filter(|_| matches!(contender.means, Means::Tls(_)))
    }

    /// Whether what the contender needs is there.
    #[must_use]
    pub fn can_run(&self, contender: &Contender) -> bool {
        let here = |name| self.libraries.iter().any(|library| library.name == name);
        contender.library().is_none_or(here)
    }

    fn run(&self, contender: &Contender, order: &Order) -> Result<Record, RunError> {
        let failed = |reason: String| RunError {
            contender: contender.name,
            order: *order,
            reason,
        };
        let mut library = self.libraries.iter();
        let library = library.find(|library| Some(library.name) == contender.library());
        let mut command = if let Some(library) = library {
            Command::new(&library.program)
        } else {
            let mut command = Command::new(&self.here);
            command
                .args([Self::ONE, contender.name])
                .env(CERTIFICATES, &self.certificates);
            command
        };
        command.args([order.row.name(), &order.count.to_string()]);
        let line = output(&mut command, self.limit).map_err(failed)?;
        let record: Record = serde_json::from_str(&line)
            .map_err(|error| failed(format!("its line cannot be read: {error}: {line}")))?;
        if !record.answers(contender.name, order) {
            return Err(failed(format!("its line is of something else: {line}")));
        }
        Ok(record)
    }
}

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How often each contender runs, besides the runs that find out how much fits into the time.
    pub rounds: usize,
    /// About how long one run takes, beside its preparation.
    pub run: Duration,
    /// How many idle connections there are.
    pub connections: u64,
}

/// What came of a row: everybody who took part, with a record for each round.
#[derive(Debug, Clone)]
pub struct RowResult {
    /// Which.
    pub row: Row,
    /// In the order of [`contenders`](super::contenders()).
    pub contenders: Vec<(Contender, Vec<Record>)>,
}

/// Measures everybody of `contenders` who takes part in `row`. In each round everybody runs once, and each round begins
/// with another one. Blocks for about `rounds × contenders × run`, and some seconds for each of [`Row::Idle`].
///
/// # Errors
///
/// If a run fails.
pub fn measure(
    row: Row,
    contenders: &[Contender],
    plan: &Plan,
    programs: &Programs,
) -> Result<RowResult, RunError> {
    let takes_part = |one: &&Contender| one.rows.contains(&row) && programs.can_run(one);
    let mut parties: Vec<(Contender, Order, Vec<Record>)> = Vec::new();
    for contender in contenders.iter().filter(takes_part) {
        let order = |count| Order { row, count };
        let count = match row {
            Row::Idle => plan.connections,
            _ => fitting_count(plan.run, |count| {
                let record = programs.run(contender, &order(count))?;
                Ok(Duration::from_nanos(count).mul_f64(record.ns_per))
            })?,
        };
        parties.push((*contender, order(count), Vec::with_capacity(plan.rounds)));
    }
    // Memory does not depend on what else the machine does.
    let rounds = if row == Row::Idle { 1 } else { plan.rounds };
    let count = parties.len();
    for round in 0..rounds {
        for turn in 0..count {
            let (contender, order, records) = &mut parties[(round + turn) % count];
            records.push(programs.run(contender, order)?);
        }
    }
    let contenders = parties
        .into_iter()
        .map(|(contender, _, records)| (contender, records));
    Ok(RowResult {
        row,
        contenders: contenders.collect(),
    })
}
