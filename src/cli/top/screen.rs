//! The terminal, which is as it was when the program ends: normally, by a signal, or by a panic.

use std::io;

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
        let _ = ratatui::try_restore();
    }
}
