//! Those who come in numbers, slowly, or with nonsense keep nobody else out.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use handover::net::{self, Config, Listener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{
    links::{config, listen, soon},
    support::{Authority, Certified, raw_client, serve},
};

/// Time enough for what is not to happen to show if it did.
const A_WHILE: Duration = Duration::from_millis(150);

#[tokio::test]
async fn whoever_comes_beyond_the_limit_of_connections_waits_until_one_has_ended() {
    let (listener, address) = listen(config().connections_max(2).reconnect(false)).await;
    let mut links = Vec::new();
    for _ in 0..2 {
        let accept = async { listener.accept().await.unwrap().handshake().await.unwrap() };
        let both = async { tokio::join!(net::dial(address, config()), accept) };
        links.push(soon("a link", both).await);
    }
    assert_eq!(listener.usage().connections, 2);
    assert_eq!(listener.usage().handshakes, 0);
    let waiting = tokio::spawn(net::dial(address, config()));
    assert!(timeout(A_WHILE, listener.accept()).await.is_err());
    assert!(!waiting.is_finished(), "it is neither met nor refused");
    let (dialed, accepted) = links.pop().unwrap();
    dialed.unwrap().abort();
    soon("the end", accepted.closed()).await;
    let incoming = soon("the next", listener.accept()).await.unwrap();
    soon("the next", incoming.handshake()).await.unwrap();
    soon("the next", waiting).await.unwrap().unwrap();
    assert!(listener.usage().connections <= 2);
}

