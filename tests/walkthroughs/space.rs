//! A network of its own for a page, and a place for the names of the namespaces that the page makes there. The kernel
//! removes all of it when nothing runs there any more, whatever happened.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// A process that holds the place; it ends with its standard input.
pub struct Space(Child);

/// What holds it, once what it needs is there.
const HOLD: &str = "ip -V >&2 && mount -t tmpfs handover /run && echo ready && exec cat";

impl Space {
    /// The place, or why there is none: that is no failure.
    pub fn new() -> Result<Self, String> {
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--map-root-user", "sh", "-c", HOLD]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut said = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut said).unwrap();
        if said == "ready\n" {
            return Ok(Self(child));
        }
        drop(child.stdin.take());
        let ended = child.wait_with_output().unwrap();
        let why = String::from_utf8_lossy(&ended.stderr);
        Err(format!("no network namespaces: {}", why.trim()))
    }

    /// The command in which a program runs there.
    pub fn inside(&self) -> Vec<String> {
        let process = self.0.id().to_string();
        ["nsenter", "--user", "--net", "--mount", "--target"]
            .into_iter()
            .map(Into::into)
            .chain([process, "--preserve-credentials".into()])
            .collect()
    }

    /// Whether a device can have a `netem` here: that is a module of the kernel's.
    pub fn try_netem(&self) -> Result<(), String> {
        let inside = self.inside();
        let output = Command::new(&inside[0])
            .args(&inside[1..])
            .args("tc qdisc add dev lo root netem delay 1ms".split(' '))
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&output.stderr);
        Err(why.trim().to_owned())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
