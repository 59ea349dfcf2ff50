//! One process of the command, in a process group of its own, and how it is ended.

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::hold::Hold;
use super::reports::{self, ReportPipe};
use crate::cli::endpoint::LOCAL_KEY;
use crate::cli::limits;
use crate::cli::message::Outcome;
use crate::cli::processes;

/// A process of the command. Dropped before [`CommandChild::wait`] gave its status, it is killed with its group.
#[derive(Debug)]
pub struct CommandChild {
    child: Child,
    /// Has the process's group while the process may run.
    hold: Rc<Hold>,
}

/// The near ends of a process's standard streams.
#[derive(Debug)]
pub struct Streams {
    /// Its standard input, if it has one.
    pub stdin: Option<ChildStdin>,
    /// Its standard output.
    pub stdout: ChildStdout,
    /// Its standard error.
    pub stderr: ChildStderr,
    /// What it reports.
    pub reports: ReportPipe,
}

impl CommandChild {
    /// Starts `words`; its standard input is empty unless `with_stdin`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(
        words: &[OsString],
        number: u64,
        with_stdin: bool,
        hold: &Rc<Hold>,
    ) -> io::Result<(Self, Streams)> {
        let [program, arguments @ ..] = words else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let (reports, far_end) = reports::pipe()?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(if with_stdin {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("HANDOVER_UNIT", number.to_string())
            // What lets a worker in is not the command's business.
            .env_remove("HANDOVER_TOKEN")
            .env_remove(LOCAL_KEY)
            .process_group(0);
        reports::inherit(&mut command, far_end);
        processes::die_with_starter(&mut command);
        let child = command.spawn()?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        hold.set_group(group);
        let hold = Rc::clone(hold);
        let mut this = Self { child, hold };
        let (stdout, stderr) = (this.child.stdout.take(), this.child.stderr.take());
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let streams = Streams {
            stdin: this.child.stdin.take(),
            stdout,
            stderr,
            reports,
        };
        Ok((this, streams))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What the system says.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.hold.set_group(None);
        Ok(status)
    }

    /// Ends the whole group: TERM, and KILL for what is left after a while.
    pub async fn end(mut self) {
        let Some(group) = self.hold.group() else {
            return;
        };
        processes::signal_group(group, Signal::TERM);
        // One that is paused hears it only when it goes on.
        processes::signal_group(group, Signal::CONT);
        let _ = tokio::time::timeout(limits::GRACE, self.child.wait()).await;
        // Also when the command itself obeyed: its children may not have.
        processes::signal_group(group, Signal::KILL);
        // And also those of them that made groups of their own, where they can be told from others.
        processes::kill_session_mates();
        let _ = self.child.wait().await;
        self.hold.set_group(None);
    }
}

impl Drop for CommandChild {
    fn drop(&mut self) {
        if let Some(group) = self.hold.group() {
            processes::signal_group(group, Signal::KILL);
            self.hold.set_group(None);
        }
    }
}

/// How a unit ended whose command ended so.
pub fn outcome(status: ExitStatus) -> Outcome {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Outcome::Exited(code),
        (None, Some(signal)) => Outcome::Signalled(signal),
        (None, None) => Outcome::failed("its command ended in a way that has no name"),
    }
}
