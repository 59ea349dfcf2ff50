//! Networks that hand over at random, on three machines whose links are late and break: what a plain count says that they
//! come to is what they come to.
//!
//! A script is made in one order for all: so every process that does its part of it in that order comes to its end,
//! whatever the links do, and nothing may be called a deadlock. Where two steps of one process change places, some of
//! them may wait for each other for ever; that is found by running the scripts in the head.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    hash::{BuildHasher, RandomState},
    thread,
    time::{Duration, Instant},
};

use handover::process::{In, OnDeadlock, Out};

use super::{
    Number,
    machines::{Machine, PATIENCE, Running, link_through},
    valve::{Valve, Way},
};

const MACHINES: usize = 3;
const PROCESSES: usize = 6;
const STEPS: usize = 60;
/// How many networks are made, if `HANDOVER_WAITS_RUNS` does not say.
const RUNS: u64 = 8;

/// Sebastiano Vigna's `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Send(usize),
    Receive(usize),
}

type Scripts = Vec<Vec<Step>>;

fn machine_of(process: usize) -> usize {
    process % MACHINES
}

/// Each process ends by meeting each other one, so none ends while another may need it.
fn scripts(random: &mut Random) -> Scripts {
    let mut scripts = vec![Vec::new(); PROCESSES];
    let mut hand_over = |from: usize, to: usize| {
        scripts[from].push(Step::Send(to));
        scripts[to].push(Step::Receive(from));
    };
    for _ in 0..STEPS {
        let from = random.below(PROCESSES);
        let to = (from + 1 + random.below(PROCESSES - 1)) % PROCESSES;
        hand_over(from, to);
    }
    for from in 0..PROCESSES {
        for to in 0..PROCESSES {
            if from != to {
                hand_over(from, to);
            }
        }
    }
    scripts
}

/// Runs the scripts in the head: who is left, at which of its steps.
fn left(scripts: &Scripts) -> BTreeMap<usize, usize> {
    let mut at = vec![0; PROCESSES];
    loop {
        let step = |at: &[usize], process: usize| scripts[process].get(at[process]).copied();
        let moves = (0..PROCESSES).find_map(|from| match step(&at, from) {
            Some(Step::Send(to)) if step(&at, to) == Some(Step::Receive(from)) => Some((from, to)),
            _ => None,
        });
        let Some((from, to)) = moves else {
            break;
        };
        at[from] += 1;
        at[to] += 1;
    }
    let all = at.into_iter().enumerate();
    all.filter(|&(process, at)| at < scripts[process].len())
        .collect()
}

fn name(process: usize) -> String {
    format!("p{process}")
}

async fn act(
    process: usize,
    script: &[Step],
    (out, into): &(Vec<Out<Number>>, Vec<In<Number>>),
) -> handover::process::ProcessResult {
    // Which port leads where: those to and from oneself are left out.
    let place = |other: usize| other - usize::from(other > process);
    for (at, step) in (0..).zip(script) {
        match *step {
            Step::Send(to) => out[place(to)].send(Number(at)).await?,
            Step::Receive(from) => {
                into[place(from)].recv().await?;
            }
        }
    }
    Ok(())
}

struct System {
    machines: Vec<Machine>,
    valves: Vec<Valve>,
    _links: Vec<handover::net::Link>,
}

/// Three machines, each linked to each other, and the processes among them; every two have a channel each way.
fn system(scripts: &Scripts) -> System {
    let mut machines: Vec<Machine> = ["a", "b", "c"].map(Machine::new).into();
    let mut links = BTreeMap::new();
    let mut valves = Vec::new();
    for one in 0..MACHINES {
        for other in one + 1..MACHINES {
            let (there, here, valve) = link_through(&machines[one], &machines[other]);
            links.insert((one, other), there);
            links.insert((other, one), here);
            valves.push(valve);
        }
    }
    let mut ports: Vec<(Vec<_>, Vec<_>)> =
        (0..PROCESSES).map(|_| (Vec::new(), Vec::new())).collect();
    for from in 0..PROCESSES {
        for to in (0..PROCESSES).filter(|&to| to != from) {
            let name = format!("{from} to {to}");
            let (here, there) = (machine_of(from), machine_of(to));
            let (out, into) = if here == there {
                machines[here].network().channel::<Number>(&name)
            } else {
                let out = links[&(here, there)].outlet(machines[here].network(), &name);
                let into = links[&(there, here)].inlet(machines[there].network(), &name);
                (out.unwrap(), into.unwrap())
            };
            ports[from].0.push(out);
            ports[to].1.push(into);
        }
    }
    for (process, ports) in ports.into_iter().enumerate() {
        let machine = &mut machines[machine_of(process)];
        machine.network().on_deadlock(OnDeadlock::Return);
        let script = scripts[process].clone();
        machine.network().process(
            name(process),
            ports,
            async move |ports: &(Vec<_>, Vec<_>)| act(process, &script, ports).await,
        );
    }
    System {
        machines,
        valves,
        _links: links.into_values().collect(),
    }
}

