//! What one look for deadlocks costs, in networks of several sizes that are busy meanwhile.
//!
//! ```text
//! cargo bench --features bench --bench look                   10 to 100,000 processes, 31 looks each
//! cargo bench --features bench --bench look -- 10000 1000000  of these sizes
//! ```
//!
//! Two kinds of networks, each on one thread: *pairs* that send a number forth and back, so that half of the processes
//! is blocked at any moment; and a *ring* with one token, where all but one are blocked and have to be proved alive. The
//! network rests 50 times as long as a look has had a processor, so what is shown is also how often it is looked.

use std::{
    env,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use handover::{
    bench::Spread,
    process::{In, Network, Observer, OnDeadlock, Out},
};
use rustix::time::{ClockId, clock_gettime};

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const LOOKS: usize = 31;

fn main() -> ExitCode {
    let mut sizes = Vec::new();
    for argument in env::args().skip(1).filter(|argument| argument != "--bench") {
        match argument.parse() {
            Ok(size) if size >= 2 => sizes.push(size),
            _ => {
                eprintln!("{argument} is no number of processes: it must be 2 or more");
                return ExitCode::from(2);
            }
        }
    }
    if sizes.is_empty() {
        sizes.extend(SIZES);
    }
    println!(
        "| network | processes | us on a processor | quartiles | us by the clock | quartiles |"
    );
    println!(
        "|---------|----------:|------------------:|----------:|----------------:|----------:|"
    );
    for (kind, build) in [
        ("pairs", pairs as fn(&mut Network, usize, &Arc<AtomicBool>)),
        ("ring", ring),
    ] {
        for size in &sizes {
            let [on_processor, by_the_clock] = looks(build, *size);
            println!("| {kind:7} | {size:9} | {on_processor} | {by_the_clock} |");
        }
    }
    ExitCode::SUCCESS
}

/// How long looks at a busy network of so many processes take, on the processor and by the clock.
fn looks(build: fn(&mut Network, usize, &Arc<AtomicBool>), size: usize) -> [String; 2] {
    let is_over = Arc::new(AtomicBool::new(false));
    let mut net = Network::new("busy");
    // Only who is asked here looks.
    net.on_deadlock(OnDeadlock::Ignore);
    build(&mut net, size, &is_over);
    let observer = net.observe();
    let running = thread::spawn(move || net.run());
    while !is_under_way(&observer, size) {
        thread::sleep(Duration::from_millis(1));
    }
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..LOOKS {
        let (clock, processor) = (Instant::now(), on_processor());
        assert!(observer.look().is_none(), "it is alive");
        times[0].push(on_processor().saturating_sub(processor));
        times[1].push(clock.elapsed());
    }
    is_over.store(true, Ordering::Relaxed);
    let ended = running.join().expect("a network's run does not panic");
    ended.expect("it ends when it is told to");
    times.map(|times| {
        let times = times.iter().map(|time| time.as_secs_f64() * 1e6);
        let Spread { low, median, high } = Spread::of(times).expect("there were looks");
        format!("{median:17.0} | {low:.0}-{high:.0}")
    })
}

/// Whether every process has begun.
fn is_under_way(observer: &Observer, size: usize) -> bool {
    let processes = observer.snapshot().processes;
    processes.len() == size && processes.iter().all(|process| process.turns > 0)
}

fn on_processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it is not negative")
}

fn pairs(net: &mut Network, size: usize, is_over: &Arc<AtomicBool>) {
    for pair in 0..size / 2 {
        let (there, arriving) = net.channel::<u64>(&format!("there {pair}"));
        let (back, returning) = net.channel::<u64>(&format!("back {pair}"));
        let is_over = Arc::clone(is_over);
        net.process(
            format!("ping {pair}"),
            (there, returning),
            async move |(there, returning): &(Out<u64>, In<u64>)| {
                while !is_over.load(Ordering::Relaxed) {
                    there.send(1).await?;
                    returning.recv().await?;
                }
                Ok(())
            },
        );
        net.process(
            format!("pong {pair}"),
            (back, arriving),
            async |(back, arriving): &(Out<u64>, In<u64>)| {
                while let Ok(number) = arriving.recv().await {
                    back.send(number).await?;
                }
                Ok(())
            },
        );
    }
}

fn ring(net: &mut Network, size: usize, is_over: &Arc<AtomicBool>) {
    let (first, mut from) = net.channel::<u64>("0");
    for process in 1..size {
        let name = process.to_string();
        let (to, following) = net.channel(&name);
        let from = std::mem::replace(&mut from, following);
        net.process(
            name,
            (from, to),
            async |(from, to): &(In<u64>, Out<u64>)| {
                while let Ok(number) = from.recv().await {
                    if to.send(number).await.is_err() {
                        break;
                    }
                }
                Ok(())
            },
        );
    }
    let is_over = Arc::clone(is_over);
    net.process(
        "0",
        (from, first),
        async move |(from, to): &(In<u64>, Out<u64>)| {
            while !is_over.load(Ordering::Relaxed) {
                to.send(1).await?;
                from.recv().await?;
            }
            Ok(())
        },
    );
}
