//! The scripts with futures: each poll, wake-up and drop happens where it stands in the script.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all scripts have one signature, also those that every rival can run"
)]

use super::message::{ASKED, Drops, FILLER, Message};
use super::polling::Task;
use super::rival::{Ends, Missing, Rival, Rx, Sent, Tx};
use super::table::Answer;

/// More than any rival here holds at its least capacity.
const MOST_FILLERS: u64 = 8;

/// A fresh channel with the least capacity.
pub fn open(rival: &Rival) -> Ends {
    (rival.open)(rival.least)
}

/// A fresh channel in which the next send has to wait: what buffer there is, is full.
pub fn open_full(rival: &Rival) -> Ends {
    let (tx, rx) = open(rival);
    for number in FILLER..FILLER + MOST_FILLERS {
        if tx.try_send(Message::new(number)).is_err() {
            break;
        }
    }
    (tx, rx)
}

/// Takes all there is, polling the sends that this wakes; what came, without the fillers.
fn take_all(rx: &mut dyn Rx, sends: &mut [Task<'_, Sent>]) -> Vec<u64> {
    let mut came = Vec::new();
    loop {
        let message = rx.try_recv();
        let mut moved = message.is_some();
        came.extend(message.map(|message| message.number));
        for send in &mut *sends {
            moved |= send.poll_if_woken();
        }
        if !moved {
            came.retain(|number| *number < FILLER);
            return came;
        }
    }
}

fn is_done(send: &Task<'_, Sent>) -> bool {
    matches!(send.outcome(), Some(Ok(())))
}

/// Where the message that is asked about is, seen by looking for it.
fn whereabouts(rx: &mut dyn Rx, send: Task<'_, Sent>, drops: &Drops) -> Answer {
    let reported = is_done(&send);
    let came = take_all(rx, &mut [send]).contains(&ASKED);
    Answer::plain(match (came, reported) {
        (true, true) => "in the channel",
        (true, false) => "with its sender",
        (false, true) if drops.is_gone() => "LOST, reported as sent",
        (false, false) if drops.is_gone() => "lost, not reported as sent",
        (false, _) => "nobody gets it",
    })
}

pub fn reported_before_taken(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open(rival);
    let receive = Task::start(rx.recv()?);
    let send = Task::start(tx.send(Message::new(ASKED))?);
    let early = is_done(&send) && receive.outcome().is_none();
    Ok(Answer::yes_or_no(early))
}

pub fn receive_dropped_while_waiting(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open(rival);
    drop(Task::start(rx.recv()?));
    let (message, drops) = Message::followed();
    let send = Task::start(tx.send(message)?);
    Ok(whereabouts(&mut *rx, send, &drops))
}

pub fn receive_dropped_when_woken(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open(rival);
    let receive = Task::start(rx.recv()?);
    let (message, drops) = Message::followed();
    let send = Task::start(tx.send(message)?);
    if !receive.is_woken() {
        return Ok(Answer::plain("not woken"));
    }
    drop(receive);
    Ok(whereabouts(&mut *rx, send, &drops))
}

pub fn losing_branch(rival: &Rival) -> Result<Answer, Missing> {
    let (left_tx, mut left_rx) = open(rival);
    let (right_tx, mut right_rx) = open(rival);
    let mut winner = Task::start(left_rx.recv()?);
    let loser = Task::start(right_rx.recv()?);
    let _left = Task::start(left_tx.send(Message::new(ASKED))?);
    let (message, drops) = Message::followed();
    let right = Task::start(right_tx.send(message)?);
    winner.poll_if_woken();
    if winner.outcome().is_none() {
        return Ok(Answer::plain("no branch won"));
    }
    drop(loser);
    Ok(whereabouts(&mut *right_rx, right, &drops))
}

pub fn stuck_behind_a_sleeper(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open(rival);
    let mut other_rx = rx.another()?;
    let _sleeper = Task::start(rx.recv()?);
    let send = Task::start(tx.send(Message::new(ASKED))?);
    let came = take_all(&mut *other_rx, &mut [send]);
    Ok(Answer::yes_or_no(!came.contains(&ASKED)))
}

pub fn wake_up_passed_on(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open(rival);
    let mut other_rx = rx.another()?;
    let (message, drops) = Message::followed();
    let first = Task::start(rx.recv()?);
    let second = Task::start(other_rx.recv()?);
    let mut send = Task::start(tx.send(message)?);
    let (dropped, mut left) = if first.is_woken() {
        (first, second)
    } else {
        (second, first)
    };
    if !dropped.is_woken() {
        return Ok(Answer::plain("no: neither was woken"));
    }
    drop(dropped);
    while left.poll_if_woken() | send.poll_if_woken() {}
    let got = matches!(left.outcome(), Some(Some(message)) if message.number == ASKED);
    Ok(match (got, drops.is_gone()) {
        (true, _) => Answer::yes_or_no(true),
        (false, true) => Answer::plain("no: the message is lost"),
        (false, false) => Answer::plain("no: it is not woken"),
    })
}

pub fn reported_then_dropped(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, rx) = open(rival);
    let (message, drops) = Message::followed();
    let sent = tx.try_send(message);
    drop(rx);
    // What still lies in the channel is gone with it: nobody can receive any more.
    drop(tx);
    let alone = sent.is_ok() && drops.is_gone();

    let (tx, mut rx) = open(rival);
    let (message, drops) = Message::followed();
    let reported = reported_to_a_dropped_receive(&*tx, &mut *rx, message);
    drop(rx);
    drop(tx);
    // Without futures, only the first way is left.
    let to_a_future = reported.unwrap_or(false) && drops.is_gone();
    Ok(Answer::yes_or_no(alone || to_a_future))
}

