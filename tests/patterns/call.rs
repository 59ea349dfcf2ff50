//! Request and reply: each question is answered once or comes back, and an answer is never lost unseen.

use std::{panic, thread};

use handover::{
    channel::RecvError,
    pattern::{CallError, Client, Request, Server, Withdrawn, request_reply},
};

use crate::stage::{Message, PATIENCE, Peer, SHORT, Scripted, Tally, for_peers, join};

fn call<Q, A>(peer: Peer, client: &Client<Q, A>, question: Q) -> Result<A, CallError<Q>> {
    match peer {
        Peer::Thread => client.call(question),
        _ => peer.run(client.call_async(question)),
    }
}

fn next<Q, A>(peer: Peer, server: &Server<Q, A>) -> Option<Request<Q, A>> {
    match peer {
        Peer::Thread => server.next().ok(),
        _ => peer.run(server.next_async()).ok(),
    }
}

fn now<Q, A>(server: &Server<Q, A>) -> Request<Q, A> {
    Scripted::new(server.next_async()).resolves().unwrap()
}

for_peers! {
    fn many_clients_each_get_their_own_answer(peer) {
        const CLIENTS: u32 = 4;
        const CALLS: u32 = 100;
        let (client, server) = request_reply::<u32, u32>();
        let servers: Vec<_> = (0..2)
            .map(|_| {
                let server = server.clone();
                thread::spawn(move || match peer {
                    Peer::Thread => server.serve(|n| n * 2),
                    _ => peer.run(server.serve_async(async |n| n * 2)),
                })
            })
            .collect();
        drop(server);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|place| {
                let client = client.clone();
                thread::spawn(move || {
                    for n in (0..CALLS).map(|n| place * CALLS + n) {
                        assert_eq!(call(peer, &client, n).unwrap(), n * 2);
                    }
                })
            })
            .collect();
        drop(client);
        clients.into_iter().for_each(join);
        for server in servers {
            join(server);
        }
    }

    fn a_call_without_a_server_brings_its_question_back(peer) {
        let (client, server) = request_reply::<String, u32>();
        drop(server);
        assert!(client.is_disconnected());
        let error = call(peer, &client, "who?".to_owned()).unwrap_err();
        assert!(error.is_disconnected());
        assert_eq!(error.into_question().as_deref(), Some("who?"));
    }

    fn a_server_that_goes_while_a_client_calls_brings_the_question_back(peer) {
        let (client, server) = request_reply::<u32, u32>();
        let (other, signal) = handover::channel();
        let calling = thread::spawn(move || {
            other.send(()).unwrap();
            call(peer, &client, 7)
        });
        signal.recv().unwrap();
        drop(server);
        assert_eq!(join(calling), Err(CallError::Disconnected(7)));
    }

    fn poison_ends_servers_and_brings_questions_back(peer) {
        let (client, server) = request_reply::<u32, u32>();
        let serving = thread::spawn({
            let server = server.clone();
            move || match peer {
                Peer::Thread => server.serve(|n| n),
                _ => peer.run(server.serve_async(async |n| n)),
            }
        });
        assert_eq!(call(peer, &client, 1), Ok(1));
        assert!(client.poison("the end"));
        assert!(!server.poison("again"));
        assert_eq!(join(serving), RecvError::Poisoned("the end".into()));
        let error = call(peer, &client, 2).unwrap_err();
        assert_eq!(error, CallError::Poisoned(2, "the end".into()));
        assert_eq!(error.into_question(), Some(2));
    }

    fn a_server_that_dies_with_the_question_leaves_the_call_unanswered(peer) {
        let (client, server) = request_reply::<u32, u32>();
        let serving = thread::spawn(move || {
            panic::catch_unwind(panic::AssertUnwindSafe(|| {
                server.serve(|_| panic!("as the test wants"))
            }))
            .is_err()
        });
        assert_eq!(call(peer, &client, 7), Err(CallError::Unanswered(None)));
        assert!(join(serving));
        assert_eq!(call(peer, &client, 8), Err(CallError::Disconnected(8)));
    }

    fn a_request_that_is_dropped_unopened_brings_the_question_back(peer) {
        let (client, server) = request_reply::<u32, u32>();
        let serving = thread::spawn(move || drop(next(peer, &server).unwrap()));
        assert_eq!(call(peer, &client, 7), Err(CallError::Unanswered(Some(7))));
        join(serving);
    }

    fn a_server_may_be_a_client_of_one_below_it(peer) {
        let (client, front) = request_reply::<u32, u32>();
        let (to_back, back) = request_reply::<u32, u32>();
        let threads = [
            thread::spawn(move || back.serve(|n| n + 1)),
            thread::spawn(move || match peer {
                Peer::Thread => front.serve(|n| to_back.call(n).unwrap() * 10),
                _ => peer.run(front.serve_async(async |n| to_back.call_async(n).await.unwrap() * 10)),
            }),
        ];
        assert_eq!(call(peer, &client, 4), Ok(50));
        drop(client);
        for thread in threads {
            join(thread);
        }
    }
}