/// Shuts links for up to a third of a second, in one direction or both, and cuts them, until all have ended.
fn disturb(system: &System, random: &mut Random, running: &[Running]) {
    let deadline = Instant::now() + PATIENCE;
    let mut faults = 0;
    while !running.iter().all(Running::has_ended) {
        assert!(Instant::now() < deadline, "it ends in time");
        let valves = &system.valves;
        let shut: Vec<&Valve> = (0..2)
            .map(|_| &valves[random.below(valves.len())])
            .collect();
        let ways: &[Way] = match random.below(3) {
            0 => &[Way::ToDialer],
            1 => &[Way::ToListener],
            _ => &[Way::ToDialer, Way::ToListener],
        };
        let all = |act: fn(&Valve, Way)| {
            let pairs = shut
                .iter()
                .flat_map(|&valve| ways.iter().map(move |&way| (valve, way)));
            pairs.for_each(|(valve, way)| act(valve, way));
        };
        all(Valve::shut);
        if faults < 12 {
            thread::sleep(Duration::from_millis(random.next() % 330));
            if random.below(4) == 0 {
                shut[0].cut();
            }
        }
        all(Valve::open);
        faults += 1;
        thread::sleep(Duration::from_millis(random.next() % 20));
    }
}

fn run(seed: u64) -> bool {
    let mut random = Random(seed);
    let mut scripts = scripts(&mut random);
    let is_to_end_well = seed.is_multiple_of(2);
    while !is_to_end_well && left(&scripts).is_empty() {
        let script = &mut scripts[random.below(PROCESSES)];
        let at = random.below(script.len() - 1);
        script.swap(at, at + 1);
    }
    let left = left(&scripts);
    let mut system = system(&scripts);
    let running: Vec<Running> = system.machines.iter_mut().map(Machine::start).collect();
    disturb(&system, &mut random, &running);
    let results: Vec<_> = running.into_iter().map(Running::end).collect();
    if left.is_empty() {
        for (result, machine) in results.iter().zip(&system.machines) {
            assert!(result.is_ok(), "{result:?}");
            assert_eq!(machine.node.deadlock(), None);
        }
        return false;
    }
    let names: BTreeSet<String> = left
        .keys()
        .map(|&process| {
            let machine = &system.machines[machine_of(process)];
            format!("{} at {}", name(process), machine.name)
        })
        .collect();
    let found: Vec<_> = system
        .machines
        .iter()
        .filter_map(|machine| machine.node.deadlock())
        .collect();
    for deadlock in &found {
        // Who was told late may know of more that wait because of it.
        assert_eq!(
            deadlock.cycle_names(),
            found[0].cycle_names(),
            "all tell the same cycle"
        );
        for blocked in deadlock.processes() {
            assert!(names.contains(&blocked.process), "{deadlock}: {left:?}");
        }
    }
    // Those that are left may wait for each other on one machine, and then its network tells.
    let is_told =
        |result: &Result<(), _>| matches!(result, Err(handover::process::RunError::Deadlock(_)));
    assert!(results.iter().any(is_told), "{left:?}: {results:?}");
    true
}

#[test]
fn what_is_called_a_deadlock_is_one_and_what_is_one_is_called_so() {
    let runs = env::var("HANDOVER_WAITS_RUNS").map_or(RUNS, |runs| runs.parse().unwrap());
    let first = env::var("HANDOVER_WAITS_SEED").map_or_else(
        |_| RandomState::new().hash_one("seed") >> 16,
        |seed| seed.parse().unwrap(),
    );
    let mut deadlocks = 0;
    for seed in first..first + runs {
        println!("HANDOVER_WAITS_SEED={seed}");
        deadlocks += u64::from(run(seed));
    }
    println!("{runs} networks, of which {deadlocks} came to a deadlock");
}
