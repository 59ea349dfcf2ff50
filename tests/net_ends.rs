//! A remote channel is a channel: select, poison and doubt work across a link as they do inside.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod links;

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use handover::{
    channel,
    channel::{RecvError, SendError},
    net::{self, Code, LinkEnd, Listener, NetError},
    select_async,
    wire::{self, Frame},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use links::{channel_over, config, is_pending, listen, pair, settle, soon};

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// Its message has crossed, for a receiver that has gone since: so it is its own again, and so are its other guards.
#[tokio::test]
async fn a_choice_whose_message_nobody_wants_any_more_meets_elsewhere() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let (other, from_other) = channel::<u32>();
    let mut receive = Box::pin(rx.recv_async());
    assert!(is_pending(&mut receive).await);
    soon("the grant", tx.ready_async()).await.unwrap();
    let mut home = Some(bytes("one"));
    let mut choice = Box::pin(async {
        select_async! {
            send(tx, &mut home) -> _ => panic!("nobody takes it"),
            recv(from_other) -> message => message.unwrap(),
        }
    });
    assert!(is_pending(&mut choice).await);
    drop(receive);
    settle(&a, &b).await;
    let sending = tokio::spawn(async move { other.send_async(7).await });
    assert_eq!(soon("the choice", choice).await, 7);
    assert_eq!(home, Some(bytes("one")));
    sending.await.unwrap().unwrap();
    // Nothing is left on the way that a later receiver would get.
    assert!(rx.recv_async().now_or_never().is_none());
}

#[tokio::test]
async fn a_choice_sends_to_a_far_process_that_waits() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let (_other, from_other) = channel::<u32>();
    let receiving = tokio::spawn(async move { rx.recv_async().await });
    let mut home = Some(bytes("one"));
    soon("the choice", async {
        select_async! {
            send(tx, &mut home) -> sent => sent.unwrap(),
            recv(from_other) -> _ => panic!("nobody sends here"),
        }
    })
    .await;
    assert_eq!(home, None);
    assert_eq!(receiving.await.unwrap().unwrap(), "one");
}

#[tokio::test]
async fn a_far_choice_receives() {
    let (a, b) = pair().await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let (other, from_other) = channel::<u32>();
    let choosing = tokio::spawn(async move {
        let mut taken = Vec::new();
        while taken.len() < 6 {
            taken.push(select_async! {
                recv(rx) -> message => message.unwrap().len(),
                recv(from_other) -> number => number.unwrap() as usize,
            });
        }
        taken
    });
    let far = async {
        for length in 1..=3 {
            tx.send_async(Bytes::from(vec![0; length])).await.unwrap();
        }
    };
    let near = async {
        for number in 11..=13 {
            other.send_async(number).await.unwrap();
        }
    };
    soon("all six", async { tokio::join!(far, near) }).await;
    let mut taken = soon("the choice", choosing).await.unwrap();
    taken.sort_unstable();
    assert_eq!(taken, [1, 2, 3, 11, 12, 13]);
}

