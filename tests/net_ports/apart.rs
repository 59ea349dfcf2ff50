//! Two operating-system processes: this test starts its own program a second time, as the other one.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use handover::{
    channel::SendError,
    net::{self, Hub, Listener},
    process::{In, Network, Out},
};

use super::{
    Order,
    links::{config, soon},
    order,
};

/// Tells the other process where the hub is.
const ADDRESS: &str = "HANDOVER_TEST_ADDRESS";

struct Other(Child);

impl Other {
    /// Starts the test of that name in a process of its own.
    fn start(test: &str, address: std::net::SocketAddr) -> Self {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env(ADDRESS, address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Reads what it prints until a line says `what`.
    fn says(&mut self, what: &str) {
        let stdout = self.0.stdout.as_mut().unwrap();
        // A byte at a time, so that nothing after the line is lost.
        let mut lines = BufReader::with_capacity(1, stdout).lines();
        assert!(
            lines.any(|line| line.unwrap().contains(what)),
            "it ended without a word"
        );
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn owner() -> (Hub, std::net::SocketAddr) {
    let hub = Hub::new();
    let config = config().lease(Duration::from_secs(1)).reconnect(false);
    let listener = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = hub.clone();
    tokio::spawn(async move { drop(serving.serve(&listener).await) });
    (hub, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_of_two_programs_exchange_orders() {
    let (hub, address) = owner().await;
    let mut net = Network::new("front");
    let (orders, far) = hub.channel_in::<Order>(&mut net, "orders").unwrap();
    let (far_out, plates) = hub.channel_in::<Order>(&mut net, "plates").unwrap();
    drop((far, far_out));
    net.process(
        "waiter",
        (orders, plates),
        async |(orders, plates): &(Out<Order>, In<Order>)| {
            for table in 0..20 {
                orders.send(order(table)).await?;
                assert_eq!(plates.recv().await?, order(table + 1000));
            }
            Ok(())
        },
    );
    let mut other = Other::start("apart::the_kitchen", address);
    soon("the orders", net.run_async()).await.unwrap();
    hub.close("orders");
    let status = tokio::task::spawn_blocking(move || other.0.wait().unwrap());
    assert!(soon("the other program", status).await.unwrap().success());
}

#[tokio::test]
#[ignore = "it is the other process of another test"]
async fn the_kitchen() {
    let address = env::var(ADDRESS).unwrap();
    let link = net::dial(address, config().name("kitchen")).await.unwrap();
    let mut net = Network::new("kitchen");
    let orders = link.ask_inlet::<Order>(&mut net, "orders").await.unwrap();
    let plates = link.ask_outlet::<Order>(&mut net, "plates").await.unwrap();
    net.process(
        "cook",
        (orders, plates),
        async |(orders, plates): &(In<Order>, Out<Order>)| {
            while let Some(mut order) = orders.next().await? {
                order.table += 1000;
                plates.send(order).await?;
            }
            Ok(())
        },
    );
    net.run_async().await.unwrap();
}

/// Killed with a message in its hand: that one is in doubt, and the next goes to somebody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_killed_leaves_doubt_and_no_more() {
    let (hub, address) = owner().await;
    let (tx, rx) = hub.channel::<Order>("orders").unwrap();
    let mut other = Other::start("apart::the_holder", address);
    let sending = tokio::spawn({
        let tx = tx.clone();
        async move { tx.send_async(order(1)).await }
    });
    let mut other = soon(
        "the order",
        tokio::task::spawn_blocking(move || {
            other.says("I hold table 1");
            other
        }),
    )
    .await
    .unwrap();
    other.0.kill().unwrap();
    assert_eq!(
        soon("the outcome", sending).await.unwrap(),
        Err(SendError::InDoubt(order(1)))
    );
    let both = async { tokio::join!(tx.send_async(order(2)), rx.recv_async()) };
    let (sent, received) = soon("the next", both).await;
    sent.unwrap();
    assert_eq!(received.unwrap(), order(2));
}

#[tokio::test]
#[ignore = "it is the other process of another test"]
async fn the_holder() {
    let address = env::var(ADDRESS).unwrap();
    let link = net::dial(address, config().name("holder")).await.unwrap();
    let orders = link.ask_receiver::<Order>("orders").await.unwrap();
    let held = orders.recv_held_async().await.unwrap();
    println!("I hold table {}", held.table);
    std::future::pending::<()>().await;
}
