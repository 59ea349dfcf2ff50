//! What the options of a run come to, checked before anything is started.

use std::io;
use std::net::SocketAddr;

use crate::cli::command::{self, Template};
use crate::cli::endpoint::{self, TlsFiles};
use crate::cli::message::Job;
use crate::cli::options::MapOptions;
use crate::cli::units::Splitting;
use crate::cli::values;

/// Why there is no run.
#[derive(Debug)]
pub enum Trouble {
    /// What was asked for is wrong.
    Usage(String),
    /// The system does not do what it should.
    Internal(String),
}

/// Says that something of the system failed.
pub fn internal(what: &str) -> impl FnOnce(io::Error) -> Trouble {
    move |error| Trouble::Internal(format!("{what}: {error}"))
}

/// What the options come to, checked.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The options.
    pub options: &'a MapOptions,
    /// What a worker is told.
    pub job: Job,
    /// Its command.
    pub template: Template,
    /// Where units end.
    pub splitting: Splitting,
    /// How many workers run on this machine.
    pub workers: usize,
    /// Where to listen: the first of these that can be had.
    pub addresses: Vec<SocketAddr>,
    /// What a worker must show.
    pub token: Option<String>,
    /// With what this end speaks TLS, where it listens for others.
    pub tls: Option<TlsFiles>,
    /// Where else to listen, for those that control the run: the first of these that can be had.
    pub control: Option<Vec<SocketAddr>>,
}

/// Checks the options.
///
/// # Errors
/// A sentence about what is wrong with them.
pub fn prepare(options: &MapOptions) -> Result<Plan<'_>, Trouble> {
    let usage = |sentence: String| Err(Trouble::Usage(sentence));
    let workers = options.jobs.unwrap_or(if options.listen.is_some() {
        0
    } else {
        values::cores()
    });
    if workers == 0 && options.listen.is_none() {
        return usage(
            "-j 0 leaves nobody to work: give -j a number, or let workers join with --listen"
                .into(),
        );
    }
    let splitting = match (options.block, options.null) {
        (Some(size), _) => Splitting::Blocks(size),
        (None, true) => Splitting::Nul,
        (None, false) => Splitting::Lines,
    };
    if options.block.is_some_and(|size| size > options.limit) {
        let limit = values::bytes_in_words(options.limit);
        return usage(format!(
            "--block is larger than the limit of a unit, {limit}: raise --limit too"
        ));
    }
    let words: Vec<Vec<u8>> = options
        .command
        .iter()
        .map(|word| endpoint::bytes(word))
        .collect();
    let template = Template::new(words.iter().map(Vec::as_slice));
    if options.stream && template.takes_argument() {
        return usage("with --stream CMD reads units from its standard input: leave {} out".into());
    }
    match template.fixed_program() {
        Some(program) if workers > 0 => {
            command::find(program).map_err(|error| Trouble::Usage(error.to_string()))?;
        }
        _ => {}
    }
    let listen = options.listen.as_deref().unwrap_or("127.0.0.1:0");
    let addresses = endpoint::resolve(listen, &options.shared).map_err(Trouble::Usage)?;
    let tls = TlsFiles::of(&options.shared.tls).map_err(Trouble::Usage)?;
    let tls = tls.filter(|_| options.listen.is_some());
    let control = options
        .control
        .as_deref()
        .map(|name| endpoint::resolve(name, &options.shared))
        .transpose()
        .map_err(Trouble::Usage)?;
    let token = match (&options.shared.token, &options.listen) {
        (Some(token), _) => Some(token.clone()),
        // Nobody but the workers that this program starts has business at its port.
        (None, None) => Some(random_token().map_err(internal("there are no random numbers"))?),
        (None, Some(_)) => None,
    };
    let timeout_ms = options
        .timeout
        .map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).max(1));
    let job = Job {
        command: words,
        stream: options.stream,
        null: options.null,
        keep_order: options.keep_order,
        ahead: options.ahead,
        retries: options.retries,
        timeout_ms,
        to_files: options.results.is_some(),
        limit: options.limit as u64,
        lease_ms: u64::try_from(options.lease.as_millis()).unwrap_or(u64::MAX),
    };
    Ok(Plan {
        options,
        job,
        template,
        splitting,
        workers,
        addresses,
        token,
        tls,
        control,
    })
}

fn random_token() -> io::Result<String> {
    use std::io::Read;
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
