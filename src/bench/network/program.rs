//! One run in a program of its own.

use std::{
    io::Read,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::{
    contenders::{Contender, Means},
    go::Go,
    record::{Order, Record},
};

/// Does what is ordered.
pub trait Runner {
    /// Runs `contender` once.
    ///
    /// # Errors
    ///
    /// If it does not do what was ordered.
    fn run(&self, contender: &Contender, order: &Order) -> Result<Record, Failed>;
}

/// Runs each contender in a program of its own, and waits for it.
#[derive(Debug)]
pub struct Programs {
    /// The program that, called with [`Programs::ONE`], a contender, a workload, a count and a size, prints a
    /// [`Record`].
    pub here: PathBuf,
    /// Go's.
    pub go: Option<Go>,
    /// The longest that a run may take.
    pub limit: Duration,
}

/// A run that gave no figure.
#[derive(Debug, thiserror::Error)]
#[error("{contender} in {} ({} times, size {}): {reason}", order.workload, order.count, order.size)]
pub struct Failed {
    /// Who.
    pub contender: &'static str,
    /// In what.
    pub order: Order,
    /// Why.
    pub reason: String,
}

impl Programs {
    /// Tells the program that it is to do one run.
    pub const ONE: &'static str = "--one";

    fn command(&self, contender: &Contender, order: &Order) -> Option<Command> {
        let Order {
            workload,
            count,
            size,
        } = order;
        let mut command = match contender.means {
            Means::Here(_) => {
                let mut command = Command::new(&self.here);
                command.args([Self::ONE, contender.name]);
                command
            }
            Means::Go { capacity } => {
                let mut command = Command::new(&self.go.as_ref()?.program);
                command.arg(format!("-capacity={capacity}"));
                command.arg(format!("-threads={}", workload.threads().count()));
                command
            }
        };
        command.args([workload.name(), &count.to_string(), &size.to_string()]);
        Some(command)
    }
}

impl Runner for Programs {
    fn run(&self, contender: &Contender, order: &Order) -> Result<Record, Failed> {
        let failed = |reason: String| Failed {
            contender: contender.name,
            order: *order,
            reason,
        };
        let mut command = self
            .command(contender, order)
            .ok_or_else(|| failed("there is no program of Go's".into()))?;
        let line = output(&mut command, self.limit).map_err(failed)?;
        let record: Record = serde_json::from_str(&line)
            .map_err(|error| failed(format!("its line cannot be read: {error}: {line}")))?;
        if !record.answers(contender.name, order) {
            return Err(failed(format!("its line is of something else: {line}")));
        }
        Ok(record)
    }
}

/// What a program prints that ends well within `limit`; otherwise a sentence. What it complains goes where our own
/// complaints go.
pub(in crate::bench) fn output(command: &mut Command, limit: Duration) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| {
            format!(
                "{} cannot be started: {error}",
                command.get_program().display()
            )
        })?;
    let printed = printed_within(&mut child, limit);
    if printed.is_err() {
        // It may have ended meanwhile; then there is nothing to kill.
        let _ = child.kill();
    }
    let status = child
        .wait()
        .map_err(|error| format!("it was lost: {error}"))?;
    let printed = printed?;
    if status.success() {
        Ok(printed)
    } else {
        Err(format!("it ended with {status}"))
    }
}

fn printed_within(child: &mut Child, limit: Duration) -> Result<String, String> {
    let mut stdout = child.stdout.take().ok_or("it has no output")?;
    let (told, outcome) = mpsc::sync_channel(1);
    let reader = move || {
        let mut text = String::new();
        let read = stdout.read_to_string(&mut text).map(|_| text);
        // Nobody listens any more if the time was up.
        let _ = told.send(read);
    };
    thread::spawn(reader);
    match outcome.recv_timeout(limit) {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(format!("its output cannot be read: {error}")),
        Err(_) => Err(format!("it took longer than {} s", limit.as_secs())),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_a_program_prints_counts_if_it_ends_well() {
        let limit = Duration::from_mins(1);
        assert_eq!(output(&mut shell("echo yes"), limit).unwrap(), "yes\n");
        let complaint = output(&mut shell("echo yes; exit 3"), limit).unwrap_err();
        assert!(complaint.contains('3'), "{complaint}");
        let complaint = output(&mut Command::new("/nowhere/at/all"), limit).unwrap_err();
        assert!(
            complaint.starts_with("/nowhere/at/all cannot be started"),
            "{complaint}"
        );
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let began = Instant::now();
        let complaint =
            output(&mut shell("exec sleep 300"), Duration::from_millis(20)).unwrap_err();
        assert!(complaint.starts_with("it took longer"), "{complaint}");
        assert!(began.elapsed() < Duration::from_secs(200));
    }
}
