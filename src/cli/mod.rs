//! The `handover` program.
//!
//! `handover map` reads units and hands each to an idle worker; `handover work` is a worker, `handover control` steers
//! both while they work. `handover top` shows what a program is waiting for, `handover graph` draws the waits of several.
//! `handover cert` makes the certificates by which peers know each other. With the feature `bench`, `handover bench` measures the channel beside its rivals.

#[cfg(feature = "bench")]
mod bench;
mod cert;
mod command;
mod control;
mod endpoint;
mod graph;
mod lease;
mod limits;
mod map;
mod message;
mod options;
mod processes;
mod signals;
mod standard;
mod top;
mod units;
mod values;
mod work;

use std::process::ExitCode;

use clap::Parser;

use self::options::{Action, Program};

/// Runs the program on this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => {
            // Help and version go to standard output and are no error; a closed one is nobody's.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let run = || match program.action {
        Action::Map(options) => map::main(&options),
        Action::Work(options) => work::main(&options),
        Action::Control(options) => control::main(&options),
        Action::Top(options) => top::main(&options),
        Action::Graph(options) => graph::main(&options),
        Action::Cert(options) => cert::main(&options),
        #[cfg(feature = "bench")]
        Action::Bench(options) => bench::main(&options),
        #[cfg(not(feature = "bench"))]
        Action::Bench(_) => {
            eprintln!(
                "handover: this program was built without its measurements: build it with \
                 --features cli,bench"
            );
            ExitCode::from(2)
        }
    };
    // The panic's own message is on standard error by now.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or(ExitCode::from(125))
}
