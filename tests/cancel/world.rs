//! The channel on which a subject stands, and its peers, who do what a script says.

mod afterwards;
mod blocked;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use handover::{
    Receiver, Sender, channel,
    channel::{Held, Remaining},
};

pub(crate) use self::blocked::Blocked;
use self::blocked::block_a_thread;
use crate::{
    script::{Books, Message, Place, Task},
    subject::{self, Ending, Subject},
};

/// How long the test waits for a thread that should end at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Rounds of polling whoever was woken; more would mean that tasks wake each other for ever.
const ROUNDS_MAX: usize = 1_000;

/// What a peer does; nothing, where the channel has no such peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A task begins to send.
    SendBegins,
    /// A task begins to receive.
    RecvBegins,
    /// A task begins to receive into custody.
    HoldBegins,
    /// Whoever of the peers was woken looks.
    PollWoken,
    /// The peer that waited longest gives up.
    DropOldest,
    TryRecv,
    TrySend,
    /// A task begins to send on the other channel of an alternation.
    SendElsewhere,
    /// The oldest message in custody is taken.
    Release,
    HandBack,
    Doubt,
    Poison,
    /// One credit.
    Grant,
    /// One credit, if it is unused.
    Revoke,
    /// Every sender that is not the subject's goes.
    CloseSenders,
    /// Every receiver that is not the subject's goes.
    CloseReceivers,
}

impl Step {
    pub(crate) const ALL: [Self; 16] = [
        Self::SendBegins,
        Self::RecvBegins,
        Self::HoldBegins,
        Self::PollWoken,
        Self::DropOldest,
        Self::TryRecv,
        Self::TrySend,
        Self::SendElsewhere,
        Self::Release,
        Self::HandBack,
        Self::Doubt,
        Self::Poison,
        Self::Grant,
        Self::Revoke,
        Self::CloseSenders,
        Self::CloseReceivers,
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Sending,
    Receiving,
    /// On the other channel: nobody but an alternation meets it.
    Elsewhere,
}

struct Peer {
    side: Side,
    /// The message that it sends.
    number: Option<usize>,
    task: Task<Ending>,
    done: bool,
}

pub(crate) struct World {
    books: Books,
    tx: Option<Sender<Message>>,
    rx: Option<Receiver<Message>>,
    other_tx: Sender<Message>,
    other_rx: Receiver<Message>,
    peers: Vec<Peer>,
    held: Arc<Mutex<Vec<Held<Message>>>>,
    thread: Option<JoinHandle<()>>,
    /// Whether the thread takes a message.
    thread_takes: bool,
    /// The subject's message.
    own: Option<usize>,
    resolved: bool,
    sent: Vec<usize>,
    failed: Vec<usize>,
    /// Messages whose acceptor said that nobody can know.
    doubted: HashSet<usize>,
    /// Messages whose acceptor said so, and that it kept, because no sender waited.
    kept_in_doubt: HashSet<usize>,
    /// Messages whose sender gave up.
    given_up: HashSet<usize>,
    poisoned: bool,
    /// Credits that were not revoked.
    granted: usize,
    /// What was sent within credit and nobody took. It does not count as an end.
    remaining: Remaining<Message>,
}

impl World {
    pub(crate) fn new(blocked: Option<Blocked>) -> Self {
        let (tx, rx) = channel();
        let (other_tx, other_rx) = channel();
        let books = Books::default();
        let remaining = tx.take_remaining();
        let thread = blocked.map(|blocked| block_a_thread(blocked, &tx, &rx, &books));
        Self {
            books,
            tx: Some(tx),
            rx: Some(rx),
            other_tx,
            other_rx,
            peers: Vec::new(),
            held: Arc::default(),
            thread,
            thread_takes: matches!(blocked, Some(Blocked::Receiving | Blocked::Accepting)),
            own: None,
            resolved: false,
            sent: Vec::new(),
            failed: Vec::new(),
            doubted: HashSet::new(),
            kept_in_doubt: HashSet::new(),
            given_up: HashSet::new(),
            poisoned: false,
            granted: 0,
            remaining,
        }
    }

    /// The future that will be dropped.
    pub(crate) fn subject(&mut self, subject: Subject) -> Task<Ending> {
        use Subject::{
            Accept, Merged, Ready, ReceiverClosed, Recv, RecvHeld, RecvTimeout, SelectBoth,
            SelectRecv, SelectSend, SenderClosed, StreamNext, WaitBoth, WaitRecv, WaitSend,
        };
        let books = self.books.clone();
        let tx = self.tx.clone().unwrap();
        let rx = self.rx.clone().unwrap();
        let other_rx = self.other_rx.clone();
        let mut message = || {
            let message = self.books.message();
            self.own = Some(message.number);
            message
        };
        let mut task = match subject {
            Recv | RecvTimeout | RecvHeld | Accept | StreamNext | ReceiverClosed => {
                Task::new(subject::receive(subject, rx, books))
            }
            Ready | SenderClosed => Task::new(subject::watch(subject, tx)),
            SelectRecv | WaitRecv | Merged => {
                Task::new(subject::select_recv(subject, rx, other_rx, books))
            }
            SelectSend | WaitSend => Task::new(subject::select_send(
                subject,
                tx,
                None,
                other_rx,
                message(),
                books,
            )),
            SelectBoth | WaitBoth => Task::new(subject::select_send(
                subject,
                tx,
                Some(rx),
                other_rx,
                message(),
                books,
            )),
            _ => Task::new(subject::send(subject, tx, message(), books)),
        };
        assert!(task.poll().is_none(), "it is armed");
        task
    }

