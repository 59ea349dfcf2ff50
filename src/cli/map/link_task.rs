//! One worker's link: gives it a unit when it waits for one, takes its results, passes on what it loses.

use std::time::Duration;

use super::console::Say;
use super::event::Event;
use super::hand::Hand;
use super::input::Unit;
use super::ledger::Verdict;
use super::output::Output;
use super::run::{Run, Shared};
use crate::Sender;
use crate::cli::endpoint;
use crate::cli::message::{self, Malformed, PieceKind, PieceMeta, ResultMeta, channels};
use crate::net::{Code, Goodbye, Link, LinkEnd, NetError};
use bytes::Bytes;

/// Serves one worker until it is gone or the run is over.
pub async fn serve(run: Shared, link: Link) {
    let worker = endpoint::worker_name(link.peer());
    let local = worker.starts_with("local ");
    run.ledger.workers_changed(true);
    run.tell(Event::Joined {
        worker: worker.clone(),
        local,
    })
    .await;
    let hand = Hand::default();
    let end = tokio::select! {
        end = exchange(&run, &link, &hand, &worker) => Ok(end),
        verdict = run.ledger.over() => Err(verdict),
    };
    run.ledger.workers_changed(false);
    let end = match end {
        Ok(end) => end,
        Err(Verdict::Finished) => return link.close(Goodbye::done()).await,
        Err(_) => return link.close(Goodbye::leaving("the job was stopped")).await,
    };
    let in_good_order =
        matches!(&end, Gone::Link(LinkEnd::PeerClosed(bye)) if bye.code() == Code::Leaving);
    let units = hand.give_up(in_good_order);
    let numbers = units.iter().map(|unit| unit.number).collect();
    run.tell(Event::Left {
        worker: worker.clone(),
        local,
        why: end.why(),
        units: numbers,
    })
    .await;
    run.pass_all_on(units, &worker).await;
}

/// Why a worker is gone.
enum Gone {
    Link(LinkEnd),
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
            Self::Refused(error) => error.to_string(),
            Self::Misbehaved(malformed) => malformed.to_string(),
        }
    }
}

/// Everything that goes over one link, until it ends.
async fn exchange(run: &Shared, link: &Link, hand: &Hand, worker: &str) -> Gone {
    let giver = match Giver::open(link) {
        Ok(giver) => giver,
        Err(error) => return Gone::Refused(error),
    };
    let give = async {
        tokio::select! {
            () = giver.give(run, hand) => {}
            malformed = pass_pieces(run, link, hand) => return Some(malformed),
            _ = link.closed() => {}
        }
        None
    };
    // A result that has come is written and counted before anybody may say that its unit is lost: so the
    // collector is never cut short, and looks itself for the end of the link.
    let collect = async {
        let end = collect(run, link, hand, worker).await;
        link.abort();
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
    fn open(link: &Link) -> Result<Self, NetError> {
        Ok(Self {
            job: link.sender(channels::JOB)?,
            units: link.sender(channels::UNITS)?,
            rescue: link.sender(channels::RESCUE)?,
        })
    }

    /// Gives units, each when the worker waits for one, for as long as it does.
    async fn give(&self, run: &Shared, hand: &Hand) {
        if self.job.send_async(run.job.clone()).await.is_ok() {
            let mut wants_units = true;
            while self.give_one(run, hand, &mut wants_units).await.is_some() {}
        }
        // The link may live on, with results to come.
        std::future::pending::<()>().await;
    }

    /// Gives one unit; `None` when the worker takes no more.
    async fn give_one(&self, run: &Shared, hand: &Hand, wants_units: &mut bool) -> Option<()> {
        // A worker that asks for more than it may keep is not served: units would be queued with it.
        hand.resting(run.hand_most).await;
        let (unit, way) = self.next_unit(run, wants_units).await?;
        let (number, message) = (unit.number, unit.message.clone());
        // In hand before it is sent: whatever happens to the message, the unit is not lost.
        hand.offer(unit);
        let sent = match way {
            Way::Units => self.units.send_async(message).await,
            Way::Rescue => self.rescue.send_async(message).await,
        };
        if sent.is_ok() {
            hand.take(number);
            run.ledger.look_again();
            if !run.keep_order {
                // It waits for the next one when it is done with this one, and only then.
                hand.rest();
            }
            return Some(());
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
    async fn next_unit(&self, run: &Run, wants_units: &mut bool) -> Option<(Unit, Way)> {
        // The worker is idle from when it waits until it gets a unit.
        let mut idle = None;
        loop {
            let waits = idle.is_some();
            tokio::select! {
                biased;
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

/// Takes results, each when it can be written, until the link ends.
async fn collect(run: &Run, link: &Link, hand: &Hand, worker: &str) -> Gone {
    let results = match link.receiver(channels::RESULTS) {
        Ok(results) => results,
        Err(error) => return Gone::Refused(error),
    };
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
            end = link.closed() => return Gone::Link(end),
        };
        let Ok(held) = held else {
            return Gone::Link(link.closed().await);
        };
        let (stdout, meta) = match message::decode::<ResultMeta>(held.clone(), "result") {
            Ok(decoded) => decoded,
            Err(malformed) => return Gone::Misbehaved(malformed),
        };
        let number = meta.number;
        let expected = !run.keep_order || number == run.ledger.turn();
        let Some((unit, since)) = hand.find(number).filter(|_| expected) else {
            return Gone::Misbehaved(Malformed::Bytes("result of a unit that it has"));
        };
        run.ledger.result_waited(
            since
                .elapsed()
                .saturating_sub(Duration::from_micros(meta.work_us)),
        );
        run.finish(&unit, meta, stdout, worker).await;
        hand.finish(number);
        // Now the worker knows that its result was written, and may wait for the next unit.
        drop(held.release());
    }
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
