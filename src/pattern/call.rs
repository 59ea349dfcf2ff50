//! Request and reply: a typed call from a client to a server.
//!
//! A call is one *extended rendezvous*. The question goes to the server in custody, the caller goes on waiting, and
//! the answer is handed back into the very place that the question came from. So there is no reply channel, the
//! answer needs no buffer, and replying never blocks.

use std::{
    fmt,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use pin_project_lite::pin_project;
use thiserror::Error;

use crate::{
    channel::{Held, Reason, Receiver, RecvError, SendError, SendFuture, Sender, channel},
    sync::{drive, time},
};

/// What travels: to the server as a question, and back as an answer.
enum Exchange<Q, A> {
    Question(Q),
    /// The server has taken the question out.
    Empty,
    Answer(A),
}

/// Makes a typed request/reply pair: clients [`call`](Client::call), servers answer.
///
/// Both ends can be cloned, for any number of clients and servers; each question is taken by one server. A call
/// allocates once, when it is taken.
///
/// ```
/// use handover::pattern::request_reply;
///
/// let (client, server) = request_reply::<&str, usize>();
/// let serving = std::thread::spawn(move || server.serve(|word| word.len()));
/// assert_eq!(client.call("rendezvous")?, 10);
/// drop(client); // the last one: the server ends
/// # assert!(serving.join().is_ok());
/// # Ok::<(), handover::pattern::CallError<&str>>(())
/// ```
///
/// # Deadlock
///
/// A caller waits for its server, so servers that call each other *in a cycle* can wait for each other for ever.
/// The rule that excludes it: give the servers an order, and let each call only those that stand below it. A
/// network of clients and servers without a cycle of "is client of", in which every server answers each
/// question that it took, has no deadlock (J. M. R. Martin and P. H. Welch, *A Design Strategy for Deadlock-Free
/// Concurrent Systems*, Transputer Communications 3(4), 1997; the channels are those of C. A. R. Hoare,
/// *Communicating Sequential Processes*, 1978). A server may be a client of those below it in the middle of an
/// answer.
///
/// This is the cycle. Each server waits for the other in the middle of its answer, neither is at
/// [`Server::next`], and with nothing queued anywhere that shows at the first call, not under load:
///
/// ```no_run
/// use std::thread;
///
/// use handover::pattern::request_reply;
///
/// let (left, left_server) = request_reply::<u32, u32>();
/// let (right, right_server) = request_reply::<u32, u32>();
/// let to_left = left.clone();
/// thread::spawn(move || left_server.serve(|n| right.call(n).unwrap_or(0)));
/// thread::spawn(move || right_server.serve(|n| to_left.call(n).unwrap_or(0)));
/// let _ = left.call(1); // never returns
/// ```
///
/// Where such a cycle cannot be ruled out, [`Client::call_timeout`] ends it, and each server can lend its hand to
/// others while it waits by holding several [`Request`]s at once.
#[must_use]
pub fn request_reply<Q, A>() -> (Client<Q, A>, Server<Q, A>) {
    let (sender, receiver) = channel();
    (
        Client { questions: sender },
        Server {
            questions: receiver,
        },
    )
}

/// The end that asks. Made by [`request_reply`]; clone it for more clients.
pub struct Client<Q, A> {
    questions: Sender<Exchange<Q, A>>,
}

impl<Q, A> Client<Q, A> {
    /// Asks, blocking the thread until a server has answered.
    ///
    /// # Errors
    ///
    /// [`CallError`], with the question where it was not used up.
    pub fn call(&self, question: Q) -> Result<A, CallError<Q>> {
        answer_in(self.questions.send(Exchange::Question(question)))
    }

    /// Asks, blocking the thread for at most `timeout`.
    ///
    /// Unlike that of [`Sender::send_timeout`](crate::channel::Sender::send_timeout), the time goes on after a server
    /// has taken the question.
    ///
    /// # Errors
    ///
    /// [`CallError`]; [`CallError::Timeout`] says whether a server has the question.
    pub fn call_timeout(&self, question: Q, timeout: Duration) -> Result<A, CallError<Q>> {
        // `None`, which waits for ever, if the clock cannot tell that far ahead.
        self.call_until(question, time::now().checked_add(timeout))
    }

    /// Asks, blocking the thread until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As for [`call_timeout`](Self::call_timeout).
    pub fn call_deadline(&self, question: Q, deadline: Instant) -> Result<A, CallError<Q>> {
        self.call_until(question, Some(deadline))
    }

    fn call_until(&self, question: Q, deadline: Option<Instant>) -> Result<A, CallError<Q>> {
        let mut call = pin!(self.call_async(question));
        match drive(call.as_mut(), deadline) {
            Some(outcome) => outcome,
            None => match call.withdraw() {
                Withdrawn::Question(question) => Err(CallError::Timeout(Some(question))),
                Withdrawn::Taken => Err(CallError::Timeout(None)),
                // It came at the last moment.
                Withdrawn::Answer(answer) => Ok(answer),
            },
        }
    }

    /// Asks without blocking the thread, on any executor.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// Dropped before a server has taken the question, the call never happened. Dropped while a server has it, the
    /// server goes on, and its answer comes back to it ([`Reply::send`] fails). Dropped after the server has
    /// answered and before the future was polled again, the answer is dropped with it. Where that matters, ask with
    /// [`CallFuture::withdraw`] which of the three it was: the question or the answer comes back then.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it has resolved.
    pub fn call_async(&self, question: Q) -> CallFuture<'_, Q, A> {
        CallFuture {
            exchange: self.questions.send_async(Exchange::Question(question)),
        }
    }

    /// Poisons the channel between clients and servers; see [`Sender::poison`]. Questions that a server has in hand
    /// can still be answered.
    pub fn poison(&self, reason: impl Into<Reason>) -> bool {
        self.questions.poison(reason)
    }

    /// Whether every server is gone.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.questions.is_disconnected()
    }
}

