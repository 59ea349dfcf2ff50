//! One process of the command, in a process group of its own, and how it is ended.

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::cli::limits;
use crate::cli::message::Outcome;
use crate::cli::processes;

/// A process of the command. Dropped before [`CommandChild::wait`] gave its status, it is killed with its group.
#[derive(Debug)]
pub struct CommandChild {
    child: Child,
    /// Set while the process may run.
    group: Option<Pid>,
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
}

impl CommandChild {
    /// Starts `words`; its standard input is empty unless `with_stdin`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(words: &[OsString], number: u64, with_stdin: bool) -> io::Result<(Self, Streams)> {
        let [program, arguments @ ..] = words else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
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
            .process_group(0);
        processes::die_with_starter(&mut command);
        let mut child = command.spawn()?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let streams = Streams {
            stdin: child.stdin.take(),
            stdout,
            stderr,
        };
        Ok((Self { child, group }, streams))
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
        self.group = None;
        Ok(status)
    }

    /// Ends the whole group: TERM, and KILL for what is left after a while.
    pub async fn end(mut self) {
        let Some(group) = self.group else { return };
        processes::signal_group(group, Signal::TERM);
        let _ = tokio::time::timeout(limits::GRACE, self.child.wait()).await;
        // Also when the command itself obeyed: its children may not have.
        processes::signal_group(group, Signal::KILL);
        // And also those of them that made groups of their own, where they can be told from others.
        processes::kill_session_mates();
        let _ = self.child.wait().await;
        self.group = None;
    }
}

impl Drop for CommandChild {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            processes::signal_group(group, Signal::KILL);
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
