//! One worker's link: gives it a unit when it waits for one, takes its results, passes on what it loses.

use std::rc::Rc;
use std::time::Duration;

use super::console::Say;
use super::event::Event;
use super::hand::Hand;
use super::input::Unit;
use super::ledger::Verdict;
use super::output::Output;
use super::reports;
use super::roster::Seat;
use super::run::{Run, Shared};
use crate::channel::SendError;
use crate::cli::endpoint;
use crate::cli::lease;
use crate::cli::message::{self, Malformed, Outcome, PieceKind, PieceMeta, ResultMeta, channels};
use crate::cli::values;
use crate::net::{Code, Goodbye, Link, LinkEnd, NetError};
use crate::{Receiver, Sender};
use bytes::Bytes;
use tokio::sync::Notify;

/// Serves one worker, which waits for its job, until it is gone or the run is over.
pub async fn serve(run: Shared, link: Link, job: Sender<Bytes>) {
    let (worker, local) = endpoint::worker_name(link.peer(), &run.local_key);
    let ends = (
        link.sender(channels::CONTROL),
        link.receiver(channels::RESULTS),
    );
    let (Ok(control), Ok(results)) = ends else {
        // It is gone already.
        return;
    };
    let seat = run.roster.join(worker.clone(), local, control);
    run.ledger.workers_changed(true);
    run.tell(Event::Joined {
        worker: worker.clone(),
        local,
    })
    .await;
    let end = tokio::select! {
        end = exchange(&run, &link, &seat, job, &results) => Ok(end),
        verdict = run.ledger.over() => Err(verdict),
    };
    run.roster.leave(&seat);
    run.ledger.workers_changed(false);
    let end = match end {
        Ok(end) => end,
        Err(verdict) => return part(&link, verdict).await,
    };
    let in_good_order =
        matches!(&end, Gone::Link(LinkEnd::PeerClosed(bye)) if bye.code() == Code::Leaving);
    let units = seat.hand.give_up(in_good_order);
    let numbers = units.iter().map(|unit| unit.number).collect();
    run.tell(Event::Left {
        worker: worker.clone(),
        local,
        why: end.why(),
        units: numbers,
    })
    .await;
    let silent = matches!(end, Gone::Silent(_));
    if let (true, Some(pid)) = (silent, seat.local_pid()) {
        run.roster.condemn(pid);
    }
    let linger = async {
        if silent {
            refuse_what_comes_late(&run, &link, &results, &worker).await;
        }
    };
    tokio::select! {
        _ = async { tokio::join!(run.pass_all_on(units, &worker), linger) } => {}
        verdict = run.ledger.over(), if silent => part(&link, verdict).await,
    }
}

/// Tells a worker that the run is over.
async fn part(link: &Link, verdict: Verdict) {
    match verdict {
        Verdict::Finished => link.close(Goodbye::done()).await,
        _ => {
            link.close(Goodbye::leaving("the job was stopped")).await;
        }
    }
}

/// Takes no result of a worker that was given up, for as long as its link lives: its units are others' now.
async fn refuse_what_comes_late(run: &Run, link: &Link, results: &Receiver<Bytes>, worker: &str) {
    loop {
        let held = tokio::select! {
            biased;
            held = results.recv_held_async() => held,
            _ = link.closed() => return,
        };
        let Ok(held) = held else { return };
        if let Ok((_, meta)) = message::decode::<ResultMeta>(held.clone(), "result")
            && meta.outcome != Outcome::GivenBack
        {
            run.roster.count_late();
            run.tell(Event::Late {
                unit: meta.number,
                worker: worker.into(),
            })
            .await;
        }
        drop(held.hand_back());
    }
}

/// Why a worker is gone.
enum Gone {
    Link(LinkEnd),
    /// For this lease.
    Silent(Duration),
    Refused(NetError),
    Misbehaved(Malformed),
}

impl Gone {
    fn why(&self) -> String {
        match self {
            Self::Link(LinkEnd::PeerClosed(goodbye)) if !goodbye.reason().is_empty() => {
                goodbye.reason().into()
            }
            Self::Link(LinkEnd::Lost(_)) => "it was lost".into(),
            Self::Link(end) => end.to_string(),
            Self::Silent(lease) => format!(
                "it was silent for its lease of {}",
                values::time_in_words(*lease)
            ),
            Self::Refused(error) => error.to_string(),
            Self::Misbehaved(malformed) => malformed.to_string(),
        }
    }
}

