//! `handover cert`, and jobs whose ends show the certificates that it makes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::support::*;

/// An authority and certificates of it for these names.
fn certified(test: &str, names: &[&str]) -> Scratch {
    let scratch = Scratch::new(test);
    let authority = scratch.path("ca");
    run(["cert", "authority", &authority], b"").succeeded();
    for name in names {
        certify(&scratch, name);
    }
    scratch
}

fn certify(scratch: &Scratch, name: &str) {
    let (authority, out) = (scratch.path("ca"), scratch.path(name));
    let arguments = [
        "cert",
        "peer",
        name,
        "--authority",
        &authority,
        "--out",
        &out,
    ];
    run(arguments, b"").succeeded();
}

fn secure_worker(address: &str, directory: &str) -> Running {
    start(["work", "--connect", address, "--tls", directory])
}

#[test]
fn a_job_over_tls_is_done_by_workers_of_its_authority_and_by_nobody_else() {
    let scratch = certified("tls-job", &["coordinator", "worker-1", "worker-2"]);
    let others = certified("tls-job-others", &["worker-1"]);
    let tls = scratch.path("coordinator");
    let (mut running, address) = listening(&["--json", "--tls", &tls], &["sh", "-c", "echo {}"]);
    running.wait_for("\"tls\":true");

    let plain = run(["work", "--connect", &address], b"").says("this port asks for TLS");
    assert_eq!(plain.status, Some(1));
    let foreign = secure_worker(&address, &others.path("worker-1")).finish();
    // It finds the coordinator's authority to be another too, and is first to know.
    assert_eq!(foreign.says("of another authority").status, Some(1));
    running.wait_for("the peer speaks plain TCP");

    let workers = [
        secure_worker(&address, &scratch.path("worker-1")),
        secure_worker(&address, &scratch.path("worker-2")),
    ];
    for worker in &workers {
        worker.wait_for("joined");
    }
    running.feed(numbers(200));
    let finished = running
        .finish()
        .succeeded()
        .says("\"worker\":\"worker worker-1:")
        .says("\"worker\":\"worker worker-2:");
    assert_eq!(finished.sorted().len(), 200);
    for worker in workers {
        worker.finish().succeeded().says("the job is done");
    }
}

#[test]
fn what_listens_says_whether_it_is_plain_or_tls() {
    let scratch = certified("listen-line", &["coordinator"]);
    let (plain, _) = listening(&[], &["cat"]);
    assert!(plain.wait_for("may join").contains("over plain TCP"));
    let (secure, _) = listening(&["--tls", &scratch.path("coordinator")], &["cat"]);
    assert!(secure.wait_for("may join").contains("over TLS"));
}

#[test]
fn local_workers_join_over_tls_too_and_options_may_be_in_the_environment() {
    let scratch = certified("tls-local", &["coordinator", "worker-1"]);
    let directory = scratch.path("coordinator");
    let mut command = Command::new(env!("CARGO_BIN_EXE_handover"));
    command
        .args(["map", "-j1", "--listen", "127.0.0.1:0", "--json", "--"])
        .args(["sh", "-c", "sleep 0.02; echo {}"])
        .env("HANDOVER_TLS", &directory);
    let mut running = start_command(command);
    let line = running.wait_for("\"listening\"");
    assert!(line.contains("\"tls\":true"), "{line}");
    let address = line
        .split('"')
        .find(|part| part.starts_with("127."))
        .unwrap()
        .to_owned();
    let file = |name: &str| scratch.path(&format!("worker-1/{name}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_handover"));
    command
        .args(["work", "--connect", &address])
        .env("HANDOVER_TLS_CERTIFICATE", file("peer.pem"))
        .env("HANDOVER_TLS_KEY", file("peer.key"))
        .env("HANDOVER_TLS_AUTHORITY", file("authority.pem"))
        .env("HANDOVER_TLS_PEER", "coordinator");
    let worker = start_command(command);
    worker.wait_for("joined");
    running.feed(numbers(60));
    running
        .finish()
        .succeeded()
        .says("\"worker\":\"local ")
        .says("\"worker\":\"worker worker-1:");
    worker.finish().succeeded();
}

#[test]
fn a_run_that_does_not_listen_needs_no_certificate() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handover"));
    let scratch = certified("tls-alone", &["coordinator"]);
    command
        .args(["map", "-j1", "--", "echo", "{}"])
        .env("HANDOVER_TLS", scratch.path("coordinator"));
    let mut running = start_command(command);
    running.feed(b"a\n".to_vec());
    running.finish().succeeded();
}

