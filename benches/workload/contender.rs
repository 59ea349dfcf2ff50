//! Every channel that is measured, behind one interface, so that all of them run the same work.

use std::future::Future;

/// A message of a known size that carries its number, so that the receiver can check order and completeness.
pub trait Message: Send + Sync + 'static {
    /// For the tables.
    const SIZE: &'static str;
    /// The message with this number.
    fn numbered(number: u64) -> Self;
    /// Which one it is.
    fn number(&self) -> u64;
}

impl Message for u64 {
    const SIZE: &'static str = "8 B";
    fn numbered(number: u64) -> Self {
        number
    }
    fn number(&self) -> u64 {
        *self
    }
}

impl Message for [u64; 32] {
    const SIZE: &'static str = "256 B";
    fn numbered(number: u64) -> Self {
        [number; 32]
    }
    fn number(&self) -> u64 {
        self[31]
    }
}

/// A channel, at its least capacity.
pub trait Contender {
    /// For the tables: the constructor and the least capacity that the channel offers.
    const NAME: &'static str;
    /// The crate that it is from, or `std`.
    const CRATE: &'static str;
    /// The sending end.
    type Tx<M: Message>: Send + Sync + 'static;
    /// The receiving end.
    type Rx<M: Message>: Send + 'static;
}

/// What a thread does with a channel. A failure panics, in all of them alike.
pub trait Blocking: Contender {
    /// Both ends.
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>);
    /// Blocks until the channel says that it was sent.
    fn send<M: Message>(tx: &Self::Tx<M>, message: M);
    /// Blocks until there is a message.
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M;
}

/// What a task does with a channel. A failure panics, in all of them alike.
pub trait Tasks: Contender {
    /// Both ends.
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>);
    /// Resolves when the channel says that it was sent.
    fn send<M: Message>(tx: &Self::Tx<M>, message: M) -> impl Future<Output = ()> + Send;
    /// Resolves to a message.
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> impl Future<Output = M> + Send;
}

const PEER_GONE: &str = "both ends live until the count is reached";

/// `handover::channel()`.
pub struct Handover;

impl Contender for Handover {
    const NAME: &'static str = "handover";
    const CRATE: &'static str = "handover";
    type Tx<M: Message> = handover::Sender<M>;
    type Rx<M: Message> = handover::Receiver<M>;
}

impl Blocking for Handover {
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        handover::channel()
    }
    fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        tx.send(message).expect(PEER_GONE);
    }
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv().expect(PEER_GONE)
    }
}

impl Tasks for Handover {
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        handover::channel()
    }
    async fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        tx.send_async(message).await.expect(PEER_GONE);
    }
    async fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv_async().await.expect(PEER_GONE)
    }
}

/// `std::sync::mpsc::sync_channel(0)`.
pub struct Std;

impl Contender for Std {
    const NAME: &'static str = "std sync_channel(0)";
    const CRATE: &'static str = "std";
    type Tx<M: Message> = std::sync::mpsc::SyncSender<M>;
    type Rx<M: Message> = std::sync::mpsc::Receiver<M>;
}

impl Blocking for Std {
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        std::sync::mpsc::sync_channel(0)
    }
    fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        tx.send(message).expect(PEER_GONE);
    }
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv().expect(PEER_GONE)
    }
}

/// `crossbeam_channel::bounded(0)`.
pub struct Crossbeam;

impl Contender for Crossbeam {
    const NAME: &'static str = "crossbeam bounded(0)";
    const CRATE: &'static str = "crossbeam-channel";
    type Tx<M: Message> = crossbeam_channel::Sender<M>;
    type Rx<M: Message> = crossbeam_channel::Receiver<M>;
}

impl Blocking for Crossbeam {
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        crossbeam_channel::bounded(0)
    }
    fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        tx.send(message).expect(PEER_GONE);
    }
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv().expect(PEER_GONE)
    }
}

/// `flume::bounded(0)`.
pub struct Flume;

impl Contender for Flume {
    const NAME: &'static str = "flume bounded(0)";
    const CRATE: &'static str = "flume";
    type Tx<M: Message> = flume::Sender<M>;
    type Rx<M: Message> = flume::Receiver<M>;
}

impl Blocking for Flume {
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        flume::bounded(0)
    }
    fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        tx.send(message).expect(PEER_GONE);
    }
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv().expect(PEER_GONE)
    }
}

impl Tasks for Flume {
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        flume::bounded(0)
    }
    async fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        tx.send_async(message).await.expect(PEER_GONE);
    }
    async fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv_async().await.expect(PEER_GONE)
    }
}

/// `kanal::bounded(0)`.
pub struct Kanal;

impl Contender for Kanal {
    const NAME: &'static str = "kanal bounded(0)";
    const CRATE: &'static str = "kanal";
    type Tx<M: Message> = kanal::Sender<M>;
    type Rx<M: Message> = kanal::Receiver<M>;
}

impl Blocking for Kanal {
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        kanal::bounded(0)
    }
    fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        tx.send(message).expect(PEER_GONE);
    }
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv().expect(PEER_GONE)
    }
}

/// `kanal::bounded_async(0)`.
pub struct KanalAsync;

impl Contender for KanalAsync {
    const NAME: &'static str = "kanal bounded_async(0)";
    const CRATE: &'static str = "kanal";
    type Tx<M: Message> = kanal::AsyncSender<M>;
    type Rx<M: Message> = kanal::AsyncReceiver<M>;
}

impl Tasks for KanalAsync {
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        kanal::bounded_async(0)
    }
    async fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        tx.send(message).await.expect(PEER_GONE);
    }
    async fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv().await.expect(PEER_GONE)
    }
}

/// `tokio::sync::mpsc::channel(1)`: a buffer of one, the least that it offers.
pub struct Tokio;

impl Contender for Tokio {
    const NAME: &'static str = "tokio mpsc(1) (a buffer of one)";
    const CRATE: &'static str = "tokio";
    type Tx<M: Message> = tokio::sync::mpsc::Sender<M>;
    type Rx<M: Message> = tokio::sync::mpsc::Receiver<M>;
}

impl Blocking for Tokio {
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        tokio::sync::mpsc::channel(1)
    }
    fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        assert!(tx.blocking_send(message).is_ok(), "{PEER_GONE}");
    }
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.blocking_recv().expect(PEER_GONE)
    }
}

impl Tasks for Tokio {
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>) {
        tokio::sync::mpsc::channel(1)
    }
    async fn send<M: Message>(tx: &Self::Tx<M>, message: M) {
        assert!(tx.send(message).await.is_ok(), "{PEER_GONE}");
    }
    async fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M {
        rx.recv().await.expect(PEER_GONE)
    }
}
