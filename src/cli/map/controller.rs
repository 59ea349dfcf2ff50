//! One who controls the run: answers what is asked, and gives the workers their orders.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::event::Event;
use super::roster::Seat;
use super::run::{Run, Shared};
use crate::channel::SendError;
use crate::cli::control::{
    Answer, Poisoned, Request, State, Status, Whom, WorkerStatus, decode, encode,
};
use crate::cli::limits;
use crate::cli::message::{self, Control, channels};
use crate::cli::values::time_in_words;
use crate::net::{Code, Goodbye, Link};
use crate::{Receiver, Sender};

/// Answers one who asked `first`, until it is gone or the run is over.
pub async fn serve(run: Shared, link: Link, requests: Receiver<Bytes>, first: Bytes) {
    let Ok(answers) = link.sender(channels::ANSWERS) else {
        return;
    };
    // What was asked before the end is answered: the answer may be why it is the end.
    let patience = async {
        run.ledger.over().await;
        tokio::time::sleep(limits::CLOSE_TIME).await;
    };
    let goodbye = tokio::select! {
        goodbye = converse(&run, &link, &requests, &answers, first) => goodbye,
        () = patience => over(),
    };
    link.close(goodbye).await;
}

fn over() -> Goodbye {
    Goodbye::leaving("the run is over")
}

async fn converse(
    run: &Shared,
    link: &Link,
    requests: &Receiver<Bytes>,
    answers: &Sender<Bytes>,
    first: Bytes,
) -> Goodbye {
    let mut next = first;
    loop {
        let request = match decode(&next, "request") {
            Ok(request) => request,
            Err(malformed) => return Goodbye::new(Code::Violation, &malformed.to_string()),
        };
        let answer = answer(run, request).await;
        if let Answer::Done(sentences) = &answer {
            for what in sentences.iter().cloned() {
                let controller = link.peer().name.clone();
                run.tell(Event::Ordered { controller, what }).await;
            }
        }
        if answers.send_async(encode(&answer)).await.is_err() {
            return Goodbye::done();
        }
        tokio::select! {
            request = requests.recv_async() => match request {
                Ok(bytes) => next = bytes,
                Err(_) => return Goodbye::done(),
            },
            _ = run.ledger.over() => return over(),
        }
    }
}

async fn answer(run: &Shared, request: Request) -> Answer {
    match request {
        Request::Status => Answer::Status(Box::new(status(run))),
        Request::Poisoned => {
            let (count, units) = run.ledger.poisoned();
            Answer::Poisoned(Poisoned { count, units })
        }
        Request::Abort(unit) => abort(run, unit).await,
        Request::Pause(whom) => {
            if whom == Whom::All {
                run.roster.pause_all(true);
            }
            to_all(run, &whom, Control::Pause).await
        }
        Request::Resume(whom) => {
            if whom == Whom::All {
                run.roster.pause_all(false);
            }
            to_all(run, &whom, Control::Resume).await
        }
        Request::Shutdown { whom, now } => to_all(run, &whom, Control::Leave { now }).await,
    }
}

// ---- Orders ----

/// Why an order had no effect.
enum Vain {
    /// The worker handed it back.
    Refused,
    /// The worker is gone.
    Gone,
    /// It was not heard of in time.
    Unheard,
}

/// Gives an order, and waits until it has its effect.
async fn order(run: &Run, seat: &Seat, control: Control) -> Result<(), Vain> {
    let give = async {
        let _one_after_the_other = seat.orders.lock().await;
        match control {
            Control::Pause => {
                // First none is given, then what was on its way is there: so all that it has is stopped.
                seat.set_paused(true);
                seat.settled().await;
            }
            // Before it is told: once told, it may be gone at any time.
            Control::Leave { .. } => {
                seat.leaves.set(true);
                if let Some(pid) = seat.local_pid() {
                    run.roster.retire(pid);
                }
            }
            Control::Resume | Control::Abort(_) => {}
        }
        let message = message::encode_alone(&control);
        match seat.control.send_async(message).await {
            Ok(()) => {}
            Err(SendError::Returned(_)) => return Err(Vain::Refused),
            Err(_) => return Err(Vain::Gone),
        }
        if control == Control::Resume {
            seat.set_paused(false);
        }
        // One that leaves goes on with what it has.
        if control == (Control::Leave { now: false }) {
            seat.set_paused(false);
        }
        Ok(())
    };
    tokio::time::timeout(limits::ORDER_TIME, give)
        .await
        .unwrap_or(Err(Vain::Unheard))
}

/// The sentence about an order.
fn told(seat: &Seat, control: Control, result: &Result<(), Vain>) -> String {
    let who = format!("worker {} ({})", seat.id, seat.name);
    let at = seat.hand.at();
    match (result, control) {
        (Ok(()), Control::Abort(unit)) => format!("unit {unit} on {who} is aborted"),
        (Ok(()), Control::Pause) => match at {
            Some((unit, _)) => format!("{who} is paused, with unit {unit} in hand"),
            None => format!("{who} is paused"),
        },
        (Ok(()), Control::Resume) => format!("{who} goes on"),
        (Ok(()), Control::Leave { now: true }) => format!("{who} leaves at once"),
        (Ok(()), Control::Leave { now: false }) => match at {
            Some((unit, _)) => format!("{who} leaves when unit {unit} is done"),
            None => format!("{who} leaves"),
        },
        (Err(Vain::Refused), Control::Abort(unit)) => {
            format!("unit {unit} does not run any more: {who} has its result, or aborts it already")
        }
        (Err(Vain::Refused | Vain::Gone), _) => format!("{who} is gone"),
        (Err(Vain::Unheard), control) => {
            let still = match control {
                Control::Pause => "; it is given no unit until it is resumed",
                _ => "",
            };
            format!(
                "{who} does not answer, and was heard {} ago: the order may or may not have reached it{still}",
                time_in_words(seat.heard.ago())
            )
        }
    }
}

