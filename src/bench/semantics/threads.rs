//! The scripts with threads that block, each with a deadline; those that futures can answer as well ask them
//! first, because there nothing is left to timing.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all scripts have one signature, also those that every rival can run"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::message::{ASKED, Message};
use super::polling::Task;
use super::rival::{Failed, Missing, Reason, Rival, Sent};
use super::table::Answer;
use super::tasks::{open, open_full};

/// For what must happen: on any machine that is alive it takes far less.
const SOON: Duration = Duration::from_secs(10);
/// For a send that ought to wait: how long it is watched for coming back nevertheless.
const A_WHILE: Duration = Duration::from_millis(50);
/// For a send that is to time out.
const A_MOMENT: Duration = Duration::from_millis(5);

/// A blocking operation on a thread of its own. If it never ends, so does its thread not.
struct Blocked<T>(Receiver<T>);

impl<T: Send + 'static> Blocked<T> {
    fn start(operation: impl FnOnce() -> T + Send + 'static) -> Self {
        let (tx, rx) = sync_channel(1);
        thread::spawn(move || {
            // Nobody may be interested any more.
            let _ = tx.send(operation());
        });
        Self(rx)
    }

    /// What it ended with, if it ends within this time.
    fn within(&self, time: Duration) -> Result<T, RecvTimeoutError> {
        self.0.recv_timeout(time)
    }
}

pub fn capacity_zero(rival: &Rival) -> Result<Answer, Missing> {
    let opened = catch_unwind(AssertUnwindSafe(|| (rival.open)(0)));
    let (tx, _rx) = match opened {
        Ok(ends) => ends,
        Err(panic) => {
            let words = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no reason given");
            return Ok(Answer::because(
                "refused",
                format!("it panics: \"{words}\""),
            ));
        }
    };
    let room = (0..8)
        .take_while(|number| tx.try_send(Message::new(*number)).is_ok())
        .count();
    Ok(match room {
        0 => Answer::plain("accepted"),
        room => Answer::plain(format!("made a buffer of {room}")),
    })
}

pub fn reported_without_receiver(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, rx) = open(rival);
    if let Ok(future) = tx.send(Message::new(ASKED)) {
        let task = Task::start(future);
        return Ok(Answer::yes_or_no(matches!(task.outcome(), Some(Ok(())))));
    }
    let blocked = Blocked::start(move || tx.send_blocking(Message::new(ASKED)));
    let ended = blocked.within(A_WHILE);
    // The sender ends with its receiver.
    drop(rx);
    match ended {
        Err(_) => Ok(Answer::yes_or_no(false)),
        Ok(sent) => sent.map(|sent| Answer::yes_or_no(sent.is_ok())),
    }
}

pub fn timed_out_send_delivered_later(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open_full(rival);
    let sent = tx.send_timeout(Message::new(ASKED), A_MOMENT)?;
    if !matches!(&sent, Err(failed) if failed.reason == Reason::Timeout) {
        return Ok(Answer::plain("it did not time out"));
    }
    // The error may hold the message: it is the sender's then.
    let mut delivered = false;
    while let Some(message) = rx.try_recv() {
        delivered |= message.number == ASKED;
    }
    drop(sent);
    Ok(Answer::yes_or_no(delivered))
}

pub fn try_send_without_receiver(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, _rx) = open(rival);
    Ok(Answer::yes_or_no(tx.try_send(Message::new(ASKED)).is_ok()))
}

pub fn try_send_to_thread(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open(rival);
    let blocked = Blocked::start(move || {
        rx.recv_blocking()
            .map(|message| message.map(|message| message.number))
    });
    let deadline = Instant::now() + SOON;
    // The thread cannot be seen to block; it does so at some time, so the sender tries until then.
    while Instant::now() < deadline {
        if let Ok(Err(missing)) = blocked.within(Duration::ZERO) {
            return Err(missing);
        }
        if tx.try_send(Message::new(ASKED)).is_ok() {
            let got = blocked.within(SOON);
            return Ok(Answer::yes_or_no(matches!(got, Ok(Ok(Some(ASKED))))));
        }
        thread::yield_now();
    }
    Ok(Answer::yes_or_no(false))
}

fn gives_back(sent: &Sent, reason: Reason) -> Answer {
    match sent {
        Err(failed) if failed.reason == reason => Answer::yes_or_no(failed.message.is_some()),
        Err(failed) => Answer::plain(format!("it failed otherwise: {:?}", failed.reason)),
        Ok(()) => Answer::plain("it did not fail"),
    }
}

pub fn full_gives_back(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, _rx) = open_full(rival);
    Ok(gives_back(&tx.try_send(Message::new(ASKED)), Reason::Full))
}

pub fn disconnected_gives_back(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, rx) = open(rival);
    drop(rx);
    if let Ok(future) = tx.send(Message::new(ASKED)) {
        return Ok(match Task::start(future).into_outcome() {
            Some(sent) => gives_back(&sent, Reason::Disconnected),
            None => Answer::plain("it waits"),
        });
    }
    let blocked = Blocked::start(move || tx.send_blocking(Message::new(ASKED)));
    match blocked.within(SOON) {
        Ok(sent) => sent.map(|sent| gives_back(&sent, Reason::Disconnected)),
        Err(_) => Ok(Answer::plain("it waits")),
    }
}

pub fn time_out_gives_back(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, _rx) = open_full(rival);
    let sent = tx.send_timeout(Message::new(ASKED), A_MOMENT)?;
    Ok(gives_back(&sent, Reason::Timeout))
}

fn ended_with(sent: &Sent) -> Answer {
    Answer::plain(match sent {
        Ok(()) => "\"sent\"",
        Err(Failed {
            message: Some(_), ..
        }) => "an error with the message",
        Err(Failed { message: None, .. }) => "an error without the message",
    })
}

pub fn receivers_leave_during_send(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, rx) = open_full(rival);
    if let Ok(future) = tx.send(Message::new(ASKED)) {
        let mut task = Task::start(future);
        if task.outcome().is_some() {
            return Ok(Answer::plain("it did not wait"));
        }
        drop(rx);
        task.poll_if_woken();
        return Ok(match task.outcome() {
            Some(sent) => ended_with(sent),
            None => Answer::plain("nothing: it waits for ever"),
        });
    }
    let blocked = Blocked::start(move || tx.send_blocking(Message::new(ASKED)));
    // That it waits cannot be seen from outside; it has a while to come that far.
    if let Ok(sent) = blocked.within(A_WHILE) {
        return sent.map(|_| Answer::plain("it did not wait"));
    }
    drop(rx);
    match blocked.within(SOON) {
        Ok(sent) => sent.map(|sent| ended_with(&sent)),
        Err(_) => Ok(Answer::plain("nothing: it waits for ever")),
    }
}

pub fn senders_leave_during_receive(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open(rival);
    let words = |outcome: Option<&Option<Message>>| {
        Answer::plain(match outcome {
            Some(None) => "the end",
            Some(Some(_)) => "a message",
            None => "nothing: it waits for ever",
        })
    };
    if let Ok(receive) = rx.recv() {
        let mut receive = Task::start(receive);
        drop(tx);
        receive.poll_if_woken();
        return Ok(words(receive.outcome()));
    }
    let blocked = Blocked::start(move || rx.recv_blocking());
    if let Ok(received) = blocked.within(A_WHILE) {
        return received.map(|_| Answer::plain("it did not wait"));
    }
    drop(tx);
    match blocked.within(SOON) {
        Ok(received) => received.map(|received| words(Some(&received))),
        Err(_) => Ok(words(None)),
    }
}
