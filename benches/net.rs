//! Channels over TCP beside bare sockets, `ZeroMQ` and `nng`, interleaved, as one table for each row: see `src/bench/links`.
//!
//! ```text
//! cargo bench --features bench,net --bench net                          every row, 7 rounds
//! cargo bench --features bench,net --bench net -- --rounds 3 unit       one row
//! cargo bench --features bench,net --bench net -- --against std,zeromq round-trip
//! cargo bench --features bench,net --bench net -- --svg latencies.svg   with a picture
//! ```
//!
//! Where libzmq and libnng are installed, `benches/peers/*.c` are made first; without them, they are left out. Each
//! side of each run is a program of its own; for the Rust contenders it is this one, called with `--one CONTENDER ROW
//! COUNT`, which can be called by hand too, for a profiler.

use std::{
    env,
    error::Error,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use handover::bench::links::{
    Contender, Library, Means, NoLibrary, Order, Plan, Programs, Row, Side, contenders, find,
    keep_apart, measure, picture, table,
};

/// The longest that one run may take.
const LIMIT: Duration = Duration::from_mins(2);

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, one)) if first == Programs::ONE => play(one, false),
        Some((first, one)) if first == Programs::WORKER => play(one, true),
        _ => Arguments::parse(arguments.into_iter())
            .map_err(Into::into)
            .and_then(|arguments| run_all(&arguments)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::from(2)
        }
    }
}

/// One side of one run of one contender, here.
fn play(arguments: &[String], works: bool) -> Result<(), Failure> {
    const USAGE: &str = "needed: CONTENDER ROW COUNT, and for a worker an address";
    let (contender, row, count, side) = match arguments {
        [contender, row, count] if !works => (contender, row, count, Side::Measures),
        [contender, row, count, address] if works => {
            let address: SocketAddr = address.parse()?;
            (contender, row, count, Side::Works(address))
        }
        _ => return Err(USAGE.into()),
    };
    let order = Order {
        row: row_named(row)?,
        count: count.parse()?,
    };
    let contender = contender_named(contender)?;
    let (Means::Here(play) | Means::Tls(play)) = contender.means else {
        return Err("that is a program of its own".into());
    };
    keep_apart(&order, &side)?;
    let certificates = Programs::certificates_here(&contender);
    if let Some(record) = play(&contender, &order, &side, certificates.as_deref())? {
        println!("{}", serde_json::to_string(&record)?);
    }
    Ok(())
}

fn run_all(arguments: &Arguments) -> Result<(), Failure> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut libraries = Vec::new();
    for name in arguments.contenders.iter().filter_map(Contender::library) {
        match Library::build(name, &sources, folder) {
            Ok(library) => libraries.push(library),
            Err(nothing @ NoLibrary::NotInstalled { .. }) => eprintln!("{nothing}"),
            Err(not_built) => return Err(not_built.into()),
        }
    }
    let mut versions = vec![format!("handover {}", env!("CARGO_PKG_VERSION"))];
    versions.extend(libraries.iter().map(|library| library.version.clone()));
    println!("{}", versions.join(", "));
    println!(
        "{} rounds, {} processors\n",
        arguments.plan.rounds,
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    let programs = Programs {
        here: env::current_exe()?,
        libraries,
        certificates: certificates(folder)?,
        limit: LIMIT,
    };
    let mut results = Vec::new();
    for row in &arguments.rows {
        let result = measure(*row, &arguments.contenders, &arguments.plan, &programs)?;
        println!("{}", table::table(&result));
        results.push(result);
    }
    if let Some(path) = &arguments.svg {
        fs::write(
            path,
            picture::svg("Channels over TCP: latencies", &results)?,
        )?;
    }
    Ok(())
}

/// An authority and a peer of it, made anew; returns the folder.
fn certificates(folder: &Path) -> Result<PathBuf, Failure> {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    let folder = folder.join("links");
    fs::create_dir_all(&folder)?;
    let mut authority = CertificateParams::new([])?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let peer = CertificateParams::new(["peer".to_owned()])?.signed_by(&key, &authority)?;
    fs::write(folder.join("authority.pem"), authority.pem())?;
    fs::write(folder.join("peer.pem"), peer.pem())?;
    fs::write(folder.join("peer.key"), key.serialize_pem())?;
    Ok(folder)
}

fn row_named(name: &str) -> Result<Row, String> {
    Row::named(name).ok_or_else(|| {
        let names = Row::ALL.map(Row::name).join(", ");
        format!("no such row: {name}; there are {names}")
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
    rows: Vec<Row>,
    contenders: Vec<Contender>,
    svg: Option<PathBuf>,
}

impl Arguments {
    fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut plan = Plan {
            rounds: 7,
            run: Duration::from_millis(300),
            connections: 10_000,
        };
        let mut rows = Vec::new();
        let mut against: Option<Vec<Contender>> = None;
        let mut svg = None;
        while let Some(argument) = given.next() {
            match argument.as_str() {
                // What `cargo bench` itself adds.
                "--bench" => {}
                "--rounds" => plan.rounds = number(given.next(), 1, "--rounds")?,
                "--connections" => {
                    plan.connections = number(given.next(), 100, "--connections")? as u64;
                }
                "--svg" => svg = Some(given.next().ok_or("--svg needs a path")?.into()),
                "--against" => {
                    let names = given.next().ok_or("--against needs names of contenders")?;
                    let chosen: Result<Vec<_>, _> = names.split(',').map(contender_named).collect();
                    against.get_or_insert_default().extend(chosen?);
                }
                option if option.starts_with('-') => {
                    return Err(format!("no such option: {option}"));
                }
                name => rows.push(row_named(name)?),
            }
        }
        if rows.is_empty() {
            rows.extend(Row::ALL);
        }
        let mut all = contenders();
        if let Some(against) = against {
            let chosen = |one: &Contender| against.iter().any(|other| other.name == one.name);
            all.retain(|one| one.is_ours() || chosen(one));
        }
        Ok(Self {
            plan,
            rows,
            contenders: all,
            svg,
        })
    }
}

fn number(given: Option<String>, least: usize, option: &str) -> Result<usize, String> {
    given
        .and_then(|number| number.parse().ok())
        .filter(|number| *number >= least)
        .ok_or_else(|| format!("{option} needs a number of {least} or more"))
}
