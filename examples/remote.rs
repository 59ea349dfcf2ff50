//! How do processes on several machines share a channel?
//!
//! A restaurant that owns its channels, and cooks on other machines who ask for ends of them. The restaurant's *hub* owns
//! `orders`, `dishes` and `present`; each cook is a program of its own (here on the same machine), with a network of its
//! own, whose process has the far ends as ports like any others:
//!
//! ```text
//!                orders                  orders
//!   waiter ---------------> the hub ---------------> cook, wherever there is one that waits
//!   guest  <---------------         <---------------
//!                dishes                  dishes
//! ```
//!
//! An order goes to whichever cook waits. None is kept in between: with all cooks busy the waiter waits. When the hub
//! gives its channels up, the cooks' networks end as they would after any last sender.
//!
//! ```text
//! cargo run --features net --example remote
//! ```
//!
//! It prints:
//!
//! ```text
//! cook 1 and cook 2 are here
//! 12 orders were given, 12 dishes came, none twice
//! cook 1 and cook 2 went home
//! ```

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    process::{Child, Command},
};

use handover::{
    net::{self, Code, Config, Goodbye, Hub, Listener, Message},
    process::{In, Network, Out},
};
use serde::{Deserialize, Serialize};

const COOKS: usize = 2;
const ORDERS: u32 = 12;

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    table: u32,
    dish: String,
}

impl Message for Order {
    const NAME: &'static str = "restaurant.Order";
}

#[derive(Debug, Serialize, Deserialize)]
struct Dish {
    table: u32,
    cook: String,
}

impl Message for Dish {
    const NAME: &'static str = "restaurant.Dish";
}

/// That a cook is here.
#[derive(Debug, Serialize, Deserialize)]
struct Present(String);

impl Message for Present {
    const NAME: &'static str = "restaurant.Present";
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => restaurant(),
        [address, name] => cook(address, name),
        _ => Err("usage: remote [ADDRESS NAME]".into()),
    }
}

/// The owner of the channels.
fn restaurant() -> Result<(), Box<dyn Error>> {
    // Its threads drive the links while this one runs the network.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let mut net = Network::new("restaurant");
    let hub = Hub::new();
    // The other tokens are dropped: those ends are for the cooks.
    let (orders, _) = hub.channel_in::<Order>(&mut net, "orders")?;
    let (_, dishes) = hub.channel_in::<Dish>(&mut net, "dishes")?;
    let (_, present) = hub.channel_in::<Present>(&mut net, "present")?;
    net.process(
        "waiter",
        (orders, present),
        async |(orders, present): &(Out<Order>, In<Present>)| {
            let mut here = BTreeSet::new();
            while here.len() < COOKS {
                here.insert(present.recv().await?.0);
            }
            println!("{} are here", listed(&here));
            for table in 0..ORDERS {
                let dish = "soup".to_owned();
                orders.send(Order { table, dish }).await?; // a cook has it
            }
            Ok(())
        },
    );
    let served = net.process_returning("guest", dishes, async |dishes: &In<Dish>| {
        let mut tables = BTreeSet::new();
        for _ in 0..ORDERS {
            tables.insert(dishes.recv().await?.table);
        }
        Ok(tables.len())
    });

    let listener = runtime.block_on(Listener::bind(
        "127.0.0.1:0",
        Config::default().name("restaurant"),
    ))?;
    let address = listener.local_addr()?.to_string();
    let serving = hub.clone();
    runtime.spawn(async move { serving.serve(&listener).await });
    let mut cooks = Vec::new();
    for number in 1..=COOKS {
        let name = format!("cook {number}");
        let mut command = Command::new(env::current_exe()?);
        cooks.push((name.clone(), command.args([&address, &name]).spawn()?));
    }
    let run = net.run();
    for name in ["orders", "dishes", "present"] {
        hub.close(name);
    }
    run?;
    println!(
        "{ORDERS} orders were given, {} dishes came, none twice",
        served.take()?
    );
    println!("{} went home", listed(&gone(cooks)?));
    Ok(())
}

/// Waits for the cooks to go.
fn gone(cooks: Vec<(String, Child)>) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut names = BTreeSet::new();
    for (name, mut cook) in cooks {
        let status = cook.wait()?;
        if !status.success() {
            return Err(format!("{name} ended with {status}").into());
        }
        names.insert(name);
    }
    Ok(names)
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(" and ")
}

/// Another program, on whichever machine. Its one thread runs its network and drives its link.
fn cook(address: &str, name: &str) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let link = net::dial(address, Config::default().name(name)).await?;
        let present = link.ask_sender::<Present>("present").await?;
        let mut net = Network::new(name);
        let orders = link.ask_inlet::<Order>(&mut net, "orders").await?;
        let dishes = link.ask_outlet::<Dish>(&mut net, "dishes").await?;
        let cook = name.to_owned();
        net.process(
            "cook",
            (orders, dishes),
            async move |(orders, dishes): &(In<Order>, Out<Dish>)| {
                while let Some(Order { table, .. }) = orders.next().await? {
                    let cook = cook.clone();
                    dishes.send(Dish { table, cook }).await?;
                }
                Ok(())
            },
        );
        present.send_async(Present(name.to_owned())).await?;
        net.run_async().await?;
        link.close(Goodbye::new(Code::Done, "")).await;
        Ok(())
    })
}
