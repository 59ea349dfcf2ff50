//! `handover control`: looks at a run, and steers it.

mod options;
mod show;
mod speech;

use std::io::Write;
use std::process::ExitCode;

pub use self::options::ControlOptions;
use self::options::{Command, Target};
pub use self::speech::{
    Answer, Poisoned, Request, State, Status, Whom, WorkerStatus, decode, encode,
};
use super::endpoint;
use super::limits;
use super::message::channels;
use super::standard::Standard;
use crate::net::{Goodbye, Link, LinkEnd};

/// Runs `handover control`.
pub fn main(options: &ControlOptions) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("handover: the runtime cannot start: {error}");
            return ExitCode::from(125);
        }
    };
    let answer = match runtime.block_on(ask(options)) {
        Ok(answer) => answer,
        Err((sentence, status)) => {
            eprintln!("handover: {sentence}");
            return ExitCode::from(status);
        }
    };
    if let Answer::Refused(why) = &answer {
        eprintln!("handover: {why}");
        return ExitCode::from(1);
    }
    let text = if options.json {
        format!("{}\n", show::json(&answer))
    } else {
        show::text(&answer)
    };
    let written = Standard::output().and_then(|mut output| output.write_all(text.as_bytes()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(141),
        Err(error) => {
            eprintln!("handover: standard output cannot be written: {error}");
            ExitCode::from(125)
        }
    }
}

/// What could not be done, and the exit status.
type Failure = (String, u8);

async fn ask(options: &ControlOptions) -> Result<Answer, Failure> {
    let request = request(&options.command);
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let name = format!("control {host}:{}", std::process::id());
    // An answer is never longer than a job, whatever the limit of the run.
    let link = endpoint::connect(&options.connect, &options.shared, 1, name)
        .await
        .map_err(|error| match error {
            endpoint::ConnectError::Usage(sentence) => (sentence, 2),
            endpoint::ConnectError::Failed(sentence) => (sentence, 1),
        })?;
    let answer = tokio::select! {
        answer = tokio::time::timeout(limits::ANSWER_TIME, exchange(&link, &request)) => {
            answer.unwrap_or_else(|_| Err((
                format!("{} does not answer: is it a `handover map`?", options.connect),
                1,
            )))
        }
        end = link.closed() => Err((why(&end), 1)),
    }?;
    link.close(Goodbye::done()).await;
    Ok(answer)
}

async fn exchange(link: &Link, request: &Request) -> Result<Answer, Failure> {
    let broken = |error: &dyn std::fmt::Display| (error.to_string(), 1);
    let requests = link
        .sender(channels::REQUESTS)
        .map_err(|error| broken(&error))?;
    let answers = link
        .receiver(channels::ANSWERS)
        .map_err(|error| broken(&error))?;
    if requests.send_async(encode(request)).await.is_err() {
        return Err((why(&link.closed().await), 1));
    }
    match answers.recv_async().await {
        Ok(bytes) => decode(&bytes, "answer").map_err(|error| broken(&error)),
        Err(_) => Err((why(&link.closed().await), 1)),
    }
}

fn why(end: &LinkEnd) -> String {
    match end {
        LinkEnd::PeerClosed(goodbye) if !goodbye.reason().is_empty() => goodbye.reason().to_owned(),
        LinkEnd::PeerClosed(_) => "the run is over".into(),
        end => format!("the run is lost: {end}"),
    }
}

fn request(command: &Command) -> Request {
    let whom = |target: &Target| match &target.worker {
        Some(worker) => Whom::One(worker.clone()),
        None => Whom::All,
    };
    match command {
        Command::Status => Request::Status,
        Command::Abort { unit } => Request::Abort(*unit),
        Command::Pause(target) => Request::Pause(whom(target)),
        Command::Resume(target) => Request::Resume(whom(target)),
        Command::Shutdown { target, now } => Request::Shutdown {
            whom: whom(target),
            now: *now,
        },
        Command::Poisoned => Request::Poisoned,
    }
}