/// What came back into the place of the question.
fn answer_in<Q, A>(outcome: Result<(), SendError<Exchange<Q, A>>>) -> Result<A, CallError<Q>> {
    match outcome {
        Err(SendError::Returned(Exchange::Answer(answer))) => Ok(answer),
        Err(SendError::Returned(Exchange::Question(question))) => {
            Err(CallError::Unanswered(Some(question)))
        }
        Err(SendError::Disconnected(Exchange::Question(question))) => {
            Err(CallError::Disconnected(question))
        }
        Err(SendError::Poisoned(Exchange::Question(question), reason)) => {
            Err(CallError::Poisoned(question, reason))
        }
        Err(_) => Err(CallError::Unanswered(None)),
        Ok(()) => unreachable!("a request is only ever handed back"),
    }
}

impl<Q, A> Clone for Client<Q, A> {
    fn clone(&self) -> Self {
        Self {
            questions: self.questions.clone(),
        }
    }
}

impl<Q, A> fmt::Debug for Client<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

pin_project! {
    /// A call under way; see [`Client::call_async`].
    #[must_use = "a future asks nothing unless it is polled"]
    pub struct CallFuture<'a, Q, A> {
        #[pin]
        exchange: SendFuture<'a, Exchange<Q, A>>,
    }
}

impl<Q, A> CallFuture<'_, Q, A> {
    /// Gives the call up, and says how far it had come. The future must not be polled again.
    pub fn withdraw(self: Pin<&mut Self>) -> Withdrawn<Q, A> {
        match self.project().exchange.withdraw() {
            Some(Exchange::Question(question)) => Withdrawn::Question(question),
            Some(Exchange::Answer(answer)) => Withdrawn::Answer(answer),
            Some(Exchange::Empty) | None => Withdrawn::Taken,
        }
    }
}

impl<Q, A> Future for CallFuture<'_, Q, A> {
    type Output = Result<A, CallError<Q>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(answer_in(ready!(self.project().exchange.poll(context))))
    }
}

