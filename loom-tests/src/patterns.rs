//! The patterns on top of the channels: they add waits on several channels and answers that travel backwards, so their
//! own facts are tried here too.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use handover::{
    Receiver, channel,
    channel::{Held, SendError, SendTimeoutError},
    pattern::{
        Broadcast, BroadcastError, CallError, Client, Merge, Server, Withdrawn, broadcast, merge,
        partition_by, request_reply,
    },
};
use loom::sync::{Condvar, Mutex};

use crate::peers::{Message, Peer, explore, pairings, peers, poll_once, thread};

/// What wakes a task here: see [`block_on`].
struct Signal {
    woken: Mutex<bool>,
    condition: Condvar,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap() = true;
        self.condition.notify_one();
    }
}

/// As that of `peers`, but without `unpark`: a task that waits on several channels may be woken for one while it is
/// blocked on the lock of another, and loom then lets it run on without the lock.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let signal = Arc::new(Signal {
        woken: Mutex::new(false),
        condition: Condvar::new(),
    });
    let waker = Waker::from(Arc::clone(&signal));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        let mut woken = signal.woken.lock().unwrap();
        while !*woken {
            woken = signal.condition.wait(woken).unwrap();
        }
        *woken = false;
    }
}

fn broadcast_by(
    peer: Peer,
    news: &mut Broadcast<Message>,
    message: Message,
) -> Result<usize, BroadcastError<Message>> {
    match peer {
        Peer::Thread => news.send(message),
        Peer::Task => block_on(news.send_async(message)),
    }
}

fn recv_merged(peer: Peer, merged: &mut Merge<Message>) -> Option<Message> {
    match peer {
        Peer::Thread => merged.recv().ok(),
        Peer::Task => block_on(merged.recv_async()).ok(),
    }
}

fn call(peer: Peer, client: &Client<Message, Message>) -> Result<Message, CallError<Message>> {
    match peer {
        Peer::Thread => client.call(Box::new(7)),
        Peer::Task => block_on(client.call_async(Box::new(7))),
    }
}

/// Answers one call, if there is one; returns the answer if its caller has gone.
fn serve_one(peer: Peer, server: &Server<Message, Message>) -> Option<Message> {
    let request = match peer {
        Peer::Thread => server.next(),
        Peer::Task => block_on(server.next_async()),
    };
    let (question, reply) = request.ok()?.into_parts();
    reply.send(Box::new(*question + 1)).err()
}

pairings! {
    explore:

    fn a_broadcast_is_done_when_both_have_taken(sender, receiver) {
        let (mut news, subscribers) = broadcast();
        let (first, second) = (subscribers.subscribe(), subscribers.subscribe());
        let reading = thread::spawn(move || receiver.recv(&first).unwrap());
        let other = thread::spawn(move || receiver.recv(&second).unwrap());
        assert_eq!(broadcast_by(sender, &mut news, Box::new(7)), Ok(2));
        assert_eq!((*reading.join().unwrap(), *other.join().unwrap()), (7, 7));
    }

    fn a_call_has_its_answer(client_peer, server_peer) {
        let (client, server) = request_reply();
        let serving = thread::spawn(move || serve_one(server_peer, &server));
        assert_eq!(call(client_peer, &client), Ok(Box::new(8)));
        assert_eq!(serving.join().unwrap(), None);
    }

    fn a_merge_of_two_takes_both_messages(sender, receiver) {
        let (tx, rx) = channel();
        let (other_tx, other_rx) = channel();
        let mut merged = merge([rx, other_rx]);
        let sending = thread::spawn(move || sender.send(&tx, Box::new(1)).unwrap());
        let other = thread::spawn(move || sender.send(&other_tx, Box::new(2)).unwrap());
        let first = recv_merged(receiver, &mut merged).unwrap();
        let second = recv_merged(receiver, &mut merged).unwrap();
        assert_eq!(*first + *second, 3);
        sending.join().unwrap();
        other.join().unwrap();
    }
}

