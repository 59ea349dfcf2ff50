//! A scripted world: messages whose whereabouts are in the books, and tasks that are polled when the test says so.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Where a message is, or what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// With its sender, in custody, or under way: nobody has booked it yet.
    InHand,
    /// A receiver has it.
    Taken,
    /// It came back to its sender.
    Home,
    /// It stayed with an acceptor, because its sender had gone.
    Kept,
    /// It is in a slot of its channel, sent within credit, or set apart there; its books still say `InHand`.
    #[allow(dead_code, reason = "only the model knows the slots")]
    Slot,
    /// It was in a slot, and whoever drained the channel has it.
    Drained,
    /// It was dropped without being booked.
    Lost,
}

struct Entry {
    booked: Option<Place>,
    drops: usize,
}

/// Where each message of a world is: each is booked at most once, and dropped once.
#[derive(Clone, Default)]
pub(crate) struct Books(Arc<Mutex<Vec<Entry>>>);

impl Books {
    /// A new message, in the caller's hand.
    pub(crate) fn message(&self) -> Message {
        let mut entries = self.0.lock().unwrap();
        entries.push(Entry {
            booked: None,
            drops: 0,
        });
        Message {
            number: entries.len() - 1,
            books: self.clone(),
        }
    }

    /// The message has arrived; whoever books it has it, and drops it.
    #[track_caller]
    pub(crate) fn book(&self, message: Message, place: Place) {
        self.mark(message.number, place);
        drop(message);
    }

    /// As [`book`](Self::book), for a message that somebody else will drop.
    #[track_caller]
    pub(crate) fn mark(&self, number: usize, place: Place) {
        let before = self.0.lock().unwrap()[number].booked.replace(place);
        assert!(
            before.is_none(),
            "message {number} is {place:?}, and was {before:?} before"
        );
    }

    #[track_caller]
    pub(crate) fn place(&self, number: usize) -> Place {
        let entry = &self.0.lock().unwrap()[number];
        assert!(
            entry.drops <= 1,
            "message {number} was dropped {} times",
            entry.drops
        );
        match entry.booked {
            Some(place) => place,
            None if entry.drops == 1 => Place::Lost,
            None => Place::InHand,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Once everything is gone: each message was dropped exactly once.
    #[track_caller]
    pub(crate) fn close(&self) {
        for (number, entry) in self.0.lock().unwrap().iter().enumerate() {
            assert_eq!(entry.drops, 1, "how often message {number} was dropped");
        }
    }
}

/// A message that cannot be cloned and is counted when it is dropped.
pub(crate) struct Message {
    pub(crate) number: usize,
    books: Books,
}

impl Drop for Message {
    fn drop(&mut self) {
        self.books.0.lock().unwrap()[self.number].drops += 1;
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({})", self.number)
    }
}

/// Where a message comes from and goes back to; what is in it when it goes is booked as at home.
pub(crate) struct Home {
    pub(crate) slot: Option<Message>,
    books: Books,
}

impl Home {
    pub(crate) fn of(message: Message) -> Self {
        Self {
            books: message.books.clone(),
            slot: Some(message),
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(message) = self.slot.take() {
            self.books.book(message, Place::Home);
        }
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A future in the hands of the test: it is polled when the test says so, and the test sees whether it was woken.
pub(crate) struct Task<R> {
    /// `None` once it has resolved.
    future: Option<Pin<Box<dyn Future<Output = R>>>>,
    flag: Arc<Flag>,
}

impl<R> Task<R> {
    pub(crate) fn new(future: impl Future<Output = R> + 'static) -> Self {
        Self {
            future: Some(Box::pin(future)),
            flag: Arc::default(),
        }
    }

    /// Polls it; a task that has resolved stays as it is.
    pub(crate) fn poll(&mut self) -> Option<R> {
        self.flag.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.flag));
        let future = self.future.as_mut()?;
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => {
                self.future = None;
                Some(result)
            }
            Poll::Pending => None,
        }
    }

    /// Whether it was woken since it was polled last.
    pub(crate) fn is_woken(&self) -> bool {
        self.future.is_some() && self.flag.0.load(Ordering::SeqCst)
    }
}

/// Lets the task stop here once, and be polled again soon.
pub(crate) async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