impl<Q, A> fmt::Debug for CallFuture<'_, Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").finish_non_exhaustive()
    }
}

/// How far a call had come that was given up; see [`CallFuture::withdraw`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the question or the answer may be in it"]
pub enum Withdrawn<Q, A> {
    /// No server has the question, and none will: here it is.
    Question(Q),
    /// A server took the question. If it still works on it, its answer comes back to it; if the future had resolved,
    /// that was its result.
    Taken,
    /// The server had answered.
    Answer(A),
}

/// Why a call has no answer.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallError<Q> {
    /// Every server is gone; nobody took the question.
    #[error("nobody can answer: every server is gone")]
    Disconnected(Q),
    /// The channel between clients and servers was poisoned; nobody took the question.
    #[error("nobody can answer: the channel was poisoned: {1}")]
    Poisoned(Q, Reason),
    /// A server took the question and let it go without an answer: it declined, ended or panicked. The question
    /// comes back unless the server had used it up.
    #[error("the server let the question go without an answer")]
    Unanswered(Option<Q>),
    /// There was no answer in time. The question comes back if no server has it, and then the call never happened;
    /// without it, a server still works on it, and its answer will come back to that server.
    #[error("there was no answer in time")]
    Timeout(Option<Q>),
}

impl<Q> CallError<Q> {
    /// The question, where it was not used up.
    pub fn into_question(self) -> Option<Q> {
        match self {
            Self::Disconnected(question) | Self::Poisoned(question, _) => Some(question),
            Self::Unanswered(question) | Self::Timeout(question) => question,
        }
    }

    /// Whether every server is gone, so that no later call can succeed either.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }
}

// The question need not be printable, so it is left out.
impl<Q> fmt::Debug for CallError<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected(_) => "Disconnected(..)",
            Self::Poisoned(_, reason) => return write!(f, "Poisoned(.., {reason:?})"),
            Self::Unanswered(Some(_)) => "Unanswered(Some(..))",
            Self::Unanswered(None) => "Unanswered(None)",
            Self::Timeout(Some(_)) => "Timeout(Some(..))",
            Self::Timeout(None) => "Timeout(None)",
        })
    }
}

/// The end that answers. Made by [`request_reply`]; clone it for more servers.
///
/// When the last server is dropped, waiting and later calls fail with their questions.
pub struct Server<Q, A> {
    questions: Receiver<Exchange<Q, A>>,
}

impl<Q, A> Server<Q, A> {
    /// Answers one question after the other with `answer`, blocking the thread, until every client is gone
    /// or the channel is poisoned; returns which.
    ///
    /// If a caller has gone meanwhile, its answer is dropped; use [`next`](Self::next) where that must not be.
    ///
    /// # Panics
    ///
    /// If `answer` panics, its caller gets [`CallError::Unanswered`] before the panic goes on.
    pub fn serve(&self, mut answer: impl FnMut(Q) -> A) -> RecvError {
        loop {
            match self.next() {
                Ok(request) => {
                    let (question, reply) = request.into_parts();
                    drop(reply.send(answer(question)));
                }
                Err(ended) => return ended,
            }
        }
    }

    /// As [`serve`](Self::serve), without blocking the thread. One question is answered at a time: while `answer`
    /// waits, other callers wait too, unless there are more servers.
    ///
    /// # Cancel safety
    ///
    /// Dropped while `answer` runs, its caller gets [`CallError::Unanswered`].
    pub async fn serve_async(&self, mut answer: impl AsyncFnMut(Q) -> A) -> RecvError {
        loop {
            match self.next_async().await {
                Ok(request) => {
                    let (question, reply) = request.into_parts();
                    drop(reply.send(answer(question).await));
                }
                Err(ended) => return ended,
            }
        }
    }

    /// Takes a request, blocking the thread until there is one. Many may be in hand at once, and be answered in any
    /// order.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every client is gone, or the channel is poisoned.
    pub fn next(&self) -> Result<Request<Q, A>, RecvError> {
        self.questions.recv_held().map(Request::new)
    }