#[test]
fn only_the_peer_that_is_asked_for_is_met() {
    let scratch = certified("tls-peer", &["coordinator", "worker-1", "press"]);
    let tls = scratch.path("coordinator");
    let (mut running, address) = listening(&["--tls", &tls, "--tls-peer", "worker-*"], &["cat"]);
    let press = scratch.path("press");
    let turned_away = run(["work", "--connect", &address, "--tls", &press], b"");
    assert_eq!(turned_away.status, Some(1));
    running.wait_for("the peer is \"press\", and \"worker-*\" is expected");
    let worker = scratch.path("worker-1");
    let arguments = [
        "work",
        "--connect",
        &address,
        "--tls",
        &worker,
        "--tls-peer",
    ];
    let mistaken = run(arguments.into_iter().chain(["boss"]), b"")
        .says("the peer is \"coordinator\", and \"boss\" is expected");
    assert_eq!(mistaken.status, Some(1));
    let met = start(arguments.into_iter().chain(["coordinator"]));
    met.wait_for("joined");
    running.feed(numbers(3));
    assert_eq!(running.finish().succeeded().sorted(), ["1", "2", "3"]);
    met.finish().succeeded();
    let own = [
        "-j1",
        "--listen",
        "127.0.0.1:0",
        "--tls",
        &tls,
        "--tls-peer",
        "worker-*",
    ];
    let refused = run(["map"].into_iter().chain(own).chain(["--", "cat"]), b"")
        .says("does not admit this program's own certificate");
    assert_eq!(refused.status, Some(2));
}

#[test]
fn options_of_tls_that_do_not_go_together_are_wrong_use() {
    let scratch = certified("tls-options", &["coordinator"]);
    let tls = scratch.path("coordinator");
    let key = scratch.path("coordinator/peer.key");
    let missing = scratch.path("nowhere");
    for (options, says) in [
        (&["--tls-key", &key][..], "TLS needs a certificate, a key"),
        (&["--tls-peer", "x"], "TLS needs a certificate, a key"),
        (&["--tls", &missing], "cannot be read"),
        (&["--tls", &tls, "--insecure-plain-tcp"], "leave out"),
        (
            &["--tls", &tls, "--tls-certificate", &key],
            "no certificate",
        ),
    ] {
        let work = ["work", "--connect", "127.0.0.1:1"];
        let refused = run(work.into_iter().chain(options.iter().copied()), b"").says(says);
        assert_eq!(refused.status, Some(2), "{options:?}");
    }
}

#[test]
fn a_worker_told_that_it_may_use_plain_tcp_off_loopback_tries() {
    // Every address of 127.0.0.0/8 is loopback; 0.0.0.0 is none, and leads to this machine.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let address = format!("0.0.0.0:{port}");
    for flag in ["--insecure-plain-tcp", "--plain-tcp"] {
        let tried = run(["work", "--connect", &address, flag], b"").says("cannot join");
        assert_eq!(tried.status, Some(1));
    }
    let help = run(["work", "--help"], b"").succeeded();
    let help = help.stdout();
    let risks = help.split("--insecure-plain-tcp").nth(1).unwrap();
    for risk in ["read and change", "token", "run commands on the workers"] {
        let flat = risks.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(risk), "{risk}: {flat}");
    }
}

#[test]
fn an_authority_and_its_peers_are_files_of_which_the_keys_are_their_owner_s() {
    let scratch = certified("cert", &["worker-1"]);
    for (file, mode) in [
        ("ca/authority.key", 0o600),
        ("ca/authority.pem", 0o644),
        ("worker-1/peer.key", 0o600),
        ("worker-1/peer.pem", 0o644),
        ("worker-1/authority.pem", 0o644),
    ] {
        let found = fs::metadata(scratch.path(file)).unwrap().permissions();
        // What the umask of the test takes away from a certificate is no matter.
        assert_eq!(found.mode() & 0o777 & !mode, 0, "{file}: {found:?}");
    }
    let files = fs::read_dir(scratch.path("worker-1")).unwrap().count();
    assert_eq!(files, 3, "nothing else is left there");
}

#[test]
fn a_certificate_is_never_overwritten_without_force() {
    let scratch = certified("cert-again", &["worker-1"]);
    let (authority, out) = (scratch.path("ca"), scratch.path("worker-1"));
    let read = |file: &str| fs::read_to_string(scratch.path(file)).unwrap();
    let before = [read("worker-1/peer.key"), read("worker-1/peer.pem")];
    // One file that is there is enough, and then none is made.
    fs::remove_file(scratch.path("worker-1/peer.pem")).unwrap();
    let peer = [
        "cert",
        "peer",
        "worker-1",
        "--authority",
        &authority,
        "--out",
        &out,
    ];
    let refused = run(peer, b"").says("--force");
    assert_eq!(refused.status, Some(2));
    assert!(fs::metadata(scratch.path("worker-1/peer.pem")).is_err());
    assert_eq!(read("worker-1/peer.key"), before[0]);
    run(peer.into_iter().chain(["--force"]), b"").succeeded();
    assert_ne!(read("worker-1/peer.key"), before[0]);
    assert_ne!(read("worker-1/peer.pem"), before[1]);

    let again = ["cert", "authority", &authority];
    assert_eq!(run(again, b"").says("--force").status, Some(2));
    let old = read("ca/authority.pem");
    run(again.into_iter().chain(["--force"]), b"").succeeded();
    assert_ne!(read("ca/authority.pem"), old);
}

