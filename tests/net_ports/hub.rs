//! One owner, many machines.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use handover::{
    channel::{Receiver, RecvError, SendError, Sender},
    net::{self, Access, Config, Direction::FromPeer, Hub, Link, Listener, Message, NetError},
    process::{In, Network, Out},
    wire::OpenError,
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::{
    Order,
    ledger::{Ledger, Unit},
    links::{config, is_pending, pair, soon},
    order,
    proxy::{Fault, Plan, Proxy, Way},
};

/// A hub that serves; stops with the value.
struct Owner {
    hub: Hub,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Owner {
    async fn new(config: Config) -> Self {
        let hub = Hub::new();
        let listener = Listener::bind("127.0.0.1:0", config).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn({
            let hub = hub.clone();
            async move { drop(hub.serve(&listener).await) }
        });
        Self {
            hub,
            address,
            serving,
        }
    }

    async fn dial(&self, config: Config) -> Link {
        let dialed = net::dial(self.address, config);
        soon("the handshake", dialed).await.unwrap()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn send_all(ledger: Arc<Ledger>, tx: Sender<Unit>, sender: u32, count: u32) {
    for number in 0..count {
        let unit = Unit { sender, number };
        let sent = tx.send_async(unit).await;
        ledger.hear(unit, &sent);
    }
}

/// Takes in each way in turn, until the channel ends.
async fn take_all(ledger: Arc<Ledger>, rx: Receiver<Unit>) -> usize {
    let mut taken = 0;
    loop {
        let unit = match taken % 3 {
            0 => rx.recv_async().await,
            1 => rx
                .recv_held_async()
                .await
                .map(handover::channel::Held::release),
            _ => rx.accept_async(async |unit: &mut Unit| *unit).await,
        };
        match unit {
            Ok(unit) => ledger.take(unit),
            Err(end) => {
                assert_eq!(end, RecvError::Disconnected);
                return taken;
            }
        }
        taken += 1;
    }
}

/// Which ends each link has: three senders and four receivers on five links.
const ENDS: [(bool, bool); 5] = [
    (true, true),
    (true, true),
    (true, false),
    (false, true),
    (false, true),
];

/// Each of `count` messages of each sender is taken once, through whatever lies between; returns what each receiver took.
async fn many_machines(
    owner: &Owner,
    addresses: &[SocketAddr],
    config: Config,
    count: u32,
) -> Vec<usize> {
    let (_, near) = owner.hub.channel::<Unit>("units").unwrap();
    // The owner's own end counts too, and here it only keeps still.
    drop(near);
    let ledger = Arc::new(Ledger::default());
    let (mut senders, mut receivers, mut links) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (sends, receives)) in (0..).zip(ENDS) {
        let link = loop {
            match net::dial(addresses[index as usize], config.clone()).await {
                Ok(link) => break link,
                // Cut in its handshake, in which there is nothing to go on with.
                Err(NetError::Io(_) | NetError::Hangup) => {}
                Err(other) => panic!("{other}"),
            }
        };
        if sends {
            let tx = soon("the end", link.ask_sender("units")).await.unwrap();
            senders.push(tokio::spawn(send_all(
                Arc::clone(&ledger),
                tx,
                index,
                count,
            )));
        }
        if receives {
            let rx = soon("the end", link.ask_receiver("units")).await.unwrap();
            receivers.push(tokio::spawn(take_all(Arc::clone(&ledger), rx)));
        }
        links.push(link);
    }
    assert_eq!((senders.len(), receivers.len()), (3, 4));
    for sent in join_all(senders).await {
        sent.unwrap();
    }
    assert!(owner.hub.close("units"));
    let taken = join_all(receivers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let sums = ledger.check();
    assert_eq!(sums.sent, 3 * count as usize, "{sums:?}");
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_senders_and_four_receivers_on_five_links() {
    let owner = Owner::new(config()).await;
    let addresses = [owner.address; 5];
    let taken = soon("all", many_machines(&owner, &addresses, config(), 200)).await;
    assert_eq!(taken.iter().sum::<usize>(), 600);
    assert!(taken.iter().all(|count| *count > 0), "{taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_while_connections_break_at_random() {
    let lease = Duration::from_secs(20);
    let config = config().lease(lease).handshake_timeout(lease / 4);
    let mut faults = 0;
    for seed in 0..6u64 {
        println!("seed {seed}");
        let owner = Owner::new(config.clone()).await;
        let mut proxies = Vec::new();
        for link in 0..5 {
            let plans = (0..12).map(|number| {
                let mixed =
                    ((seed * 5 + link) * 12 + number).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                Plan {
                    way: [Way::ToListener, Way::ToDialer][usize::try_from(mixed % 2).unwrap()],
                    after: 200 + mixed / 4 % 1500,
                    fault: [Fault::Reset, Fault::End][usize::try_from(mixed / 2 % 2).unwrap()],
                }
            });
            proxies.push(Proxy::to(owner.address, plans.collect()).await);
        }
        let addresses: Vec<_> = proxies.iter().map(|proxy| proxy.address).collect();
        let all = many_machines(&owner, &addresses, config.clone(), 60);
        let taken = tokio::time::timeout(Duration::from_secs(60), all).await;
        let taken = taken.unwrap_or_else(|_| panic!("it stands still: seed {seed}"));
        assert_eq!(taken.iter().sum::<usize>(), 180, "seed {seed}");
        faults += proxies.iter().map(Proxy::faults).sum::<usize>();
    }
    println!("{faults} connections broken");
    assert!(faults > 100, "{faults}");
}

#[tokio::test]
async fn what_cannot_be_given_is_refused_by_name() {
    let access = Access::new()
        .allow("counter", FromPeer, "orders")
        .allow("counter", FromPeer, "unknown");
    let owner = Owner::new(config().access(access)).await;
    let _ends = owner.hub.channel::<Order>("orders").unwrap();
    let link = owner.dial(config().name("counter")).await;
    let error = soon("the answer", link.ask_sender::<Order>("unknown"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, NetError::NotShared { channel } if channel == "unknown"),
        "{error}"
    );
    let error = soon("the answer", link.ask_receiver::<Order>("orders"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, NetError::NotAllowedThere { channel, is_to_send: false } if channel == "orders"),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("does not let this side receive on its channel \"orders\""),
        "{error}"
    );
    let error = soon("the answer", link.ask_sender::<Unit>("orders"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the messages of the peer's channel \"orders\" are restaurant.Order version 1, not test.Unit version 1"
    );
    // Whoever may have nothing is not told what there is.
    let stranger = owner.dial(config().name("stranger")).await;
    for name in ["orders", "unknown", ""] {
        let error = soon("the answer", stranger.ask_sender::<Order>(name))
            .await
            .unwrap_err();
        assert!(matches!(error, NetError::NotAllowedThere { .. }), "{error}");
    }
    // None of that has done any harm.
    let tx = soon("the answer", link.ask_sender::<Order>("orders"))
        .await
        .unwrap();
    assert!(is_pending(&mut Box::pin(tx.send_async(order(1)))).await);
    // One's own rules hold too.
    let strict = owner
        .dial(config().name("counter").access(Access::new()))
        .await;
    let error = strict.ask_sender::<Order>("orders").await.unwrap_err();
    assert!(matches!(error, NetError::NotAllowed { .. }), "{error}");
}

#[tokio::test]
async fn a_channel_has_one_owner_and_a_name() {
    let hub = Hub::new();
    let _ends = hub.channel::<Order>("orders").unwrap();
    let error = hub.channel::<Order>("orders").unwrap_err();
    assert!(
        matches!(error, NetError::Open(OpenError::InUse(_))),
        "{error}"
    );
    for name in ["", "a$1", "a\n", &"x".repeat(101)] {
        let error = hub.channel::<Order>(name).unwrap_err();
        assert!(
            matches!(error, NetError::Open(OpenError::BadName(_))),
            "{error}"
        );
    }
    assert!(hub.close("orders"));
    assert!(!hub.close("orders"));
    let _ends = hub.channel::<Order>("orders").unwrap();
    assert_eq!(format!("{hub:?}"), "Hub { channels: [\"orders\"] }");
}

/// An end that is given up and asked for again is another end.
#[tokio::test]
async fn ends_come_and_go() {
    let owner = Owner::new(config()).await;
    let (tx, near) = owner.hub.channel::<Order>("orders").unwrap();
    drop(near);
    let link = owner.dial(config()).await;
    for table in 0..30 {
        let rx = soon("the end", link.ask_receiver::<Order>("orders"))
            .await
            .unwrap();
        let both = async { tokio::join!(tx.send_async(order(table)), rx.recv_async()) };
        let (sent, received) = soon("a message", both).await;
        sent.unwrap();
        assert_eq!(received.unwrap(), order(table));
    }
    // Several of one peer.
    let first = soon("the end", link.ask_receiver::<Order>("orders"))
        .await
        .unwrap();
    let second = soon("the end", link.ask_receiver::<Order>("orders"))
        .await
        .unwrap();
    let (one, two) = (tx.send_async(order(1)), tx.send_async(order(2)));
    let all = async { tokio::join!(one, two, first.recv_async(), second.recv_async()) };
    let (one, two, first, second) = soon("both", all).await;
    one.unwrap();
    two.unwrap();
    assert_eq!(first.unwrap().table + second.unwrap().table, 3);
}

/// A request that was given up leaves nothing in the way of the next.
#[tokio::test]
async fn a_request_that_is_given_up_is_not_mistaken_for_the_next() {
    let (a, b) = pair().await;
    let mut asking = Box::pin(a.ask_sender::<Order>("orders"));
    // Nobody gives ends at the other side yet.
    assert!(is_pending(&mut asking).await);
    drop(asking);
    let hub = Hub::new();
    let (_, near) = hub.channel::<Order>("orders").unwrap();
    let attending = tokio::spawn({
        let (hub, b) = (hub.clone(), b.clone());
        async move { hub.attend(&b).await }
    });
    let mut given_up = 0;
    let tx = loop {
        // Given up after more and more turns, until it is through.
        let asking = a.ask_sender::<Order>("orders");
        let turns = async {
            for _ in 0..given_up {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            given = asking => break given.unwrap(),
            () = turns => given_up += 1,
        }
        assert!(given_up < 10_000, "it does not come through");
    };
    let both = async { tokio::join!(tx.send_async(order(4)), near.recv_async()) };
    let (sent, received) = soon("a message", both).await;
    sent.unwrap();
    assert_eq!(received.unwrap(), order(4));
    // Nobody gives ends there any more: later requests say so.
    attending.abort();
    let error = soon("the answer", a.ask_sender::<Order>("orders"))
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::NoHub), "{error}");
    a.abort();
    soon("the end", a.closed()).await;
    let error = a.ask_sender::<Order>("orders").await.unwrap_err();
    assert!(matches!(error, NetError::Ended(_)), "{error}");
}

/// What a peer has in custody that is gone for good is in doubt; others go on.
#[tokio::test]
async fn a_peer_that_is_gone_for_good_gives_up_its_ends() {
    let owner = Owner::new(config().reconnect(false)).await;
    drop(owner.hub.channel::<Order>("orders").unwrap());
    let [sends, goes, stays] = [
        owner.dial(config()).await,
        owner.dial(config()).await,
        owner.dial(config()).await,
    ];
    let tx = soon("the end", sends.ask_sender::<Order>("orders"))
        .await
        .unwrap();
    let gone = soon("the end", goes.ask_receiver::<Order>("orders"))
        .await
        .unwrap();
    let rx = soon("the end", stays.ask_receiver::<Order>("orders"))
        .await
        .unwrap();
    let mut send = Box::pin(tx.send_async(order(1)));
    assert!(is_pending(&mut send).await);
    let held = soon("the order", gone.recv_held_async()).await.unwrap();
    assert_eq!(*held, order(1));
    goes.abort();
    assert_eq!(
        soon("the outcome", send).await,
        Err(SendError::InDoubt(order(1)))
    );
    drop(held);
    let both = async { tokio::join!(tx.send_async(order(2)), rx.recv_async()) };
    let (sent, received) = soon("the next", both).await;
    sent.unwrap();
    assert_eq!(received.unwrap(), order(2));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Picture(Bytes);

impl Message for Picture {
    const NAME: &'static str = "test.Picture";
}

/// A connection that breaks for good in the middle of a message: nobody can have taken that, so another receiver does.
#[tokio::test]
async fn what_had_not_left_for_a_peer_that_is_gone_goes_to_another() {
    let owner = Owner::new(config().reconnect(false)).await;
    let (tx, near) = owner.hub.channel::<Picture>("pictures").unwrap();
    drop(near);
    let plan = Plan {
        way: Way::ToDialer,
        after: 300_000,
        fault: Fault::Reset,
    };
    let proxy = Proxy::to(owner.address, vec![plan]).await;
    let goes = net::dial(proxy.address, config()).await.unwrap();
    let gone = soon("the end", goes.ask_receiver::<Picture>("pictures"))
        .await
        .unwrap();
    let receiving = tokio::spawn(async move { gone.recv_async().await });
    let picture = Picture(Bytes::from(vec![7; 8 << 20]));
    let sending = tokio::spawn({
        let picture = picture.clone();
        async move { tx.send_async(picture).await }
    });
    soon("the fault", async {
        while proxy.faults() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let stays = owner.dial(config()).await;
    let rx = soon("the end", stays.ask_receiver::<Picture>("pictures"))
        .await
        .unwrap();
    assert_eq!(soon("the picture", rx.recv_async()).await.unwrap(), picture);
    assert_eq!(soon("the outcome", sending).await.unwrap(), Ok(()));
    soon("the end", receiving).await.unwrap().unwrap_err();
}

/// Processes of the owner's network share the channel with those of the peers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_of_a_network_is_shared_with_peers() {
    let owner = Owner::new(config()).await;
    let ledger = Arc::new(Ledger::default());
    let mut net = Network::new("owner");
    let (out, into) = owner.hub.channel_in::<Unit>(&mut net, "units").unwrap();
    let near = Arc::clone(&ledger);
    net.process("near worker", into, async move |units: &In<Unit>| {
        while let Some(unit) = units.next().await? {
            near.take(unit);
        }
        Ok(())
    });
    let near = Arc::clone(&ledger);
    net.process("near source", out, async move |units: &Out<Unit>| {
        for number in 0..100 {
            let unit = Unit { sender: 9, number };
            near.hear(unit, &units.send(unit).await);
        }
        Ok(())
    });
    let link = owner.dial(config().name("helper")).await;
    let mut far = Network::new("helper");
    let rx = soon("the end", link.ask_inlet::<Unit>(&mut far, "units"))
        .await
        .unwrap();
    let tx = soon("the end", link.ask_outlet::<Unit>(&mut far, "units"))
        .await
        .unwrap();
    let there = Arc::clone(&ledger);
    far.process("far worker", rx, async move |units: &In<Unit>| {
        while let Some(unit) = units.next().await? {
            there.take(unit);
        }
        Ok(())
    });
    let there = Arc::clone(&ledger);
    far.process("far source", tx, async move |units: &Out<Unit>| {
        for number in 0..100 {
            let unit = Unit { sender: 1, number };
            there.hear(unit, &units.send(unit).await);
        }
        Ok(())
    });
    let observer = net.observe();
    let seen = observer.snapshot();
    let channel = seen.channels.iter().find(|it| it.name == "units").unwrap();
    let helper = "peer `helper` over a link".to_owned();
    let hub = "the hub".to_owned();
    assert_eq!(
        channel.known_outside,
        [helper.clone(), helper, hub.clone(), hub]
    );
    let running = tokio::task::spawn_blocking(move || net.run());
    let far = tokio::spawn(far.run_async());
    // When all was sent it is closed, and so both networks end.
    soon("all messages", async {
        while ledger.heard() < 200 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!(owner.hub.close("units"));
    soon("the far network", far).await.unwrap().unwrap();
    soon("the network", running).await.unwrap().unwrap();
    assert_eq!(ledger.check().sent, 200);
}
