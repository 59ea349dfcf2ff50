//! Who waits for whom, over several machines?
//!
//! A restaurant in three programs, each a node that can be looked at: what the waiter orders the kitchen needs from the
//! store, and the store sends the bills.
//!
//! ```text
//!   counter: waiter ---- orders ---> kitchen: cook ---- needs ---> store: keeper
//!                   <---------------------------------- bills ----
//! ```
//!
//! Each program listens, so that the others and `handover graph` can reach it, and runs for a minute (`for SECONDS`). In
//! three terminals, or on three machines (with TLS, which is left out here), in any order:
//!
//! ```text
//! cargo run --features net --example three_nodes -- store   127.0.0.1:7103
//! cargo run --features net --example three_nodes -- kitchen 127.0.0.1:7102 127.0.0.1:7103
//! cargo run --features net --example three_nodes -- counter 127.0.0.1:7101 127.0.0.1:7102 127.0.0.1:7103
//! ```
//!
//! With `slow` behind it the store takes its time, and with `greedy` the waiter takes no bill before he has given more and
//! more orders: then each waits for the next, on three machines. No program alone can know that; together they find it,
//! and each says so. To look at it:
//!
//! ```text
//! handover graph --connect 127.0.0.1:7101 127.0.0.1:7102 127.0.0.1:7103
//! ```
//!
//! Without a role it starts all three itself, and says what to type; `slow` and `greedy` work there too.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use handover::{
    channel::{self, Sender, sleep},
    net::{self, Config, Link, Listener, Message, NetError, Node},
    process::{In, Network, OrEnd, Out},
};
use serde::{Deserialize, Serialize};

type AnyError = Box<dyn Error + Send + Sync>;

/// What passes between them: for which table.
#[derive(Debug, Serialize, Deserialize)]
struct Slip(u32);

impl Message for Slip {
    const NAME: &'static str = "restaurant.Slip";
}

/// How long it runs unless somebody says otherwise, in seconds.
const SECONDS: u64 = 60;
/// How often another program that is not there yet is looked for.
const AGAIN: Duration = Duration::from_millis(50);
/// Between two orders of a waiter who is not greedy.
const PAUSE: Duration = Duration::from_millis(20);
/// For one delivery of a store that is slow.
const SLOW: Duration = Duration::from_millis(500);

const USAGE: &str = "usage: three_nodes [slow] [greedy] [for SECONDS]\n       \
                     three_nodes store LISTEN | kitchen LISTEN STORE | counter LISTEN KITCHEN STORE, and then the same";

/// What stands behind the addresses.
#[derive(Default)]
struct Options {
    words: Vec<String>,
    is_slow: bool,
    is_greedy: bool,
    /// It was started by another, which says by its standard input that it still runs.
    is_a_part: bool,
    seconds: u64,
}

fn main() -> Result<(), AnyError> {
    let options = options()?;
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    match *words {
        [] => all(&options),
        [name @ "store", listen] => node(name, listen, &[], &options),
        [name @ "kitchen", listen, store] => node(name, listen, &[store], &options),
        [name @ "counter", listen, kitchen, store] => {
            node(name, listen, &[kitchen, store], &options)
        }
        _ => Err(USAGE.into()),
    }
}

fn options() -> Result<Options, AnyError> {
    let mut options = Options {
        seconds: SECONDS,
        ..Options::default()
    };
    let mut arguments = env::args().skip(1);
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "slow" => options.is_slow = true,
            "greedy" => options.is_greedy = true,
            "part" => options.is_a_part = true,
            "for" => options.seconds = arguments.next().ok_or(USAGE)?.parse()?,
            _ => options.words.push(word),
        }
    }
    Ok(options)
}

