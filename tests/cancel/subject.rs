//! What is dropped: each public future of a channel, with what it owes for its message.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    time::Duration,
};

use futures_util::{Sink, StreamExt};
use handover::{
    Receiver, Sender,
    channel::{Select, SendError, SendFuture, SendSink},
    pattern::merge,
    select_async,
};

use crate::script::{Books, Home, Message, Place, pause};

/// A time limit that no script comes to.
const NEVER: Duration = Duration::from_hours(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    SendAsync,
    SendAndWithdraw,
    SendFrom,
    SendTimeout,
    SendTimeoutFrom,
    SinkReady,
    SinkFlush,
    SinkClose,
    SinkTakeBack,
    Recv,
    RecvTimeout,
    RecvHeld,
    Accept,
    StreamNext,
    Merged,
    Ready,
    SenderClosed,
    ReceiverClosed,
    SelectSend,
    SelectRecv,
    SelectBoth,
    WaitSend,
    WaitRecv,
    WaitBoth,
}

impl Subject {
    /// Whether its documentation says that a message that was not taken is dropped with it.
    pub(crate) fn drops_its_message(self) -> bool {
        use Subject::{SendAsync, SendTimeout, SinkClose, SinkFlush, SinkReady};
        matches!(
            self,
            SendAsync | SendTimeout | SinkReady | SinkFlush | SinkClose
        )
    }

    /// Whether it has a message of its own.
    pub(crate) fn sends(self) -> bool {
        use Subject::{
            Accept, Merged, Ready, ReceiverClosed, Recv, RecvHeld, RecvTimeout, SelectRecv,
            SenderClosed, StreamNext, WaitRecv,
        };
        !matches!(
            self,
            Recv | RecvTimeout
                | RecvHeld
                | Accept
                | StreamNext
                | Merged
                | Ready
                | SenderClosed
                | ReceiverClosed
                | SelectRecv
                | WaitRecv
        )
    }
}

/// How a send ended, for the one that said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Not a send, or a send guard that did not meet.
    NoSend,
    Sent,
    Failed,
}

/// What a send says, with a message that failed booked as at home.
fn ending(books: &Books, sent: Result<(), SendError<Message>>) -> Ending {
    match sent {
        Ok(()) => Ending::Sent,
        Err(error) => {
            books.book(error.into_inner(), Place::Home);
            Ending::Failed
        }
    }
}

fn ending_at_home<E>(sent: Result<(), E>) -> Ending {
    sent.map_or(Ending::Failed, |()| Ending::Sent)
}

fn received<E>(books: &Books, message: Result<Message, E>) -> Ending {
    if let Ok(message) = message {
        books.book(message, Place::Taken);
    }
    Ending::NoSend
}

/// Takes the message back when it is dropped.
struct Withdrawing<'a, 'b> {
    send: Pin<&'a mut SendFuture<'b, Message>>,
    books: Books,
}

impl Drop for Withdrawing<'_, '_> {
    fn drop(&mut self) {
        if let Some(message) = self.send.as_mut().withdraw() {
            self.books.book(message, Place::Home);
        }
    }
}

/// Takes the message in the sink's hand back when it is dropped.
struct TakingBack {
    sink: SendSink<Message>,
    books: Books,
}

impl Drop for TakingBack {
    fn drop(&mut self) {
        if let Some(message) = self.sink.take_back() {
            self.books.book(message, Place::Home);
        }
    }
}

fn sink_with(tx: Sender<Message>, message: Message) -> SendSink<Message> {
    let mut sink = tx.into_sink();
    assert!(Pin::new(&mut sink).start_send(message).is_ok());
    sink
}

/// A future that exists, and is polled for the first time when the task is polled for the second time: so it can be
/// dropped before.
pub(crate) async fn armed<F: Future>(future: F) -> F::Output {
    pause().await;
    future.await
}

/// A future that sends `message`.
pub(crate) async fn send(
    subject: Subject,
    tx: Sender<Message>,
    message: Message,
    books: Books,
) -> Ending {
    match subject {
        Subject::SendAsync => ending(&books, armed(tx.send_async(message)).await),
        Subject::SendAndWithdraw => {
            let send = pin!(tx.send_async(message));
            let mut withdrawing = Withdrawing {
                send,
                books: books.clone(),
            };
            let sent = armed(poll_fn(|context| withdrawing.send.as_mut().poll(context))).await;
            ending(&books, sent)
        }
        Subject::SendFrom => {
            let mut home = Home::of(message);
            ending_at_home(armed(tx.send_from(&mut home.slot)).await)
        }
        Subject::SendTimeout => match armed(tx.send_timeout_async(message, NEVER)).await {
            Ok(()) => Ending::Sent,
            Err(error) => {
                assert!(!error.is_timeout(), "there is time");
                books.book(error.into_inner(), Place::Home);
                Ending::Failed
            }
        },
        Subject::SendTimeoutFrom => {
            let mut home = Home::of(message);
            ending_at_home(armed(tx.send_timeout_from(&mut home.slot, NEVER)).await)
        }
        Subject::SinkReady => {
            let mut sink = sink_with(tx, message);
            ending(
                &books,
                armed(poll_fn(|context| Pin::new(&mut sink).poll_ready(context))).await,
            )
        }
        Subject::SinkFlush => {
            let mut sink = sink_with(tx, message);
            ending(
                &books,
                armed(poll_fn(|context| Pin::new(&mut sink).poll_flush(context))).await,
            )
        }
        Subject::SinkClose => {
            let mut sink = sink_with(tx, message);
            ending(
                &books,
                armed(poll_fn(|context| Pin::new(&mut sink).poll_close(context))).await,
            )
        }
        Subject::SinkTakeBack => {
            let mut back = TakingBack {
                sink: sink_with(tx, message),
                books: books.clone(),
            };
            ending(
                &books,
                armed(poll_fn(|context| {
                    Pin::new(&mut back.sink).poll_flush(context)
                }))
                .await,
            )
        }
        _ => unreachable!("{subject:?} is no plain send"),
    }
}

