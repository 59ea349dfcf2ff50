//! A peer is who its certificate says, and one whose certificate does not do gets no link and is told why.

use handover::net::{Config, Link, NetError, PeerIdentity, Tls, TlsError, TlsSetupError};
use rcgen::KeyPair;

use crate::{
    links::{config, listen, pair, pair_of, soon},
    support::{Authority, Certified, meet, raw_client, raw_dial},
};

fn tls_error(result: Result<Link, NetError>) -> TlsError {
    match result {
        Err(NetError::Tls(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_peer_is_who_its_certificate_says_whatever_it_calls_itself() {
    let authority = Authority::new();
    let dialer = authority.config("worker-1").name("coordinator");
    let (a, b) = pair_of(dialer, authority.config("coordinator").name("worker-9")).await;
    assert_eq!(a.peer().name, "coordinator");
    assert_eq!(a.peer().own_name, "worker-9");
    assert_eq!(b.peer().name, "worker-1");
    assert_eq!(b.peer().own_name, "coordinator");
    assert_eq!(b.peer().certificate_name.as_deref(), Some("worker-1"));
    assert_eq!(b.peer().identity.certificate_name(), Some("worker-1"));
    assert_eq!(a.peer().session, b.peer().session);
}

#[tokio::test]
async fn the_first_dns_name_is_the_peer_s_and_is_in_lower_case() {
    let authority = Authority::new();
    let certified = authority.certify(&["192.0.2.7", "*.example", "Press.Example", "other"]);
    let dialer = config().tls(authority.tls_of(&certified));
    let (_a, b) = pair_of(dialer, authority.config("coordinator")).await;
    assert_eq!(b.peer().name, "press.example");
}

#[tokio::test]
async fn an_identity_is_that_of_the_certified_key() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let mut identities: Vec<PeerIdentity> = Vec::new();
    for certified in [
        authority.certify_key(&["worker"], &key, 2000, 3000),
        authority.certify_key(&["worker"], &key, 2001, 3001),
        authority.certify_key(&["other"], &key, 2000, 3000),
        authority.certify(&["worker"]),
    ] {
        let tls = authority.tls_of(&certified);
        let (_a, b) = pair_of(config().tls(tls.clone()), authority.config("x")).await;
        assert_eq!(b.peer().identity, *tls.identity());
        identities.push(b.peer().identity.clone());
    }
    let [first, renewed, other_name, other_key] = &identities[..] else {
        unreachable!()
    };
    assert_eq!(first, renewed);
    assert_ne!(first, other_name);
    assert_ne!(first, other_key);
    let (a, b) = pair().await;
    assert_eq!(a.peer().identity, b.peer().identity, "nobody is nobody");
    assert!(!a.peer().identity.is_certified());
    assert_ne!(a.peer().identity, *first);
    assert_eq!(a.peer().certificate_name, None);
}

#[tokio::test]
async fn a_dialer_whose_certificate_does_not_do_gets_no_link_and_is_told_why() {
    let authority = Authority::new();
    let trusting = |certified: &Certified| config().tls(authority.tls_of(certified));
    for (dialer, found, told) in [
        (
            trusting(&Authority::named("another").certify(&["worker"])),
            TlsError::UnknownAuthority,
            "another authority",
        ),
        (
            trusting(&Authority::new().certify(&["worker"])),
            TlsError::UnknownAuthority,
            "another authority",
        ),
        (
            trusting(&authority.certify_for_years(&["worker"], 2000, 2020)),
            TlsError::Expired,
            "has expired",
        ),
        (
            trusting(&authority.certify_for_years(&["worker"], 2900, 3000)),
            TlsError::NotYetValid,
            "not valid yet",
        ),
    ] {
        let (dialed, accepted) = meet(dialer, authority.config("coordinator")).await;
        assert_eq!(tls_error(accepted), found);
        let error = tls_error(dialed);
        assert!(matches!(error, TlsError::Refused(_)), "{error:?}");
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[tokio::test]
async fn a_listener_whose_certificate_does_not_do_is_not_trusted() {
    let authority = Authority::new();
    for (certified, found) in [
        (
            Authority::new().certify(&["coordinator"]),
            TlsError::UnknownAuthority,
        ),
        (
            authority.certify_for_years(&["coordinator"], 2000, 2020),
            TlsError::Expired,
        ),
        (
            authority.certify_for_years(&["coordinator"], 2900, 3000),
            TlsError::NotYetValid,
        ),
    ] {
        let listener = config().tls(authority.tls_of(&certified));
        let (dialed, accepted) = meet(authority.config("worker"), listener).await;
        assert_eq!(tls_error(dialed), found);
        accepted.unwrap_err();
    }
}

#[tokio::test]
async fn a_peer_without_a_certificate_or_without_a_name_in_it_gets_no_link() {
    let authority = Authority::new();
    let nameless = authority.certify(&["192.0.2.7"]);
    for (certified, protocol, found) in [
        (None, &b"handover"[..], TlsError::NoCertificate),
        (Some(&nameless), b"handover", TlsError::NoName),
        (
            Some(&authority.certify(&["worker"])),
            b"h2",
            TlsError::OtherProtocol,
        ),
    ] {
        let (listener, address) = listen(authority.config("coordinator")).await;
        let accept = async { listener.accept().await.unwrap().handshake().await };
        let config = raw_client(certified, protocol);
        let dial = tokio::spawn(async move { raw_dial(address, config).await });
        let accepted = soon("the verdict", accept).await;
        assert_eq!(tls_error(accepted), found);
        // It may have been told, or cut off.
        drop(dial.await.unwrap());
    }
}

#[tokio::test]
async fn only_the_peer_that_is_expected_is_met() {
    let authority = Authority::new();
    let coordinator = authority.certify(&["coordinator", "coordinator.example", "192.0.2.7"]);
    let coordinator = || config().tls(authority.tls_of(&coordinator));
    for (expected, met) in [
        ("coordinator", true),
        ("Coordinator", true),
        ("coordinator.example", true),
        ("192.0.2.7", true),
        ("coord*", true),
        ("*", true),
        ("192.0.2.8", false),
        ("coord", false),
        ("worker", false),
        ("worker*", false),
        ("no name\n", false),
        ("", false),
    ] {
        let dialer = authority.config("worker").expect_peer(expected);
        let (dialed, accepted) = meet(dialer, coordinator()).await;
        assert_eq!(dialed.is_ok(), met, "{expected:?}");
        if !met {
            let wrong = TlsError::WrongName {
                expected: expected.to_owned(),
                found: "coordinator".to_owned(),
            };
            assert_eq!(tls_error(dialed), wrong);
            accepted.unwrap_err();
        }
        let listener = authority.config("worker").expect_peer(expected);
        let (_dialed, accepted) = meet(coordinator(), listener).await;
        assert_eq!(accepted.is_ok(), met, "{expected:?}");
        if !met {
            assert!(matches!(tls_error(accepted), TlsError::WrongName { .. }));
        }
    }
}

#[tokio::test]
async fn a_chain_leads_to_the_authority_that_is_trusted_and_several_may_be() {
    let (old, new) = (Authority::new(), Authority::new());
    let both = format!("{}{}", old.pem, new.pem);
    let certified = new.certify(&["coordinator"]);
    let listener = Tls::new(
        certified.certificate.as_bytes(),
        certified.key.as_bytes(),
        both.as_bytes(),
    )
    .unwrap();
    let worker = old.certify(&["worker"]);
    let dialer = Tls::new(
        worker.certificate.as_bytes(),
        worker.key.as_bytes(),
        both.as_bytes(),
    )
    .unwrap();
    let (_a, b) = pair_of(config().tls(dialer), config().tls(listener)).await;
    assert_eq!(b.peer().name, "worker");
}

#[test]
fn what_cannot_be_used_is_named() {
    let authority = Authority::new();
    let good = authority.certify(&["worker"]);
    let other = authority.certify(&["worker"]);
    let nameless = authority.certify(&["192.0.2.7"]);
    let make = |certificate: &str, key: &str, authority: &str| {
        Tls::new(certificate.as_bytes(), key.as_bytes(), authority.as_bytes()).unwrap_err()
    };
    let pem = authority.pem.as_str();
    assert!(matches!(
        make("", &good.key, pem),
        TlsSetupError::Certificate(_)
    ));
    assert!(matches!(
        make(&good.key, &good.key, pem),
        TlsSetupError::Certificate(_)
    ));
    assert!(matches!(
        make(&good.certificate, "x", pem),
        TlsSetupError::Key(_)
    ));
    assert!(matches!(
        make(&good.certificate, &other.key, pem),
        TlsSetupError::Mismatch
    ));
    assert!(matches!(
        make(&nameless.certificate, &nameless.key, pem),
        TlsSetupError::NoName
    ));
    assert!(matches!(
        make(&good.certificate, &good.key, ""),
        TlsSetupError::Authority(_)
    ));
    let error = Tls::from_files("/no/such/file", "/no", "/no").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/no/such/file cannot be read")
    );
    let shown = format!("{:?}", authority.tls_of(&good));
    assert_eq!(shown, "Tls(PeerIdentity(\"worker\"))", "no key is shown");
}

#[tokio::test]
async fn a_plain_peer_at_a_port_with_tls_is_told_so_and_so_is_the_other_way_round() {
    let authority = Authority::new();
    let (dialed, accepted) = meet(config(), authority.config("coordinator")).await;
    assert_eq!(tls_error(accepted), TlsError::Plain);
    let error = dialed.unwrap_err();
    let NetError::Refused(goodbye) = &error else {
        panic!("{error:?}")
    };
    assert!(goodbye.reason().contains("TLS"), "{error}");

    let (dialed, accepted) = meet(authority.config("worker"), config()).await;
    assert_eq!(tls_error(dialed), TlsError::NotTls);
    let error = accepted.unwrap_err();
    assert!(error.to_string().contains("seems to speak TLS"), "{error}");
}

#[tokio::test]
async fn a_stranger_at_a_port_with_tls_is_named_and_hears_nothing() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let authority = Authority::new();
    let (listener, address) = listen(authority.config("coordinator")).await;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let incoming = soon("the stranger", listener.accept()).await.unwrap();
    let error = soon("the verdict", incoming.handshake()).await.unwrap_err();
    assert!(error.to_string().contains("HTTP"), "{error}");
    let mut answer = Vec::new();
    let _ = soon("the end", stream.read_to_end(&mut answer)).await;
    assert!(answer.is_empty());
}

#[tokio::test]
async fn a_token_is_asked_for_over_tls_too() {
    let authority = Authority::new();
    let token = |secret: &str| handover::net::Token::new(secret).unwrap();
    let listener = || authority.config("coordinator").token(token("secret"));
    let with = |config: Config| meet(config, listener());
    let (dialed, accepted) = with(authority.config("worker").token(token("wrong"))).await;
    assert!(matches!(dialed, Err(NetError::Refused(_))));
    accepted.unwrap_err();
    let (dialed, accepted) = with(authority.config("worker").token(token("secret"))).await;
    dialed.unwrap();
    accepted.unwrap();
}
