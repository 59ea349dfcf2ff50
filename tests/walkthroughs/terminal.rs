//! A terminal: one command at a time, and the lines that have come.

use std::{
    io::{BufRead, BufReader, PipeReader},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// What runs in a terminal.
pub struct Running {
    child: Child,
    lines: Arc<Mutex<Lines>>,
    ended: Option<ExitStatus>,
    /// So many lines of it have been seen.
    pub seen: usize,
}

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    are_all: bool,
}

impl Running {
    /// Starts a command, in a group of processes of its own as a shell would.
    pub fn start(mut command: Command) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .process_group(0)
            .spawn()
            .unwrap();
        // With it goes this process's side of the pipe.
        drop(command);
        let lines = Arc::default();
        let read = Arc::clone(&lines);
        std::thread::spawn(move || read_lines(reader, &read));
        Self {
            child,
            lines,
            ended: None,
            seen: 0,
        }
    }

    /// The line after those that were seen.
    pub fn next_line(&self) -> Option<String> {
        self.lines.lock().unwrap().lines.get(self.seen).cloned()
    }

    /// All lines that came, seen or not.
    pub fn all(&self) -> String {
        self.lines.lock().unwrap().lines.join("\n")
    }

    /// Whether it has ended, and all that it wrote has come. A shell says if it was killed.
    pub fn has_ended(&mut self) -> bool {
        let mut lines = self.lines.lock().unwrap();
        if self.ended.is_none() && lines.are_all {
            self.ended = self.child.try_wait().unwrap();
            if self.ended.is_some_and(|it| it.signal() == Some(9)) {
                lines.lines.push("Killed".to_owned());
            }
        }
        self.ended.is_some()
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }
}

fn read_lines(reader: PipeReader, into: &Mutex<Lines>) {
    for line in BufReader::new(reader).lines().map_while(Result::ok) {
        into.lock().unwrap().lines.push(line);
    }
    into.lock().unwrap().are_all = true;
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once it was waited for, its number may be another's.
        if self.ended.is_none() {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
