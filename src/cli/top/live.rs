//! The live view: waits for whatever comes first, and draws what follows from it.

use std::io;
use std::time::Duration;

use crossterm::event::Event;

use super::client::Client;
use super::draw::draw;
use super::screen::Screen;
use super::sources;
use super::state::{App, Next};
use super::theme::Theme;
use crate::select;

/// How long nothing is drawn although nothing has come: what is said of the time grows old.
const REDRAW: Duration = Duration::from_secs(1);

/// The status when the terminal went away, as after the signal that then comes.
const TERMINAL_GONE: u8 = 129;

/// Shows the program until the user quits, or a signal or the terminal's end comes. Returns the exit status.
///
/// # Errors
/// If the terminal cannot be used, or there can be no threads.
pub fn run(client: Client, interval: Duration) -> io::Result<u8> {
    let mut app = App::new(client.addr().to_owned(), interval);
    let theme = Theme::of_environment();
    let signals = sources::signals()?;
    let readings = sources::readings(client, interval)?;
    let mut screen = Screen::open()?;
    let keys = sources::keys()?;
    loop {
        if screen.draw(|frame| draw(frame, &mut app, theme)).is_err() {
            return Ok(TERMINAL_GONE);
        }
        select! {
            biased;
            recv(signals) -> signal => {
                return Ok(signal.map_or(125, sources::status_of));
            }
            recv(keys) -> event => match event {
                Ok(Event::Key(key)) => match app.press(key) {
                    Next::Stay => {}
                    Next::Quit => return Ok(0),
                    Next::Interrupt => return Ok(130),
                },
                Ok(_) => {} // Another size: it is drawn anew.
                Err(_) => return Ok(TERMINAL_GONE),
            },
            recv(readings) -> reading, if !app.is_paused => match reading {
                Ok(reading) => app.take(reading),
                Err(_) => return Ok(125), // Its thread has panicked, and has said why.
            },
            after(REDRAW) => {}
        }
    }
}