/// Everything that goes over one link, until it ends.
async fn exchange(
    run: &Shared,
    link: &Link,
    seat: &Rc<Seat>,
    job: Sender<Bytes>,
    results: &Receiver<Bytes>,
) -> Gone {
    let hand = &seat.hand;
    let open = || -> Result<_, NetError> {
        let giver = Giver::open(link, job)?;
        let beats = link.receiver(channels::LEASE)?;
        Ok((giver, beats, link.receiver(channels::REPORTS)?))
    };
    let (giver, beats, reports) = match open() {
        Ok(ends) => ends,
        Err(error) => return Gone::Refused(error),
    };
    let silent = Notify::new();
    let give = async {
        tokio::select! {
            () = giver.give(run, seat) => {}
            malformed = pass_pieces(run, link, hand) => return Some(malformed),
            malformed = reports::pass_on(run, seat, &reports) => return Some(malformed),
            () = lease::silence(&beats, run.lease, &seat.heard) => silent.notify_one(),
            _ = link.closed() => {}
        }
        None
    };
    // A result that has come is written and counted before anybody may say that its unit is lost: so the
    // collector is never cut short, and looks itself for the end of the link, and for silence.
    let collect = async {
        let end = collect(run, link, seat, results, &silent).await;
        if !matches!(end, Gone::Silent(_)) {
            link.abort();
        }
        end
    };
    let (malformed, end) = tokio::join!(
        async {
            let malformed = give.await;
            if malformed.is_some() {
                link.abort();
            }
            malformed
        },
        collect
    );
    malformed.map_or(end, Gone::Misbehaved)
}

/// The channels by which a worker gets units.
struct Giver {
    job: Sender<Bytes>,
    units: Sender<Bytes>,
    rescue: Sender<Bytes>,
}

/// By which of them.
#[derive(Clone, Copy)]
enum Way {
    Units,
    Rescue,
}

impl Giver {
    fn open(link: &Link, job: Sender<Bytes>) -> Result<Self, NetError> {
        Ok(Self {
            job,
            units: link.sender(channels::UNITS)?,
            rescue: link.sender(channels::RESCUE)?,
        })
    }

    /// Gives units, each when the worker waits for one, for as long as it does.
    async fn give(&self, run: &Shared, seat: &Seat) {
        if self.job.send_async(run.job.clone()).await.is_ok() {
            let mut wants_units = true;
            while self.give_one(run, seat, &mut wants_units).await.is_some() {}
        }
        // The link may live on, with results to come.
        std::future::pending::<()>().await;
    }

    /// Gives one unit; `None` when the worker takes no more.
    async fn give_one(&self, run: &Shared, seat: &Seat, wants_units: &mut bool) -> Option<()> {
        let hand = &seat.hand;
        // A worker that asks for more than it may keep is not served: units would be queued with it.
        hand.resting(run.hand_most).await;
        let (unit, way) = self.next_unit(run, seat, wants_units).await?;
        let (number, message) = (unit.number, unit.message.clone());
        // In hand before it is sent: whatever happens to the message, the unit is not lost.
        hand.offer(unit);
        let on_its_way = seat.offer();
        let given = match way {
            Way::Units => self.units.send_async(message).await,
            Way::Rescue => self.rescue.send_async(message).await,
        };
        drop(on_its_way);
        if given.is_ok() {
            hand.take(number);
            run.ledger.look_again();
            if !run.keep_order {
                // It waits for the next one when it is done with this one, and only then.
                hand.rest();
            }
            return Some(());
        }
        if matches!(given, Err(SendError::InDoubt(_))) {
            // The worker is gone, and may have been at it: so it is in its hand.
            return None;
        }
        // It is leaving, or already gone. If it leaves it may have results to give, so its unit goes on now.
        hand.rest();
        *wants_units = false;
        if let Some(unit) = hand.withdraw(number) {
            // By itself: this link may end before somebody takes the unit.
            let run = Shared::clone(run);
            tokio::task::spawn_local(async move { run.pass_on(unit).await });
        }
        run.keep_order.then_some(())
    }

