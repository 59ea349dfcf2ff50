//! Makes a program that fails smaller, as long as it still fails.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    STATES_MAX,
    making::Dice,
    model::Model,
    network::Manner,
    program::{Body, Program, Step},
    run::run,
    verdict::Graph,
};

/// How long it is tried to find something smaller.
const TIME: Duration = Duration::from_secs(15);
/// How often a smaller one is run before it is taken for one that does not fail.
const TRIES: u64 = 60;
/// How long a run may take here; something that hangs costs this much each time.
const LIMIT: Duration = Duration::from_secs(2);

/// The smallest that was found to fail, and in what way.
pub(crate) fn shrink(program: &Program, why: &str) -> (Program, String) {
    let end = Instant::now() + TIME;
    let (mut least, mut least_why) = (program.clone(), why.to_owned());
    'again: loop {
        for smaller in smaller(&least) {
            if Instant::now() > end {
                return (least, least_why);
            }
            if let Some(why) = fails(&smaller, end) {
                (least, least_why) = (smaller, why);
                continue 'again;
            }
        }
        return (least, least_why);
    }
}

fn fails(program: &Program, end: Instant) -> Option<String> {
    let program = Arc::new(program.clone());
    let graph = Graph::new(Model::new(&program), STATES_MAX)?;
    for seed in 0..TRIES {
        if Instant::now() > end {
            return None;
        }
        let mut dice = Dice::new(seed);
        let manner = Manner::draw(&mut dice, &graph);
        if let Err(why) = run(&program, &graph, manner, dice, LIMIT) {
            return Some(format!("{why}\nrun as {manner:?}"));
        }
    }
    None
}

/// All that are one thing smaller; the largest things first.
fn smaller(program: &Program) -> Vec<Program> {
    let mut all = Vec::new();
    let mut change = |change: &mut dyn FnMut(&mut Program)| {
        let mut changed = program.clone();
        change(&mut changed);
        all.push(changed);
    };
    for process in 0..program.scripts.len() {
        change(&mut |program| drop(program.scripts.remove(process)));
    }
    for (process, script) in program.scripts.iter().enumerate() {
        for at in 0..script.steps.len() {
            change(&mut |program| program.scripts[process].remove(at));
        }
        for end in 0..script.ends.len() {
            change(&mut |program| {
                // What is needed comes back.
                let script = &mut program.scripts[process];
                script.ends.remove(end);
                script.equip();
            });
        }
        for right in 0..script.rights.len() {
            change(&mut |program| {
                let script = &mut program.scripts[process];
                script.rights.remove(right);
                script.equip();
            });
        }
        for (at, step) in script.steps.iter().enumerate() {
            for simple in simpler(step) {
                change(&mut |program| program.scripts[process].steps[at] = simple.clone());
            }
        }
        if script.body == Body::Thread {
            change(&mut |program| program.scripts[process].body = Body::Process);
        }
    }
    all.retain(|smaller| smaller != program && !smaller.scripts.is_empty());
    all
}

fn simpler(step: &Step) -> Vec<Step> {
    let plain = |op| Step::Do { op, timed: false };
    match step {
        Step::Do { op, timed: true } => vec![plain(*op)],
        Step::Select { guards, .. } => guards.iter().map(|guard| plain(*guard)).collect(),
        Step::Join(a, b) => vec![plain(*a), plain(*b)],
        Step::Accept { inner, .. } => vec![plain(*inner)],
        _ => Vec::new(),
    }
}