#[test]
fn what_is_in_a_certificate_is_shown() {
    let scratch = certified("cert-show", &[]);
    let (authority, out) = (scratch.path("ca"), scratch.path("w"));
    let mut arguments = vec![
        "cert",
        "peer",
        "worker-1",
        "--authority",
        &authority,
        "--out",
        &out,
    ];
    arguments.extend([
        "--address",
        "192.0.2.7",
        "--address",
        "press.example",
        "--days",
        "30",
    ]);
    run(arguments, b"").succeeded();
    let file = scratch.path("w/peer.pem");
    let shown = run(["cert", "show", &file], b"").succeeded();
    let lines: Vec<(&str, &str)> = shown
        .stdout()
        .lines()
        .map(|line| line.split_at(12))
        .map(|(what, is)| (what.trim(), is.trim()))
        .collect();
    let told: Vec<&str> = lines.iter().map(|(what, _)| *what).collect();
    let expected = [
        "name",
        "also for",
        "also for",
        "issuer",
        "not before",
        "not after",
        "fingerprint",
    ];
    assert_eq!(told, expected);
    let is: Vec<&str> = lines.iter().map(|(_, is)| *is).collect();
    assert_eq!(
        is[..4],
        [
            "worker-1",
            "192.0.2.7",
            "press.example",
            "handover authority"
        ]
    );
    assert!(is[4].ends_with(" UTC") && is[5].ends_with(" UTC"), "{is:?}");
    let hex = is[6].strip_prefix("SHA-256 ").unwrap();
    assert_eq!(hex.split(':').count(), 32);
    if let Ok(openssl) = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in", &file])
        .output()
    {
        assert!(String::from_utf8_lossy(&openssl.stdout).contains(hex));
    }
    let authority = run(["cert", "show", &scratch.path("ca/authority.pem")], b"").succeeded();
    assert!(authority.stdout().contains("authority"));
}

#[test]
fn what_cannot_be_made_or_shown_says_why() {
    let scratch = certified("cert-wrong", &["worker-1"]);
    let authority = scratch.path("ca");
    let (key, nowhere) = (scratch.path("ca/authority.key"), scratch.path("nowhere"));
    let out = scratch.path("out");
    let peer = |name: &'static str| {
        vec![
            "cert".to_owned(),
            "peer".into(),
            name.into(),
            "--authority".into(),
        ]
    };
    let with = |name, rest: &[&str]| {
        let mut arguments = peer(name);
        arguments.extend(rest.iter().map(ToString::to_string));
        arguments.extend(["--out".to_owned(), out.clone()]);
        arguments
    };
    for (arguments, says) in [
        (with("No Name", &[&authority]), "is no name for a peer"),
        (with("Upper", &[&authority]), "in lower case"),
        (with("192.0.2.7", &[&authority]), "is no name for a peer"),
        (with("../up", &[&authority]), "is no name for a peer"),
        (with("w", &[&nowhere]), "there is no authority"),
        (
            with("w", &[&authority, "--address", "a b"]),
            "is no address",
        ),
        (
            vec!["cert".into(), "show".into(), nowhere.clone()],
            "cannot be read",
        ),
        (
            vec!["cert".into(), "show".into(), key.clone()],
            "private key",
        ),
        (
            vec!["cert".into(), "authority".into(), "/dev/null/x".into()],
            "cannot be made",
        ),
    ] {
        let failed = run(&arguments, b"").says(says);
        assert_eq!(failed.status, Some(2), "{arguments:?}");
        assert!(fs::metadata(&out).is_err(), "{arguments:?}");
    }
    // The key of another authority signs nothing here.
    let other = certified("cert-wrong-other", &[]);
    fs::copy(other.path("ca/authority.key"), &key).unwrap();
    let failed = run(with("w", &[&authority]), b"").says("is not the key of");
    assert_eq!(failed.status, Some(2));
}

#[test]
fn a_certificate_lasts_no_longer_than_its_authority() {
    let scratch = Scratch::new("cert-days");
    let (authority, out) = (scratch.path("ca"), scratch.path("w"));
    run(["cert", "authority", &authority, "--days", "1"], b"").succeeded();
    let arguments = [
        "cert",
        "peer",
        "w",
        "--authority",
        &authority,
        "--out",
        &out,
    ];
    run(arguments, b"").succeeded();
    let until = |file: &str| {
        let shown = run(["cert", "show", &scratch.path(file)], b"").succeeded();
        let line = shown
            .stdout()
            .lines()
            .find(|line| line.starts_with("not after"));
        line.unwrap().to_owned()
    };
    assert_eq!(until("w/peer.pem"), until("ca/authority.pem"));
}