/// Each could send, or could receive what the other sends. Neither waits for ever, and what one has sent the other has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_choices_that_offer_to_each_other_come_to_terms() {
    let (a, b) = pair().await;
    let (to_b, from_a) = channel_over(&a, &b, "forth");
    let (to_a, from_b) = channel_over(&b, &a, "back");
    for round in 0..100u8 {
        let near = async {
            let mut home = Some(Bytes::from(vec![1, round]));
            select_async! {
                send(to_b, &mut home) -> sent => { sent.unwrap(); None },
                recv(from_b) -> message => Some(message.unwrap()),
            }
        };
        let far = async {
            let mut home = Some(Bytes::from(vec![2, round]));
            select_async! {
                send(to_a, &mut home) -> sent => { sent.unwrap(); None },
                recv(from_a) -> message => Some(message.unwrap()),
            }
        };
        match soon("both", async { tokio::join!(near, far) }).await {
            (None, Some(message)) => assert_eq!(message[..], [1, round]),
            (Some(message), None) => assert_eq!(message[..], [2, round]),
            other => panic!("{round}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn poison_crosses_with_its_reason() {
    let (a, b) = pair().await;
    for (index, is_by_sender) in [(0, true), (1, false)] {
        let (tx, rx) = channel_over(&a, &b, &format!("channel {index}"));
        if is_by_sender {
            tx.poison("the press is on fire");
            let error = soon("the end", rx.recv_async()).await.unwrap_err();
            assert_eq!(error, RecvError::Poisoned("the press is on fire".into()));
        } else {
            let mut send = Box::pin(tx.send_async(bytes("one")));
            assert!(is_pending(&mut send).await);
            settle(&a, &b).await;
            rx.poison("the press is on fire");
            let error = soon("the end", send).await.unwrap_err();
            let reason = "the press is on fire".into();
            assert_eq!(error, SendError::Poisoned(bytes("one"), reason));
        }
    }
}

/// What a listener answers to this HELLO, until it closes the connection.
async fn goodbye_to(address: std::net::SocketAddr, hello: wire::Hello<'_>) -> Code {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = links::preamble(wire::VERSION, wire::VERSION_MIN);
    Frame::Hello(hello).encode(&mut bytes);
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    soon("the answer", stream.read_to_end(&mut answer))
        .await
        .unwrap();
    let mut rest = &answer[wire::PREAMBLE_BYTES..];
    while let Some((frame, length)) = Frame::decode(rest).unwrap() {
        if let Frame::Goodbye(goodbye) = frame {
            return goodbye.code();
        }
        rest = &rest[length..];
    }
    panic!("no goodbye")
}

/// Whoever is late, or guesses, does not touch the connection that is there.
#[tokio::test]
async fn a_connection_that_is_none_of_the_session_is_turned_away_and_the_link_lives_on() {
    let (listener, address) = listen(config()).await;
    let accept = async { listener.accept().await.unwrap().handshake().await.unwrap() };
    let both = async { tokio::join!(net::dial(address, config()), accept) };
    let (dialed, accepted) = soon("the handshake", both).await;
    let dialed = dialed.unwrap();
    let serving = tokio::spawn(async move {
        loop {
            let incoming = listener.accept().await.unwrap();
            tokio::spawn(incoming.handshake());
        }
    });
    let hello = wire::Hello {
        session: dialed.peer().session,
        incarnation: accepted.peer().incarnation,
        epoch: 2,
        lease_ms: 30_000,
        message_bytes: 1 << 20,
        channels: 16,
        name: "late",
        token: b"",
    };
    let (tx, rx) = channel_over(&dialed, &accepted, "units");
    let exchange = async || {
        let both = async { tokio::join!(tx.send_async(bytes("one")), rx.recv_async()) };
        let (sent, received) = soon("a message", both).await;
        sent.unwrap();
        assert_eq!(received.unwrap(), "one");
    };
    exchange().await;
    let guessed = wire::Hello {
        session: hello.session ^ 1,
        ..hello
    };
    assert_eq!(goodbye_to(address, guessed).await, Code::UnknownSession);
    exchange().await;
    // A new session that has the number of another is another link, which nobody keeps here.
    let again = wire::Hello { epoch: 1, ..hello };
    assert_eq!(goodbye_to(address, again).await, Code::Done);
    exchange().await;
    serving.abort();
}

/// The peer's process is gone, and another listens where it was: what had crossed is in doubt, and what had not is its
/// sender's.
#[tokio::test]
async fn a_peer_that_comes_back_as_another_leaves_doubt_about_what_had_crossed() {
    let config = config().lease(Duration::from_secs(20));
    let (listener, address) = listen(config.clone()).await;
    let accept = async { listener.accept().await.unwrap().handshake().await.unwrap() };
    let both = async { tokio::join!(net::dial(address, config.clone()), accept) };
    let (dialed, accepted) = soon("the handshake", both).await;
    let dialed = dialed.unwrap();
    let (crossed, rx) = channel_over(&dialed, &accepted, "crossed");
    let stays = dialed.sender("stays").unwrap();
    let mut crossing = Box::pin(crossed.send_async(bytes("one")));
    let mut staying = Box::pin(stays.send_async(bytes("two")));
    assert!(is_pending(&mut crossing).await && is_pending(&mut staying).await);
    let held = soon("the message", rx.recv_held_async()).await.unwrap();
    // As a process that is killed does: without a word.
    accepted.abort();
    drop(listener);
    let again = soon("the port", async {
        loop {
            match Listener::bind(address, config.clone()).await {
                Ok(listener) => return listener,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let serving = tokio::spawn(async move {
        loop {
            let incoming = again.accept().await.unwrap();
            assert!(incoming.handshake().await.is_err());
        }
    });
    assert_eq!(
        soon("the outcome", crossing).await,
        Err(SendError::InDoubt(bytes("one")))
    );
    assert_eq!(
        soon("the outcome", staying).await,
        Err(SendError::Disconnected(bytes("two")))
    );
    let end = soon("the end", dialed.closed()).await;
    assert!(matches!(end, LinkEnd::Forgotten), "{end:?}");
    drop(held);
    serving.abort();
}

/// Nothing answers any more: the lease ends the session, and not before.
#[tokio::test]
async fn a_peer_that_does_not_come_back_is_given_up_when_the_lease_ends() {
    let lease = Duration::from_millis(300);
    let config = config().lease(lease);
    let (a, b) = links::pair_of(config.clone(), config).await;
    let (tx, rx) = channel_over(&a, &b, "units");
    let mut send = Box::pin(tx.send_async(bytes("one")));
    assert!(is_pending(&mut send).await);
    let held = soon("the message", rx.recv_held_async()).await.unwrap();
    let began = std::time::Instant::now();
    b.abort();
    assert_eq!(
        soon("the outcome", send).await,
        Err(SendError::InDoubt(bytes("one")))
    );
    assert!(began.elapsed() > lease / 2, "a reconnection was tried");
    assert!(matches!(
        soon("the end", a.closed()).await,
        LinkEnd::Silent(_)
    ));
    drop(held);
}

/// Whether the receiver goes before the sender's OPEN comes or after it, the sender hears the same.
#[tokio::test]
async fn a_receiver_that_goes_before_its_channel_is_opened_is_heard_of_when_it_is() {
    let (a, b) = pair().await;
    let again = async |name| loop {
        // The old one may not have gone yet.
        match b.receiver(name) {
            Ok(receiver) => return receiver,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    drop(b.receiver("dropped").unwrap());
    assert!(b.receiver("poisoned").unwrap().poison("it is broken"));
    // Another takes the place of one that has gone: so it has.
    drop(soon("it to be gone", again("dropped")).await);
    drop(soon("it to be gone", again("poisoned")).await);
    let _ = b.receiver("last").unwrap().poison("it is broken");
    let sent = async |name| {
        let sender = a.sender(name).unwrap();
        soon("the end", sender.send_async(bytes("one"))).await
    };
    assert_eq!(
        sent("dropped").await,
        Err(SendError::Disconnected(bytes("one")))
    );
    assert_eq!(
        sent("poisoned").await,
        Err(SendError::Disconnected(bytes("one"))),
        "the last receiver counts"
    );
    let error = sent("last").await.unwrap_err();
    assert!(error.to_string().contains("it is broken"), "{error}");

    // It is told once: who opens the channel then waits for another receiver.
    let reopened = async || loop {
        match a.sender("dropped") {
            Ok(sender) => return sender,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let sender = soon("the name to be free", reopened()).await;
    let mut sending = Box::pin(sender.send_async(bytes("two")));
    assert!(is_pending(&mut sending).await);
    let receiver = soon("the name to be free", again("dropped")).await;
    let (sent, received) = tokio::join!(sending, soon("the message", receiver.recv_async()));
    sent.unwrap();
    assert_eq!(received.unwrap(), "two");
}

/// Nobody accepts connections any more: so none can come, and there is nothing to wait for.
#[tokio::test]
async fn a_link_whose_listener_was_dropped_ends_with_its_connection() {
    let (a, b) = links::pair_of(config(), config().lease(Duration::from_mins(10))).await;
    let (tx, rx) = channel_over(&b, &a, "units");
    let mut send = Box::pin(tx.send_async(bytes("one")));
    assert!(is_pending(&mut send).await);
    let held = soon("the message", rx.recv_held_async()).await.unwrap();
    a.abort();
    assert_eq!(
        soon("the outcome", send).await,
        Err(SendError::InDoubt(bytes("one")))
    );
    let end = soon("the end", b.closed()).await;
    assert!(matches!(end, LinkEnd::Lost(_)), "{end:?}");
    drop(held);
}

/// A listener that still accepts says that it does not know the session, long before the lease is over.
#[tokio::test]
async fn an_abort_is_heard_of_at_once_by_a_dialer_whose_listener_accepts() {
    let config = config().lease(Duration::from_mins(10));
    let (listener, address) = listen(config.clone()).await;
    let accept = async { listener.accept().await.unwrap().handshake().await.unwrap() };
    let both = async { tokio::join!(net::dial(address, config.clone()), accept) };
    let (dialed, accepted) = soon("the handshake", both).await;
    let dialed = dialed.unwrap();
    accepted.abort();
    let turned_away = async {
        let incoming = listener.accept().await.unwrap();
        incoming.handshake().await.unwrap_err()
    };
    let (end, error) = soon("the end", async {
        tokio::join!(dialed.closed(), turned_away)
    })
    .await;
    assert!(matches!(end, LinkEnd::Forgotten), "{end:?}");
    assert!(matches!(error, NetError::UnknownSession), "{error}");
}
