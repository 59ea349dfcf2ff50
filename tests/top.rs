//! `handover top`, driven as a user drives it: in a real terminal, at a real program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "top/headless.rs"]
mod headless;
#[path = "top/program.rs"]
mod program;
#[expect(dead_code, reason = "the tests of `map` need more of it")]
#[path = "map/support.rs"]
mod support;
#[path = "top/terminal.rs"]
mod terminal;
#[path = "top/tmux.rs"]
mod tmux;
