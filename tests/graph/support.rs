//! The example that is looked at, and the command that looks.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::{cargo, web::wait_for};

/// Building included.
const PATIENCE: Duration = Duration::from_mins(5);

/// Three programs: a counter, a kitchen and a store. They end with the value.
pub struct Restaurant {
    child: Child,
    /// Of the counter, the kitchen and the store.
    pub addresses: [String; 3],
}

impl Restaurant {
    pub fn start(how: &str) -> Self {
        let mut child = cargo::example("three_nodes", &["cli", "observe"])
            // Longer than a test may last; it is ended when that is over.
            .args([how, "part", "for", "300"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, addresses)) = line.split_once("handover graph --connect ") {
                    let _ = tell.send(addresses.to_owned());
                }
            }
        });
        let mut running = Self {
            child,
            addresses: Default::default(),
        };
        let addresses = told
            .recv_timeout(PATIENCE)
            .expect("it says where it listens");
        let addresses: Vec<String> = addresses.split(' ').map(str::to_owned).collect();
        running.addresses = addresses.try_into().unwrap();
        running
    }

    /// The command for all of them.
    pub fn graph(&self) -> Command {
        let mut command = handover();
        command.args(["graph", "--connect"]).args(&self.addresses);
        command
    }

    /// Looks until the text of the system has all of these parts; returns it.
    pub fn text_with(&self, parts: &[&str]) -> String {
        wait_for(&format!("{parts:?}"), || {
            let finished = run(self.graph().args(["--format", "text"]));
            assert_eq!(finished.status, Some(0), "{}", finished.stderr);
            let text = finished.stdout;
            parts.iter().all(|part| text.contains(part)).then_some(text)
        })
    }
}

impl Drop for Restaurant {
    fn drop(&mut self) {
        // It ends with its input, once the others have.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// What shows that a restaurant with a greedy waiter stands still, each waiting for the next.
pub const STANDSTILL: [&str; 3] = [
    "\"orders\" at three_nodes.rs",
    "\"needs\" at three_nodes.rs",
    "sending on \"bills\" at three_nodes.rs",
];

/// The program, without what the environment would tell it.
pub fn handover() -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_handover")]);
    for variable in [
        "TOKEN",
        "TLS",
        "TLS_CERTIFICATE",
        "TLS_KEY",
        "TLS_AUTHORITY",
        "TLS_PEER",
    ] {
        command.env_remove(format!("HANDOVER_{variable}"));
    }
    command
}

#[derive(Debug)]
pub struct Finished {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn run(command: &mut Command) -> Finished {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Finished {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A directory that is gone with the value.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("handover-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.join(name.as_ref())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
