//! Programs of a test's own: the test binary again, as a process that plays a part. A part is an ignored test that
//! reads its orders from standard input; a test that needs it starts it by name.
#![allow(dead_code, clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

/// The longest that a part may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a part says to the test begins so, for the test harness writes to the same output.
const MARK: &str = "part:";

/// A process that plays a part. It is killed when this is dropped.
pub struct Part {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    name: String,
}

impl Part {
    /// Starts part `name`; `wrap` is a command in which it runs, such as `ip netns exec`.
    pub fn start(name: &str, wrap: &[&str], env: &[(&str, String)]) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = match wrap {
            [] => Command::new(&program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(&program);
                command
            }
        };
        command
            .args([
                "--exact",
                name,
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .envs(env.iter().map(|(key, value)| (key, value.as_str())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let orders = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (said, answers) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The harness says "test name ... " on the same line first.
                if let Some((_, answer)) = line.split_once(MARK)
                    && said.send(answer.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        Self {
            child,
            orders,
            answers,
            name: name.to_owned(),
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().unwrap();
        writeln!(orders, "{order}").unwrap();
        orders.flush().unwrap();
    }

    /// The next answer.
    pub fn answer(&mut self) -> String {
        self.answer_within(PATIENCE)
    }

    pub fn answer_within(&mut self, patience: Duration) -> String {
        match self.answers.recv_timeout(patience) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => panic!("{} says nothing", self.name),
            Err(RecvTimeoutError::Disconnected) => panic!("{} has ended", self.name),
        }
    }

    pub fn ask(&mut self, order: &str) -> String {
        self.order(order);
        self.answer()
    }

    /// Lets it end by itself: its orders are over. It must end well.
    pub fn end(mut self) {
        drop(self.orders.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}: {status}", self.name);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As a part: the next order, `None` if there are no more.
pub fn next_order() -> Option<String> {
    let mut line = String::new();
    let count = std::io::stdin().read_line(&mut line).unwrap();
    (count > 0).then(|| line.trim().to_owned())
}

/// As a part: says something to the test.
pub fn say(answer: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{MARK}{answer}").unwrap();
    output.flush().unwrap();
}

/// What a process has in memory, in bytes.
pub fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mut lines = status.lines();
    let line = lines.find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}
