//! A broadcast is done when every subscriber has its copy; nobody gets two, and whoever does not get one is named.

use std::{
    panic,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use handover::{
    Receiver,
    channel::{Held, RecvError, SendTimeoutError, TryRecvError},
    pattern::{Broadcast, BroadcastError, Partial, Subscribers, broadcast},
};

use crate::stage::{Message, PATIENCE, Peer, SHORT, Scripted, Tally, for_peers, join};

fn send<T: Clone>(
    peer: Peer,
    news: &mut Broadcast<T>,
    message: T,
) -> Result<usize, BroadcastError<T>> {
    match peer {
        Peer::Thread => news.send(message),
        _ => peer.run(news.send_async(message)),
    }
}

/// Three subscribers with names.
fn three<T>(subscribers: &Subscribers<T>) -> [Receiver<T>; 3] {
    ["a", "b", "c"].map(|name| subscribers.subscribe_as(name))
}

fn waited_for<T>(subscribers: &Subscribers<T>) -> Vec<String> {
    let names = subscribers.waiting_for();
    names.iter().map(|name| (**name).to_owned()).collect()
}

fn partial<T>(outcome: Result<usize, BroadcastError<T>>) -> Partial<T> {
    match outcome {
        Err(BroadcastError::Partial(partial)) => partial,
        Err(BroadcastError::Nobody(_)) => panic!("somebody was there"),
        outcome => panic!("it is not partial: {:?}", outcome.ok()),
    }
}

for_peers! {
    fn every_subscriber_takes_every_message_in_order(peer) {
        const MESSAGES: u32 = 60;
        let (mut news, subscribers) = broadcast();
        let threads = three(&subscribers).map(|rx| {
            thread::spawn(move || {
                std::iter::from_fn(|| peer.recv(&rx).ok()).collect::<Vec<u32>>()
            })
        });
        for n in 0..MESSAGES {
            assert_eq!(send(peer, &mut news, n), Ok(3));
        }
        drop(news);
        for thread in threads {
            assert_eq!(join(thread), (0..MESSAGES).collect::<Vec<_>>());
        }
        assert!(subscribers.is_disconnected());
        assert!(peer.recv(&subscribers.subscribe()).is_err(), "it ends at once");
    }

    fn a_message_that_nobody_is_there_for_comes_back(peer) {
        let (mut news, subscribers) = broadcast();
        assert_eq!(send(peer, &mut news, 1), Err(BroadcastError::Nobody(1)));
        drop(subscribers.subscribe());
        assert_eq!(send(peer, &mut news, 2), Err(BroadcastError::Nobody(2)));
    }

    fn a_copy_that_is_handed_back_is_reported(peer) {
        let (mut news, subscribers) = broadcast::<u32>();
        let [a, b, c] = three(&subscribers);
        let threads = [
            thread::spawn(move || peer.recv(&a).is_ok()),
            thread::spawn(move || b.recv_held().unwrap().hand_back().is_ok()),
            thread::spawn(move || peer.recv(&c).is_ok()),
        ];
        let partial = partial(send(peer, &mut news, 1));
        assert_eq!((partial.taken, partial.message), (2, 1));
        assert_eq!(&*partial.missed[0].name, "b");
        assert_eq!(partial.missed[0].why, SendTimeoutError::Returned(()));
        assert_eq!(partial.missed.len(), 1);
        for thread in threads {
            assert!(join(thread));
        }
    }
}

#[test]
fn a_send_is_done_when_the_last_has_taken_and_the_slow_one_is_named() {
    let (mut news, subscribers) = broadcast();
    let [a, b, c] = three(&subscribers);
    let mut send = Scripted::new(news.send_async(1));
    send.stays_pending();
    assert_eq!(waited_for(&subscribers), ["a", "b", "c"]);
    // The slow one does not keep the others from their copies.
    assert_eq!((a.try_recv(), c.try_recv()), (Ok(1), Ok(1)));
    assert!(send.wakes() > 0);
    send.stays_pending();
    assert_eq!(waited_for(&subscribers), ["b"]);
    assert!(a.try_recv().is_err(), "nobody gets two");
    assert_eq!(b.try_recv(), Ok(1));
    assert_eq!(send.resolves(), Ok(3));
    assert!(waited_for(&subscribers).is_empty());
}

#[test]
fn a_subscriber_that_leaves_in_the_middle_is_not_waited_for() {
    let (mut news, subscribers) = broadcast();
    let [a, b, c] = three(&subscribers);
    let mut send = Scripted::new(news.send_async(1));
    send.stays_pending();
    assert_eq!(a.try_recv(), Ok(1));
    drop(b);
    send.stays_pending();
    assert_eq!(waited_for(&subscribers), ["c"]);
    drop(c);
    assert_eq!(send.resolves(), Ok(1));
    drop(send);
    let mut send = Scripted::new(news.send_async(2));
    send.stays_pending();
    drop(a);
    assert_eq!(send.resolves(), Err(BroadcastError::Nobody(2)));
    drop(send);
    assert!(format!("{news:?}").contains("subscribers: 0"), "{news:?}");
}

#[test]
fn a_subscriber_that_joins_in_the_middle_gets_the_next_message() {
    let (mut news, subscribers) = broadcast();
    let first = subscribers.subscribe();
    let mut send = Scripted::new(news.send_async(1));
    send.stays_pending();
    assert_eq!(waited_for(&subscribers), ["subscriber 1"]);
    let second = subscribers.subscribe();
    assert!(second.try_recv().is_err());
    assert_eq!(first.try_recv(), Ok(1));
    assert_eq!(send.resolves(), Ok(1));
    drop(send);
    let mut send = Scripted::new(news.send_async(2));
    send.stays_pending();
    assert_eq!(waited_for(&subscribers), ["subscriber 1", "subscriber 2"]);
    assert_eq!((first.try_recv(), second.try_recv()), (Ok(2), Ok(2)));
    assert_eq!(send.resolves(), Ok(2));
}

#[test]
fn a_send_that_is_dropped_in_the_middle_reaches_nobody_else() {
    let (mut news, subscribers) = broadcast();
    let [a, b, c] = three(&subscribers);
    let mut send = Scripted::new(news.send_async(1));
    send.stays_pending();
    assert_eq!(a.try_recv(), Ok(1));
    drop(send);
    assert!(b.try_recv().is_err());
    assert!(waited_for(&subscribers).is_empty());
    // The next message is the next for all of them.
    let mut send = Scripted::new(news.send_async(2));
    send.stays_pending();
    assert_eq!([a, b, c].map(|rx| rx.try_recv()), [Ok(2), Ok(2), Ok(2)]);
    assert_eq!(send.resolves(), Ok(3));
}

#[test]
fn a_delivery_that_was_dropped_in_the_middle_knows_who_has_it_and_goes_on_with_the_rest() {
    let (mut news, subscribers) = broadcast();
    let [a, b, c] = three(&subscribers);
    let mut delivery = news.begin("rain");
    assert!(a.try_recv().is_err(), "not yet offered");
    assert_eq!(delivery.waiting_for().count(), 3);
    let mut wait = Scripted::new(delivery.wait_async());
    wait.stays_pending();
    assert_eq!(b.try_recv(), Ok("rain"));
    // Dropped without being polled again.
    drop(wait);
    assert_eq!(delivery.taken(), 1);
    assert_eq!(delivery.waiting_for().collect::<Vec<_>>(), ["a", "c"]);
    assert!(a.try_recv().is_err(), "no longer offered");

    let mut wait = Scripted::new(delivery.wait_async());
    wait.stays_pending();
    assert!(b.try_recv().is_err(), "nobody gets two");
    assert_eq!((a.try_recv(), c.try_recv()), (Ok("rain"), Ok("rain")));
    wait.resolves();
    drop(wait);
    assert_eq!(delivery.finish(), Ok(3));
}

#[test]
fn a_copy_in_custody_when_the_wait_is_dropped_counts_as_taken() {
    let (mut news, subscribers) = broadcast();
    let [a, _b, _c] = three(&subscribers);
    let mut delivery = news.begin(1);
    let mut wait = Scripted::new(delivery.wait_async());
    wait.stays_pending();
    let held = Scripted::new(a.recv_held_async()).resolves().unwrap();
    wait.stays_pending();
    drop(wait);
    assert_eq!(delivery.taken(), 1);
    assert_eq!(held.hand_back(), Err(1), "it stays with its acceptor");
    assert_eq!(partial(delivery.finish()).missed.len(), 2);
}

#[test]
fn a_send_that_not_all_take_in_time_says_who_has_not() {
    let (mut news, subscribers) = broadcast();
    let [a, b, c] = three(&subscribers);
    let reading = thread::spawn(move || a.recv());
    let mut delivery = news.begin("rain");
    let patience = Instant::now() + PATIENCE;
    while delivery.taken() == 0 {
        assert!(!delivery.wait_timeout(SHORT));
        assert!(Instant::now() < patience, "the reader does not come");
    }
    drop(b);
    assert!(!delivery.wait_timeout(SHORT));
    let error = delivery.finish().unwrap_err();
    assert_eq!(error.taken(), 1);
    assert_eq!(
        error.to_string(),
        "1 of 2 subscribers took the message; not: c (nobody took the message in time)"
    );
    assert_eq!(error.into_inner(), "rain");
    assert!(c.try_recv().is_err());
    assert_eq!(join(reading).ok(), Some("rain"));
}

#[test]
fn a_send_with_a_time_limit_is_done_in_time_or_gives_the_message_back() {
    let (mut news, subscribers) = broadcast();
    let rx = subscribers.subscribe();
    let partial = partial(news.send_timeout(1, SHORT));
    assert_eq!((partial.taken, partial.message), (0, 1));
    let reading = thread::spawn(move || rx.iter().collect::<Vec<_>>());
    assert_eq!(news.send_timeout(2, PATIENCE), Ok(1));
    let long = Instant::now() + PATIENCE;
    assert_eq!(news.send_deadline(3, long), Ok(1));
    drop(news);
    assert_eq!(join(reading), [2, 3]);
}

#[test]
fn poison_of_one_subscriber_ends_the_wait_for_all() {
    let (mut news, subscribers) = broadcast();
    let [a, b, c] = three(&subscribers);
    let mut send = Scripted::new(news.send_async(1));
    send.stays_pending();
    assert_eq!(a.try_recv(), Ok(1));
    b.poison("the end");
    let error = send.resolves().unwrap_err();
    assert_eq!(error.poison().unwrap().as_str(), "the end");
    assert_eq!((error.taken(), error.into_inner()), (1, 1));
    assert!(matches!(c.try_recv(), Err(TryRecvError::Empty)));
    drop(send);
    // Each later send finds it so at once.
    let mut delivery = news.begin(2);
    delivery.wait();
    assert!(delivery.wait_timeout(PATIENCE));
    assert_eq!(delivery.taken(), 0);
    assert_eq!(partial(delivery.finish()).missed.len(), 3);
}

#[test]
fn poison_of_the_sending_end_reaches_every_subscriber() {
    let (mut news, subscribers) = broadcast::<u32>();
    let early = subscribers.subscribe();
    assert!(news.send_timeout(1, SHORT).is_err());
    let joined = subscribers.subscribe();
    news.poison("the end");
    let late = subscribers.subscribe();
    for rx in [early, joined, late] {
        assert_eq!(rx.recv(), Err(RecvError::Poisoned("the end".into())));
    }
}

#[test]
fn a_subscriber_that_grants_credit_is_not_waited_for() {
    let (mut news, subscribers) = broadcast();
    let rx = subscribers.subscribe();
    rx.grant(2);
    assert_eq!((news.send(1), news.send(2)), (Ok(1), Ok(1)));
    assert!(news.send_timeout(3, SHORT).is_err());
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn clones_of_a_subscription_share_its_copies() {
    let (mut news, subscribers) = broadcast();
    let first = subscribers.subscribe();
    let second = first.clone();
    let mut send = Scripted::new(news.send_async(1));
    send.stays_pending();
    assert_eq!(second.try_recv(), Ok(1));
    assert!(first.try_recv().is_err());
    assert_eq!(send.resolves(), Ok(1));
}

#[test]
fn the_sending_end_goes_and_those_who_have_just_joined_are_told() {
    let (news, subscribers) = broadcast::<u32>();
    let rx = subscribers.subscribe();
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    drop(news);
    assert!(receive.resolves().is_err());
}

/// A message whose copies are counted.
#[derive(Debug, Default)]
struct Counted {
    alive: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    cloned: Arc<AtomicUsize>,
}

impl Counted {
    fn new() -> Self {
        let message = Self::default();
        message.count();
        message
    }

    fn count(&self) {
        let alive = self.alive.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(alive, Ordering::SeqCst);
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        let copy = Self {
            alive: Arc::clone(&self.alive),
            most: Arc::clone(&self.most),
            cloned: Arc::clone(&self.cloned),
        };
        copy.cloned.fetch_add(1, Ordering::SeqCst);
        copy.count();
        copy
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn there_is_at_most_one_copy_for_each_subscriber_the_message_among_them() {
    let (mut news, subscribers) = broadcast();
    let [a, b, c] = three(&subscribers);
    let message = Counted::new();
    let (alive, most, cloned) = (
        Arc::clone(&message.alive),
        Arc::clone(&message.most),
        Arc::clone(&message.cloned),
    );
    let mut delivery = news.begin(message);
    assert_eq!(alive.load(Ordering::SeqCst), 1, "none before it is offered");
    let mut wait = Scripted::new(delivery.wait_async());
    wait.stays_pending();
    assert_eq!(alive.load(Ordering::SeqCst), 3);
    drop(a.try_recv().unwrap());
    drop(wait);
    assert_eq!(alive.load(Ordering::SeqCst), 1, "one is enough to go on");
    let mut wait = Scripted::new(delivery.wait_async());
    wait.stays_pending();
    assert_eq!(alive.load(Ordering::SeqCst), 2);
    drop((b.try_recv().unwrap(), c.try_recv().unwrap()));
    wait.resolves();
    drop(wait);
    assert_eq!(delivery.finish().ok(), Some(3));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert_eq!(cloned.load(Ordering::SeqCst), 3, "two, and one to go on");
}

#[test]
fn a_single_subscriber_gets_the_message_itself() {
    let (mut news, subscribers) = broadcast();
    let rx = subscribers.subscribe();
    let message = Counted::new();
    let cloned = Arc::clone(&message.cloned);
    let mut send = Scripted::new(news.send_async(message));
    send.stays_pending();
    drop(rx.try_recv().unwrap());
    assert!(send.resolves().is_ok());
    assert_eq!(cloned.load(Ordering::SeqCst), 0);
}

#[test]
fn a_clone_that_panics_takes_every_other_offer_back() {
    struct Brittle(Arc<AtomicUsize>);
    impl Clone for Brittle {
        fn clone(&self) -> Self {
            assert!(
                self.0.fetch_add(1, Ordering::SeqCst) == 0,
                "as the test wants"
            );
            Self(Arc::clone(&self.0))
        }
    }
    let (mut news, subscribers) = broadcast();
    let [a, b, c] = three(&subscribers);
    let message = Brittle(Arc::default());
    let sent = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        news.send_timeout(message, PATIENCE)
    }));
    assert!(sent.is_err());
    assert!([&a, &b, &c].iter().all(|rx| rx.try_recv().is_err()));
    assert!(waited_for(&subscribers).is_empty());
}

#[test]
fn with_subscribers_that_come_and_go_each_gets_what_was_sent_while_it_was_there() {
    const MESSAGES: u32 = 400;
    const READERS: u32 = 3;
    let (mut news, subscribers) = broadcast();
    let keeper = subscribers.subscribe();
    let keeping = thread::spawn(move || keeper.iter().collect::<Vec<u32>>());
    let readers: Vec<_> = (0..READERS)
        .map(|reader| {
            let subscribers = subscribers.clone();
            thread::spawn(move || {
                let mut taken = 0;
                for stay in (1..=5).cycle() {
                    let rx = subscribers.subscribe();
                    let read = |count| {
                        let now = std::iter::from_fn(|| match reader % 2 {
                            0 => rx.recv().ok(),
                            _ => Peer::Homemade.recv(&rx).ok(),
                        });
                        now.take(count).collect::<Vec<_>>()
                    };
                    let got = read(stay);
                    taken += got.len();
                    // No gap: it was waited for while it was there.
                    let first = got.first().copied().unwrap_or_default();
                    assert_eq!(got, (first..).take(got.len()).collect::<Vec<_>>());
                    if got.len() < stay {
                        break;
                    }
                }
                taken
            })
        })
        .collect();
    let mut sent = 0;
    for n in 0..MESSAGES {
        sent += news.send(n).unwrap();
    }
    drop(news);
    assert_eq!(join(keeping), (0..MESSAGES).collect::<Vec<_>>());
    let taken: usize = readers.into_iter().map(join).sum();
    assert_eq!(sent, taken + usize::try_from(MESSAGES).unwrap());
}

#[test]
fn when_waits_are_given_up_at_random_the_books_balance() {
    const MESSAGES: u32 = 200;
    let tally = Tally::default();
    let (mut news, subscribers) = broadcast::<Arc<Message>>();
    let readers: Vec<_> = (0..2)
        .map(|reader| {
            let rx = subscribers.subscribe();
            thread::spawn(move || match reader {
                0 => rx.iter().map(|message| message.number).collect::<Vec<_>>(),
                _ => std::iter::from_fn(|| rx.recv_held().map(Held::release).ok())
                    .map(|message| message.number)
                    .collect(),
            })
        })
        .collect();
    let mut sent = 0;
    for n in 0..MESSAGES {
        let mut delivery = news.begin(Arc::new(tally.message(n)));
        for _ in 0..n % 3 {
            let mut wait = Scripted::new(delivery.wait_async());
            for _ in 0..n % 4 {
                if wait.poll().is_ready() {
                    break;
                }
                thread::sleep(Duration::from_micros(5));
            }
        }
        let taken = delivery.taken();
        let outcome = delivery.finish();
        match &outcome {
            Ok(count) => assert_eq!((*count, taken), (2, 2)),
            Err(error) => {
                assert_eq!(error.taken(), taken);
                assert!(taken < 2);
            }
        }
        sent += taken;
    }
    drop(news);
    let numbers: Vec<_> = readers.into_iter().map(join).collect();
    for numbers in &numbers {
        assert!(numbers.is_sorted_by(|a, b| a < b), "in order, none twice");
    }
    assert_eq!(numbers.iter().map(Vec::len).sum::<usize>(), sent);
    assert_eq!(tally.dropped(), usize::try_from(MESSAGES).unwrap());
}

struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("a foreign waker");
    }
}

