//! A real terminal: a tmux server of the test's own, with a shell in it.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

use crate::support::{SOON, Scratch};

/// A terminal with a shell, which ends when dropped.
pub struct Terminal {
    socket: PathBuf,
    _folder: Scratch,
}

impl Terminal {
    /// A terminal of that size; none, and a line that says so, where there is no tmux.
    pub fn open(name: &str, columns: u16, rows: u16) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("left out: there is no tmux here");
            return None;
        }
        let folder = Scratch::new(name);
        let terminal = Self {
            socket: folder.0.join("tmux"),
            _folder: folder,
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let size = ["-x", &columns, "-y", &rows];
        let started = terminal.command(&[&["new-session", "-d"], &size[..], &["exec sh"]].concat());
        assert!(started.status.success(), "{started:?}");
        Some(terminal)
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        command
            .arg("-S")
            .arg(&self.socket)
            .args(["-f", "/dev/null"]);
        command
            .env("LC_ALL", "C.UTF-8")
            .env("PS1", "$ ")
            .env_remove("NO_COLOR")
            .env_remove("ENV");
        command.args(arguments).output().unwrap()
    }

    fn asked(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&self.command(arguments).stdout).into_owned()
    }

    /// Types a command and Enter.
    pub fn type_line(&self, line: &str) {
        self.command(&["send-keys", "-l", line]);
        self.press("Enter");
    }

    /// Presses a key, by tmux's name of it.
    pub fn press(&self, key: &str) {
        self.command(&["send-keys", key]);
    }

    /// What is on the screen.
    pub fn shown(&self) -> String {
        self.asked(&["capture-pane", "-p"])
    }

    /// The same with the sequences that colour it.
    pub fn coloured(&self) -> String {
        self.asked(&["capture-pane", "-p", "-e"])
    }

    /// Makes the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.command(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// Whether a program has the other screen, and whether the cursor is to be seen.
    pub fn flags(&self) -> String {
        let flags = self.asked(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
        flags.trim().to_owned()
    }

    /// Waits until the screen is as it should be; gives it.
    #[track_caller]
    pub fn wait(&self, what: &str, mut is_so: impl FnMut(&str) -> bool) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            let shown = self.shown();
            if is_so(&shown) {
                return shown;
            }
            assert!(
                Instant::now() < deadline,
                "waited too long for {what}; the screen is:\n{shown}"
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Waits until this is on the screen; gives the screen.
    #[track_caller]
    pub fn wait_for(&self, part: &str) -> String {
        self.wait(part, |shown| shown.contains(part))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.command(&["kill-server"]);
    }
}
