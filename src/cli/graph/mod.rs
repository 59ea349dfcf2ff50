//! `handover graph`: the waits of a whole system, drawn. It only looks.
//!
//! `gather` asks the nodes, `output` writes what came of it; what is between is `net::System`.

mod gather;
mod options;
mod output;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

pub use self::options::GraphOptions;
use self::options::{Chosen, Format};
use super::top::clean;
use crate::net::System;

/// Runs `handover graph`.
pub fn main(options: &GraphOptions) -> ExitCode {
    let chosen = match options.chosen(io::stdout().is_terminal()) {
        Ok(chosen) => chosen,
        Err(sentence) => return failed(&sentence, 2),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("the runtime cannot start: {error}"), 125),
    };
    let status = runtime.block_on(run(options, chosen));
    // Whoever still waits for a page is not waited for.
    runtime.shutdown_background();
    match status {
        Ok(status) => ExitCode::from(status),
        Err((sentence, status)) => failed(&sentence, status),
    }
}

fn failed(sentence: &str, status: u8) -> ExitCode {
    if !sentence.is_empty() {
        eprintln!("handover: {sentence}");
    }
    ExitCode::from(status)
}

async fn run(options: &GraphOptions, chosen: Chosen) -> Result<u8, (String, u8)> {
    let mut gathered = gather::gather(options)
        .await
        .map_err(|sentence| (sentence, 2))?;
    for sentence in &gathered.missing {
        eprintln!("handover: {sentence}");
    }
    if gathered.nodes.is_empty() {
        return Err((
            "no node has answered, so there is nothing to draw".to_owned(),
            1,
        ));
    }
    // For programs names stay what they are.
    if chosen.format != Format::Json {
        for node in &mut gathered.nodes {
            clean::text(&mut node.node);
            clean::snapshot(&mut node.snapshot);
        }
    }
    let system = System::of(gathered.nodes);
    output::write(&system, chosen, options.output.as_deref()).await?;
    Ok(u8::from(!gathered.missing.is_empty()))
}