    /// Waits until the worker waits, and takes a unit for it: what was lost first.
    async fn next_unit(
        &self,
        run: &Run,
        seat: &Seat,
        wants_units: &mut bool,
    ) -> Option<(Unit, Way)> {
        // The worker is idle from when it waits until it gets a unit.
        let mut idle = None;
        loop {
            if seat.is_paused() {
                idle = None;
                seat.is_paused_to(false).await;
            }
            let waits = idle.is_some();
            tokio::select! {
                biased;
                () = seat.is_paused_to(true) => {}
                unit = run.urgent.receiver.recv_async(), if run.keep_order => {
                    return unit.ok().map(|unit| (unit, Way::Rescue));
                }
                unit = run.lost.receiver.recv_async(), if waits => return unit.ok().map(|unit| (unit, Way::Units)),
                unit = run.units.recv_async(), if waits && run.ledger.takes_input() => match unit {
                    Ok(unit) => {
                        run.ledger.take();
                        return Some((unit, Way::Units));
                    }
                    Err(_) => run.ledger.end_input(),
                },
                ready = self.units.ready_async(), if *wants_units && !waits => {
                    *wants_units = ready.is_ok();
                    idle = ready.is_ok().then(|| run.ledger.idle_worker());
                }
                () = run.ledger.input_end(), if waits && run.ledger.takes_input() => {}
                else => return None,
            }
        }
    }
}

/// Takes results, each when it can be written, until the link ends or the worker is given up.
async fn collect(
    run: &Shared,
    link: &Link,
    seat: &Seat,
    results: &Receiver<Bytes>,
    silent: &Notify,
) -> Gone {
    let hand = &seat.hand;
    loop {
        let next = async {
            if run.keep_order {
                hand.turn(&run.ledger).await;
            }
            results.recv_held_async().await
        };
        let held = tokio::select! {
            biased;
            held = next => held,
            () = silent.notified() => return Gone::Silent(run.lease),
            end = link.closed() => return Gone::Link(end),
        };
        let Ok(held) = held else {
            return Gone::Link(link.closed().await);
        };
        let (stdout, meta) = match message::decode::<ResultMeta>(held.clone(), "result") {
            Ok(decoded) => decoded,
            Err(malformed) => return Gone::Misbehaved(malformed),
        };
        if matches!(meta.outcome, Outcome::Poisoned(_)) {
            return Gone::Misbehaved(Malformed::Bytes("result that a worker can have"));
        }
        let number = meta.number;
        let expected = !run.keep_order || number == run.ledger.turn();
        let Some((unit, since)) = hand.find(number).filter(|_| expected) else {
            return Gone::Misbehaved(Malformed::Bytes("result of a unit that it has"));
        };
        if meta.outcome == Outcome::GivenBack {
            give_to_another(run, seat, number).await;
            drop(held.release());
            continue;
        }
        run.ledger.result_waited(
            since
                .elapsed()
                .saturating_sub(Duration::from_micros(meta.work_us)),
        );
        run.finish(&unit, meta, stdout, &seat.name).await;
        hand.finish(number);
        seat.rest();
        // Now the worker knows that its result was written, and may wait for the next unit.
        drop(held.release());
    }
}

/// Passes a unit on that its worker gave back, by itself: the link may end before somebody takes it.
async fn give_to_another(run: &Shared, seat: &Seat, number: u64) {
    let Some(unit) = seat.hand.release(number) else {
        return;
    };
    let worker = seat.name.clone();
    run.tell(Event::GivenBack {
        unit: number,
        worker,
    })
    .await;
    let run = Shared::clone(run);
    tokio::task::spawn_local(async move { run.pass_on(unit).await });
}

/// Takes the pieces of output that a worker sends while it works. Returns when it sends what is none.
async fn pass_pieces(run: &Run, link: &Link, hand: &Hand) -> Malformed {
    let Ok(pieces) = link.receiver(channels::PIECES) else {
        return std::future::pending().await;
    };
    while let Ok(held) = pieces.recv_held_async().await {
        let (piece, PieceMeta { number, kind }) = match message::decode(held.clone(), "piece") {
            Ok(decoded) => decoded,
            Err(malformed) => return malformed,
        };
        if !hand.holds(number) {
            return Malformed::Bytes("piece of a unit that it has");
        }
        match kind {
            PieceKind::Finished => hand.keep(),
            kind if run.to_files => {
                if run
                    .output
                    .send_async(Output::Piece {
                        number,
                        kind,
                        piece,
                    })
                    .await
                    .is_err()
                {
                    run.ledger.end(Verdict::OutputClosed);
                }
            }
            PieceKind::Stderr => drop(run.console.send_async(Say::Unit(number, piece)).await),
            PieceKind::Start | PieceKind::Stdout => {
                return Malformed::Bytes("piece of standard error");
            }
        }
        drop(held.release());
    }
    std::future::pending().await
}
