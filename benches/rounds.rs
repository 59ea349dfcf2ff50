//! Every channel beside every other, interleaved, as one table for each row and one for all, and as pictures.
//!
//! In each round every channel of a workload runs once, and each round begins with another one, so that
//! whatever else the machine does meanwhile falls on all of them alike. The ratio to ours is taken within a
//! round; what is printed is the median over the rounds. A run of all rows draws `docs/benchmarks/*.svg`.
//!
//! ```text
//! cargo bench --features bench --bench rounds                            every row, 15 rounds, about eight minutes
//! cargo bench --features bench --bench rounds -- --rounds 5 ping-pong    the rows with "ping-pong" in their name
//! cargo bench --features bench --bench rounds -- --against none one-way  ours alone, for a profiler
//! ```

use std::{
    fs, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
};

use handover::bench::{
    Pace, RowResult, Workers, choose, markdown, measure, picture, rows, versions,
};

/// Where the pictures of a run of all rows go.
const PICTURES: &str = "docs/benchmarks";

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(complaint) => return failed(&complaint),
    };
    let rows = match choose(rows(), &arguments.rows, &arguments.against) {
        Ok(rows) => rows,
        Err(error) => return failed(&error.to_string()),
    };
    println!("{}, std of this toolchain", versions().join(", "));
    println!(
        "{} rounds, {} processors\n",
        arguments.pace.rounds,
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    let mut results: Vec<(Workers, RowResult)> = Vec::new();
    for row in rows {
        let result = measure(&row, &arguments.pace, &mut |_| ControlFlow::Continue(()));
        if let Some(result) = result {
            println!("{}", markdown::table(&result));
            results.push((row.workers, result));
        }
    }
    if let Some(folder) = &arguments.pictures
        && let Err(complaint) = draw(folder, &results)
    {
        return failed(&complaint);
    }
    let results: Vec<RowResult> = results.into_iter().map(|(_, result)| result).collect();
    println!("{}", markdown::summary(&results));
    ExitCode::SUCCESS
}

fn failed(complaint: &str) -> ExitCode {
    eprintln!("{complaint}");
    ExitCode::from(2)
}

/// One picture for each kind of workers that has rows.
fn draw(folder: &Path, results: &[(Workers, RowResult)]) -> Result<(), String> {
    let not_written = |error: io::Error| format!("{} cannot be written: {error}", folder.display());
    fs::create_dir_all(folder).map_err(not_written)?;
    for workers in Workers::ALL {
        let of_these = results.iter().filter(|(their, _)| *their == workers);
        let panels: Vec<RowResult> = of_these.map(|(_, result)| result.clone()).collect();
        if panels.is_empty() {
            continue;
        }
        let title = format!("handover beside its rivals: {}", workers.title());
        let svg = picture::svg(&title, &panels).map_err(|error| error.to_string())?;
        let file = folder.join(format!("{}.svg", workers.name()));
        fs::write(&file, svg).map_err(not_written)?;
        eprintln!("{}", file.display());
    }
    Ok(())
}

struct Arguments {
    pace: Pace,
    /// What must be in a row's name.
    rows: Vec<String>,
    /// The channels that take part beside ours.
    against: Vec<String>,
    /// Where the pictures go.
    pictures: Option<PathBuf>,
}

impl Arguments {
    fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            pace: Pace::FULL,
            rows: Vec::new(),
            against: Vec::new(),
            pictures: None,
        };
        while let Some(argument) = given.next() {
            match argument.as_str() {
                // What `cargo bench` itself adds.
                "--bench" => {}
                "--quick" => arguments.pace = Pace::QUICK,
                "--rounds" => {
                    arguments.pace.rounds = given
                        .next()
                        .and_then(|number| number.parse().ok())
                        .filter(|number| *number > 0)
                        .ok_or("--rounds needs a number of 1 or more")?;
                }
                "--against" => {
                    let names = given.next().ok_or("--against needs names of channels")?;
                    arguments.against.extend(names.split(',').map(Into::into));
                }
                "--pictures" => {
                    let folder = given.next().ok_or("--pictures needs a folder")?;
                    arguments.pictures = Some(folder.into());
                }
                option if option.starts_with('-') => {
                    return Err(format!("no such option: {option}"));
                }
                part => arguments.rows.push(part.to_owned()),
            }
        }
        if arguments.rows.is_empty() && arguments.against.is_empty() {
            arguments.pictures.get_or_insert_with(|| PICTURES.into());
        }
        Ok(arguments)
    }
}
