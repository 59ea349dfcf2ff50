//! `handover top`: what a program is doing, live, from outside. It only looks.
//!
//! A thread asks for snapshots (`client`, `sources`), but only while the view waits for one: there is no queue of
//! them. What arrives is made fit for a terminal at once (`clean`); `state` is what the view shows and how keys change
//! it, `columns`, `graph` and `words` are what is said of a snapshot, `draw` with `header` and `over` puts it on the
//! screen, and `plain` prints it without one.

pub mod clean;
mod client;
mod columns;
mod draw;
mod graph;
mod header;
mod list;
mod live;
mod options;
mod over;
mod plain;
#[cfg(test)]
mod sample;
mod screen;
mod sources;
mod state;
#[cfg(test)]
mod tests;
mod theme;
mod words;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

pub use self::client::Client;
pub use self::options::TopOptions;

/// Runs `handover top`.
pub fn main(options: &TopOptions) -> ExitCode {
    let client = match Client::new(&options.addr) {
        Ok(client) => client,
        Err(sentence) => return wrong_use(&sentence),
    };
    let result = match (options.once, options.json) {
        (true, json) => plain::once(&client, json),
        (false, true) => plain::lines(client, options.interval),
        (false, false) if io::stdin().is_terminal() && io::stdout().is_terminal() => {
            live::run(client, options.interval)
        }
        (false, false) => {
            return wrong_use("the live view needs a terminal; without one, use --once or --json");
        }
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("handover: {error}");
            ExitCode::from(125)
        }
    }
}

fn wrong_use(sentence: &str) -> ExitCode {
    eprintln!("handover: {sentence}");
    ExitCode::from(2)
}
