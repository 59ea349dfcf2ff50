//! Runs the program, with a deadline on everything, and looks at processes from outside.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time for anything that should happen soon. Long, for a machine under load: a test that passes never waits it out.
pub const SOON: Duration = Duration::from_mins(1);

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Finished {
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Finished {
    pub fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// The lines of standard output, sorted as numbers where they are.
    pub fn sorted(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.stdout().lines().map(Into::into).collect();
        lines.sort_by_key(|line| (line.parse::<u64>().unwrap_or(0), line.clone()));
        lines
    }

    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.status, Some(0), "stderr: {}", self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(
            self.stderr.contains(part),
            "{part:?} is not in: {}",
            self.stderr
        );
        self
    }
}

/// A running program, killed when dropped.
pub struct Running {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Arc<Mutex<String>>,
    stderr_thread: Option<JoinHandle<()>>,
}

/// Starts `handover` with these arguments; its standard output is gathered.
pub fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Running {
    let mut running = start_unread(arguments);
    let mut stdout = running.child.stdout.take().unwrap();
    running.stdout = Some(std::thread::spawn(move || {
        let mut all = Vec::new();
        let _ = stdout.read_to_end(&mut all);
        all
    }));
    running
}

/// Starts `handover` with these arguments; its standard output is in `child.stdout`, for the test to read.
pub fn start_unread<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handover"));
    command.args(arguments).env_remove("HANDOVER_TOKEN");
    start_command(command)
}

/// Starts a command with pipes; its standard output is in `child.stdout`.
pub fn start_command(mut command: Command) -> Running {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let from = BufReader::new(child.stderr.take().unwrap());
    let stderr = Arc::new(Mutex::new(String::new()));
    let text = Arc::clone(&stderr);
    let stderr_thread = std::thread::spawn(move || {
        for line in from.split(b'\n') {
            let Ok(line) = line else { break };
            let mut text = text.lock().unwrap();
            text.push_str(&String::from_utf8_lossy(&line));
            text.push('\n');
        }
    });
    Running {
        stdin: child.stdin.take(),
        child,
        stdout: None,
        stderr,
        stderr_thread: Some(stderr_thread),
    }
}

/// Runs `handover` with this input to its end.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>, input: &[u8]) -> Finished {
    let mut running = start(arguments);
    running.feed(input.to_vec());
    running.finish()
}

impl Running {
    pub fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// Writes all of the input from another thread, and ends it.
    pub fn feed(&mut self, input: Vec<u8>) {
        let mut stdin = self.stdin.take().unwrap();
        std::thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
    }

    /// What it said on standard error up to now.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until it says this on standard error; gives the first such line.
    #[track_caller]
    pub fn wait_for(&self, part: &str) -> String {
        eventually(&format!("{part:?} on standard error"), || {
            self.stderr()
                .lines()
                .find(|line| line.contains(part))
                .map(Into::into)
        })
    }

    /// Waits until it ends.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the end of the program", || self.child.try_wait().unwrap())
    }

    /// Waits until it ends, and gives what it said.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        drop(self.stdin.take());
        let status = self.wait();
        let stdout = self
            .stdout
            .take()
            .map(|thread| thread.join().unwrap())
            .unwrap_or_default();
        // The pipe may be held open by nobody now: the thread ends.
        self.stderr_thread.take().unwrap().join().unwrap();
        Finished {
            status: status.code(),
            stdout,
            stderr: self.stderr(),
        }
    }

    /// The pids of its children: the local workers.
    pub fn children(&self) -> Vec<i32> {
        processes()
            .into_iter()
            .filter(|process| process.parent == self.pid())
            .map(|process| process.pid)
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits until a fact holds.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A process, as the system lists it. Zombies are not.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    pub command: String,
}

/// All processes.
pub fn processes() -> Vec<Process> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let Ok(stat) = std::fs::read(entry.path().join("stat")) else {
            continue;
        };
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let Some((_, fields)) = stat.rsplit_once(") ") else {
            continue;
        };
        let fields: Vec<&str> = fields.split(' ').collect();
        if fields[0] == "Z" {
            continue;
        }
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        found.push(Process {
            pid,
            parent: fields[1].parse().unwrap(),
            command,
        });
    }
    found
}

/// The processes whose command line holds this, other than `handover` itself.
pub fn running(part: &str) -> Vec<Process> {
    processes()
        .into_iter()
        .filter(|process| {
            process.command.contains(part) && !process.command.contains("handover map")
        })
        .collect()
}

/// Waits until so many commands sleep for this mark: what led up to them in their scripts is done.
#[track_caller]
pub fn wait_for_sleeps(mark: &str, count: usize) {
    let command = format!("sleep {mark}");
    eventually("the units to be at work", || {
        let sleeping = running(&command)
            .into_iter()
            .filter(|process| process.command.starts_with(&command));
        (sleeping.count() >= count).then_some(())
    });
}

/// Waits until no process's command line holds this.
#[track_caller]
pub fn nothing_remains(part: &str) {
    eventually(&format!("no process with {part} to remain"), || {
        running(part).is_empty().then_some(())
    });
}

/// Sends a signal to one process.
pub fn signal(pid: i32, signal: rustix::process::Signal) {
    let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal);
}

/// A figure of `/proc/PID/status`, in KiB.
pub fn memory(pid: i32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| {
        line.strip_prefix(field)?
            .trim_start_matches(':')
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    })
}

/// A directory of this test's own, removed when dropped.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("handover-test-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().into()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A number that no other process's command line has: to find a test's own processes by.
pub fn mark() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1000);
    format!(
        "{}.{:06}{}",
        3000,
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// The numbers from 1, one a line.
pub fn numbers(count: u64) -> Vec<u8> {
    (1..=count)
        .flat_map(|number| format!("{number}\n").into_bytes())
        .collect()
}

/// `--listen` on a free port: the program and the address.
#[track_caller]
pub fn listening(options: &[&str], command: &[&str]) -> (Running, String) {
    let mut arguments = vec!["map", "--listen", "127.0.0.1:0"];
    arguments.extend(options);
    arguments.push("--");
    arguments.extend(command);
    let running = start(arguments);
    let line = eventually("where it listens", || {
        running
            .stderr()
            .lines()
            .find(|line| line.contains("127.0.0.1:"))
            .map(ToOwned::to_owned)
    });
    let address = line
        .split([' ', '"'])
        .find(|word| word.starts_with("127."))
        .unwrap()
        .to_owned();
    (running, address)
}

/// A worker that joins from elsewhere; returns when it has joined.
#[track_caller]
pub fn joined(address: &str) -> Running {
    let worker = start(["work", "--connect", address]);
    worker.wait_for("joined");
    worker
}
