//! Nodes that do not answer, addresses that are none, and others who answer.

use std::{net::TcpListener, process::Stdio};

use crate::{
    support::{Restaurant, STANDSTILL, handover, run},
    web::{Running, wait_for},
};

#[test]
fn who_does_not_answer_is_named_and_the_others_are_drawn() {
    let restaurant = Restaurant::start("greedy");
    restaurant.text_with(&STANDSTILL);
    // Somebody is there and says nothing; the kernel accepts for him.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_address = silent.local_addr().unwrap().to_string();
    let [counter, _, store] = &restaurant.addresses;
    let finished = run(handover()
        .args(["graph", "--connect", counter, store, &silent_address])
        .args(["--timeout", "3s", "--format", "text"]));
    assert_eq!(finished.status, Some(1), "{}", finished.stderr);
    let expected = format!("handover: {silent_address} did not answer: no link within 3 s\n");
    assert_eq!(finished.stderr, expected);
    let text = finished.stdout;
    assert!(
        text.starts_with("peer `kitchen` did not answer\nnetwork \"counter, store\""),
        "{text}"
    );
    for (who, whom) in [
        (
            "waiter at counter",
            "peer `kitchen` (did not answer) or somebody outside",
        ),
        ("keeper at store", "waiter at counter"),
    ] {
        let line = text.lines().find(|line| line.starts_with(who)).unwrap();
        assert!(line.ends_with(&format!(", for {whom}")), "{text}");
    }
    // What has no place in a drawing is said beside it.
    let finished = run(handover().args(["graph", "--connect", counter, store]));
    assert_eq!(finished.status, Some(0));
    assert_eq!(finished.stderr, "handover: peer `kitchen` did not answer\n");
    assert!(finished.stdout.contains("peer `kitchen` (did not answer)"));

    // Of nobody there is nothing.
    let finished = run(handover()
        .args(["graph", "--connect", &silent_address])
        .args(["--timeout", "200ms"]));
    assert_eq!((finished.status, &*finished.stdout), (Some(1), ""));
    assert!(
        finished.stderr.ends_with("nothing to draw\n"),
        "{}",
        finished.stderr
    );
    // A reader who goes away.
    let mut child = restaurant
        .graph()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn what_cannot_be_meant_is_wrong_use() {
    for (arguments, part) in [
        (&["--connect", "nonsense"][..], "is no address"),
        (
            &["--connect", "127.0.0.1:7000", "-o", "x.png"],
            "what to write to x.png",
        ),
        (&["--connect", "192.0.2.1:7000"], "--tls"),
        (
            &["--connect", "http://127.0.0.1:7000/page"],
            "is no address",
        ),
        (
            &["--connect", "127.0.0.1:7000", "--format", "png"],
            "invalid value",
        ),
        (
            &["--connect", "127.0.0.1:7000", "--tls-peer", "a"],
            "TLS needs a certificate",
        ),
        (&[], "--connect"),
    ] {
        let finished = run(handover().arg("graph").args(arguments));
        assert_eq!(
            finished.status,
            Some(2),
            "{arguments:?}: {}",
            finished.stderr
        );
        assert!(
            finished.stderr.contains(part),
            "{arguments:?}: {}",
            finished.stderr
        );
    }
}

/// A program that only serves a page is one of the nodes too.
#[test]
fn an_observer_s_page_is_an_address() {
    let running = Running::new(|net| net.serve_observer("127.0.0.1:0").unwrap());
    let page = running.observer.as_ref().unwrap().to_string();
    let restaurant = Restaurant::start("greedy");
    wait_for("all of them", || {
        let graph = &mut restaurant.graph();
        let finished = run(graph.args(["--connect", &page, "--format", "text"]));
        assert_eq!(finished.status, Some(0), "{}", finished.stderr);
        let all = [
            "cook at kitchen",
            "source at running",
            "for worker at running",
        ];
        all.iter()
            .all(|it| finished.stdout.contains(it))
            .then_some(())
    });
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let finished = run(handover().args(["graph", "--connect", &page, &format!("http://{gone}/")]));
    assert_eq!(finished.status, Some(1));
    assert!(
        finished
            .stderr
            .contains("did not answer: there is no program at"),
        "{}",
        finished.stderr
    );
}