    pub(crate) fn poll_subject(&mut self, task: &mut Task<Ending>) {
        if let Some(ending) = task.poll() {
            self.resolved = true;
            self.note(self.own, ending);
        }
    }

    fn note(&mut self, number: Option<usize>, ending: Ending) {
        match (ending, number) {
            (Ending::Sent, Some(number)) => self.sent.push(number),
            (Ending::Failed, Some(number)) => self.failed.push(number),
            _ => {}
        }
    }

    pub(crate) fn perform(&mut self, step: Step) {
        match step {
            Step::SendBegins => self.begin_send(),
            Step::RecvBegins => self.begin_receive(),
            Step::HoldBegins => self.begin_hold(),
            Step::PollWoken => self.settle(),
            Step::DropOldest => {
                if !self.peers.is_empty() {
                    let peer = self.peers.remove(0);
                    self.given_up.extend(peer.number);
                }
            }
            Step::TryRecv => {
                if let Some(Ok(message)) = self.rx.as_ref().map(Receiver::try_recv) {
                    self.books.book(message, Place::Taken);
                }
            }
            Step::TrySend => self.try_send(),
            Step::SendElsewhere => {
                let (tx, message) = (self.other_tx.clone(), self.books.message());
                self.begin(Side::Elsewhere, tx, message);
            }
            Step::Release | Step::HandBack | Step::Doubt => self.answer(step),
            Step::Poison => {
                if let Some(rx) = &self.rx {
                    self.poisoned |= rx.poison("so says the script");
                }
            }
            Step::Grant => {
                if let Some(rx) = &self.rx {
                    rx.grant(1);
                    self.granted += 1;
                }
            }
            Step::Revoke => {
                if let Some(rx) = &self.rx {
                    self.granted -= rx.revoke(1);
                }
            }
            Step::CloseSenders => {
                self.tx = None;
                self.send_away(Side::Sending);
            }
            Step::CloseReceivers => {
                self.rx = None;
                self.send_away(Side::Receiving);
            }
        }
    }

    fn send_away(&mut self, side: Side) {
        self.given_up.extend(
            self.peers
                .iter()
                .filter(|peer| peer.side == side)
                .filter_map(|peer| peer.number),
        );
        self.peers.retain(|peer| peer.side != side);
    }

    fn begin_send(&mut self) {
        if let Some(tx) = self.tx.clone() {
            let message = self.books.message();
            self.begin(Side::Sending, tx, message);
        }
    }

    fn begin(&mut self, side: Side, tx: Sender<Message>, message: Message) {
        let number = Some(message.number);
        let books = self.books.clone();
        let send = subject::send(Subject::SendFrom, tx, message, books);
        self.begin_peer(side, number, Task::new(send));
    }

    fn begin_receive(&mut self) {
        if let Some(rx) = self.rx.clone() {
            let books = self.books.clone();
            let receive = subject::receive(Subject::Recv, rx, books);
            self.begin_peer(Side::Receiving, None, Task::new(receive));
        }
    }

    fn begin_hold(&mut self) {
        if let Some(rx) = self.rx.clone() {
            let held = Arc::clone(&self.held);
            let hold = async move {
                if let Ok(message) = subject::armed(rx.recv_held_async()).await {
                    held.lock().unwrap().push(message);
                }
                Ending::NoSend
            };
            self.begin_peer(Side::Receiving, None, Task::new(hold));
        }
    }

    fn begin_peer(&mut self, side: Side, number: Option<usize>, task: Task<Ending>) {
        let mut peer = Peer {
            side,
            number,
            task,
            done: false,
        };
        assert!(peer.task.poll().is_none(), "it is armed");
        self.peers.push(peer);
        self.poll_peer(self.peers.len() - 1);
    }

    fn poll_peer(&mut self, at: usize) {
        let peer = &mut self.peers[at];
        if let Some(ending) = peer.task.poll() {
            peer.done = true;
            let number = peer.number;
            self.note(number, ending);
        }
    }

    fn try_send(&mut self) {
        let Some(tx) = &self.tx else { return };
        let message = self.books.message();
        let number = message.number;
        match tx.try_send(message) {
            Ok(()) => {
                assert!(
                    self.thread.is_some() || self.granted > 0,
                    "a try_send never meets a future"
                );
                self.sent.push(number);
            }
            Err(error) => self.books.book(error.into_inner(), Place::Home),
        }
    }

    /// Answers for the oldest message in custody.
    fn answer(&mut self, step: Step) {
        let mut all = self.held.lock().unwrap();
        if all.is_empty() {
            return;
        }
        let held = all.remove(0);
        drop(all);
        let number = held.number;
        let kept = match step {
            Step::Release => {
                self.books.book(held.release(), Place::Taken);
                return;
            }
            Step::Doubt => {
                let kept = held.in_doubt();
                if kept.is_ok() {
                    self.doubted.insert(number);
                } else {
                    self.kept_in_doubt.insert(number);
                }
                kept
            }
            _ => held.hand_back(),
        };
        if let Err(message) = kept {
            self.books.book(message, Place::Kept);
        }
    }

    /// Whoever of the peers was woken looks, until nobody is.
    pub(crate) fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let Some(at) = self.peers.iter().position(|peer| peer.task.is_woken()) else {
                self.peers.retain(|peer| !peer.done);
                return;
            };
            self.poll_peer(at);
        }
        panic!("they wake each other for ever");
    }

    fn waiting(&self, side: Side) -> usize {
        let held: Vec<_> = self
            .held
            .lock()
            .unwrap()
            .iter()
            .map(|held| held.number)
            .collect();
        self.peers
            .iter()
            .filter(|peer| peer.side == side && !peer.done)
            .filter(|peer| peer.number.is_none_or(|number| !held.contains(&number)))
            .count()
    }
}
