//! Threads and tasks at once, each doing what its dice say, on several channels: the books balance.
//!
//! What the model checks step by step on one thread, this lets run: there is no order to compare with, so only what
//! holds in every order is checked. Each message that was to be sent is taken, once, although on its way it may time
//! out, lose in alternations, be sent ahead of the take, be handed back and be cancelled. What was sent ahead and is left
//! when all have gone is drained.

use std::{
    thread,
    time::{Duration, Instant},
};

use handover::{
    Receiver, Sender, channel,
    channel::{Held, Select, SendError, SendTimeoutError, TrySendError},
    select, select_async,
};

use crate::{
    script::{Books, Message, Place},
    seed,
};

const CHANNELS: usize = 3;

/// Parties of each kind, among threads and again among tasks.
const PARTIES: usize = 2;

const MESSAGES_EACH: usize = 1_500;

/// The whole takes about a second; a crowd that does not end in this time is stuck.
const PATIENCE: Duration = Duration::from_mins(1);

/// Xorshift: enough to choose between ways.
struct Dice(u64);

impl Dice {
    fn new(seed: u64, party: usize) -> Self {
        Self((seed ^ (party as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides
    }

    fn moment(&mut self) -> Duration {
        Duration::from_micros(self.roll(80) as u64)
    }
}

/// What a party works with.
#[derive(Clone)]
struct Crowd {
    books: Books,
    senders: Vec<Sender<Message>>,
    receivers: Vec<Receiver<Message>>,
}

impl Crowd {
    /// Only its sending ends, so that receivers hear when all senders have gone, and the other way round.
    fn sending(&self) -> Self {
        Self {
            receivers: Vec::new(),
            ..self.clone()
        }
    }

    fn receiving(&self) -> Self {
        Self {
            senders: Vec::new(),
            ..self.clone()
        }
    }

    fn take(&self, message: Message) {
        self.books.book(message, Place::Taken);
    }

    /// A message that was accepted is taken, or handed back to a sender that waits, or, if that has gone, taken all
    /// the same.
    fn answer(&self, held: Held<Message>, dice: &mut Dice) {
        if dice.roll(2) == 0 {
            self.take(held.release());
        } else if let Err(message) = held.hand_back() {
            // Its sender gave up, and its home is empty: nobody else has it.
            self.take(message);
        }
    }

    /// Grants a credit or two, or takes one back.
    fn grant(rx: &Receiver<Message>, dice: &mut Dice) {
        match dice.roll(4) {
            0 => {
                rx.revoke(1);
            }
            n => rx.grant(n - 1),
        }
    }

    fn sends_on_threads(&self, dice: &mut Dice) {
        for _ in 0..MESSAGES_EACH {
            let mut home = Some(self.books.message());
            while let Some(message) = home.take() {
                let (tx, other) = (
                    &self.senders[dice.roll(CHANNELS)],
                    &self.senders[dice.roll(CHANNELS)],
                );
                home = match dice.roll(5) {
                    0 => tx.send(message).err().map(SendError::into_inner),
                    1 => tx
                        .send_timeout(message, dice.moment())
                        .err()
                        .map(SendTimeoutError::into_inner),
                    2 => tx.try_send(message).err().map(TrySendError::into_inner),
                    3 => {
                        let mut offer = Some(message);
                        let mut none = None;
                        select! {
                            send(tx, &mut offer) -> _ => {}
                            send(other, &mut none) -> _ => panic!("there is nothing to send"),
                            after(dice.moment()) => {}
                        }
                        offer
                    }
                    _ => {
                        let mut offer = Some(message);
                        let select = Select::new().send(tx, &mut offer, |_| ());
                        let _ = select.block_timeout(dice.moment());
                        offer
                    }
                };
            }
        }
    }

    fn receives_on_threads(&self, dice: &mut Dice) {
        let mut open: Vec<_> = self.receivers.iter().collect();
        while !open.is_empty() {
            let at = dice.roll(open.len());
            let rx = open[at];
            match dice.roll(6) {
                5 => Self::grant(rx, dice),
                0 => {
                    let _ = rx
                        .recv_timeout(dice.moment())
                        .map(|message| self.take(message));
                }
                1 => {
                    let _ = rx.try_recv().map(|message| self.take(message));
                }
                2 => {
                    let mut select = Select::new();
                    for rx in &open {
                        select = select.recv(rx, Result::ok);
                    }
                    if let Some(message) = select.block() {
                        self.take(message);
                    }
                }
                3 if rx.is_disconnected() => {
                    open.remove(at);
                }
                3 => {
                    // A blocking accept would wait on this channel alone, which may be the last that has nothing.
                    let ready = select! {
                        recv(rx) -> message => message.ok(),
                        after(dice.moment()) => None,
                    };
                    if let Some(message) = ready {
                        self.take(message);
                    }
                }
                _ => {
                    let [first, last] = [open[0], open[open.len() - 1]];
                    let message = select! {
                        recv(first) -> message => message.ok(),
                        recv(last) -> message => message.ok(),
                    };
                    if let Some(message) = message {
                        self.take(message);
                    }
                }
            }
        }
    }

    /// Offers and asks at once, as two that face each other do.
    fn does_both_on_threads(&self, dice: &mut Dice) {
        for _ in 0..MESSAGES_EACH {
            let mut home = Some(self.books.message());
            while home.is_some() {
                let (tx, rx) = (
                    &self.senders[dice.roll(CHANNELS)],
                    &self.receivers[dice.roll(CHANNELS)],
                );
                select! {
                    recv(rx) -> message => message.into_iter().for_each(|message| self.take(message)),
                    send(tx, &mut home) -> _ => {}
                    after(dice.moment()) => {}
                }
            }
        }
    }

    async fn sends_in_tasks(self, mut dice: Dice) {
        for _ in 0..MESSAGES_EACH {
            let mut home = Some(self.books.message());
            while home.is_some() {
                let tx = &self.senders[dice.roll(CHANNELS)];
                match dice.roll(4) {
                    0 => {
                        let _ = tx.send_from(&mut home).await;
                    }
                    1 => {
                        let _ = tokio::time::timeout(dice.moment(), tx.send_from(&mut home)).await;
                    }
                    2 => {
                        let offer = async {
                            select_async! { send(tx, &mut home) -> _ => {} }
                        };
                        let _ = tokio::time::timeout(dice.moment(), offer).await;
                    }
                    _ => {
                        let _ = tokio::time::timeout(dice.moment(), tx.ready_async()).await;
                    }
                }
            }
        }
    }

    async fn receives_in_tasks(self, mut dice: Dice) {
        let mut open: Vec<_> = self.receivers.iter().collect();
        while !open.is_empty() {
            let at = dice.roll(open.len());
            let rx = open[at];
            match dice.roll(6) {
                5 => Self::grant(rx, &mut dice),
                0 if rx.is_disconnected() => {
                    open.remove(at);
                }
                0 | 1 => {
                    let received = tokio::time::timeout(dice.moment(), rx.recv_async()).await;
                    if let Ok(Ok(message)) = received {
                        self.take(message);
                    }
                }
                2 => {
                    let held = tokio::time::timeout(dice.moment(), rx.recv_held_async()).await;
                    if let Ok(Ok(held)) = held {
                        tokio::task::yield_now().await;
                        self.answer(held, &mut dice);
                    }
                }
                3 => {
                    let mut select = Select::new();
                    for rx in &open {
                        select = select.recv(rx, Result::ok);
                    }
                    if let Some(message) = select.wait().await {
                        self.take(message);
                    }
                }
                _ => {
                    let accepting = rx.accept_async(async |message: &mut Message| {
                        self.books.mark(message.number, Place::Taken);
                    });
                    let _ = tokio::time::timeout(dice.moment(), accepting).await;
                }
            }
        }
    }

    async fn does_both_in_tasks(self, mut dice: Dice) {
        for _ in 0..MESSAGES_EACH {
            let mut home = Some(self.books.message());
            while home.is_some() {
                let (tx, rx) = (
                    &self.senders[dice.roll(CHANNELS)],
                    &self.receivers[dice.roll(CHANNELS)],
                );
                let exchange = async {
                    select_async! {
                        recv(rx) -> message => message.ok(),
                        send(tx, &mut home) -> _ => None,
                    }
                };
                if let Ok(Some(message)) = tokio::time::timeout(dice.moment(), exchange).await {
                    self.take(message);
                }
            }
        }
    }
}

#[test]
fn a_crowd_of_threads_and_tasks_balances_its_books() {
    let seed = seed();
    println!("HANDOVER_SEED={seed}");
    let (senders, receivers) = (0..CHANNELS).map(|_| channel()).unzip();
    let books = Books::default();
    let all = Crowd {
        books: books.clone(),
        senders,
        receivers,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let (mut threads, mut tasks) = (Vec::new(), Vec::new());
    for party in 0..PARTIES {
        let dice = move |kind| Dice::new(seed, party * 6 + kind);
        let (sending, receiving, both) = (all.sending(), all.receiving(), all.clone());
        threads.push(thread::spawn(move || {
            sending.sends_on_threads(&mut dice(0));
            drop((both.does_both_on_threads(&mut dice(1)), both));
        }));
        threads.push(thread::spawn(move || {
            receiving.receives_on_threads(&mut dice(2));
        }));
        tasks.push(runtime.spawn(all.sending().sends_in_tasks(dice(3))));
        tasks.push(runtime.spawn(all.receiving().receives_in_tasks(dice(4))));
        tasks.push(runtime.spawn(all.clone().does_both_in_tasks(dice(5))));
    }
    // These are no ends.
    let remaining: Vec<_> = all.senders.iter().map(Sender::take_remaining).collect();
    drop(all);
    let deadline = Instant::now() + PATIENCE;
    let ended = || {
        threads.iter().all(thread::JoinHandle::is_finished)
            && tasks.iter().all(tokio::task::JoinHandle::is_finished)
    };
    while !ended() {
        assert!(Instant::now() < deadline, "somebody is stuck");
        thread::sleep(Duration::from_millis(1));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    for message in remaining.into_iter().flatten() {
        books.book(message, Place::Drained);
    }
    books.close();
    assert_eq!(books.count(), PARTIES * 4 * MESSAGES_EACH);
    for number in 0..books.count() {
        let place = books.place(number);
        let arrived = matches!(place, Place::Taken | Place::Drained);
        assert!(arrived, "message {number} is {place:?}");
    }
}
