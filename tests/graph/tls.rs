//! Nodes that know their visitors by certificates.

use std::path::Path;

use handover::{
    net::{Config, Listener, Node, Tls},
    process::Network,
};

use crate::support::{Scratch, handover, run};

fn certify(scratch: &Scratch, name: &str) {
    let (authority, out) = (scratch.path("ca"), scratch.path(name));
    let mut cert = handover();
    cert.args(["cert", "peer", name, "--authority"])
        .arg(authority);
    let finished = run(cert.arg("--out").arg(out));
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
}

fn tls(directory: &Path) -> Tls {
    let file = |name| directory.join(name);
    Tls::from_files(file("peer.pem"), file("peer.key"), file("authority.pem")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_visitor_with_a_certificate_looks_and_one_whom_the_node_does_not_let_look_does_not() {
    let scratch = Scratch::new("graph-tls");
    let finished = run(handover()
        .args(["cert", "authority"])
        .arg(scratch.path("ca")));
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    for name in ["kitchen", "friend", "stranger"] {
        certify(&scratch, name);
    }
    let config = Config::default().tls(tls(&scratch.path("kitchen")));
    let listener = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let net = Network::new("quiet");
    let node = Node::new("kitchen", &net);
    let admitting = tokio::spawn(async move {
        let mut others = Vec::new();
        while let Ok(incoming) = listener.accept().await {
            let Ok(link) = incoming.handshake().await else {
                continue;
            };
            if link.peer().certificate_name.as_deref() == Some("friend") {
                node.join(&link).unwrap();
            } else {
                others.push(link);
            }
        }
    });
    let graph = |who: &str, peer: &str| {
        let mut graph = handover();
        graph.args(["graph", "--connect", &address, "--format", "text"]);
        graph.args(["--timeout", "2s", "--tls-peer", peer, "--tls"]);
        graph.arg(scratch.path(who));
        tokio::task::spawn_blocking(move || run(&mut graph))
    };
    let finished = graph("friend", "kitchen").await.unwrap();
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    assert!(
        finished
            .stdout
            .starts_with("network \"kitchen\": not running"),
        "{}",
        finished.stdout
    );
    let finished = graph("stranger", "kitchen").await.unwrap();
    assert_eq!(finished.status, Some(1));
    assert!(
        finished
            .stderr
            .contains("\"kitchen\" gives no snapshot: none came"),
        "{}",
        finished.stderr
    );
    let finished = graph("friend", "store").await.unwrap();
    assert_eq!(finished.status, Some(1), "{}", finished.stderr);
    let mut plain = handover();
    plain.args(["graph", "--connect", &address]);
    let finished = tokio::task::spawn_blocking(move || run(&mut plain))
        .await
        .unwrap();
    assert_eq!(finished.status, Some(1));
    assert!(
        finished.stderr.contains("this port asks for TLS"),
        "{}",
        finished.stderr
    );
    admitting.abort();
}