peers! {
    fn a_broadcast_does_not_wait_once_a_subscriber_is_poisoned(sender) {
        let (mut news, subscribers) = broadcast();
        let (never, poisoned) = (subscribers.subscribe(), subscribers.subscribe());
        let poisoning = thread::spawn(move || poisoned.poison("the end"));
        let error = broadcast_by(sender, &mut news, Box::new(7)).unwrap_err();
        assert_eq!(error.poison(), Some(&"the end".into()));
        assert_eq!((error.taken(), *error.into_inner()), (0, 7));
        assert!(poisoning.join().unwrap());
        assert_eq!(take(&never), 0);
    }

    /// It has left without its copy, or with it; in no case is it waited for.
    fn a_broadcast_does_not_wait_for_a_subscriber_that_leaves(sender) {
        let (mut news, subscribers) = broadcast();
        let (stays, leaves) = (subscribers.subscribe(), subscribers.subscribe());
        let leaving = thread::spawn(move || leaves.try_recv().is_ok());
        let reading = thread::spawn(move || stays.recv().unwrap());
        let taken = broadcast_by(sender, &mut news, Box::new(7)).unwrap();
        assert_eq!(*reading.join().unwrap(), 7);
        assert_eq!(taken, 1 + usize::from(leaving.join().unwrap()));
    }

    /// The receiver behind the outlet looks once and leaves.
    fn a_message_through_a_partition_is_taken_or_comes_back(sender) {
        let (tx, source) = channel();
        let (relay, mut outlets) = partition_by(source, 1, |_: &Message| 0);
        let outlet = outlets.pop().unwrap();
        let running = thread::spawn(move || relay.run());
        let taking = thread::spawn(move || outlet.held().try_recv().map(Held::release).is_ok());
        let sent = match sender {
            Peer::Thread => tx.send(Box::new(7)),
            Peer::Task => block_on(tx.send_async(Box::new(7))),
        };
        drop(tx);
        let taken = taking.join().unwrap();
        assert_eq!(running.join().unwrap(), Ok(()));
        let expected = if taken { Ok(()) } else { Err(SendError::Returned(Box::new(7))) };
        assert_eq!(sent, expected);
    }

    fn a_server_that_lets_a_question_go_lets_its_caller_go(client_peer) {
        let (client, server) = request_reply();
        let serving = thread::spawn(move || drop(server.next()));
        assert_eq!(
            call(client_peer, &client),
            Err(CallError::Unanswered(Some(Box::new(7))))
        );
        serving.join().unwrap();
    }

    fn a_server_that_goes_gives_the_question_back(client_peer) {
        let (client, server) = request_reply();
        let leaving = thread::spawn(move || drop(server));
        assert_eq!(
            call(client_peer, &client),
            Err(CallError::Disconnected(Box::new(7)))
        );
        leaving.join().unwrap();
    }

    /// Either the question comes back, or the answer is on exactly one side.
    fn a_call_that_is_given_up_is_accounted_for(server_peer) {
        let (client, server) = request_reply();
        let serving = thread::spawn(move || serve_one(server_peer, &server));
        let mut call = Box::pin(client.call_async(Box::new(7)));
        let withdrawn = match poll_once(call.as_mut()) {
            Poll::Ready(answer) => Withdrawn::Answer(answer.unwrap()),
            Poll::Pending => call.as_mut().withdraw(),
        };
        drop(call);
        drop(client);
        let returned = serving.join().unwrap();
        match withdrawn {
            Withdrawn::Question(question) => assert_eq!((*question, returned), (7, None)),
            Withdrawn::Answer(answer) => assert_eq!((*answer, returned), (8, None)),
            Withdrawn::Taken => assert_eq!(returned, Some(Box::new(8))),
        }
    }

    fn a_merge_ends_when_both_senders_have_gone(receiver) {
        let (tx, rx) = channel::<Message>();
        let (other_tx, other_rx) = channel();
        let mut merged = merge([rx, other_rx]);
        let leaving = thread::spawn(move || drop(tx));
        let other = thread::spawn(move || drop(other_tx));
        assert_eq!(recv_merged(receiver, &mut merged), None);
        leaving.join().unwrap();
        other.join().unwrap();
    }
}

/// Takes if its sender waits.
fn take(rx: &Receiver<Message>) -> usize {
    usize::from(rx.try_recv().is_ok())
}

#[test]
fn a_delivery_that_is_given_up_knows_who_has_it() {
    explore("a_delivery_that_is_given_up_knows_who_has_it", || {
        let (mut news, subscribers) = broadcast();
        let (first, second) = (subscribers.subscribe(), subscribers.subscribe());
        let reading = thread::spawn(move || (take(&first), first));
        let mut delivery = news.begin(Box::new(7));
        {
            let mut wait = delivery.wait_async();
            assert!(poll_once(std::pin::Pin::new(&mut wait)).is_pending());
        }
        let counted = delivery.taken();
        let (taken, _first) = reading.join().unwrap();
        assert_eq!((counted, take(&second)), (taken, 0));
        let Err(BroadcastError::Partial(partial)) = delivery.finish() else {
            panic!("the second has not taken it");
        };
        assert_eq!((partial.taken, *partial.message), (taken, 7));
        assert_eq!(partial.missed.len(), 2 - taken);
        let why = &partial.missed[0].why;
        assert!(matches!(why, SendTimeoutError::Timeout(())));
    });
}

/// A time limit that passes at once, against a server that answers.
#[test]
fn a_call_with_a_time_limit_has_its_answer_or_leaves_it_with_the_server() {
    explore("a_call_with_a_time_limit_is_accounted_for", || {
        let (client, server) = request_reply();
        let serving = thread::spawn(move || serve_one(Peer::Thread, &server));
        let called = client.call_timeout(Box::new(7), std::time::Duration::ZERO);
        drop(client);
        let returned = serving.join().unwrap();
        match called {
            Ok(answer) => assert_eq!((*answer, returned), (8, None)),
            Err(CallError::Timeout(Some(question))) => {
                assert_eq!((*question, returned), (7, None));
            }
            Err(CallError::Timeout(None)) => assert_eq!(returned, Some(Box::new(8))),
            Err(error) => panic!("{error}"),
        }
    });
}