#[test]
fn a_server_that_goes_before_it_took_brings_a_waiting_question_back() {
    let (client, server) = request_reply::<u32, u32>();
    let mut call = Scripted::new(client.call_async(7));
    call.stays_pending();
    drop(server);
    assert_eq!(call.wakes(), 1);
    assert_eq!(call.resolves(), Err(CallError::Disconnected(7)));
}

#[test]
fn requests_in_hand_are_answered_in_any_order() {
    let (client, server) = request_reply::<u32, &str>();
    let mut first = Scripted::new(client.call_async(1));
    let mut second = Scripted::new(client.call_async(2));
    first.stays_pending();
    second.stays_pending();
    let (one, two) = (now(&server), now(&server));
    assert_eq!((*one.question(), *two.question()), (1, 2));
    assert_eq!(two.reply("two"), Ok(()));
    first.stays_pending();
    assert_eq!(second.resolves(), Ok("two"));
    assert_eq!(one.reply("one"), Ok(()));
    assert_eq!(first.resolves(), Ok("one"));
}

#[test]
fn a_call_that_is_dropped_before_it_was_taken_never_happened() {
    let tally = Tally::default();
    let (client, server) = request_reply::<Message, ()>();
    let mut call = Scripted::new(client.call_async(tally.message(1)));
    call.stays_pending();
    drop(call);
    assert_eq!(tally.dropped(), 1);
    Scripted::new(server.next_async()).stays_pending();
}

#[test]
fn a_call_that_is_dropped_while_the_server_has_it_gives_the_answer_back_to_the_server() {
    let tally = Tally::default();
    let (client, server) = request_reply::<Message, Message>();
    let mut call = Scripted::new(client.call_async(tally.message(1)));
    call.stays_pending();
    let (question, reply) = now(&server).into_parts();
    drop(call);
    assert_eq!(tally.dropped(), 0);
    assert_eq!(reply.send(tally.message(2)).unwrap_err(), 2);
    drop(question);
    assert_eq!(tally.dropped(), 2);
}

#[test]
fn a_declined_question_whose_caller_has_gone_stays_with_the_server() {
    let (client, server) = request_reply::<u32, ()>();
    let mut call = Scripted::new(client.call_async(1));
    call.stays_pending();
    let (question, reply) = now(&server).into_parts();
    drop(call);
    assert_eq!(reply.decline(question), Err(1));
}

#[test]
fn a_request_in_hand_can_be_answered_after_poison() {
    let (client, server) = request_reply::<u32, u32>();
    let mut taken = Scripted::new(client.call_async(1));
    let mut waits = Scripted::new(client.call_async(2));
    taken.stays_pending();
    waits.stays_pending();
    let request = now(&server);
    server.poison("the end");
    assert_eq!(
        waits.resolves(),
        Err(CallError::Poisoned(2, "the end".into()))
    );
    taken.stays_pending();
    assert_eq!(request.reply(3), Ok(()));
    assert_eq!(taken.resolves(), Ok(3));
}

#[test]
fn a_declined_question_comes_back() {
    let (client, server) = request_reply::<u32, ()>();
    let mut call = Scripted::new(client.call_async(1));
    call.stays_pending();
    let (question, reply) = now(&server).into_parts();
    assert_eq!(reply.decline(question + 1), Ok(()));
    assert_eq!(call.resolves(), Err(CallError::Unanswered(Some(2))));
}

#[test]
fn a_call_that_is_withdrawn_says_how_far_it_had_come() {
    let (client, server) = request_reply::<u32, &str>();
    let mut call = Scripted::new(client.call_async(1));
    assert_eq!(call.future().withdraw(), Withdrawn::Question(1));

    let mut call = Scripted::new(client.call_async(2));
    call.stays_pending();
    assert_eq!(call.future().withdraw(), Withdrawn::Question(2));

    let mut call = Scripted::new(client.call_async(3));
    call.stays_pending();
    let request = now(&server);
    assert_eq!(call.future().withdraw(), Withdrawn::Taken);
    assert_eq!(request.reply("three"), Err("three"));

    let mut call = Scripted::new(client.call_async(4));
    call.stays_pending();
    assert_eq!(now(&server).reply("four"), Ok(()));
    assert_eq!(call.future().withdraw(), Withdrawn::Answer("four"));

    let mut call = Scripted::new(client.call_async(5));
    call.stays_pending();
    drop(now(&server));
    assert_eq!(call.future().withdraw(), Withdrawn::Question(5));

    let mut call = Scripted::new(client.call_async(6));
    call.stays_pending();
    drop(now(&server).into_parts());
    assert_eq!(call.future().withdraw(), Withdrawn::Taken);
}

