//! The terminal, which is as it was when the program ends: normally, by a signal, or by a panic.

use std::io;

use crossterm::terminal::is_raw_mode_enabled;
use ratatui::{DefaultTerminal, Frame};

/// The terminal while it is ours. Dropping it gives it back; a panic does so before it is told.
#[derive(Debug)]
pub struct Screen(DefaultTerminal);

impl Screen {
    /// Takes the terminal over: its other screen, and keys one by one.
    ///
    /// # Errors
    /// If standard output is no terminal that can do that.
    pub fn open() -> io::Result<Self> {
        let terminal = ratatui::try_init().inspect_err(|_| {
            let _ = ratatui::try_restore();
        })?;
        Ok(Self(terminal))
    }

    /// Draws.
    ///
    /// # Errors
    /// If the terminal has gone.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(view).map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.0.show_cursor();
        // A panic has given it back already, and said something since: to do it twice would move the cursor onto that.
        if is_raw_mode_enabled().unwrap_or(true) {
            let _ = ratatui::try_restore();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};
    use std::time::{Duration, Instant};

    use super::*;

    /// Set where the test below runs itself inside a terminal.
    const INSIDE: &str = "HANDOVER_TEST_INSIDE_A_TERMINAL";

    fn tmux(socket: &std::path::Path, arguments: &[&str]) -> io::Result<Output> {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(socket).args(["-f", "/dev/null"]);
        command.args(arguments).env("LC_ALL", "C.UTF-8").output()
    }

    /// Its own terminal, and what it does there: what a test harness has for a screen is not one.
    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        if std::env::var_os(INSIDE).is_some() {
            let mut screen = Screen::open().unwrap();
            screen
                .draw(|frame| frame.render_widget("the other screen", frame.area()))
                .unwrap();
            panic!("it was meant to");
        }
        let folder = std::env::temp_dir().join(format!("handover-screen-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("tmux");
        let itself = std::env::current_exe().unwrap();
        let script = format!(
            "echo the first screen; before=$(stty -g); \
             {INSIDE}=1 RUST_BACKTRACE=0 '{}' --exact --nocapture \
             cli::top::screen::tests::a_panic_gives_the_terminal_back_before_it_is_told; \
             [ \"$(stty -g)\" = \"$before\" ] && echo the keys are as before; exec sleep 60",
            itself.display()
        );
        let started = tmux(
            &socket,
            &["new-session", "-d", "-x", "150", "-y", "40", &script],
        );
        if started.is_err() {
            println!("left out: there is no tmux here");
            return;
        }
        let deadline = Instant::now() + Duration::from_secs(50);
        let seen = loop {
            let shown = tmux(&socket, &["capture-pane", "-p"]).unwrap().stdout;
            let shown = String::from_utf8_lossy(&shown).into_owned();
            if shown.contains("the keys are as before") || Instant::now() > deadline {
                break shown;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let flags = tmux(
            &socket,
            &["display-message", "-p", "#{alternate_on} #{cursor_flag}"],
        );
        let flags = flags.unwrap().stdout;
        let _ = tmux(&socket, &["kill-server"]);
        let _ = std::fs::remove_dir_all(&folder);
        for part in [
            "the first screen",
            "it was meant to",
            "the keys are as before",
        ] {
            assert!(seen.contains(part), "{part:?} is not in:\n{seen}");
        }
        assert!(!seen.contains("the other screen"), "{seen}");
        assert_eq!(String::from_utf8_lossy(&flags).trim(), "0 1", "{seen}");
    }
}