/// Gives an order to those that are meant, all at once.
async fn to_all(run: &Shared, whom: &Whom, control: Control) -> Answer {
    let seats = match whom {
        Whom::All => run.roster.seats(),
        Whom::One(name) => match find(run, name) {
            Ok(seat) => vec![seat],
            Err(refused) => return refused,
        },
    };
    if seats.is_empty() {
        let later = match control {
            Control::Pause => "no worker has joined; those that join will be paused",
            Control::Resume => "no worker has joined; those that join will work",
            _ => return Answer::Refused("no worker has joined".into()),
        };
        return Answer::Done(vec![later.into()]);
    }
    let mut orders = JoinSet::new();
    for (place, seat) in seats.into_iter().enumerate() {
        let run = Shared::clone(run);
        orders.spawn_local(async move {
            let result = order(&run, &seat, control).await;
            (place, told(&seat, control, &result), result.is_ok())
        });
    }
    let mut results = orders.join_all().await;
    results.sort_by_key(|(place, _, _)| *place);
    let all = results.iter().all(|(_, _, ok)| *ok);
    let sentences: Vec<String> = results.into_iter().map(|(_, told, _)| told).collect();
    if all {
        Answer::Done(sentences)
    } else {
        Answer::Refused(sentences.join("; "))
    }
}

fn find(run: &Run, whom: &str) -> Result<Rc<Seat>, Answer> {
    let mut found = run.roster.find(whom);
    match (found.pop(), found.len()) {
        (Some(seat), 0) => Ok(seat),
        (Some(_), others) => Err(Answer::Refused(format!(
            "{whom:?} means {} workers: say the number that `status` shows",
            others + 1
        ))),
        (None, _) => Err(Answer::Refused(format!(
            "no worker is called {whom:?}: `status` shows those that have joined"
        ))),
    }
}

async fn abort(run: &Run, unit: u64) -> Answer {
    let seats = run.roster.seats();
    let Some(seat) = seats.iter().find(|seat| seat.hand.holds(unit)) else {
        return Answer::Refused(not_in_hand(run, unit));
    };
    if seat.hand.at().is_none_or(|(at, _)| at != unit) {
        return Answer::Refused(format!(
            "unit {unit} does not run: worker {} ({}) keeps its result, or it is on its way there",
            seat.id, seat.name
        ));
    }
    let control = Control::Abort(unit);
    let result = order(run, seat, control).await;
    let sentence = told(seat, control, &result);
    match result {
        Ok(()) => Answer::Done(vec![sentence]),
        Err(_) => Answer::Refused(sentence),
    }
}

/// Why a unit is in nobody's hand.
fn not_in_hand(run: &Run, unit: u64) -> String {
    let taken = run.ledger.taken();
    let poisoned = run.ledger.poisoned().1;
    match () {
        () if unit == 0 => "there is no unit 0: the first is 1".into(),
        () if unit > taken && run.ledger.takes_input() => {
            format!("unit {unit} has not begun: {taken} units were taken up to now")
        }
        () if unit > taken => format!("there is no unit {unit}: the input had {taken}"),
        () if run.roster.waiting().contains(&unit) => {
            format!("unit {unit} does not run: it lost its worker, and waits for another")
        }
        () if poisoned.iter().any(|(poisoned, _)| *poisoned == unit) => {
            format!("unit {unit} is poisoned: it is not tried again")
        }
        () => format!("unit {unit} is finished already"),
    }
}

// ---- How it stands ----

fn status(run: &Run) -> Status {
    let now = run.ledger.snapshot();
    let mut waiting_units = run.roster.waiting();
    waiting_units.truncate(limits::NAMED_POISONED);
    Status {
        finished: now.finished,
        failed: now.failed,
        poisoned: now.poisoned,
        in_hand: now.in_hand,
        late_results: run.roster.late(),
        bad_reports: run.roster.bad_reports(),
        input_ended: !run.ledger.takes_input(),
        all_paused: run.roster.is_all_paused(),
        elapsed_ms: ms(now.elapsed),
        waiting_units,
        workers: run.roster.seats().iter().map(|seat| worker(seat)).collect(),
    }
}

fn worker(seat: &Seat) -> WorkerStatus {
    let at = seat.hand.at();
    let state = match () {
        () if seat.is_paused() => State::Paused,
        () if seat.leaves.get() => State::Leaving,
        () if at.is_some() => State::Working,
        () => State::Idle,
    };
    let since = match (state, at) {
        (State::Working | State::Leaving, Some((_, since))) => since,
        _ => seat.since(),
    };
    let progress = seat.progress();
    let others = seat.hand.len() - usize::from(at.is_some());
    WorkerStatus {
        id: seat.id,
        name: seat.name.clone(),
        local: seat.local,
        state,
        since_ms: ms(since.elapsed()),
        silent_ms: ms(seat.heard.ago()),
        unit: at.map(|(unit, _)| unit),
        millionths: progress.as_ref().map(|progress| progress.millionths),
        text: progress.map(|progress| progress.text).unwrap_or_default(),
        others: u32::try_from(others).unwrap_or(u32::MAX),
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