    /// As [`next`](Self::next), without blocking the thread.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every client is gone, or the channel is poisoned.
    ///
    /// # Cancel safety
    ///
    /// A request is taken only by the `poll` that returns it.
    pub async fn next_async(&self) -> Result<Request<Q, A>, RecvError> {
        self.questions.recv_held_async().await.map(Request::new)
    }

    /// Poisons the channel between clients and servers; see [`Client::poison`].
    pub fn poison(&self, reason: impl Into<Reason>) -> bool {
        self.questions.poison(reason)
    }
}

impl<Q, A> Clone for Server<Q, A> {
    fn clone(&self) -> Self {
        Self {
            questions: self.questions.clone(),
        }
    }
}

impl<Q, A> fmt::Debug for Server<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// A question in a server's hand, whose caller waits.
///
/// Dropping it lets the caller go without an answer, and with its question: [`CallError::Unanswered`].
#[must_use = "dropping it leaves the caller without an answer"]
pub struct Request<Q, A> {
    held: Held<Exchange<Q, A>>,
}

impl<Q, A> Request<Q, A> {
    fn new(held: Held<Exchange<Q, A>>) -> Self {
        Self { held }
    }

    /// What is asked.
    #[must_use]
    pub fn question(&self) -> &Q {
        match &*self.held {
            Exchange::Question(question) => question,
            _ => unreachable!("the question is here until the request is taken apart"),
        }
    }

    /// The question, and what it is answered with.
    #[must_use = "dropping the reply leaves the caller without an answer"]
    pub fn into_parts(mut self) -> (Q, Reply<Q, A>) {
        match std::mem::replace(&mut *self.held, Exchange::Empty) {
            Exchange::Question(question) => (question, Reply { held: self.held }),
            _ => unreachable!("the question is here until the request is taken apart"),
        }
    }

    /// Answers, and drops the question. See [`Reply::send`].
    ///
    /// # Errors
    ///
    /// The answer, if the caller has gone.
    pub fn reply(self, answer: A) -> Result<(), A> {
        self.into_parts().1.send(answer)
    }
}

impl<Q: fmt::Debug, A> fmt::Debug for Request<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Request").field(self.question()).finish()
    }
}

/// What a question is answered with; see [`Request::into_parts`].
///
/// Dropping it lets the caller go without an answer: [`CallError::Unanswered`].
#[must_use = "dropping it leaves the caller without an answer"]
pub struct Reply<Q, A> {
    held: Held<Exchange<Q, A>>,
}

impl<Q, A> Reply<Q, A> {
    /// Answers. Never blocks: the answer goes into the place where the caller waits.
    ///
    /// `Ok` says that it is there. A thread that called will have it; a task that called has it with its next poll,
    /// unless its future is dropped before (see [`Client::call_async`]).
    ///
    /// # Errors
    ///
    /// The answer, if the caller has gone: nobody waits for it.
    pub fn send(self, answer: A) -> Result<(), A> {
        self.hand_back(Exchange::Answer(answer))
            .map_err(|exchange| match exchange {
                Exchange::Answer(answer) => answer,
                _ => unreachable!("what was handed back is an answer"),
            })
    }

    /// Lets the caller go without an answer, and with its question: [`CallError::Unanswered`]. Never blocks.
    ///
    /// # Errors
    ///
    /// The question, if the caller has gone.
    pub fn decline(self, question: Q) -> Result<(), Q> {
        self.hand_back(Exchange::Question(question))
            .map_err(|exchange| match exchange {
                Exchange::Question(question) => question,
                _ => unreachable!("what was handed back is a question"),
            })
    }

    fn hand_back(mut self, exchange: Exchange<Q, A>) -> Result<(), Exchange<Q, A>> {
        *self.held = exchange;
        self.held.hand_back()
    }
}

impl<Q, A> fmt::Debug for Reply<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}