/// A future that receives, or waits for something else, on one channel.
pub(crate) async fn receive(subject: Subject, rx: Receiver<Message>, books: Books) -> Ending {
    match subject {
        Subject::Recv => received(&books, armed(rx.recv_async()).await),
        Subject::RecvTimeout => received(&books, armed(rx.recv_timeout_async(NEVER)).await),
        Subject::RecvHeld => {
            if let Ok(held) = armed(rx.recv_held_async()).await {
                // Dropped here, it hands the message back.
                pause().await;
                books.book(held.release(), Place::Taken);
            }
            Ending::NoSend
        }
        Subject::Accept => {
            let finish = async |message: &mut Message| {
                pause().await;
                books.mark(message.number, Place::Taken);
            };
            let _ = armed(rx.accept_async(finish)).await;
            Ending::NoSend
        }
        Subject::StreamNext => {
            let mut stream = rx.into_stream();
            let _ = received(&books, armed(stream.next()).await.ok_or(()));
            // The same waiter a second time.
            received(&books, stream.next().await.ok_or(()))
        }
        Subject::ReceiverClosed => {
            armed(rx.closed_async()).await;
            Ending::NoSend
        }
        _ => unreachable!("{subject:?} is no plain receive"),
    }
}

/// A future that waits at the sending end without a message.
pub(crate) async fn watch(subject: Subject, tx: Sender<Message>) -> Ending {
    match subject {
        Subject::Ready => {
            let _ = armed(tx.ready_async()).await;
        }
        Subject::SenderClosed => armed(tx.closed_async()).await,
        _ => unreachable!("{subject:?} does not watch"),
    }
    Ending::NoSend
}

/// An alternation that sends, and, where it is one of both, also receives on the same channel.
pub(crate) async fn select_send(
    subject: Subject,
    tx: Sender<Message>,
    rx: Option<Receiver<Message>>,
    other_rx: Receiver<Message>,
    message: Message,
    books: Books,
) -> Ending {
    let mut home = Home::of(message);
    match (subject, rx) {
        (Subject::SelectSend, None) => {
            armed(async {
                select_async! {
                    send(tx, &mut home.slot) -> sent => ending_at_home(sent),
                    recv(other_rx) -> message => received(&books, message),
                }
            })
            .await
        }
        (Subject::SelectBoth, Some(rx)) => {
            armed(async {
                select_async! {
                    recv(rx) -> message => received(&books, message),
                    send(tx, &mut home.slot) -> sent => ending_at_home(sent),
                    recv(other_rx) -> message => received(&books, message),
                }
            })
            .await
        }
        (Subject::WaitSend, None) => {
            let select = Select::new()
                .send(&tx, &mut home.slot, ending_at_home)
                .recv(&other_rx, |message| received(&books, message));
            armed(select.wait()).await
        }
        (Subject::WaitBoth, Some(rx)) => {
            let select = Select::new()
                .recv(&rx, |message| received(&books, message))
                .send(&tx, &mut home.slot, ending_at_home)
                .recv(&other_rx, |message| received(&books, message));
            armed(select.wait()).await
        }
        _ => unreachable!("{subject:?} is no alternation that sends"),
    }
}

/// What only receives, on two channels: alternations, twice on the one, once on the other, and a merge of both.
pub(crate) async fn select_recv(
    subject: Subject,
    rx: Receiver<Message>,
    other_rx: Receiver<Message>,
    books: Books,
) -> Ending {
    match subject {
        Subject::SelectRecv => {
            armed(async {
                select_async! {
                    recv(rx) -> message => received(&books, message),
                    recv(rx) -> message => received(&books, message),
                    recv(other_rx) -> message => received(&books, message),
                }
            })
            .await
        }
        Subject::Merged => {
            let mut both = merge([rx, other_rx]);
            received(&books, armed(both.recv_async()).await)
        }
        Subject::WaitRecv => {
            let select = Select::new()
                .recv(&rx, |message| received(&books, message))
                .recv(&rx, |message| received(&books, message))
                .recv(&other_rx, |message| received(&books, message));
            armed(select.wait()).await
        }
        _ => unreachable!("{subject:?} is no alternation that receives"),
    }
}
