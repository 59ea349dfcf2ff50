//! A terminal: one command at a time, and the lines that have come on its two outputs. Between these there is no order.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// What runs in a terminal.
pub struct Running {
    child: Child,
    outputs: [Arc<Mutex<Output>>; 2],
    ended: Option<ExitStatus>,
}

/// What came on one output.
#[derive(Default)]
struct Output {
    lines: Vec<String>,
    are_all: bool,
    /// So many of the lines have been seen.
    seen: usize,
}

impl Running {
    /// Starts a command, in a group of processes of its own as a shell would.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self {
            child,
            outputs: [gather(stdout), gather(stderr)],
            ended: None,
        }
    }

    /// Sees the next line of either output for which `is_it` holds. `None` if neither is it now.
    pub fn see(&self, mut is_it: impl FnMut(&str) -> bool) -> Option<()> {
        self.outputs.iter().find_map(|output| {
            let mut output = output.lock().unwrap();
            let line = output.lines.get(output.seen)?;
            is_it(line).then(|| output.seen += 1)
        })
    }

    /// The lines that came and were not seen.
    pub fn unseen(&self) -> Vec<String> {
        let each = self.outputs.iter().flat_map(|output| {
            let output = output.lock().unwrap();
            output.lines[output.seen..].to_vec()
        });
        each.collect()
    }

    /// All lines that came, seen or not.
    pub fn all(&self) -> String {
        let each = self.outputs.iter().map(|output| output.lock().unwrap());
        each.map(|output| output.lines.join("\n"))
            .collect::<Vec<_>>()
            .join("\n-- on standard error --\n")
    }

    /// Whether it has ended, and all that it wrote has come. A shell says if it was killed.
    pub fn has_ended(&mut self) -> bool {
        let are_all = |output: &Arc<Mutex<Output>>| output.lock().unwrap().are_all;
        if self.ended.is_none() && self.outputs.iter().all(are_all) {
            self.ended = self.child.try_wait().unwrap();
            if self.ended.is_some_and(|it| it.signal() == Some(9)) {
                let mut errors = self.outputs[1].lock().unwrap();
                errors.lines.push("Killed".to_owned());
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

/// Reads lines as they come.
fn gather(from: impl Read + Send + 'static) -> Arc<Mutex<Output>> {
    let output: Arc<Mutex<Output>> = Arc::default();
    let into = Arc::clone(&output);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().unwrap().lines.push(line);
        }
        into.lock().unwrap().are_all = true;
    });
    output
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
