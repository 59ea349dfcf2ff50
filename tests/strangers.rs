//! Who comes to a port, and what is said to those who should not: a listener is held up by nobody, and an
//! error names what is wrong.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

mod links;

use std::time::Duration;

use handover::{
    net::{self, Code, Config, Link, LinkEnd, NetError, Token, Violation},
    wire::{self, Frame, FrameType, Stranger},
};
use links::{config, link_and_puppet, listen, pair_of, preamble, soon};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What comes of a connection that says `bytes`: for the listener, and what it answers.
async fn handshake_with(config: Config, bytes: &[u8]) -> (Result<Link, NetError>, Vec<u8>) {
    let (listener, address) = listen(config).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let accept = async { listener.accept().await.unwrap().handshake().await };
    let result = soon("the verdict", accept).await;
    let mut answer = Vec::new();
    if result.is_err() {
        // A reset is an answer too.
        let _ = soon("the answer", stream.read_to_end(&mut answer)).await;
    }
    (result, answer)
}

fn goodbye_code(bytes: &[u8]) -> Code {
    match Frame::decode(bytes).unwrap().unwrap().0 {
        Frame::Goodbye(goodbye) => goodbye.code(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn both_sides_learn_who_the_other_is() {
    let (a, b) = pair_of(config().name("anna"), config().name("ber\nt")).await;
    assert_eq!(a.peer().name, "bert");
    assert_eq!(b.peer().name, "anna");
    assert_eq!(a.peer().session, b.peer().session);
    assert_eq!(
        a.peer().incarnation,
        b.peer().incarnation,
        "both are this process"
    );
}

#[tokio::test]
async fn a_stranger_is_told_apart_by_its_first_bytes() {
    for (bytes, stranger, message) in [
        (
            &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
            Stranger::Http,
            "this is not the handover protocol (the peer seems to speak HTTP)",
        ),
        (
            b"\x16\x03\x01\x02\x00\x01",
            Stranger::Tls,
            "this is not the handover protocol (the peer seems to speak TLS, and this port is plain TCP)",
        ),
        (
            b"hello?\n",
            Stranger::Unknown,
            "this is not the handover protocol (the peer's first bytes are not its preamble)",
        ),
    ] {
        let (result, answer) = handshake_with(config(), bytes).await;
        let error = result.unwrap_err();
        assert!(
            matches!(&error, NetError::Violation(Violation::Stranger(found)) if *found == stranger)
        );
        assert_eq!(error.to_string(), message);
        assert!(answer.is_empty(), "our goodbye would be noise to it");
    }
}

#[tokio::test]
async fn dialing_a_web_server_says_so() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let serve = async {
        let (mut stream, _) = server.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        stream
    };
    let both = async { tokio::join!(net::dial(address, config()), serve) };
    let (result, _stream) = soon("the verdict", both).await;
    let error = result.unwrap_err();
    assert!(matches!(
        error,
        NetError::Violation(Violation::Stranger(Stranger::Http))
    ));
}

#[tokio::test]
async fn a_version_mismatch_names_both_versions() {
    let (result, answer) = handshake_with(config(), &preamble(9, 7)).await;
    assert_eq!(
        result.unwrap_err().to_string(),
        "the peer speaks handover protocol version 7 to 9 and this side 1 to 1: update the older program"
    );
    let (ours, goodbye) = answer.split_at(wire::PREAMBLE_BYTES);
    assert_eq!(ours, preamble(wire::VERSION, wire::VERSION_MIN));
    assert_eq!(goodbye_code(goodbye), Code::Version);
}

#[tokio::test]
async fn a_listener_with_a_token_admits_only_who_presents_it() {
    let token = |secret: &str| Token::new(secret).unwrap();
    for (presented, admitted) in [
        (None, false),
        (Some("wrong"), false),
        (Some("secret"), true),
    ] {
        let (listener, address) = listen(config().token(token("secret"))).await;
        let dialer = presented.map_or(config(), |secret| config().token(token(secret)));
        let accept = async { listener.accept().await.unwrap().handshake().await };
        let both = async { tokio::join!(net::dial(address, dialer), accept) };
        let (dialed, accepted) = soon("the handshake", both).await;
        assert_eq!(accepted.is_ok(), admitted);
        if admitted {
            dialed.unwrap();
        } else {
            let error = accepted.unwrap_err();
            assert!(matches!(error, NetError::Violation(Violation::Refused)));
            let error = dialed.unwrap_err();
            assert!(
                matches!(&error, NetError::Refused(goodbye) if goodbye.code() == Code::Refused),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_slow_stranger_holds_nobody_up_and_is_shown_out() {
    let brisk = config().handshake_timeout(Duration::from_millis(300));
    let (listener, address) = listen(brisk).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let incoming = soon("the stranger", listener.accept()).await.unwrap();
    let stranger = tokio::spawn(incoming.handshake());
    let accept = async { listener.accept().await.unwrap().handshake().await };
    let both = async { tokio::join!(net::dial(address, config()), accept) };
    let (dialed, accepted) = soon("a friend", both).await;
    dialed.unwrap();
    accepted.unwrap();
    let verdict = soon("the verdict", stranger).await.unwrap();
    assert!(matches!(verdict, Err(NetError::Timeout(_))));
    let mut answer = Vec::new();
    soon("the end", silent.read_to_end(&mut answer))
        .await
        .unwrap();
    assert_eq!(goodbye_code(&answer[wire::PREAMBLE_BYTES..]), Code::Timeout);
}

#[tokio::test]
async fn a_peer_that_hangs_up_in_the_handshake_is_named_as_such() {
    let (listener, address) = listen(config()).await;
    drop(TcpStream::connect(address).await.unwrap());
    let accept = async { listener.accept().await.unwrap().handshake().await };
    assert!(matches!(
        soon("the verdict", accept).await,
        Err(NetError::Hangup)
    ));
}

#[tokio::test]
async fn a_violation_is_answered_with_its_reason_and_ends_the_link() {
    let (link, mut puppet) = link_and_puppet().await;
    let rx = link.receiver("units").unwrap();
    puppet
        .say(Frame::Open {
            channel: 0,
            opening: 1,
            name: "units",
            type_name: "",
            type_version: 0,
        })
        .await;
    puppet
        .say(Frame::Data {
            channel: 0,
            sequence: 1,
            total: 2,
            chunk: b"no",
        })
        .await;
    let goodbye = puppet.expect(FrameType::Goodbye).await;
    let Frame::Goodbye(goodbye) = Frame::decode(&goodbye).unwrap().unwrap().0 else {
        panic!("a goodbye was expected")
    };
    assert_eq!(goodbye.code(), Code::Violation);
    assert_eq!(
        goodbye.reason(),
        "message 1 on channel 0 came without credit"
    );
    drop(puppet);
    let end = soon("the end", link.closed()).await;
    assert!(matches!(
        end,
        LinkEnd::Violation(Violation::NoCredit {
            channel: 0,
            sequence: 1
        })
    ));
    assert!(soon("a local end", rx.recv_async()).await.is_err());
}
