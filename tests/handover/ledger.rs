//! The books balance: whatever threads and tasks do at once, every message that was sent was taken, once, and
//! every other came back.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use handover::{
    Receiver, Sender, channel,
    channel::{SendError, SendTimeoutError, TrySendError},
};

use crate::stage::{Message, Peer, Tally, homemade_block_on, join};

const WORKERS_A_SIDE: u32 = 4;
const MESSAGES_EACH: u32 = 400;

/// Replay a failure with the seed that it printed.
const SEED_VARIABLE: &str = "HANDOVER_SEED";

/// Xorshift: enough to choose between ways.
struct Dice(u64);

impl Dice {
    fn new(seed: u64, player: u32) -> Self {
        Self((seed ^ (u64::from(player) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % sides
    }

    fn moment(&mut self) -> Duration {
        Duration::from_micros(self.roll(60))
    }
}

#[derive(Default)]
struct Ledger {
    /// Messages whose send completed.
    sent: Mutex<Vec<u32>>,
    taken: Mutex<Vec<u32>>,
    /// Messages that were handed back to a sender who had gone meanwhile: they stayed with the acceptor.
    orphaned: Mutex<Vec<u32>>,
}

fn seed() -> u64 {
    let seed = std::env::var(SEED_VARIABLE)
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |time| time.subsec_nanos().into())
    });
    println!("replay with {SEED_VARIABLE}={seed}");
    seed
}

/// Sends each message in some way until its send has completed.
fn send_all(place: u32, tx: &Sender<Message>, tally: &Tally, dice: &mut Dice, ledger: &Ledger) {
    for number in (0..MESSAGES_EACH).map(|number| place * MESSAGES_EACH + number) {
        let mut in_hand = Some(tally.message(number));
        while let Some(message) = in_hand.take() {
            assert_eq!(message, number);
            in_hand = match dice.roll(7) {
                0 => tx.send(message).err().map(SendError::into_inner),
                1 => tx.try_send(message).err().map(TrySendError::into_inner),
                2 => tx
                    .send_timeout(message, dice.moment())
                    .err()
                    .map(SendTimeoutError::into_inner),
                3 => homemade_block_on(tx.send_async(message))
                    .err()
                    .map(SendError::into_inner),
                4 => Peer::TokioCurrentThread.run(async {
                    let mut home = Some(message);
                    let _ = tokio::time::timeout(dice.moment(), tx.send_from(&mut home)).await;
                    home
                }),
                5 => {
                    let mut home = Some(message);
                    let mut send = Box::pin(tx.send_from(&mut home));
                    // Polled some times for no reason, with a waker that leads nowhere, and dropped.
                    for _ in 0..dice.roll(4) {
                        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                        if send.as_mut().poll(&mut context).is_ready() {
                            break;
                        }
                        thread::yield_now();
                    }
                    drop(send);
                    home
                }
                _ => {
                    homemade_block_on(async {
                        let _ = tx.ready_async().await;
                    });
                    tx.send_timeout(message, dice.moment())
                        .err()
                        .map(SendTimeoutError::into_inner)
                }
            };
        }
        ledger.sent.lock().unwrap().push(number);
    }
}

/// Receives in one way or another until every sender has gone.
fn receive_all(rx: &Receiver<Message>, dice: &mut Dice, ledger: &Ledger) {
    let book = |message: &Message| ledger.taken.lock().unwrap().push(message.number);
    loop {
        let open = match dice.roll(8) {
            0 => rx.recv().map(|message| book(&message)).is_ok(),
            1 => {
                let _ = rx.try_recv().map(|message| book(&message));
                true
            }
            2 => {
                let _ = rx.recv_timeout(dice.moment()).map(|message| book(&message));
                true
            }
            3 => homemade_block_on(rx.recv_async())
                .map(|message| book(&message))
                .is_ok(),
            4 => {
                let received = Peer::TokioCurrentThread
                    .run(async { tokio::time::timeout(dice.moment(), rx.recv_async()).await });
                if let Ok(Ok(message)) = received {
                    book(&message);
                }
                true
            }
            5 => rx.accept(|message| book(&*message)).is_ok(),
            6 => match rx.recv_held() {
                Ok(held) if dice.roll(2) == 0 => {
                    book(&held.release());
                    true
                }
                Ok(held) => {
                    if let Err(orphan) = held.hand_back() {
                        ledger.orphaned.lock().unwrap().push(orphan.number);
                    }
                    true
                }
                Err(_) => false,
            },
            _ => homemade_block_on(rx.accept_async(async |message: &mut Message| book(message)))
                .is_ok(),
        };
        if !open {
            return;
        }
    }
}

#[test]
fn what_was_sent_was_taken_once_and_the_rest_came_back() {
    let seed = seed();
    let tally = Tally::default();
    let ledger = Arc::new(Ledger::default());
    let (tx, rx) = channel();
    let mut workers = Vec::new();
    for place in 0..WORKERS_A_SIDE {
        workers.push(thread::spawn({
            let (tx, tally, ledger) = (tx.clone(), tally.clone(), Arc::clone(&ledger));
            let mut dice = Dice::new(seed, 2 * place);
            move || send_all(place, &tx, &tally, &mut dice, &ledger)
        }));
        workers.push(thread::spawn({
            let (rx, ledger) = (rx.clone(), Arc::clone(&ledger));
            let mut dice = Dice::new(seed, 2 * place + 1);
            move || receive_all(&rx, &mut dice, &ledger)
        }));
    }
    drop((tx, rx));
    workers.into_iter().for_each(join);

    let sorted = |book: &Mutex<Vec<u32>>| {
        let mut numbers = book.lock().unwrap().clone();
        numbers.sort_unstable();
        numbers
    };
    let everything: Vec<_> = (0..WORKERS_A_SIDE * MESSAGES_EACH).collect();
    assert_eq!(sorted(&ledger.sent), everything);
    // A message that was orphaned left its sender's hand without being taken by anybody else; its sender could
    // not tell, and went on.
    let mut arrived = sorted(&ledger.taken);
    arrived.extend(sorted(&ledger.orphaned));
    arrived.sort_unstable();
    assert_eq!(arrived, everything);
    assert_eq!(
        tally.dropped(),
        everything.len(),
        "each message was dropped once"
    );
}
