//! The colours. With `NO_COLOR` there are none, and nothing that is to be seen needs them.

use ratatui::style::{Color, Modifier, Style};

use super::words::State;

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// There are.
    Colours,
    /// Only bold, reversed and the like.
    Plain,
}

impl Theme {
    /// As the environment wishes it (<https://no-color.org>).
    pub fn of_environment() -> Self {
        match std::env::var_os("NO_COLOR") {
            Some(wish) if !wish.is_empty() => Self::Plain,
            _ => Self::Colours,
        }
    }

    fn colour(self, colour: Color) -> Style {
        match self {
            Self::Colours => Style::new().fg(colour),
            Self::Plain => Style::new(),
        }
    }

    /// The first line.
    pub fn header(self) -> Style {
        match self {
            Self::Colours => Style::new()
                .fg(Color::White)
                .bg(Color::Blue)
                .add_modifier(Modifier::BOLD),
            Self::Plain => Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
        }
    }

    /// A deadlock.
    pub fn alarm(self) -> Style {
        match self {
            Self::Colours => Style::new()
                .fg(Color::White)
                .bg(Color::Red)
                .add_modifier(Modifier::BOLD),
            Self::Plain => Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
        }
    }

    /// Something that one should know.
    pub fn warning(self) -> Style {
        self.colour(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// The tab that is shown.
    pub fn chosen() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The titles of columns, headings.
    pub fn head(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// A key in the last line.
    pub fn key() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What matters less.
    pub fn dim() -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// The selected line, which has a style of its own.
    pub fn selected(style: Style) -> Style {
        style.add_modifier(Modifier::REVERSED)
    }

    /// A process that is at that.
    pub fn state(self, state: State) -> Style {
        match state {
            State::Deadlocked => self.colour(Color::Red).add_modifier(Modifier::BOLD),
            State::Blocked => self.colour(Color::Yellow),
            State::Outside => self.colour(Color::Blue),
            State::Ready => self.colour(Color::Cyan),
            State::Running => self.colour(Color::Green),
            State::NotBegun => Self::dim(),
        }
    }
}