#[test]
fn a_next_that_is_dropped_leaves_the_question_with_its_caller() {
    let (client, server) = request_reply::<u32, u32>();
    let mut next = Scripted::new(server.next_async());
    next.stays_pending();
    let mut call = Scripted::new(client.call_async(1));
    call.stays_pending();
    assert_eq!(next.wakes(), 1);
    drop(next);
    assert_eq!(now(&server).reply(2), Ok(()));
    assert_eq!(call.resolves(), Ok(2));
}

#[test]
fn a_serve_that_is_dropped_in_the_middle_of_an_answer_lets_its_caller_go() {
    let (client, server) = request_reply::<u32, u32>();
    let mut call = Scripted::new(client.call_async(1));
    call.stays_pending();
    let mut serve = Scripted::new(server.serve_async(async |_| std::future::pending().await));
    serve.stays_pending();
    call.stays_pending();
    drop(serve);
    assert_eq!(call.resolves(), Err(CallError::Unanswered(None)));
}

#[test]
fn a_call_that_nobody_takes_in_time_never_happened() {
    let (client, server) = request_reply::<u32, ()>();
    assert_eq!(
        client.call_timeout(1, SHORT),
        Err(CallError::Timeout(Some(1)))
    );
    Scripted::new(server.next_async()).stays_pending();
}

#[test]
fn a_call_that_nobody_answers_in_time_gives_up_and_the_answer_returns() {
    let (client, server) = request_reply::<u32, u32>();
    let serving = thread::spawn(move || {
        let (question, reply) = server.next().unwrap().into_parts();
        // It answers when its caller has given up, and the last client with it.
        assert!(server.next().is_err());
        reply.send(question)
    });
    let outcome = loop {
        match client.call_timeout(1, SHORT) {
            // The server had not come yet.
            Err(CallError::Timeout(Some(_))) => {}
            outcome => break outcome,
        }
    };
    assert_eq!(outcome, Err(CallError::Timeout(None)));
    drop(client);
    assert_eq!(join(serving), Err(1));
}

#[test]
fn a_call_that_is_answered_in_time_has_its_answer() {
    let (client, server) = request_reply::<u32, u32>();
    let serving = thread::spawn(move || server.serve(|n| n + 1));
    for n in 0..100 {
        assert_eq!(client.call_timeout(n, PATIENCE), Ok(n + 1));
    }
    drop(client);
    join(serving);
}

#[test]
fn two_servers_that_call_each_other_wait_for_each_other() {
    let (left, left_server) = request_reply::<u32, u32>();
    let (right, right_server) = request_reply::<u32, u32>();
    let mut asking = Scripted::new(left.call_async(1));
    let mut serving_left = Scripted::new(
        left_server.serve_async(async |n| right.call_async(n).await.unwrap_or_default()),
    );
    let mut serving_right = Scripted::new(
        right_server.serve_async(async |n| left.call_async(n).await.unwrap_or_default()),
    );
    let mut poll_all = || {
        asking.stays_pending();
        serving_left.stays_pending();
        serving_right.stays_pending();
        (asking.wakes(), serving_left.wakes(), serving_right.wakes())
    };
    let before = poll_all();
    // Everybody has gone as far as it can, and nobody will be woken: that is the deadlock.
    assert_eq!(poll_all(), before);
}

#[test]
fn when_calls_are_given_up_at_random_every_question_and_answer_is_accounted_for() {
    const CALLS: u32 = 300;
    let tally = Tally::default();
    let (client, server) = request_reply::<Message, Message>();
    let serving = thread::spawn({
        let tally = tally.clone();
        move || {
            let (mut answered, mut returned) = (0, 0);
            while let Ok(request) = server.next() {
                let (question, reply) = request.into_parts();
                match reply.send(tally.message(question.number)) {
                    Ok(()) => answered += 1,
                    Err(answer) => {
                        assert_eq!(answer, question.number);
                        returned += 1;
                    }
                }
            }
            (answered, returned)
        }
    });
    let (mut heard, mut lost, mut never) = (0, 0, 0);
    for n in 0..CALLS {
        let mut call = Scripted::new(client.call_async(tally.message(n)));
        let mut outcome = None;
        for _ in 0..n % 4 {
            if let std::task::Poll::Ready(done) = call.poll() {
                outcome = Some(done.unwrap());
                break;
            }
            thread::yield_now();
        }
        let outcome = match outcome {
            Some(answer) => Withdrawn::Answer(answer),
            None => call.future().withdraw(),
        };
        match outcome {
            Withdrawn::Answer(answer) => {
                assert_eq!(answer, n);
                heard += 1;
            }
            Withdrawn::Question(question) => {
                assert_eq!(question, n);
                never += 1;
            }
            Withdrawn::Taken => lost += 1,
        }
    }
    drop(client);
    let (answered, returned) = join(serving);
    assert_eq!((answered, returned), (heard, lost));
    assert_eq!(heard + lost + never, CALLS);
    let messages = usize::try_from(CALLS + answered + returned).unwrap();
    assert_eq!(tally.dropped(), messages, "each was dropped once");
}
