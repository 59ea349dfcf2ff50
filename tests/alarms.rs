//! P4, no false alarm: random networks are run by the runtime, looked at from outside at random moments, and held to an
//! exhaustive search of what can come of the same programs, which knows nothing of the runtime.
//!
//! What must agree:
//!
//! - A run that ends well can end so.
//! - A set of processes that is reported, by the run or at any moment by a look, is deadlocked in a state that can be come
//!   to: blocked on just that, by the documented rules, and none of it can move again, whatever else happens. And none
//!   of it does until the end of the run.
//! - Where nothing need move any more, exactly the set that the rules call deadlocked is reported; and nothing where that
//!   is empty.
//!
//! Each network has a seed, which is printed with it when it fails: `HANDOVER_SEED=S HANDOVER_NETWORKS=1 cargo test
//! --test alarms` tries that one, many times over. `scripts/alarms N` tries N of them.

#![allow(clippy::unwrap_used)]

#[path = "alarms/blocking.rs"]
mod blocking;
#[path = "alarms/board.rs"]
mod board;
#[path = "alarms/making.rs"]
mod making;
#[path = "alarms/model.rs"]
mod model;
#[path = "alarms/moves.rs"]
mod moves;
#[path = "alarms/network.rs"]
mod network;
#[path = "alarms/ports.rs"]
mod ports;
#[path = "alarms/program.rs"]
mod program;
#[path = "alarms/rehearsed.rs"]
mod rehearsed;
#[path = "alarms/run.rs"]
mod run;
#[path = "alarms/shrinking.rs"]
mod shrinking;
#[path = "alarms/stage.rs"]
mod stage;
#[path = "alarms/verdict.rs"]
mod verdict;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use self::{
    making::{Dice, program},
    model::Model,
    network::Manner,
    program::Program,
    run::{Tally, run},
    verdict::Graph,
};

/// How many networks are tried by an ordinary `cargo test`.
const NETWORKS: u64 = 6_000;
/// How many states of a program are gone through; a larger one is left out.
const STATES_MAX: usize = 1_500;
/// How many runs are under way at a time: most of the time each waits to be looked at.
const RUNS: usize = 6;
/// How long a run may take: a hundred times as long as the slowest.
const LIMIT: Duration = Duration::from_secs(20);

fn number_in(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} must be a number, not {value:?}")))
}

/// The seed that was asked for, or one of this moment.
fn seed() -> u64 {
    number_in("HANDOVER_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(1, |now| {
            u64::from(now.subsec_nanos()) ^ (now.as_secs() << 20)
        })
    })
}

/// What has come of all of them.
#[derive(Default)]
struct Sum {
    tally: Tally,
    networks: u64,
    too_large: u64,
    states: usize,
    can_deadlock: u64,
    can_end: u64,
}

/// Runs the network of this seed, once in a manner of its own; `None` if it is too large.
fn try_one(seed: u64, turn: u64, sum: &Mutex<Sum>) -> Result<(), (Program, String)> {
    let program = Arc::new(program(seed));
    let Some(graph) = Graph::new(Model::new(&program), STATES_MAX) else {
        sum.lock().unwrap().too_large += 1;
        return Ok(());
    };
    let mut dice = Dice::new(seed ^ turn.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ 0xa1a2);
    let manner = Manner::draw(&mut dice, &graph);
    let result = run(&program, &graph, manner, dice, LIMIT);
    let mut sum = sum.lock().unwrap();
    sum.networks += 1;
    sum.states += graph.len();
    sum.can_deadlock += u64::from(graph.can_deadlock());
    sum.can_end += u64::from(graph.can_end());
    match result {
        Ok(tally) => {
            sum.tally.add(tally);
            Ok(())
        }
        Err(why) => Err(((*program).clone(), format!("{why}\nrun as {manner:?}"))),
    }
}

/// Tries networks until there were enough, from several threads at once; the first disagreement ends it.
fn try_all(seed: u64, networks: u64) -> (Sum, Option<(u64, Program, String)>) {
    let next = AtomicU64::new(0);
    let sum = Mutex::new(Sum::default());
    let failure = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..RUNS {
            scope.spawn(|| {
                while failure.lock().unwrap().is_none() && sum.lock().unwrap().networks < networks {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    // One that is replayed is tried many times over.
                    let (own, turn) = if networks == 1 {
                        (seed, turn)
                    } else {
                        (seed.wrapping_add(turn), 0)
                    };
                    if let Err((program, why)) = try_one(own, turn, &sum) {
                        failure.lock().unwrap().get_or_insert((own, program, why));
                    }
                    if networks == 1 {
                        let mut sum = sum.lock().unwrap();
                        sum.networks = u64::from(turn >= 2_000);
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap();
    (sum, failure.into_inner().unwrap())
}

#[test]
fn whatever_a_random_network_comes_to_is_what_its_model_says() {
    let (seed, networks) = (seed(), number_in("HANDOVER_NETWORKS").unwrap_or(NETWORKS));
    println!("from HANDOVER_SEED={seed}");
    let began = Instant::now();
    let (sum, failure) = try_all(seed, networks);
    let tally = sum.tally;
    println!(
        "{} networks ({} too large) with {} states, of which {} can deadlock and {} can end, in {:.1?}: {tally:?}",
        sum.networks,
        sum.too_large,
        sum.states,
        sum.can_deadlock,
        sum.can_end,
        began.elapsed(),
    );
    if let Some((seed, program, why)) = failure {
        let (least, least_why) = shrinking::shrink(&program, &why);
        panic!(
            "{why}\n\nHANDOVER_SEED={seed} HANDOVER_NETWORKS=1 tries it again:\n{program}\nthe least that fails:\n\
             {least}{least_why}"
        );
    }
    // A test of nothing would agree with everything.
    if networks >= NETWORKS {
        let tenth = networks / 10;
        assert!(tally.ended > tenth, "few runs have ended well");
        assert!(tally.total > tenth / 2, "there were few total deadlocks");
        assert!(
            tally.partial > tenth / 2,
            "there were few partial deadlocks"
        );
        assert!(
            tally.exact > tenth,
            "few runs were looked at until they stood still"
        );
        assert!(tally.silent > tenth / 10, "few runs stood still unreported");
    }
}