/// One of the three programs.
fn node(name: &str, listen: &str, others: &[&str], options: &Options) -> Result<(), AnyError> {
    if options.is_a_part {
        std::thread::spawn(|| {
            wait_for_the_end_of_input();
            std::process::exit(0);
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let time = tokio::time::sleep(Duration::from_secs(options.seconds));
        tokio::select! {
            () = time => Ok(()),
            ended = run(name, listen, others, options) => ended,
        }
    })
}

async fn run(name: &str, listen: &str, others: &[&str], options: &Options) -> Result<(), AnyError> {
    let config = Config::default().name(name);
    let listener = Listener::bind(listen, config.clone()).await?;
    println!("{name} listens at {}", listener.local_addr()?);
    let mut net = Network::new(name);
    let node = Node::new(name, &net);
    // Links of the others are handed over; whoever else comes may look.
    let (arrived, arrivals) = channel::channel();
    tokio::spawn(admit(listener, node.clone(), arrived));

    let mut links = Vec::new();
    for address in others {
        let link = dial(address, &config).await?;
        node.join(&link)?;
        links.push(link);
    }
    while links.len() < 2 {
        links.push(arrivals.recv_async().await?);
    }
    drop(arrivals);
    let to = |name: &str| {
        let mut all = links.iter();
        all.find(|link| link.peer().name == name)
            .ok_or("another program was expected there")
    };
    let (is_greedy, is_slow) = (options.is_greedy, options.is_slow);
    match name {
        "counter" => {
            let orders = to("kitchen")?.outlet(&mut net, "orders")?;
            let bills = to("store")?.inlet(&mut net, "bills")?;
            let waiter = async move |(orders, bills): &(Out<Slip>, In<Slip>)| {
                for table in 0.. {
                    orders.send(Slip(table)).await.or_end()?;
                    if !is_greedy {
                        bills.recv().await.or_end()?;
                        sleep(PAUSE).await;
                    }
                }
                Ok(())
            };
            net.process("waiter", (orders, bills), waiter);
        }
        "kitchen" => {
            let orders = to("counter")?.inlet(&mut net, "orders")?;
            let needs = to("store")?.outlet(&mut net, "needs")?;
            let cook = async |(orders, needs): &(In<Slip>, Out<Slip>)| {
                while let Some(order) = orders.next().await? {
                    needs.send(order).await.or_end()?;
                }
                Ok(())
            };
            net.process("cook", (orders, needs), cook);
        }
        _ => {
            let needs = to("kitchen")?.inlet(&mut net, "needs")?;
            let bills = to("counter")?.outlet(&mut net, "bills")?;
            let keeper = async move |(needs, bills): &(In<Slip>, Out<Slip>)| {
                while let Some(need) = needs.next().await? {
                    if is_slow {
                        sleep(SLOW).await;
                    }
                    bills.send(need).await.or_end()?;
                }
                Ok(())
            };
            net.process("keeper", (needs, bills), keeper);
        }
    }
    if let Err(error) = net.run_async().await {
        eprintln!("{name}: {error}");
        // What there was to see is shown to whoever looks, until the time is over.
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Lets in whoever comes, and look.
async fn admit(listener: Listener, node: Node, arrived: Sender<Link>) {
    while let Ok(incoming) = listener.accept().await {
        let (node, arrived) = (node.clone(), arrived.clone());
        tokio::spawn(async move {
            let link = incoming.handshake().await?;
            node.join(&link)?;
            if ["kitchen", "counter"].contains(&&*link.peer().name) {
                // It is wanted, or the program ends.
                let _ = arrived.send_async(link).await;
            }
            Ok::<_, NetError>(())
        });
    }
}

/// Until whoever has started this program has ended, or wants it to end.
fn wait_for_the_end_of_input() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Dials a program that may not be there yet.
async fn dial(address: &str, config: &Config) -> Result<Link, NetError> {
    loop {
        match net::dial(address, config.clone()).await {
            Err(NetError::Io(_)) => tokio::time::sleep(AGAIN).await,
            other => return other,
        }
    }
}

/// A program that this one has started. It ends with this.
struct Part {
    child: Child,
    /// Closed once this program has ended, however that was.
    alive: Option<ChildStdin>,
    address: String,
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(name: &str, others: &[&str], options: &Options) -> Result<Part, AnyError> {
    let mut command = Command::new(env::current_exe()?);
    command.args([name, "127.0.0.1:0"]).args(others);
    command.args(["part", "for", &options.seconds.to_string()]);
    command.args(options.is_slow.then_some("slow"));
    command.args(options.is_greedy.then_some("greedy"));
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn()?;
    let output = child.stdout.take().ok_or("it was asked for")?;
    let mut part = Part {
        alive: child.stdin.take(),
        child,
        address: String::new(),
    };
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let said = line.trim();
    let (_, address) = said
        .split_once(" listens at ")
        .ok_or("it does not listen")?;
    address.clone_into(&mut part.address);
    println!("{said}");
    Ok(part)
}

/// All three, on this machine.
fn all(options: &Options) -> Result<(), AnyError> {
    let store = start("store", &[], options)?;
    let kitchen = start("kitchen", &[&store.address], options)?;
    let counter = start("counter", &[&kitchen.address, &store.address], options)?;
    let mut parts = [counter, kitchen, store];
    let addresses: Vec<&str> = parts.iter().map(|part| part.address.as_str()).collect();
    println!(
        "look at them: handover graph --connect {}",
        addresses.join(" ")
    );
    let alive: Vec<_> = parts.iter_mut().map(|part| part.alive.take()).collect();
    let mut alive = Some(alive);
    if options.is_a_part {
        let alive = alive.take();
        std::thread::spawn(move || {
            wait_for_the_end_of_input();
            // They end, and so does this.
            drop(alive);
        });
    }
    for part in &mut parts {
        part.child.wait()?;
    }
    Ok(())
}
