//! `handover map`: reads units, hands each to an idle worker, writes the results.
//!
//! One thread reads standard input, one writes standard output, one standard error; between them, on the main
//! thread, one task for each worker's link. All of them meet on Handover's own channels, so nothing is queued:
//! a unit is in the producer's hand, in a link task's, or in a worker's.

mod console;
mod controller;
mod coordinate;
mod dry_run;
mod event;
mod hand;
mod input;
mod joblog;
mod ledger;
mod link_task;
mod listen;
mod local_workers;
mod output;
mod plan;
mod reports;
mod results;
mod roster;
mod run;
mod watch;

use std::process::ExitCode;

use self::plan::Trouble;
use super::options::MapOptions;

/// Runs `handover map`.
pub fn main(options: &MapOptions) -> ExitCode {
    let result = plan::prepare(options).and_then(|plan| {
        if options.dry_run {
            dry_run::run(&plan)
        } else {
            coordinate::execute(&plan)
        }
    });
    match result {
        Ok(status) => ExitCode::from(status),
        Err(Trouble::Usage(sentence)) => {
            eprintln!("handover: {sentence}");
            ExitCode::from(2)
        }
        Err(Trouble::Internal(sentence)) => {
            eprintln!("handover: {sentence}");
            ExitCode::from(125)
        }
    }
}
