//! Networks of processes beside each other, interleaved, as one table for each workload: see `src/bench/network`.
//!
//! ```text
//! cargo bench --features bench --bench network                        every workload, 7 rounds
//! cargo bench --features bench --bench network -- --rounds 3 ring     one workload
//! cargo bench --features bench --bench network -- --against kanal:0,go:0 --size 100000 blocked
//! ```
//!
//! Where Go is installed, `benches/peers/network.go` is made first; without it, goroutines are left out. Each run is
//! a program of its own; for the Rust contenders it is this one, called with `--one CONTENDER WORKLOAD COUNT SIZE`,
//! which can be called by hand too, for a profiler.

use std::{env, path::Path, process::ExitCode, time::Duration};

use handover::bench::{
    network::{
        Contender, Go, Means, NoGo, Order, Plan, Programs, Workload, contenders, find, measure,
        table,
    },
    versions,
};

/// The longest that one run may take. A million processes of the slowest take some seconds.
const LIMIT: Duration = Duration::from_mins(5);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, one)) if first == Programs::ONE => run_one(one),
        _ => Arguments::parse(arguments.into_iter()).and_then(|arguments| run_all(&arguments)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::from(2)
        }
    }
}

/// One run of one contender, here.
fn run_one(arguments: &[String]) -> Result<(), String> {
    const USAGE: &str = "--one needs CONTENDER WORKLOAD COUNT SIZE, and a size of 2 or more";
    let [contender, workload, count, size] = arguments else {
        return Err(USAGE.into());
    };
    let order = Order {
        workload: workload_named(workload)?,
        count: count.parse().map_err(|_| USAGE)?,
        size: size.parse().ok().filter(|size| *size >= 2).ok_or(USAGE)?,
    };
    let contender = contender_named(contender)?;
    let record = match contender.means {
        Means::Here(work) => work(contender.name, &order),
        Means::Go { .. } => None,
    };
    let record = record.ok_or_else(|| format!("{} cannot do {workload} here", contender.name))?;
    let line = serde_json::to_string(&record).map_err(|error| error.to_string())?;
    println!("{line}");
    Ok(())
}

fn run_all(arguments: &Arguments) -> Result<(), String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/network.go");
    let go = match Go::build(&source, Path::new(env!("CARGO_TARGET_TMPDIR"))) {
        Ok(go) => Some(go),
        Err(nothing @ NoGo::NotInstalled) => {
            eprintln!("{nothing}");
            None
        }
        Err(not_built) => return Err(not_built.to_string()),
    };
    let go_version = go.as_ref().map_or("no Go", |go| &go.version);
    println!("{}, {go_version}", versions().join(", "));
    println!(
        "{} rounds, {} processors\n",
        arguments.plan.rounds,
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    let mut contenders = arguments.contenders.clone();
    contenders.retain(|one| go.is_some() || matches!(one.means, Means::Here(_)));
    let runner = Programs {
        here: env::current_exe()
            .map_err(|error| format!("where this program is, is not known: {error}"))?,
        go,
        limit: LIMIT,
    };
    let mut results = Vec::new();
    for workload in &arguments.workloads {
        let result = measure(*workload, &contenders, &arguments.plan, &runner)
            .map_err(|failed| failed.to_string())?;
        if let Some(result) = result {
            println!("{}", table::table(&result));
            results.push(result);
        }
    }
    if let Some(scaling) = table::scaling(&results) {
        println!("{scaling}");
    }
    Ok(())
}

fn workload_named(name: &str) -> Result<Workload, String> {
    Workload::named(name).ok_or_else(|| {
        let names = Workload::ALL.map(Workload::name).join(", ");
        format!("no such workload: {name}; there are {names}")
    })
}

fn contender_named(name: &str) -> Result<Contender, String> {
    find(name).ok_or_else(|| {
        let names: Vec<&str> = contenders().iter().map(|one| one.name).collect();
        format!("no such contender: {name}; there are {}", names.join(", "))
    })
}

struct Arguments {
    plan: Plan,
    workloads: Vec<Workload>,
    contenders: Vec<Contender>,
}

impl Arguments {
    fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut plan = Plan {
            rounds: 7,
            run: Duration::from_millis(200),
            size: None,
        };
        let mut workloads = Vec::new();
        let mut against: Option<Vec<Contender>> = None;
        while let Some(argument) = given.next() {
            match argument.as_str() {
                // What `cargo bench` itself adds.
                "--bench" => {}
                "--rounds" => plan.rounds = number(given.next(), 1, "--rounds")?,
                "--size" => plan.size = Some(number(given.next(), 2, "--size")?),
                "--against" => {
                    let names = given.next().ok_or("--against needs names of contenders")?;
                    let chosen: Result<Vec<_>, _> = names.split(',').map(contender_named).collect();
                    against.get_or_insert_default().extend(chosen?);
                }
                option if option.starts_with('-') => {
                    return Err(format!("no such option: {option}"));
                }
                name => workloads.push(workload_named(name)?),
            }
        }
        if workloads.is_empty() {
            workloads.extend(Workload::ALL);
        }
        let mut all = contenders();
        if let Some(against) = against {
            let chosen = |one: &Contender| against.iter().any(|other| other.name == one.name);
            all.retain(|one| one.is_ours() || chosen(one));
        }
        Ok(Self {
            plan,
            workloads,
            contenders: all,
        })
    }
}

fn number(given: Option<String>, least: usize, option: &str) -> Result<usize, String> {
    given
        .and_then(|number| number.parse().ok())
        .filter(|number| *number >= least)
        .ok_or_else(|| format!("{option} needs a number of {least} or more"))
}