#[tokio::test]
async fn whoever_comes_beyond_the_limit_of_handshakes_waits_until_one_is_done() {
    let (listener, address) = listen(config().handshakes_max(1)).await;
    let _silent = TcpStream::connect(address).await.unwrap();
    let first = soon("the first", listener.accept()).await.unwrap();
    let waiting = tokio::spawn(net::dial(address, config()));
    assert!(timeout(A_WHILE, listener.accept()).await.is_err());
    assert_eq!(listener.usage().handshakes, 1);
    drop(first);
    let incoming = soon("the next", listener.accept()).await.unwrap();
    let _link = soon("the next", incoming.handshake()).await.unwrap();
    soon("the next", waiting).await.unwrap().unwrap();
    assert_eq!(listener.usage().handshakes, 0);
    assert_eq!(listener.usage().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn connections_are_accepted_at_a_pace() {
    let (listener, address) = listen(config().handshakes_per_second(10)).await;
    let peers: Vec<_> = (0..25)
        .map(|_| std::net::TcpStream::connect(address).unwrap())
        .collect();
    let begin = Instant::now();
    for _ in &peers {
        listener.accept().await.unwrap();
    }
    // A second's worth at once, and a tenth of a second for each of the others, on a clock of the test's own.
    let took = begin.elapsed();
    assert!(
        (Duration::from_millis(1500)..Duration::from_millis(1600)).contains(&took),
        "{took:?}"
    );
}

/// One that is never done with its handshake, and comes again when it is shown out.
async fn pester(address: SocketAddr, kind: Kind, shown_out: Arc<AtomicUsize>) {
    loop {
        // Refused while the listener's own queue is full: as good as shown out.
        if let Ok(stream) = TcpStream::connect(address).await {
            let _ = kind.bother(stream).await;
            shown_out.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[derive(Clone)]
enum Kind {
    /// Says a byte of its preamble now and then.
    Slow,
    /// Says something else, and much of it.
    Garbage,
    /// Begins as TLS does, and goes on with nonsense.
    TlsGarbage,
    /// Says nothing more when it has heard the listener's part of the TLS handshake.
    StopsInTls,
    /// Goes through TLS with a certificate that does not do, or with none.
    Certified(Option<Arc<Certified>>),
}

impl Kind {
    async fn bother(&self, mut stream: TcpStream) -> std::io::Result<()> {
        match self {
            Self::Slow => {
                for byte in b"handover\x01\x01".iter().chain(&[0; 100]) {
                    stream.write_all(&[*byte]).await?;
                    let end = timeout(Duration::from_millis(20), stream.read(&mut [0; 64])).await;
                    if matches!(end, Ok(Ok(0) | Err(_))) {
                        break;
                    }
                }
            }
            Self::Garbage => while stream.write_all(&[0xa5; 4096]).await.is_ok() {},
            Self::TlsGarbage => {
                stream.write_all(&[22, 3, 1, 0x40, 0]).await?;
                while stream.write_all(&[0xa5; 4096]).await.is_ok() {}
            }
            Self::StopsInTls => {
                let mut client = client(None);
                while client.wants_write() {
                    let mut bytes = Vec::new();
                    client.write_tls(&mut bytes)?;
                    stream.write_all(&bytes).await?;
                }
                stream.read_to_end(&mut Vec::new()).await?;
            }
            Self::Certified(certified) => {
                let connector = tokio_rustls::TlsConnector::from(Arc::new(raw_client(
                    certified.as_deref(),
                    b"handover",
                )));
                let mut stream = connector.connect("x".try_into().unwrap(), stream).await?;
                stream.read_to_end(&mut Vec::new()).await?;
            }
        }
        Ok(())
    }
}

fn client(certified: Option<&Certified>) -> rustls::ClientConnection {
    let config = Arc::new(raw_client(certified, b"handover"));
    rustls::ClientConnection::new(config, "x".try_into().unwrap()).unwrap()
}

/// Good peers get in, one after the other, while `crowd` pesters the listener.
async fn good_peers_get_in(listener: Config, good: Config, crowd: &[(Kind, usize)]) {
    const HANDSHAKES: usize = 24;
    let listener = listener
        .handshakes_max(HANDSHAKES)
        .handshakes_per_second(100_000)
        .handshake_timeout(Duration::from_millis(100));
    let listener = Listener::bind("127.0.0.1:0", listener).await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = serve(listener);
    let shown_out = Arc::new(AtomicUsize::new(0));
    let mut pests = tokio::task::JoinSet::new();
    let mut size = 0;
    for (kind, count) in crowd {
        for _ in 0..*count {
            pests.spawn(pester(address, kind.clone(), Arc::clone(&shown_out)));
            size += 1;
        }
    }
    soon("the crowd to be there", async {
        while shown_out.load(Ordering::Relaxed) < size / 2 {
            assert!(listener.usage().handshakes <= HANDSHAKES);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let mut links = Vec::new();
    for _ in 0..5 {
        // A good peer whose handshake was too slow, on a busy machine, comes again.
        let link = soon("a good peer to get in", async {
            loop {
                if let Ok(link) = net::dial(address, good.clone()).await {
                    return link;
                }
            }
        })
        .await;
        links.push(link);
    }
    assert!(listener.usage().handshakes <= HANDSHAKES);
    assert!(!pests.is_empty(), "the crowd is there to the end");
    pests.shutdown().await;
}

#[tokio::test]
async fn slow_peers_and_peers_that_talk_nonsense_keep_nobody_out() {
    let crowd = [(Kind::Slow, 200), (Kind::Garbage, 50)];
    good_peers_get_in(config(), config(), &crowd).await;
}

#[tokio::test]
async fn peers_that_stop_in_the_tls_handshake_or_show_bad_certificates_keep_nobody_out() {
    let authority = Authority::new();
    let foreign = Authority::new().certify(&["worker"]);
    let expired = authority.certify_for_years(&["worker"], 2000, 2020);
    let crowd = [
        (Kind::Slow, 20),
        (Kind::Garbage, 20),
        (Kind::TlsGarbage, 20),
        (Kind::StopsInTls, 100),
        (Kind::Certified(None), 10),
        (Kind::Certified(Some(Arc::new(foreign))), 10),
        (Kind::Certified(Some(Arc::new(expired))), 10),
    ];
    let listener = authority.config("coordinator");
    good_peers_get_in(listener, authority.config("worker"), &crowd).await;
}
