//! What a channel must be able to do to take part, so that all of them run the same work.

use std::future::Future;

/// A message of a known size that carries its number, so that the receiver can check order and completeness.
pub trait Message: Send + Sync + Unpin + 'static {
    /// For the names of rows.
    const SIZE: &'static str;
    /// The message with this number.
    fn numbered(number: u64) -> Self;
    /// Which one it is.
    fn number(&self) -> u64;
}

impl Message for u64 {
    const SIZE: &'static str = "8B";
    fn numbered(number: u64) -> Self {
        number
    }
    fn number(&self) -> u64 {
        *self
    }
}

impl<const WORDS: usize> Message for [u64; WORDS] {
    const SIZE: &'static str = match WORDS {
        32 => "256B",
        512 => "4KiB",
        _ => panic!("no row has messages of this size"),
    };
    fn numbered(number: u64) -> Self {
        [number; WORDS]
    }
    fn number(&self) -> u64 {
        self[WORDS - 1]
    }
}

/// A channel of one capacity.
pub trait Contender: 'static {
    /// How it is called in tables and options, without its capacity.
    const NAME: &'static str;
    /// How many messages it holds; `None` where a channel can have no buffer.
    const CAPACITY: Option<usize>;
    /// The crate that it is from, or `std`.
    const CRATE: &'static str;
}

/// What threads do with a channel. A failure panics, in all of them alike.
pub trait Blocking: Contender {
    /// The sending end.
    type Tx<M: Message>: Clone + Send + 'static;
    /// The receiving end.
    type Rx<M: Message>: Send + 'static;
    /// Both ends.
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>);
    /// Blocks until the channel says that it was sent.
    fn send<M: Message>(tx: &Self::Tx<M>, message: M);
    /// Blocks until there is a message.
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> M;
}

/// A channel that several threads can receive from.
pub trait BlockingFanOut: Blocking {
    /// One more receiver.
    fn another<M: Message>(rx: &Self::Rx<M>) -> Self::Rx<M>;
}

/// A channel with a blocking alternation. Each waits as often as told, and gives `each` the index of the channel
/// and the message.
pub trait BlockingSelect: Blocking {
    /// Over four channels.
    fn select_4<M: Message>(ends: &mut [Self::Rx<M>; 4], count: u64, each: impl FnMut(usize, M));
    /// Over sixteen channels.
    fn select_16<M: Message>(ends: &mut [Self::Rx<M>; 16], count: u64, each: impl FnMut(usize, M));
}

/// What tasks do with a channel. A failure panics, in all of them alike.
pub trait Tasks: Contender {
    /// The sending end.
    type Tx<M: Message>: Clone + Send + Sync + 'static;
    /// The receiving end.
    type Rx<M: Message>: Send + 'static;
    /// Both ends.
    fn pair<M: Message>() -> (Self::Tx<M>, Self::Rx<M>);
    /// Resolves when the channel says that it was sent.
    fn send<M: Message>(tx: &Self::Tx<M>, message: M) -> impl Future<Output = ()> + Send;
    /// Resolves to a message.
    fn recv<M: Message>(rx: &mut Self::Rx<M>) -> impl Future<Output = M> + Send;

    /// Waits as often as told on four channels, and gives `each` the index of the channel and the message. As
    /// people do it where a channel brings no alternation: with `tokio::select!`.
    fn select_4<M: Message>(
        ends: &mut [Self::Rx<M>; 4],
        count: u64,
        mut each: impl FnMut(usize, M) + Send,
    ) -> impl Future<Output = ()> + Send {
        async move {
            let [a, b, c, d] = ends;
            for _ in 0..count {
                let (index, message) = tokio::select! {
                    message = Self::recv(a) => (0, message),
                    message = Self::recv(b) => (1, message),
                    message = Self::recv(c) => (2, message),
                    message = Self::recv(d) => (3, message),
                };
                each(index, message);
            }
        }
    }

    /// The same over sixteen channels.
    fn select_16<M: Message>(
        ends: &mut [Self::Rx<M>; 16],
        count: u64,
        mut each: impl FnMut(usize, M) + Send,
    ) -> impl Future<Output = ()> + Send {
        async move {
            let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = ends;
            for _ in 0..count {
                let (index, message) = tokio::select! {
                    message = Self::recv(a) => (0, message),
                    message = Self::recv(b) => (1, message),
                    message = Self::recv(c) => (2, message),
                    message = Self::recv(d) => (3, message),
                    message = Self::recv(e) => (4, message),
                    message = Self::recv(f) => (5, message),
                    message = Self::recv(g) => (6, message),
                    message = Self::recv(h) => (7, message),
                    message = Self::recv(i) => (8, message),
                    message = Self::recv(j) => (9, message),
                    message = Self::recv(k) => (10, message),
                    message = Self::recv(l) => (11, message),
                    message = Self::recv(m) => (12, message),
                    message = Self::recv(n) => (13, message),
                    message = Self::recv(o) => (14, message),
                    message = Self::recv(p) => (15, message),
                };
                each(index, message);
            }
        }
    }
}

/// A channel that several tasks can receive from.
pub trait TasksFanOut: Tasks {
    /// One more receiver.
    fn another<M: Message>(rx: &Self::Rx<M>) -> Self::Rx<M>;
}

/// Why no operation of a measured channel may fail.
pub(super) const PEER_GONE: &str = "both ends live until the count is reached";