#[test]
fn a_subscribers_waker_that_panics_loses_no_message() {
    let (mut news, subscribers) = broadcast();
    let subscriber = subscribers.subscribe();
    let mut receive = Box::pin(subscriber.recv_async());
    let waker = Waker::from(Arc::new(Panicking));
    let polled = receive.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let mut delivery = news.begin("rain");
    let waiting = panic::AssertUnwindSafe(|| delivery.wait_timeout(Duration::ZERO));
    assert!(panic::catch_unwind(waiting).is_err());
    let Err(BroadcastError::Partial(partial)) = delivery.finish() else {
        panic!("nobody has taken it");
    };
    assert_eq!((partial.message, partial.taken), ("rain", 0));
}

/// It granted credit, so the copy is in its slot before its waker is called.
#[test]
fn a_subscriber_whose_waker_panics_gets_its_copy_within_credit_once() {
    let (mut news, subscribers) = broadcast();
    let subscriber = subscribers.subscribe();
    let mut receive = Box::pin(subscriber.recv_async());
    let waker = Waker::from(Arc::new(Panicking));
    let polled = receive.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    subscriber.grant(2);
    let mut delivery = news.begin("rain");
    let waiting = panic::AssertUnwindSafe(|| delivery.wait_timeout(Duration::ZERO));
    assert!(panic::catch_unwind(waiting).is_err());
    assert!(delivery.wait_timeout(Duration::ZERO), "nobody is left");
    assert_eq!(delivery.finish().ok(), Some(1));
    drop(receive);
    assert_eq!(subscriber.try_recv(), Ok("rain"));
    assert!(subscriber.try_recv().is_err(), "it has it once");
}