fn reported_to_a_dropped_receive(
    tx: &dyn Tx,
    rx: &mut dyn Rx,
    message: Message,
) -> Result<bool, Missing> {
    let receive = Task::start(rx.recv()?);
    let send = Task::start(tx.send(message)?);
    drop(receive);
    Ok(is_done(&send))
}

pub fn cancelled_send_delivered_later(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open_full(rival);
    let send = Task::start(tx.send(Message::new(ASKED))?);
    if send.outcome().is_some() {
        return Ok(Answer::plain("it did not wait"));
    }
    drop(send);
    let came = take_all(&mut *rx, &mut []);
    Ok(Answer::yes_or_no(came.contains(&ASKED)))
}

pub fn cancelled_send_was_taken(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open_full(rival);
    let send = Task::start(tx.send(Message::new(ASKED))?);
    if send.outcome().is_some() {
        return Ok(Answer::plain("it did not wait"));
    }
    // It is not polled again: what comes now came while its sender thinks that it waits.
    let came = take_all(&mut *rx, &mut []);
    drop(send);
    Ok(Answer::yes_or_no(came.contains(&ASKED)))
}

/// Sends from a home, takes the message or not, and drops the send unpolled: whether the message was taken,
/// and whether it is back at home.
fn dropped_from_home(rival: &Rival, take: bool) -> Result<(bool, bool), Missing> {
    let (tx, mut rx) = open_full(rival);
    let mut home = Some(Message::new(ASKED));
    let send = Task::start(tx.send_from(&mut home)?);
    let taken = take && take_all(&mut *rx, &mut []).contains(&ASKED);
    drop(send);
    Ok((taken, home.is_some()))
}

pub fn cancelled_send_can_be_told(rival: &Rival) -> Result<Answer, Missing> {
    if cancelled_send_was_taken(rival)?.verdict == "no" {
        return Ok(Answer::because("yes", "it never was delivered"));
    }
    Ok(
        match (
            dropped_from_home(rival, true),
            dropped_from_home(rival, false),
        ) {
            (Err(Missing(why)), _) | (_, Err(Missing(why))) => Answer::because("no", why),
            (Ok((true, false)), Ok((false, true))) => Answer::because(
                "yes",
                "by the send that leaves the message at home if it was not taken",
            ),
            _ => Answer::plain("no"),
        },
    )
}

pub fn cancelled_send_keeps_its_message(rival: &Rival) -> Result<Answer, Missing> {
    // Asked first so that a rival without futures says so.
    let (tx, _rx) = open_full(rival);
    drop(tx.send(Message::new(ASKED))?);
    Ok(match dropped_from_home(rival, false) {
        Err(Missing(why)) => Answer::because("no", why),
        Ok((_, true)) => Answer::because(
            "yes",
            "by the send that leaves the message at home if it was not taken",
        ),
        Ok((_, false)) => Answer::plain("no"),
    })
}

pub fn try_send_to_future(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open(rival);
    let _receive = Task::start(rx.recv()?);
    Ok(Answer::yes_or_no(tx.try_send(Message::new(ASKED)).is_ok()))
}

pub fn senders_in_order(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open_full(rival);
    let mut sends = Vec::new();
    for number in 1..=3 {
        sends.push(Task::start(tx.send(Message::new(number))?));
    }
    let came = take_all(&mut *rx, &mut sends);
    Ok(match came.as_slice() {
        [1, 2, 3] => Answer::yes_or_no(true),
        other => Answer::plain(format!("no: {other:?}")),
    })
}

pub fn receivers_in_order(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, mut rx) = open(rival);
    let mut other_rx = rx.another()?;
    let first = Task::start(rx.recv()?);
    let second = Task::start(other_rx.recv()?);
    let _send = Task::start(tx.send(Message::new(ASKED))?);
    Ok(Answer::plain(match (first.is_woken(), second.is_woken()) {
        (true, false) => "yes",
        (true, true) => "both are woken",
        (false, true) => "no",
        (false, false) => "none is woken",
    }))
}

pub fn length_and_capacity(rival: &Rival) -> Result<Answer, Missing> {
    let (tx, rx) = open(rival);
    let send = tx.send(Message::new(ASKED)).map(Task::start);
    let (length, capacity) = rx.length_and_capacity()?;
    let told = format!("{length} of {capacity}");
    Ok(match send {
        Ok(_waits) => Answer::plain(told),
        Err(_) => Answer::because(
            told,
            "asked with no send waiting: a thread cannot be seen to wait",
        ),
    })
}
